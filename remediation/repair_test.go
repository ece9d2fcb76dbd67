package remediation_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/internal/sim"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

func TestRelocateGates(t *testing.T) {
	const ok = "cluster shop\ndb1 executed=u1:1-9\n  db2 executed=u1:1-9\n  db3 executed=u1:1-8"
	for _, c := range []struct {
		name, text, to string
		reason         remediation.GateName
		says           string
	}{
		{"may be moved", ok, "db2:3306", "", ""},
		{"below an unknown one", ok, "db9:3306", remediation.GateTarget, "db9:3306 is not known"},
		{"below itself", ok, "db3:3306", remediation.GateTarget, "cannot replicate from itself"},
		{"where it is", ok, "db1:3306", remediation.GateTarget, "replicates from db1:3306 already"},
		{"below its own replica", "cluster shop\ndb1\n  db3\n    db2", "db2:3306", remediation.GateTarget, "that would be a circle"},
		{"into another cluster", ok + "\n\ncluster other\ndb8", "db8:3306", remediation.GateTarget, "is in cluster shop and db8:3306 in other"},
		{"below one that is down", strings.Replace(ok, "db2", "db2 down", 1), "db2:3306", remediation.GateTarget, "both must be up"},
		{"below one that does not log", strings.Replace(ok, "db2", "db2 no_log_replica_updates", 1), "db2:3306", remediation.GateTarget, "does not log what it replicates"},
		{"without GTIDs", strings.Replace(ok, "db3", "db3 no_gtid", 1), "db2:3306", remediation.GateTarget, "needs GTIDs on both sides"},
		{"below a newer version", strings.Replace(ok, "db3", "db3 version=8.4.5", 1), "db2:3306", remediation.GateFollow, "is older"},
		{"below one that has purged what it needs", strings.Replace(ok, "db2", "db2 purged=u1:1-9", 1), "db2:3306", remediation.GateHoldsAll, "has purged 1 transactions that db3:3306 still needs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			snap := see(t, c.text)
			goal := byOperator(want(snap, remediation.RelocateOne, "db3:3306"))
			goal.To = topology.InstanceID(c.to)
			plan, err := remediation.Make(goal, snap, auto())
			if c.reason == "" {
				if err != nil {
					t.Fatal(err)
				}
				same(t, "plan", script(plan), "relocate: point_at db3 < db2")
				return
			}
			if r := refusal(t, err); r.Reason != c.reason || !strings.Contains(r.Text, c.says) {
				t.Errorf("refused for %s: %s", r.Reason, r.Text)
			}
		})
	}
	primary := see(t, ok)
	goal := byOperator(want(primary, remediation.RelocateOne, "db1:3306"))
	goal.To = "db2:3306"
	_, err := remediation.Make(goal, primary, auto())
	if r := refusal(t, err); !strings.Contains(r.Text, "moving the primary is a takeover: baton takeover shop") {
		t.Error(r)
	}
}

func TestRelocateLetsTheSourceCatchUp(t *testing.T) {
	snap := see(t, "cluster shop\ndb1\n  db2 executed=u1:1-5 retrieved=u1:6-9\n  db3 executed=u1:1-7 retrieved=u1:8")
	goal := byOperator(want(snap, remediation.RelocateOne, "db3:3306"))
	goal.To = "db2:3306"
	plan, err := remediation.Make(goal, snap, auto())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "plan", script(plan), "catch_up: wait_applied db2\nrelocate: point_at db3 < db2")
	if wait := plan.Steps()[0].GTIDs.String(); !strings.HasSuffix(wait, ":1-8") {
		t.Errorf("waits for %s: what is received counts", wait)
	}
}

func TestRelocateIsPutBack(t *testing.T) {
	for _, mariaDB := range []bool{false, true} {
		inWorld(t, shop(3, sim.Options{Seed: 2, MariaDB: mariaDB, WriteEvery: 5 * time.Millisecond}), func(w *world) {
			w.Deny("db3:3306", "db2:3306", true)
			goal := w.goal(remediation.RelocateOne, "db3:3306")
			goal.To = "db2:3306"
			res := w.recover(goal)
			if res.Outcome != remediation.OutcomeFailed || !strings.Contains(res.Text, "error 1045") {
				t.Errorf("%s: %s", res.Outcome, res.Text)
			}
			w.settle()
			w.holds(true)
			if want := "db3:3306 < db1:3306"; !strings.Contains(w.Shape(), want) {
				t.Errorf("%s, want %s", w.Shape(), want)
			}
		})
	}
}

// TestRelocateUnderLoad: a MariaDB source turns away a replica that is a moment ahead of it, and the replica does not come back by itself.
func TestRelocateUnderLoad(t *testing.T) {
	for seed := range uint64(20) {
		inWorld(t, shop(3, sim.Options{Seed: seed, MariaDB: true, WriteEvery: time.Millisecond, Stream: 3, Apply: 2}), func(w *world) {
			w.Pass(100 * time.Millisecond)
			w.look()
			goal := w.goal(remediation.RelocateOne, "db3:3306")
			goal.To = "db2:3306"
			if res := w.recover(goal); res.Outcome != remediation.OutcomeSuccess {
				t.Errorf("seed %d: %s: %s\n%s", seed, res.Outcome, res.Text, w.story())
			}
			w.settle()
			w.holds(true)
		})
	}
}

func TestRejoin(t *testing.T) {
	const head = "cluster shop named primary=db2\ndb2 writable executed=u1:1-9,u2:1-5\n  db3 executed=u1:1-9\n"
	const twoHead = "\n"
	for _, c := range []struct {
		name, text, script string
		change             func(*remediation.Goal, *remediation.Policy)
		complete           bool
		waits              string
	}{
		{name: "open: it is closed first", text: head + "db1 writable deposed executed=u1:1-9" + twoHead, script: "fence: fence db1\nverify: record_fenced db1"},
		{name: "open and ahead: closed first all the same", text: head + "db1 writable deposed executed=u1:1-19", script: "fence: fence db1\nverify: record_fenced db1"},
		{name: "clean: it follows", text: head + "db1 super_read_only deposed executed=u1:1-9", script: "repoint: point_at db1 < db2"},
		{name: "ahead: it is quarantined", text: head + "db1 super_read_only deposed executed=u1:1-12", script: "verify: quarantine db1"},
		{name: "connecting", text: head + "  db1 deposed receiver=connecting executed=u1:1-9", waits: "db1:3306 connects to db2:3306"},
		{name: "connected: it is released", text: head + "  db1 deposed executed=u1:1-9", script: "verify: record_rejoined db1 < db2"},
		{name: "released: nothing is left", text: head + "  db1 executed=u1:1-9", complete: true},
		{name: "quarantined already", text: head + "db1 super_read_only deposed quarantined executed=u1:1-12", complete: true},
		{name: "quarantined and open again", text: head + "db1 writable deposed quarantined executed=u1:1-12", script: "fence: fence db1\nverify: record_fenced db1"},
		{name: "the policy leaves it to people", text: head + "db1 super_read_only deposed executed=u1:1-9", complete: true, change: func(_ *remediation.Goal, p *remediation.Policy) { p.RejoinDeposed = false }},
		{
			name: "it could not follow", text: head + "  db1 deposed receiver=stopped receiver_errno=1236 executed=u1:1-9", script: "verify: quarantine db1",
			change: func(g *remediation.Goal, _ *remediation.Policy) {
				g.Lost = map[topology.InstanceID]string{"db1:3306": "error 1236"}
			},
		},
		{name: "a fence is never taken back", text: head + "db1 super_read_only deposed executed=u1:1-9", complete: true, change: func(g *remediation.Goal, _ *remediation.Policy) { g.Abort = true }},
		{name: "the primary does not answer", text: strings.Replace(head, "db2 writable", "db2 partial writable", 1) + "db1 super_read_only deposed executed=u1:1-9", waits: "db2:3306, the primary, is partial"},
	} {
		t.Run(c.name, func(t *testing.T) {
			snap := see(t, c.text)
			goal, policy := want(snap, analysis.RecoveryFence, "db1:3306"), auto()
			if c.change != nil {
				c.change(&goal, &policy)
			}
			plan, err := remediation.Make(goal, snap, policy)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "plan", script(plan), c.script)
			if plan.Complete != c.complete || !strings.Contains(plan.Waiting, c.waits) || (plan.Waiting == "") != (c.waits == "") {
				t.Errorf("complete %t, waiting %q", plan.Complete, plan.Waiting)
			}
		})
	}
	ahead := see(t, head+"db1 super_read_only deposed executed=u1:1-12,u7:4")
	plan, err := remediation.Make(want(ahead, analysis.RecoveryRejoin, "db1:3306"), ahead, auto())
	if err != nil {
		t.Fatal(err)
	}
	const exactly = "00000000-0000-0000-0000-000000000001:10-12,00000000-0000-0000-0000-000000000007:4"
	if s := plan.Steps()[0]; plan.AtRisk.String() != exactly || s.GTIDs.String() != exactly || !strings.Contains(s.Why, "it holds 4 transactions that db2:3306 does not have: "+exactly) {
		t.Errorf("at risk %s, %s: %s", plan.AtRisk, s.GTIDs, s.Why)
	}
	alone := see(t, "cluster shop\ndb1 writable")
	_, err = remediation.Make(want(alone, analysis.RecoveryFence, "db1:3306"), alone, auto())
	if r := refusal(t, err); r.Reason != remediation.GateTarget || !strings.Contains(r.Text, "no other primary") {
		t.Error(r)
	}
}

// TestRejoinOfAFork: two MariaDB servers gave the same number to different transactions. Positions do not tell; the new primary does, by turning
// the old one away.
func TestRejoinOfAFork(t *testing.T) {
	inWorld(t, shop(2, sim.Options{Seed: 6, MariaDB: true, WriteEvery: 5 * time.Millisecond}), func(w *world) {
		w.Pass(200 * time.Millisecond)
		w.look()
		w.Isolate("db1:3306")
		w.Heal("db1:3306", sim.Clients) // it goes on alone
		w.lost("db1:3306")
		w.policy.Allow = []remediation.GateName{remediation.GatePrimaryPos}
		if res := w.recover(w.goal(analysis.RecoveryFailover, "db1:3306")); res.Outcome != remediation.OutcomeSuccess {
			t.Fatalf("%s: %s", res.Outcome, res.Text)
		}
		w.Pass(2 * time.Second)
		w.HealAll()
		w.settle()
		if _, ok := w.Intents().Quarantined["db1:3306"]; !ok {
			t.Errorf("a server with a history of its own is not quarantined: %s", w.Shape())
		}
		w.holds(false)
	})
}

func TestRestartReceivers(t *testing.T) {
	const head = "cluster shop\ndb1 down since=5s executed=u1:1-9\n"
	const silent, fell = " heard=9s receiver_since=1h executed=u1:1-9\n", " heard=6s receiver_since=1h executed=u1:1-9\n"
	for _, c := range []struct {
		name, text, script string
		complete, refused  bool
	}{
		{name: "one first", text: head + "  db2" + silent + "  db3" + silent, script: "verify: restart_receiver db2 < db1"},
		{name: "all together where all fell silent with it", text: head + "  db2" + fell + "  db3" + fell, script: "verify: restart_receiver db2 < db1\nverify: restart_receiver db3 < db1"},
		{name: "one first where one had been silent before", text: head + "  db2" + fell + "  db3" + silent, script: "verify: restart_receiver db2 < db1"},
		{name: "none while one is being tested", text: head + "  db2 receiver=connecting receiver_since=0s\n  db3" + silent, complete: true},
		{
			name: "the rest when it has lost it", text: head + "  db2 receiver=connecting receiver_errno=2003 receiver_since=1s\n  db3" + silent + "  db4" + silent,
			script: "verify: restart_receiver db3 < db1\nverify: restart_receiver db4 < db1",
		},
		{name: "none while one still receives", text: head + "  db2 heard=0s receiver_since=1h\n  db3" + silent, refused: true},
		{name: "none when the source is back", text: strings.Replace(head, "down since=5s", "up", 1) + "  db2" + silent, complete: true},
		{name: "none where there is nobody to ask", text: head + "  db2 receiver=stopped\n", complete: true},
		{name: "the only one", text: head + "  db2" + silent, script: "verify: restart_receiver db2 < db1"},
		{name: "MySQL keeps what is not applied", text: head + "  db2 heard=6s receiver_since=1h executed=u1:1-5 retrieved=u1:6-9\n", script: "verify: restart_receiver db2 < db1"},
		{name: "MariaDB drops what is not applied", text: strings.Replace(head, "executed=u1:1-9", "version=10.11.6-MariaDB", 1) + "  db2 version=10.11.6-MariaDB heard=6s receiver_since=1h executed=0-1-5 retrieved=0-1-9\n", complete: true},
		{
			name: "MariaDB has applied all", text: strings.Replace(head, "executed=u1:1-9", "version=10.11.6-MariaDB", 1) + "  db2 version=10.11.6-MariaDB heard=6s receiver_since=1h executed=0-1-9 retrieved=0-1-9\n",
			script: "verify: restart_receiver db2 < db1",
		},
		{name: "MariaDB that does not apply is left alone", text: strings.Replace(head, "executed=u1:1-9", "version=10.11.6-MariaDB", 1) + "  db2 version=10.11.6-MariaDB heard=6s receiver_since=1h applier=stopped executed=0-1-9 retrieved=0-1-9\n", complete: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			snap := see(t, c.text)
			plan, err := remediation.Make(want(snap, analysis.RecoveryRestartReceivers, "db1:3306"), snap, auto())
			if c.refused {
				if r := refusal(t, err); r.Reason != remediation.GateFinding || !strings.Contains(r.Text, "db2:3306 still receives") {
					t.Error(r)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			same(t, "plan", script(plan), c.script)
			if plan.Complete != c.complete {
				t.Errorf("complete is %t", plan.Complete)
			}
		})
	}
}

// TestHangIsProven: replicas of a primary that hangs hear nothing and believe it alive until their own timeout. Testing their links tells sooner.
func TestHangIsProven(t *testing.T) {
	for _, mariaDB := range []bool{false, true} {
		inWorld(t, shop(3, sim.Options{Seed: 5, MariaDB: mariaDB, WriteEvery: 5 * time.Millisecond, NetTimeout: time.Minute}), func(w *world) {
			w.Pass(time.Second)
			w.look()
			w.Hang("db1:3306")
			w.until("the primary is down", func(s *topology.Snapshot) bool { return s.Instance("db1:3306").Down })
			began := time.Now()
			tests := 0
			for ; tests < 20; tests++ {
				snap := w.look()
				lost := 0
				for _, id := range []topology.InstanceID{"db2:3306", "db3:3306", "db4:3306"} {
					if snap.Testimony(snap.Instance(id)) == topology.TestimonyLostIt {
						lost++
					}
				}
				if lost == 3 {
					break
				}
				goal := w.goal(analysis.RecoveryReprobe, "db1:3306")
				remediation.Recover(context.Background(), remediation.Recovery{Goal: goal, Policy: w.policy, Observe: w.Observe, Actor: w.Live})
				w.Pass(200 * time.Millisecond)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("MariaDB %t: it took %s to know", mariaDB, took)
			}
			if v := w.Violations(); len(v) > 0 {
				t.Error(v)
			}
		})
	}
}

// TestUntestableReceiverEnds: a replica whose receiver cannot be restarted is asked once and not for ever.
func TestUntestableReceiverEnds(t *testing.T) {
	inWorld(t, shop(1, sim.Options{Seed: 5, WriteEvery: 5 * time.Millisecond, NetTimeout: time.Minute}), func(w *world) {
		w.Pass(time.Second)
		w.look()
		w.Hang("db1:3306")
		w.until("the primary is down", func(s *topology.Snapshot) bool { return s.Instance("db1:3306").Down })
		w.around = func(a remediation.Actor) remediation.Actor {
			return failing(a, "db2:3306", remediation.RestartReceiver, 1000)
		}
		w.recover(w.goal(analysis.RecoveryRestartReceivers, "db1:3306"))
		if n := strings.Count(w.story(), "restart the receiver"); n != 1 {
			t.Errorf("it was tried %d times", n)
		}
	})
}
