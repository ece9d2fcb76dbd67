package mysql

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/batondb/baton/internal/lab"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// course carries every action out, in an order in which each of them has something to do, and returns the two to where they were.
func (f *fleet) course(measure func(name string, st remediation.Step)) {
	primary, replica, sibling := f.Servers[0], f.Servers[1], f.Servers[2]
	settings := func(st *remediation.Step) {
		st.Settings = &remediation.Durability{SyncBinlog: 1, FlushLogAtTrxCommit: 1}
	}
	settle := func(s *lab.Server) {
		f.Helper()
		if err := s.WaitReplicating(f.Context()); err != nil {
			f.Fatal(err)
		}
	}
	measure("stop receiver", step(remediation.StopReceiver, replica))
	measure("stop receiver, stopped", step(remediation.StopReceiver, replica))
	measure("start replication", step(remediation.StartReplication, replica))
	settle(replica)
	measure("restart receiver", step(remediation.RestartReceiver, replica))
	settle(replica)
	measure("point at, source up", step(remediation.PointAt, sibling, from(replica), acknowledging))
	settle(sibling)
	measure("point at, there already", step(remediation.PointAt, sibling, from(replica), acknowledging))
	measure("relax durability", step(remediation.RelaxDurability, replica))
	measure("restore durability", step(remediation.RestoreDurability, replica, settings))
	f.exec(primary, "REPLACE INTO app.writes (run, seq) VALUES (1, 1)")
	measure("fence", step(remediation.Fence, primary))
	measure("fence, fenced", step(remediation.Fence, primary))
	closed := f.state(primary).executed
	f.do(step(remediation.WaitApplied, replica, gtids(closed)))
	measure("wait applied, applied", step(remediation.WaitApplied, replica, gtids(closed)))
	measure("unfence", step(remediation.Unfence, primary, waitFor(1)))
	f.do(step(remediation.Fence, primary))
	f.do(step(remediation.StopReceiver, replica))
	measure("make primary, frozen", step(remediation.MakePrimary, replica, waitFor(1), gtids(closed)))
	measure("make primary, made", step(remediation.MakePrimary, replica, waitFor(1), gtids(closed)))
	measure("point at, old primary", step(remediation.PointAt, primary, from(replica), acknowledging))
	settle(primary)
	f.do(step(remediation.StopReceiver, sibling))
	measure("point at, frozen", step(remediation.PointAt, sibling, from(primary), acknowledging))
	settle(sibling)

	// And back.
	f.do(step(remediation.Fence, replica))
	f.do(step(remediation.WaitApplied, primary, gtids(f.state(replica).executed)))
	measure("make primary, receiving", step(remediation.MakePrimary, primary, waitFor(1)))
	f.do(step(remediation.PointAt, replica, from(primary), acknowledging))
	settle(replica)
}

// Round trips are what a promotion costs where servers are far away, so each action has a limit that it must not exceed.
func TestRoundTrips(t *testing.T) {
	limits := map[string][2]int64{ // MySQL, MariaDB
		"stop receiver":           {1, 1},
		"stop receiver, stopped":  {1, 1},
		"start replication":       {1, 2},
		"restart receiver":        {1, 2},
		"point at, source up":     {2, 3},
		"point at, there already": {1, 1},
		"point at, frozen":        {2, 2},
		"point at, old primary":   {2, 2},
		"relax durability":        {1, 1},
		"restore durability":      {1, 1},
		"fence":                   {1, 1},
		"fence, fenced":           {1, 1},
		"unfence":                 {1, 1},
		"wait applied, applied":   {1, 1},
		"make primary, frozen":    {1, 2},
		"make primary, made":      {1, 2},
		"make primary, receiving": {1, 2},
	}
	const rounds = 3
	for n, flavor := range []lab.Flavor{lab.MySQL, lab.MariaDB} {
		t.Run(string(flavor), func(t *testing.T) {
			account := func(topology.InstanceID) (Account, bool) {
				return Account{User: lab.ReplicationUser, Password: lab.Password}, true
			}
			f := newFleet(t, lab.Spec{Flavor: flavor, Replicas: 2, SemiSync: 1}, Options{Replication: account})
			for _, s := range f.Servers {
				if err := f.actor.Warm(f.within(stepLimit), id(s)); err != nil {
					t.Fatal(err)
				}
			}
			took, trips := map[string][]time.Duration{}, map[string]int64{}
			for range rounds {
				f.course(func(name string, st remediation.Step) {
					begin := time.Now()
					trips[name] = max(trips[name], f.do(st))
					took[name] = append(took[name], time.Since(begin))
				})
			}
			var report strings.Builder
			for name, limit := range limits {
				if len(took[name]) == 0 {
					t.Errorf("%s was not measured", name)
					continue
				}
				slices.Sort(took[name])
				fmt.Fprintf(&report, "%-26s %7.2f ms  %d\n", name, took[name][rounds/2].Seconds()*1e3, trips[name])
				if trips[name] > limit[n] {
					t.Errorf("%s took %d round trips, want at most %d", name, trips[name], limit[n])
				}
			}
			lines := strings.Split(report.String(), "\n")
			slices.Sort(lines)
			t.Logf("median and round trips%s", strings.Join(lines, "\n"))
		})
	}
}
