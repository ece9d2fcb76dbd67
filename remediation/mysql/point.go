package mysql

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// pointAt lets an instance replicate from another one. What it has received from the one before is kept or applied first, and what is not named
// of its channel stays as it was: account, TLS, retries, delay.
func (a *Actor) pointAt(ctx context.Context, s *session, step remediation.Step) error {
	if err := checkAddress(step.Source); err != nil {
		return err
	}
	if step.Source == s.instance {
		return errors.New("an instance cannot replicate from itself")
	}
	st, err := s.readState(ctx)
	if err != nil {
		return err
	}
	switch {
	case s.pointsAt(&st, step):
		return nil
	case !st.channel:
		return a.demote(ctx, s, &st, step)
	case st.source == step.Source && (st.byGTID || !s.mariaDB):
		return s.resume(ctx, &st, step)
	case s.mariaDB || !st.byGTID:
		return a.moveDrained(ctx, s, &st, step)
	}
	return s.move(ctx, &st, step)
}

// pointsAt reports whether nothing is left to do.
func (s *session) pointsAt(st *state, step remediation.Step) bool {
	before, after, err := s.acknowledge(st, step)
	return st.replicates() && st.source == step.Source && (st.byGTID || !s.mariaDB) && err == nil && len(before)+len(after) == 0
}

// acknowledge returns what makes the instance acknowledge and wait for no acknowledgements itself: the statements before and after its receiver is
// started. Switching a MySQL source off can take a second, and until the receiver is connected the commits of the new primary may wait for it.
func (s *session) acknowledge(st *state, step remediation.Step) (before, after []string, err error) {
	if !step.SemiSync {
		return nil, nil, nil
	}
	if s.semiSync.replica == "" {
		return nil, nil, errors.New("it must acknowledge, and the plugin for semi-synchronous replicas is not installed")
	}
	if !on(st.semiSync[s.semiSync.replica]) {
		before = []string{assignments([]string{s.semiSync.replica + "=1"})}
	}
	if on(st.semiSync[s.semiSync.source]) {
		after = []string{assignments([]string{s.semiSync.source + "=0"})}
	}
	return before, after, nil
}

func (s *session) options(source topology.InstanceID, more ...string) string {
	list := append([]string{
		s.option + "HOST=" + quote(source.Host()),
		fmt.Sprintf("%sPORT=%d", s.option, source.Port()),
	}, more...)
	return s.changeSource + " " + strings.Join(list, ", ")
}

// resume starts what does not run on a channel that points where it should. A receiver takes notice of semi-sync when it connects.
func (s *session) resume(ctx context.Context, st *state, step remediation.Step) error {
	batch, after, err := s.acknowledge(st, step)
	if err != nil {
		return err
	}
	if err := st.applierFailure(); err != nil && st.applier == topology.ApplierStopped {
		return err
	}
	if s.mariaDB {
		if err := st.startDropsNothing(); err != nil {
			return err
		}
	}
	if len(batch) > 0 && st.receiver != topology.ReceiverStopped {
		if s.mariaDB {
			if err := st.mustBeApplied(); err != nil {
				return err
			}
		}
		batch = append(batch, s.on(s.stopReceiver))
	}
	_, err = s.change(ctx, append(append(batch, s.on(s.start)), after...)...)
	return err
}

// move changes the source of a MySQL replica that finds its place by GTIDs. Only the receiver is stopped: as long as the applier runs, the server
// keeps what has been received.
func (s *session) move(ctx context.Context, st *state, step remediation.Step) error {
	batch, after, err := s.acknowledge(st, step)
	if err != nil {
		return err
	}
	if st.applier == topology.ApplierStopped && st.mustBeApplied() != nil {
		if err := st.applierFailure(); err != nil {
			return err
		}
		if _, err := s.change(ctx, s.on(s.startApplier)); err != nil {
			return fmt.Errorf("start the applier: %w", err)
		}
	}
	batch = append(batch, s.on(s.stopReceiver))
	if s.inline {
		batch = append(batch, keepsRelayLogs(s.channel))
	}
	batch = append(batch, s.on(s.options(step.Source)), s.on(s.start))
	_, err = s.change(ctx, append(batch, after...)...)
	if s.inline && refusedInline(err) {
		s.inline = errno(err) == 1772
		return s.notMoved(ctx, st, &NotAppliedError{Reason: "its applier does not run, or whether it does cannot be seen"})
	}
	if err != nil {
		return s.notMoved(ctx, st, err)
	}
	return nil
}

// notMoved starts the receiver again that was stopped in vain, if it ran and that drops nothing.
func (s *session) notMoved(ctx context.Context, before *state, err error) error {
	if before.receiver == topology.ReceiverStopped || s.broken {
		return err
	}
	again := error(nil)
	if s.mariaDB {
		var now state
		if now, again = s.readState(ctx); again == nil {
			again = now.startDropsNothing()
		}
	}
	if again == nil {
		_, again = s.change(ctx, s.on(s.startReceiver))
	}
	if again != nil {
		return fmt.Errorf("%w; and its receiver was not started again: %w", err, again)
	}
	return err
}

// moveDrained changes the source of a replica whose server drops what has been received, whatever it is told: MariaDB, and MySQL as long as it does
// not find its place by GTIDs. So all of it is applied first.
func (a *Actor) moveDrained(ctx context.Context, s *session, st *state, step remediation.Step) error {
	batch, after, err := s.acknowledge(st, step)
	if err != nil {
		return err
	}
	before := *st
	if st.receiver != topology.ReceiverStopped {
		if *st, err = s.changeState(ctx, s.on(s.stopReceiver)); err != nil {
			return err
		}
	}
	if err := a.applyAll(ctx, s, st); err != nil {
		return s.notMoved(ctx, &before, err)
	}
	batch = append(batch, s.on(s.stop))
	if s.mariaDB && st.usingGTID == "Current_Pos" {
		batch = append(batch, adoptPosition(st))
	}
	batch = append(batch, s.on(s.options(step.Source, s.autoPosition)), s.on(s.start))
	if _, err = s.change(ctx, append(batch, after...)...); err == nil || s.broken {
		return err
	}
	if _, again := s.change(ctx, s.on(s.start)); again != nil { // nothing is left that this could drop
		return fmt.Errorf("%w; and it was not started again: %w", err, again)
	}
	return err
}

// applyAll lets the applier apply all that was received.
func (a *Actor) applyAll(ctx context.Context, s *session, st *state) error {
	left, unknown := st.unapplied()
	if !left.IsEmpty() {
		if err := a.drain(ctx, s, left); err != nil {
			return err
		}
		unknown = nil
		if !st.byGTID {
			after, err := s.readState(ctx)
			if err != nil {
				return err
			}
			_, unknown = after.unapplied()
		}
	}
	if unknown != nil {
		return &NotAppliedError{Reason: unknown.Error()}
	}
	return nil
}

// adoptPosition makes what a MariaDB server wrote itself part of the position from which it replicates. It must be a primary no more.
func adoptPosition(st *state) string {
	return "SET GLOBAL gtid_slave_pos=" + quote(lastOfEachDomain(st.executed))
}

// demote makes a replica of an instance that has no source: a primary that was deposed. It must refuse writes already: what it accepted after this
// would be lost.
func (a *Actor) demote(ctx context.Context, s *session, st *state, step remediation.Step) error {
	if !st.readOnly {
		return errors.New("it accepts writes; it must be fenced before it can become a replica")
	}
	account, err := a.accountFor(s, step.Source)
	if err != nil {
		return err
	}
	batch, after, err := s.acknowledge(st, step)
	if err != nil {
		return err
	}
	if !step.SemiSync && on(st.semiSync[s.semiSync.source]) {
		// Otherwise its applier would wait for acknowledgements, which nobody gives to a replica.
		batch = append(batch, assignments([]string{s.semiSync.source + "=0"}))
	}
	if s.mariaDB {
		batch = append(batch, s.stop, adoptPosition(st))
	}
	options := append([]string{s.option + "USER=" + quote(account.user), s.option + "PASSWORD=" + quote(account.secret), s.autoPosition}, account.options...)
	batch = append(batch, s.on(s.options(step.Source, options...)), s.on(s.start))
	_, err = s.change(ctx, append(batch, after...)...)
	return withhold(err, account.secret)
}
