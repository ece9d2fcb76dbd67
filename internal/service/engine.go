package service

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/ledger"
	"github.com/batondb/baton/topology"
)

// judgement is the newest snapshot with what was found in it. Readers share it.
type judgement struct {
	snapshot  *topology.Snapshot
	incidents []analysis.Incident
	entries   uint64 // version of the ledger's state that the snapshot was built with
}

// engine sees, judges and remembers. One goroutine runs it; everybody else reads the newest judgement.
type engine struct {
	observations func() []topology.Observation
	ledger       *ledger.Ledger
	policy       func() analysis.Policy
	patience     func() topology.Patience
	nodes        int // of Baton
	interval     time.Duration
	metrics      *engineMetrics
	logger       *slog.Logger

	newest atomic.Pointer[judgement]

	mu    sync.Mutex
	dirty map[topology.InstanceID]topology.Observation
	wake  chan struct{} // of the loop
	again chan struct{} // a whole tick is asked for
	heard chan struct{} // closed and replaced with every judgement
}

// ready makes an engine whose parts are set able to run.
func (e *engine) ready() *engine {
	e.dirty = make(map[topology.InstanceID]topology.Observation)
	e.wake = make(chan struct{}, 1)
	e.again = make(chan struct{}, 1)
	e.heard = make(chan struct{})
	e.newest.Store(&judgement{snapshot: topology.Build(topology.Input{})})
	return e
}

// run is the loop. The tick is the floor, not the trigger: an observation that tells something new re-judges its cluster at once.
func (e *engine) run(ctx context.Context) error {
	tick := time.NewTicker(e.interval)
	defer tick.Stop()
	for {
		changed := e.ledger.Changes()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			e.tick(time.Now())
		case <-changed:
			e.tick(time.Now())
		case <-e.again:
			e.tick(time.Now())
		case <-e.wake:
			e.rejudge(time.Now())
		}
	}
}

// tick sees, judges and remembers. It decides nothing and has no effect outside this process.
func (e *engine) tick(at time.Time) {
	e.take()
	state := e.ledger.State()
	snap := topology.Build(topology.Input{At: at, Observations: e.observations(), Intents: intents(state, at), Patience: e.patience(), Nodes: e.nodes})
	began := time.Now()
	found := analysis.Evaluate(snap, analysis.Table, e.policy())
	e.metrics.evaluated(time.Since(began))
	incidents, events := analysis.Track(e.newest.Load().incidents, found, at)
	e.publish(&judgement{snap, incidents, state.Entries}, events)
}

// rejudge is tick for the clusters of a few changed observations.
func (e *engine) rejudge(at time.Time) {
	changed := e.take()
	old, state := e.newest.Load(), e.ledger.State()
	if len(changed) == 0 {
		return
	}
	if state.Entries != old.entries {
		e.tick(at)
		return
	}
	snap := old.snapshot.With(topology.Input{At: at, Observations: changed, Intents: old.snapshot.Intents, Patience: e.patience(), Nodes: e.nodes}, true)
	incidents := old.incidents
	var events []analysis.Event
	judged := make(map[string]bool)
	for _, o := range changed {
		i := snap.Instance(o.Instance)
		if i == nil || judged[i.Cluster] {
			continue
		}
		judged[i.Cluster] = true
		found := analysis.EvaluateCluster(snap, i.Cluster, analysis.Table, e.policy())
		var more []analysis.Event
		incidents, more = analysis.TrackCluster(incidents, i.Cluster, found, at)
		events = append(events, more...)
	}
	e.publish(&judgement{snap, incidents, state.Entries}, events)
}

func (e *engine) publish(j *judgement, events []analysis.Event) {
	e.newest.Store(j)
	e.mu.Lock()
	close(e.heard)
	e.heard = make(chan struct{})
	e.mu.Unlock()
	for _, ev := range events {
		f := ev.Incident.Finding
		e.metrics.found(ev)
		if ev.Kind == analysis.EventFiring || ev.Kind == analysis.EventResolved {
			e.logger.Info(string(ev.Kind), "rule", f.Rule, "cluster", f.Cluster, "instance", f.Instance, "text", f.Sentence, "masked_by", f.MaskedBy)
		}
	}
}

// ask has everything judged again now.
func (e *engine) ask() {
	select {
	case e.again <- struct{}{}:
	default:
	}
}

// judged returns a channel that is closed with the next judgement. Ask for it before reading the newest one.
func (e *engine) judged() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heard
}

// observed takes in one observation. What tells nothing new waits for the tick.
func (e *engine) observed(o topology.Observation) {
	before := e.newest.Load().snapshot.Instance(o.Instance)
	e.mu.Lock()
	_, waiting := e.dirty[o.Instance] // an older one, which this one replaces
	if !waiting && before != nil && !tells(&before.Observation, &o) && !e.suspected(before) {
		e.mu.Unlock()
		return
	}
	e.dirty[o.Instance] = o
	e.mu.Unlock()
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

func (e *engine) take() []topology.Observation {
	e.mu.Lock()
	defer e.mu.Unlock()
	changed := make([]topology.Observation, 0, len(e.dirty))
	for _, o := range e.dirty {
		changed = append(changed, o)
	}
	clear(e.dirty)
	return changed
}

// suspected reports whether the primary or the source of an instance fails now: then time itself tells something new with every probe.
func (e *engine) suspected(i *topology.Instance) bool {
	snap := e.newest.Load().snapshot
	if i.Failures > 0 {
		return true
	}
	source := snap.Instance(i.Source)
	return source != nil && source.Failures > 0
}

// tells reports whether a newer observation says more than that time has passed and transactions have run.
func tells(old, now *topology.Observation) bool {
	if old.Reach != now.Reach || old.Errno != now.Errno || old.Failures != now.Failures || old.SentinelFell != now.SentinelFell {
		return true
	}
	a, b := &old.Facts, &now.Facts
	if a.ReadOnly != b.ReadOnly || a.SuperReadOnly != b.SuperReadOnly || len(a.Channels) != len(b.Channels) || a.ServerUUID != b.ServerUUID ||
		a.SemiSync.SourceActive != b.SemiSync.SourceActive || a.SemiSync.SourceClients != b.SemiSync.SourceClients {
		return true
	}
	for n := range a.Channels {
		x, y := &a.Channels[n], &b.Channels[n]
		if x.Source != y.Source || x.Receiver != y.Receiver || x.Applier != y.Applier || x.ReceiverErrno != y.ReceiverErrno || x.ApplierErrno != y.ApplierErrno {
			return true
		}
	}
	return false
}
