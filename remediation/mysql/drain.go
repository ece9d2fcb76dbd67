package mysql

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

const (
	// firstWait is short: an applier that has stopped is seen only after it.
	firstWait = 50 * time.Millisecond

	// everyWait is how often progress is told.
	everyWait = 200 * time.Millisecond
)

// waitApplied returns when the server has executed what the step says. It takes one round trip where that is so, or soon will be.
func (a *Actor) waitApplied(ctx context.Context, s *session, step remediation.Step) error {
	if step.GTIDs.IsEmpty() {
		return nil
	}
	if flavor := step.GTIDs.Flavor(); (flavor == topology.FlavorMariaDB) != s.mariaDB || flavor == topology.FlavorUnknown {
		return fmt.Errorf("%s can never execute %s", s.version, step.GTIDs)
	}
	return a.drain(ctx, s, step.GTIDs)
}

// drain lets the applier run until the goal is executed, and tells how far it is.
func (a *Actor) drain(ctx context.Context, s *session, goal topology.GTIDSet) error {
	st, err := s.readState(ctx, s.wait(goal, firstWait))
	if err != nil {
		return err
	}
	var (
		begin = time.Now()
		total = st.executed.Behind(goal)
		left  = total
		moved = begin // when it was last seen to make progress
	)
	rescued := ""
	for left > 0 {
		remediation.ReportProgress(ctx, total-left, total)
		if err := s.keepApplying(ctx, &st, goal); err != nil {
			return err
		}
		if s.dropsWhenStarted(&st) { // no more: it was told to go on by position
			rescued, goal = st.usingGTID, goal.Union(st.received)
			total, left = st.executed.Behind(goal), st.executed.Behind(goal)
		}
		// What a MariaDB server wrote itself is executed and yet not waited for: only what is missing can be.
		pause := s.pause(goal.Subtract(st.executed), expected(total-left, left, time.Since(begin)))
		if st, err = s.readState(ctx, pause); err != nil {
			return fmt.Errorf("%d of %d transactions are left: %w", left, total, err)
		}
		now := st.executed.Behind(goal)
		switch {
		case now < left:
			left, moved = now, time.Now()
		case time.Since(moved) > a.opts.DrainStall:
			return fmt.Errorf("no progress for %s: %d of %d transactions are left, the applier is %s at %s%s: %s",
				a.opts.DrainStall, left, total, st.applier, st.applied, delayed(st.delay), goal.Subtract(st.executed))
		}
	}
	if total > 0 {
		remediation.ReportProgress(ctx, total, total)
	}
	if rescued == "" {
		return nil
	}
	if _, err := s.change(ctx, s.stop, s.changeSource+" MASTER_USE_GTID="+rescued, s.startApplier); err != nil {
		return fmt.Errorf("return to GTIDs after the drain: %w", err)
	}
	return nil
}

// expected is how long the rest takes at the rate so far.
func expected(done, left uint64, took time.Duration) time.Duration {
	if done == 0 {
		return 0
	}
	return time.Duration(float64(took) / float64(done) * float64(left))
}

// pause returns a statement that ends when the set is applied, or after a moment. MySQL wakes up whoever waits for a set at every commit,
// which costs the applier a quarter of its speed, so there nobody waits before the end is near.
func (s *session) pause(set topology.GTIDSet, expected time.Duration) string {
	if nap := min(expected/2, everyWait); !s.mariaDB && nap > 10*time.Millisecond {
		return fmt.Sprintf("DO SLEEP(%.3f)", nap.Seconds())
	}
	return s.wait(set, everyWait)
}

func delayed(seconds string) string {
	if seconds == "" || seconds == "0" {
		return ""
	}
	return fmt.Sprintf(" (it applies %s seconds late on purpose)", seconds)
}

// keepApplying makes sure that the goal can be reached at all: the applier runs, and what is missing has been received or still can be.
func (s *session) keepApplying(ctx context.Context, st *state, goal topology.GTIDSet) error {
	if !st.channel {
		return fmt.Errorf("%w, and lacks %s", errNoChannel, goal.Subtract(st.executed))
	}
	if st.applier == topology.ApplierStopped {
		if err := st.applierFailure(); err != nil {
			return err
		}
		if err := s.startApplierOnly(ctx, st); err != nil {
			return fmt.Errorf("start the applier: %w", err)
		}
	}
	if st.receiver != topology.ReceiverStopped {
		return nil
	}
	if missing := goal.Subtract(st.executed).Subtract(st.received); !missing.IsEmpty() {
		return fmt.Errorf("its receiver has stopped and %d transactions have not been received: %s", missing.Count(), missing)
	}
	return nil
}

// applierFailure returns the error that has stopped the applier, and what can be done about it.
func (st *state) applierFailure() error {
	if st.applierErrno == "" || st.applierErrno == "0" {
		return nil
	}
	return fmt.Errorf("its applier stopped with error %s: %s; mend what it says or skip the transaction, start the applier, and try again", st.applierErrno, st.applierError)
}

// startApplierOnly starts an applier that was stopped. A MariaDB server that finds its place by GTIDs drops the relay logs when a thread is started
// and both had stopped. It keeps them while replication goes by position, so there it is told to go on by position, exactly where it stands.
// When it has applied all, drain returns to GTIDs.
func (s *session) startApplierOnly(ctx context.Context, st *state) error {
	batch := []string{s.on(s.startApplier)}
	if s.dropsWhenStarted(st) {
		if st.relayLog.IsZero() {
			return errors.New("where it stands in its relay log is not known, and starting it otherwise would drop the log")
		}
		byPosition := fmt.Sprintf("%s MASTER_USE_GTID=no, RELAY_LOG_FILE=%s, RELAY_LOG_POS=%d", s.changeSource, quote(st.relayLog.File), st.relayLog.Pos)
		batch = append([]string{byPosition}, batch...)
	}
	_, err := s.change(ctx, batch...)
	return err
}

// dropsWhenStarted reports whether starting a thread would drop relay logs before they are applied.
func (s *session) dropsWhenStarted(st *state) bool { return s.mariaDB && st.startDropsNothing() != nil }

// relaxed is what a server does at every commit while it drains: it leaves the writing to disk to the operating system. A crash of the server
// loses nothing then; a crash of the machine may.
const relaxed = "SET GLOBAL sync_binlog=0, GLOBAL innodb_flush_log_at_trx_commit=2"

// buffered makes MariaDB write its redo log through the page cache, as MySQL always does. Writing around it is as slow as writing to disk, at every
// commit. The server cannot be told to return to that before it is restarted; a commit that is flushed is durable either way.
const buffered = "SET GLOBAL innodb_log_file_buffering=1"

// relaxDurability makes the drain faster.
func relaxDurability(ctx context.Context, s *session, _ remediation.Step) error {
	batch := []string{relaxed}
	if s.mariaDB && s.version.AtLeast(10, 11, 0) {
		batch = append(batch, buffered)
	}
	_, err := s.change(ctx, batch...)
	return err
}

// restoreDurability sets what the step says, and then brings to disk all that was committed before.
func restoreDurability(ctx context.Context, s *session, step remediation.Step) error {
	if step.Settings == nil {
		return errors.New("the step does not say what is to be restored")
	}
	set := assignments([]string{
		fmt.Sprintf("sync_binlog=%d", step.Settings.SyncBinlog),
		fmt.Sprintf("innodb_flush_log_at_trx_commit=%d", step.Settings.FlushLogAtTrxCommit),
	})
	// LOCAL keeps the FLUSH out of the binary log, where it would be a transaction that no other server has.
	_, err := s.change(ctx, set, "FLUSH LOCAL BINARY LOGS", "FLUSH LOCAL ENGINE LOGS")
	return err
}
