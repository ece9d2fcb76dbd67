package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/batondb/baton/api"
	"github.com/batondb/baton/api/apitest"
	"github.com/batondb/baton/ledger"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

func TestStatusOf(t *testing.T) {
	for name, c := range map[string]struct {
		scenario string
		trouble  bool
		want     api.ClusterStatus
	}{
		"all is well":                        {"cluster c\na\n  b\n", false, api.StatusHealthy},
		"something is found":                 {"cluster c\na\n  b\n", true, api.StatusDegraded},
		"one of the replicas is down":        {"cluster c\na\n  b\n  d down\n", false, api.StatusDegraded},
		"the only replica is down":           {"cluster c\na\n  b down\n", true, api.StatusUnprotected},
		"no replica":                         {"cluster c\na\n", false, api.StatusUnprotected},
		"no replica may lead":                {"cluster c\na\n  b promotion=must_not\n  d downtime\n", false, api.StatusUnprotected},
		"no replica logs":                    {"cluster c\na\n  b no_log_replica_updates\n", false, api.StatusUnprotected},
		"a replica a little behind can lead": {"cluster c\na executed=u1:1-100\n  b executed=u1:1-90\n", false, api.StatusHealthy},
		"a pause is no lack of protection":   {"pause fleet by=somebody\ncluster c\na\n  b\n", false, api.StatusHealthy},
		"the primary is down":                {"cluster c\na down\n  b receiver=connecting receiver_errno=2003\n", true, api.StatusPrimaryDown},
		"the primary is not known":           {"cluster c\na unknown\n  b\n", true, api.StatusUnknown},
		"one attempt failed":                 {"cluster c\na timeout failures=1\n  b\n", false, api.StatusUnknown},
		"the primary is saturated, so alive": {"cluster c\na saturated\n  b\n", true, api.StatusDegraded},
		"several nodes":                      {"baton nodes=3\ncluster c\na\n  b\n", false, api.StatusHealthy},
		"co-primaries":                       {"cluster c\na source=b writable\n  b read_only\n", false, api.StatusHealthy},
	} {
		t.Run(name, func(t *testing.T) {
			in, err := topology.Parse(c.scenario)
			if err != nil {
				t.Fatal(err)
			}
			snap := topology.Build(in)
			if got := api.StatusOf(snap, snap.Clusters[0], c.trouble); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if again := topology.Build(snap.Input()); topology.Format(again) != topology.Format(snap) {
				t.Error("the snapshot was changed")
			}
		})
	}
}

// TestWhyNot: each thing that stands in the way is named, and nothing else.
func TestWhyNot(t *testing.T) {
	for name, c := range map[string]struct {
		scenario string
		alter    func(*apitest.Service)
		missing  []string
		says     string
	}{
		"nothing stands in the way":    {shop, nil, nil, "If db1:3306 died now, Baton would promote db2:3306 by itself."},
		"it is down already":           {blog, nil, nil, "web1:3306 is down: Baton would promote web2:3306 by itself."},
		"the policy wants a person":    {shop, func(s *apitest.Service) { s.Policies.Autonomy = remediation.Recommend }, []string{"autonomy"}, "the policy of the cluster is recommend"},
		"the breaker is open":          {shop, func(s *apitest.Service) { s.Policies.Breaker = "seven primaries fell" }, []string{"breaker"}, "seven primaries fell"},
		"the fleet is paused":          {"pause fleet by=somebody reason=work\n" + shop, nil, []string{"automation"}, "paused (fleet) by somebody: work"},
		"the cluster is paused":        {"pause cluster shop by=somebody reason=work\n" + shop, nil, []string{"automation"}, "paused (cluster)"},
		"another one is paused":        {"pause cluster blog by=somebody reason=work\n" + shop, nil, nil, "by itself"},
		"nobody may lead":              {"cluster shop\ndb1\n  db2 promotion=must_not\n", nil, []string{"candidate"}, "its promotion rule is must_not"},
		"nobody follows":               {"cluster shop\ndb1\n", nil, []string{"candidate"}, "no replica"},
		"nobody has it all":            {"cluster shop\ndb1 executed=u1:1-100\n  db2 executed=u1:1-90\n", nil, []string{"primary_position"}, "10 transactions"},
		"the replica was told to stop": {"cluster shop\ndb1 executed=u1:1-100\n  db2 executed=u1:1-100 receiver=stopped\n", nil, nil, "would promote db2:3306"},
		"the primary is downtimed":     {"cluster shop\ndb1 downtime\n  db2\n", nil, []string{"downtime"}, "db1:3306 is downtimed"},
		"somebody holds it":            {"maintenance shop by=somebody reason=move\n" + shop, nil, []string{"maintenance"}, "somebody"},
		"no leader":                    {shop, func(s *apitest.Service) { s.Leading, s.Leads = false, ledger.Peer{} }, []string{"leader"}, "nobody would act"},
		"several nodes":                {"baton nodes=3\n" + shop, nil, nil, "by itself"},
		"two things at once":           {"cluster shop\ndb1\n  db2 promotion=must_not\n", func(s *apitest.Service) { s.Policies.Autonomy = remediation.Observe }, []string{"autonomy", "candidate"}, "autonomy, candidate."},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, c.scenario)
			if c.alter != nil {
				c.alter(f.service)
			}
			w, err := f.WhyNot(t.Context(), f.service.Snapshot().Clusters[0].Name)
			if err != nil {
				t.Fatal(err)
			}
			var missing []string
			text := w.Sentence
			for _, g := range w.Missing {
				missing = append(missing, g.Name)
				text += " " + g.Evidence
			}
			if !slices.Equal(missing, c.missing) || w.Would != (len(missing) == 0) {
				t.Errorf("missing %q, want %q: %s", missing, c.missing, text)
			}
			if !strings.Contains(text, c.says) {
				t.Errorf("%q is not said: %s", c.says, text)
			}
			if changed := f.service.Changed(); len(changed) > 0 {
				t.Errorf("asking changed %q", changed)
			}
		})
	}
}

// TestWhyNotAsksTheLeader: who would act knows best.
func TestWhyNotAsksTheLeader(t *testing.T) {
	leader, follower := newFixture(t, shop), newFixture(t, blog)
	follower.service.Leading, follower.service.Leads = false, ledger.Peer{ID: "node-b", API: leader.url}
	if w, err := follower.WhyNot(t.Context(), "shop"); err != nil || w.Cluster != "shop" {
		t.Errorf("got %+v, %v", w, err)
	}
}

// TestProgressIsLive: an event is with the watcher before the next one happens.
func TestProgressIsLive(t *testing.T) {
	f := newFixture(t, shop)
	f.service.Held = make(chan struct{})
	started, err := f.StartRecovery(t.Context(), api.RecoveryRequest{Kind: api.KindTakeover, Cluster: "shop", Signature: signed()})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+"/api/v1/recoveries/"+started.ID+"/progress", nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() { f.service.Held <- struct{}{} }() // the answer begins with the first event
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if kind := resp.Header.Get("Content-Type"); kind != "application/x-ndjson" {
		t.Errorf("the stream is %s", kind)
	}
	lines := bufio.NewScanner(resp.Body)
	var states []string
	for n := 0; lines.Scan(); n++ {
		var p api.Progress
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		states = append(states, p.State+p.Outcome)
		if p.State == api.StateDone && p.TookSeconds != 0.005 {
			t.Errorf("how long a step took is not told: %+v", p)
		}
		if p.Outcome == "" {
			f.service.Held <- struct{}{}
		}
	}
	if want := []string{"started", "done", "success"}; !slices.Equal(states, want) {
		t.Errorf("got %q, want %q", states, want)
	}
}

// TestProgressOfTheEnded is told from the journal by every node, and the same again and again.
func TestProgressOfTheEnded(t *testing.T) {
	f := newFixture(t, shop)
	started, err := f.StartRecovery(t.Context(), api.RecoveryRequest{Kind: api.KindTakeover, Cluster: "shop", Signature: signed()})
	if err != nil {
		t.Fatal(err)
	}
	f.service.Lose()
	for _, leading := range []bool{true, false} {
		f.service.Leading = leading
		var got []string
		if err := f.Progress(t.Context(), started.ID, func(p api.Progress) error {
			got = append(got, p.Step+p.State+p.Outcome)
			return nil
		}); err != nil {
			t.Errorf("leading %v: %v", leading, err)
		}
		if want := []string{"point_atdone", "success"}; !slices.Equal(got, want) {
			t.Errorf("leading %v: got %q, want %q", leading, got, want)
		}
	}
}

// TestProgressBreaksOff: a stream without an outcome is an error of the watcher, because the recovery goes on.
func TestProgressBreaksOff(t *testing.T) {
	f := newFixture(t, shop)
	f.service.Held = make(chan struct{}, 1)
	started, err := f.StartRecovery(t.Context(), api.RecoveryRequest{Kind: api.KindTakeover, Cluster: "shop", Signature: signed()})
	if err != nil {
		t.Fatal(err)
	}
	f.service.Held <- struct{}{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err = f.Progress(ctx, started.ID, func(api.Progress) error { cancel(); return nil })
	var e *api.Error
	if !errors.As(err, &e) || e.Code != api.CodeUnreachable || !strings.Contains(e.Hint, "it goes on") {
		t.Errorf("got %v", err)
	}
	stop := errors.New("enough")
	close(f.service.Held)
	if err := f.Progress(t.Context(), started.ID, func(api.Progress) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the watcher's own error became %v", err)
	}
}

// TestDiscover: an instance that cannot be read is told so, and is not watched.
func TestDiscover(t *testing.T) {
	f := newFixture(t, shop)
	f.service.Blind = errors.New("db9:3306: access denied for user baton")
	_, err := f.Discover(t.Context(), api.DiscoverRequest{Instance: "db9", Signature: signed()})
	var e *api.Error
	if !errors.As(err, &e) || e.Code != api.CodeInstanceUnreadable || !strings.Contains(e.Message, "access denied") {
		t.Errorf("got %v", err)
	}
	if changed := f.service.Changed(); len(changed) > 0 {
		t.Errorf("it left %q behind", changed)
	}
	f.service.Blind = nil
	i, err := f.Discover(t.Context(), api.DiscoverRequest{Instance: "db9", Signature: signed()})
	if err != nil || i.ID != "db9:3306" || i.Reach != "up" {
		t.Errorf("got %+v, %v", i, err)
	}
	if _, ok := f.service.State().Seeds["db9:3306"]; !ok {
		t.Error("it is not recorded")
	}
	if _, err := f.Forget(t.Context(), "db9", 0, signed()); err != nil { // only a seed so far
		t.Error(err)
	}
	if !f.service.State().IsForgotten("db9:3306", f.service.At.Add(23*time.Hour)) {
		t.Error("it is not forgotten for a day")
	}
}

// TestRecordOfOperators: what was asked for is what is listed.
func TestRecordOfOperators(t *testing.T) {
	f := newFixture(t, shop)
	ctx := t.Context()
	d, err := f.BeginDowntime(ctx, api.DowntimeRequest{Instance: "DB3", Signature: signed()})
	if err != nil || d.Instance != "db3:3306" || d.End.Sub(d.Begin) != time.Hour || !strings.Contains(d.Note, "1h0m0s") {
		t.Errorf("a downtime without a length is %+v, %v", d, err)
	}
	if d, err = f.BeginDowntime(ctx, api.DowntimeRequest{Instance: "db2", For: api.Duration(2 * time.Hour), Signature: signed()}); err != nil || d.Note != "" {
		t.Errorf("a downtime with one is %+v, %v", d, err)
	}
	if all, err := f.Downtimes(ctx); err != nil || len(all) != 2 || all[0].Instance != "db2:3306" {
		t.Errorf("downtimes are %+v, %v", all, err)
	}
	for _, req := range []api.PauseRequest{{}, {Cluster: "shop"}, {Rule: "DeadPrimary"}, {Cluster: "shop", Rule: "DeadPrimary", For: api.Duration(time.Hour)}} {
		req.Signature = signed()
		if _, err := f.Pause(ctx, req); err != nil {
			t.Error(err)
		}
	}
	var scopes []string
	pauses, err := f.Pauses(ctx)
	for _, p := range pauses {
		scopes = append(scopes, p.Scope)
	}
	if want := []string{"cluster shop", "cluster shop rule DeadPrimary", "rule DeadPrimary", "the fleet"}; err != nil || !slices.Equal(scopes, want) {
		t.Errorf("pauses are %q, %v", scopes, err)
	}
	if c, err := f.Cluster(ctx, "shop"); err != nil || c.Paused == nil || c.Paused.Scope != "the fleet" {
		t.Errorf("the cluster does not say that it is paused: %+v, %v", c.Paused, err)
	}
	if _, err := f.Resume(ctx, "shop", "", signed()); err != nil {
		t.Error(err)
	}
	if pauses, _ = f.Pauses(ctx); len(pauses) != 3 {
		t.Errorf("resuming one leaves %+v", pauses)
	}
	f.service.At = f.service.At.Add(90 * time.Minute)
	if all, _ := f.Downtimes(ctx); len(all) != 1 || all[0].Instance != "db2:3306" {
		t.Errorf("what is over is still listed: %+v", all)
	}
	if _, err := f.BeginMaintenance(ctx, api.MaintenanceRequest{Cluster: "shop", Signature: signed()}); err != nil {
		t.Error(err)
	}
	_, err = f.BeginMaintenance(ctx, api.MaintenanceRequest{Cluster: "shop", Signature: api.Signature{By: "somebody", Reason: "else"}})
	var e *api.Error
	if !errors.As(err, &e) || e.Code != api.CodeHeld || e.Exit() != api.ExitRefused {
		t.Errorf("somebody else's maintenance: %v", err)
	}
}

// TestRefusal carries the gates over the wire.
func TestRefusal(t *testing.T) {
	f := newFixture(t, shop)
	_, err := f.StartRecovery(t.Context(), api.RecoveryRequest{Kind: api.KindFailover, Cluster: "shop", Signature: signed()})
	var e *api.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v", err)
	}
	r, ok := e.Refusal()
	if !ok || r.Reason != "finding" || len(r.Gates) < 4 {
		t.Errorf("got %+v", r)
	}
	plan, err := f.Plan(t.Context(), api.RecoveryRequest{Kind: api.KindFailover, Cluster: "shop", Signature: signed()})
	if err != nil || plan.Refusal == nil || plan.Refusal.Reason != "finding" || len(plan.Gates) != len(r.Gates) || len(plan.Candidates) == 0 {
		t.Errorf("the dry run says %+v, %v", plan, err)
	}
	f.service.Held = make(chan struct{}, 9)
	if _, err := f.StartRecovery(t.Context(), api.RecoveryRequest{Kind: api.KindTakeover, Cluster: "shop", Signature: signed()}); err != nil {
		t.Fatal(err)
	}
	_, err = f.StartRecovery(t.Context(), api.RecoveryRequest{Kind: api.KindTakeover, Cluster: "shop", Signature: signed()})
	if !errors.As(err, &e) || e.Code != api.CodeRecoveryOpen {
		t.Errorf("a second recovery: %v", err)
	}
}

// TestUnknownIsNull: what was never seen is left out or null, not a number.
func TestUnknownIsNull(t *testing.T) {
	f := newFixture(t, "cluster c\na unknown\n  b lag=unknown\n")
	a, err := f.Instance(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if a.ReadOnly != nil || a.LagSeconds != nil || a.BehindPrimary != nil || a.Version != "" || a.Reach != "unknown" {
		t.Errorf("an instance never seen is %+v", a)
	}
	b, err := f.Instance(t.Context(), "b")
	if err != nil || b.LagSeconds != nil || b.BehindPrimary != nil || b.ReadOnly == nil {
		t.Errorf("a replica of it is %+v, %v", b, err)
	}
}

func TestSnapshotIsAFile(t *testing.T) {
	f := newFixture(t, shop+blog)
	var file strings.Builder
	if err := f.Snapshot(t.Context(), &file); err != nil {
		t.Fatal(err)
	}
	in, err := topology.Read(strings.NewReader(file.String()))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := topology.Format(topology.Build(in)), topology.Format(f.service.Snapshot()); got != want {
		t.Errorf("the file says\n%s, seen was\n%s", got, want)
	}
}
