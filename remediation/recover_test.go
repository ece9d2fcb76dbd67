package remediation_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/internal/sim"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// refusing is an actor that fails some steps a number of times, without doing them.

type refusing struct {
	remediation.Actor
	on     topology.InstanceID
	action remediation.Action
	mu     sync.Mutex
	times  int
}

func failing(a remediation.Actor, on topology.InstanceID, action remediation.Action, times int) remediation.Actor {
	return &refusing{Actor: a, on: on, action: action, times: times}
}

func (r *refusing) Do(ctx context.Context, step remediation.Step) error {
	r.mu.Lock()
	no := step.On == r.on && step.Action == r.action && r.times > 0
	if no {
		r.times--
	}
	r.mu.Unlock()
	if no {
		return errors.New("it does not want to")
	}
	return r.Actor.Do(ctx, step)
}

// onStep calls back when a step is about to be done.

type onStep struct {
	remediation.Actor
	call func(remediation.Step)
}

func (o onStep) Do(ctx context.Context, step remediation.Step) error {
	o.call(step)
	return o.Actor.Do(ctx, step)
}

// once is an onStep that calls back at the first step of an action, on one instance or on any.

func once(action remediation.Action, on topology.InstanceID, call func()) func(remediation.Actor) remediation.Actor {
	var first sync.Once
	return func(a remediation.Actor) remediation.Actor {
		return onStep{a, func(s remediation.Step) {
			if s.Action == action && (on == "" || s.On == on) {
				first.Do(call)
			}
		}}
	}
}

func prefer(id topology.InstanceID) func(int, *sim.Server) {
	return func(_ int, s *sim.Server) {
		if s.ID == id {
			s.Rule = topology.PromotePrefer
		}
	}
}

func onBothFlavours(t *testing.T, test func(t *testing.T, mariaDB bool)) {
	t.Helper()
	for _, mariaDB := range []bool{false, true} {
		t.Run(fmt.Sprintf("MariaDB=%t", mariaDB), func(t *testing.T) { test(t, mariaDB) })
	}
}

// killed is a busy fleet whose primary was killed in the middle of it.

func killed(w *world) remediation.Goal {
	w.Pass(400 * time.Millisecond)
	w.look()
	w.Kill("db1:3306")
	w.lost("db1:3306")
	return w.goal(analysis.RecoveryFailover, "db1:3306")
}

// TestFailoverWithABacklog: what is received and not yet applied is neither lost nor opened upon too early, and durability is back before the first write.

func TestFailoverWithABacklog(t *testing.T) {
	onBothFlavours(t, func(t *testing.T, mariaDB bool) {
		o := shop(2, sim.Options{Seed: 3, MariaDB: mariaDB, WaitFor: 1, WriteEvery: time.Millisecond, Apply: 1, Stream: 8}, prefer("db2:3306"))
		inWorld(t, o, func(w *world) {
			w.policy.RelaxAbove = 20
			for _, id := range []topology.InstanceID{"db2:3306", "db3:3306"} {
				w.StallApplier(id, true)
			}
			goal := killed(w)
			w.around = once(remediation.MakePrimary, "", func() {
				if f := w.Facts("db2:3306"); f.SyncBinlog != 1 || f.FlushLogAtTrxCommit != 1 {
					t.Error("it is opened before it is durable again")
				}
			})
			for _, id := range []topology.InstanceID{"db2:3306", "db3:3306"} {
				w.StallApplier(id, false)
			}
			res := w.recover(goal)
			if res.Outcome != remediation.OutcomeSuccess || !strings.Contains(w.story(), "relax the durability of db2:3306") {
				t.Errorf("%s: %s\n%s", res.Outcome, res.Text, w.story())
			}
			if _, promised := w.Acknowledged(); promised < 100 {
				t.Errorf("only %d writes were promised: the test proves little", promised)
			}
			w.HealAll()
			w.settle()
			w.holds(false)
		})
	})
}

// TestFailoverCatchesUp: the preferred replica lacks what another one has. It gets that first.

func TestFailoverCatchesUp(t *testing.T) {
	onBothFlavours(t, func(t *testing.T, mariaDB bool) {
		o := shop(3, sim.Options{Seed: 3, MariaDB: mariaDB, WaitFor: 1, WriteEvery: 2 * time.Millisecond}, prefer("db4:3306"))
		inWorld(t, o, func(w *world) {
			w.Pass(300 * time.Millisecond)
			w.Cut("db1:3306", "db4:3306")
			res := w.recover(killed(w))
			if res.Outcome != remediation.OutcomeSuccess || res.Goal.Successor != "db4:3306" || !strings.Contains(w.story(), "catch_up: let db4:3306 replicate from db") {
				t.Errorf("%s: %s\n%s", res.Outcome, res.Text, w.story())
			}
			w.HealAll()
			w.settle()
			w.holds(false)
		})
	})
}

// TestCandidateDiesAtEachPhase: wherever the candidate dies, another one that holds everything is promoted in the same recovery.

func TestCandidateDiesAtEachPhase(t *testing.T) {
	for _, c := range []struct {
		name   string
		action remediation.Action
	}{
		{"freeze", remediation.StopReceiver}, {"catch up", remediation.PointAt}, {"drain", remediation.WaitApplied}, {"decide", remediation.AgreePrimary}, {"promote", remediation.MakePrimary},
	} {
		t.Run(c.name, func(t *testing.T) {
			onBothFlavours(t, func(t *testing.T, mariaDB bool) {
				o := shop(3, sim.Options{Seed: 8, MariaDB: mariaDB, WaitFor: 2, WriteEvery: 2 * time.Millisecond, Apply: 1, Stream: 8}, prefer("db4:3306"))
				inWorld(t, o, func(w *world) {
					w.Pass(300 * time.Millisecond)
					w.Cut("db1:3306", "db4:3306")
					w.Pass(20 * time.Millisecond)
					goal := killed(w)
					w.around = once(c.action, "db4:3306", func() { w.Kill("db4:3306") })
					res := w.recover(goal)
					if res.Outcome != remediation.OutcomePartial || res.Goal.Successor == "db4:3306" || !strings.Contains(res.Text, "db4:3306") {
						t.Errorf("%s by %s: %s\n%s", res.Outcome, res.Goal.Successor, res.Text, w.story())
					}
					w.around = nil
					w.HealAll()
					w.settle()
					w.holds(false)
				})
			})
		})
	}
}

// TestSiblingThatCannotConnect is left behind with a reason, and does not keep the others.

func TestSiblingThatCannotConnect(t *testing.T) {
	onBothFlavours(t, func(t *testing.T, mariaDB bool) {
		inWorld(t, shop(3, sim.Options{Seed: 4, MariaDB: mariaDB, WriteEvery: 5 * time.Millisecond}, prefer("db2:3306")), func(w *world) {
			w.Deny("db3:3306", "db2:3306", true)
			res := w.recover(killed(w))
			if res.Outcome != remediation.OutcomePartial || !strings.Contains(res.Text, "db3:3306 is left behind: db3:3306 connects to db2:3306 (connecting, error 1045)") {
				t.Errorf("%s: %s", res.Outcome, res.Text)
			}
			if q := w.Intents().Quarantined["db3:3306"]; !strings.Contains(q.Reason, "error 1045") || len(w.Intents().Quarantined) != 1 {
				t.Errorf("quarantined: %v", w.Intents().Quarantined)
			}
			w.HealAll()
			w.settle()
			w.holds(false)
		})
	})
}

// TestSlowSiblingIsWaitedFor: that many looks pass until it connects is nobody's failure.

func TestSlowSiblingIsWaitedFor(t *testing.T) {
	inWorld(t, shop(3, sim.Options{Seed: 4, WriteEvery: 5 * time.Millisecond}, prefer("db2:3306")), func(w *world) {
		w.Deny("db3:3306", "db2:3306", true)
		goal := killed(w)
		go func() {
			w.Pass(9 * time.Second)
			w.Deny("db3:3306", "db2:3306", false)
		}()
		if res := w.recover(goal); res.Outcome != remediation.OutcomeSuccess {
			t.Errorf("%s: %s", res.Outcome, res.Text)
		}
	})
}

// TestHaltedRecoveryIsLeftForTheNext: nothing is put back by who may not act any more, and the next leader ends what was begun.

func TestHaltedRecoveryIsLeftForTheNext(t *testing.T) {
	inWorld(t, shop(2, sim.Options{Seed: 4, WriteEvery: 5 * time.Millisecond}), func(w *world) {
		goal := killed(w)
		lease := errors.New("n2 leads")
		var lost atomic.Bool
		w.around = func(a remediation.Actor) remediation.Actor {
			return onStep{remediation.Guarded(a, func(context.Context) error {
				if !lost.Load() {
					return nil
				}
				w.Halt()
				return lease
			}), func(s remediation.Step) {
				if s.Action == remediation.AgreePrimary {
					lost.Store(true)
				}
			}}
		}
		res := w.run(context.Background(), w.open(goal), false)
		if !res.Halted || res.Outcome != "" || !strings.Contains(res.Text, "n2 leads") {
			t.Errorf("%+v", res)
		}
		steps := w.Steps()
		w.Pass(5 * time.Second)
		if w.Steps() != steps {
			t.Error("somebody still acts")
		}
		w.Continue()
		w.around = nil
		if res = w.resume(context.Background()); res.Outcome != remediation.OutcomeSuccess {
			t.Errorf("%s: %s", res.Outcome, res.Text)
		}
		w.HealAll()
		w.settle()
		w.holds(false)
	})
}

// TestRecoveryEndsWithItsTerm: a leader whose term ends while it waits for a sibling leaves at once.

func TestRecoveryEndsWithItsTerm(t *testing.T) {
	inWorld(t, shop(2, sim.Options{Seed: 4, WriteEvery: 5 * time.Millisecond}, prefer("db2:3306")), func(w *world) {
		w.Deny("db3:3306", "db2:3306", true)
		ctx, cancel := context.WithTimeout(context.Background(), 6*time.Second)
		defer cancel()
		if res := w.run(ctx, w.open(killed(w)), false); !res.Halted {
			t.Errorf("%+v", res)
		}
	})
}

// TestPrimaryReturnsDuringTheDrain: it is looked at again before anything is agreed on, and stays the primary. Nothing is lost.

func TestPrimaryReturnsDuringTheDrain(t *testing.T) {
	onBothFlavours(t, func(t *testing.T, mariaDB bool) {
		o := shop(2, sim.Options{Seed: 3, MariaDB: mariaDB, WaitFor: 1, WriteEvery: time.Millisecond, Apply: 1, Stream: 8})
		inWorld(t, o, func(w *world) {
			goal := killed(w)
			w.around = once(remediation.WaitApplied, "", func() { w.Restart("db1:3306") })
			for _, id := range []topology.InstanceID{"db2:3306", "db3:3306"} {
				w.StallApplier(id, true)
			}
			res := w.recover(goal)
			if res.Outcome != remediation.OutcomeAborted || res.Refusal == nil || res.Refusal.Reason != remediation.GateFinding {
				t.Errorf("%s: %s\n%s", res.Outcome, res.Text, w.story())
			}
			w.settle()
			w.holds(false)
			if w.Primary() != "db1:3306" {
				t.Errorf("the primary is %s", w.Primary())
			}
		})
	})
}

// TestPrimaryReturnsWhileASiblingHangs: the end of the plan is held up, and still the old primary does not take writes for long.

func TestPrimaryReturnsWhileASiblingHangs(t *testing.T) {
	onBothFlavours(t, func(t *testing.T, mariaDB bool) {
		inWorld(t, shop(3, sim.Options{Seed: 3, MariaDB: mariaDB, WriteEvery: 5 * time.Millisecond, Bound: 3 * time.Second}, prefer("db2:3306")), func(w *world) {
			goal := killed(w)
			w.around = once(remediation.PointAt, "db4:3306", func() {
				w.Hang("db4:3306")
				go func() {
					w.Pass(300 * time.Millisecond)
					w.Restart("db1:3306")
				}()
			})
			res := w.recover(goal)
			if res.Outcome != remediation.OutcomePartial {
				t.Errorf("%s: %s", res.Outcome, res.Text)
			}
			w.HealAll()
			w.settle()
			w.holds(false)
		})
	})
}

// TestWakingPrimaryIsClosed: the fence that was sent down its connection is the first thing it does.

func TestWakingPrimaryIsClosed(t *testing.T) {
	inWorld(t, shop(2, sim.Options{Seed: 3, WriteEvery: 5 * time.Millisecond}), func(w *world) {
		w.Pass(300 * time.Millisecond)
		w.look()
		w.Hang("db1:3306")
		w.lost("db1:3306")
		w.recover(w.goal(analysis.RecoveryFailover, "db1:3306"))
		w.Wake("db1:3306")
		if _, err := w.Write("db1:3306"); err == nil {
			t.Error("it takes writes")
		}
	})
}

// TestAbandonedFailoverLeavesThePrimaryOpen: a hung primary that wakes up while its failover is given up is not closed by an order that nobody takes back.

func TestAbandonedFailoverLeavesThePrimaryOpen(t *testing.T) {
	inWorld(t, shop(2, sim.Options{Seed: 3, WaitFor: 1, WriteEvery: 5 * time.Millisecond}), func(w *world) {
		w.Pass(300 * time.Millisecond)
		w.look()
		w.Hang("db1:3306")
		w.lost("db1:3306")
		goal := w.goal(analysis.RecoveryFailover, "db1:3306")
		w.around = once(remediation.StopReceiver, "", func() { w.Wake("db1:3306") })
		if res := w.recover(goal); res.Outcome != remediation.OutcomeAborted {
			t.Errorf("%s: %s", res.Outcome, res.Text)
		}
		w.settle()
		w.holds(false)
	})
}

// TestRefusedRecoveryStartsWhatItStopped, and only that.

func TestRefusedRecoveryStartsWhatItStopped(t *testing.T) {
	onBothFlavours(t, func(t *testing.T, mariaDB bool) {
		o := shop(4, sim.Options{Seed: 3, MariaDB: mariaDB, WaitFor: 1, WriteEvery: 5 * time.Millisecond})
		inWorld(t, o, func(w *world) {
			w.StopReceiver("db5:3306")
			w.look()
			w.Pass(20 * time.Second) // long before
			goal := killed(w)
			w.around = once(remediation.StopReceiver, "", func() { w.Kill("db2:3306") })
			res := w.recover(goal)
			if res.Outcome != remediation.OutcomeAborted || res.Refusal.Reason != remediation.GateSemiSync {
				t.Errorf("%s: %s", res.Outcome, res.Text)
			}
			for id, want := range map[topology.InstanceID]topology.Receiver{"db3:3306": topology.ReceiverConnecting, "db4:3306": topology.ReceiverConnecting, "db5:3306": topology.ReceiverStopped} {
				if c, _ := new(w.Facts(id)).Default(); c.Receiver != want {
					t.Errorf("the receiver of %s is %s, want %s", id, c.Receiver, want)
				}
			}
		})
	})
}

// TestSuccessorDiesAfterItWasAgreedOn: nobody but the same recovery looks after a cluster whose agreed primary never opened.

func TestSuccessorDiesAfterItWasAgreedOn(t *testing.T) {
	onBothFlavours(t, func(t *testing.T, mariaDB bool) {
		o := shop(3, sim.Options{Seed: 11, MariaDB: mariaDB, WaitFor: 2, WriteEvery: 5 * time.Millisecond}, prefer("db2:3306"))
		inWorld(t, o, func(w *world) {
			goal := killed(w)
			w.around = once(remediation.MakePrimary, "db2:3306", func() { w.Kill("db2:3306") })
			res := w.recover(goal)
			if res.Outcome != remediation.OutcomePartial || res.Goal.Successor == "db2:3306" {
				t.Errorf("%s by %s: %s\n%s", res.Outcome, res.Goal.Successor, res.Text, w.story())
			}
			if _, deposed := w.Intents().Deposed["db2:3306"]; !deposed {
				t.Error("it may be open when it comes back, and is not deposed")
			}
			w.around = nil
			w.HealAll()
			w.settle()
			w.holds(false)
		})
	})
}

// TestRecoveryGivesUp: what goes in circles ends.

func TestRecoveryGivesUp(t *testing.T) {
	inWorld(t, shop(2, sim.Options{Seed: 4}), func(w *world) {
		goal := killed(w)
		w.around = func(a remediation.Actor) remediation.Actor {
			return remediation.ActorFunc(func(ctx context.Context, s remediation.Step) error {
				if s.Action == remediation.MakePrimary {
					return errors.New("no")
				}
				return a.Do(ctx, s)
			})
		}
		res := w.recover(goal)
		if res.Outcome != remediation.OutcomeFailed || !strings.Contains(res.Text, "make db2:3306 the primary") {
			t.Errorf("%s: %s", res.Outcome, res.Text)
		}
		if n := strings.Count(w.story(), "promote: "); n > 12 {
			t.Errorf("it was tried %d times", n)
		}
	})
}

// TestReplicaHangsAfterItWasStopped: its last answer is older than the order to stop, and it is not forgotten all the same.
func TestReplicaHangsAfterItWasStopped(t *testing.T) {
	inWorld(t, shop(2, sim.Options{Seed: 3, WriteEvery: 5 * time.Millisecond}), func(w *world) {
		goal := killed(w)
		w.around = func(a remediation.Actor) remediation.Actor {
			return remediation.ActorFunc(func(ctx context.Context, s remediation.Step) error {
				err := a.Do(ctx, s)
				if s.Action == remediation.StopReceiver && s.On == "db3:3306" {
					w.Hang("db3:3306")
					w.Restart("db1:3306")
				}
				return err
			})
		}
		if res := w.recover(goal); res.Outcome != remediation.OutcomeAborted {
			t.Errorf("%s: %s", res.Outcome, res.Text)
		}
		w.Wake("db3:3306")
		w.settle()
		w.holds(false)
	})
}
