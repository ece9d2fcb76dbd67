package mysql

import (
	"context"
	"fmt"

	"github.com/batondb/baton/topology"
)

// connect opens a session and learns what its server is.
func (a *Actor) connect(ctx context.Context, id topology.InstanceID) (*session, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, a.opts.DialTimeout, fmt.Errorf("no answer within %s", a.opts.DialTimeout))
	defer cancel()
	c, err := a.dial(ctx, id)
	if err != nil {
		if ctx.Err() != nil {
			return nil, &NotConnectedError{id, context.Cause(ctx)}
		}
		return nil, err
	}
	s := &session{instance: id, conn: c}
	s.user, _ = a.opts.Credentials()
	if err := s.introduce(ctx); err != nil {
		c.Close()
		return nil, &NotConnectedError{id, err}
	}
	a.learnAccount(ctx, s)
	if s.broken {
		c.Close()
		return nil, &NotConnectedError{id, fmt.Errorf("the connection ended: %w", context.Cause(ctx))}
	}
	return s, nil
}

// introduce sets the session to what quote relies on, whatever the server's defaults are, and reads what decides how to speak to the server.
func (s *session) introduce(ctx context.Context) error {
	answers, err := s.ask(ctx,
		"SET NAMES utf8mb4", "SET SESSION sql_mode='', SESSION autocommit=1",
		"SELECT VERSION() AS version, @@version_comment AS comment, CONNECTION_ID() AS thread",
		`SHOW GLOBAL VARIABLES LIKE 'rpl\_semi\_sync\_%'`)
	if err != nil {
		return err
	}
	if len(answers) != 2 {
		return fmt.Errorf("%d answers to two questions", len(answers))
	}
	about := answers[0].first()
	s.thread = about["thread"]
	s.semiSync = semiSyncOf(answers[1])
	if s.version, err = topology.ParseVersion(about["version"], about["comment"]); err != nil {
		return err
	}
	if s.dialect, err = dialectOf(s.version); err != nil {
		return err
	}
	return s.findChannel(ctx)
}

// findChannel finds the channel that is judged and repaired: the default one, or the only one.
func (s *session) findChannel(ctx context.Context) error {
	questions := []string{"SHOW ALL SLAVES STATUS"}
	if !s.mariaDB {
		questions = []string{s.status, "SELECT @@GLOBAL.performance_schema AS performance_schema, @@GLOBAL.gtid_mode AS gtid_mode"}
	}
	answers, err := s.ask(ctx, questions...)
	if err != nil {
		return err
	}
	if len(answers) != len(questions) {
		return fmt.Errorf("%d answers to %d questions", len(answers), len(questions))
	}
	channels := answers[0]
	if len(channels) == 1 {
		s.channel = channels[0].get("Channel_Name", "Connection_name")
	}
	if s.mariaDB {
		if s.channel != "" {
			_, err = s.ask(ctx, "SET SESSION default_master_connection="+quote(s.channel))
		}
		return err
	}
	is := answers[1].first()
	s.inline = is["performance_schema"] == "1" && is["gtid_mode"] == "ON"
	return nil
}

// get returns the first of the columns that the row has: servers of different age name the same thing differently.
func (r row) get(names ...string) string {
	for _, name := range names {
		if v, ok := r[name]; ok {
			return v
		}
	}
	return ""
}
