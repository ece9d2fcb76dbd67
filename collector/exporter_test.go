package collector

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/batondb/baton/topology"
)

func lint(t *testing.T, reg prometheus.Gatherer) {
	t.Helper()
	problems, err := testutil.GatherAndLint(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func shop() *topology.Snapshot {
	primary := typical()
	primary.Instance, primary.Facts.Channels, primary.Facts.ReadOnly, primary.Facts.SuperReadOnly = "db1:3306", nil, false, false
	primary.Facts.Executed = topology.MustParseGTIDSet("2645ab62-e4f6-11f1-abc8-02fc00000001:1-100")
	primary.Facts.SemiSync = topology.SemiSync{SourceInstalled: true, SourceActive: true, SourceClients: 2, WaitFor: 1}
	replica := typical()
	replica.Instance = "db2:3306"
	replica.Facts.Executed = topology.MustParseGTIDSet("2645ab62-e4f6-11f1-abc8-02fc00000001:1-98")
	replica.Facts.Channels = []topology.Channel{{
		Source: "db1:3306", Receiver: topology.ReceiverConnected, Applier: topology.ApplierRunning, Lag: 3 * time.Second, LagKnown: true,
		Delay: 10 * time.Second, ApplierErrno: 1062, AutoPosition: true,
	}}
	maria := topology.Observation{
		Instance: "db3:3306", Attempted: at(100), Reach: topology.ReachTimeout, Failures: 3, FailingSince: at(98), Took: 500 * time.Millisecond,
		Facts: topology.Facts{
			At: at(90), Version: topology.Version{Flavor: "mariadb", Major: 10, Minor: 11}, GTID: true,
			Channels: []topology.Channel{{Source: "db1:3306", Receiver: topology.ReceiverConnecting, Applier: topology.ApplierUnknown, LagKnown: true, Lag: time.Second}},
		},
	}
	never := topology.Observation{Instance: "db4:3306", Attempted: at(100), Reach: topology.ReachRefused, Took: time.Millisecond}
	return topology.Build(topology.Input{
		At: at(100), Observations: []topology.Observation{primary, replica, maria, never},
		Intents: topology.Intents{
			Clusters:       map[string]topology.NamedCluster{"shop": {Members: []topology.InstanceID{"db1:3306", "db2:3306", "db3:3306", "db4:3306"}, Primary: "db1:3306"}},
			Downtimes:      map[topology.InstanceID]topology.Hold{"db3:3306": {Owner: "o", Since: at(0), Until: at(1000)}},
			PromotionRules: map[topology.InstanceID]topology.PromotionRule{"db2:3306": topology.PromotePrefer},
		},
	})
}

func TestExporter(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(NewExporter(shop))
	lint(t, reg)
	want := map[string]string{
		"baton_instance_up": `
			{mysql_cluster="shop",mysql_instance="db1:3306"} 1
			{mysql_cluster="shop",mysql_instance="db2:3306"} 1
			{mysql_cluster="shop",mysql_instance="db3:3306"} 0
			{mysql_cluster="shop",mysql_instance="db4:3306"} 0`,
		"baton_instance_info": `
			{datacenter="",flavor="mariadb",mysql_cluster="shop",mysql_instance="db3:3306",promotion_rule="neutral",region="",server_id="0",server_uuid="",version="10.11.0"} 1
			{datacenter="d1",flavor="mysql",mysql_cluster="shop",mysql_instance="db1:3306",promotion_rule="neutral",region="north",server_id="4217",server_uuid="2646bb3f-e4f6-11f1-aaaa-02fc00000001",version="9.7.4"} 1
			{datacenter="d1",flavor="mysql",mysql_cluster="shop",mysql_instance="db2:3306",promotion_rule="prefer",region="north",server_id="4217",server_uuid="2646bb3f-e4f6-11f1-aaaa-02fc00000001",version="9.7.4"} 1`,
		"baton_instance_replicas": `
			{mysql_cluster="shop",mysql_instance="db1:3306"} 2
			{mysql_cluster="shop",mysql_instance="db2:3306"} 0
			{mysql_cluster="shop",mysql_instance="db3:3306"} 0
			{mysql_cluster="shop",mysql_instance="db4:3306"} 0`,
		"baton_instance_super_read_only": `
			{mysql_cluster="shop",mysql_instance="db1:3306"} 0
			{mysql_cluster="shop",mysql_instance="db2:3306"} 1`,
		"baton_instance_last_seen_timestamp_seconds": `
			{mysql_cluster="shop",mysql_instance="db1:3306"} 1.7951761e+09
			{mysql_cluster="shop",mysql_instance="db2:3306"} 1.7951761e+09
			{mysql_cluster="shop",mysql_instance="db3:3306"} 1.79517609e+09`,
		"baton_instance_downtime_end_timestamp_seconds": `{mysql_cluster="shop",mysql_instance="db3:3306"} 1.795177e+09`,
		"baton_topology_edge": `
			{channel="",mysql_cluster="shop",source="db1:3306",target="db2:3306"} 1
			{channel="",mysql_cluster="shop",source="db1:3306",target="db3:3306"} 0`,
		"baton_replication_lag_seconds":        `{channel="",mysql_cluster="shop",mysql_instance="db2:3306"} 3`,
		"baton_replication_sql_thread_running": `{channel="",mysql_cluster="shop",mysql_instance="db2:3306"} 1`,
		"baton_semi_sync_source_clients": `
			{mysql_cluster="shop",mysql_instance="db1:3306"} 2
			{mysql_cluster="shop",mysql_instance="db2:3306"} 0`,
		"baton_semi_sync_replica_active": `{mysql_cluster="shop",mysql_instance="db2:3306"} 1`,
		"baton_semi_sync_source_wait_for_replicas": `
			{mysql_cluster="shop",mysql_instance="db1:3306"} 1
			{mysql_cluster="shop",mysql_instance="db2:3306"} 1`,
	}
	for name, lines := range want {
		var b strings.Builder
		for line := range strings.Lines(lines) {
			if line = strings.TrimSpace(line); line != "" {
				b.WriteString(name + line + "\n")
			}
		}
		got := render(t, reg, name)
		if got != b.String() {
			t.Errorf("%s:\n%swant\n%s", name, got, b.String())
		}
	}
	if s := render(t, reg, "baton_replication_behind_transactions"); !strings.Contains(s, `mysql_instance="db2:3306"} 2`) {
		t.Errorf("behind: %s", s)
	}
	if s := render(t, reg, "baton_replication_last_errno"); !strings.Contains(s, `mysql_instance="db2:3306",thread="sql"} 1062`) {
		t.Errorf("errno: %s", s)
	}
}

// render writes one family in the order of its labels.
func render(t *testing.T, reg prometheus.Gatherer, family string) string {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range families {
		if f.GetName() != family {
			continue
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			fmt.Fprintf(&b, "%s{%s} %v\n", family, strings.Join(labels, ","), m.GetGauge().GetValue())
		}
	}
	return b.String()
}

func TestExporterOfAFollower(t *testing.T) {
	if n := testutil.CollectAndCount(NewExporter(func() *topology.Snapshot { return nil })); n != 0 {
		t.Errorf("%d series without a snapshot", n)
	}
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewPedanticRegistry()
		m, err := NewMetrics(reg)
		if err != nil {
			t.Fatal(err)
		}
		s, err := NewSentinel(SentinelOptions{Access: access(), Metrics: m})
		if err != nil {
			t.Fatal(err)
		}
		_ = s
		p := newScripted()
		p.says("db1:3306", topology.Facts{})
		p.fails("db3:3306", denied)
		c, err := New(Options{Prober: p, Metrics: m, Seeds: []topology.InstanceID{"db1:3306", "db2:3306", "db3:3306"}})
		if err != nil {
			t.Fatal(err)
		}
		stop := running(t, c)
		pass(10 * time.Second)
		lint(t, reg)
		err = testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP baton_discovery_instances Known instances by state (up, down, overdue).
# TYPE baton_discovery_instances gauge
baton_discovery_instances{state="down"} 2
baton_discovery_instances{state="overdue"} 0
baton_discovery_instances{state="up"} 1
# HELP baton_discovery_poll_failures_total Instance polls failed, by reason (resolve, connect, auth, timeout, query).
# TYPE baton_discovery_poll_failures_total counter
baton_discovery_poll_failures_total{reason="auth"} 11
baton_discovery_poll_failures_total{reason="connect"} 11
baton_discovery_poll_failures_total{reason="query"} 0
baton_discovery_poll_failures_total{reason="resolve"} 0
baton_discovery_poll_failures_total{reason="timeout"} 0
# HELP baton_discovery_polls_total Instance polls attempted.
# TYPE baton_discovery_polls_total counter
baton_discovery_polls_total 33
# HELP baton_discovery_workers Configured discovery workers.
# TYPE baton_discovery_workers gauge
baton_discovery_workers 1408
# HELP baton_cache_misses_total Cache lookups that missed: the instance is known, but the cache has lost it.
# TYPE baton_cache_misses_total counter
baton_cache_misses_total{cache="observations"} 0
`), "baton_discovery_instances", "baton_discovery_poll_failures_total", "baton_discovery_polls_total", "baton_discovery_workers", "baton_cache_misses_total")
		if err != nil {
			t.Error(err)
		}
		stop()
	})
}

// BenchmarkExporter scrapes 10,000 instances in clusters of four.
func BenchmarkExporter(b *testing.B) {
	var in topology.Input
	in.At = at(100)
	for i := range 10_000 {
		o := typical()
		o.Instance = topology.InstanceID(fmt.Sprintf("db%d-%d:3306", i/4, i%4))
		o.Facts.ServerID = uint32(i)
		if i%4 == 0 {
			o.Facts.Channels = nil
		} else {
			o.Facts.Channels[0].Source = topology.InstanceID(fmt.Sprintf("db%d-0:3306", i/4))
		}
		in.Observations = append(in.Observations, o)
	}
	s := topology.Build(in)
	e := NewExporter(func() *topology.Snapshot { return s })
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		ch := make(chan prometheus.Metric, 1000)
		go func() {
			e.Collect(ch)
			close(ch)
		}()
		n = 0
		for range ch {
			n++
		}
	}
	b.ReportMetric(float64(n), "series")
}
