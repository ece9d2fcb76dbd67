package lab

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"

	"github.com/go-sql-driver/mysql"
)

// A line is one connection of a Writer to one server. It has no pool and tries
// nothing twice: a Writer must know which attempt was acknowledged.
type line struct {
	connector driver.Connector
	conn      driver.Conn
}

func newLine(addr string) *line {
	config := driverConfig(addr, AppUser, Password)
	config.Timeout = dialDeadline
	connector, err := mysql.NewConnector(config)
	if err != nil {
		panic(err) // the configuration is ours and does not vary
	}
	return &line{connector: connector}
}

// connect makes sure that there is a connection. One whose end has been closed
// meanwhile is replaced: a server that comes back would seem down once more.
func (l *line) connect(ctx context.Context) error {
	if l.conn != nil {
		if l.conn.(driver.SessionResetter).ResetSession(ctx) == nil {
			return nil
		}
		l.close()
	}
	ctx, cancel := context.WithTimeout(ctx, queryDeadline)
	defer cancel()
	conn, err := l.connector.Connect(ctx)
	if err != nil {
		return err
	}
	l.conn = conn
	return nil
}

func (l *line) close() {
	if l.conn != nil {
		l.conn.Close()
		l.conn = nil
	}
}

func (l *line) exec(ctx context.Context, query string) error {
	if err := l.connect(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, queryDeadline)
	defer cancel()
	_, err := l.conn.(driver.ExecerContext).ExecContext(ctx, query, nil)
	return err
}

// writable asks the server; no answer is no.
func (l *line) writable(ctx context.Context) bool {
	if l.connect(ctx) != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, queryDeadline)
	defer cancel()
	values, err := l.row(ctx, "SELECT @@global.read_only")
	if err != nil {
		l.close()
		return false
	}
	switch v := values[0].(type) {
	case int64:
		return v == 0
	case []byte:
		return string(v) == "0"
	}
	return false
}

// row returns the first row of a query.
func (l *line) row(ctx context.Context, query string) ([]driver.Value, error) {
	rows, err := l.conn.(driver.QueryerContext).QueryContext(ctx, query, nil)
	if err != nil {
		return nil, err
	}
	values := make([]driver.Value, len(rows.Columns()))
	err = rows.Next(values)
	if errors.Is(err, io.EOF) {
		err = errors.New("no row")
	}
	return values, errors.Join(err, rows.Close())
}
