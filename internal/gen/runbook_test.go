package gen

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/batondb/baton/analysis"
)

// TestRunbookLinksLead demands that every link of the runbook leads somewhere, and that every alert leads into it.
func TestRunbookLinksLead(t *testing.T) {
	groups := alertGroups(analysis.Table)
	text := string(runbook(analysis.Table, groups))
	headings := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^### (\w+)$`).FindAllStringSubmatch(text, -1) {
		headings["#"+anchor(m[1])] = true
	}
	links := regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(text, -1)
	if len(links) < len(analysis.Table) {
		t.Errorf("there are %d links only", len(links))
	}
	for _, m := range links {
		if strings.HasPrefix(m[1], "#") {
			if !headings[m[1]] {
				t.Errorf("%s leads nowhere", m[1])
			}
			continue
		}
		if _, err := os.Stat(filepath.Join("..", "..", "rules", filepath.FromSlash(m[1]))); err != nil {
			t.Errorf("%s leads nowhere: %v", m[1], err)
		}
	}
	for _, g := range groups {
		for _, a := range g.alerts {
			url := a.annotations()["runbook_url"]
			if at := strings.TrimPrefix(url, runbookURL); !headings[at] {
				t.Errorf("%s leads to %s, where nothing is", a.name, url)
			}
		}
	}
}

// TestEveryRecoveryIsDescribed demands a sentence for whatever the table may say.
func TestEveryRecoveryIsDescribed(t *testing.T) {
	for _, kind := range analysis.Kinds() {
		s := what(kind).sentence()
		nothing := kind == analysis.RecoveryNone || kind == analysis.RecoveryTakeover // the latter is never the answer to a finding
		if (s == "does nothing about it") != nothing || strings.HasSuffix(s, ".") {
			t.Errorf("%s: %q", kind, s)
		}
	}
}

// The exit codes of baton that matter here.
const (
	exitDone        = 0
	exitUsage       = 2
	exitNobodyThere = 5
)

// TestCommandsAreUnderstood calls every command of the runbook as the real program, where nobody serves: it must get as far as finding that out.
func TestCommandsAreUnderstood(t *testing.T) {
	commands := map[string]bool{"baton why-not CLUSTER": true}
	for _, g := range alertGroups(analysis.Table) {
		for _, a := range g.alerts {
			for _, c := range a.commands {
				commands[c] = true
			}
		}
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skipf("the program cannot be built: %v", err)
	}
	program := filepath.Join(t.TempDir(), "baton")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../cmd/baton").CombinedOutput(); err != nil {
		t.Fatalf("build baton: %v\n%s", err, out)
	}
	try := func(command string) (int, string) {
		args := words(strings.NewReplacer("CLUSTER", "shop", "INSTANCE", "db1:3306", "REPLICA", "db2:3306", "SOURCE", "db3:3306", "PRIMARY", "db3:3306",
			"RECOVERY", "r1", "AREA", "fleet", "FILE", filepath.Join(filepath.Dir(program), "none.yaml")).Replace(command))
		cmd := exec.CommandContext(t.Context(), program, args[1:]...)
		cmd.Env = append(os.Environ(), "BATON_URL=http://127.0.0.1:1")
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), string(out)
	}
	// Those that change something ask first, and nobody can be asked here.
	changes := regexp.MustCompile(`^baton (failover|takeover|relocate|recovery ack|downtime (begin|end)|resume|pause|forget|discover|promotion) `)
	offline := regexp.MustCompile(`^baton (version|check) ?`)
	for _, c := range slices.Sorted(maps.Keys(commands)) {
		typed := c
		if changes.MatchString(c) && !strings.Contains(c, "--dry-run") {
			typed += " --dry-run"
		}
		switch code, out := try(typed); {
		case code == exitNobodyThere, code == exitDone && changes.MatchString(c):
		case offline.MatchString(c) && code != exitUsage:
		default:
			t.Errorf("%s ends with %d:\n%s", c, code, out)
		}
	}
	for _, wrong := range []string{"baton recovery plan CLUSTER", "baton findings CLUSTER --everything", "baton rule explain"} {
		if code, out := try(wrong); code != exitUsage {
			t.Errorf("%s ends with %d, so that this test would not notice a wrong command:\n%s", wrong, code, out)
		}
	}
}

// words splits a command as a shell does that knows single quotes.
func words(command string) []string {
	var all []string
	for n, piece := range strings.Split(command, "'") {
		if n%2 == 1 {
			all = append(all, piece)
		} else {
			all = append(all, strings.Fields(piece)...)
		}
	}
	return all
}

func TestWords(t *testing.T) {
	if got := fmt.Sprintf("%q", words("a b 'c  d' e")); got != `["a" "b" "c  d" "e"]` {
		t.Error(got)
	}
}
