// Package ledger keeps what operators asked for and what was done about it, agreed by a majority of Baton's nodes.
// It does not observe servers or judge them: whoever proposes an entry has decided.
package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// enqueueTimeout bounds how long an entry waits to be taken by raft, behind others on a disk that hangs.
const enqueueTimeout = 10 * time.Second

// Ledger is this node's part in the group. Its methods are safe for concurrent use, before, during and after Run.
type Ledger struct {
	opts     Options
	log      *slog.Logger
	store    *store
	listener net.Listener
	fsm      *fsm
	notify   chan bool     // from raft: elected, or no longer
	resume   chan struct{} // leadership could not be handed over
	terms    *terms
	stats    meter

	ran   atomic.Bool
	raft  atomic.Pointer[raft.Raft] // nil until Run
	calls calls
}

// New checks the options and opens the store, which stays open until Run returns: whoever has a Ledger runs it, if only
// with a context that has ended. What the newest snapshot says can be read at once, the rest when Ready.
func New(o Options) (*Ledger, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	s, err := openStore(o)
	if err != nil {
		return nil, err
	}
	l := &Ledger{
		opts:   o,
		log:    o.Logger,
		store:  s,
		fsm:    newFSM(s.state),
		notify: make(chan bool, 1),
		resume: make(chan struct{}, 1),
		terms:  newTerms(),
	}
	l.fsm.snapshotWritten(s.taken)
	if l.listener, err = o.listen(); err != nil {
		return nil, errors.Join(err, s.log.Close())
	}
	return l, nil
}

// Run takes part in the group until the context ends. It is called once.
func (l *Ledger) Run(ctx context.Context) error {
	if l.ran.Swap(true) {
		return errors.New("run ledger: it ran before")
	}
	transport, closeTransport := l.opts.connect(l.listener)
	var r *raft.Raft
	err := guard(func() (err error) {
		r, err = raft.NewRaft(l.opts.raftConfig(l.notify), l.fsm, l.store.log, l.store.log, l.store.snapshots, transport)
		return err
	})
	if err != nil {
		l.calls.drain(0)
		l.terms.stop()
		closeTransport()
		return fmt.Errorf("run ledger: %w", errors.Join(err, l.store.log.Close()))
	}
	l.watchLeaders(r)
	l.raft.Store(r)
	if l.opts.alone() {
		l.hurry(r)
	}
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { l.watchTerms(r, stop) })

	<-ctx.Done()
	l.leave(r)
	err = r.Shutdown().Error()
	closeTransport()
	close(stop)
	watching.Wait()
	if err = errors.Join(err, l.store.log.Close()); err != nil {
		return fmt.Errorf("stop ledger: %w", err)
	}
	return nil
}

// hurry has a group of one elect itself now. Raft waits for a heartbeat first, but looks again when that time is
// shortened; waiting for short times instead would wake the process up for ever after.
func (l *Ledger) hurry(r *raft.Raft) {
	c := r.ReloadableConfig()
	c.HeartbeatTimeout = l.opts.Heartbeat
	if err := r.ReloadConfig(c); err != nil {
		l.log.Debug("elect at once", "err", err) // only slower: the election comes with the timeout
	}
}

// leave ends this node's part in good order: no new calls, the running ones answered, leadership handed on.
func (l *Ledger) leave(r *raft.Raft) {
	l.terms.stop()
	// A leader that lost its majority answers after at most its lease, so two elections are more than enough.
	patience := 2 * l.opts.Election
	l.calls.drain(patience)
	if l.opts.alone() || r.State() != raft.Leader {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := l.terms.quiet(ctx)
	if err == nil {
		err = r.LeadershipTransfer().Error()
	}
	if err != nil {
		l.log.Debug("hand leadership on", "err", err) // the others elect a leader when they miss the heartbeat
	}
}

// State returns what this node knows, never nil. A follower may be behind the leader by a moment.
func (l *Ledger) State() *State { return l.fsm.state.Load() }

// Changes returns a channel that is closed when State changes next. Ask for it before reading State: then no change is missed.
func (l *Ledger) Changes() <-chan struct{} { return l.fsm.changes() }

// Propose asks the group to agree on an entry and returns when it has: nil, or why the entry was refused, as one of the
// errors of this package. ErrNotLeader means it was not agreed on; ErrUncertain and the end of the context leave it open.
func (l *Ledger) Propose(ctx context.Context, e Entry) error {
	r, raw, err := l.prepare(e)
	if err != nil {
		return err
	}
	answer := make(chan error, 1)
	go func() { answer <- l.finish(l.submit(r, raw)) }()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUncertain, context.Cause(ctx))
	}
}

// ProposeAsync hands an entry to the group without waiting for it to agree: what one goroutine proposes is agreed on in
// that order, and entries that wait for the disk together share a commit. The answer need not be read.
func (l *Ledger) ProposeAsync(e Entry) <-chan error {
	answer := make(chan error, 1)
	r, raw, err := l.prepare(e)
	if err != nil {
		answer <- err
		return answer
	}
	p := l.submit(r, raw)
	go func() { answer <- l.finish(p) }()
	return answer
}

// prepare stamps and checks an entry. What it returns must go through submit and finish.
func (l *Ledger) prepare(e Entry) (*raft.Raft, []byte, error) {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	e.At = e.At.UTC().Round(0)
	if e.ID == "" {
		e.ID = NewID(e.At, rand.Reader)
	}
	if err := e.Check(); err != nil {
		return nil, nil, fmt.Errorf("propose %s: %w", e.Kind, err)
	}
	raw, err := e.Encode()
	if err != nil {
		return nil, nil, fmt.Errorf("propose %s: %w", e.Kind, err)
	}
	r, err := l.enter()
	return r, raw, err
}

// proposal is an entry on its way.
type proposal struct {
	future raft.ApplyFuture
	since  time.Time
}

func (l *Ledger) submit(r *raft.Raft, raw []byte) proposal {
	since := time.Now()
	return proposal{future: r.Apply(raw, enqueueTimeout), since: since}
}

// finish waits for the answer to a proposal.
func (l *Ledger) finish(p proposal) error {
	defer l.calls.exit()
	err := p.future.Error()
	if err == nil {
		err, _ = p.future.Response().(error)
		l.stats.answered(time.Since(p.since), err != nil)
		return err
	}
	l.stats.failed()
	switch {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return l.notLeader()
	case errors.Is(err, raft.ErrEnqueueTimeout):
		return fmt.Errorf("raft did not take the entry within %s, is the disk hanging? %w", enqueueTimeout, err)
	default: // it was written here, or to some of the others
		return fmt.Errorf("%w: %w", ErrUncertain, l.translate(err))
	}
}

// VerifyLeader returns nil when a majority confirms, now, that this node leads.
func (l *Ledger) VerifyLeader(ctx context.Context) error {
	r, err := l.enter()
	if err != nil {
		return err
	}
	answer := make(chan error, 1)
	go func() {
		defer l.calls.exit()
		answer <- l.translate(r.VerifyLeader().Error())
	}()
	return await(ctx, answer)
}

// enter counts a call in, so that Run does not pull raft from under it. The caller sees to it that exit is called.
func (l *Ledger) enter() (*raft.Raft, error) {
	if !l.calls.enter() {
		return nil, ErrStopped
	}
	r := l.raft.Load()
	if r == nil {
		l.calls.exit()
		return nil, ErrNotLeader{}
	}
	return r, nil
}

// translate turns the errors of raft into those of this package.
func (l *Ledger) translate(err error) error {
	switch {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipLost), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return l.notLeader()
	case errors.Is(err, raft.ErrRaftShutdown):
		return ErrStopped
	default:
		return err
	}
}

// await waits for an answer or the end of the context.
func await(ctx context.Context, answer <-chan error) error {
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("gave up waiting for raft: %w", context.Cause(ctx))
	}
}
