package mysql

import (
	"errors"
	"fmt"
	"testing"

	"github.com/batondb/baton/internal/lab"
	"github.com/batondb/baton/remediation"
)

func waitFor(n int) func(*remediation.Step) {
	return func(st *remediation.Step) { st.WaitFor = n }
}

func acknowledging(st *remediation.Step) { st.SemiSync = true }

func TestMakePrimary(t *testing.T) {
	eachFlavor(t, lab.Spec{Replicas: 2, SemiSync: 1}, func(f *fleet) {
		primary, replica, sibling := f.Primary(), f.Replicas()[0], f.Replicas()[1]
		report, err := f.Backlog(f.within(stepLimit), 200)
		if err != nil {
			f.Fatal(err)
		}
		if err := primary.Kill(); err != nil {
			f.Fatal(err)
		}
		before := f.state(replica)
		promote := step(remediation.MakePrimary, replica, waitFor(1), gtids(before.received))

		// It has received what it has not applied: nothing may be thrown away, and nothing opened.
		var left *NotAppliedError
		if err := f.refused(promote, stepLimit, "not applied yet"); !errors.As(err, &left) || !left.Missing.Equal(before.received) {
			f.Errorf("%v, want all of %s", err, before.received)
		}
		if st := f.state(replica); !st.readOnly || !st.received.Equal(before.received) || st.source != id(primary) {
			f.Errorf("the refusal changed it: %+v", st)
		}
		f.do(step(remediation.WaitApplied, replica, gtids(before.received)))

		// It has applied all that it received, and lacks what was promised.
		more := before.received.Union(beyond(replica))
		f.refused(step(remediation.MakePrimary, replica, gtids(more)), stepLimit, "it lacks 5 transactions")
		if !f.state(replica).readOnly {
			f.Error("it was opened all the same")
		}

		f.wantDone(promote, false)
		f.doTwice(promote)
		source := words(replica, "SELECT @@GLOBAL.rpl_semi_sync_source_enabled")
		f.want(replica, source, "1")
		f.want(replica, words(replica, "SELECT @@GLOBAL.rpl_semi_sync_replica_enabled"), "0")
		if n, err := report.Lost(f.Context(), replica.Addr()); err != nil || len(n) > 0 {
			f.Errorf("%d rows are lost (%v)", len(n), err)
		}

		// The promise holds: a commit waits until the sibling follows, and then returns.
		committed := make(chan error, 1)
		go func() { committed <- replica.Exec(f.Context(), "INSERT INTO app.writes (run, seq) VALUES (1, 1)") }()
		f.eventually(replica, "SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE 'Waiting for semi-sync ACK%'", "1")
		f.doTwice(step(remediation.PointAt, sibling, from(replica), acknowledging))
		if err := <-committed; err != nil {
			f.Error(err)
		}
		f.eventuallySame(sibling, replica)
	})
}

// A promotion that was cut off after any of its statements is completed by the next one.
func TestMakePrimaryIsResumed(t *testing.T) {
	cuts := map[lab.Flavor][]string{
		lab.MySQL:   {"STOP REPLICA IO_THREAD", "SET GLOBAL read_only=0", "STOP REPLICA", "RESET REPLICA ALL"},
		lab.MariaDB: {"STOP SLAVE IO_THREAD", "SET GLOBAL read_only=0", "STOP SLAVE", "RESET SLAVE ALL"},
	}
	for flavor, statements := range cuts {
		t.Run(string(flavor), func(t *testing.T) {
			f := newFleet(t, lab.Spec{Flavor: flavor, Replicas: len(statements)}, Options{})
			f.write(f.Primary(), 1, 5)
			for n, replica := range f.Replicas() {
				f.eventually(replica, countRows, "5")
				f.exec(replica, statements[:n+1]...)
				promote := step(remediation.MakePrimary, replica)
				f.wantDone(promote, n == len(statements)-1)
				f.doTwice(promote)
				f.exec(replica, fmt.Sprintf("INSERT INTO app.writes (run, seq) VALUES (2, %d)", n))
				if st := f.state(replica); st.channel || st.readOnly {
					f.Errorf("after %q: %+v", statements[n], st)
				}
			}
		})
	}
}

// Without the tables of performance_schema, or without the right to read them, the check takes a round trip more and is the same.
func TestMakePrimaryChecksWithoutPerformanceSchema(t *testing.T) {
	for name, prepare := range map[string]func(*fleet, *lab.Server){
		"switched off": func(*fleet, *lab.Server) {},
		"no right": func(f *fleet, s *lab.Server) {
			f.exec(s, "SET GLOBAL super_read_only=0", "SET SESSION sql_log_bin=0", "REVOKE SELECT ON performance_schema.* FROM baton", "SET GLOBAL super_read_only=1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			spec := lab.Spec{Flavor: lab.MySQL, Replicas: 1}
			if name == "switched off" {
				spec.Config = []string{"performance_schema=OFF"}
			}
			f := newFleet(t, spec, Options{})
			replica := f.Replicas()[0]
			prepare(f, replica)
			if _, err := f.Backlog(f.within(stepLimit), 20); err != nil {
				f.Fatal(err)
			}
			promote := step(remediation.MakePrimary, replica)
			f.refused(promote, stepLimit, "not applied yet")
			f.do(step(remediation.WaitApplied, replica, gtids(f.state(replica).received)))
			f.doTwice(promote)
		})
	}
}

func TestMakePrimaryKeepsItsPromiseOrRefuses(t *testing.T) {
	f := newFleet(t, lab.Spec{Flavor: lab.MariaDB, Replicas: 1}, Options{})
	replica := f.Replicas()[0]
	f.refused(step(remediation.MakePrimary, replica, waitFor(2)), stepLimit, "can wait for one only")
	if st := f.state(replica); !st.readOnly || !st.replicates() {
		f.Errorf("the refusal changed it: %+v", st)
	}
}
