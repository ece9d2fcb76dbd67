package collector

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/batondb/baton/topology"
)

// Sentry watches over connections between probes. Run calls fell whenever one of them breaks; Watch says which instances are worth one; and
// Answered tells of an instance that is alive, so that a connection that fell can be had again.
type Sentry interface {
	Run(ctx context.Context, fell func(topology.InstanceID)) error
	Watch(ids []topology.InstanceID)
	Answered(id topology.InstanceID)
}

// SentinelOptions configure a Sentinel.
type SentinelOptions struct {
	Access  Access
	Metrics *Metrics // nil counts nothing
	Logger  *slog.Logger
}

// Sentinel holds one idle, authenticated connection to each source and waits for it to break. The kernel closes the connections of a process
// that dies: that is the earliest news of a death there can be. It is a trigger and no evidence, for a restart, an idle timeout or a firewall
// breaks connections too.
type Sentinel struct {
	opts SentinelOptions

	mu    sync.Mutex
	posts map[topology.InstanceID]*post
	ctx   context.Context // of Run; nil when it is not running
	fell  func(topology.InstanceID)
	wg    sync.WaitGroup
	open  atomic.Int64
}

// post is the watch over one instance. Its goroutine owns the connection, until it is lent.
type post struct {
	cancel context.CancelFunc
	kick   chan struct{} // the instance has answered

	mu     sync.Mutex
	wire   *wire           // that the goroutine waits on; nil when it has none
	borrow chan<- *holding // where somebody waits for the connection
}

// holding is a connection and the wire below it.
type holding struct {
	conn driver.Conn
	wire *wire
}

// The pause before a connection is tried again grows from the first to the last, while probes keep succeeding.
const (
	firstPause = time.Second
	lastPause  = time.Minute
)

// NewSentinel checks the options and registers its metric.
func NewSentinel(opts SentinelOptions) (*Sentinel, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Access.Logger == nil {
		opts.Access.Logger = opts.Logger
	}
	var err error
	if opts.Access, err = opts.Access.withDefaults(); err != nil {
		return nil, fmt.Errorf("sentinel: %w", err)
	}
	s := &Sentinel{opts: opts, posts: make(map[topology.InstanceID]*post)}
	if opts.Metrics != nil {
		if err := opts.Metrics.watchSentinel(s); err != nil {
			return nil, fmt.Errorf("sentinel: %w", err)
		}
	}
	return s, nil
}

// Run watches until ctx ends; then every connection is closed and every goroutine gone. The callback is called from the goroutine that saw the
// connection break, in the same moment.
func (s *Sentinel) Run(ctx context.Context, fell func(topology.InstanceID)) error {
	s.mu.Lock()
	s.ctx, s.fell = ctx, fell
	for id, p := range s.posts {
		s.start(id, p)
	}
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	s.ctx = nil
	for _, p := range s.posts {
		p.end()
	}
	s.mu.Unlock()
	s.wg.Wait()
	return nil
}

// Watch sets the instances that are watched: no others, and these from now on.
func (s *Sentinel) Watch(ids []topology.InstanceID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wanted := make(map[topology.InstanceID]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
		if s.posts[id] == nil {
			p := &post{kick: make(chan struct{}, 1)}
			s.posts[id] = p
			if s.ctx != nil {
				s.start(id, p)
			}
		}
	}
	for id, p := range s.posts {
		if !wanted[id] {
			delete(s.posts, id)
			p.end()
		}
	}
}

// Answered says that an instance has just answered a probe.
func (s *Sentinel) Answered(id topology.InstanceID) {
	s.mu.Lock()
	p := s.posts[id]
	s.mu.Unlock()
	if p != nil {
		select {
		case p.kick <- struct{}{}:
		default:
		}
	}
}

// Lend gives the connection to an instance away, for good: whoever borrows it must close it, and nothing watches it any more. A server that
// hangs still has it, so what is written into it is the first thing the server reads when it wakes up. The connection has no deadline, and
// false means that there is none. A new one is made once the instance answers probes again.
func (s *Sentinel) Lend(id topology.InstanceID) (driver.Conn, bool) {
	s.mu.Lock()
	p := s.posts[id]
	s.mu.Unlock()
	if p == nil {
		return nil, false
	}
	p.mu.Lock()
	if p.wire == nil || p.borrow != nil {
		p.mu.Unlock()
		return nil, false
	}
	reply := make(chan *holding, 1)
	p.borrow = reply
	_ = p.wire.SetReadDeadline(longAgo)
	p.mu.Unlock()
	h := <-reply
	if h == nil {
		return nil, false
	}
	return h.conn, true
}

// Connections returns how many connections are held.
func (s *Sentinel) Connections() int { return int(s.open.Load()) }

// start begins a watch. The caller holds the lock.
func (s *Sentinel) start(id topology.InstanceID, p *post) {
	ctx, cancel := context.WithCancel(s.ctx)
	p.cancel = cancel
	fell := s.fell
	s.wg.Go(func() {
		defer cancel()
		s.stand(ctx, id, p, fell)
	})
}

func (p *post) end() {
	if p.cancel != nil {
		p.cancel()
	}
}

// stand connects, waits for the fall, reports it, and begins again when the instance has answered a probe.
func (s *Sentinel) stand(ctx context.Context, id topology.InstanceID, p *post, fell func(topology.InstanceID)) {
	pause := firstPause
	for {
		h, err := s.connect(ctx, id)
		if err != nil {
			s.opts.Logger.Debug("sentinel cannot connect", "instance", string(id), "err", err)
		} else {
			pause = firstPause
			s.open.Add(1)
			fallen := s.guard(ctx, p, h)
			s.open.Add(-1)
			if fallen {
				if s.opts.Metrics != nil {
					s.opts.Metrics.drops.Inc()
				}
				fell(id)
			}
			// A kick from before the fall says nothing about the time after it.
			select {
			case <-p.kick:
			default:
			}
		}
		if !s.rest(ctx, p, pause) {
			return
		}
		pause = min(2*pause, lastPause)
	}
}

// rest waits for a pause, and then for a sign of life. It returns false when the watch ends.
func (s *Sentinel) rest(ctx context.Context, p *post, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return false
	}
	select {
	case <-p.kick:
		return true
	case <-ctx.Done():
		return false
	}
}

// connect logs in and asks the server not to close the connection for being idle.
func (s *Sentinel) connect(ctx context.Context, id topology.InstanceID) (*holding, error) {
	conn, w, err := s.opts.Access.connect(ctx, id)
	if err != nil {
		return nil, err
	}
	err = w.SetDeadline(time.Now().Add(s.opts.Access.Timeout))
	if err == nil {
		stop := w.interrupt(ctx)
		_, err = conn.(driver.ExecerContext).ExecContext(context.Background(), "SET SESSION wait_timeout = 31536000", nil)
		if !stop() && err == nil {
			err = ctx.Err()
		}
	}
	if err == nil {
		err = w.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = w.Close()
		_ = conn.Close()
		return nil, fmt.Errorf("%s: prepare sentinel: %w", id, w.cause(err))
	}
	return &holding{conn, w}, nil
}

// guard waits for the connection to break, to be borrowed or to be given up, and reports whether it broke. A server says nothing on an idle
// connection, except why it is about to close it: so bytes are the same as the end.
func (s *Sentinel) guard(ctx context.Context, p *post, h *holding) (fell bool) {
	p.mu.Lock()
	p.wire = h.wire
	p.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { _ = h.wire.SetReadDeadline(longAgo) })
	var b [1]byte
	_, err := h.wire.Conn.Read(b[:])
	stop()
	p.mu.Lock()
	borrow := p.borrow
	p.wire, p.borrow = nil, nil
	p.mu.Unlock()

	// Only a read that ran into a deadline, which is ours, has left the connection as it was.
	intact := errors.Is(err, os.ErrDeadlineExceeded)
	if intact && borrow != nil && ctx.Err() == nil && h.wire.SetReadDeadline(time.Time{}) == nil {
		borrow <- h
		return false
	}
	if !intact {
		_ = h.wire.Close()
	}
	_ = h.conn.Close()
	if borrow != nil {
		borrow <- nil
	}
	return !intact && ctx.Err() == nil
}

// longAgo is a deadline that makes a read return at once.
var longAgo = time.Unix(1, 0)
