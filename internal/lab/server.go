package lab

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
)

// A Server is one MySQL or MariaDB server on a loopback port.
type Server struct {
	lab     *Lab
	flavor  Flavor
	program *program
	dir     string
	port    int    // where the process listens
	proxy   *Proxy // where everybody else connects, if not nil
	id      int
	retry   int
	gtid    bool
	db      *sql.DB

	mu   sync.Mutex
	proc *process
}

// Host returns the address everybody connects to.
func (s *Server) Host() string { return "127.0.0.1" }

// Port returns the port everybody connects to: the server's, or that of the
// Proxy in front of it.
func (s *Server) Port() int {
	if s.proxy != nil {
		return s.proxy.port
	}
	return s.port
}

// Addr returns host:port as everybody knows it.
func (s *Server) Addr() string { return loopback(s.Port()) }

// Proxy returns the proxy in front of the server, or nil when its Spec did not
// ask for one. The Lab itself does not go through it.
func (s *Server) Proxy() *Proxy { return s.proxy }

// Flavor returns the family of the server.
func (s *Server) Flavor() Flavor { return s.flavor }

// Version returns the version of the server as major.minor.patch.
func (s *Server) Version() string { return s.program.version.String() }

// ID returns the server_id, which no other server of the Lab has.
func (s *Server) ID() int { return s.id }

// DSN returns what the MySQL driver needs to connect as one of the accounts.
func (s *Server) DSN(user string) string { return driverConfig(s.Addr(), user, Password).FormatDSN() }

// DB returns connections of the administrator. They are the Lab's: do not close them.
func (s *Server) DB() *sql.DB { return s.db }

// Log returns the end of what the server logged.
func (s *Server) Log() string { return tail(s.logPath(), 4096) }

func (s *Server) dataDir() string    { return filepath.Join(s.dir, "data") }
func (s *Server) configPath() string { return filepath.Join(s.dir, "my.cnf") }
func (s *Server) logPath() string    { return filepath.Join(s.dir, "log") }

// String names the server in errors.
func (s *Server) String() string { return fmt.Sprintf("%s %s", s.flavor, s.Addr()) }

// Start starts a server that is down, and waits until it answers.
func (s *Server) Start(ctx context.Context) error {
	if err := s.spawn(); err != nil {
		return err
	}
	return s.ready(ctx)
}

// Stop shuts the server down properly, and waits until it has ended.
func (s *Server) Stop(ctx context.Context) error {
	p := s.process()
	if p == nil {
		return nil
	}
	if err := p.stop(ctx); err != nil {
		return fmt.Errorf("stop %s: %w", s, err)
	}
	return nil
}

// Restart starts the server anew, after a proper shutdown if it is up. It
// comes up as its configuration says, whatever it was before.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Stop(ctx); err != nil {
		return err
	}
	return s.Start(ctx)
}

// Kill sends SIGKILL and returns at once; Wait tells when the server is gone.
func (s *Server) Kill() error { return s.signal(syscall.SIGKILL) }

// Freeze stops the server without ending it, and returns when it has stopped:
// its connections stay, and nothing answers.
func (s *Server) Freeze() error {
	if err := s.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for pid := s.PID(); pid != 0 && !stopped(pid); {
		if pause(ctx, time.Millisecond); ctx.Err() != nil {
			return fmt.Errorf("%s does not stop", s)
		}
	}
	return nil
}

// Thaw lets a frozen server go on.
func (s *Server) Thaw() error { return s.signal(syscall.SIGCONT) }

// Wait returns when the server's process has ended and is reaped.
func (s *Server) Wait(ctx context.Context) error {
	p := s.process()
	if p == nil {
		return nil
	}
	if err := p.wait(ctx); err != nil {
		return fmt.Errorf("wait for the end of %s: %w", s, err)
	}
	return nil
}

// Running reports whether the server's process exists, frozen or not.
func (s *Server) Running() bool {
	p := s.process()
	return p != nil && p.running()
}

// PID returns the server's process, or 0 when it is down.
func (s *Server) PID() int {
	if p := s.process(); p != nil && p.running() {
		return p.cmd.Process.Pid
	}
	return 0
}

func (s *Server) signal(sig syscall.Signal) error {
	p := s.process()
	if p == nil {
		return fmt.Errorf("%s: %w", s, errNotRunning)
	}
	if err := p.signal(sig); err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	return nil
}

func (s *Server) process() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc
}

// spawn starts the process and does not wait for it.
func (s *Server) spawn() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil && s.proc.running() {
		return fmt.Errorf("start %s: it is running", s)
	}
	log, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("start %s: %w", s, err)
	}
	defer log.Close()
	cmd := s.program.command(serverArgs(s.configPath())...)
	cmd.Stdout, cmd.Stderr = log, log
	proc, err := s.lab.spawner.start(cmd)
	if err != nil {
		return fmt.Errorf("start %s: %w", s, err)
	}
	s.proc = proc
	return nil
}

// ready waits until the server answers the administrator.
func (s *Server) ready(ctx context.Context) error {
	p := s.process()
	err := poll(ctx, func() (bool, error) {
		if !p.running() {
			return false, fmt.Errorf("it ended (%v): %s", p.err, s.Log()) //nolint:errorlint // %w cannot print the nil of one that ended well
		}
		attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		return s.db.PingContext(attempt) == nil, nil
	})
	if err != nil {
		return fmt.Errorf("start %s: %w", s, err)
	}
	return nil
}

func (s *Server) open(user, password string) {
	connector, err := mysql.NewConnector(driverConfig(loopback(s.port), user, password))
	if err != nil {
		panic(err) // the configuration is ours and does not vary
	}
	s.db = sql.OpenDB(connector)
	s.db.SetMaxIdleConns(2)
}

func (s *Server) destroy() error {
	if p := s.process(); p != nil {
		p.destroy()
	}
	if s.proxy != nil {
		s.proxy.Close()
	}
	return s.db.Close()
}

func driverConfig(addr, user, password string) *mysql.Config {
	c := mysql.NewConfig()
	c.Net, c.Addr = "tcp", addr
	c.User, c.Passwd = user, password
	c.Timeout = 2 * time.Second
	c.InterpolateParams = true
	// The driver would write to standard error what it also returns.
	c.Logger = &mysql.NopLogger{}
	return c
}

// Exec runs statements as the administrator, one after the other on one
// connection, until one fails.
func (s *Server) Exec(ctx context.Context, statements ...string) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("%s: connect: %w", s, err)
	}
	defer conn.Close()
	for _, statement := range statements {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %s: %w", s, withoutPassword(statement), err)
		}
	}
	return nil
}

// Value returns the first column of the first row of a query; NULL is empty.
func (s *Server) Value(ctx context.Context, query string, args ...any) (string, error) {
	var v sql.NullString
	if err := s.db.QueryRowContext(ctx, query, args...).Scan(&v); err != nil {
		return "", fmt.Errorf("%s: %s: %w", s, query, err)
	}
	return v.String, nil
}

// Row returns the first row of a query by column name, or nil when there is
// none. NULL is empty.
func (s *Server) Row(ctx context.Context, query string) (map[string]string, error) {
	rows, err := s.db.QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", s, query, err)
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", s, query, err)
		}
		return nil, nil
	}
	names, err := rows.Columns()
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", s, query, err)
	}
	values := make([]sql.NullString, len(names))
	into := make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	if err := rows.Scan(into...); err != nil {
		return nil, fmt.Errorf("%s: %s: %w", s, query, err)
	}
	row := make(map[string]string, len(names))
	for i, name := range names {
		row[name] = values[i].String
	}
	return row, errors.Join(rows.Close(), rows.Err())
}
