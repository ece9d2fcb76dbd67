package mysql

import (
	"context"
	"fmt"

	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// makePrimary ends the replication of the channel and opens the server, in one round trip where the server can check by itself that nothing received
// would be lost, and in two where it cannot. Other channels of the server are left alone, and nobody else may be told to replicate into it.
//
// The server is opened before its replication is cleaned up, because the cleaning takes several milliseconds and clients wait for the opening.
// Until the cleaning is done the channel still names the old primary, so to the planner the promotion has not happened and is done again. Each
// prefix is safe to be left by a crash of Baton: the receiver stopped, what it received is applied, the promise of semi-sync made, all of that
// while the server is closed; open, with a channel that has nothing left to do and whose receiver does not run; the same, stopped. If the
// server itself crashes in that moment, it comes up closed, as its configuration says of a replica, with a channel that may connect to the old
// primary; what it gets from there was written before the fence and is no loss, and the repetition waits until it is applied.
func makePrimary(ctx context.Context, s *session, step remediation.Step) error {
	open, err := s.semiSync.keepPromise(step.WaitFor)
	if err != nil {
		return err
	}
	rest := []string{assignments(append(open, s.open)), s.on(s.stop), s.on(s.resetAll)}
	if s.inline {
		_, err := s.change(ctx, append([]string{s.on(s.stopReceiver), drained(s.channel), executes(step.GTIDs)}, rest...)...)
		if !refusedInline(err) {
			return err
		}
		s.inline = errno(err) == 1772
	}
	st, err := s.changeState(ctx, s.on(s.stopReceiver))
	if err != nil {
		return err
	}
	if err := st.mustBeApplied(); err != nil {
		return err
	}
	if lacks := step.GTIDs.Subtract(st.executed); !lacks.IsEmpty() {
		return fmt.Errorf("it lacks %d transactions that a primary must have: %s", lacks.Count(), lacks)
	}
	_, err = s.change(ctx, rest...)
	return err
}

// refusedInline reports whether a batch was ended by its own check, or by being not allowed to check.
func refusedInline(err error) bool {
	switch errno(err) {
	case 1772, // Malformed GTID set, on purpose
		1142, 1143, 1044, 1146: // no right to read the table, or no such table
		return true
	}
	return false
}

// isPrimary reports whether the promotion is complete.
func (s *session) isPrimary(st *state, step remediation.Step) bool {
	return !st.channel && !st.readOnly && s.promised(st, step.WaitFor)
}

// promised reports whether commits wait for as many acknowledgements as they should.
func (s *session) promised(st *state, waitFor int) bool {
	if waitFor <= 0 {
		return true
	}
	if !on(st.semiSync[s.semiSync.source]) {
		return false
	}
	return s.semiSync.waitFor == "" || st.semiSync[s.semiSync.waitFor] == fmt.Sprint(waitFor)
}

// on reads a switch as servers write it.
func on(value string) bool { return value == "1" || value == "ON" }

// Done reports whether the effect of a step is there already. Where a look cannot tell, it is not.
func (a *Actor) Done(ctx context.Context, step remediation.Step) (bool, error) {
	if a.doer(step.Action) == nil {
		return false, fmt.Errorf("%s on %s: it is nothing that is done on a server", step.Action, step.On)
	}
	switch step.Action {
	case remediation.RestartReceiver, remediation.RelaxDurability, remediation.RestoreDurability:
		return false, nil // whether it was restarted, or the logs are flushed, cannot be seen
	}
	var done bool
	err := a.with(ctx, step.On, func(s *session) error {
		st, err := s.readState(ctx)
		done = err == nil && s.done(&st, step)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("look for %s on %s: %w", step.Action, step.On, err)
	}
	return done, nil
}

func (s *session) done(st *state, step remediation.Step) bool {
	switch step.Action {
	case remediation.StopReceiver:
		return !st.channel || st.receiver == topology.ReceiverStopped
	case remediation.StartReplication:
		return st.replicates()
	case remediation.WaitApplied:
		return st.executed.Contains(step.GTIDs)
	case remediation.Fence:
		return st.readOnly
	case remediation.Unfence:
		return !st.readOnly && s.promised(st, step.WaitFor)
	case remediation.MakePrimary:
		return s.isPrimary(st, step)
	case remediation.PointAt:
		return s.pointsAt(st, step)
	}
	return false
}
