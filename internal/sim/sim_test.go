package sim_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/batondb/baton/collector"
	"github.com/batondb/baton/internal/sim"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

const (
	db1 topology.InstanceID = "db1:3306"
	db2 topology.InstanceID = "db2:3306"
	db3 topology.InstanceID = "db3:3306"
)

// three is a primary with two replicas.
func three(o sim.Options) sim.Options {
	o.Servers = []sim.Server{{ID: db1}, {ID: db2, Source: db1, SemiSync: o.WaitFor > 0}, {ID: db3, Source: db1, SemiSync: o.WaitFor > 0}}
	o.Loaded = 10
	return o
}

// live runs a test on a fleet in a bubble of virtual time.
func live(t *testing.T, o sim.Options, test func(*testing.T, *sim.Live)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l, err := sim.NewLive(o)
		if err != nil {
			t.Fatal(err)
		}
		test(t, l)
	})
}

func do(t *testing.T, l *sim.Live, step remediation.Step) error {
	t.Helper()
	v, ok := step.Action.Verb()
	if !ok {
		t.Fatalf("%s is no action", step.Action)
	}
	ctx, cancel := context.WithTimeout(context.Background(), max(step.Timeout, v.Timeout))
	defer cancel()
	return l.Do(ctx, step)
}

func must(t *testing.T, l *sim.Live, steps ...remediation.Step) {
	t.Helper()
	for _, s := range steps {
		if err := do(t, l, s); err != nil {
			t.Fatal(err)
		}
		if done, err := l.Done(context.Background(), s); err != nil || !done {
			t.Fatalf("%s is done, and its effect is not there (%v)", s, err)
		}
	}
}

func says(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("%v, want %q", err, text)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for text, servers := range map[string][]sim.Server{
		"a name of its own":             {{ID: db1}, {ID: db1}},
		"its source db9:3306 is no ser": {{ID: db1, Source: "db9:3306"}},
		`simulate "baton"`:              {{ID: sim.Baton}},
	} {
		_, err := sim.New(sim.Options{Servers: servers})
		says(t, err, text)
	}
}

// TestSameSeedSameCourse: the same calls on the same seed give the same fleet, and another seed another one.
func TestSameSeedSameCourse(t *testing.T) {
	course := func(seed uint64) string {
		f, err := sim.New(three(sim.Options{Seed: seed, WaitFor: 1, WriteEvery: 2 * time.Millisecond}))
		if err != nil {
			t.Fatal(err)
		}
		at := f.Now()
		var b strings.Builder
		for n := range 50 {
			at = at.Add(time.Duration(n) * time.Millisecond)
			f.Advance(at)
			_, promised := f.Acknowledged()
			fmt.Fprintf(&b, "%s %s %s %d\n", f.Position(db1), f.Position(db2), f.Position(db3), promised)
		}
		return b.String()
	}
	first, again := course(1), course(1)
	if first != again {
		t.Error("one seed has two courses")
	}
	if first == course(2) {
		t.Error("two seeds have one course")
	}
}

func TestWritesAreAcknowledgedByEnoughReplicas(t *testing.T) {
	for wait, cut := range map[int][]topology.InstanceID{1: {db2, db3}, 2: {db3}} {
		live(t, three(sim.Options{WaitFor: wait}), func(t *testing.T, l *sim.Live) {
			for _, id := range cut {
				l.Cut(db1, id)
			}
			if done, err := l.Write(db1); done || err != nil {
				t.Errorf("acknowledged at once: %t, %v", done, err)
			}
			l.Pass(100 * time.Millisecond)
			if all, _ := l.Acknowledged(); all != 0 || l.Facts(db1).SemiSync.WaitSessions != 1 {
				t.Errorf("waits for %d: %d acknowledged", wait, all)
			}
			if got := l.Facts(db1).Executed; got.Count() != 10 {
				t.Errorf("what waits is not committed: %s", got)
			}
			l.Heal(db1, cut[0])
			l.Pass(100 * time.Millisecond)
			if all, promised := l.Acknowledged(); all != 1 || promised != 1 {
				t.Errorf("waits for %d: %d acknowledged, %d promised", wait, all, promised)
			}
		})
	}
}

func TestAsynchronousWritesPromiseNothing(t *testing.T) {
	live(t, three(sim.Options{}), func(t *testing.T, l *sim.Live) {
		if done, err := l.Write(db1); !done || err != nil {
			t.Errorf("%t, %v", done, err)
		}
		if all, promised := l.Acknowledged(); all != 1 || promised != 0 {
			t.Errorf("%d, %d", all, promised)
		}
	})
}

func TestWritesAreRefused(t *testing.T) {
	live(t, three(sim.Options{}), func(t *testing.T, l *sim.Live) {
		_, err := l.Write(db2)
		says(t, err, "read-only")
		l.Cut(db1, sim.Clients)
		_, err = l.Write(db1)
		says(t, err, "no answer")
		l.Kill(db1)
		_, err = l.Write(db1)
		says(t, err, "refused")
	})
}

// TestCrashRecoveryKeepsWhatWasWritten: a write that nobody was told of is on the old primary when that comes back.
func TestCrashRecoveryKeepsWhatWasWritten(t *testing.T) {
	live(t, three(sim.Options{WaitFor: 2}), func(t *testing.T, l *sim.Live) {
		l.Isolate(db1)
		l.Heal(db1, sim.Clients)
		if _, err := l.Write(db1); err != nil {
			t.Fatal(err)
		}
		l.Kill(db1)
		l.Restart(db1)
		if all, _ := l.Acknowledged(); all != 0 || l.Facts(db1).Executed.Count() != 11 {
			t.Errorf("%d acknowledged, executed %s", all, l.Facts(db1).Executed)
		}
	})
}

func TestCrashWhileRelaxedLosesWhatWasApplied(t *testing.T) {
	live(t, three(sim.Options{}), func(t *testing.T, l *sim.Live) {
		must(t, l, remediation.Step{Action: remediation.RelaxDurability, On: db2})
		if _, err := l.Write(db1); err != nil {
			t.Fatal(err)
		}
		l.Pass(100 * time.Millisecond)
		l.Kill(db1)
		l.Kill(db2)
		l.Restart(db2)
		if got := l.Facts(db2).Executed.Count(); got != 10 {
			t.Errorf("%d are left", got)
		}
		if l.Facts(db2).SyncBinlog != 1 {
			t.Error("the setting has survived the restart")
		}
	})
}

func TestReceiversNotice(t *testing.T) {
	for _, c := range []struct {
		name        string
		fault       func(*sim.Live)
		soon, later topology.Receiver
		errno       int
	}{
		{"a killed source at once", func(l *sim.Live) { l.Kill(db1) }, topology.ReceiverConnecting, topology.ReceiverConnecting, 2003},
		{"a hung source after their timeout", func(l *sim.Live) { l.Hang(db1) }, topology.ReceiverConnected, topology.ReceiverConnecting, 2003},
		{"a cut link after their timeout", func(l *sim.Live) { l.Cut(db1, db2) }, topology.ReceiverConnected, topology.ReceiverConnecting, 2003},
		{"an account that is turned away when they connect", func(l *sim.Live) { l.Deny(db2, db1, true); l.Cut(db1, db2) }, topology.ReceiverConnected, topology.ReceiverConnecting, 2003},
	} {
		t.Run(c.name, func(t *testing.T) {
			live(t, three(sim.Options{NetTimeout: 2 * time.Second}), func(t *testing.T, l *sim.Live) {
				l.Pass(100 * time.Millisecond)
				c.fault(l)
				l.Pass(500 * time.Millisecond)
				if ch, _ := new(l.Facts(db2)).Default(); ch.Receiver != c.soon {
					t.Errorf("soon: %s", ch.Receiver)
				}
				l.Pass(3 * time.Second)
				if ch, _ := new(l.Facts(db2)).Default(); ch.Receiver != c.later || ch.ReceiverErrno != c.errno {
					t.Errorf("later: %s, error %d", ch.Receiver, ch.ReceiverErrno)
				}
				l.HealAll()
				l.Pass(time.Second)
				if ch, _ := new(l.Facts(db2)).Default(); ch.Receiver != topology.ReceiverConnected || ch.ReceiverErrno != 0 {
					t.Errorf("healed: %s, error %d", ch.Receiver, ch.ReceiverErrno)
				}
			})
		})
	}
}

func TestProbesSayHowTheyFail(t *testing.T) {
	live(t, three(sim.Options{}), func(t *testing.T, l *sim.Live) {
		l.Kill(db1)
		l.Hang(db2)
		l.Cut(sim.Baton, db3)
		for id, want := range map[topology.InstanceID]topology.Reach{db1: topology.ReachRefused, db2: topology.ReachTimeout, db3: topology.ReachTimeout} {
			_, err := l.Probe(context.Background(), id)
			if reach, _ := collector.Classify(err); reach != want {
				t.Errorf("%s: %s, want %s", id, reach, want)
			}
		}
		began := time.Now()
		snap, err := l.Observe(context.Background(), remediation.Goal{})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("two silent servers are asked one after the other: %s", took)
		}
		if i := snap.Instance(db2); i.Failures != 1 || i.Down {
			t.Errorf("one failure is not down: %+v", i.Observation)
		}
		if snap, _ = l.Observe(context.Background(), remediation.Goal{}); !snap.Instance(db2).Down {
			t.Error("two are")
		}
	})
}

// TestInvariantsCanFail breaks every invariant on purpose.
func TestInvariantsCanFail(t *testing.T) {
	find := func(t *testing.T, all []string, want string) {
		t.Helper()
		if !strings.Contains(strings.Join(all, "\n"), want) {
			t.Errorf("%q is not in %q", want, all)
		}
	}
	live(t, three(sim.Options{WaitFor: 1, WriteEvery: 2 * time.Millisecond, Bound: 100 * time.Millisecond}), func(t *testing.T, l *sim.Live) {
		l.Pass(100 * time.Millisecond)
		if all := append(append(l.Violations(), l.CheckWrites(false)...), l.CheckRest()...); len(all) > 0 {
			t.Fatalf("a fleet at work breaks nothing: %v", all)
		}
		l.Cut(db1, db3)
		l.Pass(100 * time.Millisecond)
		l.Change(func(in *topology.Intents) { in.Clusters["shop"] = topology.NamedCluster{Primary: db3} })
		find(t, l.CheckWrites(false), "I1: ")
		find(t, l.CheckWrites(true), "I1: ")
		must(t, l, remediation.Step{Action: remediation.MakePrimary, On: db3})
		l.Pass(time.Second)
		find(t, l.Violations(), "I2: two primaries")
		find(t, l.CheckRest(), "I2: db1:3306 is writable beside the primary db3:3306")
		l.SetTraffic(sim.Options{})
		must(t, l, remediation.Step{Action: remediation.Fence, On: db1}, remediation.Step{Action: remediation.PointAt, On: db1, Source: db3})
		find(t, l.CheckRest(), "I5: db1:3306 follows db3:3306 and holds")
		must(t, l, remediation.Step{Action: remediation.StopReceiver, On: db2})
		find(t, l.CheckRest(), "I9: the receiver of db2:3306 was stopped")
		must(t, l, remediation.Step{Action: remediation.RelaxDurability, On: db2})
		find(t, l.CheckRest(), "the durability of db2:3306 is not restored")
		must(t, l, remediation.Step{Action: remediation.Fence, On: db3})
		find(t, l.CheckRest(), "the agreed primary db3:3306 does not take writes")
		must(t, l, remediation.Step{Action: remediation.MakePrimary, On: db2}, remediation.Step{Action: remediation.Fence, On: db2})
		find(t, l.CheckRest(), "I9: db2:3306 follows nobody")
		_, _ = l.Open(remediation.Goal{})
		find(t, l.CheckRest(), "a recovery is still open")
		l.Halt()
		_ = do(t, l, remediation.Step{Action: remediation.Fence, On: db1})
		find(t, l.Violations(), "I6: fence on db1:3306 without a lease")
	})
}

func TestPlantedTransactionsAreForgiven(t *testing.T) {
	live(t, three(sim.Options{}), func(t *testing.T, l *sim.Live) {
		l.Plant(db2)
		l.Pass(50 * time.Millisecond)
		if all := l.CheckRest(); len(all) > 0 {
			t.Error(all)
		}
		if l.Facts(db2).Executed.Subtract(l.Facts(db1).Executed).Count() != 1 {
			t.Error("nothing was planted")
		}
	})
}
