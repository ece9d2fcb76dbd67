package gen

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/batondb/baton/analysis"
)

// evaluated is how often the rules are evaluated in their unit tests.
const evaluated = time.Minute

// The shapes of the unit tests that promtool reads.
type (
	testFile struct {
		RuleFiles []string   `yaml:"rule_files"`
		Every     string     `yaml:"evaluation_interval"`
		Tests     []unitTest `yaml:"tests"`
	}
	unitTest struct {
		Name   string       `yaml:"name"`
		Step   string       `yaml:"interval"`
		Input  []testSeries `yaml:"input_series"`
		Alerts []alertTest  `yaml:"alert_rule_test,omitempty"`
		Exprs  []exprTest   `yaml:"promql_expr_test,omitempty"`
	}
	testSeries struct {
		Series string `yaml:"series"`
		Values string `yaml:"values"`
	}
	alertTest struct {
		At    string      `yaml:"eval_time"`
		Alert string      `yaml:"alertname"`
		Want  []wantAlert `yaml:"exp_alerts"`
	}
	wantAlert struct {
		Labels      map[string]string `yaml:"exp_labels"`
		Annotations map[string]string `yaml:"exp_annotations"`
	}
	exprTest struct {
		Expr string       `yaml:"expr"`
		At   string       `yaml:"eval_time"`
		Want []wantSample `yaml:"exp_samples"`
	}
	wantSample struct {
		Labels string  `yaml:"labels"`
		Value  float64 `yaml:"value"`
	}
)

const testsComment = `
promtool test rules runs it: every alert fires where it should and keeps quiet where it nearly should, and every recording rule gives a value.`

func unitTests(groups []alertGroup, recorded []recording) ([]byte, error) {
	file := testFile{RuleFiles: []string{"alerts.yaml", "recording.yaml"}, Every: duration(evaluated)}
	for _, g := range groups {
		tests, err := g.tests()
		if err != nil {
			return nil, err
		}
		file.Tests = append(file.Tests, tests...)
	}
	for _, r := range recorded {
		value, err := strconv.ParseFloat(r.gives.value, 64)
		if err != nil {
			return nil, fmt.Errorf("the value that %s gives: %w", r.name, err)
		}
		t := r.gives.test(r.name)
		t.Exprs = []exprTest{{Expr: r.name, At: duration(r.gives.after), Want: []wantSample{{sample(r.name, r.gives.want[0]), value}}}}
		file.Tests = append(file.Tests, t)
	}
	return encode(testsComment, file)
}

func (g *alertGroup) tests() ([]unitTest, error) {
	var all []unitTest
	var findings []alert
	for _, a := range g.alerts {
		if a.rule != nil {
			findings = append(findings, a)
			continue
		}
		for _, e := range a.fires {
			t := e.test(prefix + a.name + " fires " + e.name)
			expected, err := a.expected(e)
			if err != nil {
				return nil, err
			}
			t.Alerts = []alertTest{expected}
			all = append(all, t)
		}
		for _, e := range a.quiet {
			t := e.test(prefix + a.name + " keeps quiet " + e.name)
			t.Alerts = []alertTest{{duration(e.after), prefix + a.name, []wantAlert{}}}
			all = append(all, t)
		}
	}
	for n := range min(2, len(findings)) {
		t, err := findingTest(findings, n)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// expected fills in the alerts that fire in an example.
func (a *alert) expected(e example) (alertTest, error) {
	t := alertTest{duration(e.after), prefix + a.name, []wantAlert{}}
	for _, own := range e.want {
		set, notes, err := a.filled(own, e.value)
		if err != nil {
			return t, err
		}
		t.Want = append(t.Want, wantAlert{set, notes})
	}
	return t, nil
}

// findingTest finds every second rule, and ends what was found by the others: each alert fires once, whichever node of Baton tells it, and keeps quiet
// while its neighbours in the table fire. One test for all, because promtool evaluates every alert in every test.
func findingTest(findings []alert, first int) (unitTest, error) {
	both := example{name: "findings", after: evaluated}
	t := unitTest{}
	for n, a := range findings {
		own := []string{"mysql_cluster", "shop", "mysql_instance", "db1:3306", "rule", a.name}
		if a.rule.Scope != analysis.ScopeInstance {
			own = own[4:]
		}
		found := func(node, values string) series {
			return of(node, "baton_finding_active", values, append(slices.Clip(own), "severity", a.severity.String())...)
		}
		e := example{after: both.after}
		both.series = append(both.series, found("baton-1", "1 1 stale"))
		if n%2 == first {
			both.series = append(both.series, found("baton-2", "_ _ 1x8"))
			e.want = []map[string]string{labels(own...)}
		}
		expected, err := a.expected(e)
		if err != nil {
			return t, err
		}
		t.Alerts = append(t.Alerts, expected)
	}
	alerts := t.Alerts
	t = both.test(fmt.Sprintf("every second finding fires, beginning with %s, and what is over keeps quiet", prefix+findings[first].name))
	t.Alerts = alerts
	return t, nil
}

func (e *example) test(name string) unitTest {
	t := unitTest{Name: name, Step: duration(step)}
	for _, s := range e.series {
		t.Input = append(t.Input, testSeries{s.name, s.values})
	}
	return t
}

// sample is a series as promtool writes it.
func sample(name string, set map[string]string) string {
	pairs := make([]string, 0, len(set))
	for _, k := range slices.Sorted(maps.Keys(set)) {
		pairs = append(pairs, fmt.Sprintf("%s=%q", k, set[k]))
	}
	return name + "{" + strings.Join(pairs, ", ") + "}"
}
