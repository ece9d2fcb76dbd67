package mysql

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/batondb/baton/internal/lab"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// fleet is real servers and an Actor with the rights of Baton's account, no more.
type fleet struct {
	*testing.T
	*lab.Topology
	actor *Actor
	logs  *logBuffer
	trips atomic.Int64
}

// eachFlavor runs a test on servers of both lines.
func eachFlavor(t *testing.T, spec lab.Spec, f func(f *fleet)) {
	for _, flavor := range []lab.Flavor{lab.MySQL, lab.MariaDB} {
		t.Run(string(flavor), func(t *testing.T) {
			spec := spec
			spec.Flavor = flavor
			f(newFleet(t, spec, Options{}))
		})
	}
}

func newFleet(t *testing.T, spec lab.Spec, opts Options) *fleet {
	t.Helper()
	if testing.Short() {
		t.Skip("it needs real servers")
	}
	l, err := lab.New(t.Context(), lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	top, err := l.Start(t.Context(), spec)
	if missing := (*lab.MissingError)(nil); errors.As(err, &missing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{T: t, Topology: top, logs: &logBuffer{}}
	f.actor = f.newActor(opts)
	return f
}

func (f *fleet) newActor(opts Options) *Actor {
	f.Helper()
	opts.Credentials = func() (string, string) { return lab.BatonUser, lab.Password }
	opts.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &countingConn{Conn: c, trips: &f.trips}, nil
	}
	opts.Logger = slog.New(slog.NewTextHandler(f.logs, nil))
	a, err := New(opts)
	if err != nil {
		f.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- a.Run(ctx) }()
	f.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			f.Errorf("run: %v", err)
		}
	})
	return a
}

// countingConn counts how often something is sent and then waited for.
type countingConn struct {
	net.Conn
	trips *atomic.Int64
	sent  atomic.Bool
}

func (c *countingConn) Write(b []byte) (int, error) {
	c.sent.Store(true)
	return c.Conn.Write(b)
}

func (c *countingConn) Read(b []byte) (int, error) {
	if c.sent.Swap(false) {
		c.trips.Add(1)
	}
	return c.Conn.Read(b)
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func id(s *lab.Server) topology.InstanceID { return topology.NewInstanceID(s.Host(), s.Port()) }

// step completes a step as a planner would.
func step(action remediation.Action, on *lab.Server, more ...func(*remediation.Step)) remediation.Step {
	st := remediation.Step{Action: action, On: id(on), Flavor: topology.FlavorMySQL}
	if on.Flavor() == lab.MariaDB {
		st.Flavor = topology.FlavorMariaDB
	}
	for _, m := range more {
		m(&st)
	}
	return st
}

func from(source *lab.Server) func(*remediation.Step) {
	return func(st *remediation.Step) { st.Source = id(source) }
}

func gtids(set topology.GTIDSet) func(*remediation.Step) {
	return func(st *remediation.Step) { st.GTIDs = set }
}

// within is the deadline that an executor would give.
func (f *fleet) within(limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(f.Context(), limit)
	f.Cleanup(cancel)
	return ctx
}

// do carries a step out and returns how many round trips it took.
func (f *fleet) do(st remediation.Step) int64 {
	f.Helper()
	before := f.trips.Load()
	if err := f.actor.Do(f.within(20*time.Second), st); err != nil {
		f.Fatal(err)
	}
	return f.trips.Load() - before
}

// doTwice carries a step out a second time, which must change nothing.
func (f *fleet) doTwice(st remediation.Step) {
	f.Helper()
	f.do(st)
	f.wantDone(st, true)
	f.do(st)
	f.wantDone(st, true)
}

func (f *fleet) wantDone(st remediation.Step, want bool) {
	f.Helper()
	done, err := f.actor.Done(f.within(5*time.Second), st)
	if err != nil {
		f.Fatal(err)
	}
	if done != want {
		f.Errorf("%s on %s is done: %v, want %v", st.Action, st.On, done, want)
	}
}

// refused carries a step out that must fail with a text.
func (f *fleet) refused(st remediation.Step, limit time.Duration, text string) error {
	f.Helper()
	err := f.actor.Do(f.within(limit), st)
	if err == nil || !strings.Contains(err.Error(), text) {
		f.Fatalf("%s on %s: %v, want an error with %q", st.Action, st.On, err, text)
	}
	return err
}

func (f *fleet) exec(s *lab.Server, statements ...string) {
	f.Helper()
	if err := s.Exec(f.Context(), statements...); err != nil {
		f.Fatal(err)
	}
}

func (f *fleet) value(s *lab.Server, query string) string {
	f.Helper()
	v, err := s.Value(f.Context(), query)
	if err != nil {
		f.Fatal(err)
	}
	return v
}

func (f *fleet) want(s *lab.Server, query, want string) {
	f.Helper()
	if got := f.value(s, query); got != want {
		f.Errorf("%s: %s = %q, want %q", s, query, got, want)
	}
}

// eventually waits until a query has an answer. It asks as fast as the server answers.
func (f *fleet) eventually(s *lab.Server, query, want string) {
	f.Helper()
	ctx := f.within(20 * time.Second)
	got := ""
	for ctx.Err() == nil {
		if got = f.value(s, query); got == want {
			return
		}
	}
	f.Fatalf("%s: %s = %q, want %q", s, query, got, want)
}

// eventuallySame waits until two servers hold the same rows.
func (f *fleet) eventuallySame(a, b *lab.Server) {
	f.Helper()
	ctx := f.within(20 * time.Second)
	for f.value(a, countRows) != f.value(b, countRows) {
		if ctx.Err() != nil {
			f.Fatalf("%s holds %s rows and %s holds %s", a, f.value(a, countRows), b, f.value(b, countRows))
		}
	}
}

// state is what the Actor itself reads.
func (f *fleet) state(s *lab.Server) state {
	f.Helper()
	var st state
	err := f.actor.with(f.within(5*time.Second), id(s), func(s *session) (err error) {
		st, err = s.readState(f.Context())
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
	return st
}

// words spells a statement in the server's own words.
func words(s *lab.Server, statement string) string {
	if s.Flavor() == lab.MariaDB {
		return strings.NewReplacer("REPLICA", "SLAVE", "_replica_", "_slave_", "_source_", "_master_", "super_read_only", "read_only").Replace(statement)
	}
	return statement
}

// thread is the number of a replication thread on the server, which changes when it is restarted.
func (f *fleet) receiverThread(s *lab.Server) string {
	f.Helper()
	return f.value(s, "SELECT MAX(id) FROM information_schema.processlist WHERE user='system user' AND (state LIKE 'Waiting for source to send%' OR state LIKE 'Waiting for master to send%')")
}

// write inserts rows as the administrator, whom nothing stops but super_read_only.
func (f *fleet) write(s *lab.Server, run, rows int) {
	f.Helper()
	for n := range rows {
		f.exec(s, fmt.Sprintf("INSERT INTO app.writes (run, seq) VALUES (%d, %d)", run, n))
	}
}

const countRows = "SELECT COUNT(*) FROM app.writes"
