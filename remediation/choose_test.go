package remediation_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

func TestCandidateOrder(t *testing.T) {
	for _, c := range []struct {
		name     string
		replicas []string
		policy   func(*remediation.Policy)
		best     topology.InstanceID
		refused  string // why the first that is refused is
	}{
		{name: "by name where all is equal", replicas: []string{"", ""}, best: "db2:3306"},
		{name: "prefer", replicas: []string{"", "promotion=prefer"}, best: "db3:3306"},
		{name: "prefer before freshness", replicas: []string{"executed=u1:1-100", "promotion=prefer executed=u1:1-90"}, best: "db3:3306"},
		{name: "prefer_not is the last resort", replicas: []string{"promotion=prefer_not", ""}, best: "db3:3306"},
		{name: "prefer_not can lead", replicas: []string{"promotion=prefer_not", "promotion=must_not"}, best: "db2:3306", refused: "its promotion rule is must_not"},
		{name: "region before data centre", replicas: []string{"region=us dc=b", "region=eu dc=c"}, best: "db3:3306"},
		{name: "data centre", replicas: []string{"region=eu dc=b", "region=eu dc=a"}, best: "db3:3306"},
		{name: "rule before region", replicas: []string{"region=eu dc=a", "region=us promotion=prefer"}, best: "db3:3306"},
		{name: "the version all can follow", replicas: []string{"version=9.7.4", "version=8.4.5", "version=9.7.4"}, best: "db3:3306"},
		{name: "the most advanced", replicas: []string{"executed=u1:1-90", "executed=u1:1-100"}, best: "db3:3306"},
		{name: "received counts, not executed", replicas: []string{"executed=u1:1-95", "executed=u1:1-90 retrieved=u1:91-100"}, best: "db3:3306"},
		{name: "the least to apply", replicas: []string{"executed=u1:1-90 retrieved=u1:91-100", "executed=u1:1-100"}, best: "db3:3306"},
		{name: "downtimed cannot lead", replicas: []string{"downtime", ""}, best: "db3:3306", refused: "it is downtimed"},
		{name: "maintenance cannot lead", replicas: []string{"maintenance", ""}, best: "db3:3306", refused: "it is in maintenance"},
		{name: "no binary log", replicas: []string{"no_log_bin", ""}, best: "db3:3306", refused: "it writes no binary log"},
		{name: "no replica updates", replicas: []string{"no_log_replica_updates", ""}, best: "db3:3306", refused: "it does not log what it replicates"},
		{name: "no GTIDs", replicas: []string{"no_gtid", ""}, best: "db3:3306", refused: "it does not use GTIDs"},
		{name: "delayed", replicas: []string{"delay=1h", ""}, best: "db3:3306", refused: "it is delayed by 1h0m0s on purpose"},
		{name: "filtered", replicas: []string{"filtered", ""}, best: "db3:3306", refused: "it filters what it replicates"},
		{
			name: "broken applier with a backlog", replicas: []string{"executed=u1:1-90 retrieved=u1:91-100 applier=stopped applier_errno=1062", ""}, best: "db3:3306",
			refused: "its applier stopped with error 1062 and 10 received transactions are not applied",
		},
		{name: "broken applier and nothing left", replicas: []string{"promotion=prefer applier=stopped applier_errno=1062", ""}, best: "db2:3306"},
		{name: "errant", replicas: []string{"uuid=u2 executed=u1:1-100,u2:1-3", ""}, best: "db3:3306", refused: "it has 3 errant transactions: 00000000-0000-0000-0000-000000000002:1-3"},
		{name: "data centre by policy", replicas: []string{"dc=b region=eu", "dc=a region=eu promotion=prefer_not"}, policy: func(p *remediation.Policy) { p.SameDC = true }, best: "db3:3306", refused: "data centre \"b\""},
		{name: "quarantined does not count", replicas: []string{"quarantined", ""}, best: "db3:3306"},
		{name: "deposed does not count", replicas: []string{"deposed", ""}, best: "db3:3306"},
		{name: "half an answer does not count", replicas: []string{"partial", ""}, best: "db3:3306"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := "cluster shop\ndb1 down since=20s executed=u1:1-90 uuid=u1 region=eu dc=a\n"
			for n, r := range c.replicas {
				if !strings.Contains(r, "executed=") {
					r += " executed=u1:1-100"
				}
				text += fmt.Sprintf("  db%d receiver=stopped %s\n", n+2, r)
			}
			snap, policy := see(t, text), auto()
			if c.policy != nil {
				c.policy(&policy)
			}
			goal := want(snap, analysis.RecoveryFailover, "db1:3306")
			goal.Allow = []remediation.GateName{remediation.GateFollow}
			plan, err := remediation.Make(goal, snap, policy)
			if err != nil {
				t.Fatal(err)
			}
			chosen := slices.IndexFunc(plan.Candidates, func(c remediation.Candidate) bool { return c.Chosen })
			if chosen != 0 || plan.Candidates[0].Instance != c.best || plan.Successor != c.best {
				t.Errorf("chosen is %v of %+v", plan.Successor, plan.Candidates)
			}
			last := plan.Candidates[len(plan.Candidates)-1]
			if c.refused != "" && (len(last.Refused) == 0 || !strings.Contains(last.Refused[0], c.refused)) {
				t.Errorf("%s is refused for %q, want %q", last.Instance, last.Refused, c.refused)
			}
		})
	}
}

func TestOperatorChoosesTheSuccessor(t *testing.T) {
	snap := see(t, frozen)
	goal := byOperator(want(snap, analysis.RecoveryFailover, "db1:3306"))
	goal.To = "db3:3306"
	if plan, err := remediation.Make(goal, snap, auto()); err != nil || plan.Successor != "db3:3306" {
		t.Errorf("successor %s, %v", plan.Successor, err)
	}
	no := see(t, strings.Replace(frozen, "db3 receiver=stopped", "db3 receiver=stopped promotion=must_not", 1))
	_, err := remediation.Make(goal, no, auto())
	if r := refusal(t, err); r.Reason != remediation.GateCandidate || !strings.Contains(r.Text, "db3:3306 cannot lead: its promotion rule is must_not") {
		t.Error(err)
	}
}

// TestMustNotMayDonate: the most advanced replica must never lead, but what only it received is not thrown away.
func TestMustNotMayDonate(t *testing.T) {
	snap := see(t, replicas("executed=u1:1-98", "executed=u1:1-100 promotion=must_not"))
	plan, err := remediation.Make(want(snap, analysis.RecoveryFailover, "db1:3306"), snap, auto())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "plan", script(plan), "catch_up: point_at db2 < db3\ndrain: wait_applied db2")
	if wait := plan.Stages[1].Steps[0]; wait.GTIDs != topology.MustParseGTIDSet("00000000-0000-0000-0000-000000000001:1-100") {
		t.Errorf("it waits for %s", wait.GTIDs)
	}
	if c := plan.Candidates[1]; !c.Donor || c.Chosen || c.Instance != "db3:3306" {
		t.Errorf("the donor is not told: %+v", plan.Candidates)
	}
}

func TestErrantTransactionsOfAReplicaStopNobody(t *testing.T) {
	snap := see(t, replicas("uuid=u2 executed=u1:1-98", "uuid=u3 executed=u1:1-98,u3:1-7 promotion=prefer"))
	plan, err := remediation.Make(want(snap, analysis.RecoveryFailover, "db1:3306"), snap, auto())
	if err != nil {
		t.Fatal(err)
	}
	if plan.Successor != "db2:3306" || strings.Contains(script(plan), "catch_up") {
		t.Errorf("what a replica wrote itself nobody has to fetch:\n%s", script(plan))
	}
}

func TestWhoIsBeyondTheSuccessorIsKeptOut(t *testing.T) {
	snap := see(t, replicas("executed=u1:1-98 promotion=prefer", "executed=u1:1-99 applier=stopped retrieved=u1:100 applier_errno=1062"))
	goal := byOperator(want(snap, analysis.RecoveryFailover, "db1:3306"), remediation.GateHoldsAll)
	plan, err := remediation.Make(goal, snap, auto())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range plan.Steps() {
		if s.On == "db3:3306" && (s.Action != remediation.Quarantine || s.GTIDs.String() != "00000000-0000-0000-0000-000000000001:99-100") {
			t.Errorf("db3 holds what the new primary lacks, and yet: %s %s", s, s.GTIDs)
		}
	}
}
