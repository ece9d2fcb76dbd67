package remediation_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/internal/sim"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

var (
	oneSeed    = flag.Uint64("seed", 0, "run the one schedule of the campaign that has this seed, and tell its story")
	firstSeed  = flag.Uint64("first-seed", 1, "the seed of the first schedule of the campaign")
	mostFaults = flag.Int("faults", 3, "how many faults a schedule of the campaign has at most")
	schedules  = flag.Int("schedules", 2000, "how many schedules of faults the campaign runs")
)

// TestCampaign breaks fleets at random while they are repaired, and demands the invariants of every one. A failing schedule prints its seed.
func TestCampaign(t *testing.T) {
	if *oneSeed != 0 {
		newSchedule(*oneSeed).run(t, true)
		return
	}
	if testing.Short() {
		*schedules = min(*schedules, 200)
	}
	outcomes := make(map[string]int)
	for seed := *firstSeed; seed < *firstSeed+uint64(*schedules); seed++ {
		s := newSchedule(seed)
		s.run(t, false)
		outcomes[s.outcome]++
		if t.Failed() {
			t.Fatalf("replay with: go test ./remediation -run TestCampaign -seed %d -v", seed)
		}
	}
	t.Logf("first recoveries of %d schedules: %v", *schedules, outcomes)
	for _, must := range []string{remediation.OutcomeSuccess, remediation.OutcomePartial, remediation.OutcomeAborted, remediation.OutcomeFailed} {
		if *schedules >= 1000 && outcomes[must] == 0 {
			t.Errorf("no schedule ended with %s: the campaign proves less than it should", must)
		}
	}
}

// schedule is one random fleet and what happens to it.
type schedule struct {
	seed     uint64
	rng      *rand.Rand
	fleet    sim.Options
	takeover bool
	faults   []fault
	crashes  int // of leaders
	outcome  string
	mu       sync.Mutex
	told     []string
	verbose  bool
	began    time.Time
}

type fault struct {
	at   time.Duration // after the recovery began
	text string
	do   func(*world)
}

func newSchedule(seed uint64) *schedule {
	s := &schedule{seed: seed, rng: rand.New(rand.NewPCG(seed, 7))}
	replicas := 1 + s.rng.IntN(4)
	o := sim.Options{
		Seed: seed, MariaDB: s.rng.IntN(2) == 0, WriteEvery: time.Duration(2+s.rng.IntN(8)) * time.Millisecond, Writes: 1500,
		Apply: 1 + s.rng.IntN(4), Stream: 2 + s.rng.IntN(6), Loaded: 10, NetTimeout: 2 * time.Second,
		Bound: 4 * time.Second, // three looks, each held up by a server that hangs
	}
	if s.rng.IntN(3) > 0 {
		o.WaitFor = 1 + s.rng.IntN(min(2, replicas))
	}
	rules := []topology.PromotionRule{0, 0, 0, topology.PromotePrefer, topology.PromotePreferNot, topology.PromoteMustNot}
	s.fleet = shop(replicas, o, func(n int, srv *sim.Server) {
		srv.Rule = rules[s.rng.IntN(len(rules))]
		srv.Relaxed = s.rng.IntN(5) == 0
		switch {
		case n == 1:
			srv.StartsReadOnly, srv.Rule = s.rng.IntN(2) == 0, 0
		case n >= 4 && s.rng.IntN(4) == 0:
			srv.Source = "db3:3306"
		case n >= 3 && s.rng.IntN(8) == 0:
			srv.Delay = time.Second
		}
	})
	s.takeover = s.rng.IntN(2) == 0
	for range s.rng.IntN(*mostFaults + 1) {
		s.faults = append(s.faults, s.fault(replicas+1))
	}
	s.crashes = s.rng.IntN(3)
	return s
}

func (s *schedule) fault(servers int) fault {
	any := func() topology.InstanceID {
		return topology.InstanceID(fmt.Sprintf("db%d:3306", 1+s.rng.IntN(servers)))
	}
	a, b := any(), any()
	for a == b {
		b = any()
	}
	party := []topology.InstanceID{b, b, sim.Baton, sim.Clients}[s.rng.IntN(4)]
	lasts := time.Duration(50+s.rng.IntN(3000)) * time.Millisecond
	f := fault{at: time.Duration(s.rng.IntN(1500)) * time.Millisecond}
	soon := func(w *world, undo func()) {
		go func() {
			w.Pass(lasts)
			undo()
		}()
	}
	switch s.rng.IntN(7) {
	case 0, 1:
		f.text, f.do = fmt.Sprintf("kill %s for %s", a, lasts), func(w *world) { w.Kill(a); soon(w, func() { w.Restart(a) }) }
	case 2:
		f.text, f.do = fmt.Sprintf("hang %s for %s", a, lasts), func(w *world) { w.Hang(a); soon(w, func() { w.Wake(a) }) }
	case 3, 4:
		f.text, f.do = fmt.Sprintf("cut %s from %s for %s", a, party, lasts), func(w *world) { w.Cut(a, party); soon(w, func() { w.Heal(a, party) }) }
	case 5:
		f.text, f.do = fmt.Sprintf("deny %s to %s", b, a), func(w *world) { w.Deny(a, b, true) }
	case 6:
		f.text, f.do = fmt.Sprintf("interrupt the promotion of %s", a), func(w *world) { w.InterruptPromotion(a) }
	}
	return f
}

func (s *schedule) tell(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, fmt.Sprintf("%8s ", time.Since(s.began).Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

func (s *schedule) run(t *testing.T, verbose bool) {
	inWorld(t, s.fleet, func(w *world) {
		s.began, s.verbose = time.Now(), verbose
		w.policy.RelaxAbove = uint64(s.rng.IntN(2) * 20)
		w.Pass(time.Duration(100+s.rng.IntN(300)) * time.Millisecond)
		w.look()
		goal := s.begin(w)
		var wg sync.WaitGroup
		for _, f := range s.faults {
			wg.Go(func() {
				w.Pass(f.at)
				s.tell("fault: %s", f.text)
				f.do(w)
			})
		}
		if goal.Failed != "" {
			res := s.recoverWithCrashes(w, goal)
			s.outcome = res.Outcome
			s.tell("recovery: %s: %s", res.Outcome, res.Text)
			s.tell("fleet: %s", w.Shape())
		}
		w.around = nil
		for range 60 { // a leader goes on looking after what else has broken
			w.mend(w.look())
			w.Pass(100 * time.Millisecond)
		}
		wg.Wait()
		s.tell("fleet: %s", w.Shape())
		w.HealAll()
		s.tell("healed: %s", w.Shape())
		w.settle()
		w.holds(s.takeover && len(s.faults) == 0)
		if verbose || t.Failed() {
			t.Logf("seed %d, takeover %t, waits for %d, MariaDB %t\n%s\nplans:\n%s", s.seed, s.takeover, s.fleet.WaitFor, s.fleet.MariaDB, strings.Join(s.told, "\n"), w.story())
		}
	})
}

// begin breaks the primary, or asks for a takeover. The goal is empty where the evidence never was enough to begin.
func (s *schedule) begin(w *world) remediation.Goal {
	if s.takeover {
		goal := w.goal(analysis.RecoveryTakeover, "db1:3306")
		if _, err := remediation.Make(goal, w.Snapshot(), w.policy); err != nil {
			s.tell("no takeover: %v", err)
			return remediation.Goal{}
		}
		return goal
	}
	switch s.rng.IntN(4) {
	case 0:
		w.Hang("db1:3306")
	case 1:
		w.Isolate("db1:3306")
	default:
		w.Kill("db1:3306")
	}
	w.lost("db1:3306")
	goal := w.goal(analysis.RecoveryFailover, "db1:3306")
	if _, err := remediation.Make(goal, w.Snapshot(), w.policy); err != nil {
		s.tell("no failover: %v", err)
		return remediation.Goal{}
	}
	return goal
}

// recoverWithCrashes runs a recovery whose leader may end at any step, and whose servers may fail to answer.
func (s *schedule) recoverWithCrashes(w *world, goal remediation.Goal) remediation.Result {
	goal = w.open(goal)
	resume := false
	for {
		ctx, die := context.WithCancelCause(context.Background())
		left := -1
		if s.crashes > 0 {
			left = s.rng.IntN(12)
		}
		c := &crash{Actor: w.Live, left: left, after: s.rng.IntN(2) == 0, die: die}
		w.around = func(remediation.Actor) remediation.Actor {
			return &unreliable{Actor: c, schedule: s, dropped: make(map[string]bool)}
		}
		var res remediation.Result
		if resume {
			res = w.resume(ctx)
		} else {
			res = w.run(ctx, goal, false)
		}
		die(nil)
		if !res.Halted {
			return res
		}
		s.tell("the leader ended: %s", res.Text)
		s.crashes--
		w.Halt()
		w.Pass(time.Duration(s.rng.IntN(1500)) * time.Millisecond)
		w.Continue()
		w.Forget()
		resume = true
	}
}

// unreliable loses orders and answers, and says what happens. Whether it does depends on the step and not on the order in which steps come.
type unreliable struct {
	remediation.Actor
	schedule *schedule
	mu       sync.Mutex
	dropped  map[string]bool
}

func (u *unreliable) Do(ctx context.Context, step remediation.Step) error {
	key := fmt.Sprintf("%s %s %s", step.Action, step.On, step.Source)
	u.mu.Lock()
	again := u.dropped[key]
	u.dropped[key] = true
	u.mu.Unlock()
	chance := 1.0
	if !again {
		chance = rand.New(rand.NewPCG(u.schedule.seed, hash(key))).Float64()
	}
	var err error
	switch {
	case chance < 0.03:
		err = errors.New("the order was lost")
	case chance < 0.06:
		if err = u.Actor.Do(ctx, step); err == nil {
			err = errors.New("the answer was lost")
		}
	default:
		err = u.Actor.Do(ctx, step)
	}
	u.schedule.tell("step: %s: %v", step, err)
	return err
}

func hash(text string) uint64 {
	h := uint64(14695981039346656037)
	for _, b := range []byte(text) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}
