package remediation_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// TestGates has one case for every gate: how it passes, and how it does not.
func TestGates(t *testing.T) {
	failover := analysis.RecoveryFailover
	for _, c := range []struct {
		name, text string
		kind       analysis.RecoveryKind
		goal       func(*remediation.Goal)
		policy     func(*remediation.Policy)
		gate       remediation.GateName
		verdict    remediation.Verdict
		says       string
	}{
		{name: "automation passes", text: dead, gate: remediation.GateAutomation, verdict: remediation.Pass, says: "not paused"},
		{name: "fleet paused", text: "pause fleet by=ben reason=\"big sale\"" + dead, gate: remediation.GateAutomation, verdict: remediation.Fail, says: "paused (fleet) by ben: big sale"},
		{name: "cluster paused", text: "pause cluster shop by=ben" + dead, gate: remediation.GateAutomation, verdict: remediation.Fail, says: "paused (cluster) by ben: no reason given"},
		{name: "rule paused", text: "pause rule DeadPrimary by=ben" + dead, gate: remediation.GateAutomation, verdict: remediation.Fail, says: "paused (rule)"},
		{name: "another cluster paused", text: "pause cluster other by=ben" + dead, gate: remediation.GateAutomation, verdict: remediation.Pass},
		{name: "autonomy auto", text: dead, gate: remediation.GateAutonomy, verdict: remediation.Pass, says: "auto"},
		{name: "autonomy observe", text: dead, policy: func(p *remediation.Policy) { p.Autonomy = remediation.Observe }, gate: remediation.GateAutonomy, verdict: remediation.Fail, says: "observe: a person must ask"},
		{name: "autonomy recommend", text: dead, policy: func(p *remediation.Policy) { p.Autonomy = remediation.Recommend }, gate: remediation.GateAutonomy, verdict: remediation.Fail, says: "recommend"},
		{name: "autonomy approve", text: dead, policy: func(p *remediation.Policy) { p.Autonomy = remediation.Approve }, gate: remediation.GateAutonomy, verdict: remediation.Fail},
		{name: "autonomy not said", text: dead, policy: func(p *remediation.Policy) { p.Autonomy = "" }, gate: remediation.GateAutonomy, verdict: remediation.Fail, says: "recommend"},
		{name: "not downtimed", text: dead, gate: remediation.GateDowntime, verdict: remediation.Pass},
		{name: "downtimed", text: "downtime db1 by=ben reason=\"new disks\"" + dead, gate: remediation.GateDowntime, verdict: remediation.Fail, says: "db1:3306 is downtimed by ben: new disks"},
		{name: "no maintenance", text: dead, gate: remediation.GateMaintenance, verdict: remediation.Pass},
		{name: "cluster in maintenance", text: "maintenance shop by=ben" + dead, gate: remediation.GateMaintenance, verdict: remediation.Fail, says: "ben holds it"},
		{name: "instance in maintenance", text: "maintenance db1:3306 by=ben" + dead, gate: remediation.GateMaintenance, verdict: remediation.Fail},
		{name: "nothing open", text: dead, gate: remediation.GateOpen, verdict: remediation.Pass},
		{name: "another recovery open", text: strings.Replace(dead, "cluster shop\n", "cluster shop named\nopen takeover id=r7 failed=db1\n", 1), gate: remediation.GateOpen, verdict: remediation.Fail, says: "recovery r7 of db1:3306 is still open"},
		{name: "no cooldown", text: dead, gate: remediation.GateCooldown, verdict: remediation.Pass},
		{name: "cooldown", text: past("failover outcome=success failed=db9 successor=db8 closed=1m"), gate: remediation.GateCooldown, verdict: remediation.Fail, says: "recovery r1 ended 1m0s ago"},
		{name: "cooldown after a partial one", text: past("failover outcome=partial failed=db9 successor=db8 closed=1m"), gate: remediation.GateCooldown, verdict: remediation.Fail},
		{name: "cooldown is over", text: past("failover outcome=success failed=db9 successor=db1 closed=6m"), gate: remediation.GateCooldown, verdict: remediation.Pass},
		{name: "cooldown of another kind", text: past("takeover outcome=success failed=db9 successor=db1 closed=1m"), gate: remediation.GateCooldown, verdict: remediation.Pass},
		{name: "a failed attempt does not block", text: past("failover outcome=failed failed=db9 closed=1m"), gate: remediation.GateCooldown, verdict: remediation.Pass},
		{name: "nor does an aborted one", text: past("failover outcome=aborted failed=db9 closed=1m"), gate: remediation.GateCooldown, verdict: remediation.Pass},
		{name: "acknowledged ends the cooldown", text: past("failover outcome=success failed=db9 successor=db1 closed=1m acknowledged"), gate: remediation.GateCooldown, verdict: remediation.Pass},
		{name: "the successor of an unacknowledged one", text: past("failover outcome=success failed=db9 successor=db1 closed=1m"), gate: remediation.GateUnacked, verdict: remediation.Fail, says: "db1:3306 became primary by recovery r1"},
		{name: "breaker closed", text: dead, gate: remediation.GateBreaker, verdict: remediation.Pass},
		{name: "breaker open", text: dead, policy: func(p *remediation.Policy) { p.Breaker = "6 primaries in 60 s" }, gate: remediation.GateBreaker, verdict: remediation.Fail, says: "6 primaries in 60 s"},
		{name: "down", text: dead, gate: remediation.GateFinding, verdict: remediation.Pass, says: "db1:3306 is down: timeout 2 times in a row since 20s"},
		{name: "alive", text: strings.Replace(dead, "down since=20s", "up", 1), gate: remediation.GateFinding, verdict: remediation.Fail, says: "alive (up)"},
		{name: "saturated is alive", text: strings.Replace(dead, "down since=20s", "saturated", 1), gate: remediation.GateFinding, verdict: remediation.Fail, says: "alive (saturated)"},
		{name: "denied is alive", text: strings.Replace(dead, "down since=20s", "denied", 1), gate: remediation.GateFinding, verdict: remediation.Fail, says: "alive (denied)"},
		{name: "failed once", text: strings.Replace(dead, "down since=20s", "timeout", 1), gate: remediation.GateFinding, verdict: remediation.Unknown, says: "not known yet"},
		{name: "never tried", text: strings.Replace(dead, "down since=20s", "unknown seen=1m", 1), gate: remediation.GateFinding, verdict: remediation.Unknown},
		{name: "a replica still receives", text: strings.Replace(dead, "db2 receiver=connecting receiver_errno=2003", "db2 heard=0s", 1), gate: remediation.GateFinding, verdict: remediation.Fail, says: "db2:3306 still receives from db1:3306"},
		{name: "a majority of nodes", text: "baton nodes=3\nvote n2 db1 down\n" + dead, gate: remediation.GateQuorum, verdict: remediation.Pass, says: "majority of 3"},
		{name: "this node alone", text: "baton nodes=3\n" + dead, gate: remediation.GateQuorum, verdict: remediation.Unknown, says: "no majority of 3 nodes agrees"},
		{name: "candidate", text: dead, gate: remediation.GateCandidate, verdict: remediation.Pass, says: "db2:3306 is the best of 2"},
		{name: "no replica up", text: strings.ReplaceAll(dead, "receiver=connecting receiver_errno=2003", "down"), gate: remediation.GateCandidate, verdict: remediation.Fail, says: "no replica of db1:3306 can be reached"},
		{name: "asked for a stranger", text: dead, goal: func(g *remediation.Goal) { g.To = "db9:3306" }, gate: remediation.GateCandidate, verdict: remediation.Fail, says: "db9:3306 is not a replica of db1:3306"},
		{name: "holds everything", text: frozen, gate: remediation.GateHoldsAll, verdict: remediation.Pass},
		{
			name: "nobody holds everything", text: replicas("executed=u1:1-100,u8:1", "executed=u1:1-100,u9:1-2"), gate: remediation.GateHoldsAll, verdict: remediation.Fail,
			says: "db3:3306 lacks 00000000-0000-0000-0000-000000000008:1; db2:3306 lacks 00000000-0000-0000-0000-000000000009:1-2",
		},
		{
			name: "the only donor applies late", text: replicas("executed=u1:1-98 promotion=prefer", "executed=u1:1-98 retrieved=u1:99-100 delay=1h"), gate: remediation.GateHoldsAll, verdict: remediation.Fail,
			says: "db2:3306 lacks 2 transactions that only db3:3306 holds, and cannot get them from there: it applies 1h0m0s late",
		},
		{
			name: "the only donor is broken", text: replicas("executed=u1:1-98 promotion=prefer", "executed=u1:1-98 retrieved=u1:99-100 applier=stopped applier_errno=1062"), gate: remediation.GateHoldsAll, verdict: remediation.Fail,
			says: "its applier stopped with error 1062",
		},
		{name: "the only donor does not log", text: replicas("executed=u1:1-98 promotion=prefer", "executed=u1:1-100 no_log_replica_updates"), gate: remediation.GateHoldsAll, verdict: remediation.Fail, says: "does not log"},
		{name: "position of the primary", text: frozen, gate: remediation.GatePrimaryPos, verdict: remediation.Pass, says: "all 100 transactions"},
		{
			name: "the primary had more", text: strings.ReplaceAll(frozen, "stopped executed=u1:1-100", "stopped executed=u1:1-97"), gate: remediation.GatePrimaryPos, verdict: remediation.Fail,
			says: "3 transactions of db1:3306 are on no reachable replica: 00000000-0000-0000-0000-000000000001:98-100",
		},
		{name: "the primary was never seen", text: strings.Replace(frozen, "executed=u1:1-100 writable", "seen=never", 1), gate: remediation.GatePrimaryPos, verdict: remediation.Unknown, says: "never seen"},
		{name: "asynchronous", text: frozen, gate: remediation.GateSemiSync, verdict: remediation.Pass, says: "asynchronous"},
		{
			name: "geography", text: strings.ReplaceAll(strings.Replace(frozen, "writable", "dc=a", 1), "receiver=stopped", "receiver=stopped dc=b"), policy: func(p *remediation.Policy) { p.SameDC = true },
			gate: remediation.GateGeography, verdict: remediation.Fail, says: "data centre \"b\" and the policy stays in \"a\"",
		},
		{
			name: "region", text: strings.ReplaceAll(strings.Replace(frozen, "writable", "region=eu", 1), "receiver=stopped", "receiver=stopped region=us"), policy: func(p *remediation.Policy) { p.SameRegion = true },
			gate: remediation.GateGeography, verdict: remediation.Fail, says: "region \"us\" and the policy stays in \"eu\"",
		},
		{
			name: "errant everywhere", text: replicas("uuid=u2 executed=u1:1-100,u2:1", "uuid=u3 executed=u1:1-100,u3:5"), gate: remediation.GateErrant, verdict: remediation.Fail,
			says: "it has 1 errant transactions: 00000000-0000-0000-0000-000000000002:1",
		},
		{name: "siblings can follow", text: frozen, gate: remediation.GateFollow, verdict: remediation.Pass, says: "all 1 siblings can follow db2:3306"},
		{
			name: "no sibling can follow", text: replicas("executed=u1:1-100 version=9.7.4 promotion=prefer", "executed=u1:1-100 version=8.4.5"), gate: remediation.GateFollow, verdict: remediation.Fail,
			says: "1 of 1 siblings cannot follow db2:3306 (version 9.7.4)",
		},
		{name: "lag known", kind: analysis.RecoveryTakeover, text: "cluster shop\ndb1\n  db2 lag=3s", gate: remediation.GateLag, verdict: remediation.Pass, says: "lags by 3s"},
		{name: "lag too long", kind: analysis.RecoveryTakeover, text: "cluster shop\ndb1\n  db2 lag=11s", gate: remediation.GateLag, verdict: remediation.Fail, says: "lags by 11s and the policy allows 10s"},
		{name: "lag unknown", kind: analysis.RecoveryTakeover, text: "cluster shop\ndb1\n  db2 lag=unknown", gate: remediation.GateLag, verdict: remediation.Unknown, says: "not known"},
		{name: "not replicating", kind: analysis.RecoveryTakeover, text: "cluster shop\ndb1\n  db2 receiver=stopped", gate: remediation.GateLag, verdict: remediation.Fail, says: "does not replicate (receiver stopped"},
		{name: "takeover of a replica", kind: analysis.RecoveryTakeover, text: "cluster shop\ndb9\n  db1\n    db2", gate: remediation.GateTarget, verdict: remediation.Fail, says: "a takeover starts from a primary"},
		{name: "takeover of a dead primary", kind: analysis.RecoveryTakeover, text: dead, gate: remediation.GateFinding, verdict: remediation.Fail, says: "that is a failover: baton failover shop"},
		{name: "no such kind", kind: "dance", text: dead, gate: remediation.GateTarget, verdict: remediation.Fail, says: "is no kind of recovery"},
		{name: "no such instance", text: dead, goal: func(g *remediation.Goal) { g.Failed = "db7:3306" }, gate: remediation.GateTarget, verdict: remediation.Fail, says: "db7:3306 is not known"},
	} {
		t.Run(c.name, func(t *testing.T) {
			snap := see(t, c.text)
			kind := c.kind
			if kind == "" {
				kind = failover
			}
			goal, policy := want(snap, kind, "db1:3306"), auto()
			if c.goal != nil {
				c.goal(&goal)
			}
			if c.policy != nil {
				c.policy(&policy)
			}
			plan, err := remediation.Make(goal, snap, policy)
			var r *remediation.Refusal
			if errors.As(err, &r); r != nil && len(plan.Gates) == 0 {
				plan.Gates = r.Gates
			}
			g := gateOf(plan, c.gate)
			if g == nil {
				t.Fatalf("the plan has no gate %s: %+v", c.gate, plan.Gates)
			}
			if g.Verdict != c.verdict || !strings.Contains(g.Evidence, c.says) {
				t.Errorf("%s: %s: %q, want %s: %q", g.Name, g.Verdict, g.Evidence, c.verdict, c.says)
			}
			switch {
			case c.verdict != remediation.Pass && r == nil:
				t.Errorf("the gate does not pass, and yet the plan is not refused")
			case c.verdict != remediation.Pass && r.Reason != c.gate:
				t.Errorf("refused for %s: %s", r.Reason, r.Text)
			case c.verdict != remediation.Pass && len(plan.Stages) > 0:
				t.Errorf("a refused plan has steps")
			}
		})
	}
}

// past is dead with one recovery in the history of the cluster.
func past(words string) string {
	return strings.Replace(dead, "cluster shop\n", "cluster shop named\npast "+words+" id=r1\n", 1)
}

func TestOperatorPassesWhatIsAboutAutomation(t *testing.T) {
	for name, text := range map[string]string{
		"paused":    "pause fleet by=ben" + dead,
		"downtimed": "downtime db1 by=ben" + dead,
		"cooldown":  past("failover outcome=success failed=db9 successor=db1 closed=1m"),
	} {
		snap := see(t, text)
		policy := auto()
		policy.Autonomy, policy.Breaker = remediation.Observe, "open"
		if _, err := remediation.Make(byOperator(want(snap, analysis.RecoveryFailover, "db1:3306")), snap, policy); err != nil {
			t.Errorf("%s: an operator is refused: %v", name, err)
		}
		for _, trigger := range []remediation.Trigger{remediation.TriggerFinding, remediation.TriggerAlert} {
			goal := want(snap, analysis.RecoveryFailover, "db1:3306")
			goal.Trigger = trigger
			if _, err := remediation.Make(goal, snap, auto()); err == nil {
				t.Errorf("%s: a %s is not refused", name, trigger)
			}
		}
	}
	for name, text := range map[string]string{
		"maintenance":      "maintenance shop by=ben" + dead,
		"another recovery": strings.Replace(dead, "cluster shop\n", "cluster shop named\nopen takeover id=r7 failed=db1\n", 1),
	} {
		snap := see(t, text)
		if _, err := remediation.Make(byOperator(want(snap, analysis.RecoveryFailover, "db1:3306")), snap, auto()); err == nil {
			t.Errorf("%s: an operator is not refused", name)
		}
	}
}

// TestOverrides says for every gate whether somebody may allow it not to pass, and shows that naming it helps exactly then.
func TestOverrides(t *testing.T) {
	never := map[remediation.GateName]string{
		remediation.GateFinding:     strings.Replace(dead, "down since=20s", "up", 1),
		remediation.GateQuorum:      "baton nodes=3\n" + dead,
		remediation.GateMaintenance: "maintenance shop by=ben" + dead,
		remediation.GateOpen:        strings.Replace(dead, "cluster shop\n", "cluster shop named\nopen takeover id=r7 failed=db1\n", 1),
		remediation.GateAutomation:  "pause fleet by=ben" + dead,
		remediation.GateDowntime:    "downtime db1 by=ben" + dead,
		remediation.GateCandidate:   strings.ReplaceAll(dead, "receiver=connecting receiver_errno=2003", "promotion=must_not receiver=stopped"),
	}
	may := map[remediation.GateName]string{
		remediation.GateCooldown:   past("failover outcome=success failed=db9 successor=db8 closed=1m"),
		remediation.GateUnacked:    past("failover outcome=success failed=db9 successor=db1 closed=1m"),
		remediation.GateHoldsAll:   replicas("executed=u1:1-98,u8:1", "executed=u1:1-98,u9:1"),
		remediation.GatePrimaryPos: strings.ReplaceAll(frozen, "stopped executed=u1:1-100", "stopped executed=u1:1-97"),
		remediation.GateSemiSync: "cluster shop\ndb1 down since=20s semisync_source=on semisync_wait_for=1 semisync_clients=2 executed=u1:1-9\n" +
			"  db2 receiver=stopped executed=u1:1-9 semisync_replica=on\n  db3 down since=20s executed=u1:1-9 semisync_replica=on\n",
		remediation.GateErrant: replicas("uuid=u2 executed=u1:1-98,u2:1", "uuid=u3 executed=u1:1-98,u3:5"),
		remediation.GateFollow: replicas("executed=u1:1-98 version=9.7.4 promotion=prefer", "executed=u1:1-98 version=8.4.5"),
	}
	check := func(name remediation.GateName, text string, helps bool) {
		snap := see(t, text)
		goal := want(snap, analysis.RecoveryFailover, "db1:3306")
		_, err := remediation.Make(goal, snap, auto())
		if r := refusal(t, err); r.Reason != name {
			t.Errorf("%s: refused for %s instead: %s", name, r.Reason, r.Text)
		}
		goal.Allow, goal.By = []remediation.GateName{name}, "anna"
		plan, err := remediation.Make(goal, snap, auto())
		if (err == nil) != helps || remediation.Overridable(name) != helps {
			t.Errorf("%s: allowing it gives %v, want that it helps: %t", name, err, helps)
		}
		if g := gateOf(plan, name); helps && (g == nil || g.Overruled != "anna" || !g.Passes()) {
			t.Errorf("%s: who allowed it is not told: %+v", name, g)
		}
		policy := auto()
		policy.Allow = []remediation.GateName{name}
		goal.Allow = nil
		if plan, err = remediation.Make(goal, snap, policy); (err == nil) != helps {
			t.Errorf("%s: allowing it by policy gives %v", name, err)
		}
		if g := gateOf(plan, name); helps && (g == nil || g.Overruled != "policy") {
			t.Errorf("%s: that the policy allowed it is not told: %+v", name, g)
		}
		hint := refusalHint(byOperator(goal), snap)
		if offered := strings.Contains(hint, "--allow "+string(name)); offered != helps && name != remediation.GateCooldown && name != remediation.GateUnacked && hint != "-" {
			t.Errorf("%s: the hint is %q", name, hint)
		}
	}
	for name, text := range never {
		check(name, text, false)
	}
	for name, text := range may {
		check(name, text, true)
	}
	geo := see(t, strings.ReplaceAll(strings.Replace(frozen, "writable", "dc=a", 1), "receiver=stopped", "receiver=stopped dc=b"))
	policy := auto()
	policy.SameDC = true
	if _, err := remediation.Make(byOperator(want(geo, analysis.RecoveryFailover, "db1:3306"), remediation.GateGeography), geo, policy); err != nil {
		t.Errorf("geography: %v", err)
	}
	lag := see(t, "cluster shop\ndb1\n  db2 lag=unknown")
	if _, err := remediation.Make(byOperator(want(lag, analysis.RecoveryTakeover, "db1:3306"), remediation.GateLag), lag, auto()); err != nil {
		t.Errorf("lag: %v", err)
	}
}

// refusalHint is what an operator is told; "-" where he is not refused.
func refusalHint(goal remediation.Goal, snap *topology.Snapshot) string {
	_, err := remediation.Make(goal, snap, auto())
	var r *remediation.Refusal
	if !errors.As(err, &r) {
		return "-"
	}
	return r.Hint
}
