package mysql

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/batondb/baton/internal/lab"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

const stepLimit = 20 * time.Second

// The primary is dead, so what a relay log loses cannot be fetched again. One replica still looks for it, the other was frozen with its applier
// stopped, which on MariaDB is where relay logs get lost.
func TestWaitAppliedDrainsWhatWasReceived(t *testing.T) {
	eachFlavor(t, lab.Spec{Replicas: 2}, func(f *fleet) {
		report, err := f.Backlog(f.within(stepLimit), 300)
		if err != nil {
			f.Fatal(err)
		}
		if err := f.Primary().Kill(); err != nil {
			f.Fatal(err)
		}
		f.do(step(remediation.StopReceiver, f.Replicas()[1]))
		for _, replica := range f.Replicas() {
			before := f.state(replica)
			goal := before.received.Union(before.executed)
			wait := step(remediation.WaitApplied, replica, gtids(goal))
			f.wantDone(wait, false)
			f.doTwice(wait)
			if trips := f.do(wait); trips != 1 {
				f.Errorf("%d round trips where all is applied", trips)
			}
			lost, err := report.Lost(f.Context(), replica.Addr())
			if err != nil || len(lost) > 0 {
				f.Errorf("%s: %d rows are lost (%v)", replica, len(lost), err)
			}
			if st := f.state(replica); !st.byGTID || st.applier != topology.ApplierRunning || st.usingGTID != before.usingGTID {
				f.Errorf("%s is not what it was: %+v", replica, st)
			}
		}
	})
}

func TestWaitAppliedTellsProgress(t *testing.T) {
	eachFlavor(t, lab.Spec{Replicas: 1}, func(f *fleet) {
		replica := f.Replicas()[0]
		if _, err := f.Backlog(f.within(stepLimit), 3000); err != nil {
			f.Fatal(err)
		}
		goal := f.state(replica).received
		wait := step(remediation.WaitApplied, replica, gtids(goal))
		var told []remediation.Event
		plan := remediation.Plan{Stages: []remediation.Stage{{Phase: remediation.PhaseDrain, Steps: []remediation.Step{wait}}}}
		x := remediation.Execute(f.within(stepLimit), plan, f.actor, false, func(e remediation.Event) {
			if e.State == remediation.StepProgress {
				told = append(told, e)
			}
		})
		if x.Failed != nil {
			f.Fatal(x.Failed)
		}
		if len(told) < 2 {
			f.Fatalf("progress was told %d times", len(told))
		}
		first, last := told[0], told[len(told)-1]
		if first.Sofar != 0 || first.Total < 3000 || last.Sofar != last.Total || last.Total != first.Total {
			f.Errorf("from %d of %d to %d of %d", first.Sofar, first.Total, last.Sofar, last.Total)
		}
	})
}

func TestWaitAppliedSaysWhyNot(t *testing.T) {
	eachFlavor(t, lab.Spec{Replicas: 1}, func(f *fleet) {
		primary, replica := f.Primary(), f.Replicas()[0]
		f.actor = f.newActor(Options{DrainStall: 300 * time.Millisecond})
		f.write(primary, 1, 1)
		f.eventually(replica, countRows, "1")

		err := f.actor.Do(f.within(200*time.Millisecond), step(remediation.WaitApplied, replica, gtids(beyond(replica))))
		if !errors.Is(err, context.DeadlineExceeded) {
			f.Errorf("%v, want that the time is over", err)
		}
		f.do(step(remediation.StopReceiver, replica))
		f.write(primary, 2, 1)
		f.refused(step(remediation.WaitApplied, replica, gtids(f.state(primary).executed)), stepLimit, "1 transactions have not been received")
		f.do(step(remediation.StartReplication, replica))
		f.eventually(replica, countRows, "2")

		// A lock holds the applier up: it runs, and does nothing.
		lock, err := replica.DB().Conn(f.Context())
		if err != nil {
			f.Fatal(err)
		}
		defer lock.Close()
		if _, err := lock.ExecContext(f.Context(), "LOCK TABLES app.writes READ"); err != nil {
			f.Fatal(err)
		}
		f.write(primary, 3, 1)
		wait := step(remediation.WaitApplied, replica, gtids(f.state(primary).executed))
		f.refused(wait, stepLimit, "no progress for 300ms: 1 of 1 transactions are left, the applier is running")
		if _, err := lock.ExecContext(f.Context(), "UNLOCK TABLES"); err != nil {
			f.Fatal(err)
		}
		f.do(wait)

		// The applier has stopped over a row that is there already.
		f.exec(replica, words(replica, "SET GLOBAL super_read_only=0"), "SET SESSION sql_log_bin=0", "INSERT INTO app.writes (run, seq) VALUES (4, 0)")
		f.write(primary, 4, 1)
		wait = step(remediation.WaitApplied, replica, gtids(f.state(primary).executed))
		f.refused(wait, stepLimit, "its applier stopped with error 1062")
		f.refused(step(remediation.WaitApplied, replica, gtids(foreign(replica))), stepLimit, "can never execute")
		f.refused(step(remediation.WaitApplied, primary, gtids(f.state(primary).executed.Union(beyond(primary)))), stepLimit, errNoChannel.Error())
	})
}

// foreign is a set that servers of the other line speak.
func foreign(s *lab.Server) topology.GTIDSet {
	if s.Flavor() == lab.MariaDB {
		return topology.MustParseGTIDSet(uuid + ":1-5")
	}
	return topology.MustParseGTIDSet("0-1-5")
}

// beyond is a set that nobody has.
func beyond(s *lab.Server) topology.GTIDSet {
	if s.Flavor() == lab.MariaDB {
		return topology.MustParseGTIDSet("77-1-5")
	}
	return topology.MustParseGTIDSet(uuid + ":1-5")
}

func TestDurability(t *testing.T) {
	eachFlavor(t, lab.Spec{}, func(f *fleet) {
		primary := f.Primary()
		const settings = "SELECT CONCAT(@@GLOBAL.sync_binlog, ' ', @@GLOBAL.innodb_flush_log_at_trx_commit)"
		f.exec(primary, "SET GLOBAL sync_binlog=1, GLOBAL innodb_flush_log_at_trx_commit=1")
		relax := step(remediation.RelaxDurability, primary)
		f.do(relax)
		f.do(relax)
		f.want(primary, settings, "0 2")
		f.write(primary, 1, 3)
		file, _, err := primary.BinlogPosition(f.Context())
		if err != nil {
			f.Fatal(err)
		}
		executed := f.state(primary).executed
		restore := step(remediation.RestoreDurability, primary, func(st *remediation.Step) {
			st.Settings = &remediation.Durability{SyncBinlog: 1, FlushLogAtTrxCommit: 1}
		})
		f.do(restore)
		f.want(primary, settings, "1 1")
		if now, _, err := primary.BinlogPosition(f.Context()); err != nil || now == file {
			f.Errorf("the log is still %s (%v): was it brought to disk?", now, err)
		}
		if now := f.state(primary).executed; now != executed {
			f.Errorf("executed %s became %s: the flush was logged", executed, now)
		}
		f.wantDone(restore, false)
		f.refused(step(remediation.RestoreDurability, primary), stepLimit, "what is to be restored")
	})
}
