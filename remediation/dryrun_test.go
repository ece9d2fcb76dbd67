package remediation_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// TestDryRunChangesNothing: Make is pure, and what it says survives being written down.
func TestDryRunChangesNothing(t *testing.T) {
	for _, d := range drills() {
		inWorld(t, d.fleet, func(w *world) {
			goal := d.prepare(w)
			goal.Excluded, goal.Lost = map[topology.InstanceID]string{}, map[topology.InstanceID]string{}
			snap := w.Snapshot()
			before, steps, shape := asJSON(t, snap.Input()), w.Steps(), w.Shape()
			said := asJSON(t, goal)
			plan, err := remediation.Make(goal, snap, w.policy)
			if err != nil {
				t.Fatalf("%s: %v", d.name, err)
			}
			again, _ := remediation.Make(goal, snap, w.policy)
			if asJSON(t, plan) != asJSON(t, again) {
				t.Errorf("%s: the same question has two answers", d.name)
			}
			if asJSON(t, snap.Input()) != before || asJSON(t, goal) != said || w.Steps() != steps || w.Shape() != shape {
				t.Errorf("%s: a dry run has changed something", d.name)
			}
			var back remediation.Plan
			if err := json.Unmarshal([]byte(asJSON(t, plan)), &back); err != nil {
				t.Fatal(err)
			}
			if asJSON(t, back) != asJSON(t, plan) {
				t.Errorf("%s: the plan does not survive JSON:\n%s\n%s", d.name, asJSON(t, plan), asJSON(t, back))
			}
			var g remediation.Goal
			if err := json.Unmarshal([]byte(said), &g); err != nil || asJSON(t, g) != said {
				t.Errorf("%s: the goal does not survive JSON: %v", d.name, err)
			}
		})
	}
	var r remediation.Refusal
	text := asJSON(t, &remediation.Refusal{Reason: remediation.GateLag, Text: "x", Gates: []remediation.Gate{{Name: remediation.GateLag, Verdict: remediation.Fail}}})
	if err := json.Unmarshal([]byte(text), &r); err != nil || asJSON(t, &r) != text {
		t.Errorf("a refusal does not survive JSON: %s, %v", text, err)
	}
	var v remediation.Verdict
	if err := v.UnmarshalText([]byte("perhaps")); err == nil || !strings.Contains(err.Error(), "unknown pass fail") {
		t.Error(err)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
