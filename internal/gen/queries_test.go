package gen

import (
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"go.yaml.in/yaml/v3"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/topology"
)

// asked is an expression and where it stands.
type asked struct{ where, expr string }

// everythingAsked lists all expressions of rules and dashboards, with the variables of Grafana filled in.
func everythingAsked() (rules, boards []asked) {
	for _, g := range alertGroups(analysis.Table) {
		for _, a := range g.alerts {
			rules = append(rules, asked{"alert " + a.name, a.expr})
		}
	}
	for _, r := range recordings() {
		rules = append(rules, asked{"recording " + r.name, r.expr})
	}
	for _, d := range allDashboards(analysis.Table) {
		for _, a := range d.Annotations.List {
			boards = append(boards, asked{d.UID + ": " + a.Name, filledIn(a.Expr)})
		}
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				boards = append(boards, asked{d.UID + ": " + p.Title + " " + q.RefID, filledIn(q.Expr)})
			}
		}
	}
	return rules, boards
}

func filledIn(expr string) string {
	return strings.NewReplacer("$job", "baton", "$mysql_cluster", "shop", "$__rate_interval", "5m", "$__range", "10m").Replace(expr)
}

var (
	quoted   = regexp.MustCompile(`"[^"]*"`)
	metric   = regexp.MustCompile(`\bbaton_[a-z0-9_]+\b`)
	selected = regexp.MustCompile(`\b(baton_[a-z0-9_]+)\{([^}]*)\}`)
	matching = regexp.MustCompile(`([a-z_]+)(?:=~|!~|!=|=)`)
	grouped  = regexp.MustCompile(`\b(?:by|on|without|ignoring|group_left|group_right) \(([^)]*)\)`)
	part     = regexp.MustCompile(`_(bucket|sum|count)$`)
)

// baseOf is the family that a series belongs to: a histogram has several.
func baseOf(name string, all map[string]family) string {
	if base := part.ReplaceAllString(name, ""); all[base].kind == dto.MetricType_HISTOGRAM {
		return base
	}
	return name
}

// TestEveryMetricExists demands that what is asked for is exported, with the labels that are asked for.
func TestEveryMetricExists(t *testing.T) {
	all := catalogue(t)
	known := map[string]bool{"job": true, "instance": true, "le": true, "lag": true, "color": true}
	for _, f := range all {
		for _, l := range f.labels {
			known[l] = true
		}
	}
	rules, boards := everythingAsked()
	for _, a := range append(rules, boards...) {
		for _, name := range metric.FindAllString(quoted.ReplaceAllString(a.expr, `""`), -1) {
			if _, ok := all[baseOf(name, all)]; !ok {
				t.Errorf("%s asks for %s, which nobody exports", a.where, name)
			}
		}
		for _, m := range selected.FindAllStringSubmatch(quoted.ReplaceAllString(a.expr, `""`), -1) {
			for _, l := range matching.FindAllStringSubmatch(m[2], -1) {
				if l[1] != "job" && l[1] != "le" && !slices.Contains(all[baseOf(m[1], all)].labels, l[1]) {
					t.Errorf("%s selects %s by %s, which it has not got", a.where, m[1], l[1])
				}
			}
		}
		for _, m := range grouped.FindAllStringSubmatch(a.expr, -1) {
			for l := range strings.SplitSeq(m[1], ",") {
				if !known[strings.TrimSpace(l)] {
					t.Errorf("%s groups by %s, which no metric has", a.where, l)
				}
			}
		}
	}
}

// unused says of each metric that no rule and no dashboard asks for why it is exported all the same.
var unused = map[string]string{
	"baton_instance_super_read_only":                "the table shows read_only, which follows it",
	"baton_instance_downtime_end_timestamp_seconds": "for alerts of one's own about downtimes that end",
	"baton_replication_delay_seconds":               "lag is shown net of it",
	"baton_replication_last_errno":                  "ReceiverBroken and ApplierBroken say it in words",
	"baton_replication_io_thread_running":           "the value of an edge says it",
	"baton_replication_sql_thread_running":          "the value of an edge says it",
	"baton_replication_auto_position":               "for migrations to GTIDs",
	"baton_discovery_forgotten_instances_total":     "for audits",
}

// TestEveryMetricIsAskedFor finds what would be exported for nobody.
func TestEveryMetricIsAskedFor(t *testing.T) {
	all := catalogue(t)
	used := make(map[string]bool)
	rules, boards := everythingAsked()
	for _, a := range append(rules, boards...) {
		for _, name := range metric.FindAllString(a.expr, -1) {
			used[baseOf(name, all)] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if why := unused[name]; used[name] == (why != "") {
			t.Errorf("%s: asked for: %t; listed as unused because %q", name, used[name], why)
		}
	}
	for name := range unused {
		if _, ok := all[name]; !ok {
			t.Errorf("%s is listed as unused and does not exist", name)
		}
	}
}

// TestCountersAreCountedOver demands that nobody shows a bare counter.
func TestCountersAreCountedOver(t *testing.T) {
	_, boards := everythingAsked()
	over := regexp.MustCompile(`\b(?:rate|increase)\((baton_[a-z0-9_]+)(?:\{[^}]*\})?\[`)
	all := catalogue(t)
	for _, a := range boards {
		counted := make(map[string]int)
		for _, m := range over.FindAllStringSubmatch(a.expr, -1) {
			counted[m[1]]++
		}
		for _, name := range metric.FindAllString(a.expr, -1) {
			kind := all[baseOf(name, all)].kind
			if counted[name]--; (kind == dto.MetricType_COUNTER || kind == dto.MetricType_HISTOGRAM) && counted[name] < 0 {
				t.Errorf("%s shows %s, which counts up for ever, without rate or increase", a.where, name)
			}
		}
	}
}

var recordName = regexp.MustCompile(`^[a-z][a-z0-9_]*:(baton_[a-z0-9_]+):[a-z0-9_]+$`)

// TestRecordingNames holds the names to level:metric:operations, where the level is the labels that are left.
func TestRecordingNames(t *testing.T) {
	for _, r := range recordings() {
		m := recordName.FindStringSubmatch(r.name)
		if m == nil || !strings.Contains(r.expr, m[1]) || strings.HasSuffix(m[1], "_total") {
			t.Errorf("%s is no level:metric:operations of %s", r.name, r.expr)
			continue
		}
		level, _, _ := strings.Cut(r.name, ":")
		if got := strings.Join(slices.Sorted(maps.Keys(r.gives.want[0])), "_"); got != level {
			t.Errorf("%s gives labels %s", r.name, got)
		}
	}
}

// valuesOf are examples for labels whose families need a whole service to be gathered.
var valuesOf = map[string][]string{
	"area": {""}, "mysql_cluster": {"shop"}, "mysql_instance": {"db4:3306"}, "rule": {"ReceiverBroken"}, "severity": {"warning", "critical"},
	"status": {"degraded", "healthy", "unprotected", "unknown", "primary_down"}, "level": {"auto"}, "domain": {""}, "primary": {"db1:3306"},
	"trigger": {"finding"}, "outcome": {"success"}, "reason": {"autonomy"}, "phase": {"promote"}, "recovery": {"none"}, "recovery_id": {"r1"},
	"failed_instance": {"db1:3306"}, "promoted_instance": {"db2:3306"}, "state": {"leader", "follower", "candidate", "shutdown"},
	"handler": {"/api/v1/clusters"}, "method": {"GET"}, "code": {"200", "500"}, "version": {"1.0.0"}, "revision": {"abc"}, "branch": {"main"},
	"goversion": {"go1.26"}, "goos": {"linux"}, "goarch": {"amd64"}, "tags": {""},
}

const often = "x80" // so many values has every series: twenty minutes

// world is one series or more for every family: those that can be gathered with what is gathered, the others with examples. Everything counts.
func world(t *testing.T) []testSeries {
	t.Helper()
	var all []testSeries
	real := make(map[string]bool)
	for _, f := range gathered(t, fleetOfExamples) {
		real[f.GetName()] = true
		for _, m := range f.GetMetric() {
			set := labels("job", "baton", "instance", "baton-1:8306")
			for _, l := range m.GetLabel() {
				set[l.GetName()] = l.GetValue()
			}
			all = append(all, samples(f.GetName(), f.GetType(), set, m.GetGauge().GetValue())...)
		}
	}
	for name, f := range catalogue(t) {
		if real[name] {
			continue
		}
		sets := []map[string]string{labels("job", "baton", "instance", "baton-1:8306")}
		for _, l := range f.labels {
			if valuesOf[l] == nil {
				t.Errorf("there is no example of label %s of %s", l, name)
			}
			var next []map[string]string
			for _, set := range sets {
				for _, v := range valuesOf[l] {
					more := maps.Clone(set)
					more[l] = v
					next = append(next, more)
				}
			}
			sets = next
		}
		for _, set := range sets {
			all = append(all, samples(name, f.kind, set, 1)...)
		}
	}
	return append(all, testSeries{`process_resident_memory_bytes{job="baton",instance="baton-1:8306"}`, "1" + often},
		testSeries{`go_memstats_heap_inuse_bytes{job="baton",instance="baton-1:8306"}`, "1" + often})
}

func samples(name string, kind dto.MetricType, set map[string]string, value float64) []testSeries {
	switch kind {
	case dto.MetricType_COUNTER:
		return []testSeries{{sample(name, set), "0+1" + often}}
	case dto.MetricType_HISTOGRAM:
		all := []testSeries{{sample(name+"_sum", set), "0+1" + often}, {sample(name+"_count", set), "0+1" + often}}
		for _, le := range []string{"0.5", "1", "+Inf"} {
			bucket := maps.Clone(set)
			bucket["le"] = le
			all = append(all, testSeries{sample(name+"_bucket", bucket), "0+1" + often})
		}
		return all
	default:
		return []testSeries{{sample(name, set), strconv.FormatFloat(value, 'f', -1, 64) + often}}
	}
}

// evaluate lets promtool evaluate expressions.
func evaluate(t *testing.T, in []testSeries, exprs []exprTest) {
	t.Helper()
	data, err := yaml.Marshal(testFile{Every: "1m", Tests: []unitTest{{Name: "expressions", Step: duration(step), Input: in, Exprs: exprs}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "test.yaml")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := promtool(t, "test", "rules", file); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestEveryPanelShowsSomething evaluates every query of every dashboard over one series of every family.
func TestEveryPanelShowsSomething(t *testing.T) {
	_, boards := everythingAsked()
	var exprs []exprTest
	for _, a := range boards {
		exprs = append(exprs, exprTest{Expr: "count(\n" + a.expr + "\n) > bool 0", At: "19m", Want: []wantSample{{"{}", 1}}})
	}
	evaluate(t, world(t), exprs)
}

// TestNodeGraph evaluates what the panel is given, field by field, for a fleet as it is exported.
func TestNodeGraph(t *testing.T) {
	in := []testSeries{}
	finding := func(instance, severity string) {
		in = append(in, testSeries{sample("baton_finding_active", labels("job", "baton", "instance", "baton-1:8306", "mysql_cluster", "shop",
			"mysql_instance", instance, "rule", "ReceiverBroken", "severity", severity)), "1" + often})
	}
	for _, f := range gathered(t, fleetOfExamples) {
		for _, m := range f.GetMetric() {
			set := labels("job", "baton", "instance", "baton-1:8306")
			for _, l := range m.GetLabel() {
				set[l.GetName()] = l.GetValue()
			}
			in = append(in, samples(f.GetName(), f.GetType(), set, m.GetGauge().GetValue())...)
		}
	}
	finding("db4:3306", "warning")
	// A source that nobody has asked is no node, so that the link from it is not drawn.
	in = append(in, testSeries{sample("baton_topology_edge", labels("job", "baton", "instance", "baton-1:8306", "mysql_cluster", "shop",
		"source", "gone:3306", "target", "db2:3306", "channel", "other")), "1" + often})

	node := func(id, role, color, lag string) wantSample {
		set := labels("mysql_cluster", "shop", "mysql_instance", id, "id", id, "title", id, "role", role, "subtitle", role, "color", color)
		if lag != "" {
			set["lag"], set["mainstat"] = lag, lag+" s"
		}
		return wantSample{sample("", set), 1}
	}
	edge := func(source, target, text, color string, value float64) wantSample {
		set := labels("mysql_cluster", "shop", "source", source, "target", target, "id", source+" -> "+target)
		if text != "" {
			set["mainstat"], set["color"] = text, color
		}
		return wantSample{sample("", set), value}
	}
	down := node("db3:3306", "replica", htmlRed, "")
	down.Value = 0
	evaluate(t, in, []exprTest{
		{Expr: filledIn(nodeQuery(ofCluster)), At: "10m", Want: []wantSample{
			node("db1:3306", "primary", htmlGreen, ""), node("db2:3306", "replica", htmlGreen, "3"), down, node("db4:3306", "replica", htmlOrange, ""),
		}},
		{Expr: filledIn(edgeQuery(ofCluster)), At: "10m", Want: []wantSample{
			edge("db1:3306", "db2:3306", "", "", 1), edge("db1:3306", "db3:3306", "last seen", htmlGrey, 1), edge("db1:3306", "db4:3306", "broken", htmlRed, 0),
		}},
	})
	// Another node of Baton led until now, and still says what was: each instance is drawn once all the same.
	in = append(in, testSeries{sample("baton_instance_role", labels("job", "baton", "instance", "baton-2:8306", "mysql_cluster", "shop",
		"mysql_instance", "db1:3306", "role", "replica")), "1" + often})
	evaluate(t, in, []exprTest{{Expr: "max(count by (id) (\n" + filledIn(nodeQuery(ofCluster)) + "\n))", At: "10m", Want: []wantSample{{"{}", 1}}}})
}

// TestStatusCodesAreWhatIsExported compares the numbers of the dashboards with the states that the API knows.
func TestStatusCodesAreWhatIsExported(t *testing.T) {
	help := catalogue(t)["baton_cluster_status"].help
	for _, s := range statusCodes {
		if !strings.Contains(help, s) {
			t.Errorf("%q is not among the states: %s", s, help)
		}
	}
	if got := strings.Count(help, ",") + 1; got != len(statusCodes) {
		t.Errorf("%d states have a number, and there are %d: %s", len(statusCodes), got, help)
	}
	for n := range 20 {
		if r := topology.Role(n).String(); !strings.HasPrefix(r, "invalid") && !slices.Contains(roles, r) {
			t.Errorf("role %s has no number", r)
		}
	}
	if last := topology.Role(len(roles)); !strings.HasPrefix(last.String(), "invalid") {
		t.Errorf("%d roles have a number, and there is %s", len(roles), last)
	}
}

// TestCodes shows that a state set becomes the place of the state that holds.
func TestCodes(t *testing.T) {
	var in []testSeries
	for n, s := range statusCodes {
		for m, cluster := range statusCodes {
			in = append(in, testSeries{sample("baton_cluster_status", labels("mysql_cluster", cluster, "status", s)), fmt.Sprint(1-min(1, int(math.Abs(float64(n-m))))) + often})
		}
	}
	var want []wantSample
	for n, cluster := range statusCodes {
		want = append(want, wantSample{sample("", labels("mysql_cluster", cluster)), float64(n)})
	}
	evaluate(t, in, []exprTest{{Expr: codes("mysql_cluster", "baton_cluster_status", "status", "", statusCodes), At: duration(time.Minute), Want: want}})
}
