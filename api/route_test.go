package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/batondb/baton/api"
	"github.com/batondb/baton/ledger"
)

// TestTable holds every row to the rules of the table.
func TestTable(t *testing.T) {
	f := newFixture(t, shop, func(o *api.Options) { o.Pprof = true })
	seen := make(map[string]bool)
	for _, r := range f.server.Routes() {
		at := r.Method + " " + r.Path
		for claim, broken := range map[string]bool{
			"is there twice":                                     seen[at],
			"has no document of one sentence":                    !strings.HasSuffix(r.Doc, ".") || r.Doc == ".",
			"has no handler":                                     r.Handler == nil,
			"is a GET that changes something":                    r.Method == http.MethodGet && r.Action != "",
			"changes something and a viewer may":                 r.Action != "" && r.Role == api.RoleViewer,
			"changes nothing and only operators may":             r.Action == "" && r.Role == api.RoleOperator,
			"has a role that does not exist":                     !slices.Contains([]api.Role{api.RoleViewer, api.RoleOperator, api.RoleAdmin}, r.Role),
			"changes the fleet on any node":                      r.Role == api.RoleOperator && !r.LeaderOnly,
			"changes something without a word for the audit log": r.Method != http.MethodGet && r.Action == "" && r.Path != "/api/v1/plans",
			"is a GET with a body":                               r.Method == http.MethodGet && r.Request != nil,
			"answers JSON without a type":                        strings.HasPrefix(r.Path, "/api/") && r.Response == nil,
		} {
			if broken {
				t.Errorf("%s %s", at, claim)
			}
		}
		seen[at] = true
	}
}

// callAll calls every method of the client once, in an order in which each finds what it needs.
func callAll(t *testing.T, f *fixture) {
	t.Helper()
	ctx := t.Context()
	const id = "20260102T030405.000Z-00000001"
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	no := func(err error) { t.Helper(); must(nil, err) }
	must(f.Clusters(ctx))
	must(f.Cluster(ctx, "shop"))
	must(f.Topology(ctx, "shop"))
	must(f.WhyNot(ctx, "shop"))
	must(f.Instances(ctx, "shop"))
	must(f.Instance(ctx, "db1"))
	must(f.Findings(ctx, ""))
	must(f.Rules(ctx))
	must(f.Explain(ctx, "DeadPrimary", "db1", ""))
	no(f.Snapshot(ctx, io.Discard))
	must(f.Plan(ctx, api.RecoveryRequest{Kind: api.KindTakeover, Cluster: "shop", Signature: signed()}))
	must(f.StartRecovery(ctx, api.RecoveryRequest{Kind: api.KindTakeover, Cluster: "shop", Signature: signed()}))
	must(f.Recoveries(ctx, "shop", nil))
	must(f.Recovery(ctx, id))
	no(f.Progress(ctx, id, func(api.Progress) error { return nil }))
	must(f.AcknowledgeRecovery(ctx, id, signed()))
	must(f.StartRecovery(ctx, api.RecoveryRequest{Kind: api.KindTakeover, Cluster: "shop", Signature: signed()}))
	must(f.AcknowledgeCluster(ctx, "shop", signed()))
	must(f.BeginDowntime(ctx, api.DowntimeRequest{Instance: "db3", Signature: signed()}))
	must(f.Downtimes(ctx))
	must(f.EndDowntime(ctx, "db3", signed()))
	must(f.Pause(ctx, api.PauseRequest{Cluster: "shop", Signature: signed()}))
	must(f.Pauses(ctx))
	must(f.Resume(ctx, "shop", "", signed()))
	must(f.BeginMaintenance(ctx, api.MaintenanceRequest{Instance: "db3", Signature: signed()}))
	must(f.Maintenance(ctx))
	must(f.EndMaintenance(ctx, "db3", "", signed()))
	must(f.Discover(ctx, api.DiscoverRequest{Instance: "db9", Signature: signed()}))
	must(f.SetPromotionRule(ctx, "db3", api.PromotionRuleRequest{Rule: "prefer", Signature: signed()}))
	must(f.Forget(ctx, "db4", 0, signed()))
	must(f.Status(ctx))
	must(f.OpenAPI(ctx))
	no(f.Healthy(ctx))
	no(f.Ready(ctx))
	must(f.Reload(ctx))
	must(f.Metrics(ctx))
}

// TestEveryRouteIsCalled by a method of the client, and answers.
func TestEveryRouteIsCalled(t *testing.T) {
	reg := prometheus.NewRegistry()
	f := newFixture(t, shop, func(o *api.Options) { o.Registerer = reg })
	callAll(t, f)
	if err := f.Leads(t.Context()); err != nil {
		t.Error(err)
	}
	f.end()
	served := make(map[string]bool)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "baton_http_requests_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			labels := make(map[string]string)
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if strings.HasPrefix(labels["code"], "2") {
				served[labels["method"]+" "+labels["handler"]] = true
			}
		}
	}
	for _, r := range f.server.Routes() {
		if at := r.Method + " " + r.Path; !served[at] && at != "PUT /-/reload" { // the same as POST
			t.Errorf("%s was not called, or did not answer", at)
		}
	}
}

// TestNoGETChangesAnything calls them all.
func TestNoGETChangesAnything(t *testing.T) {
	f := newFixture(t, shop, func(o *api.Options) { o.Pprof = true })
	if _, err := f.StartRecovery(t.Context(), api.RecoveryRequest{Kind: api.KindTakeover, Cluster: "shop", Signature: signed()}); err != nil {
		t.Fatal(err)
	}
	before, state := len(f.service.Changed()), f.service.State()
	for _, r := range f.server.Routes() {
		if r.Method != http.MethodGet || strings.HasPrefix(r.Path, "/debug/pprof/") {
			continue
		}
		path := strings.NewReplacer("{cluster}", "shop", "{instance}", "db1", "{rule}", "DeadPrimary", "{recovery}", "20260102T030405.000Z-00000001").Replace(r.Path)
		if strings.HasSuffix(path, "/explain") {
			path += "?instance=db1"
		}
		if status, _, body := f.do(http.MethodGet, path, ""); status != http.StatusOK {
			t.Errorf("GET %s answers %d %s", path, status, body)
		}
	}
	if changed := f.service.Changed(); len(changed) != before || f.service.State() != state {
		t.Errorf("reading changed %q", changed[before:])
	}
}

// TestAnswers pins what programs read of one fleet. What the rules and the planner say in words is theirs to change, so it is not here.
func TestAnswers(t *testing.T) {
	f := newFixture(t, shop)
	if _, err := f.StartRecovery(t.Context(), api.RecoveryRequest{Kind: api.KindTakeover, Cluster: "shop", Signature: signed()}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.BeginDowntime(t.Context(), api.DowntimeRequest{Instance: "db3", Signature: signed()}); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"clusters": "/clusters", "topology": "/clusters/shop/topology", "recoveries": "/recoveries", "downtimes": "/downtimes", "status": "/status", "error": "/clusters/shpo",
	} {
		_, _, body := f.do(http.MethodGet, "/api/v1"+path, "")
		golden(t, name, regexp.MustCompile(`"sentence":"[^"]*"`).ReplaceAllString(body, `"sentence":"..."`))
	}
}

// TestWire pins every field of every wire type. A difference here is a change of the API.
func TestWire(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	all := make(map[string]any)
	for _, v := range []any{
		&api.ClusterSummary{}, &api.ClusterView{}, &api.Topology{}, &api.InstanceView{}, &api.Finding{}, &api.RuleDoc{}, &api.Explanation{}, &api.Downtime{},
		&api.DowntimeRequest{}, &api.Pause{}, &api.PauseRequest{}, &api.Maintenance{}, &api.MaintenanceRequest{}, &api.PromotionRuleRequest{}, &api.DiscoverRequest{},
		&api.Status{}, &api.Done{}, &api.Error{}, &api.RecoveryRequest{}, &api.Started{}, &api.Plan{}, &api.RecoveryView{}, &api.Progress{}, &api.WhyNot{},
	} {
		fill(reflect.ValueOf(v).Elem(), at, 3)
		all[reflect.TypeOf(v).Elem().Name()] = v
	}
	raw, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "wire", string(raw))
}

// fill sets every field to something, so that none is left out.
func fill(v reflect.Value, at time.Time, depth int) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(at))
		return
	case api.Duration:
		v.Set(reflect.ValueOf(api.Duration(90 * time.Minute)))
		return
	case json.RawMessage:
		v.Set(reflect.ValueOf(json.RawMessage(`{}`)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(7)
	case reflect.Uint32, reflect.Uint64:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(1.5)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), at, depth)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		if depth > 0 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			fill(v.Index(0), at, depth-1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key"), reflect.ValueOf("value"))
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(field, at, depth)
		}
	}
}

// TestEmptyListsAreLists: a program that ranges over an answer must not find null.
func TestEmptyListsAreLists(t *testing.T) {
	f := newFixture(t, "")
	for _, path := range []string{"/clusters", "/instances", "/findings", "/recoveries", "/downtimes", "/pauses", "/maintenance"} {
		if _, _, body := f.do(http.MethodGet, "/api/v1"+path, ""); strings.TrimSpace(body) != "[]" {
			t.Errorf("GET %s answers %s, want []", path, body)
		}
	}
}

// TestLeaderOnly: a follower sends changes to the leader, and the client goes there with everything it sent.
func TestLeaderOnly(t *testing.T) {
	leader := newFixture(t, shop)
	follower := newFixture(t, shop, func(o *api.Options) { o.Record = leader.service }) // what the leader has agreed on, the follower knows
	follower.service.Leading, follower.service.Leads = false, ledger.Peer{ID: "node-b", API: leader.url}
	callAll(t, follower)
	if changed := follower.service.Changed(); !slices.Equal(changed, []string{"reload"}) {
		t.Errorf("the follower changed %q", changed)
	}
	if err := follower.Leads(t.Context()); err == nil {
		t.Error("the follower says that it leads")
	}
}

func TestFollower(t *testing.T) {
	for name, c := range map[string]struct {
		leads ledger.Peer
		code  int
		to    string
	}{
		"knows the leader's address": {ledger.Peer{ID: "node-b", API: "http://b:8306/"}, http.StatusTemporaryRedirect, "http://b:8306"},
		"behind a proxy":             {ledger.Peer{ID: "node-b", API: "https://proxy/baton"}, http.StatusTemporaryRedirect, "https://proxy/baton"},
		"does not know the address":  {ledger.Peer{ID: "node-b"}, http.StatusServiceUnavailable, ""},
		"knows no leader":            {ledger.Peer{}, http.StatusServiceUnavailable, ""},
		"is named itself":            {ledger.Peer{ID: "node-a", API: "http://a:8306"}, http.StatusServiceUnavailable, ""}, // an election is under way: no circle
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, shop)
			f.service.Leading, f.service.Leads = false, c.leads
			for _, r := range f.server.Routes() {
				path := strings.NewReplacer("{cluster}", "shop", "{instance}", url.PathEscape("[::1]:3306"), "{rule}", "DeadPrimary", "{recovery}", "x").Replace(r.Path)
				body := ""
				if r.Request != nil {
					body = "{}"
				}
				status, header, answer := f.do(r.Method, path, body)
				if redirected := status == c.code; r.LeaderOnly && !redirected {
					t.Errorf("%s %s answers %d %s, want %d", r.Method, path, status, answer, c.code)
				}
				if to := header.Get("Location"); r.LeaderOnly && c.to != "" && to != c.to+path {
					t.Errorf("%s %s is sent to %q, want %q", r.Method, path, to, c.to+path)
				}
				if r.LeaderOnly && c.code == http.StatusServiceUnavailable {
					f.wantError(api.CodeNoLeader, status, answer)
				}
			}
			if changed := slices.Compact(f.service.Changed()); !slices.Equal(changed, []string{"reload"}) { // each node reads its own configuration
				t.Errorf("a follower changed %q", changed)
			}
		})
	}
}

// TestBadRequests: each is told apart, names what is wrong, and changes nothing.
func TestBadRequests(t *testing.T) {
	f := newFixture(t, shop)
	for name, c := range map[string]struct {
		method, path, body string
		code               api.Code
		says               string
	}{
		"no such path":          {"GET", "/api/v2/clusters", "", api.CodeUnknownPath, "openapi.json"},
		"no such method":        {"PATCH", "/api/v1/clusters", "", api.CodeMethodNotAllowed, "GET"},
		"GET of a change":       {"GET", "/-/reload", "", api.CodeMethodNotAllowed, "POST, PUT"},
		"unknown cluster":       {"GET", "/api/v1/clusters/shopp", "", api.CodeUnknownCluster, "nearest: shop"},
		"unknown instance":      {"GET", "/api/v1/instances/db11", "", api.CodeUnknownInstance, "db1:3306"},
		"no instance at all":    {"GET", "/api/v1/instances/a@b", "", api.CodeBadRequest, "host:port"},
		"unknown rule":          {"GET", "/api/v1/rules/DeadPrimry/explain?instance=db1", "", api.CodeUnknownRule, "DeadPrimary"},
		"rule without instance": {"GET", "/api/v1/rules/DeadPrimary/explain", "", api.CodeBadRequest, "instance"},
		"fleet rule, instance":  {"GET", "/api/v1/rules/ObserverIsolated/explain?instance=db1", "", api.CodeBadRequest, "leave the instance out"},
		"unknown area":          {"GET", "/api/v1/rules/FailureStorm/explain?area=flet", "", api.CodeBadRequest, "nearest: fleet"},
		"unknown recovery":      {"GET", "/api/v1/recoveries/x", "", api.CodeUnknownRecovery, "baton recovery list"},
		"progress of none":      {"GET", "/api/v1/recoveries/x/progress", "", api.CodeUnknownRecovery, ""},
		"unknown parameter":     {"GET", "/api/v1/instances?clster=shop", "", api.CodeBadRequest, "it has cluster"},
		"filter not a boolean":  {"GET", "/api/v1/recoveries?open=perhaps", "", api.CodeBadRequest, "perhaps"},
		"filter of no cluster":  {"GET", "/api/v1/findings?cluster=shpo", "", api.CodeUnknownCluster, "shop"},
		"recoveries of none":    {"GET", "/api/v1/recoveries?cluster=shpo", "", api.CodeUnknownCluster, "shop"},

		"empty body":        {"POST", "/api/v1/pauses", " ", api.CodeBadRequest, "cluster, rule, for, by, reason"},
		"half a body":       {"POST", "/api/v1/pauses", `{"by":`, api.CodeBadRequest, "ends too early"},
		"no JSON":           {"POST", "/api/v1/pauses", `by=me`, api.CodeBadRequest, "not JSON"},
		"two objects":       {"POST", "/api/v1/pauses", `{"by":"me"}{}`, api.CodeBadRequest, "follows"},
		"unknown field":     {"POST", "/api/v1/pauses", `{"by":"me","clustr":"shop"}`, api.CodeBadRequest, "nearest: cluster"},
		"wrong type":        {"POST", "/api/v1/pauses", `{"by":"me","cluster":7}`, api.CodeBadRequest, "cluster: a JSON number is not a string"},
		"wrong duration":    {"POST", "/api/v1/pauses", `{"by":"me","for":"soon"}`, api.CodeBadRequest, "90m"},
		"negative duration": {"POST", "/api/v1/pauses", `{"by":"me","for":"-1h"}`, api.CodeBadRequest, "90m"},
		"too large":         {"POST", "/api/v1/pauses", `{"by":"` + strings.Repeat("x", 2<<20) + `"}`, api.CodeTooLarge, "1048576"},
		"nobody asks":       {"POST", "/api/v1/pauses", `{"reason":"x"}`, api.CodeBadRequest, "by: say who asks"},
		"no reason":         {"POST", "/api/v1/pauses", `{"by":"me"}`, api.CodeBadRequest, "reason"},
		"pause of no rule":  {"POST", "/api/v1/pauses", `{"by":"me","reason":"x","rule":"DeadPrimry"}`, api.CodeUnknownRule, "DeadPrimary"},
		"pause of none":     {"POST", "/api/v1/pauses", `{"by":"me","reason":"x","cluster":"shpo"}`, api.CodeUnknownCluster, "shop"},
		"resume of nothing": {"DELETE", "/api/v1/pauses?by=me", "", api.CodeNotFound, "pause"},

		"downtime of none":       {"POST", "/api/v1/downtimes", `{"by":"me","reason":"x","instance":"db33"}`, api.CodeUnknownInstance, "db3:3306"},
		"end of no downtime":     {"DELETE", "/api/v1/downtimes/db3?by=me", "", api.CodeNotFound, "db3:3306"},
		"delete without a name":  {"DELETE", "/api/v1/downtimes/db3", "", api.CodeBadRequest, "by"},
		"maintenance of nothing": {"POST", "/api/v1/maintenance", `{"by":"me","reason":"x"}`, api.CodeBadRequest, "instance or a cluster"},
		"maintenance of both":    {"POST", "/api/v1/maintenance", `{"by":"me","reason":"x","instance":"db1","cluster":"shop"}`, api.CodeBadRequest, "instance or a cluster"},
		"no promotion rule":      {"PUT", "/api/v1/instances/db3/promotion-rule", `{"by":"me","rule":"never"}`, api.CodeBadRequest, "rule"},
		"forget for no time":     {"DELETE", "/api/v1/instances/db3?by=me&for=x", "", api.CodeBadRequest, "for"},
		"forget of none":         {"DELETE", "/api/v1/instances/db33?by=me", "", api.CodeUnknownInstance, "db3:3306"},

		"no kind":                {"POST", "/api/v1/recoveries", `{"by":"me","cluster":"shop"}`, api.CodeBadRequest, "failover, takeover, relocate"},
		"failover of no cluster": {"POST", "/api/v1/recoveries", `{"by":"me","kind":"failover"}`, api.CodeBadRequest, "cluster"},
		"failover by instance":   {"POST", "/api/v1/recoveries", `{"by":"me","kind":"failover","cluster":"shop","instance":"db1"}`, api.CodeBadRequest, "instance"},
		"relocate to nowhere":    {"POST", "/api/v1/recoveries", `{"by":"me","kind":"relocate","instance":"db4"}`, api.CodeBadRequest, "to"},
		"unknown gate":           {"POST", "/api/v1/recoveries", `{"by":"me","kind":"takeover","cluster":"shop","allow":["lagg"]}`, api.CodeBadRequest, "nearest: lag"},
		"a gate nobody may pass": {"POST", "/api/v1/recoveries", `{"by":"me","kind":"takeover","cluster":"shop","allow":["candidate"]}`, api.CodeBadRequest, "candidate"},
		"refused":                {"POST", "/api/v1/recoveries", `{"by":"me","kind":"failover","cluster":"shop"}`, api.CodeRefused, "alive"},
		"acknowledge unknown":    {"POST", "/api/v1/recoveries/x/acknowledge", `{"by":"me","reason":"x"}`, api.CodeUnknownRecovery, ""},
		"nothing to acknowledge": {"POST", "/api/v1/clusters/shop/acknowledge", `{"by":"me","reason":"x"}`, api.CodeNotFound, "shop"},
	} {
		t.Run(name, func(t *testing.T) {
			f.t = t
			status, _, body := f.do(c.method, c.path, c.body)
			e := f.wantError(c.code, status, body)
			if !strings.Contains(e.Message+" "+e.Hint, c.says) {
				t.Errorf("%q is not said: %s", c.says, body)
			}
		})
	}
	if changed := f.service.Changed(); len(changed) > 0 {
		t.Errorf("bad requests changed %q", changed)
	}
}

// TestOtherOriginsCannotChangeAnything: a page of another origin can send a body only as one of the plain types, unless the browser asks first.
func TestOtherOriginsCannotChangeAnything(t *testing.T) {
	f := newFixture(t, shop)
	for _, r := range f.server.Routes() {
		if r.Request == nil || r.Action == "" {
			continue
		}
		path := strings.NewReplacer("{cluster}", "shop", "{instance}", "db1", "{recovery}", "x").Replace(r.Path)
		for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""} {
			if status, _, _ := f.do(r.Method, path, `{"by":"me","reason":"x"}`, "Content-Type", kind); status < 400 {
				t.Errorf("%s %s takes a body of type %q", r.Method, path, kind)
			}
		}
	}
	if changed := f.service.Changed(); len(changed) > 0 {
		t.Errorf("it changed %q", changed)
	}
}

// TestAudit: every request that changes something tells who asked for what, why and from where, whether it is done or not.
func TestAudit(t *testing.T) {
	var log bytes.Buffer
	f := newFixture(t, shop, func(o *api.Options) { o.Logger = slog.New(slog.NewJSONHandler(&log, nil)) })
	callAll(t, f)
	told := make(map[string]int)
	for line := range strings.SplitSeq(strings.TrimSpace(log.String()), "\n") {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		action, _ := entry["action"].(string)
		told[action]++
		if entry["component"] != "api" || entry["from"] != "127.0.0.1" {
			t.Errorf("it does not say from where: %s", line)
		}
		if action != "reload" && (entry["by"] != "operator" || entry["reason"] != "a drill") {
			t.Errorf("it does not say who or why: %s", line)
		}
		if subject := entry["cluster"] != nil || entry["instance"] != nil; action != "reload" && !subject {
			t.Errorf("it does not say what: %s", line)
		}
	}
	for _, r := range f.server.Routes() {
		if r.Action != "" && told[r.Action] == 0 {
			t.Errorf("%s %s is not in the log", r.Method, r.Path)
		}
	}
	log.Reset()
	f.do(http.MethodPost, "/api/v1/recoveries", `{"kind":"failover","cluster":"shop","by":"operator"}`)
	if line := log.String(); !strings.Contains(line, `"level":"WARN"`) || !strings.Contains(line, `"cluster":"shop"`) || !strings.Contains(line, "alive") {
		t.Errorf("a refusal is not in the log: %s", line)
	}
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	f := newFixture(t, shop, func(o *api.Options) { o.Registerer = reg })
	callAll(t, f)
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", err, problems)
	}
	before, err := testutil.GatherAndCount(reg)
	if err != nil {
		t.Fatal(err)
	}
	f.do(http.MethodGet, "/nowhere/1", "")
	f.do("SPLINE", "/nowhere/1", "")
	after, err := testutil.GatherAndCount(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/nowhere/2", "/api/v1/clusterz", "/nowhere/3"} {
		f.do(http.MethodGet, path, "")
		f.do("SPLINE", path, "")
	}
	if last, _ := testutil.GatherAndCount(reg); after-before > 3 || last != after {
		t.Errorf("paths that somebody invents make series: %d, %d, then %d", before, after, last)
	}
}

func TestLifecycle(t *testing.T) {
	f := newFixture(t, shop)
	f.service.Unready = errors.New("the first probes are not back yet")
	if status, _, body := f.do(http.MethodGet, "/-/ready", ""); status != http.StatusServiceUnavailable || !strings.Contains(body, "first probes") {
		t.Errorf("/-/ready answers %d %s", status, body)
	}
	if status, _, _ := f.do(http.MethodGet, "/-/healthy", ""); status != http.StatusOK {
		t.Errorf("/-/healthy answers %d", status)
	}
	if st, err := f.Status(t.Context()); err != nil || st.Ready || st.NotReady != "the first probes are not back yet" {
		t.Errorf("status is %+v, %v", st, err)
	}
	f.service.Leading = false
	if status, _, _ := f.do(http.MethodGet, "/-/leader", ""); status != http.StatusServiceUnavailable {
		t.Errorf("/-/leader answers %d on a follower", status)
	}
	f.service.Broken = errors.New("line 3: unknown key")
	status, _, body := f.do(http.MethodPost, "/-/reload", "")
	if e := f.wantError(api.CodeBadRequest, status, body); !strings.Contains(e.Message, "line 3") {
		t.Errorf("/-/reload says %s", body)
	}
}

func TestPprofIsOptIn(t *testing.T) {
	f := newFixture(t, shop)
	if status, _, _ := f.do(http.MethodGet, "/debug/pprof/", ""); status != http.StatusNotFound {
		t.Errorf("it is served unasked: %d", status)
	}
	f = newFixture(t, shop, func(o *api.Options) { o.Pprof = true })
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/goroutine?debug=1", "/debug/pprof/cmdline"} {
		if status, _, body := f.do(http.MethodGet, path, ""); status != http.StatusOK {
			t.Errorf("%s answers %d %s", path, status, body)
		}
	}
}

// TestNamesInPaths: addresses with colons and brackets, and names with slashes, find what they name.
func TestNamesInPaths(t *testing.T) {
	f := newFixture(t, "cluster eu/shop\n[2001:db8::1]:3307\n  [2001:db8::2]:3307\n")
	ctx := t.Context()
	if c, err := f.Topology(ctx, "eu/shop"); err != nil || len(c.Roots) != 1 {
		t.Errorf("cluster: %+v, %v", c, err)
	}
	if i, err := f.Instance(ctx, "[2001:db8::2]:3307"); err != nil || i.ID != "[2001:db8::2]:3307" {
		t.Errorf("instance: %+v, %v", i, err)
	}
	if _, err := f.BeginDowntime(ctx, api.DowntimeRequest{Instance: "[2001:db8::2]:3307", Signature: signed()}); err != nil {
		t.Error(err)
	}
	if _, err := f.EndDowntime(ctx, "[2001:db8::2]:3307", signed()); err != nil {
		t.Error(err)
	}
}

// TestOptions: a part that is missing is named when the server is made, not when it is asked.
func TestOptions(t *testing.T) {
	f := newFixture(t, shop)
	for name, spoil := range map[string]func(*api.Options){
		"Fleet": func(o *api.Options) { o.Fleet = nil }, "Recoverer": func(o *api.Options) { o.Recoverer = nil }, "Discoverer": func(o *api.Options) { o.Discoverer = nil },
		"Record": func(o *api.Options) { o.Record = nil }, "Leadership": func(o *api.Options) { o.Leadership = nil }, "Lifecycle": func(o *api.Options) { o.Lifecycle = nil },
		"Timeout": func(o *api.Options) { o.Timeout = -1 },
	} {
		o := f.service.Options()
		spoil(&o)
		if _, err := api.New(o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

// TestRequestsEnd: a part that hangs costs its request the time limit, not more.
func TestRequestsEnd(t *testing.T) {
	hang := &hanging{}
	f := newFixture(t, shop, func(o *api.Options) { o.Record, o.Timeout = hang, 1 })
	hang.Record = f.service
	status, _, body := f.do(http.MethodDelete, "/api/v1/downtimes/db3?by=me", "")
	f.wantError(api.CodeTimeout, status, body)
}

type hanging struct{ api.Record }

func (h *hanging) Propose(ctx context.Context, _ ledger.Entry) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestUnreachable: no answer has a code of its own, which no answer has.
func TestUnreachable(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	client, err := api.NewClient(gone.URL, api.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Clusters(t.Context())
	var e *api.Error
	if !errors.As(err, &e) || e.Code != api.CodeUnreachable || e.Exit() != api.ExitUnreachable {
		t.Errorf("got %v", err)
	}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "bad gateway of a proxy", http.StatusBadGateway)
	}))
	defer proxy.Close()
	client, _ = api.NewClient(proxy.URL, api.ClientOptions{})
	if _, err = client.Clusters(t.Context()); !errors.As(err, &e) || e.Exit() != api.ExitUnreachable || !strings.Contains(e.Message, "bad gateway of a proxy") {
		t.Errorf("a proxy's error became %v", err)
	}
	for _, bad := range []string{"", "127.0.0.1:8306", "ftp://x", "http://", "://"} {
		if _, err := api.NewClient(bad, api.ClientOptions{}); err == nil {
			t.Errorf("address %q is taken", bad)
		}
	}
}
