package collector

import (
	"context"
	"errors"
	"io"
	"net"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/batondb/baton/topology"
)

func TestProbeOfAnOlderDialect(t *testing.T) {
	s := fakeMySQL80()
	p := s.prober(t, func(o *SQLOptions) { o.SlowEvery = 1000 })
	facts, err := p.Probe(t.Context(), fakeID)
	if err != nil {
		t.Fatal(err)
	}
	version, _ := topology.ParseVersion("8.0.22", "")
	want := topology.Facts{
		Version: version, ServerID: 7, ServerUUID: "3e11fa47-71ca-11e1-9e33-c80aa9429562", Hostname: "box7", ReportHost: "db7",
		ReadOnly: true, SuperReadOnly: true, LogBin: true, LogReplicaUpdates: true, BinlogFormat: "ROW",
		Binlog: topology.Coordinates{File: "log.000003", Pos: 4711}, GTID: true,
		Executed: topology.MustParseGTIDSet("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5,4e11fa47-71ca-11e1-9e33-c80aa9429562:1-900"),
		Channels: []topology.Channel{{
			Source: "db1:3306", SourceUUID: "4e11fa47-71ca-11e1-9e33-c80aa9429562", Receiver: topology.ReceiverConnected,
			Applier: topology.ApplierRunning, AutoPosition: true,
			Retrieved: topology.MustParseGTIDSet("4e11fa47-71ca-11e1-9e33-c80aa9429562:800-901"),
			Read:      topology.Coordinates{File: "binlog.000009", Pos: 1000}, Applied: topology.Coordinates{File: "binlog.000009", Pos: 900},
			Lag: 2 * time.Second, LagKnown: true, Delay: 10 * time.Second, Heartbeat: 30 * time.Second, Beats: 17,
		}},
		SemiSync:   topology.SemiSync{ReplicaInstalled: true},
		SyncBinlog: 1, FlushLogAtTrxCommit: 2, ReplicaNetTimeout: time.Minute,
	}
	if !reflect.DeepEqual(facts, want) {
		t.Errorf("got  %+v\nwant %+v", facts, want)
	}
	s.statements()
	if again, err := p.Probe(t.Context(), fakeID); err != nil || !reflect.DeepEqual(again, want) {
		t.Errorf("the second time: %v %+v", err, again)
	}
	for _, sql := range s.statements() {
		if strings.Contains(sql, "SHOW GLOBAL") || strings.Contains(sql, "GRANTS") || strings.Contains(sql, "HEARTBEAT_INTERVAL") {
			t.Errorf("asked again so soon: %s", sql)
		}
	}
}

func TestDialects(t *testing.T) {
	tests := []struct {
		version                string
		status, binlog, listed string
	}{
		{"5.6.24", "SHOW SLAVE STATUS", "SHOW MASTER STATUS", "SHOW SLAVE HOSTS"},
		{"5.7.44-log", "SHOW SLAVE STATUS", "SHOW MASTER STATUS", "SHOW SLAVE HOSTS"},
		{"8.0.21", "SHOW SLAVE STATUS", "SHOW MASTER STATUS", "SHOW SLAVE HOSTS"},
		{"8.0.22", "SHOW REPLICA STATUS", "SHOW MASTER STATUS", "SHOW REPLICAS"},
		{"8.0.36-28", "SHOW REPLICA STATUS", "SHOW MASTER STATUS", "SHOW REPLICAS"},
		{"8.2.0", "SHOW REPLICA STATUS", "SHOW BINARY LOG STATUS", "SHOW REPLICAS"},
		{"8.4.3", "SHOW REPLICA STATUS", "SHOW BINARY LOG STATUS", "SHOW REPLICAS"},
		{"9.7.4", "SHOW REPLICA STATUS", "SHOW BINARY LOG STATUS", "SHOW REPLICAS"},
		{"10.5.1-MariaDB", "SHOW ALL SLAVES STATUS", "SHOW MASTER STATUS", "SHOW SLAVE HOSTS"},
		{"11.8.2-MariaDB-log", "SHOW ALL SLAVES STATUS", "SHOW MASTER STATUS", "SHOW SLAVE HOSTS"},
	}
	for _, tt := range tests {
		t.Run(tt.version, func(t *testing.T) {
			v, err := topology.ParseVersion(tt.version, "")
			if err != nil {
				t.Fatal(err)
			}
			d := dialectOf(v)
			if d.replicaStatus != tt.status || d.binlogStatus != tt.binlog || d.replicaHosts != tt.listed {
				t.Errorf("%q %q %q", d.replicaStatus, d.binlogStatus, d.replicaHosts)
			}
		})
	}
}

func TestProbeChannels(t *testing.T) {
	s := fakeMySQL80()
	r := s.script["SHOW REPLICA STATUS"]
	column := func(name string) int { return slices.Index(r.columns, name) }
	row := func(channel, host, receiver, behind string) []string {
		row := slices.Clone(r.rows[0])
		row[column("Channel_Name")], row[column("Source_Host")] = channel, host
		row[column("Replica_IO_Running")], row[column("Seconds_Behind_Source")] = receiver, behind
		return row
	}
	filtered := row("east", "::1", "Connecting", "3")
	filtered[column("Replicate_Do_DB")] = "shop"
	r.rows = [][]string{row("west", "10.0.0.1", "No", "NULL"), filtered, row("", "db1", "Yes", "11"), row("group_replication_applier", "<NULL>", "No", "0")}
	s.set("SHOW REPLICA STATUS", r)
	facts, err := s.prober(t, nil).Probe(t.Context(), fakeID)
	if err != nil {
		t.Fatal(err)
	}
	type seen struct {
		name     string
		source   topology.InstanceID
		receiver topology.Receiver
		known    bool
		lag      time.Duration
		filtered bool
		beats    uint64
	}
	var got []seen
	for _, c := range facts.Channels {
		got = append(got, seen{c.Name, c.Source, c.Receiver, c.LagKnown, c.Lag, c.Filtered, c.Beats})
	}
	want := []seen{
		{"", "db1:3306", topology.ReceiverConnected, true, time.Second, false, 17},
		{"west", "10.0.0.1:3306", topology.ReceiverStopped, false, 0, false, 0},
		{"east", "[::1]:3306", topology.ReceiverConnecting, true, 0, true, 0},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestProbeReplicas(t *testing.T) {
	tests := []struct {
		name    string
		hosts   [][]string // Server_Id, Host, Port
		threads []string
		want    []topology.InstanceID
	}{
		{"registered with a host", [][]string{{"1", "db8", "3307"}, {"2", "2001:db8::1", "3306"}}, nil, []topology.InstanceID{"db8:3307", "[2001:db8::1]:3306"}},
		{"itself, twice the same", [][]string{{"1", "db8", "3306"}, {"2", "DB8", "3306"}, {"7", "db7", "3306"}}, nil, []topology.InstanceID{"db8:3306"}},
		{"one without a host", [][]string{{"1", "", "3307"}}, []string{"10.0.0.9:51234"}, []topology.InstanceID{"10.0.0.9:3307"}},
		{"an IPv6 client", [][]string{{"1", "", "3306"}}, []string{"2001:db8::9:51234"}, []topology.InstanceID{"[2001:db8::9]:3306"}},
		{"several of one port", [][]string{{"1", "", "3306"}, {"2", "", "3306"}}, []string{"10.0.0.9:5", "10.0.0.8:5"}, []topology.InstanceID{"10.0.0.9:3306", "10.0.0.8:3306"}},
		{"ports that cannot be told apart", [][]string{{"1", "", "3306"}, {"2", "", "3307"}}, []string{"10.0.0.9:5", "10.0.0.8:5"}, nil},
		{"through a socket", [][]string{{"1", "", "3306"}}, []string{"localhost"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := fakeMySQL80()
			s.set("SHOW REPLICAS", result{columns: []string{"Server_Id", "Host", "Port"}, rows: tt.hosts})
			threads := result{columns: []string{"Host"}}
			for _, h := range tt.threads {
				threads.rows = append(threads.rows, []string{h})
			}
			s.set("SELECT HOST AS Host FROM performance_schema.processlist", threads)
			facts, err := s.prober(t, nil).Probe(t.Context(), fakeID)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(facts.Replicas, tt.want) {
				t.Errorf("got %v, want %v", facts.Replicas, tt.want)
			}
		})
	}
}

// TestReach is the whole way from a server's behaviour to its reach.
func TestReach(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*fakeServer)
		dial  error
		reach topology.Reach
		errno int
		says  string
	}{
		{"answers", nil, nil, topology.ReachUp, 0, ""},
		{"nobody listens", nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, topology.ReachRefused, 2003, "db7:3306: connect: connection refused"},
		{"no route", nil, &net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}, topology.ReachRefused, 2003, "db7:3306: connect: no route to host"},
		{"reset at dial", nil, &net.OpError{Op: "dial", Err: syscall.ECONNRESET}, topology.ReachRefused, 2003, "db7:3306: connect: connection reset by peer"},
		{"name unknown", nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "db7", IsNotFound: true}}, topology.ReachUnknown, 2005, "db7:3306: host db7 does not resolve: no such host"},
		{"name service slow", nil, &net.DNSError{Err: "i/o timeout", Name: "db7", IsTimeout: true}, topology.ReachUnknown, 2005, "db7:3306: host db7 does not resolve: i/o timeout"},
		{"we have no descriptors", nil, &net.OpError{Op: "dial", Err: syscall.EMFILE}, topology.ReachUnknown, 0, "db7:3306: connect: too many open files"},
		{"dial times out", nil, &net.OpError{Op: "dial", Err: context.DeadlineExceeded}, topology.ReachTimeout, 2003, "db7:3306: connect: no answer in time"},
		{"never greets", func(s *fakeServer) { s.trick = func(c net.Conn, _ func()) { _, _ = io.Copy(io.Discard, c) } }, nil, topology.ReachTimeout, 2013, "db7:3306: log in: no answer in time"},
		{"closes before it greets", func(s *fakeServer) { s.trick = func(c net.Conn, _ func()) { _ = c.Close() } }, nil, topology.ReachRefused, 2013, "db7:3306: log in: the connection was closed"},
		{"greets and closes", func(s *fakeServer) { s.trick = func(_ net.Conn, greet func()) { greet() } }, nil, topology.ReachPartial, 2013, "db7:3306: log in: the connection was closed"},
		{"too many connections", func(s *fakeServer) { s.trick = refuse(1040) }, nil, topology.ReachSaturated, 1040, ""},
		{"host blocked", func(s *fakeServer) { s.trick = refuse(1129) }, nil, topology.ReachDenied, 1129, ""},
		{"host not allowed", func(s *fakeServer) { s.trick = refuse(1130) }, nil, topology.ReachDenied, 1130, ""},
		{"some other word at login", func(s *fakeServer) { s.trick = refuse(1156) }, nil, topology.ReachDenied, 1156, ""},
		{"first question hangs", func(s *fakeServer) { s.script["SHOW GLOBAL VARIABLES"] = result{hang: true} }, nil, topology.ReachTimeout, 2013, "db7:3306: ask for settings: no answer in time"},
		{"later question hangs", func(s *fakeServer) { s.script["SHOW MASTER STATUS"] = result{hang: true} }, nil, topology.ReachPartial, 2013, "db7:3306: ask for binary log status: no answer in time"},
		{"later question breaks", func(s *fakeServer) { s.script["SHOW REPLICA STATUS"] = result{hangUp: true} }, nil, topology.ReachPartial, 2013, "db7:3306: ask for replication status: the connection was closed"},
		{"first question breaks", func(s *fakeServer) { s.script["SHOW GLOBAL VARIABLES"] = result{hangUp: true} }, nil, topology.ReachPartial, 2013, ""},
		{"privilege missing", func(s *fakeServer) { s.script["SHOW REPLICA STATUS"] = result{errno: 1227} }, nil, topology.ReachDenied, 1227, "db7:3306: ask for replication status: Error 1227 (HY000): it fails; run there: GRANT REPLICATION CLIENT ON *.* TO 'baton'@'%'"},
		{"disk full", func(s *fakeServer) { s.script["SHOW MASTER STATUS"] = result{errno: 3} }, nil, topology.ReachPartial, 3, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := fakeMySQL80()
				if tt.spoil != nil {
					tt.spoil(s)
				}
				p := s.prober(t, func(o *SQLOptions) {
					o.Timeout, o.Access.Timeout = time.Second, time.Second
					if tt.dial != nil {
						o.Access.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, tt.dial }
					}
				})
				began := time.Now()
				_, err := p.Probe(t.Context(), fakeID)
				if reach, errno := Classify(err); reach != tt.reach || errno != tt.errno {
					t.Errorf("%v %d, want %v %d: %v", reach, errno, tt.reach, tt.errno, err)
				}
				if tt.says != "" && err.Error() != tt.says {
					t.Errorf("it says %q, want %q", err, tt.says)
				}
				if took := time.Since(began); took > time.Second {
					t.Errorf("it took %v, and the deadline is a second", took)
				}
			})
		})
	}
}

// refuse greets with an error.
func refuse(number uint16) func(net.Conn, func()) {
	return func(conn net.Conn, _ func()) {
		_, _ = conn.Write([]byte{9, 0, 0, 0, 0xff, byte(number), byte(number >> 8), '#', 'H', 'Y', '0', '0', '0'})
	}
}

func TestOldConnectionIsNoEvidence(t *testing.T) {
	tests := []struct {
		name  string
		then  result
		reach topology.Reach
	}{
		{"it broke", result{hangUp: true}, topology.ReachUp},
		{"it was killed", result{errno: 3169}, topology.ReachUp},
		{"a plugin was removed", result{errno: 1193}, topology.ReachUp},
		{"it hangs", result{hang: true}, topology.ReachTimeout},
		{"it is denied", result{errno: 1227}, topology.ReachDenied},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := fakeMySQL80()
				healthy := s.script["SELECT @@global.read_only"]
				dials := 0
				p := s.prober(t, func(o *SQLOptions) {
					dial := o.Access.Dial
					o.Access.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
						if dials++; dials > 1 {
							s.set("SELECT @@global.read_only", healthy)
						}
						return dial(ctx, network, address)
					}
				})
				if _, err := p.Probe(t.Context(), fakeID); err != nil {
					t.Fatal(err)
				}
				s.set("SELECT @@global.read_only", tt.then)
				_, err := p.Probe(t.Context(), fakeID)
				if reach, _ := Classify(err); reach != tt.reach {
					t.Errorf("%v, want %v: %v", reach, tt.reach, err)
				}
			})
		})
	}
}

func TestProbeIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fakeMySQL80()
		p := s.prober(t, nil)
		if _, err := p.Probe(t.Context(), fakeID); err != nil {
			t.Fatal(err)
		}
		s.set("SHOW REPLICA STATUS", result{hang: true})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go func() {
			// The second one waits for its turn, and gives up waiting.
			_, err := p.Probe(ctx, fakeID)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("in the queue: %v", err)
			}
		}()
		began := time.Now()
		_, err := p.Probe(ctx, fakeID)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		synctest.Wait()
	})
}

// TestProberLeavesNothing relies on the bubble, which fails when a goroutine is left in it: the driver has one for each connection.
func TestProberLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fakeMySQL80()
		p := s.prober(t, nil)
		for range 5 {
			s.set("SHOW MASTER STATUS", result{hang: true})
			if _, err := p.Probe(t.Context(), fakeID); err == nil {
				t.Fatal("a hung question was answered")
			}
			s.set("SHOW MASTER STATUS", one("File", "log.000003", "Position", "4711"))
			if _, err := p.Probe(t.Context(), fakeID); err != nil {
				t.Fatal(err)
			}
			p.Drop(fakeID)
		}
		// Dropped while it is being probed.
		s.set("SHOW MASTER STATUS", result{hang: true})
		go func() { _, _ = p.Probe(t.Context(), fakeID) }()
		synctest.Wait()
		p.Drop(fakeID)
		time.Sleep(time.Minute)
	})
}

func TestQueriesOfTheOperator(t *testing.T) {
	tests := []struct {
		sql, want, wrong string
	}{
		{"", "", ""},
		{" select dc from meta.dc ;\n", "select dc from meta.dc", ""},
		{"WITH x AS (SELECT 1) SELECT * FROM x", "WITH x AS (SELECT 1) SELECT * FROM x", ""},
		{"SELECT 1; SELECT 2", "", "a single statement"},
		{"SELECT 1 -- why", "", "comment"},
		{"DELETE FROM t", "", "not with DELETE"},
	}
	for _, tt := range tests {
		got, err := oneQuery(tt.sql)
		if tt.wrong == "" && (err != nil || got != tt.want) || tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong)) {
			t.Errorf("%q: %q, %v", tt.sql, got, err)
		}
	}
}

func TestGrants(t *testing.T) {
	tests := []struct {
		name    string
		version string
		lines   []string
		missing []string
	}{
		{"all", "9.7.4", []string{"GRANT ALL PRIVILEGES ON *.* TO `root`@`%` WITH GRANT OPTION"}, nil},
		{"super", "8.0.30", []string{"GRANT SELECT, PROCESS, RELOAD, SUPER, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `b`@`%`"}, nil},
		{"old server", "5.7.30", []string{"GRANT PROCESS, RELOAD, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'b'@'%'"}, []string{"GRANT SUPER ON *.* TO 'b'@'%'"}},
		{"no schema", "9.7.4", []string{
			"GRANT PROCESS, RELOAD, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `b`@`%`",
			"GRANT CONNECTION_ADMIN,REPLICATION_SLAVE_ADMIN ON *.* TO `b`@`%`", "GRANT SELECT ON `mysql`.* TO `b`@`%`", "GRANT `role`@`%` TO `b`@`%`",
		}, []string{"GRANT SYSTEM_VARIABLES_ADMIN ON *.* TO 'b'@'%'", "GRANT SELECT ON performance_schema.* TO 'b'@'%'"}},
		{"mariadb", "10.11.18-MariaDB", []string{
			"GRANT RELOAD, PROCESS, BINLOG MONITOR, CONNECTION ADMIN, READ_ONLY ADMIN, REPLICATION SLAVE ADMIN, BINLOG ADMIN, SLAVE MONITOR ON *.* TO `b`@`%` IDENTIFIED BY PASSWORD '*B8F5'",
		}, []string{"GRANT REPLICATION MASTER ADMIN ON *.* TO 'b'@'%'"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := topology.ParseVersion(tt.version, "")
			if err != nil {
				t.Fatal(err)
			}
			s := &session{account: quoteAccount("b@%")}
			s.draft.Version = v
			for _, line := range tt.lines {
				s.held.add(line)
			}
			if got := s.missingGrants(); !slices.Equal(got, tt.missing) {
				t.Errorf("got %q, want %q", got, tt.missing)
			}
		})
	}
}
