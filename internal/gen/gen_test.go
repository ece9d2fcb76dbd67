package gen

import (
	"bytes"
	"flag"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/batondb/baton/analysis"
	boards "github.com/batondb/baton/dashboards"
	"github.com/batondb/baton/rules"
)

//go:generate go test -run ^TestGeneratedFilesAreFresh$ -update .

var update = flag.Bool("update", false, "write the generated files instead of comparing with them")

func files(t *testing.T) []File {
	t.Helper()
	all, err := Files(analysis.Table)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestGeneratedFilesAreFresh compares the tree with what the tables say, or writes it.
func TestGeneratedFilesAreFresh(t *testing.T) {
	for _, f := range files(t) {
		path := filepath.Join("..", "..", filepath.FromSlash(f.Path))
		if *update {
			if err := os.WriteFile(path, f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		have, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(bytes.ReplaceAll(have, []byte("\r\n"), []byte("\n")), f.Data) {
			t.Errorf("%s does not say what the tables say; run make generate", f.Path)
		}
	}
}

// TestNothingElseLiesThere keeps what is no longer generated from being deployed, and what is new from being forgotten.
func TestNothingElseLiesThere(t *testing.T) {
	if *update {
		t.Skip("the files are being written")
	}
	want := map[string]bool{"rules/embed.go": true, "dashboards/embed.go": true}
	for _, f := range files(t) {
		want[f.Path] = true
	}
	for dir, embedded := range map[string]fs.FS{"rules": rules.FS, "dashboards": boards.FS} {
		there, err := os.ReadDir(filepath.Join("..", "..", dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range there {
			path := dir + "/" + f.Name()
			if !want[path] {
				t.Errorf("%s is generated from nothing", path)
			}
			_, err := fs.Stat(embedded, f.Name())
			if deployed := err == nil; deployed != !(strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.yaml")) {
				t.Errorf("%s: embedded is %t", path, deployed)
			}
		}
	}
}

// TestEveryRuleIsEverywhere demands that a rule of the table has an alert, a unit test that fires and one that does not, a section and a place on
// the dashboard.
func TestEveryRuleIsEverywhere(t *testing.T) {
	text := make(map[string]string)
	for _, f := range files(t) {
		text[f.Path] = string(f.Data)
	}
	for _, r := range analysis.Table {
		for path, wants := range map[string][]string{
			"rules/alerts.yaml": {
				"- alert: Baton" + r.Name + "\n", "baton_finding_active{rule=\"" + r.Name + "\"}", "RUNBOOK.md#" + strings.ToLower(r.Name) + "\n",
			},
			"rules/alerts_test.yaml": {"alertname: Baton" + r.Name + "\n        exp_alerts:\n          - exp_labels:", "alertname: Baton" + r.Name + "\n        exp_alerts: []"},
			"rules/RUNBOOK.md":       {"\n### " + r.Name + "\n\n" + r.Summary, r.Advice, "baton rule explain " + r.Name, r.When[0].Text},
			"dashboards/fleet.json":  {"\"" + r.Name + "\": {"},
		} {
			for _, want := range wants {
				if !strings.Contains(text[path], want) {
					t.Errorf("%s says nothing of %s: there is no %q", path, r.Name, want)
				}
			}
		}
	}
}

// TestAlerts holds alerts to what people who are woken by them expect.
func TestAlerts(t *testing.T) {
	seen := make(map[string]bool)
	for _, g := range alertGroups(analysis.Table) {
		for _, a := range g.alerts {
			if seen[anchor(a.name)] {
				t.Errorf("%s is there twice, or differs from another in its capitals only", a.name)
			}
			seen[anchor(a.name)] = true
			for what, missing := range map[string]bool{
				"a severity": a.severity == 0, "an advice": a.advice == "", "a command": len(a.commands) == 0,
				"an example that fires": a.rule == nil && len(a.fires) == 0, "an example that is quiet": a.rule == nil && len(a.quiet) == 0,
			} {
				if missing {
					t.Errorf("%s has not got %s", a.name, what)
				}
			}
			if strings.Contains(a.summary, "{{") || !strings.HasSuffix(a.summary, ".") || strings.Contains(strings.TrimSuffix(a.summary, "."), ". ") {
				t.Errorf("%s: the summary must be one sentence without labels: %q", a.name, a.summary)
			}
			if !strings.HasSuffix(a.advice, ".") {
				t.Errorf("%s: the advice must be sentences: %q", a.name, a.advice)
			}
			for _, e := range append(slices.Clone(a.fires), a.quiet...) {
				if e.after < a.hold || e.after%evaluated != 0 {
					t.Errorf("%s %s: it is looked at after %s, when nothing is evaluated, or too early for %s", a.name, e.name, e.after, a.hold)
				}
			}
		}
	}
}

// TestDescriptionsAreFilledIn shows a description as somebody reads it.
func TestDescriptionsAreFilledIn(t *testing.T) {
	a, own := findingAlert(analysis.DeadPrimary), labels("mysql_cluster", "shop", "mysql_instance", "db1:3306", "rule", "DeadPrimary")
	all, notes, err := a.filled(own, "")
	if err != nil {
		t.Fatal(err)
	}
	if want := "db1:3306 in cluster shop: " + analysis.DeadPrimary.Summary + " " + analysis.DeadPrimary.Advice; notes["description"] != want {
		t.Errorf("description %q, want %q", notes["description"], want)
	}
	want := map[string]string{"severity": "critical", "recovery": "failover", "mysql_cluster": "shop", "mysql_instance": "db1:3306", "rule": "DeadPrimary"}
	if !maps.Equal(all, want) {
		t.Errorf("labels %v, want %v", all, want)
	}
	a.about = "{{ $labels.nobody }}"
	if _, _, err := a.filled(own, ""); err == nil {
		t.Error("a label that the expression does not yield is filled in")
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "", 30 * time.Second: "30s", time.Minute: "1m", 90 * time.Second: "1m30s", time.Hour: "1h", time.Hour + time.Second: "1h0m1s", 70 * time.Minute: "1h10m",
		720 * time.Hour: "720h", 10 * time.Minute: "10m",
	} {
		if got := duration(d); got != want {
			t.Errorf("%s is written %q, want %q", d, got, want)
		}
	}
}
