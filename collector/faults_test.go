package collector

import (
	"context"
	"database/sql/driver"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/batondb/baton/internal/lab"
	"github.com/batondb/baton/topology"
)

// watched is a Collector with real parts that runs for the length of a test.
type watched struct {
	*Collector
	sentinel *Sentinel

	mu   sync.Mutex
	seen []topology.Observation
}

func (f *fleet) watch(t *testing.T, change func(*Options, *SQLOptions), seeds ...*lab.Server) *watched {
	t.Helper()
	w := &watched{}
	opts := Options{Interval: 200 * time.Millisecond, OnObserve: func(o topology.Observation) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.seen = append(w.seen, o)
	}}
	for _, s := range seeds {
		opts.Seeds = append(opts.Seeds, idOf(s))
	}
	sql := SQLOptions{Access: access(), Timeout: 5 * time.Second}
	if change != nil {
		change(&opts, &sql)
	}
	prober, err := NewSQLProber(sql)
	if err != nil {
		t.Fatal(err)
	}
	if w.sentinel, err = NewSentinel(SentinelOptions{Access: sql.Access}); err != nil {
		t.Fatal(err)
	}
	opts.Prober, opts.Sentry = prober, w.sentinel
	if w.Collector, err = New(opts); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = prober.Close()
	})
	return w
}

// observations returns what was seen of an instance so far.
func (w *watched) observations(s *lab.Server) (out []topology.Observation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.seen {
		if o.Instance == idOf(s) {
			out = append(out, o)
		}
	}
	return out
}

func (w *watched) reach(s *lab.Server) topology.Reach {
	o, _ := w.Observation(idOf(s))
	return o.Reach
}

func (f *fleet) ids() (ids []topology.InstanceID) {
	for _, s := range f.Servers {
		ids = append(ids, idOf(s))
	}
	slices.SortFunc(ids, topology.CompareIDs)
	return ids
}

// discovery finds the whole fleet from a replica, up to the source and down to the others, and from the primary.
func (f *fleet) discovery(t *testing.T) {
	for _, seed := range f.Servers[:2] {
		w := f.watch(t, nil, seed)
		until(t, "all servers are observed and up", func() bool {
			for _, s := range f.Servers {
				if w.reach(s) != topology.ReachUp {
					return false
				}
			}
			return true
		})
		if got := w.Inventory(); !slices.Equal(got, f.ids()) {
			t.Errorf("from %s: %v, want %v", seed.Addr(), got, f.ids())
		}
		until(t, "the sentinel is connected to the primary", func() bool { return w.sentinel.Connections() == 1 })
	}
}

// lend sends a statement down a lent connection while the server is frozen: the first thing it does when it wakes up.
func (f *fleet) lend(t *testing.T) {
	p := f.Primary()
	w := f.watch(t, func(o *Options, s *SQLOptions) {
		s.Timeout, s.Access.Timeout = 200*time.Millisecond, 200*time.Millisecond
		o.Interval = 100 * time.Millisecond
	}, f.Replicas()[0])
	until(t, "the sentinel is connected", func() bool { return w.sentinel.Connections() == 1 })
	if err := p.Freeze(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Thaw() }()
	conn, ok := w.sentinel.Lend(idOf(p))
	if !ok {
		t.Fatal("there is nothing to lend")
	}
	defer func() { _ = conn.Close() }()
	if _, again := w.sentinel.Lend(idOf(p)); again {
		t.Error("one connection was lent twice")
	}
	done := make(chan error, 1)
	go func() {
		_, err := conn.(driver.ExecerContext).ExecContext(context.Background(), "SET GLOBAL read_only = ON", nil)
		done <- err
	}()
	until(t, "the probes time out", func() bool { return w.reach(p) == topology.ReachTimeout })
	select {
	case err := <-done:
		t.Fatalf("a frozen server answered: %v", err)
	default:
	}
	if err := p.Thaw(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	same(t, "read_only", value(t, p, "SELECT @@global.read_only"), "1")
	exec(t, p, "SET GLOBAL read_only = OFF")
	until(t, "a new connection is watched", func() bool { return w.sentinel.Connections() == 1 })
}

func (f *fleet) hang(t *testing.T) {
	p := f.Primary()
	w := f.watch(t, func(o *Options, s *SQLOptions) {
		s.Timeout, s.Access.Timeout = 200*time.Millisecond, 200*time.Millisecond
	}, f.Servers...)
	until(t, "the primary is up", func() bool { return w.reach(p) == topology.ReachUp })
	if err := p.Freeze(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Thaw() }()
	until(t, "two attempts have failed", func() bool { o, _ := w.Observation(idOf(p)); return o.Failures >= 2 })
	o, _ := w.Observation(idOf(p))
	if o.Reach != topology.ReachTimeout || o.FailingSince.IsZero() || !o.SentinelFell.IsZero() || o.Facts.At.IsZero() || o.Facts.ServerID != uint32(p.ID()) {
		t.Errorf("a frozen server is %v since %v, fell %v, facts of %v", o.Reach, o.FailingSince, o.SentinelFell, o.Facts.At)
	}
	for _, r := range f.Replicas() {
		if got := w.reach(r); got != topology.ReachUp {
			t.Errorf("replica %s is %v", r.Addr(), got)
		}
	}
	if err := p.Thaw(); err != nil {
		t.Fatal(err)
	}
	until(t, "the primary is up again", func() bool { return w.reach(p) == topology.ReachUp })
	if o, _ := w.Observation(idOf(p)); o.Failures != 0 || !o.FailingSince.IsZero() {
		t.Errorf("failures are left: %d since %v", o.Failures, o.FailingSince)
	}
}

func (f *fleet) death(t *testing.T) {
	p := f.Primary()
	related := func(id topology.InstanceID) (ids []topology.InstanceID) {
		if id == idOf(p) {
			for _, r := range f.Replicas() {
				ids = append(ids, idOf(r))
			}
		}
		return ids
	}
	// At an interval of a minute only a sentinel that falls and the suspicion that follows can tell so much.
	w := f.watch(t, func(o *Options, s *SQLOptions) { o.Interval, o.Related = time.Minute, related }, f.Servers...)
	until(t, "all are up", func() bool {
		return !slices.ContainsFunc(f.Servers, func(s *lab.Server) bool { return w.reach(s) != topology.ReachUp })
	})
	until(t, "the sentinel is connected", func() bool { return w.sentinel.Connections() == 1 })
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	until(t, "the primary is refused", func() bool { return w.reach(p) == topology.ReachRefused })
	o, _ := w.Observation(idOf(p))
	if o.SentinelFell.IsZero() || o.Facts.ServerID != uint32(p.ID()) || o.Failures == 0 {
		t.Errorf("fell %v, failures %d, facts of server %d", o.SentinelFell, o.Failures, o.Facts.ServerID)
	}
	t.Logf("fell after %v, refused after %v", o.SentinelFell.Sub(killed), o.FailingSince.Sub(killed))
	if err := p.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, r := range f.Replicas() {
		until(t, "the replica says that it lost its source", func() bool {
			o, _ := w.Observation(idOf(r))
			c, ok := o.Facts.Default()
			return ok && c.Receiver == topology.ReceiverConnecting
		})
	}
	replica := w.observations(f.Replicas()[0])
	last := replica[len(replica)-1]
	c, _ := last.Facts.Default()
	if c.ReceiverSince.Before(killed) {
		t.Errorf("connecting since %v, and the primary was killed at %v", c.ReceiverSince, killed)
	}
	t.Logf("the replica lost it after %v, %d probes later", c.ReceiverSince.Sub(killed), len(replica))
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Suspect(idOf(p))
	until(t, "the primary is up again", func() bool { return w.reach(p) == topology.ReachUp })
	if o, _ := w.Observation(idOf(p)); !o.SentinelFell.IsZero() || o.Failures != 0 {
		t.Errorf("after its return: fell %v, failures %d", o.SentinelFell, o.Failures)
	}
}
