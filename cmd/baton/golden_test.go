package main

import (
	"strings"
	"testing"

	"github.com/batondb/baton/api"
)

// TestOutput shows what people see of a fleet.
func TestOutput(t *testing.T) {
	for _, c := range []struct{ name, scenario, args string }{
		{"clusters", shop + blog, "clusters"},
		{"clusters_yaml", shop, "clusters -o yaml"},
		{"instances", shop + blog, "instances"},
		{"topology", shop, "topology shop"},
		{"topology_all", shop + blog, "topology"},
		{"topology_json", shop, "topology shop -o json"},
		{"downtime_dry_run", shop, "downtime begin db3 --for 2h --reason disk --dry-run"},
		{"pause_dry_run_json", shop, "pause shop --rule DeadPrimary --reason drill --dry-run -o json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, c.scenario)
			r := f.baton(strings.Fields(c.args)...).wantCode(t, 0)
			if r.err != "" {
				t.Errorf("something was said besides: %s", r.err)
			}
			lines := strings.Split(r.out, "\n")
			for n, line := range lines { // in which words a rule says it is the rule's business
				if before, _, ok := strings.Cut(line, `"sentence": `); ok {
					lines[n] = before + `"sentence": "..."`
				}
			}
			golden(t, c.name, strings.Join(lines, "\n"))
			if changed := f.service.Changed(); len(changed) > 0 {
				t.Errorf("it changed something: %q", changed)
			}
		})
	}
}

// TestReading asks for what the rules and the planner say, in few of their words.
func TestReading(t *testing.T) {
	for _, c := range []struct {
		scenario, args string
		code           int
		says           []string
	}{
		{shop, "instances shop", 0, []string{"db4:3306  shop"}},
		{shop + blog, "instances shop", 0, []string{"db4:3306"}},
		{shop + blog, "findings", 0, []string{"DeadPrimary", "LaggingReplica"}},
		{shop + blog, "findings shop", 0, []string{"LaggingReplica"}},
		{shop + blog, "findings --all", 0, []string{"explained by DeadPrimary"}},
		{"cluster calm\ncalm1\n  calm2\n", "findings calm", 0, []string{"Nothing is wrong."}},
		{shop, "rule explain DeadPrimary db1", 0, []string{"DeadPrimary does not hold for db1:3306.", "✗ "}},
		{blog, "rule explain DeadPrimary web1", 0, []string{"DeadPrimary holds for web1:3306.", "✓ "}},
		{shop, "rule explain ObserverIsolated", 0, []string{"does not hold for fleet."}},
		{shop, "why-not shop", 0, []string{"If db1:3306 died now, Baton would promote db2:3306 by itself.", "✓ leader", "→  db2:3306"}},
		{blog, "why-not blog", 0, []string{"web1:3306 is down: Baton would promote web2:3306 by itself."}},
		{shop, "takeover shop --dry-run", 0, []string{"takeover of shop from db1:3306 to db2:3306", "let db3:3306 replicate from db2:3306"}},
		{blog, "takeover blog --dry-run", api.ExitRefused, []string{"It would be refused", "baton failover blog"}},
		{blog, "failover blog --dry-run", 0, []string{"failover of blog from web1:3306 to web2:3306", "stop the receiver of web3:3306"}},
		{shop, "relocate db4 --below db1 --dry-run", 0, []string{"relocate db4:3306 below db1:3306"}},
		{shop, "recovery plan relocate db4 --below db1", 0, []string{"relocate db4:3306 below db1:3306"}},
		{shop, "recovery plan relocate db4 --to db1 -o json", 0, []string{`"action": "point_at"`}},
		{shop, "recovery list", 0, []string{"There are none."}},
		{shop, "downtime list", 0, []string{"There are none."}},
		{"", "clusters", 0, []string{"baton discover HOST"}},
		{"", "topology", 0, []string{"baton discover HOST"}},
	} {
		t.Run(c.args, func(t *testing.T) {
			f := newFixture(t, c.scenario)
			r := f.baton(strings.Fields(c.args)...).wantCode(t, c.code)
			for _, says := range c.says {
				if !strings.Contains(r.out, says) {
					t.Errorf("%q is not said:\n%s", says, r.out)
				}
			}
			if r.err != "" {
				t.Errorf("something was said besides: %s", r.err)
			}
			if changed := f.service.Changed(); len(changed) > 0 {
				t.Errorf("it changed something: %q", changed)
			}
		})
	}
	one := newFixture(t, shop+blog)
	if out := one.baton("instances", "shop").out + one.baton("findings", "shop").out; strings.Contains(out, "web1") {
		t.Errorf("other clusters are shown too:\n%s", out)
	}
}

// TestPrinting shows what people see of plans and explanations, whatever is in them.
func TestPrinting(t *testing.T) {
	lagging := api.Gate{Name: "lag", Verdict: "fail", Evidence: "db2:3306 lags by 42s and the policy allows 10s", AgeSeconds: 1.5}
	gates := []api.Gate{
		{Name: "maintenance", Verdict: "pass", Evidence: "nobody holds the cluster"},
		{Name: "semi_sync_promise", Verdict: "unknown", Evidence: "whether db4:3306 acknowledged is not known", Overruled: "operator"},
		lagging,
	}
	candidates := []api.Candidate{
		{Instance: "db2:3306", PromotionRule: "prefer", Unapplied: 31_000, Chosen: true},
		{Instance: "db3:3306", PromotionRule: "neutral", Donor: true},
		{Instance: "db4:3306", PromotionRule: "must_not", Behind: 9, Refused: []string{"its promotion rule is must_not"}},
	}
	stages := []api.Stage{
		{Phase: "freeze", Steps: []api.Step{{Text: "stop the receiver of db2:3306", Why: "positions are compared"}, {Text: "stop the receiver of db3:3306", Why: "positions are compared"}}},
		{Phase: "promote", Steps: []api.Step{{Text: "make db2:3306 the primary", Why: "it holds everything"}}},
	}
	for name, print := range map[string]func(*session){
		"plan": func(s *session) {
			s.printPlan(api.Plan{Kind: "failover", Cluster: "shop", Instance: "db1:3306", Gates: gates[:2], Candidates: candidates, Stages: stages, AtRisk: "u1:1-9", Next: "then it is verified"})
		},
		"plan_refused": func(s *session) {
			s.printPlan(api.Plan{
				Kind: "takeover", Cluster: "shop", Instance: "db1:3306", Gates: gates, Candidates: candidates[2:],
				Refusal: &api.Refusal{Reason: "lag", Text: lagging.Evidence, Hint: "--allow lag accepts it"},
			})
		},
		"plan_relocate": func(s *session) {
			s.printPlan(api.Plan{Kind: "relocate", Cluster: "shop", Instance: "db4:3306", To: "db2:3306", Gates: gates[:1], Complete: true})
		},
		"why_not": func(s *session) {
			s.printWhyNot(api.WhyNot{
				Cluster: "shop", Primary: "db1:3306", Sentence: "If db1:3306 died now, Baton would not act by itself: lag.", Gates: gates,
				Missing: gates[2:], Candidates: candidates, AtRisk: "u1:1-9",
			})
		},
		"explanation": func(s *session) {
			s.printExplanation(api.Explanation{Rule: "DeadPrimary", Summary: "The primary is down.", Instance: "db1:3306", Conditions: []api.Condition{
				{Text: "is a primary", Holds: true}, {Text: "is down"}, {Text: "has a candidate", Given: true},
			}})
		},
		"findings": func(s *session) {
			s.printFindings([]api.Finding{
				{Rule: "FailureStorm", Severity: "critical", State: "firing", Active: true, Area: "fleet", Sentence: "Six primaries fell together."},
				{Rule: "DeadPrimary", Severity: "critical", State: "pending", Active: false, Instance: "db1:3306", Sentence: "db1:3306 is down.", MaskedBy: "FailureStorm"},
				{Rule: "LaggingReplica", Severity: "warning", State: "firing", Active: false, Instance: "db3:3306", Sentence: "db3:3306 lags.", Downtimed: true},
			}, true)
		},
		"outcome_partial": func(s *session) {
			took := 0.084
			s.printOutcome(api.RecoveryView{
				Kind: "failover", Cluster: "shop", Outcome: api.OutcomePartial, Message: "db4:3306 was left behind.", Successor: "db2:3306", TookSeconds: &took,
				LostReplicas: []string{"db4:3306"}, LostTransactions: "u1:8-9",
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			print(&session{terminal: &terminal{out: &out}})
			golden(t, "print_"+name, out.String())
		})
	}
}
