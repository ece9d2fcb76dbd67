package gen

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/internal/lab"
)

// promtool runs the real one and returns what it says.
func promtool(t *testing.T, args ...string) (string, error) {
	t.Helper()
	l, err := lab.New(t.Context(), lab.Options{Progress: func(s string) { t.Log(s) }})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cmd, err := l.Promtool(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// written puts what is generated now, and not what lies in the tree, into a directory.
func written(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files(t) {
		if name, ok := strings.CutPrefix(f.Path, "rules/"); ok {
			if err := os.WriteFile(filepath.Join(dir, name), f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

func TestPromtoolAcceptsTheRules(t *testing.T) {
	dir := written(t)
	out, err := promtool(t, "check", "rules", "--lint=all", "--lint-fatal", filepath.Join(dir, "alerts.yaml"), filepath.Join(dir, "recording.yaml"))
	if err != nil || strings.Count(out, "SUCCESS") != 2 {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestAlertsFireAndKeepQuiet runs the unit tests of all alerts.
func TestAlertsFireAndKeepQuiet(t *testing.T) {
	dir := written(t)
	out, err := promtool(t, "test", "rules", filepath.Join(dir, "alerts_test.yaml"))
	if err != nil || !strings.Contains(out, "SUCCESS") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestUnitTestsCanFail breaks some alerts, each in its own way, and wants every one of them to be caught: otherwise the unit tests are worth nothing.
func TestUnitTestsCanFail(t *testing.T) {
	dir := written(t)
	file := filepath.Join(dir, "alerts.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	broken := string(text)
	breaks := []struct{ alert, name, old, new string }{
		{"BatonDeadPrimary", "finds other rules too", `baton_finding_active{rule="DeadPrimary"}`, `baton_finding_active{rule=~"DeadPrimary.*"}`},
		{"BatonSplitBrain", "lasts", `(baton_finding_active{rule="SplitBrain"})`, `(last_over_time(baton_finding_active{rule="SplitBrain"}[5m]))`},
		{"BatonWrongSource", "tells of each node", `max by (mysql_cluster, mysql_instance, rule) (baton_finding_active{rule="WrongSource"})`, `baton_finding_active{rule="WrongSource"}`},
		{"BatonFollowerCutOff", "is never reached", `baton_raft_leader_last_contact_seconds > 10`, `baton_raft_leader_last_contact_seconds > 1000`},
		{"BatonObserverIsolated", "is not as grave", "severity: critical", "severity: warning"},
		{"BatonRecoveryRefused", "does not see the first event", " or 0 * sum by", " or 1 * sum by"},
	}
	for _, c := range breaks {
		next := strings.Replace(broken, c.old, c.new, 1)
		if next == broken {
			t.Fatalf("%s: there is no %q", c.alert, c.old)
		}
		broken = next
	}
	if err := os.WriteFile(file, []byte(broken), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := promtool(t, "test", "rules", filepath.Join(dir, "alerts_test.yaml"))
	if err == nil {
		t.Error("nothing fails")
	}
	for _, c := range breaks {
		if !strings.Contains(out, "alertname: "+c.alert+",") {
			t.Errorf("%s: that it %s is not caught\n%s", c.alert, c.name, out)
		}
	}
}

// TestAnEmptyTableRenders shows that nothing but the table names rules.
func TestAnEmptyTableRenders(t *testing.T) {
	all, err := Files(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		for _, r := range analysis.Table {
			if strings.Contains(f.Path, "alerts.yaml") && strings.Contains(string(f.Data), "alert: Baton"+r.Name+"\n") {
				t.Errorf("%s: %s is there without its rule", f.Path, r.Name)
			}
		}
	}
}
