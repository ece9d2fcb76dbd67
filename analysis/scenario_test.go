package analysis

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/batondb/baton/topology"
)

var update = flag.Bool("update", false, "rewrite the findings of the scenarios")

// scenario is one file of testdata: a topology, perhaps a policy, and the findings that are expected.
type scenario struct {
	name   string
	text   string // before the findings
	input  topology.Input
	policy Policy
	want   string
}

const (
	findingsMark = "-- findings --\n"
	policyMark   = "-- policy --\n"
)

func scenarios(t testing.TB) []scenario {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	var all []scenario
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s := scenario{name: strings.TrimSuffix(filepath.Base(file), ".txt"), policy: DefaultPolicy()}
		s.text, s.want, _ = strings.Cut(string(text), findingsMark)
		fleet, policy, hasPolicy := strings.Cut(s.text, policyMark)
		if hasPolicy {
			d := json.NewDecoder(strings.NewReader(policy))
			d.DisallowUnknownFields()
			if err := d.Decode(&s.policy); err != nil {
				t.Fatalf("%s: policy: %v", file, err)
			}
		}
		if s.input, err = topology.Parse(fleet); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, s)
	}
	return all
}

func (s scenario) snapshot() *topology.Snapshot { return topology.Build(s.input) }

func (s scenario) evaluate() []Finding { return Evaluate(s.snapshot(), Table, s.policy) }

func print(findings []Finding) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%s %s", f.Rule, f.Subject())
		if f.Masked() {
			fmt.Fprintf(&b, " masked by %s", f.MaskedBy)
		}
		if f.Downtimed {
			b.WriteString(" downtimed")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestScenarios(t *testing.T) {
	for _, s := range scenarios(t) {
		t.Run(s.name, func(t *testing.T) {
			got := print(s.evaluate())
			if *update {
				if err := os.WriteFile("testdata/"+s.name+".txt", []byte(s.text+findingsMark+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != s.want {
				t.Errorf("%s\nfound:\n%s\nwanted:\n%s", s.text, got, s.want)
			}
		})
	}
}

// TestEveryRuleHasTwoScenarios demands that a rule is shown where it holds, and where it nearly does: Rule.txt and Rule-why-not.txt.
func TestEveryRuleHasTwoScenarios(t *testing.T) {
	holds, nearly := make(map[string]bool), make(map[string]bool)
	names := make(map[string]bool)
	for _, r := range Table {
		names[r.Name] = true
	}
	for _, s := range scenarios(t) {
		rule, why, isNearly := strings.Cut(s.name, "-")
		if !names[rule] {
			t.Errorf("%s: there is no rule %s", s.name, rule)
		}
		found := slices.ContainsFunc(s.evaluate(), func(f Finding) bool { return f.Rule == rule })
		switch {
		case isNearly && strings.HasPrefix(why, "also-"):
			holds[rule] = true
			if !found {
				t.Errorf("%s: %s does not hold", s.name, rule)
			}
		case isNearly:
			nearly[rule] = true
			if found {
				t.Errorf("%s: %s holds", s.name, rule)
			}
		default:
			holds[rule] = true
			if !found {
				t.Errorf("%s: %s does not hold", s.name, rule)
			}
		}
	}
	for name := range names {
		if !holds[name] || !nearly[name] {
			t.Errorf("%s: shown where it holds: %t, where it nearly does: %t", name, holds[name], nearly[name])
		}
	}
}

// subjects returns everything that a rule is asked about in a snapshot.
func subjects(s *topology.Snapshot, r *Rule, p Policy) []Subject {
	if r.Scope != ScopeInstance {
		areas := Areas(s, p)
		if r.Scope == ScopeFleet {
			areas = areas[:1]
		}
		return areas
	}
	var all []Subject
	for _, i := range s.Instances() {
		sub, _ := SubjectOf(s, i.Instance, p)
		all = append(all, sub)
	}
	return all
}

// TestEveryConditionMatters demands that each condition of each rule is, somewhere, the only one that fails. A condition that never is says nothing
// that the others do not say, or nothing that is tested.
func TestEveryConditionMatters(t *testing.T) {
	type spot struct {
		rule *Rule
		n    int
	}
	matters := make(map[spot]bool)
	given := make(map[spot]map[bool]bool)
	for _, s := range scenarios(t) {
		snap := s.snapshot()
		for _, r := range Table {
			for _, sub := range subjects(snap, r, s.policy) {
				failed, which := 0, 0
				for n, v := range Explain(r, sub)[:len(r.When)] {
					if !v.Holds {
						failed, which = failed+1, n
					}
				}
				if failed == 1 {
					matters[spot{r, which}] = true
				}
				if failed > 0 {
					continue
				}
				for n, v := range Explain(r, sub)[len(r.When):] {
					if given[spot{r, n}] == nil {
						given[spot{r, n}] = make(map[bool]bool)
					}
					given[spot{r, n}][v.Holds] = true
				}
			}
		}
	}
	for _, r := range Table {
		for n, c := range r.When {
			if !matters[spot{r, n}] {
				t.Errorf("%s: no scenario fails only on %q", r.Name, c.Text)
			}
		}
		for n, c := range r.Given {
			if !given[spot{r, n}][true] || !given[spot{r, n}][false] {
				t.Errorf("%s: no scenario shows it with and without %q", r.Name, c.Text)
			}
		}
	}
}

// TestEveryMaskMatters demands that each mask hides something in some scenario: a mask that cannot is a misunderstanding.
func TestEveryMaskMatters(t *testing.T) {
	type pair struct{ by, masked string }
	seen := make(map[pair]bool)
	for _, s := range scenarios(t) {
		snap := s.snapshot()
		found := s.evaluate()
		for _, f := range found {
			r := Find(Table, f.Rule)
			for _, g := range found {
				switch m := Find(Table, g.Rule); {
				case !g.Masked():
				case g.Instance == f.Instance:
					seen[pair{r.Name, m.Name}] = seen[pair{r.Name, m.Name}] || slices.Contains(r.Masks, m)
				case r.Scope == ScopeInstance && slices.Contains(snap.Instance(f.Instance).Direct, g.Instance):
					seen[pair{r.Name, "below " + m.Name}] = true
				}
			}
		}
	}
	for _, r := range Table {
		for _, m := range r.Masks {
			if r.Scope == ScopeInstance && !seen[pair{r.Name, m.Name}] {
				t.Errorf("%s masks %s in no scenario", r.Name, m.Name)
			}
		}
		for _, m := range r.MasksBelow {
			if !seen[pair{r.Name, "below " + m.Name}] {
				t.Errorf("%s masks %s below it in no scenario", r.Name, m.Name)
			}
		}
	}
	if !seen[pair{"ObserverIsolated", "FailureStorm"}] {
		t.Error("ObserverIsolated masks FailureStorm in no scenario")
	}
}
