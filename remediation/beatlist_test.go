package remediation_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/internal/sim"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// What orchestrator is known to do wrong when it chooses and recovers, one test each. The numbers are those of the list of its defects.

// TestD9OrderOfCandidatesIsAnOrder: who is best does not depend on the order in which servers were looked at, and binary logs are compared as numbers.
func TestD9OrderOfCandidatesIsAnOrder(t *testing.T) {
	in, err := topology.Parse(`
cluster shop
db1 down since=20s executed=u1:1-90 uuid=u1 region=eu dc=a
  db2 receiver=stopped executed=u1:1-100 promotion=prefer_not
  db3 receiver=stopped executed=u1:1-90 retrieved=u1:91-100 region=eu
  db4 receiver=stopped executed=u1:1-99 region=eu dc=b
  db5 receiver=stopped executed=u1:1-100 region=us
  db6 receiver=stopped executed=u1:1-100 promotion=must_not
  db7 receiver=stopped executed=u1:1-95 promotion=prefer downtime`)
	if err != nil {
		t.Fatal(err)
	}
	var first []topology.InstanceID
	for turn := range in.Observations {
		in.Observations = append(in.Observations[1:], in.Observations[0])
		snap := topology.Build(in)
		plan, err := remediation.Make(want(snap, analysis.RecoveryFailover, "db1:3306"), snap, auto())
		if err != nil {
			t.Fatal(err)
		}
		var order []topology.InstanceID
		for _, c := range plan.Candidates {
			order = append(order, c.Instance)
		}
		if turn == 0 {
			first = order
		}
		if !slices.Equal(order, first) {
			t.Errorf("%v, and before %v", order, first)
		}
	}
	a, b := topology.Coordinates{File: "bin.999999", Pos: 4}, topology.Coordinates{File: "bin.1000000", Pos: 4}
	if order, ok := a.Compare(b); !ok || order >= 0 {
		t.Error("bin.1000000 comes after bin.999999")
	}
}

// TestD10ReceivedCounts: the position of a replica is what it received, and nothing of that is thrown away to be faster.
func TestD10ReceivedCounts(t *testing.T) {
	snap := see(t, replicas("executed=u1:1-99", "executed=u1:1-50 retrieved=u1:51-100"))
	plan, err := remediation.Make(want(snap, analysis.RecoveryFailover, "db1:3306"), snap, auto())
	if err != nil {
		t.Fatal(err)
	}
	if plan.Successor != "db3:3306" || !strings.Contains(script(plan), "wait_applied db3") {
		t.Errorf("successor %s\n%s", plan.Successor, script(plan))
	}
}

// TestD11NobodyIsPromotedForWantOfABetterOne: where no candidate is valid, the plan is refused and says why each is not.
func TestD11NobodyIsPromotedForWantOfABetterOne(t *testing.T) {
	snap := see(t, replicas("executed=u1:1-98 no_log_bin", "executed=u1:1-98 promotion=must_not"))
	_, err := remediation.Make(byOperator(want(snap, analysis.RecoveryFailover, "db1:3306")), snap, auto())
	r := refusal(t, err)
	if r.Reason != remediation.GateCandidate || !strings.Contains(r.Text, "db2:3306: it writes no binary log") || !strings.Contains(r.Text, "db3:3306: its promotion rule is must_not") {
		t.Error(r)
	}
}

// TestD12VetoesComeBeforeTheFirstStep: nothing is touched by a recovery that is refused, whatever the reason.
func TestD12VetoesComeBeforeTheFirstStep(t *testing.T) {
	for _, reason := range []func(*remediation.Policy, *sim.Options){
		func(p *remediation.Policy, o *sim.Options) { p.SameDC = true; o.Servers[0].DataCenter = "a" },
		func(_ *remediation.Policy, o *sim.Options) {
			o.Servers[1].Rule, o.Servers[2].Rule = topology.PromoteMustNot, topology.PromoteMustNot
		},
		func(_ *remediation.Policy, o *sim.Options) {
			o.Servers[1].NoReplicaLog, o.Servers[2].NoReplicaLog = true, true
		},
	} {
		o := shop(2, sim.Options{Seed: 1, WriteEvery: 5 * time.Millisecond})
		policy := auto()
		reason(&policy, &o)
		inWorld(t, o, func(w *world) {
			w.policy = policy
			goal := killed(w)
			before := w.Shape()
			res := w.recover(goal)
			if res.Outcome != remediation.OutcomeAborted || w.Steps() != 0 || w.Shape() != before {
				t.Errorf("%s after %d steps: %s", res.Outcome, w.Steps(), res.Text)
			}
		})
	}
}

// TestD13UnknownLagIsNotZero.
func TestD13UnknownLagIsNotZero(t *testing.T) {
	snap := see(t, "cluster shop\ndb1\n  db2 lag=unknown")
	_, err := remediation.Make(byOperator(want(snap, analysis.RecoveryTakeover, "db1:3306")), snap, auto())
	if r := refusal(t, err); r.Reason != remediation.GateLag || r.Hint == "" {
		t.Error(r)
	}
}

// TestD14EverybodyLeftBehindIsNamed: also those who are given up late, or were out of reach; and many of them take no longer than one.
func TestD14EverybodyLeftBehindIsNamed(t *testing.T) {
	inWorld(t, shop(5, sim.Options{Seed: 4, WriteEvery: 5 * time.Millisecond}, prefer("db2:3306")), func(w *world) {
		w.policy.Allow = []remediation.GateName{remediation.GatePrimaryPos}
		for _, id := range []topology.InstanceID{"db3:3306", "db4:3306", "db5:3306"} {
			w.Deny(id, "db2:3306", true)
		}
		w.Pass(200 * time.Millisecond)
		w.Kill("db6:3306")
		goal := killed(w)
		began := time.Now()
		res := w.recover(goal)
		for _, id := range []topology.InstanceID{"db3:3306", "db4:3306", "db5:3306", "db6:3306"} {
			_, quarantined := w.Intents().Quarantined[id]
			if _, lost := res.Goal.Lost[id]; !lost || !quarantined || !strings.Contains(res.Text, string(id)+" is left behind") {
				t.Errorf("%s: lost %t, quarantined %t: %s", id, lost, quarantined, res.Text)
			}
		}
		if took := time.Since(began); res.Outcome != remediation.OutcomePartial || took > 15*time.Second {
			t.Errorf("%s after %s", res.Outcome, took)
		}
	})
}

// TestD15EveryWaitHasADeadline: no step of any recovery may last for ever.
func TestD15EveryWaitHasADeadline(t *testing.T) {
	for _, d := range drills() {
		inWorld(t, d.fleet, func(w *world) {
			goal := d.prepare(w)
			w.around = func(a remediation.Actor) remediation.Actor {
				return remediation.ActorFunc(func(ctx context.Context, s remediation.Step) error {
					if _, bounded := ctx.Deadline(); !bounded {
						t.Errorf("%s: %s has no deadline", d.name, s)
					}
					return a.Do(ctx, s)
				})
			}
			w.recover(goal)
		})
	}
}

// TestD16FenceBeforeOpen: an old primary that answers is closed before the new one opens, in a takeover and in a failover that it comes back into.
func TestD16FenceBeforeOpen(t *testing.T) {
	onBothFlavours(t, func(t *testing.T, mariaDB bool) {
		o := shop(2, sim.Options{Seed: 4, MariaDB: mariaDB, WriteEvery: 2 * time.Millisecond, Bound: time.Nanosecond}, prefer("db2:3306"))
		inWorld(t, o, func(w *world) {
			w.recover(w.goal(analysis.RecoveryTakeover, "db1:3306"))
			if v := w.Violations(); len(v) > 0 {
				t.Errorf("takeover: %v", v)
			}
		})
		inWorld(t, o, func(w *world) {
			goal := killed(w)
			ctx, die := context.WithCancelCause(context.Background())
			w.around = func(a remediation.Actor) remediation.Actor {
				return onStep{a, func(s remediation.Step) {
					if s.Action == remediation.MakePrimary {
						die(errCrashed)
					}
				}}
			}
			w.run(ctx, w.open(goal), false)
			w.around = nil
			w.Restart("db1:3306") // it comes back open before anybody goes on
			w.resume(context.Background())
			if v := w.Violations(); len(v) > 0 {
				t.Errorf("failover: %v\n%s", v, w.story())
			}
			if !strings.Contains(w.story(), "fence: make db1:3306 refuse writes") {
				t.Errorf("it was not fenced:\n%s", w.story())
			}
		})
	})
}

// TestD18OneKindDoesNotBlockAnother: the cooldown of a failover keeps nobody from a rejoin or a takeover, and two recoveries never run at once.
func TestD18OneKindDoesNotBlockAnother(t *testing.T) {
	const history = "cluster shop named primary=db2\npast failover id=r1 outcome=success failed=db1 successor=db2 closed=10s\ndb2 writable executed=u1:1-9\n  db3 executed=u1:1-9\ndb1 writable deposed executed=u1:1-9"
	snap := see(t, history)
	if _, err := remediation.Make(want(snap, analysis.RecoveryFence, "db1:3306"), snap, auto()); err != nil {
		t.Errorf("fence: %v", err)
	}
	if _, err := remediation.Make(byOperator(want(snap, analysis.RecoveryTakeover, "db2:3306")), snap, auto()); err != nil {
		t.Errorf("takeover: %v", err)
	}
	open := see(t, strings.Replace(history, "past failover id=r1 outcome=success failed=db1 successor=db2 closed=10s", "open failover id=r2 failed=db1", 1))
	_, err := remediation.Make(want(open, analysis.RecoveryFence, "db1:3306"), open, auto())
	if r := refusal(t, err); r.Reason != remediation.GateOpen {
		t.Error(r)
	}
}

// TestD22SiblingsThatMovedBeforeCount: a takeover that finds some siblings below the candidate already goes on with the others.
func TestD22SiblingsThatMovedBeforeCount(t *testing.T) {
	plan := planned(t, "cluster shop\ndb1 executed=u1:1-9\n  db2 executed=u1:1-9\n    db3 executed=u1:1-9\n  db4 executed=u1:1-9", func(g *remediation.Goal) {
		g.Followers = []topology.InstanceID{"db2:3306", "db3:3306", "db4:3306"}
	})
	same(t, "plan", script(plan), "relocate: point_at db4 < db2")
}

// TestD23FailedTakeoverOpensTheOldPrimary: whatever fails, however late, the cluster has a primary at the end and its siblings back.
func TestD23FailedTakeoverOpensTheOldPrimary(t *testing.T) {
	onBothFlavours(t, func(t *testing.T, mariaDB bool) {
		for _, c := range []struct {
			on     topology.InstanceID
			action remediation.Action
		}{
			{"db3:3306", remediation.PointAt}, {"db2:3306", remediation.WaitApplied}, {"db1:3306", remediation.Fence}, {"db2:3306", remediation.AgreePrimary}, {"db2:3306", remediation.MakePrimary},
		} {
			o := shop(3, sim.Options{Seed: 4, MariaDB: mariaDB, WaitFor: 1, WriteEvery: 2 * time.Millisecond}, prefer("db2:3306"))
			inWorld(t, o, func(w *world) {
				w.Pass(200 * time.Millisecond)
				w.look()
				w.around = func(a remediation.Actor) remediation.Actor { return failing(a, c.on, c.action, 3) }
				res := w.recover(w.goal(analysis.RecoveryTakeover, "db1:3306"))
				w.around = nil
				if res.Outcome != remediation.OutcomeFailed {
					t.Errorf("%s: %s: %s\n%s", c.action, res.Outcome, res.Text, w.story())
				}
				w.settle()
				w.holds(true)
				if w.Primary() != "db1:3306" {
					t.Errorf("%s: the primary is %s", c.action, w.Primary())
				}
				if strings.Count(w.Shape(), "< db1:3306 acknowledges") != 3 {
					t.Errorf("%s: the siblings are not back: %s", c.action, w.Shape())
				}
			})
		}
	})
}

// TestD23CandidateMustReplicate: its threads are looked at before anything is touched.
func TestD23CandidateMustReplicate(t *testing.T) {
	for _, words := range []string{"receiver=stopped", "receiver=connecting", "applier=stopped"} {
		snap := see(t, "cluster shop\ndb1\n  db2 "+words)
		_, err := remediation.Make(byOperator(want(snap, analysis.RecoveryTakeover, "db1:3306")), snap, auto())
		if r := refusal(t, err); r.Reason != remediation.GateLag || !strings.Contains(r.Text, "does not replicate") {
			t.Errorf("%s: %v", words, r)
		}
	}
}
