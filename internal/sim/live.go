package sim

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	"github.com/batondb/baton/collector"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// Live moves a fleet by the clock of the process and puts it behind the doors of the real one: it is a remediation.Actor and a collector.Prober. In
// a testing/synctest bubble that clock is virtual, so that a recovery of minutes takes microseconds and the same seed gives the same course.
type Live struct {
	*Fleet
	latency time.Duration // of one statement, half as much again at most
	timeout time.Duration // of a probe
	stall   time.Duration // after which a drain without progress is given up

	mu    sync.Mutex
	calls map[string]int
	seen  map[topology.InstanceID]topology.Observation
}

var (
	_ remediation.Actor = (*Live)(nil)
	_ collector.Prober  = (*Live)(nil)
)

// NewLive builds a fleet that begins at the present of the process, and puts it behind the doors.
func NewLive(o Options) (*Live, error) {
	o.Start = time.Now()
	f, err := New(o)
	if err != nil {
		return nil, err
	}
	return &Live{
		Fleet: f, latency: 2 * time.Millisecond, timeout: 500 * time.Millisecond, stall: 2 * time.Second,
		calls: make(map[string]int), seen: make(map[topology.InstanceID]topology.Observation),
	}, nil
}

// Pass waits for so long and lets the fleet move on meanwhile.
func (l *Live) Pass(d time.Duration) {
	time.Sleep(d)
	l.Advance(time.Now())
}

// pause waits for about so long. How long exactly depends on the seed, on what it is for and on how often that happened, never on who came first:
// so two lanes of a plan meet in the same order in every run.
func (l *Live) pause(ctx context.Context, d time.Duration, what string) error {
	l.mu.Lock()
	l.calls[what]++
	n := l.calls[what]
	l.mu.Unlock()
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s/%d", what, n)
	d += time.Duration(rand.New(rand.NewPCG(l.options.Seed, h.Sum64())).Int64N(int64(d)/2 + 1))
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// Do carries out one step.
func (l *Live) Do(ctx context.Context, step remediation.Step) error {
	what := string(step.Action) + " " + string(step.On)
	if err := l.pause(ctx, l.latency, what); err != nil {
		return fmt.Errorf("%s on %s: %w", step.Action, step.On, err)
	}
	if verb, _ := step.Action.Verb(); verb.Door == remediation.DoorLedger {
		return l.Fleet.decide(time.Now(), step)
	}
	l.Fleet.stepTaken(step)
	var moved progress
	for {
		err := l.Fleet.attempt(time.Now(), step)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errSilent) && step.NoWait:
			return fmt.Errorf("%s on %s: sent, and not answered", step.Action, step.On)
		case errors.Is(err, errSilent):
			<-ctx.Done()
			return fmt.Errorf("%s on %s: no answer: %w", step.Action, step.On, context.Cause(ctx))
		case !errors.Is(err, errNotYet):
			return fmt.Errorf("%s on %s: %w", step.Action, step.On, err)
		case moved.stalled(l.Fleet.applied(step.On), time.Now(), l.stall):
			return fmt.Errorf("%s on %s: no progress for %s", step.Action, step.On, l.stall)
		}
		remediation.ReportProgress(ctx, uint64(moved.most), uint64(moved.most)+1)
		if err := l.pause(ctx, 10*l.latency, "wait of "+what); err != nil {
			return fmt.Errorf("%s on %s: not there in time: %w", step.Action, step.On, err)
		}
	}
}

// progress watches a number that should grow.
type progress struct {
	most  int
	since time.Time
}

func (p *progress) stalled(now int, at time.Time, patience time.Duration) bool {
	if p.since.IsZero() || now > p.most {
		p.most, p.since = now, at
	}
	return at.Sub(p.since) >= patience
}

// Done looks whether the effect of a step is there.
func (l *Live) Done(ctx context.Context, step remediation.Step) (bool, error) {
	if err := l.pause(ctx, l.latency/2, "done "+string(step.Action)+" "+string(step.On)); err != nil {
		return false, err
	}
	return l.Fleet.look(time.Now(), step)
}

// Probe asks one server from where Baton is.
func (l *Live) Probe(ctx context.Context, id topology.InstanceID) (topology.Facts, error) {
	if err := l.pause(ctx, l.latency/4, "probe "+string(id)); err != nil {
		return topology.Facts{}, err
	}
	facts, how := l.Fleet.probe(time.Now(), id)
	switch how {
	case refuses:
		return topology.Facts{}, &collector.Error{Instance: id, Err: syscall.ECONNREFUSED}
	case isSilent:
		return topology.Facts{}, &collector.Error{Instance: id, Err: context.DeadlineExceeded}
	}
	return facts, nil
}

// Refresh does nothing: every probe asks everything.
func (l *Live) Refresh(topology.InstanceID) {}

// Drop does nothing: there is no connection to forget.
func (l *Live) Drop(topology.InstanceID) {}

// Observe probes everybody and builds what is seen. It takes as long as the slowest answer.
func (l *Live) Observe(ctx context.Context, _ remediation.Goal) (*topology.Snapshot, error) {
	began := time.Now()
	var silent []topology.InstanceID
	for _, id := range l.IDs() {
		facts, err := l.Probe(ctx, id)
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("observe %s: %w", id, context.Cause(ctx))
		case errors.Is(err, context.DeadlineExceeded):
			silent = append(silent, id)
		default:
			l.fold(id, facts, err, began)
		}
	}
	if len(silent) > 0 {
		if err := l.pause(ctx, l.timeout, "timeout"); err != nil {
			return nil, fmt.Errorf("observe %s: %w", silent[0], err)
		}
	}
	for _, id := range silent {
		l.fold(id, topology.Facts{}, &collector.Error{Instance: id, Err: context.DeadlineExceeded}, began)
	}
	return l.Snapshot(), nil
}

func (l *Live) fold(id topology.InstanceID, facts topology.Facts, err error, began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	prev := l.seen[id]
	prev.Instance = id
	l.seen[id] = collector.Fold(prev, facts, err, began, time.Now())
}

// Snapshot is what was seen last, without looking again.
func (l *Live) Snapshot() *topology.Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	in := topology.Input{At: time.Now(), Intents: l.Intents()}
	for _, id := range l.IDs() {
		if o, ok := l.seen[id]; ok {
			in.Observations = append(in.Observations, o)
		}
	}
	return topology.Build(in)
}

// Forget loses all that was observed, as a process does that starts anew.
func (l *Live) Forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.seen)
}
