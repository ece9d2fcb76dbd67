package ledger

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// barrierRetry is how long a new leader waits before it tries again to catch up with its own log.
const barrierRetry = 50 * time.Millisecond

// IsLeader reports whether this node leads and knows all that was agreed. It is a hint: VerifyLeader asks the others.
func (l *Ledger) IsLeader() bool {
	t, _, _ := l.terms.current()
	r := l.raft.Load()
	return t != nil && r != nil && r.State() == raft.Leader
}

// Leader returns the node that leads as far as this one knows; it is zero when there is none.
func (l *Ledger) Leader() Peer {
	r := l.raft.Load()
	if r == nil {
		return Peer{}
	}
	addr, id := r.LeaderWithID()
	if p, ok := l.opts.peer(string(id)); ok {
		return p
	}
	return Peer{ID: string(id), Address: string(addr)}
}

// Term returns the term of the group. The leader writes it into the recoveries it acts for.
func (l *Ledger) Term() uint64 {
	if r := l.raft.Load(); r != nil {
		return r.CurrentTerm()
	}
	return 0
}

// Lease is how long a leader that is cut off may still believe that it leads. Whatever the leader does to a server must
// be over within it, counted from the last VerifyLeader.
func (l *Ledger) Lease() time.Duration { return l.opts.Lease }

// Ready reports whether State holds at least all that this node had on disk when it started, and there is a leader.
func (l *Ledger) Ready() bool {
	r := l.raft.Load()
	if r == nil {
		return false
	}
	if r.State() == raft.Leader {
		return l.IsLeader()
	}
	_, leader := r.LeaderWithID()
	return leader != "" && r.AppliedIndex() >= l.store.last
}

func (l *Ledger) notLeader() ErrNotLeader {
	p := l.Leader()
	if p.ID == l.opts.NodeID {
		return ErrNotLeader{} // it is just losing office
	}
	return ErrNotLeader{Leader: p.ID, LeaderAPI: p.API}
}

// WhileLeader runs f whenever this node leads, with a context that ends with the term and then has the cause
// ErrNotLeader. When f is called, State holds all that was agreed before; f has returned before it is called again. It
// returns nil when ctx ends, what f returns if f ends by itself, and ErrStopped when Run is over.
func (l *Ledger) WhileLeader(ctx context.Context, f func(ctx context.Context) error) error {
	for {
		t, changed, stopped := l.terms.current()
		switch {
		case ctx.Err() != nil:
			return nil
		case stopped:
			return ErrStopped
		case t == nil:
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		err := t.run(ctx, f)
		if t.ctx.Err() == nil && ctx.Err() == nil {
			return err
		}
		if err != nil && !errors.Is(err, context.Canceled) && !errors.As(err, new(ErrNotLeader)) {
			l.log.Warn("leader's work ended with its term", "err", err)
		}
	}
}

// term is one time in office.
type term struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// run calls f with a context that ends with the caller's or with the term.
func (t *term) run(ctx context.Context, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(t.ctx, func() { cancel(context.Cause(t.ctx)) })
	defer stop()
	return f(ctx)
}

// terms is where this node's time in office is announced.
type terms struct {
	mu       sync.Mutex
	elected  *term // elected, perhaps not in office yet
	inOffice bool  // elected has caught up with the log
	stopped  bool
	changed  chan struct{} // closed and replaced when any of these changes
}

func newTerms() *terms { return &terms{changed: make(chan struct{})} }

// begin is called when this node was elected.
func (ts *terms) begin() *term {
	t := &term{}
	t.ctx, t.cancel = context.WithCancelCause(context.Background())
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.elected, ts.inOffice = t, false
	if ts.stopped {
		t.cancel(ErrStopped)
	}
	return t
}

// takeOffice announces a term, unless it is over already.
func (ts *terms) takeOffice(t *term) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.elected != t || t.ctx.Err() != nil {
		return false
	}
	ts.inOffice = true
	ts.announce()
	return true
}

// end is called when this node was voted out or stepped down.
func (ts *terms) end(cause error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.elected != nil {
		ts.elected.cancel(cause)
	}
	ts.elected, ts.inOffice = nil, false
	ts.announce()
}

// stop ends the term and all further ones.
func (ts *terms) stop() {
	ts.mu.Lock()
	ts.stopped = true
	ts.mu.Unlock()
	ts.end(ErrStopped)
}

// current returns the term in office, if there is one, and what to wait on for another answer.
func (ts *terms) current() (t *term, changed <-chan struct{}, stopped bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.inOffice {
		t = ts.elected
	}
	return t, ts.changed, ts.stopped
}

func (ts *terms) announce() {
	close(ts.changed)
	ts.changed = make(chan struct{})
}

// watchTerms hears from raft that this node won or lost an election. It must always be ready to listen: raft waits for it.
func (l *Ledger) watchTerms(r *raft.Raft, stop <-chan struct{}) {
	var offices sync.WaitGroup
	defer offices.Wait()
	defer l.terms.stop()
	for {
		select {
		case elected := <-l.notify:
			if !elected {
				l.terms.end(l.notLeader())
				l.log.Info("no longer leading")
				continue
			}
			t := l.terms.begin()
			offices.Go(func() { l.assume(r, t) })
		case <-stop:
			return
		}
	}
}

// assume waits until State holds all that earlier leaders agreed on, and then takes office.
func (l *Ledger) assume(r *raft.Raft, t *term) {
	for t.ctx.Err() == nil {
		err := l.barrier(r, t)
		if err == nil {
			if l.terms.takeOffice(t) {
				l.log.Info("leading", "term", r.CurrentTerm())
			}
			return
		}
		// Raft refuses a barrier while leadership is being transferred, and goes on leading when that fails.
		l.log.Debug("catch up before leading", "err", err)
		again := time.NewTimer(barrierRetry)
		select {
		case <-again.C:
		case <-t.ctx.Done():
			again.Stop()
		}
	}
}

func (l *Ledger) barrier(r *raft.Raft, t *term) error {
	if !l.calls.enter() {
		return ErrStopped
	}
	answer := make(chan error, 1)
	go func() {
		defer l.calls.exit()
		answer <- r.Barrier(enqueueTimeout).Error()
	}()
	return await(t.ctx, answer)
}

// watchLeaders counts and logs who leads. Raft calls it from several goroutines, and must not be kept waiting.
func (l *Ledger) watchLeaders(r *raft.Raft) {
	r.RegisterObserver(raft.NewObserver(nil, false, func(o *raft.Observation) bool {
		seen, ok := o.Data.(raft.LeaderObservation)
		if ok && l.stats.leaderSeen(string(seen.LeaderID)) {
			l.log.Info("raft leader", "leader", string(seen.LeaderID))
		}
		return false
	}))
}

// stateName is the state of a node as metrics and operators read it.
func stateName(s raft.RaftState) string { return strings.ToLower(s.String()) }
