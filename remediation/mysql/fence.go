package mysql

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

const (
	// fencePatience is how long a fence may wait for running commits before something is done about them.
	fencePatience = 500 * time.Millisecond

	// fenceAgain is how long after that it is looked at again.
	fenceAgain = 250 * time.Millisecond
)

// fence makes the server refuse writes. When the statement returns no commit can succeed any more, and none is in flight.
func (a *Actor) fence(ctx context.Context, s *session, step remediation.Step) error {
	watch, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	var seen error
	wg.Go(func() { seen = a.clearTheWay(watch, s, step) })
	_, err := s.change(ctx, s.dialect.fence)
	stop()
	wg.Wait()
	if err != nil {
		if seen != nil {
			return fmt.Errorf("%w; %w", err, seen)
		}
		return err
	}
	if !step.KillClients {
		return nil
	}
	return s.disconnectClients(ctx, a.opts.Spare)
}

// clearTheWay looks after a fence that does not come through, from a second connection, until the context ends. It returns what it saw.
//
// The usual obstacle is a commit that waits for an acknowledgement which no replica will give. It is released by switching semi-sync off; but
// whoever waits would then be told that the commit is safe, which it is not. So all clients are disconnected first: for them the outcome
// is open, as it is on the server. All of them, because a transaction that only has to commit would pass between the two statements.
func (a *Actor) clearTheWay(ctx context.Context, s *session, step remediation.Step) error {
	timer := time.NewTimer(fencePatience)
	defer timer.Stop()
	var seen error
	for {
		select {
		case <-ctx.Done():
			return seen
		case <-timer.C:
		}
		if err := a.clearOnce(ctx, s, step); err != nil && ctx.Err() == nil {
			seen = err
		}
		timer.Reset(fenceAgain)
	}
}

func (a *Actor) clearOnce(ctx context.Context, s *session, step remediation.Step) error {
	c, err := a.dial(ctx, s.instance)
	if err != nil {
		return fmt.Errorf("the fence does not come through, and there is no second connection to see why: %w", err)
	}
	defer c.Close()
	other := &session{instance: s.instance, conn: c, user: s.user, dialect: s.dialect, semiSync: s.semiSync}
	answers, err := other.ask(ctx, "SELECT id AS id, user AS user, command AS command, time AS time, state AS state FROM information_schema.processlist WHERE command NOT IN ('Sleep', 'Daemon') ORDER BY time DESC")
	if err != nil {
		return fmt.Errorf("the fence does not come through, and why cannot be seen: %w", err)
	}
	if len(answers) == 0 {
		return nil
	}
	stuck := false
	for _, r := range answers[0] {
		stuck = stuck || strings.HasPrefix(r["state"], "Waiting for semi-sync ACK")
	}
	if stuck || step.KillClients {
		if err := other.disconnectClients(ctx, a.opts.Spare); err != nil {
			return err
		}
	}
	if stuck && s.semiSync.source != "" {
		_, err := other.ask(ctx, assignments([]string{s.semiSync.source + "=0"}))
		return err
	}
	return obstacle(answers[0], s.thread)
}

// obstacle tells what has been running longest beside the fence itself.
func obstacle(running table, fence string) error {
	for _, r := range running {
		id, state := r["id"], r["state"]
		if id != fence && state != "" && !strings.HasPrefix(r["command"], "Binlog Dump") {
			return fmt.Errorf("the fence waits; connection %s of user %s has been in state %q for %s s", id, r["user"], state, r["time"])
		}
	}
	return nil
}

// disconnectClients ends the connections of everybody but Baton, replicas, the server's own threads, and users who are to be spared.
func (s *session) disconnectClients(ctx context.Context, spare []string) error {
	users := []string{"'system user'", "'event_scheduler'", "'unauthenticated user'", quote(s.user)}
	for _, user := range spare {
		users = append(users, quote(user))
	}
	answers, err := s.ask(ctx, "SELECT id AS id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND command NOT IN ('Daemon', 'Binlog Dump', 'Binlog Dump GTID')"+
		" AND user NOT IN ("+strings.Join(users, ", ")+")")
	if err != nil {
		return fmt.Errorf("list the connections of clients: %w", err)
	}
	if len(answers) == 0 {
		return nil
	}
	var kills []string
	for _, r := range answers[0] {
		kills = append(kills, "KILL "+r["id"])
	}
	return s.kill(ctx, kills)
}

// kill ends connections, as many as there are in one round trip. One that is gone meanwhile, or that may not be ended, ends the batch and is skipped.
func (s *session) kill(ctx context.Context, kills []string) error {
	for len(kills) > 0 {
		_, err := s.ask(ctx, kills...)
		if err == nil {
			return nil
		}
		if n := errno(err); n != 1094 && n != 1095 {
			return fmt.Errorf("end the connections of clients: %w", err)
		}
		at := len(kills) - 1
		for n, kill := range kills {
			if strings.HasSuffix(err.Error(), " "+strings.TrimPrefix(kill, "KILL ")) {
				at = n
			}
		}
		kills = kills[at+1:]
	}
	return nil
}

// unfence opens the server again, after it has been told to wait for acknowledgements.
func (a *Actor) unfence(ctx context.Context, s *session, step remediation.Step) error {
	a.mu.Lock()
	pending := a.fences[s.instance]
	a.mu.Unlock()
	if pending {
		return errors.New("a fence that was sent while it did not answer has not been answered yet")
	}
	list, err := s.semiSync.keepPromise(step.WaitFor)
	if err != nil {
		return err
	}
	_, err = s.change(ctx, assignments(append(list, s.open)))
	return err
}

const (
	// lifelineAge is how long a fence may be on its way to a server that hangs.
	lifelineAge = time.Hour

	// hangPatience is what a server that is said to hang gets to prove that it does not.
	hangPatience = 200 * time.Millisecond

	// patientFence begins a fence that waits for as long as it takes for commits that were running when the server stopped. It is one statement, so
	// that it is carried out whole even if the connection has gone by then.
	patientFence = "SET SESSION lock_wait_timeout=31536000, GLOBAL "

	// sendPatience is enough to learn that a connection is dead, or that the server does not hang at all.
	sendPatience = 5 * time.Millisecond
)

// fenceNoWait sends the fence to a server that hangs, down a connection that is authenticated already. The kernel of its machine keeps the bytes:
// they are the first thing that the server does if it ever goes on. Commits that wait for an acknowledgement are left waiting, because that is
// the only thing that keeps their clients from taking them for done.
func (a *Actor) fenceNoWait(ctx context.Context, step remediation.Step) error {
	a.mu.Lock()
	pending := a.fences[step.On]
	a.mu.Unlock()
	if pending {
		return nil
	}
	statement := patientFence + "super_read_only=1"
	if step.Flavor == topology.FlavorMariaDB {
		statement = patientFence + "read_only=1"
	}
	for _, open := range []func(topology.InstanceID) (conn, bool){a.lifeline, a.idle} {
		if line, ok := open(step.On); ok && a.send(ctx, line, statement, step.On) == nil {
			return nil
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, hangPatience, fmt.Errorf("no answer within %s, and no connection was open", hangPatience))
	defer cancel()
	s, err := a.connect(ctx, step.On)
	if err != nil {
		return err
	}
	defer s.conn.Close()
	_, err = s.ask(ctx, s.dialect.fence)
	return err
}

// lifeline returns the connection that somebody else has kept for this.
func (a *Actor) lifeline(id topology.InstanceID) (conn, bool) {
	if a.opts.Lifeline == nil {
		return nil, false
	}
	line, ok := a.opts.Lifeline(id)
	if !ok {
		return nil, false
	}
	c, ok := line.(conn)
	if !ok {
		line.Close()
	}
	return c, ok
}

// idle takes the Actor's own connection, unless somebody waits for an answer on it.
func (a *Actor) idle(id topology.InstanceID) (conn, bool) {
	sl := a.slot(id)
	select {
	case sl.turn <- struct{}{}:
	default:
		return nil, false
	}
	defer func() { <-sl.turn }()
	if sl.s == nil {
		return nil, false
	}
	c := sl.s.conn
	sl.s = nil
	return c, true
}

// send sends the fence and lets the connection go its own way. It returns an error only if the connection is found dead at once.
func (a *Actor) send(ctx context.Context, line conn, statement string, id topology.InstanceID) error {
	if err := line.ResetSession(ctx); err != nil {
		line.Close()
		return err
	}
	a.mu.Lock()
	a.fences[id] = true
	a.mu.Unlock()
	answered := make(chan error, 1)
	sent := time.Now()
	a.sent.Go(func() {
		ctx, cancel := context.WithTimeout(a.ctx, lifelineAge)
		defer cancel()
		rows, err := line.QueryContext(ctx, statement, nil)
		if err == nil {
			err = rows.Close()
		}
		line.Close()
		a.mu.Lock()
		delete(a.fences, id)
		a.mu.Unlock()
		took := time.Since(sent)
		answered <- err
		switch {
		case err == nil:
			a.log.Info("the fence has been answered", "instance", id, "took", took)
		case a.ctx.Err() == nil:
			a.log.Warn("the fence was sent and not answered", "instance", id, "took", took, "err", err)
		}
	})
	select {
	case err := <-answered:
		return err
	case <-time.After(sendPatience):
		return nil
	}
}
