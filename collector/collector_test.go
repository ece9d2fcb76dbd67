package collector

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/batondb/baton/topology"
)

// scripted is a Prober in memory: what each instance answers, and what was asked of it when.
type scripted struct {
	mu      sync.Mutex
	answers map[topology.InstanceID]func(ctx context.Context) (topology.Facts, error)
	starts  map[topology.InstanceID][]time.Time
	ends    map[topology.InstanceID][]time.Time
	running map[topology.InstanceID]int
	twice   bool // one instance was probed twice at once
	fresh   []topology.InstanceID
	dropped []topology.InstanceID
}

func newScripted() *scripted {
	return &scripted{
		answers: make(map[topology.InstanceID]func(context.Context) (topology.Facts, error)),
		starts:  make(map[topology.InstanceID][]time.Time), ends: make(map[topology.InstanceID][]time.Time),
		running: make(map[topology.InstanceID]int),
	}
}

func (s *scripted) Probe(ctx context.Context, id topology.InstanceID) (topology.Facts, error) {
	s.mu.Lock()
	s.starts[id] = append(s.starts[id], time.Now())
	s.running[id]++
	s.twice = s.twice || s.running[id] > 1
	answer := s.answers[id]
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.running[id]--
		s.ends[id] = append(s.ends[id], time.Now())
		s.mu.Unlock()
	}()
	if answer == nil {
		return topology.Facts{}, &Error{Instance: id, Err: errConnRefused}
	}
	return answer(ctx)
}

func (s *scripted) Refresh(id topology.InstanceID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh = append(s.fresh, id)
}

func (s *scripted) Drop(id topology.InstanceID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropped = append(s.dropped, id)
}

func (s *scripted) says(id topology.InstanceID, f topology.Facts) {
	s.answer(id, func(context.Context) (topology.Facts, error) { return f, nil })
}

func (s *scripted) fails(id topology.InstanceID, err error) {
	s.answer(id, func(context.Context) (topology.Facts, error) { return topology.Facts{}, err })
}

// hangs makes probes last half a second and time out.
func (s *scripted) hangs(id topology.InstanceID) {
	s.answer(id, func(ctx context.Context) (topology.Facts, error) {
		select {
		case <-time.After(500 * time.Millisecond):
			return topology.Facts{}, &Error{Instance: id, Err: context.DeadlineExceeded}
		case <-ctx.Done():
			return topology.Facts{}, ctx.Err()
		}
	})
}

func (s *scripted) answer(id topology.InstanceID, f func(context.Context) (topology.Facts, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[id] = f
}

// probes returns when the probes of an instance began, and forgets them.
func (s *scripted) probes(id topology.InstanceID) []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	starts := s.starts[id]
	delete(s.starts, id)
	delete(s.ends, id)
	return starts
}

func replicaOf(source topology.InstanceID) topology.Facts {
	return topology.Facts{Channels: []topology.Channel{{Source: source, Receiver: topology.ReceiverConnected, Applier: topology.ApplierRunning}}}
}

// bench runs a collector in a bubble of its own time.
type bench struct {
	*Collector
	p        *scripted
	s        *fakeSentry
	observed []topology.Observation
}

type fakeSentry struct {
	mu       sync.Mutex
	fell     func(topology.InstanceID)
	watched  []topology.InstanceID
	answered map[topology.InstanceID]int
}

func (s *fakeSentry) Run(ctx context.Context, fell func(topology.InstanceID)) error {
	s.mu.Lock()
	s.fell = fell
	s.mu.Unlock()
	<-ctx.Done()
	return nil
}

func (s *fakeSentry) Watch(ids []topology.InstanceID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watched = ids
	slices.Sort(s.watched)
}

func (s *fakeSentry) Answered(id topology.InstanceID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answered[id]++
}

// inBubble runs a test with a collector that is running, and checks that it leaves no goroutine behind.
func inBubble(t *testing.T, change func(*Options, *scripted), test func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{p: newScripted(), s: &fakeSentry{answered: make(map[topology.InstanceID]int)}}
		var mu sync.Mutex
		opts := Options{Prober: b.p, Sentry: b.s, OnObserve: func(o topology.Observation) {
			mu.Lock()
			defer mu.Unlock()
			b.observed = append(b.observed, o)
		}}
		if change != nil {
			change(&opts, b.p)
		}
		var err error
		if b.Collector, err = New(opts); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.Run(ctx) }()
		synctest.Wait()
		test(t, b)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if b.p.twice {
			t.Error("an instance was probed twice at once")
		}
		// The bubble fails the test when a goroutine is left in it.
	})
}

func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func gaps(times []time.Time) (out []time.Duration) {
	for i := 1; i < len(times); i++ {
		out = append(out, times[i].Sub(times[i-1]))
	}
	return out
}

func TestEachInstanceOnTime(t *testing.T) {
	var ids []topology.InstanceID
	for i := range 50 {
		ids = append(ids, topology.InstanceID(fmt.Sprintf("db%d:3306", i)))
	}
	inBubble(t, func(o *Options, p *scripted) {
		o.Seeds = ids
		for _, id := range ids {
			p.says(id, topology.Facts{})
		}
	}, func(t *testing.T, b *bench) {
		pass(0)
		phases := make(map[time.Duration]bool)
		for _, id := range ids {
			if n := len(b.p.probes(id)); n != 1 {
				t.Errorf("%s was probed %d times at the start", id, n)
			}
		}
		pass(60 * time.Second)
		for _, id := range ids {
			times := b.p.probes(id)
			if len(times) != 60 {
				t.Errorf("%s was probed %d times in a minute", id, len(times))
			}
			for _, g := range gaps(times) {
				if g < 998*time.Millisecond || g > 1002*time.Millisecond {
					t.Errorf("%s: %v between two probes", id, g)
				}
			}
			phases[times[0].Sub(times[0].Truncate(time.Second)).Truncate(20*time.Millisecond)] = true
		}
		if len(phases) < 20 {
			t.Errorf("50 instances share %d moments of the second", len(phases))
		}
		if up, down, overdue := b.states(time.Now()); up != 50 || down+overdue != 0 {
			t.Errorf("%d up, %d down, %d overdue", up, down, overdue)
		}
	})
}

func TestTheDeadDoNotKeepTheLivingWaiting(t *testing.T) {
	const dead, living = 200, 20
	name := func(kind string, i int) topology.InstanceID {
		return topology.InstanceID(fmt.Sprintf("%s%d:3306", kind, i))
	}
	inBubble(t, func(o *Options, p *scripted) {
		o.Workers, o.UrgentWorkers, o.FailingWorkers = 4, 4, 8
		for i := range dead {
			o.Seeds = append(o.Seeds, name("dead", i))
			p.says(name("dead", i), topology.Facts{})
		}
		for i := range living {
			o.Seeds = append(o.Seeds, name("living", i))
			p.says(name("living", i), topology.Facts{})
		}
	}, func(t *testing.T, b *bench) {
		pass(3 * time.Second)
		for i := range dead { // all of them hang in the same moment, each as long as its deadline
			b.p.hangs(name("dead", i))
		}
		for i := range living {
			b.p.probes(name("living", i))
		}
		pass(time.Minute)
		for i := range living {
			times := b.p.probes(name("living", i))
			for _, g := range gaps(times) {
				if g > 5*time.Second {
					t.Errorf("living%d waited %v for its turn", i, g)
				}
			}
			if len(times) < 50 {
				t.Errorf("living%d was probed %d times in a minute", i, len(times))
			}
		}
		for i := range dead {
			if n := len(b.p.probes(name("dead", i))); n == 0 {
				t.Errorf("dead%d was not probed for a minute", i)
			}
		}
	})
}

func TestBackoff(t *testing.T) {
	inBubble(t, func(o *Options, p *scripted) {
		o.Seeds = []topology.InstanceID{"db1:3306"}
	}, func(t *testing.T, b *bench) {
		pass(50 * time.Second)
		b.p.probes("db1:3306")
		pass(9 * time.Second)
		if n := len(b.p.probes("db1:3306")); n != 9 {
			t.Errorf("%d probes in 9 s of its first minute", n)
		}
		pass(time.Hour)
		b.p.probes("db1:3306")
		pass(100 * time.Second)
		if n := len(b.p.probes("db1:3306")); n != 10 {
			t.Errorf("%d probes in 100 s, an hour after it died", n)
		}
		b.p.says("db1:3306", topology.Facts{})
		pass(11 * time.Second)
		b.p.probes("db1:3306")
		pass(10 * time.Second)
		if n := len(b.p.probes("db1:3306")); n != 10 {
			t.Errorf("%d probes in 10 s, after its return", n)
		}
	})
}

func TestWarmStart(t *testing.T) {
	cache := NewCache()
	for _, o := range []topology.Observation{
		{Instance: "db1:3306", Attempted: at(1), Reach: topology.ReachUp, Facts: topology.Facts{At: at(1), ServerID: 1}},
		{Instance: "db2:3306", Attempted: at(1), Reach: topology.ReachUp, Facts: func() topology.Facts { f := replicaOf("db1:3306"); f.At = at(1); return f }()},
		{Instance: "backup:3306", Attempted: at(1)},
	} {
		cache.Put(&o)
	}
	inBubble(t, func(o *Options, p *scripted) {
		o.Cache = cache
		o.Ignore = func(id topology.InstanceID) bool { return id == "backup:3306" }
	}, func(t *testing.T, b *bench) {
		if got := b.Inventory(); !slices.Equal(got, []topology.InstanceID{"db1:3306", "db2:3306"}) {
			t.Errorf("inventory %v", got)
		}
		if o, ok := b.Observation("db1:3306"); !ok || o.Facts.ServerID != 1 {
			t.Errorf("%v %+v", ok, o)
		}
		pass(0)
		if !slices.Equal(b.s.watched, []topology.InstanceID{"db1:3306"}) {
			t.Errorf("watched %v", b.s.watched)
		}
		pass(2 * time.Second)
		if len(b.p.probes("db2:3306")) == 0 {
			t.Error("what the cache remembers is not probed")
		}
	})
}

func TestObservationsAreCalledBack(t *testing.T) {
	inBubble(t, func(o *Options, p *scripted) {
		o.Seeds = []topology.InstanceID{"db1:3306"}
		p.says("db1:3306", topology.Facts{})
	}, func(t *testing.T, b *bench) {
		pass(10 * time.Second)
		n := len(b.p.probes("db1:3306"))
		if len(b.observed) != n || b.observed[n-1].Instance != "db1:3306" {
			t.Errorf("%d probes, %d observations", n, len(b.observed))
		}
	})
}

func TestShutdownIsNoFailure(t *testing.T) {
	var last topology.Observation
	inBubble(t, func(o *Options, p *scripted) {
		o.Seeds = []topology.InstanceID{"db1:3306"}
		o.OnObserve = func(o topology.Observation) { last = o }
		p.says("db1:3306", topology.Facts{})
	}, func(t *testing.T, b *bench) {
		pass(3 * time.Second)
		b.p.answer("db1:3306", func(ctx context.Context) (topology.Facts, error) {
			<-ctx.Done()
			return topology.Facts{}, ctx.Err()
		})
		pass(time.Second) // it hangs while the collector ends
	})
	if last.Reach != topology.ReachUp {
		t.Errorf("a probe that was cancelled counts as %v", last.Reach)
	}
}

func TestNewRefusesNonsense(t *testing.T) {
	if _, err := New(Options{}); err == nil || !strings.Contains(err.Error(), "Prober") {
		t.Errorf("without a prober: %v", err)
	}
	if _, err := NewSQLProber(SQLOptions{}); err == nil || !strings.Contains(err.Error(), "Credentials") {
		t.Errorf("without credentials: %v", err)
	}
	if _, err := NewNames(NamesOptions{Mode: "dns"}); err == nil || !strings.Contains(err.Error(), "none, cname, ip") {
		t.Errorf("a mode that is none: %v", err)
	}
}

// running runs a collector until the returned function is called.
func running(t *testing.T, c *Collector) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
