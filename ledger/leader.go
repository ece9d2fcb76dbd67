package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// barrierRetry is how long a new leader waits before it tries again to catch up with its own log.
const barrierRetry = 50 * time.Millisecond

// IsLeader reports whether this node leads and knows all that was agreed. It is a hint: VerifyLeader asks the others.
func (l *Ledger) IsLeader() bool {
	r := l.raft.Load()
	return r != nil && r.State() == raft.Leader && l.terms.inTerm()
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
	// What this node had and the majority had not is taken back, so the log may have become shorter.
	return leader != "" && r.AppliedIndex() >= min(l.store.last, r.LastIndex())
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
	for ctx.Err() == nil {
		t, changed, stopped := l.terms.join()
		switch {
		case stopped:
			return ErrStopped
		case t == nil:
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		err := l.terms.run(ctx, t, f)
		if t.ctx.Err() == nil && ctx.Err() == nil {
			return err
		}
		if err != nil && !errors.Is(err, context.Canceled) && !errors.As(err, new(ErrNotLeader)) {
			l.log.Warn("leader's work ended with its term", "err", err)
		}
	}
	return nil
}

// term is one time in office.
type term struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// terms is where this node's time in office is announced.
type terms struct {
	mu       sync.Mutex
	elected  *term // elected, perhaps not in office yet
	inOffice bool  // elected has caught up with the log
	acting   int   // functions of WhileLeader that have not returned, of this term or of one that ended
	stopped  bool
	changed  chan struct{} // closed and replaced when any of these changes
}

func newTerms() *terms { return &terms{changed: make(chan struct{})} }

// begin is called when this node was elected, or goes on after it could not hand over. It returns nil when there is a
// term already, or will never be one again.
func (ts *terms) begin() *term {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.elected != nil || ts.stopped {
		return nil
	}
	t := &term{}
	t.ctx, t.cancel = context.WithCancelCause(context.Background())
	ts.elected = t
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

// end is called when this node was voted out, stepped down or is about to.
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

// inTerm reports whether this node is in office.
func (ts *terms) inTerm() bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.inOffice
}

// join counts the caller among those who act in the term, which run undoes. Without a term in office it returns what to
// wait on for another answer.
func (ts *terms) join() (t *term, changed <-chan struct{}, stopped bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.inOffice {
		ts.acting++
		return ts.elected, nil, false
	}
	return nil, ts.changed, ts.stopped
}

// run calls f with a context that ends with the caller's or with the term.
func (ts *terms) run(ctx context.Context, t *term, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(t.ctx, func() { cancel(context.Cause(t.ctx)) })
	defer stop()
	defer func() {
		ts.mu.Lock()
		defer ts.mu.Unlock()
		ts.acting--
		ts.announce()
	}()
	return f(ctx)
}

// quiet waits until nobody acts any more.
func (ts *terms) quiet(ctx context.Context) error {
	for {
		ts.mu.Lock()
		acting, changed := ts.acting, ts.changed
		ts.mu.Unlock()
		if acting == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for the leader's work to end: %w", context.Cause(ctx))
		}
	}
}

func (ts *terms) announce() {
	close(ts.changed)
	ts.changed = make(chan struct{})
}

// Transfer hands leadership to another node, or to the most advanced one when id is empty. What runs in WhileLeader ends
// first: a successor by transfer does not wait for a heartbeat to be missed, so nothing else keeps the two apart.
func (l *Ledger) Transfer(ctx context.Context, id string) error {
	peer, known := l.opts.peer(id)
	if id != "" && !known {
		return ErrNotFound{What: "node", Name: id}
	}
	if l.opts.alone() {
		return ErrConflict{Problem: "a single node has nobody to hand leadership to"}
	}
	r, err := l.enter()
	if err != nil {
		return err
	}
	if r.State() != raft.Leader || id == l.opts.NodeID {
		l.calls.exit()
		return l.VerifyLeader(ctx)
	}
	answer := make(chan error, 1)
	go func() {
		defer l.calls.exit()
		answer <- l.handOver(ctx, r, peer)
	}()
	return await(ctx, answer)
}

// handOver ends the term and transfers it, and begins it anew when that fails.
func (l *Ledger) handOver(ctx context.Context, r *raft.Raft, to Peer) error {
	l.terms.end(ErrNotLeader{Leader: to.ID, LeaderAPI: to.API})
	err := l.terms.quiet(ctx)
	if err == nil {
		if to.ID == "" {
			err = r.LeadershipTransfer().Error()
		} else {
			err = r.LeadershipTransferToServer(raft.ServerID(to.ID), raft.ServerAddress(to.Address)).Error()
		}
	}
	if err == nil {
		return nil
	}
	select {
	case l.resume <- struct{}{}:
	default: // it is to be resumed already
	}
	return fmt.Errorf("hand leadership over: %w", l.translate(err))
}

// watchTerms hears from raft that this node won or lost an election. It must always be ready to listen: raft waits for it.
func (l *Ledger) watchTerms(r *raft.Raft, stop <-chan struct{}) {
	var offices sync.WaitGroup
	defer offices.Wait()
	defer l.terms.stop()
	elected := false
	for {
		select {
		case elected = <-l.notify:
			if !elected {
				l.terms.end(l.notLeader())
				l.log.Info("no longer leading")
				continue
			}
		case <-l.resume:
		case <-stop:
			return
		}
		if t := l.terms.begin(); elected && t != nil {
			offices.Go(func() { l.assume(r, t) })
		}
	}
}

// assume waits until State holds all that earlier leaders agreed on, and then takes office.
func (l *Ledger) assume(r *raft.Raft, t *term) {
	for {
		err := l.barrier(r, t)
		if err == nil && l.terms.takeOffice(t) {
			l.log.Info("leading", "term", r.CurrentTerm())
		}
		if err == nil || t.ctx.Err() != nil {
			return
		}
		// Raft refuses a barrier while leadership is being transferred, and goes on leading when that fails.
		l.log.Debug("catch up before leading", "err", err)
		again := time.NewTimer(barrierRetry)
		select {
		case <-again.C:
		case <-t.ctx.Done():
			again.Stop()
			return
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
