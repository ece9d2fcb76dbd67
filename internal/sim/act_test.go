package sim_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/batondb/baton/internal/sim"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

func TestPromotionRefusesWhatIsNotApplied(t *testing.T) {
	live(t, three(sim.Options{}), func(t *testing.T, l *sim.Live) {
		l.StallApplier(db2, true)
		_, _ = l.Write(db1)
		l.Pass(50 * time.Millisecond)
		says(t, do(t, l, remediation.Step{Action: remediation.MakePrimary, On: db2}), "not applied")
		says(t, do(t, l, remediation.Step{Action: remediation.MakePrimary, On: db3, GTIDs: topology.MustParseGTIDSet("00000000-0000-0000-0000-000000000009:1")}), "which a primary must have")
		l.BreakApplier(db2, 1062)
		says(t, do(t, l, remediation.Step{Action: remediation.WaitApplied, On: db2, GTIDs: l.Position(db1)}), "error 1062")
		l.BreakApplier(db2, 0)
		must(t, l, remediation.Step{Action: remediation.WaitApplied, On: db2, GTIDs: l.Position(db1)}, remediation.Step{Action: remediation.MakePrimary, On: db2, WaitFor: 1})
		if f := l.Facts(db2); f.ReadOnly || !f.SemiSync.SourceEnabled || f.SemiSync.WaitFor != 1 || len(f.Channels) != 0 {
			t.Errorf("%+v", f)
		}
	})
}

func TestPromotionThatBreaksOffIsDoneAgain(t *testing.T) {
	live(t, three(sim.Options{}), func(t *testing.T, l *sim.Live) {
		l.InterruptPromotion(db2)
		step := remediation.Step{Action: remediation.MakePrimary, On: db2}
		says(t, do(t, l, step), "cleaned up")
		if f := l.Facts(db2); f.ReadOnly || len(f.Channels) != 1 {
			t.Errorf("want it open with its channel: %+v", f)
		}
		must(t, l, step)
	})
}

func TestFlavoursDiffer(t *testing.T) {
	backlog := func(t *testing.T, l *sim.Live) {
		t.Helper()
		l.StallApplier(db2, true)
		for range 20 {
			_, _ = l.Write(db1)
		}
		l.Pass(100 * time.Millisecond)
	}
	move := remediation.Step{Action: remediation.PointAt, On: db2, Source: db3}
	live(t, three(sim.Options{Apply: 1}), func(t *testing.T, l *sim.Live) {
		backlog(t, l)
		must(t, l, move, remediation.Step{Action: remediation.WaitApplied, On: db2, GTIDs: l.Position(db1)})
		backlog(t, l)
		must(t, l, remediation.Step{Action: remediation.StopReceiver, On: db2}, remediation.Step{Action: remediation.StartReplication, On: db2})
		if v := l.Violations(); len(v) > 0 {
			t.Errorf("MySQL keeps its relay log: %v", v)
		}
	})
	live(t, three(sim.Options{MariaDB: true, Apply: 1}), func(t *testing.T, l *sim.Live) {
		backlog(t, l)
		says(t, do(t, l, remediation.Step{Action: remediation.RestartReceiver, On: db2}), "would drop it")
		must(t, l, remediation.Step{Action: remediation.StopReceiver, On: db2})
		says(t, do(t, l, remediation.Step{Action: remediation.StartReplication, On: db2}), "would drop it")
		must(t, l, move)
		if l.Facts(db2).Executed != l.Facts(db3).Executed {
			t.Error("MariaDB applies everything before it moves")
		}
		if f := l.Facts(db2); f.SuperReadOnly || !f.ReadOnly {
			t.Error("MariaDB has no super_read_only")
		}
		if v := l.Violations(); len(v) > 0 {
			t.Error(v)
		}
		backlog(t, l)
		must(t, l, remediation.Step{Action: remediation.StopReceiver, On: db2})
		l.StallApplier(db2, false) // it runs when the receiver starts, and so loses what it has not applied
		must(t, l, remediation.Step{Action: remediation.StartReplication, On: db2})
		if v := strings.Join(l.Violations(), ""); !strings.Contains(v, "law 3") {
			t.Errorf("dropped relay logs are seen: %q", v)
		}
	})
}

// TestMariaDBTurnsAwayWhoIsAhead: for a moment, or for ever where the histories differ.
func TestMariaDBTurnsAwayWhoIsAhead(t *testing.T) {
	live(t, three(sim.Options{MariaDB: true}), func(t *testing.T, l *sim.Live) {
		l.Cut(db1, db3)
		_, _ = l.Write(db1)
		l.Pass(100 * time.Millisecond)
		if err := do(t, l, remediation.Step{Action: remediation.PointAt, On: db2, Source: db3}); err != nil {
			t.Fatal(err)
		}
		l.Pass(100 * time.Millisecond)
		if c, _ := new(l.Facts(db2)).Default(); c.Receiver != topology.ReceiverStopped || c.ReceiverErrno != 1236 {
			t.Errorf("%s, error %d", c.Receiver, c.ReceiverErrno)
		}
		l.Heal(db1, db3)
		l.Pass(10 * time.Second)
		must(t, l, remediation.Step{Action: remediation.StartReplication, On: db2})
		l.Pass(100 * time.Millisecond)
		if c, _ := new(l.Facts(db2)).Default(); c.Receiver != topology.ReceiverConnected {
			t.Errorf("%s, error %d", c.Receiver, c.ReceiverErrno)
		}
		l.Plant(db3)
		l.SetReadOnly(db1, false, false)
		_, _ = l.Write(db1)
		a, b := l.Facts(db1).Executed, l.Facts(db3).Executed
		if !a.Equal(b) || a == b {
			t.Errorf("two transactions of one number: %s and %s", a, b)
		}
	})
}

func TestPurgedSourcesTurnAway(t *testing.T) {
	live(t, three(sim.Options{}), func(t *testing.T, l *sim.Live) {
		l.StopReceiver(db2)
		for range 10 {
			_, _ = l.Write(db1)
		}
		l.Purge(db1, 2)
		if err := do(t, l, remediation.Step{Action: remediation.StartReplication, On: db2}); err != nil {
			t.Fatal(err)
		}
		l.Pass(100 * time.Millisecond)
		if c, _ := new(l.Facts(db2)).Default(); c.ReceiverErrno != 1236 || l.Facts(db1).Purged.Count() != 18 {
			t.Errorf("error %d, purged %s", c.ReceiverErrno, l.Facts(db1).Purged)
		}
	})
}

func TestFence(t *testing.T) {
	live(t, three(sim.Options{WaitFor: 2}), func(t *testing.T, l *sim.Live) {
		l.Cut(db1, db2)
		_, _ = l.Write(db1)
		l.Pass(50 * time.Millisecond)
		must(t, l, remediation.Step{Action: remediation.Fence, On: db1})
		if all, _ := l.Acknowledged(); all != 0 || l.Facts(db1).Executed.Count() != 11 {
			t.Errorf("who waited is told nothing: %d acknowledged, executed %s", all, l.Facts(db1).Executed)
		}
		must(t, l, remediation.Step{Action: remediation.Unfence, On: db1, WaitFor: 2})
		l.Hang(db1)
		says(t, do(t, l, remediation.Step{Action: remediation.Fence, On: db1, NoWait: true}), "not answered")
		says(t, do(t, l, remediation.Step{Action: remediation.Fence, On: db1}), "no answer")
		l.Wake(db1)
		if _, err := l.Write(db1); err == nil {
			t.Error("it woke up open")
		}
		says(t, do(t, l, remediation.Step{Action: remediation.PointAt, On: db1, Source: db1}), "cannot replicate from")
		must(t, l, remediation.Step{Action: remediation.Unfence, On: db1})
		says(t, do(t, l, remediation.Step{Action: remediation.PointAt, On: db1, Source: db2}), "takes writes")
	})
}

func TestLedgerTwin(t *testing.T) {
	live(t, three(sim.Options{}), func(t *testing.T, l *sim.Live) {
		goal, err := l.Open(remediation.Goal{Kind: "failover", Failed: db1, Followers: []topology.InstanceID{db2, db3}})
		if err != nil || goal.ID == "" || !goal.Opened {
			t.Fatalf("%+v, %v", goal, err)
		}
		_, err = l.Open(goal)
		says(t, err, "recovery r1 is open")
		must(t, l, remediation.Step{Action: remediation.AgreePrimary, On: db2, Source: db1})
		in := l.Intents()
		if c := in.Clusters["shop"]; c.Primary != db2 || c.Epoch != 1 || in.Deposed[db1].Recovery != "r1" {
			t.Errorf("%+v", in)
		}
		says(t, do(t, l, remediation.Step{Action: remediation.AgreePrimary, On: db1}), "release it first")
		must(t, l, remediation.Step{Action: remediation.Fenced, On: db1}, remediation.Step{Action: remediation.Quarantine, On: db3, Why: "x"})
		if in := l.Intents(); !in.Deposed[db1].Fenced || in.Quarantined[db3].Reason != "x" {
			t.Errorf("%+v", in)
		}
		again, ok, err := l.Resume()
		if err != nil || !ok || again.Successor != db2 || again.ID != "r1" || !again.Opened || len(again.Followers) != 2 {
			t.Errorf("%+v, %t, %v", again, ok, err)
		}
		must(t, l, remediation.Step{Action: remediation.Rejoined, On: db1}, remediation.Step{Action: remediation.Rejoined, On: db3})
		l.Close(remediation.Result{Outcome: "success", Goal: again})
		if in := l.Intents(); len(in.Open)+len(in.Deposed)+len(in.Quarantined) != 0 || in.Past["shop"][0].Successor != db2 {
			t.Errorf("%+v", in)
		}
		if _, ok, _ := l.Resume(); ok {
			t.Error("it is still open")
		}
		says(t, l.Do(context.Background(), remediation.Step{Action: "dance", On: db1}), "no step for a server")
	})
}
