package remediation_test

import (
	"strings"
	"testing"
	"time"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/internal/sim"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// planned is the next plan of a takeover of db1 that the ledger has opened.
func planned(t *testing.T, text string, change ...func(*remediation.Goal)) remediation.Plan {
	t.Helper()
	snap := see(t, text)
	goal := byOperator(want(snap, analysis.RecoveryTakeover, "db1:3306"))
	goal.Opened = true
	for _, c := range change {
		c(&goal)
	}
	plan, err := remediation.Make(goal, snap, auto())
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func TestTakeoverGathersBeforeItCloses(t *testing.T) {
	plan := planned(t, "cluster shop\ndb1 executed=u1:1-9\n  db2 promotion=prefer executed=u1:1-9\n  db3\n  db4")
	same(t, "plan", script(plan), "relocate: point_at db3 < db2\nrelocate: point_at db4 < db2")
	if plan.Successor != "db2:3306" || !strings.Contains(plan.Next, "db1:3306 is closed, and db2:3306 opens at exactly its position") {
		t.Errorf("successor %s, next %q", plan.Successor, plan.Next)
	}
	for _, s := range plan.Steps() {
		if s.MayFail {
			t.Errorf("%s may fail, and must not: it can still be put back", s)
		}
	}
}

func TestTakeoverCloses(t *testing.T) {
	plan := planned(t, "cluster shop\ndb1 executed=u1:1-9\n  db2 promotion=prefer executed=u1:1-7\n    db3")
	same(t, "plan", script(plan), "catch_up: wait_applied db2\nfence: fence db1")
	wait, fence := plan.Steps()[0], plan.Steps()[1]
	if wait.Timeout != 10*time.Second || wait.GTIDs.String() != "00000000-0000-0000-0000-000000000001:1-9" || fence.Timeout != 5*time.Second {
		t.Errorf("waits %s for %s, closes within %s", wait.Timeout, wait.GTIDs, fence.Timeout)
	}
}

func TestTakeoverHandsOver(t *testing.T) {
	plan := planned(t, "cluster shop\ndb1 super_read_only executed=u1:1-9\n  db2 promotion=prefer executed=u1:1-7 retrieved=u1:8-9\n    db3")
	same(t, "plan", script(plan), `
drain: wait_applied db2
decide: agree_primary db2 < db1
promote: make_primary db2
repoint: point_at db1 < db2 (background)`)
	if decide := plan.Steps()[1]; decide.GTIDs.String() != "00000000-0000-0000-0000-000000000001:1-9" {
		t.Errorf("agrees on %s", decide.GTIDs)
	}
}

// TestTakeoverWaitsForTheGathered: a sibling that cannot follow is found out while everything can still be put back.
func TestTakeoverWaitsForTheGathered(t *testing.T) {
	plan := planned(t, "cluster shop\ndb1\n  db2\n    db3 receiver=connecting receiver_errno=1045", func(g *remediation.Goal) {
		g.Followers = []topology.InstanceID{"db2:3306", "db3:3306"}
	})
	if len(plan.Stages) > 0 || !strings.Contains(plan.Waiting, "db3:3306 connects to db2:3306 (connecting, error 1045)") || plan.WaitingFor != "" {
		t.Errorf("%q for %q\n%s", plan.Waiting, plan.WaitingFor, script(plan))
	}
}

// TestTakeoverStaysWithItsChoice: which replica is freshest changes all the time, and a second choice would send the siblings round in circles.
func TestTakeoverStaysWithItsChoice(t *testing.T) {
	plan := planned(t, "cluster shop\ndb1 executed=u1:1-9\n  db2 executed=u1:1-5\n    db3 executed=u1:1-5\n  db4 executed=u1:1-9", func(g *remediation.Goal) {
		g.Followers = []topology.InstanceID{"db2:3306", "db3:3306", "db4:3306"}
	})
	if plan.Successor != "db2:3306" {
		t.Errorf("db3 is below db2 already, and now %s is chosen:\n%s", plan.Successor, script(plan))
	}
}

func TestTakeoverLeavesAcknowledgersBehind(t *testing.T) {
	for _, c := range []struct {
		name, wait, db2, db3, db4, gathered string
	}{
		{"one acknowledgement, the candidate gives it", "1", "semisync_replica=on", "semisync_replica=on", "semisync_replica=on", "db3 db4"},
		{"two: one stays beside the candidate", "2", "semisync_replica=on", "semisync_replica=on", "semisync_replica=on", "db4"},
		{"one, and the candidate does not acknowledge", "1", "", "semisync_replica=on", "semisync_replica=on", "db4"},
		{"who is not connected cannot stay for it", "2", "semisync_replica=on", "semisync_replica=on receiver=connecting", "semisync_replica=on", "db3"},
		{"who does not acknowledge need not stay", "2", "semisync_replica=on", "", "semisync_replica=on", "db3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			plan := planned(t, "cluster shop\ndb1 semisync_source=on semisync_clients=3 semisync_wait_for="+c.wait+
				"\n  db2 promotion=prefer "+c.db2+"\n  db3 "+c.db3+"\n  db4 "+c.db4)
			var moved []string
			for _, s := range plan.Steps() {
				moved = append(moved, s.On.Host())
			}
			if got := strings.Join(moved, " "); got != c.gathered {
				t.Errorf("gathers %q, want %q", got, c.gathered)
			}
		})
	}
}

func TestTakeoverLetsDelayedSiblingsFollowLater(t *testing.T) {
	plan := planned(t, "cluster shop\ndb1 executed=u1:1-9\n  db2 promotion=prefer executed=u1:1-9\n  db3 delay=1h")
	same(t, "before anything is closed", script(plan), "catch_up: wait_applied db2\nfence: fence db1")
	plan = planned(t, "cluster shop\ndb1 super_read_only executed=u1:1-9\n  db2 promotion=prefer executed=u1:1-9\n  db3 delay=1h executed=u1:1-3 retrieved=u1:4-9")
	same(t, "when it hands over", script(plan), `
decide: agree_primary db2 < db1
promote: make_primary db2
repoint: point_at db3 < db2 (background)
repoint: point_at db1 < db2 (background)`)
}

func TestTakeoverOfAClosedPrimary(t *testing.T) {
	plan := planned(t, "cluster shop\ndb1 super_read_only executed=u1:1-9\n  db2 executed=u1:1-9")
	if strings.Contains(script(plan), "fence") {
		t.Errorf("it is closed already:\n%s", script(plan))
	}
	half := planned(t, "cluster shop\ndb1 read_only executed=u1:1-9\n  db2 executed=u1:1-9")
	if !strings.Contains(script(half), "fence: fence db1") {
		t.Errorf("read_only without super_read_only does not keep everybody out:\n%s", script(half))
	}
	maria := planned(t, "cluster shop\ndb1 version=10.11.6-MariaDB read_only executed=0-1-9\n  db2 version=10.11.6-MariaDB executed=0-1-9 retrieved=0-1-9")
	if strings.Contains(script(maria), "fence") {
		t.Errorf("MariaDB has nothing more than read_only:\n%s", script(maria))
	}
}

func TestTakeoverAbort(t *testing.T) {
	abort := func(change ...func(*remediation.Goal)) func(*remediation.Goal) {
		return func(g *remediation.Goal) {
			g.ID, g.Abort, g.Closed, g.Followers = "r1", true, false, []topology.InstanceID{"db2:3306", "db3:3306"}
			for _, c := range change {
				c(g)
			}
		}
	}
	agreed := func(g *remediation.Goal) { g.Successor = "db2:3306" }
	const (
		head   = "cluster shop named primary=db1\n"
		moved  = head + "open takeover id=r1 failed=db1 since=3s\n"
		handed = "cluster shop named primary=db2\nopen takeover id=r1 failed=db1 since=3s\n"
	)
	for _, c := range []struct {
		name, text, script string
		change             func(*remediation.Goal)
		waits              string
	}{
		{name: "nothing was changed", text: moved + "db1\n  db2\n  db3", change: abort(), script: ""},
		{name: "siblings go back", text: moved + "db1\n  db2\n    db3", change: abort(), script: "restore: point_at db3 < db1"},
		{name: "the old primary opens first", text: moved + "db1 super_read_only\n  db2\n    db3", change: abort(), script: "restore: unfence db1\nrestore: point_at db3 < db1"},
		{name: "unless it was closed before", text: moved + "db1 super_read_only\n  db2\n    db3", change: abort(func(g *remediation.Goal) { g.Closed = true }), script: "restore: point_at db3 < db1"},
		{name: "its semi-sync was switched off", text: moved + "db1 semisync_source=off\n  db2\n  db3", change: abort(func(g *remediation.Goal) { g.SemiSyncWait = 1 }), script: "restore: unfence db1"},
		{
			name: "the ledger has agreed on the successor", text: handed + "db1 super_read_only deposed=1s deposed_from=shop\n  db2\n    db3", change: abort(agreed),
			script: "fence: fence db2\ndecide: record_rejoined db1\ndecide: agree_primary db1\nrestore: unfence db1\nrestore: point_at db3 < db1",
		},
		{
			name: "although nobody told us", text: handed + "db1 super_read_only deposed=1s deposed_from=shop\n  db2\n    db3", change: abort(),
			script: "fence: fence db2\ndecide: record_rejoined db1\ndecide: agree_primary db1\nrestore: unfence db1\nrestore: point_at db3 < db1",
		},
		{
			name: "the successor is open", text: handed + "db1 super_read_only deposed=1s deposed_from=shop executed=u1:1-9\ndb2 writable executed=u1:1-9\n  db3 executed=u1:1-9", change: abort(agreed),
			script: "repoint: point_at db1 < db2",
		},
		{
			name: "the successor is open and half cleaned up", text: handed + "db1 super_read_only deposed=1s deposed_from=shop executed=u1:1-9\n  db2 writable executed=u1:1-9 receiver=stopped\n    db3 executed=u1:1-9",
			change: abort(agreed), script: "promote: make_primary db2",
		},
		{name: "whether the successor opened is not known", text: handed + "db1 super_read_only deposed=1s deposed_from=shop\n  db2 partial\n    db3", change: abort(agreed), waits: "whether db2:3306 was opened is not known"},
		{
			name: "the successor is down and nobody has anything from it", change: abort(agreed),
			text:   handed + "db1 super_read_only deposed=1s deposed_from=shop executed=u1:1-9\n  db2 down executed=u1:1-9\n    db3 executed=u1:1-9 receiver=stopped receiver_since=1h",
			script: "decide: record_rejoined db1\ndecide: agree_primary db1 < db2\nrestore: unfence db1\nrestore: point_at db3 < db1",
		},
		{
			name: "the successor is down, and who is below it must not get more", change: abort(agreed),
			text:   handed + "db1 super_read_only deposed=1s deposed_from=shop executed=u1:1-9\n  db2 down executed=u1:1-9\n    db3 executed=u1:1-9 receiver=connecting receiver_errno=2003",
			script: "freeze: stop_receiver db3",
		},
		{
			name: "a sibling got something from the successor", change: abort(),
			text:   moved + "db1 executed=u1:1-9\n  db2 down executed=u1:1-9 deposed=1s\n    db3 executed=u1:1-9,u2:1-2 uuid=u3 receiver=stopped receiver_since=1h",
			script: "restore: quarantine db3",
		},
		{
			name: "a sibling got it after it was put back", change: abort(),
			text:   moved + "db1 executed=u1:1-9\n  db2\n  db3 executed=u1:1-9,u2:1-2 uuid=u3",
			script: "verify: quarantine db3",
		},
		{
			name: "the successor is down and somebody still receives from it", change: abort(agreed), waits: "db3:3306 still receives from it",
			text: handed + "db1 super_read_only deposed=1s deposed_from=shop executed=u1:1-9\n  db2 down executed=u1:1-9\n    db3 executed=u1:1-9 heard=0s",
		},
		{name: "the old primary is out of reach and its replicas hold on to it", text: moved + "db1 down seen=20s\n  db2 heard=0s\n    db3", change: abort(), waits: "db1:3306, which must be open again, is timeout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			plan := planned(t, c.text, c.change)
			same(t, "plan", script(plan), c.script)
			if !strings.Contains(plan.Waiting, c.waits) || (plan.Waiting == "") != (c.waits == "") {
				t.Errorf("waits: %q, want %q", plan.Waiting, c.waits)
			}
			if c.script == "" && c.waits == "" && !plan.Complete {
				t.Error("nothing is left to do, and the plan is not complete")
			}
		})
	}
}

// TestTakeoverGivenUpByAnotherLeader: the ledger names the old primary again, by this very recovery. It is being given up, and not promoted.
func TestTakeoverGivenUpByAnotherLeader(t *testing.T) {
	plan := planned(t, "cluster shop named primary=db1\nopen takeover id=r1 failed=db1\ndb1 super_read_only executed=u1:1-9\n  db2 executed=u1:1-9\n    db3 executed=u1:1-9",
		func(g *remediation.Goal) {
			g.ID, g.Closed, g.Successor, g.Followers = "r1", false, "db1:3306", []topology.InstanceID{"db2:3306", "db3:3306"}
		})
	same(t, "plan", script(plan), "restore: unfence db1\nrestore: point_at db3 < db1")
	for _, s := range plan.Steps() {
		if s.On == s.Source {
			t.Errorf("%s follows itself", s.On)
		}
	}
}

func TestTakeoverEndsWithTheOldPrimaryBelow(t *testing.T) {
	const text = "cluster shop named primary=db2\ndb2 writable executed=u1:1-9,u2:1-3\n  db3 executed=u1:1-9\n"
	done := func(g *remediation.Goal) { g.ID, g.Successor = "r1", "db2:3306" }
	plan := planned(t, text+"db1 super_read_only executed=u1:1-9 deposed=1s", done)
	same(t, "it follows", script(plan), "repoint: point_at db1 < db2")
	plan = planned(t, text+"db1 super_read_only executed=u1:1-11 deposed=1s", done)
	same(t, "it holds more", script(plan), "verify: quarantine db1")
	if plan.AtRisk.String() != "00000000-0000-0000-0000-000000000001:10-11" {
		t.Errorf("at risk: %s", plan.AtRisk)
	}
	plan = planned(t, text+"  db1 receiver=connecting deposed=1s executed=u1:1-9", done)
	if plan.Complete || plan.WaitingFor != "db1:3306" {
		t.Errorf("it is not connected yet: %q for %q\n%s", plan.Waiting, plan.WaitingFor, script(plan))
	}
	plan = planned(t, text+"  db1 deposed=1s executed=u1:1-9", done)
	same(t, "it is released", script(plan), "verify: record_rejoined db1 < db2")
	plan = planned(t, text+"  db1 executed=u1:1-9", done)
	if !plan.Complete {
		t.Errorf("nothing is left to do:\n%s", script(plan))
	}
	plan = planned(t, text+"db1 writable executed=u1:1-9 deposed=1s", done)
	same(t, "it was opened behind our back", script(plan), "fence: fence db1")
	plan = planned(t, text+"db1 super_read_only executed=u1:1-9", done)
	same(t, "it was released too early", script(plan), "decide: agree_primary db2 < db1")
}

// TestTakeoverLosesNothing: all acknowledged writes are on the new primary, and every server is where it belongs, on both flavours.
func TestTakeoverLosesNothing(t *testing.T) {
	for _, mariaDB := range []bool{false, true} {
		for _, wait := range []int{0, 1, 2} {
			inWorld(t, shop(3, sim.Options{Seed: 9, WaitFor: wait, MariaDB: mariaDB, WriteEvery: 2 * time.Millisecond, Apply: 2}), func(w *world) {
				w.Pass(500 * time.Millisecond)
				w.look()
				res := w.recover(w.goal(analysis.RecoveryTakeover, "db1:3306"))
				if res.Outcome != remediation.OutcomeSuccess {
					t.Errorf("%s: %s\n%s", res.Outcome, res.Text, w.story())
				}
				w.settle()
				w.holds(true)
				if _, deposed := w.Intents().Deposed["db1:3306"]; deposed {
					t.Error("the old primary follows and is still deposed")
				}
			})
		}
	}
}

// TestTakeoverRefusesWhoCannotFollow: a sibling that the candidate turns away ends the takeover before anything is closed.
func TestTakeoverRefusesWhoCannotFollow(t *testing.T) {
	inWorld(t, shop(3, sim.Options{Seed: 2, WriteEvery: 5 * time.Millisecond}), func(w *world) {
		w.Deny("db3:3306", "db2:3306", true)
		goal := w.goal(analysis.RecoveryTakeover, "db1:3306")
		goal.To = "db2:3306"
		res := w.recover(goal)
		if res.Outcome != remediation.OutcomeFailed || !strings.Contains(res.Text, "db3:3306 connects to db2:3306 (connecting, error 1045)") {
			t.Errorf("%s: %s", res.Outcome, res.Text)
		}
		if strings.Contains(w.story(), "fence") {
			t.Errorf("the primary was closed:\n%s", w.story())
		}
		w.settle()
		w.holds(true)
		if want := "agreed db1:3306; db1:3306 open; db2:3306 < db1:3306; db3:3306 < db1:3306; db4:3306 < db1:3306"; w.Shape() != want {
			t.Errorf("%s", w.Shape())
		}
	})
}

func TestGoalRemembers(t *testing.T) {
	snap := see(t, "cluster shop\ndb1 executed=u1:1-9 uuid=u1 dc=a region=eu semisync_source=on semisync_wait_for=2\n  db2 sync_binlog=100 flush_log=2\n  db3")
	g := want(snap, analysis.RecoveryTakeover, "db1:3306")
	if g.Cluster != "shop" || g.LastPosition.Count() != 9 || g.SemiSyncWait != 2 || g.DataCenter != "a" || g.Region != "eu" || g.PrimaryUUID == "" || g.Closed || !g.LastSeen.Equal(snap.At) {
		t.Errorf("%+v", g)
	}
	if len(g.Followers) != 2 || g.Durable["db2:3306"] != (remediation.Durability{SyncBinlog: 100, FlushLogAtTrxCommit: 2}) {
		t.Errorf("followers %v, durable %v", g.Followers, g.Durable)
	}
	if g := want(see(t, "cluster shop\ndb1 super_read_only\n  db2"), analysis.RecoveryTakeover, "db1:3306"); !g.Closed {
		t.Error("it is closed already")
	}
	if g := want(snap, analysis.RecoveryTakeover, "db9:3306"); g.Cluster != "" {
		t.Errorf("%+v", g)
	}
}

// TestTakeoverSeesAFork: the old primary was restarted open and has counted on. By numbers alone it has all that its successor wrote, and it has not.
func TestTakeoverSeesAFork(t *testing.T) {
	for holds, refused := range map[string]bool{"0-2-15": true, "0-1-15": false} {
		text := strings.NewReplacer(" V ", " version=10.11.6-MariaDB ", "=H", "="+holds).Replace("cluster shop named primary=db2 members=db1,db2,db3\nopen takeover id=r1 failed=db1 since=3s\n" +
			"db1 writable V server_id=1 deposed=1s deposed_from=shop executed=0-1-20\ndb2 down V server_id=2 executed=0-1-9\n" +
			"  db3 V executed=H retrieved=H receiver=stopped receiver_since=1h")
		snap := see(t, text)
		goal := byOperator(want(snap, analysis.RecoveryTakeover, "db1:3306"))
		goal.ID, goal.Opened, goal.Abort, goal.Successor, goal.Followers = "r1", true, true, "db2:3306", []topology.InstanceID{"db2:3306", "db3:3306"}
		_, err := remediation.Make(goal, snap, auto())
		if refused != (err != nil) {
			t.Errorf("db3 holds %s: %v", holds, err)
		}
		if refused && !strings.Contains(err.Error(), "are not on db1:3306: 0-2-15") {
			t.Error(err)
		}
	}
}
