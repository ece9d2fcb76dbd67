package lab

import (
	"context"
	"fmt"
	"time"
)

// StopAppliers stops the applier of every replica; receivers go on.
func (t *Topology) StopAppliers(ctx context.Context) error {
	return each(t.Replicas(), func(_ int, s *Server) error {
		return s.Exec(ctx, s.sql("STOP REPLICA SQL_THREAD"))
	})
}

// StartAppliers starts the applier of every replica.
func (t *Topology) StartAppliers(ctx context.Context) error {
	return each(t.Replicas(), func(_ int, s *Server) error {
		return s.Exec(ctx, s.sql("START REPLICA SQL_THREAD"))
	})
}

// Backlog makes n transactions that every replica of the primary has received
// and none has applied: it stops the appliers, writes, and waits for the
// receivers. The appliers stay stopped until StartAppliers. The report knows
// the rows, so that Lost can be asked for them after the drill.
func (t *Topology) Backlog(ctx context.Context, n int) (Report, error) {
	if err := t.StopAppliers(ctx); err != nil {
		return Report{}, fmt.Errorf("backlog: %w", err)
	}
	w := StartWriter(ctx, []string{t.Primary().Addr()}, WriterOptions{Clients: 32, Every: -1, Limit: n})
	err := w.Wait(ctx)
	report := w.Stop()
	if err != nil {
		return report, fmt.Errorf("backlog: %w", err)
	}
	if err := t.waitReceived(ctx); err != nil {
		return report, fmt.Errorf("backlog: %w", err)
	}
	return report, nil
}

// waitReceived waits until the direct replicas have read all that the primary wrote.
func (t *Topology) waitReceived(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	primary := t.Primary()
	return each(t.Replicas(), func(_ int, s *Server) error {
		var last Replication
		var written string
		err := poll(ctx, func() (bool, error) {
			// Anew each time: a statement whose client is gone may still commit.
			file, position, err := primary.BinlogPosition(ctx)
			if err != nil {
				return false, err
			}
			written = file + ":" + position
			r, is, err := s.Replication(ctx)
			if err != nil || !is || r.Source != primary.Addr() {
				return true, err
			}
			last = r
			return r.ReadPosition == written, nil
		})
		if err != nil {
			return fmt.Errorf("%s has received %s of %s: %w", s, last.ReadPosition, written, err)
		}
		return nil
	})
}
