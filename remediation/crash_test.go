package remediation_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/internal/sim"
	"github.com/batondb/baton/remediation"
)

// crash ends the process of a leader at one step: before its effect, or after it and before the answer.
type crash struct {
	remediation.Actor
	after bool
	die   context.CancelCauseFunc

	mu   sync.Mutex
	left int // steps that are still carried out; negative never crashes
	done int
	dead bool
	at   remediation.Step
}

var errCrashed = errors.New("the process of the leader has ended")

func (c *crash) Do(ctx context.Context, step remediation.Step) error {
	c.mu.Lock()
	here, dead := c.left == 0, c.dead
	c.left--
	c.done++
	c.mu.Unlock()
	switch {
	case dead:
		return remediation.ErrHalted
	case !here:
		return c.Actor.Do(ctx, step)
	case c.after:
		_ = c.Actor.Do(ctx, step)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.dead = step, true
	c.die(errCrashed)
	return remediation.ErrHalted
}

// drill is one recovery that is disturbed in many ways.
type drill struct {
	name    string
	fleet   sim.Options
	policy  func(*remediation.Policy)
	prepare func(*world) remediation.Goal // breaks something and says what is to be done about it
}

func drills() []drill {
	kill := func(w *world) remediation.Goal {
		w.Pass(300 * time.Millisecond)
		w.look()
		w.Kill("db1:3306")
		w.lost("db1:3306")
		return w.goal(analysis.RecoveryFailover, "db1:3306")
	}
	takeover := func(w *world) remediation.Goal {
		w.Pass(300 * time.Millisecond)
		w.look()
		return w.goal(analysis.RecoveryTakeover, "db1:3306")
	}
	backlog := func(p *remediation.Policy) { p.RelaxAbove = 10 }
	busy := sim.Options{Seed: 3, WaitFor: 1, WriteEvery: 2 * time.Millisecond, Apply: 1, Stream: 6}
	quiet := sim.Options{Seed: 4, WriteEvery: 10 * time.Millisecond}
	two := busy
	two.WaitFor, two.Apply = 2, 3
	chain := shop(3, busy, prefer("db2:3306"), func(n int, s *sim.Server) {
		if n == 4 {
			s.Source = "db3:3306"
		}
	})
	delayed := shop(3, quiet, prefer("db2:3306"), func(n int, s *sim.Server) {
		if n == 4 {
			s.Delay = time.Hour
		}
	})
	return []drill{
		{"failover", shop(2, quiet, prefer("db2:3306")), nil, kill},
		{"failover, one replica", shop(1, quiet), nil, kill},
		{"failover with a backlog", shop(3, busy, prefer("db3:3306")), backlog, kill},
		{"failover, one replica behind another", chain, backlog, kill},
		{"failover, the preferred one catches up", shop(3, sim.Options{Seed: 5, WaitFor: 1, WriteEvery: 2 * time.Millisecond}, prefer("db4:3306")), backlog, func(w *world) remediation.Goal {
			w.Pass(300 * time.Millisecond)
			w.Cut("db1:3306", "db4:3306")
			w.Pass(100 * time.Millisecond)
			return kill(w)
		}},
		{"failover of a hung primary", shop(3, busy, prefer("db2:3306")), nil, func(w *world) remediation.Goal {
			w.Pass(300 * time.Millisecond)
			w.look()
			w.Hang("db1:3306")
			w.lost("db1:3306")
			return w.goal(analysis.RecoveryFailover, "db1:3306")
		}},
		{"takeover", shop(3, quiet, prefer("db3:3306")), nil, takeover},
		{"takeover, one replica", shop(1, quiet), nil, takeover},
		{"takeover, two acknowledgements", shop(3, two, prefer("db2:3306")), nil, takeover},
		{"takeover, a delayed replica", delayed, nil, takeover},
		{"relocate", shop(3, quiet), nil, func(w *world) remediation.Goal {
			w.Pass(300 * time.Millisecond)
			w.look()
			goal := w.goal(remediation.RelocateOne, "db4:3306")
			goal.To = "db2:3306"
			return goal
		}},
		{"rejoin", shop(2, busy, prefer("db2:3306")), nil, func(w *world) remediation.Goal {
			w.recover(kill(w))
			w.SetTraffic(sim.Options{})
			w.Restart("db1:3306")
			w.Pass(500 * time.Millisecond)
			w.look()
			return w.goal(analysis.RecoveryFence, "db1:3306")
		}},
		{"rejoin of one that was written to", shop(2, quiet, prefer("db2:3306")), nil, func(w *world) remediation.Goal {
			w.recover(kill(w))
			w.Restart("db1:3306")
			w.Pass(500 * time.Millisecond)
			w.look()
			return w.goal(analysis.RecoveryFence, "db1:3306")
		}},
	}
}

// rest is the shape that a drill ends in when the leader crashes at one step; at is that step, and steps how many were taken in all.
func (d drill) rest(t *testing.T, mariaDB bool, left int, after bool) (shape string, at remediation.Step, steps int) {
	t.Helper()
	o := d.fleet
	o.MariaDB = mariaDB
	inWorld(t, o, func(w *world) {
		if d.policy != nil {
			d.policy(&w.policy)
		}
		goal := d.prepare(w)
		ctx, die := context.WithCancelCause(context.Background())
		defer die(nil)
		c := &crash{Actor: w.Live, left: left, after: after, die: die}
		w.around = func(remediation.Actor) remediation.Actor { return c }
		res := w.run(ctx, w.open(goal), false)
		w.around = nil
		at, steps = c.at, c.done
		if res.Halted != (left >= 0) {
			t.Errorf("halted is %t: %s", res.Halted, res.Text)
		}
		if res.Halted {
			w.Halt()
			w.Pass(700 * time.Millisecond)
			w.Continue()
			w.Forget()
			res = w.resume(context.Background())
		}
		for range 8 { // a replica that was moved may still be connecting when the recovery ends
			w.Pass(250 * time.Millisecond)
		}
		w.SetTraffic(sim.Options{})
		w.HealAll()
		w.settle()
		if d.fleet.Servers[len(d.fleet.Servers)-1].Delay == 0 {
			w.holds(false)
		}
		shape = res.Outcome + ": " + w.Shape()
		if t.Failed() {
			t.Logf("outcome %s: %s\nplans:\n%s", res.Outcome, res.Text, w.story())
		}
	})
	return shape, at, steps
}

func TestCrashAtEveryStep(t *testing.T) {
	for _, d := range drills() {
		for _, mariaDB := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/MariaDB=%t", d.name, mariaDB), func(t *testing.T) {
				want, _, steps := d.rest(t, mariaDB, -1, false)
				if steps == 0 {
					t.Fatal("nothing was done")
				}
				for n := range steps {
					for _, after := range []bool{false, true} {
						got, at, _ := d.rest(t, mariaDB, n, after)
						if got != want {
							t.Errorf("crash at step %d (%s), effect done %t:\n got %s\nwant %s", n, at, after, got, want)
						}
						if t.Failed() {
							t.Fatalf("first seen with a crash at step %d (%s), effect done %t", n, at, after)
						}
					}
				}
			})
		}
	}
}
