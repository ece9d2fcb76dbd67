package collector

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/batondb/baton/topology"
)

// NewExporter returns the families about instances, their replication and the links between them, streamed from the newest snapshot. What is
// not known is absent. A function that returns nil, as that of a follower does, exports nothing.
func NewExporter(newest func() *topology.Snapshot) prometheus.Collector {
	e := &exporter{newest: newest, all: make([]*prometheus.Desc, 0, 32)}
	instance := []string{"mysql_cluster", "mysql_instance"}
	channel := []string{"mysql_cluster", "mysql_instance", "channel"}
	e.info = e.desc("baton_instance_info", "Constant 1; static attributes of a discovered MySQL instance, for group_left joins.",
		"mysql_cluster", "mysql_instance", "version", "flavor", "server_id", "server_uuid", "datacenter", "region", "promotion_rule")
	e.up = e.desc("baton_instance_up", "1 if the most recent poll of this instance succeeded, 0 otherwise.", instance...)
	e.role = e.desc("baton_instance_role", "Constant 1; current role of the instance (primary, co_primary, intermediate, replica, detached, "+
		"unknown). Only the current role is exported.", "mysql_cluster", "mysql_instance", "role")
	e.readOnly = e.desc("baton_instance_read_only", "1 if @@read_only is set.", instance...)
	e.superReadOnly = e.desc("baton_instance_super_read_only", "1 if @@super_read_only is set.", instance...)
	e.lastSeen = e.desc("baton_instance_last_seen_timestamp_seconds", "Unix time of the last successful poll of this instance.", instance...)
	e.pollDuration = e.desc("baton_instance_poll_duration_seconds", "Duration of the last poll of this instance.", instance...)
	e.replicas = e.desc("baton_instance_replicas", "Number of direct replicas known for this instance.", instance...)
	e.depth = e.desc("baton_instance_replication_depth", "Distance from the cluster primary in replication hops (0 for the primary).", instance...)
	e.downtimed = e.desc("baton_instance_downtimed", "1 while the instance is downtimed (excluded from automated recovery).", instance...)
	e.downtimeEnd = e.desc("baton_instance_downtime_end_timestamp_seconds",
		"Unix time at which the current downtime ends; absent when not downtimed.", instance...)
	e.edge = e.desc("baton_topology_edge", "Replication edge from source to target; 1 if both replication threads run, 0 if the edge is "+
		"configured but broken.", "mysql_cluster", "source", "target", "channel")
	e.receiver = e.desc("baton_replication_io_thread_running", "1 if the receiver (IO) thread runs and is connected, 0 otherwise.", channel...)
	e.applier = e.desc("baton_replication_sql_thread_running", "1 if the applier (SQL) thread runs, 0 otherwise.", channel...)
	e.lag = e.desc("baton_replication_lag_seconds", "Effective replication lag net of the configured delay; from the heartbeat query if "+
		"configured, else Seconds_Behind_Source. Absent when unknown.", channel...)
	e.delay = e.desc("baton_replication_delay_seconds", "Configured replication delay (SOURCE_DELAY).", channel...)
	e.errno = e.desc("baton_replication_last_errno", "Last error number of the replication thread (io or sql); 0 when none.",
		"mysql_cluster", "mysql_instance", "channel", "thread")
	e.behind = e.desc("baton_replication_behind_transactions", "GTIDs executed on the cluster primary at its last successful poll that are "+
		"not in gtid_executed of this replica.", channel...)
	e.autoPosition = e.desc("baton_replication_auto_position", "1 if the channel uses GTID auto-positioning.", channel...)
	e.sourceActive = e.desc("baton_semi_sync_source_active", "1 if semi-sync is on for this instance as a source "+
		"(Rpl_semi_sync_source_status).", instance...)
	e.sourceClients = e.desc("baton_semi_sync_source_clients", "Number of semi-sync replicas connected.", instance...)
	e.waitFor = e.desc("baton_semi_sync_source_wait_for_replicas", "rpl_semi_sync_source_wait_for_replica_count.", instance...)
	e.replicaActive = e.desc("baton_semi_sync_replica_active", "1 if semi-sync is on for this instance as a replica.", instance...)
	return e
}

type exporter struct {
	newest func() *topology.Snapshot
	all    []*prometheus.Desc

	info, up, role, readOnly, superReadOnly, lastSeen, pollDuration, replicas, depth, downtimed, downtimeEnd *prometheus.Desc
	edge, receiver, applier, lag, delay, errno, behind, autoPosition                                         *prometheus.Desc
	sourceActive, sourceClients, waitFor, replicaActive                                                      *prometheus.Desc
}

func (e *exporter) desc(name, help string, labels ...string) *prometheus.Desc {
	d := prometheus.NewDesc(name, help, labels, nil)
	e.all = append(e.all, d)
	return d
}

// Describe implements prometheus.Collector.
func (e *exporter) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range e.all {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (e *exporter) Collect(ch chan<- prometheus.Metric) {
	s := e.newest()
	if s == nil {
		return
	}
	for _, cluster := range s.Clusters {
		primary := s.Instance(cluster.Primary)
		for _, i := range cluster.Members {
			out := sink{ch, [2]string{cluster.Name, string(i.Instance)}}
			e.attempt(out, i)
			e.place(out, i, s)
			if i.Known() {
				e.facts(out, i)
				e.replication(out, i, primary)
			}
		}
	}
}

// attempt is what the newest attempt tells. An instance that was never attempted, being known only as somebody's source, has nothing to tell.
func (e *exporter) attempt(out sink, i *topology.Instance) {
	if i.Attempted.IsZero() {
		return
	}
	out.flag(e.up, i.Reach == topology.ReachUp)
	out.value(e.pollDuration, i.Took.Seconds())
}

// place is what the neighbours and the operators tell.
func (e *exporter) place(out sink, i *topology.Instance, s *topology.Snapshot) {
	out.value(e.role, 1, i.Role.String())
	out.value(e.replicas, float64(len(i.Direct)))
	out.value(e.depth, float64(i.Depth))
	out.flag(e.downtimed, i.Downtimed)
	if i.Downtimed {
		if hold, ok := s.Intents.Downtime(i.Instance, s.At); ok && !hold.Until.IsZero() {
			out.value(e.downtimeEnd, seconds(hold.Until))
		}
	}
}

func (e *exporter) facts(out sink, i *topology.Instance) {
	f := &i.Facts
	out.value(e.info, 1, f.Version.String(), string(f.Version.Flavor), strconv.FormatUint(uint64(f.ServerID), 10), f.ServerUUID,
		f.DataCenter, f.Region, i.PromotionRule.String())
	out.value(e.lastSeen, seconds(f.At))
	out.flag(e.readOnly, f.ReadOnly)
	if !f.Version.IsMariaDB() {
		out.flag(e.superReadOnly, f.SuperReadOnly)
	}
	if f.SemiSync.SourceInstalled {
		out.flag(e.sourceActive, f.SemiSync.SourceActive)
		out.value(e.sourceClients, float64(f.SemiSync.SourceClients))
		out.value(e.waitFor, float64(f.SemiSync.WaitFor))
	}
	if f.SemiSync.ReplicaInstalled {
		out.flag(e.replicaActive, f.SemiSync.ReplicaActive)
	}
}

func (e *exporter) replication(out sink, i, primary *topology.Instance) {
	for n := range i.Facts.Channels {
		c := &i.Facts.Channels[n]
		works := c.Receiver == topology.ReceiverConnected && c.Applier == topology.ApplierRunning
		out.ch <- prometheus.MustNewConstMetric(e.edge, prometheus.GaugeValue, number(works), out.labels[0], string(c.Source), out.labels[1], c.Name)
		if c.Receiver != topology.ReceiverUnknown {
			out.flag(e.receiver, c.Receiver == topology.ReceiverConnected, c.Name)
		}
		if c.Applier != topology.ApplierUnknown {
			out.flag(e.applier, c.Applier == topology.ApplierRunning, c.Name)
		}
		// What an instance said before it fell silent is no measurement of now.
		if c.LagKnown && i.Up() {
			out.value(e.lag, c.Lag.Seconds(), c.Name)
		}
		out.value(e.delay, c.Delay.Seconds(), c.Name)
		out.value(e.errno, float64(c.ReceiverErrno), c.Name, "io")
		out.value(e.errno, float64(c.ApplierErrno), c.Name, "sql")
		out.flag(e.autoPosition, c.AutoPosition, c.Name)
		if primary != nil && primary != i && primary.Known() && primary.Facts.GTID && i.Facts.GTID {
			out.value(e.behind, float64(i.Facts.Executed.Behind(primary.Facts.Executed)), c.Name)
		}
	}
}

// sink sends metrics of one instance.
type sink struct {
	ch     chan<- prometheus.Metric
	labels [2]string // cluster and instance
}

func (s sink) value(d *prometheus.Desc, v float64, more ...string) {
	values := make([]string, 2, 2+len(more))
	values[0], values[1] = s.labels[0], s.labels[1]
	s.ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append(values, more...)...)
}

func (s sink) flag(d *prometheus.Desc, v bool, more ...string) { s.value(d, number(v), more...) }

func number(v bool) float64 {
	if v {
		return 1
	}
	return 0
}

func seconds(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }
