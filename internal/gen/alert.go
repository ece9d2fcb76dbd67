package gen

import (
	"fmt"
	"maps"
	"strings"
	"text/template"
	"time"

	"github.com/batondb/baton/analysis"
)

// prefix begins the name of every alert, so that they stand together among those of others.
const prefix = "Baton"

// runbookURL is where people read what to do. An anchor follows.
const runbookURL = "https://github.com/batondb/baton/blob/main/rules/RUNBOOK.md"

// alertGroup is one group of alerts, evaluated together.
type alertGroup struct {
	name   string
	title  string // its heading in the runbook
	alerts []alert
}

// alert is one alert with everything that is written about it: the rule, its section of the runbook, and the examples that its unit test is made of.
type alert struct {
	name     string // without the prefix; also the heading in the runbook
	rule     *analysis.Rule
	severity analysis.Severity
	expr     string
	hold     time.Duration // how long the expression must hold
	summary  string        // one sentence without labels
	about    string        // who it is about: a template over $labels that begins the description; may be empty
	advice   string        // what Baton does, and what to look at
	commands []string      // what to type

	fires []example
	quiet []example
}

// example is a short history of some series, and the alerts that must fire at its end.
type example struct {
	name   string
	series []series
	after  time.Duration       // when the alerts are looked at
	want   []map[string]string // the labels that the expression yields, by alert
	value  string              // of the expression, where the description tells it
}

// series is one input of an example.
type series struct {
	name   string // with labels
	values string // in the notation of promtool, a value every step
}

// step is the time between two values of a series in examples.
const step = 15 * time.Second

// of makes a series as a node of Baton exports it: its labels, and those of the target.
func of(node, name, values string, labels ...string) series {
	labels = append([]string{"instance", node + ":8306", "job", "baton"}, labels...)
	pairs := make([]string, 0, len(labels)/2)
	for n := 0; n+1 < len(labels); n += 2 {
		pairs = append(pairs, fmt.Sprintf("%s=%q", labels[n], labels[n+1]))
	}
	return series{name + "{" + strings.Join(pairs, ",") + "}", values}
}

// labels makes a set of labels of pairs.
func labels(pairs ...string) map[string]string {
	set := make(map[string]string, len(pairs)/2)
	for n := 0; n+1 < len(pairs); n += 2 {
		set[pairs[n]] = pairs[n+1]
	}
	return set
}

// fixed are the labels that an alert adds to those of its expression.
func (a *alert) fixed() map[string]string {
	set := labels("severity", a.severity.String())
	if a.rule != nil {
		set["recovery"] = string(a.rule.Recovery)
	}
	return set
}

func (a *alert) annotations() map[string]string {
	return labels("summary", a.summary, "description", a.description(), "runbook_url", runbookURL+"#"+anchor(a.name))
}

func (a *alert) description() string {
	text := a.summary + " " + a.advice
	if a.about != "" {
		text = a.about + ": " + text
	}
	return text
}

// anchor is what a heading of one word is called in a URL.
func anchor(heading string) string { return strings.ToLower(heading) }

// filled returns the labels and the annotations of an alert that fires, as Prometheus fills them in.
func (a *alert) filled(own map[string]string, value string) (all, notes map[string]string, err error) {
	all = a.fixed()
	maps.Copy(all, own)
	notes = a.annotations()
	const head = `{{ $labels := .Labels }}{{ $value := .Value }}`
	t, err := template.New(a.name).Option("missingkey=error").Parse(head + notes["description"])
	if err != nil {
		return nil, nil, fmt.Errorf("description of %s: %w", a.name, err)
	}
	var b strings.Builder
	if err := t.Execute(&b, map[string]any{"Labels": own, "Value": value}); err != nil {
		return nil, nil, fmt.Errorf("description of %s: %w", a.name, err)
	}
	notes["description"] = b.String()
	return all, notes, nil
}

// alertGroups are all alerts: those of the table, and those of Baton itself.
func alertGroups(table []*analysis.Rule) []alertGroup {
	findings := alertGroup{name: "baton-findings", title: "What Baton finds"}
	for _, r := range table {
		findings.alerts = append(findings.alerts, findingAlert(r))
	}
	return []alertGroup{
		findings,
		{"baton-recovery", "What Baton decides and does", recoveryAlerts()},
		{"baton-cluster", "What a cluster could not survive", clusterAlerts()},
		{"baton-observing", "What Baton sees", observingAlerts()},
		{"baton-ledger", "What the nodes of Baton agree on", ledgerAlerts()},
		{"baton-service", "How Baton serves", serviceAlerts()},
	}
}

// findingAlert is the alert of one rule. Its unit tests are made together with those of all other rules.
func findingAlert(r *analysis.Rule) alert {
	a := alert{
		name: r.Name, rule: r, severity: r.Severity, summary: r.Summary, advice: advice(r), commands: findingCommands(r),
		expr: fmt.Sprintf("max by (area, rule) (baton_finding_active{rule=%q}) == 1", r.Name),
	}
	if r.Scope == analysis.ScopeInstance {
		a.about = aboutInstance
		a.expr = fmt.Sprintf("max by (mysql_cluster, mysql_instance, rule) (baton_finding_active{rule=%q}) == 1", r.Name)
	}
	return a
}

// advice is that of the rule, and a warning where this version has no plan for its recovery: nobody should wait for it.
func advice(r *analysis.Rule) string {
	if what(r.Recovery).missing() {
		return r.Advice + " This version of Baton does not carry that out by itself: a person has to."
	}
	return r.Advice
}
