package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	client "github.com/go-sql-driver/mysql"

	"github.com/batondb/baton/topology"
)

// session is one authenticated connection and what is known of the server at its other end.
type session struct {
	instance topology.InstanceID
	conn     conn
	thread   string // its number on the server, by which it can be killed
	user     string

	dialect
	version  topology.Version
	semiSync semiSync
	channel  string // the channel that Baton repairs
	inline   bool   // what has been received can be compared by a SELECT

	lockWait int // seconds that a statement waits for locks
	used     time.Time
	changing bool // a statement that changes something was sent and not answered
	broken   bool // the connection cannot be used any more
	outdated bool // what is known of the server is not true any more
}

type conn interface {
	driver.Conn
	driver.QueryerContext
	driver.SessionResetter
}

// row is one row by column; NULL is empty.
type row map[string]string

type table []row

// first returns the first row, or one in which everything is empty.
func (t table) first() row {
	if len(t) == 0 {
		return nil
	}
	return t[0]
}

// on completes a statement about the channel. A MariaDB session has its channel as a variable instead: the clause came with 10.7.
func (s *session) on(statement string) string {
	if s.mariaDB {
		return statement
	}
	return statement + " FOR CHANNEL " + quote(s.channel)
}

// ask sends statements as one batch, in one round trip, and returns the results that have columns, in order. The server stops at the first
// statement that fails.
func (s *session) ask(ctx context.Context, statements ...string) ([]table, error) {
	rows, err := s.conn.QueryContext(ctx, strings.Join(statements, "; "), nil)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	tables, err := readAll(rows)
	if closed := rows.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return tables, s.failed(ctx, err)
	}
	s.used = time.Now()
	return tables, nil
}

// change is ask for statements that change something. None of them waits longer for locks than the context allows: a statement that outlives its
// step would be carried out when nobody expects it any more.
func (s *session) change(ctx context.Context, statements ...string) ([]table, error) {
	wait := 60
	if deadline, ok := ctx.Deadline(); ok {
		wait = int(min(60, max(1, math.Ceil(time.Until(deadline).Seconds()))))
	}
	if wait != s.lockWait {
		statements = append([]string{fmt.Sprintf("SET SESSION lock_wait_timeout=%d", wait)}, statements...)
	}
	s.changing = true
	tables, err := s.ask(ctx, statements...)
	if !s.broken {
		s.changing = false
	}
	if err == nil {
		s.lockWait = wait
	}
	return tables, err
}

// failed notes what an error means for the session. Errors of the server leave the connection as it was, with the exceptions below.
func (s *session) failed(ctx context.Context, err error) error {
	switch errno(err) {
	case 0:
		s.broken = true
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	case 1053, 1152, 1927, 4031: // the server shuts down, or has ended the connection and says so before it closes it
		s.broken = true
	case 1193, 1617, 3074: // a variable or a channel that was there is not: a plugin or a channel has gone
		s.outdated = true
	}
	return err
}

// errno returns the number of a server's error, or 0 for any other.
func errno(err error) uint16 {
	if e, ok := errors.AsType[*client.MySQLError](err); ok {
		return e.Number
	}
	return 0
}

func readAll(rows driver.Rows) ([]table, error) {
	var tables []table
	for {
		if columns := rows.Columns(); len(columns) > 0 {
			t, err := readTable(rows, columns)
			if err != nil {
				return tables, err
			}
			tables = append(tables, t)
		}
		more, ok := rows.(driver.RowsNextResultSet)
		if !ok {
			return tables, nil
		}
		switch err := more.NextResultSet(); {
		case errors.Is(err, io.EOF):
			return tables, nil
		case err != nil:
			return tables, err
		}
	}
}

func readTable(rows driver.Rows, columns []string) (table, error) {
	t := table{}
	values := make([]driver.Value, len(columns))
	for {
		err := rows.Next(values)
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return t, err
		}
		r := make(row, len(columns))
		for n, name := range columns {
			r[name] = text(values[n])
		}
		t = append(t, r)
	}
}

func text(v driver.Value) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []byte:
		return string(v)
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	default:
		return fmt.Sprint(v)
	}
}

// withhold takes a secret out of what a server said about a statement that held it. Servers quote any part of a statement that they do not
// understand, and the beginning of a value that they do not accept; where that can be, none of what they said is passed on.
func withhold(err error, secret string) error {
	e, ok := errors.AsType[*client.MySQLError](err)
	if !ok || secret == "" {
		return err
	}
	for _, shape := range []string{secret, strings.Trim(quote(secret), "'")} {
		if e.Number == 1064 || strings.Contains(e.Message, shape[:min(4, len(shape))]) {
			return &client.MySQLError{Number: e.Number, SQLState: e.SQLState, Message: "the server does not accept a statement that holds a password; what it said is withheld"}
		}
	}
	return err
}
