package mysql

import (
	"context"
	"crypto/tls"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	client "github.com/go-sql-driver/mysql"

	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// Options are what an Actor needs.
type Options struct {
	// Credentials returns the account that Baton uses on every server. It is asked at every connection, so that a password can be changed.
	Credentials func() (user, password string)

	// TLS encrypts connections; nil leaves them plain. The name that is verified is the host of the instance, unless it says another.
	TLS *tls.Config

	// PlaintextAllowed has a server that offers no TLS spoken to without.
	PlaintextAllowed bool

	// DialTimeout bounds the way from nothing to an authenticated connection. Default 2 s.
	DialTimeout time.Duration

	// Dial opens connections. Default net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Replication returns the account with which an instance that has none of its own replicates. It goes before what was learnt from
	// servers. May be nil.
	Replication func(topology.InstanceID) (Account, bool)

	// Lifeline hands over a connection that was authenticated before its server began to hang. May be nil.
	Lifeline func(topology.InstanceID) (driver.Conn, bool)

	// Spare names users whose connections are never ended when a server is fenced. Baton's own and those of replicas never are.
	Spare []string

	// DrainStall is how long an applier may make no progress before it is given up. Default 20 s.
	DrainStall time.Duration

	// Logger defaults to slog.Default.
	Logger *slog.Logger
}

// Actor carries out steps on servers. It keeps one connection to each instance that it has had to do with.
type Actor struct {
	opts Options
	log  *slog.Logger

	ctx   context.Context // ends when the Actor is closed
	close context.CancelFunc
	sent  sync.WaitGroup // fences on their way to servers that hang

	mu       sync.Mutex
	slots    map[topology.InstanceID]*slot
	accounts map[topology.InstanceID]channelAccount
	fences   map[topology.InstanceID]bool // on their way
}

var _ remediation.Actor = (*Actor)(nil)

// New returns an Actor. It connects to nothing yet.
func New(opts Options) (*Actor, error) {
	if opts.Credentials == nil {
		return nil, errors.New("mysql actor: Credentials are missing")
	}
	if opts.DialTimeout <= 0 {
		opts.DialTimeout = 2 * time.Second
	}
	if opts.DrainStall <= 0 {
		opts.DrainStall = 20 * time.Second
	}
	if opts.Dial == nil {
		opts.Dial = (&net.Dialer{}).DialContext
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	a := &Actor{
		opts:     opts,
		log:      opts.Logger,
		slots:    make(map[topology.InstanceID]*slot),
		accounts: make(map[topology.InstanceID]channelAccount),
		fences:   make(map[topology.InstanceID]bool),
	}
	a.ctx, a.close = context.WithCancel(context.Background())
	return a, nil
}

// Idle is how long a connection is kept that nobody uses.
const Idle = 5 * time.Minute

// Run closes connections that nobody has used for a while. When the context ends it closes all of them, ends what is still on its way, and
// returns; the Actor does nothing after that.
func (a *Actor) Run(ctx context.Context) error {
	tick := time.NewTicker(Idle / 5)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			a.close()
			a.drop(time.Time{})
			a.sent.Wait()
			return nil
		case now := <-tick.C:
			a.drop(now.Add(-Idle))
		}
	}
}

// Warm connects to instances ahead of need, all at once. Those that are connected stay so.
func (a *Actor) Warm(ctx context.Context, ids ...topology.InstanceID) error {
	errs := make([]error, len(ids))
	var wg sync.WaitGroup
	for n, id := range ids {
		wg.Go(func() { errs[n] = a.with(ctx, id, func(*session) error { return nil }) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Do carries out a step. What is done already is not done again.
func (a *Actor) Do(ctx context.Context, step remediation.Step) error {
	var err error
	switch do := a.doer(step.Action); {
	case step.Action == remediation.Fence && step.NoWait:
		err = a.fenceNoWait(ctx, step)
	case do == nil:
		err = errors.New("it is nothing that is done on a server")
	default:
		err = a.with(ctx, step.On, func(s *session) error { return do(ctx, s, step) })
	}
	if err != nil {
		return fmt.Errorf("%s on %s: %w", step.Action, step.On, err)
	}
	return nil
}

func (a *Actor) doer(action remediation.Action) func(context.Context, *session, remediation.Step) error {
	switch action {
	case remediation.StopReceiver:
		return stopReceiver
	case remediation.StartReplication:
		return startReplication
	case remediation.RestartReceiver:
		return restartReceiver
	case remediation.WaitApplied:
		return a.waitApplied
	case remediation.RelaxDurability:
		return relaxDurability
	case remediation.RestoreDurability:
		return restoreDurability
	case remediation.Fence:
		return a.fence
	case remediation.Unfence:
		return a.unfence
	case remediation.MakePrimary:
		return makePrimary
	case remediation.PointAt:
		return a.pointAt
	}
	return nil
}

// NotConnectedError says that there is no connection to an instance, and so nothing was done.
type NotConnectedError struct {
	Instance topology.InstanceID
	Err      error
}

func (e *NotConnectedError) Error() string {
	return fmt.Sprintf("connect to %s: %v", e.Instance, e.Err)
}
func (e *NotConnectedError) Unwrap() error { return e.Err }

// slot is the place of one instance's connection. Its turn is taken by whoever uses it.
type slot struct {
	turn chan struct{}
	s    *session
}

func (a *Actor) slot(id topology.InstanceID) *slot {
	a.mu.Lock()
	defer a.mu.Unlock()
	sl := a.slots[id]
	if sl == nil {
		sl = &slot{turn: make(chan struct{}, 1)}
		a.slots[id] = sl
	}
	return sl
}

// with calls f with the session of an instance. When a connection turns out to have ended while nobody used it, or what was known of the server is
// out of date, f is called a second time on a new one: the server may have done part of it already, and doing it twice is doing it once.
func (a *Actor) with(ctx context.Context, id topology.InstanceID, f func(*session) error) error {
	sl := a.slot(id)
	select {
	case sl.turn <- struct{}{}:
		defer func() { <-sl.turn }()
	case <-ctx.Done():
		return fmt.Errorf("wait for the connection's turn: %w", context.Cause(ctx))
	}
	if sl.s != nil && sl.s.conn.ResetSession(ctx) != nil {
		sl.end()
	}
	old := sl.s != nil
	for {
		if sl.s == nil {
			s, err := a.connect(ctx, id)
			if err != nil {
				return err
			}
			sl.s = s
		}
		s := sl.s
		err := f(s)
		if s.broken && s.changing && ctx.Err() != nil {
			a.abandon(ctx, s)
		}
		if !s.broken && !s.outdated {
			return err
		}
		sl.end()
		if err == nil || !old || ctx.Err() != nil {
			return err
		}
		old = false
	}
}

func (sl *slot) end() {
	sl.s.conn.Close()
	sl.s = nil
}

// drop closes the sessions that nobody has used since a moment; all of them for the zero time.
func (a *Actor) drop(since time.Time) {
	a.mu.Lock()
	slots := make([]*slot, 0, len(a.slots))
	for _, sl := range a.slots {
		slots = append(slots, sl)
	}
	a.mu.Unlock()
	for _, sl := range slots {
		if since.IsZero() {
			sl.turn <- struct{}{}
		} else {
			select {
			case sl.turn <- struct{}{}:
			default: // in use, so not idle
				continue
			}
		}
		if sl.s != nil && (since.IsZero() || sl.s.used.Before(since)) {
			sl.end()
		}
		<-sl.turn
	}
}

// abandon ends on the server what a step that ran out of time has left there, as far as the server lets it. Otherwise it might be carried out
// much later, when a lock is released.
func (a *Actor) abandon(ctx context.Context, s *session) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 300*time.Millisecond)
	defer cancel()
	other, err := a.dial(ctx, s.instance)
	if err != nil {
		return
	}
	defer other.Close()
	if rows, err := other.QueryContext(ctx, "KILL "+s.thread, nil); err == nil {
		rows.Close()
	}
}

// dial returns an authenticated connection.
func (a *Actor) dial(ctx context.Context, id topology.InstanceID) (conn, error) {
	if err := a.ctx.Err(); err != nil {
		return nil, &NotConnectedError{id, errors.New("the actor is closed")}
	}
	if err := checkAddress(id); err != nil {
		return nil, &NotConnectedError{id, err}
	}
	config := client.NewConfig()
	config.User, config.Passwd = a.opts.Credentials()
	config.Net, config.Addr = "tcp", net.JoinHostPort(id.Host(), fmt.Sprint(id.Port()))
	config.DialFunc = a.opts.Dial
	config.TLS, config.AllowFallbackToPlaintext = a.opts.TLS, a.opts.PlaintextAllowed
	config.MultiStatements = true
	config.ConnectionAttributes = "program_name:baton"
	config.Logger = &client.NopLogger{} // it would write to standard error what it also returns
	connector, err := client.NewConnector(config)
	if err != nil {
		return nil, &NotConnectedError{id, err}
	}
	c, err := connector.Connect(ctx)
	if err != nil {
		return nil, &NotConnectedError{id, err}
	}
	return c.(conn), nil
}
