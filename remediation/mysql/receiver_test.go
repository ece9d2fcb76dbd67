package mysql

import (
	"testing"

	"github.com/batondb/baton/internal/lab"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

func TestReceiver(t *testing.T) {
	eachFlavor(t, lab.Spec{Replicas: 1}, func(f *fleet) {
		primary, replica := f.Primary(), f.Replicas()[0]
		f.write(primary, 1, 3)
		f.eventually(replica, countRows, "3")

		stop := step(remediation.StopReceiver, replica)
		f.wantDone(stop, false)
		f.doTwice(stop)
		if st := f.state(replica); st.receiver != topology.ReceiverStopped || st.applier != topology.ApplierRunning {
			f.Errorf("receiver %s, applier %s", st.receiver, st.applier)
		}
		if trips := f.do(stop); trips != 1 {
			f.Errorf("%d round trips", trips)
		}

		start := step(remediation.StartReplication, replica)
		f.wantDone(start, false)
		f.doTwice(start)
		f.write(primary, 2, 1)
		f.eventually(replica, countRows, "4")
		before := f.receiverThread(replica)
		if f.do(start); f.receiverThread(replica) != before {
			f.Error("a receiver that ran was started anew")
		}

		restart := step(remediation.RestartReceiver, replica, from(primary))
		f.do(restart)
		f.wantDone(restart, false)
		f.write(primary, 3, 1)
		f.eventually(replica, countRows, "5")
		if f.receiverThread(replica) == before {
			f.Error("it is the same receiver")
		}

		for _, action := range []remediation.Action{remediation.StartReplication, remediation.RestartReceiver} {
			if f.Primary().Flavor() == lab.MariaDB && action == remediation.StartReplication {
				continue // the server's own words are good enough
			}
			f.refused(step(action, primary), stepLimit, errNoChannel.Error())
		}
		f.do(step(remediation.StopReceiver, primary))
		f.refused(step(remediation.AgreePrimary, replica), stepLimit, "nothing that is done on a server")
		f.refused(step("dance", replica), stepLimit, "nothing that is done on a server")
	})
}

// MariaDB drops what it has received when its threads are started, so they are not.
func TestStartKeepsRelayLogs(t *testing.T) {
	f := newFleet(t, lab.Spec{Flavor: lab.MariaDB, Replicas: 1}, Options{})
	replica := f.Replicas()[0]
	if _, err := f.Backlog(f.within(stepLimit), 50); err != nil {
		t.Fatal(err)
	}
	f.refused(step(remediation.RestartReceiver, replica), stepLimit, "not applied yet")
	f.do(step(remediation.StopReceiver, replica))
	f.refused(step(remediation.StartReplication, replica), stepLimit, "not applied yet")
	st := f.state(replica)
	f.do(step(remediation.WaitApplied, replica, gtids(st.received)))
	f.doTwice(step(remediation.StartReplication, replica))
}
