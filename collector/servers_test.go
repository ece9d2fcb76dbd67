package collector

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/batondb/baton/internal/lab"
	"github.com/batondb/baton/topology"
)

// TestServers asks real servers. The parts of one flavour share its servers and run in order: what an earlier part breaks, it mends.
func TestServers(t *testing.T) {
	if testing.Short() {
		t.Skip("real servers take a while")
	}
	l, err := lab.New(t.Context(), lab.Options{Progress: func(s string) { t.Log(s) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	for _, flavor := range []lab.Flavor{lab.MySQL, lab.MariaDB} {
		t.Run(string(flavor), func(t *testing.T) {
			top, err := l.Start(t.Context(), lab.Spec{Flavor: flavor, Replicas: 3, SemiSync: 1, ConnectRetry: 1})
			if _, ok := errors.AsType[*lab.MissingError](err); ok {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = top.Close() })
			f := &fleet{Topology: top, flavor: flavor}
			t.Run("facts of the primary", f.primaryFacts)
			t.Run("facts of a replica", f.replicaFacts)
			t.Run("one write per probe", f.oneWrite)
			t.Run("grants", f.grants)
			t.Run("optional questions", f.optional)
			t.Run("a connection that was killed", f.killedConnection)
			t.Run("password changed", f.denied)
			t.Run("too many connections", f.saturated)
			t.Run("encrypted", f.encrypted)
			t.Run("discovery", f.discovery)
			t.Run("lend to a hung server", f.lend)
			t.Run("hang", f.hang)
			t.Run("death and return", f.death)
		})
	}
}

type fleet struct {
	*lab.Topology
	flavor lab.Flavor
}

func idOf(s *lab.Server) topology.InstanceID { return topology.InstanceID(s.Addr()) }

func asBaton() (string, string) { return lab.BatonUser, lab.Password }

func access() Access { return Access{Credentials: asBaton, Timeout: 5 * time.Second} }

// patient is a prober that a busy machine does not time out.
func patient(t *testing.T, change func(*SQLOptions)) *SQLProber {
	t.Helper()
	opts := SQLOptions{Access: access(), Timeout: 5 * time.Second}
	if change != nil {
		change(&opts)
	}
	p, err := NewSQLProber(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func mustProbe(t *testing.T, p Prober, s *lab.Server) topology.Facts {
	t.Helper()
	facts, err := p.Probe(t.Context(), idOf(s))
	if err != nil {
		t.Fatal(err)
	}
	return facts
}

func value(t *testing.T, s *lab.Server, query string) string {
	t.Helper()
	v, err := s.Value(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func exec(t *testing.T, s *lab.Server, statements ...string) {
	t.Helper()
	if err := s.Exec(t.Context(), statements...); err != nil {
		t.Fatal(err)
	}
}

// until waits for a condition of a real server, which announces nothing.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
}

func same[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, and the server says %v", what, got, want)
	}
}

// executed is what the server itself says.
func (f *fleet) executed(t *testing.T, s *lab.Server) topology.GTIDSet {
	t.Helper()
	if f.flavor == lab.MariaDB {
		return topology.MustParseGTIDSet(value(t, s, "SELECT @@gtid_binlog_pos")).Union(
			topology.MustParseGTIDSet(value(t, s, "SELECT @@gtid_current_pos")))
	}
	return topology.MustParseGTIDSet(value(t, s, "SELECT @@gtid_executed"))
}

func (f *fleet) common(t *testing.T, s *lab.Server, facts *topology.Facts) {
	t.Helper()
	same(t, "version", facts.Version.String(), value(t, s, "SELECT @@version"))
	same(t, "flavor", facts.Version.Flavor, topology.Flavor(f.flavor))
	same(t, "server_id", facts.ServerID, uint32(s.ID()))
	same(t, "hostname", facts.Hostname, value(t, s, "SELECT @@hostname"))
	same(t, "report_host", facts.ReportHost, value(t, s, "SELECT @@report_host"))
	same(t, "read_only", facts.ReadOnly, value(t, s, "SELECT @@read_only") == "1")
	same(t, "log_bin", facts.LogBin, true)
	same(t, "log_replica_updates", facts.LogReplicaUpdates, true)
	same(t, "binlog_format", facts.BinlogFormat, "ROW")
	same(t, "gtid", facts.GTID, true)
	same(t, "executed", facts.Executed, f.executed(t, s))
	same(t, "sync_binlog", fmt.Sprint(facts.SyncBinlog), value(t, s, "SELECT @@sync_binlog"))
	same(t, "innodb_flush_log_at_trx_commit", fmt.Sprint(facts.FlushLogAtTrxCommit), value(t, s, "SELECT @@innodb_flush_log_at_trx_commit"))
	file, position, err := s.BinlogPosition(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "binlog", facts.Binlog.String(), file+":"+position)
	if f.flavor == lab.MySQL {
		same(t, "server_uuid", facts.ServerUUID, value(t, s, "SELECT @@server_uuid"))
		same(t, "super_read_only", facts.SuperReadOnly, value(t, s, "SELECT @@super_read_only") == "1")
		same(t, "purged", facts.Purged, topology.MustParseGTIDSet(value(t, s, "SELECT @@gtid_purged")))
		same(t, "replica_net_timeout", facts.ReplicaNetTimeout.Seconds(), 60)
	}
	if len(facts.MissingGrants) > 0 {
		t.Errorf("missing grants: %v", facts.MissingGrants)
	}
}

func (f *fleet) primaryFacts(t *testing.T) {
	exec(t, f.Primary(), "INSERT INTO app.writes (run, seq) VALUES (1, 1)")
	p := patient(t, nil)
	mustProbe(t, p, f.Primary())
	facts := mustProbe(t, p, f.Primary())
	f.common(t, f.Primary(), &facts)
	if len(facts.Channels) != 0 {
		t.Errorf("a primary has channels: %+v", facts.Channels)
	}
	var want []topology.InstanceID
	for _, r := range f.Replicas() {
		want = append(want, idOf(r))
	}
	slices.Sort(want)
	slices.Sort(facts.Replicas)
	if !slices.Equal(facts.Replicas, want) {
		t.Errorf("replicas %v, and the lab started %v", facts.Replicas, want)
	}
	s := facts.SemiSync
	if !s.SourceInstalled || !s.SourceEnabled || !s.SourceActive || s.SourceClients != 3 || s.WaitFor != 1 || s.Timeout != time.Hour || !s.ReplicaInstalled || s.ReplicaEnabled || s.ReplicaActive {
		t.Errorf("semi-sync of the source: %+v", s)
	}
}

func (f *fleet) replicaFacts(t *testing.T) {
	r := f.Replicas()[0]
	p := patient(t, nil)
	mustProbe(t, p, r)
	file, position, err := f.Primary().BinlogPosition(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var facts topology.Facts
	until(t, "the replica has caught up", func() bool {
		facts = mustProbe(t, p, r)
		c, _ := facts.Default()
		return c.Applied.String() == file+":"+position && c.LagKnown
	})
	f.common(t, r, &facts)
	c, ok := facts.Default()
	if !ok || len(facts.Channels) != 1 {
		t.Fatalf("channels: %+v", facts.Channels)
	}
	same(t, "source", c.Source, idOf(f.Primary()))
	same(t, "receiver", c.Receiver, topology.ReceiverConnected)
	same(t, "applier", c.Applier, topology.ApplierRunning)
	same(t, "auto position", c.AutoPosition, true)
	same(t, "lag known", c.LagKnown, true)
	same(t, "filtered", c.Filtered, false)
	same(t, "read", c.Read.String(), file+":"+position)
	same(t, "heartbeat period", c.Heartbeat, 30*time.Second)
	if f.flavor == lab.MySQL {
		same(t, "source uuid", c.SourceUUID, value(t, f.Primary(), "SELECT @@server_uuid"))
		same(t, "retrieved", c.Retrieved, f.executed(t, f.Primary()))
	} else if !c.Retrieved.Contains(f.executed(t, f.Primary())) {
		t.Errorf("retrieved %v lacks some of %v", c.Retrieved, f.executed(t, f.Primary()))
	}
	if s := facts.SemiSync; !s.ReplicaEnabled || !s.ReplicaActive || s.SourceEnabled || s.SourceActive || s.SourceClients != 0 {
		t.Errorf("semi-sync of the replica: %+v", s)
	}

	stop, start, delay := "STOP REPLICA", "START REPLICA", "CHANGE REPLICATION SOURCE TO SOURCE_DELAY = 7, SOURCE_HEARTBEAT_PERIOD = 0.1"
	if f.flavor == lab.MariaDB {
		stop, start, delay = "STOP SLAVE", "START SLAVE", "CHANGE MASTER TO MASTER_DELAY = 7, MASTER_HEARTBEAT_PERIOD = 0.1"
	}
	exec(t, r, stop, delay)
	facts = mustProbe(t, p, r)
	c, _ = facts.Default()
	same(t, "receiver, stopped", c.Receiver, topology.ReceiverStopped)
	same(t, "applier, stopped", c.Applier, topology.ApplierStopped)
	same(t, "lag known, stopped", c.LagKnown, false)
	same(t, "delay", c.Delay, 7*time.Second)
	exec(t, r, strings.Replace(delay, "7", "0", 1), start)
	if err := r.WaitReplicating(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.Refresh(idOf(r))
	facts = mustProbe(t, p, r)
	c, _ = facts.Default()
	same(t, "heartbeat period, changed", c.Heartbeat, 100*time.Millisecond)
	until(t, "heartbeats are counted", func() bool {
		facts := mustProbe(t, p, r)
		now, _ := facts.Default()
		return now.Beats > c.Beats
	})
}

// counting counts the writes of connections.
type counting struct {
	net.Conn
	writes *atomic.Int64
}

func (c *counting) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

func (f *fleet) oneWrite(t *testing.T) {
	for name, s := range map[string]*lab.Server{"primary": f.Primary(), "replica": f.Replicas()[0]} {
		var writes, dials atomic.Int64
		p := patient(t, func(o *SQLOptions) {
			o.SlowEvery = 1000
			o.Access.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				dials.Add(1)
				var d net.Dialer
				conn, err := d.DialContext(ctx, network, address)
				return &counting{conn, &writes}, err
			}
		})
		mustProbe(t, p, s)
		before := writes.Load()
		for range 20 {
			mustProbe(t, p, s)
		}
		if n := writes.Load() - before; n != 20 {
			t.Errorf("%s: 20 probes took %d writes", name, n)
		}
		p.Refresh(idOf(s))
		before = writes.Load()
		mustProbe(t, p, s)
		if n := writes.Load() - before; n != 1 {
			t.Errorf("%s: a probe that asks everything took %d writes", name, n)
		}
		if n := dials.Load(); n != 1 {
			t.Errorf("%s: %d connections", name, n)
		}
	}
}

func (f *fleet) optional(t *testing.T) {
	r := f.Replicas()[0]
	p := patient(t, func(o *SQLOptions) {
		o.Detect = Detect{
			DataCenter:   "SELECT name FROM nowhere.at_all",
			Region:       "SELECT 'north'",
			ClusterAlias: "SELECT 'shop' FROM DUAL WHERE 1 = 1;",
			Lag:          "SELECT 2.5",
		}
	})
	for range 2 {
		facts := mustProbe(t, p, r)
		if facts.DataCenter != "" || facts.Region != "north" || facts.ClusterAlias != "shop" {
			t.Errorf("detected %q %q %q", facts.DataCenter, facts.Region, facts.ClusterAlias)
		}
		if c, _ := facts.Default(); !c.LagKnown || c.Lag != 2500*time.Millisecond {
			t.Errorf("lag %v %v", c.LagKnown, c.Lag)
		}
		p.Refresh(idOf(r))
	}
	p = patient(t, func(o *SQLOptions) { o.Detect = Detect{Lag: "SELECT s FROM nowhere.at_all", Region: "SELECT 'south'"} })
	facts := mustProbe(t, p, r)
	if c, _ := facts.Default(); c.LagKnown || facts.Region != "south" {
		t.Errorf("a lag query that fails: known %v, region %q", c.LagKnown, facts.Region)
	}
}
