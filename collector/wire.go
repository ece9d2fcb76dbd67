package collector

import (
	"context"
	"crypto/tls"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/batondb/baton/topology"
)

// Access is how servers are reached and as whom.
type Access struct {
	// Credentials returns the account. It is called for every new connection, so that a password can be rotated.
	Credentials func() (user, password string)

	// TLS encrypts connections; nil means plain text. With PlaintextAllowed a server that offers no TLS is spoken to without.
	TLS              *tls.Config
	PlaintextAllowed bool

	// Dial opens network connections; nil means net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Timeout bounds dialling and logging in together. The default is 500 ms.
	Timeout time.Duration

	// Logger receives what the driver mutters, at level debug.
	Logger *slog.Logger
}

const defaultTimeout = 500 * time.Millisecond

// maxPacket is more than any answer needs. Naming it spares a round trip in which the driver would ask.
const maxPacket = 64 << 20

func (a Access) withDefaults() (Access, error) {
	if a.Credentials == nil {
		return a, errors.New("access: Credentials is missing")
	}
	if a.Timeout <= 0 {
		a.Timeout = defaultTimeout
	}
	if a.Logger == nil {
		a.Logger = slog.New(slog.DiscardHandler)
	}
	if a.Dial == nil {
		var d net.Dialer
		a.Dial = d.DialContext
	}
	return a, nil
}

// wire is the network connection below a session. It remembers what the driver hides: whether the server said anything, and why it broke.
type wire struct {
	net.Conn
	heard  bool
	broken error
}

func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.heard = w.heard || n > 0
	if err != nil && w.broken == nil {
		w.broken = err
	}
	return n, err
}

func (w *wire) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	if err != nil && w.broken == nil {
		w.broken = err
	}
	return n, err
}

// cause returns why the connection broke, where the driver only says that it did.
func (w *wire) cause(err error) error {
	if w == nil || w.broken == nil {
		return err
	}
	if _, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return err
	}
	return w.broken
}

// interrupt makes what waits on the connection fail when ctx ends. The returned function ends the arrangement.
func (w *wire) interrupt(ctx context.Context) (stop func() bool) {
	if ctx.Done() == nil {
		return func() bool { return true }
	}
	return context.AfterFunc(ctx, func() { _ = w.SetDeadline(longAgo) })
}

// connect dials and logs in. The connection it returns has no deadline.
func (a *Access) connect(ctx context.Context, id topology.InstanceID) (driver.Conn, *wire, error) {
	deadline := time.Now().Add(a.Timeout)
	user, password := a.Credentials()
	var w *wire
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd = user, password
	cfg.Net, cfg.Addr = "tcp", string(id)
	cfg.TLS, cfg.AllowFallbackToPlaintext = a.TLS, a.PlaintextAllowed
	cfg.MultiStatements = true
	cfg.InterpolateParams = true
	cfg.MaxAllowedPacket = maxPacket
	cfg.ConnectionAttributes = "program_name:baton"
	cfg.Logger = driverLog{a.Logger, id}
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		dial, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		conn, err := a.Dial(dial, network, address)
		if err != nil {
			return nil, err
		}
		w = &wire{Conn: conn}
		return w, w.SetDeadline(deadline)
	}
	fail := func(err error) (driver.Conn, *wire, error) {
		e := &Error{Instance: id, Err: w.cause(err)}
		if w != nil {
			e.Stage, e.Heard = StageHandshake, w.heard
		}
		if ctx.Err() != nil {
			e.Err = ctx.Err()
		}
		return nil, nil, e
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return fail(err)
	}
	conn, err := connector.Connect(ctx)
	if err != nil {
		return fail(err)
	}
	if err := w.SetDeadline(time.Time{}); err != nil {
		_ = conn.Close()
		return fail(err)
	}
	return conn, w, nil
}

// driverLog sends the driver's messages to slog instead of standard error.
type driverLog struct {
	log *slog.Logger
	id  topology.InstanceID
}

// Print implements mysql.Logger.
func (l driverLog) Print(v ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug("driver: "+fmt.Sprint(v...), "instance", string(l.id))
	}
}

func isEOF(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe)
}

// isDriverGone reports the driver's own words for a connection that is no more.
func isDriverGone(err error) bool {
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn)
}
