package collector

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/batondb/baton/topology"
)

// typical is a replica as it is observed day and night.
func typical() topology.Observation {
	o := topology.Observation{
		Instance: "mysql-shop-0042.db.example.net:3306", Attempted: at(100), Reach: topology.ReachUp, Took: 730 * time.Microsecond,
		Facts: topology.Facts{
			At: at(100), Version: topology.Version{Flavor: "mysql", Major: 9, Minor: 7, Patch: 4}, ServerID: 4217,
			ServerUUID: "2646bb3f-e4f6-11f1-aaaa-02fc00000001", Hostname: "mysql-shop-0042", ReportHost: "mysql-shop-0042.db.example.net",
			ReadOnly: true, SuperReadOnly: true, LogBin: true, LogReplicaUpdates: true, BinlogFormat: "ROW",
			Binlog: topology.Coordinates{File: "binlog.001234", Pos: 123456789}, GTID: true,
			Executed: topology.MustParseGTIDSet("2645ab62-e4f6-11f1-abc8-02fc00000001:1-123456789,2646bb3f-e4f6-11f1-aaaa-02fc00000001:1-17,2647bb3f-e4f6-11f1-aaaa-02fc00000001:1-40000"),
			Purged:   topology.MustParseGTIDSet("2645ab62-e4f6-11f1-abc8-02fc00000001:1-100000000"),
			Channels: []topology.Channel{{
				Source: "mysql-shop-0041.db.example.net:3306", SourceUUID: "2645ab62-e4f6-11f1-abc8-02fc00000001", Receiver: topology.ReceiverConnected,
				Applier: topology.ApplierRunning, AutoPosition: true,
				Retrieved: topology.MustParseGTIDSet("2645ab62-e4f6-11f1-abc8-02fc00000001:120000000-123456789"),
				Read:      topology.Coordinates{File: "binlog.004321", Pos: 987654321}, Applied: topology.Coordinates{File: "binlog.004321", Pos: 987654321},
				LagKnown: true, Heartbeat: 30 * time.Second, Beats: 12345, ReceiverSince: at(-100000), HeardAt: at(100),
			}},
			SemiSync:   topology.SemiSync{SourceInstalled: true, ReplicaInstalled: true, ReplicaEnabled: true, ReplicaActive: true, WaitFor: 1, Timeout: 10 * time.Second},
			SyncBinlog: 1, FlushLogAtTrxCommit: 1, ReplicaNetTimeout: time.Minute, DataCenter: "d1", Region: "north", ClusterAlias: "shop",
		},
	}
	for i := range HistoryLength {
		o.History = append(o.History, topology.Attempt{At: at(100 - HistoryLength + 1 + i), Reach: topology.ReachUp, Took: time.Duration(700+i) * time.Microsecond})
	}
	return o
}

func codecCases() map[string]topology.Observation {
	troubled := typical()
	troubled.Reach, troubled.Errno, troubled.Error = topology.ReachTimeout, 2013, "mysql-shop-0042.db.example.net:3306: ask for settings: no answer in time"
	troubled.Failures, troubled.FailingSince, troubled.Partials, troubled.SentinelFell = 3, at(97), 2, at(96)
	troubled.Facts.Channels = append(troubled.Facts.Channels, topology.Channel{
		Name: "east", Source: "[2001:db8::1]:3307", Receiver: topology.ReceiverConnecting, ReceiverErrno: 2003, ReceiverError: "cannot connect",
		Applier: topology.ApplierStopped, ApplierErrno: 1062, ApplierError: "Duplicate entry 'ä'", Delay: time.Hour, Lag: 3 * time.Second, Filtered: true,
	})
	troubled.Facts.Replicas = []topology.InstanceID{"a:1", "b:2"}
	troubled.Facts.MissingGrants = []string{"GRANT A", "GRANT B"}
	troubled.Facts.Executed = topology.MustParseGTIDSet("0-1-100,1-7-20")
	odd := topology.Observation{Instance: "x:1", Errno: -1, Failures: -5, Took: -time.Second, Attempted: time.Unix(0, 0).UTC()}
	return map[string]topology.Observation{"empty": {}, "typical": typical(), "troubled": troubled, "odd": odd}
}

func TestCodec(t *testing.T) {
	for name, o := range codecCases() {
		t.Run(name, func(t *testing.T) {
			b := AppendObservation(nil, &o)
			got, err := DecodeObservation(b)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, o) {
				t.Errorf("got  %+v\nwant %+v", got, o)
			}
			for i := range b {
				if _, err := DecodeObservation(b[:i]); err == nil {
					t.Fatalf("the first %d of %d bytes were taken for a whole observation", i, len(b))
				}
			}
			if _, err := DecodeObservation(append(b, 0)); err == nil {
				t.Error("a byte too many was not noticed")
			}
			b[0]++
			if _, err := DecodeObservation(b); err == nil || !strings.Contains(err.Error(), "version") {
				t.Errorf("another version: %v", err)
			}
		})
	}
}

// TestCodecIsComplete fails when a field is added to what is observed and not to the codec.
func TestCodecIsComplete(t *testing.T) {
	for _, tt := range []struct {
		of     any
		fields int
	}{
		{topology.Observation{}, 12},
		{topology.Facts{}, 25},
		{topology.SemiSync{}, 10},
		{topology.Channel{}, 21},
		{topology.Attempt{}, 4},
		{topology.Version{}, 5},
		{topology.Coordinates{}, 2},
	} {
		if n := reflect.TypeOf(tt.of).NumField(); n != tt.fields {
			t.Errorf("%T has %d fields and not %d: add the new one to codec.go and to codecCases, raise codecVersion, and count again here", tt.of, n, tt.fields)
		}
	}
}

func FuzzDecodeObservation(f *testing.F) {
	for _, o := range codecCases() {
		f.Add(AppendObservation(nil, &o))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := DecodeObservation(b)
		if err != nil {
			return
		}
		again, err := DecodeObservation(AppendObservation(nil, &o))
		if err != nil || !reflect.DeepEqual(again, o) {
			t.Errorf("%v\ngot  %+v\nwant %+v", err, again, o)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	o := typical()
	buf := AppendObservation(nil, &o)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendObservation(buf[:0], &o)
	}
	b.ReportMetric(float64(len(buf)), "bytes")
}

func BenchmarkDecode(b *testing.B) {
	o := typical()
	buf := AppendObservation(nil, &o)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeObservation(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFold(b *testing.B) {
	o := typical()
	facts := o.Facts
	b.ReportAllocs()
	for b.Loop() {
		_ = Fold(o, facts, nil, at(101), at(101))
	}
}
