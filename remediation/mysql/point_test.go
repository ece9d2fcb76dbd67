package mysql

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/batondb/baton/internal/lab"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

func TestPointAtMovesReplica(t *testing.T) {
	eachFlavor(t, lab.Spec{Replicas: 2, ConnectRetry: 7}, func(f *fleet) {
		primary, replica, sibling := f.Primary(), f.Replicas()[0], f.Replicas()[1]
		move := step(remediation.PointAt, replica, from(sibling))
		f.wantDone(move, false)
		f.doTwice(move)
		f.write(primary, 1, 5)
		f.eventually(replica, countRows, "5")
		row, err := replica.Row(f.Context(), words(replica, "SHOW REPLICA STATUS"))
		if err != nil {
			f.Fatal(err)
		}
		if got := row["Connect_Retry"]; got != "7" {
			f.Errorf("its connect retry is %s now", got)
		}

		thread := f.receiverThread(replica)
		if f.do(move); f.receiverThread(replica) != thread {
			f.Error("a receiver that was where it should be was started anew")
		}
		for _, stop := range []string{"STOP REPLICA IO_THREAD", "STOP REPLICA SQL_THREAD", "STOP REPLICA"} {
			f.exec(replica, words(replica, stop))
			f.doTwice(move)
		}
		f.write(primary, 2, 5)
		f.eventually(replica, countRows, "10")
		f.refused(step(remediation.PointAt, replica, from(replica)), stepLimit, "from itself")
		f.refused(step(remediation.PointAt, replica, func(st *remediation.Step) { st.Source = "x', SOURCE_USER='y:1" }), stepLimit, "not the address of a server")
		f.refused(step(remediation.PointAt, primary, from(replica)), stepLimit, "must be fenced")
	})
}

// The one that it received from is dead, and the new one does not have what it received: if it were dropped it would be lost.
func TestPointAtKeepsWhatWasReceived(t *testing.T) {
	eachFlavor(t, lab.Spec{Replicas: 2}, func(f *fleet) {
		primary, replica, sibling := f.Primary(), f.Replicas()[0], f.Replicas()[1]
		f.exec(sibling, words(sibling, "STOP REPLICA"))
		f.exec(replica, words(replica, "STOP REPLICA SQL_THREAD"))
		f.write(primary, 1, 200)
		goal := f.state(primary).executed
		for !f.state(replica).received.Contains(goal) {
			if f.Context().Err() != nil {
				f.Fatal("it does not receive")
			}
		}
		if err := primary.Kill(); err != nil {
			f.Fatal(err)
		}
		f.doTwice(step(remediation.PointAt, replica, from(sibling)))
		f.eventually(replica, countRows, "200")
	})
}

func TestPointAtRefusesToDropWhatCannotBeApplied(t *testing.T) {
	eachFlavor(t, lab.Spec{Replicas: 2}, func(f *fleet) {
		primary, replica, sibling := f.Primary(), f.Replicas()[0], f.Replicas()[1]
		f.exec(replica, words(replica, "SET GLOBAL super_read_only=0"), "SET SESSION sql_log_bin=0", "INSERT INTO app.writes (run, seq) VALUES (1, 0)")
		f.write(primary, 1, 3)
		f.eventually(replica, "SELECT COUNT(*) FROM information_schema.processlist WHERE user='system user' AND (state LIKE '%relay log%' OR state LIKE 'Replica has read%')", "0")
		before := f.state(replica)
		f.refused(step(remediation.PointAt, replica, from(sibling)), stepLimit, "its applier stopped with error 1062")
		after := f.state(replica)
		if after.source != id(primary) || !after.received.Contains(before.received) {
			f.Errorf("from %+v to %+v", before, after)
		}
	})
}

// The whole of a takeover, while a client writes.
func TestOldPrimaryFollows(t *testing.T) {
	spec := lab.Spec{Replicas: 2, SemiSync: 1}
	eachFlavor(t, spec, func(f *fleet) {
		old, next, sibling := f.Primary(), f.Replicas()[0], f.Replicas()[1]
		if old.Flavor() == lab.MariaDB { // it keeps the account where nobody can read it
			f.refusedWithoutAccount(old, next)
			f.actor = f.newActor(Options{Replication: func(topology.InstanceID) (Account, bool) {
				return Account{User: lab.ReplicationUser, Password: lab.Password}, true
			}})
		}
		if err := f.actor.Warm(f.within(stepLimit), id(old), id(next), id(sibling)); err != nil {
			f.Fatal(err)
		}
		w := lab.StartWriter(f.Context(), f.Addrs(), lab.WriterOptions{})
		if err := w.WaitAcknowledged(f.Context(), old.Addr()); err != nil {
			f.Fatal(err)
		}
		begin := time.Now()
		f.do(step(remediation.PointAt, sibling, from(next), acknowledging))
		f.doTwice(step(remediation.Fence, old, func(st *remediation.Step) { st.KillClients = true }))
		closed := f.state(old).executed
		f.do(step(remediation.WaitApplied, next, gtids(closed)))
		f.do(step(remediation.MakePrimary, next, waitFor(1), gtids(closed)))
		follow := step(remediation.PointAt, old, from(next), acknowledging)
		f.wantDone(follow, false)
		f.doTwice(follow)
		if err := w.WaitAcknowledged(f.Context(), next.Addr()); err != nil {
			f.Fatal(err)
		}
		report := w.Stop()
		f.Logf("%s; the longest gap %s", report, w.ReportSince(begin).MaxGap)
		for _, s := range []*lab.Server{old, sibling} {
			f.eventuallySame(s, next)
		}
		if lost, err := report.Lost(f.Context(), next.Addr()); err != nil || len(lost) > 0 {
			f.Errorf("%d rows are lost (%v)", len(lost), err)
		}
		st := f.state(old)
		if !st.readOnly || on(st.semiSync[words(old, "rpl_semi_sync_source_enabled")]) || !st.byGTID {
			f.Errorf("the old primary: %+v", st)
		}
		f.write(next, 1, 3)
		f.eventuallySame(old, next)
	})
}

func (f *fleet) refusedWithoutAccount(old, next *lab.Server) {
	f.Helper()
	f.exec(old, "SET GLOBAL read_only=1")
	f.refused(step(remediation.PointAt, old, from(next)), stepLimit, "configure the replication account")
	f.exec(old, "SET GLOBAL read_only=0")
}

// A leader that has just taken over knows no account, and learns it from a replica.
func TestAccountIsLearntFromSibling(t *testing.T) {
	f := newFleet(t, lab.Spec{Flavor: lab.MySQL, Replicas: 2}, Options{})
	old, next, sibling := f.Primary(), f.Replicas()[0], f.Replicas()[1]
	f.do(step(remediation.Fence, old))
	f.exec(next, "STOP REPLICA", "RESET REPLICA ALL")
	f.refused(step(remediation.PointAt, old, from(next)), stepLimit, "grant SELECT on mysql.slave_master_info")
	if err := f.actor.Warm(f.within(stepLimit), id(sibling)); err != nil {
		f.Fatal(err)
	}
	f.doTwice(step(remediation.PointAt, old, from(next)))
	f.exec(next, "SET GLOBAL read_only=0")
	f.write(next, 1, 3)
	f.eventually(old, countRows, "3")
}

func TestSecretsAndTextOnTheWire(t *testing.T) {
	eachFlavor(t, lab.Spec{}, func(f *fleet) {
		primary := f.Primary()
		f.do(step(remediation.Fence, primary))
		tooLong := strings.Repeat("q7'", 100)
		for _, secret := range []string{tooLong, `q7'relay\race`} {
			f.actor = f.newActor(Options{Replication: func(topology.InstanceID) (Account, bool) {
				return Account{User: lab.ReplicationUser, Password: secret}, true
			}})
			err := f.actor.Do(f.within(stepLimit), remediation.Step{Action: remediation.PointAt, On: id(primary), Source: "db9:3306"})
			if secret == tooLong && err == nil {
				f.Error("the server takes a password that is too long, so this tests nothing")
			}
			for where, text := range map[string]string{"error": fmt.Sprint(err), "log": f.logs.String()} {
				if strings.Contains(text, "q7") {
					f.Errorf("the %s says %s", where, text)
				}
			}
		}
		// Text that servers hand out reaches other servers as text.
		for _, text := range []string{"", "it's", `back\slash`, `\'`, "a\r\n\x00\x1ab", `"`, "пароль", "'; DROP DATABASE app; -- "} {
			var got string
			err := f.actor.with(f.Context(), id(primary), func(s *session) error {
				answers, err := s.ask(f.Context(), "SELECT "+quote(text)+" AS it")
				if err == nil {
					got = answers[0].first()["it"]
				}
				return err
			})
			if err != nil || got != text {
				f.Errorf("%q arrives as %q (%v)", text, got, err)
			}
		}
	})
}
