package service

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/api"
	"github.com/batondb/baton/ledger"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// exporter streams what is judged and decided: clusters, findings, recoveries and the ledger. It keeps no metric objects; every scrape reads the
// newest judgement. The instance families belong to collector.
type exporter struct {
	newest   func() *judgement
	state    func() *ledger.State
	stats    func() ledger.Stats
	active   func() map[string]activity
	autonomy func(cluster string) remediation.Autonomy
	leading  func() bool
}

var _ prometheus.Collector = (*exporter)(nil)

// The descriptions, by family.
var (
	byCluster = []string{"mysql_cluster"}

	descClusterInfo      = desc("baton_cluster_info", "Constant 1; domain name and current primary of the cluster.", "mysql_cluster", "domain", "primary")
	descClusterInstances = desc("baton_cluster_instances", "Number of instances in the cluster.", byCluster...)
	descClusterStatus    = desc("baton_cluster_status", "State set: exactly one of healthy, degraded, unprotected, primary_down, unknown is 1.", "mysql_cluster", "status")
	descClusterAutonomy  = desc("baton_cluster_autonomy", "State set: observe, recommend, approve or auto.", "mysql_cluster", "level")
	descClusterEpoch     = desc("baton_cluster_promotion_epoch", "Number of promotions agreed by the ledger for this cluster.", byCluster...)
	descFenceWaiting     = desc("baton_fence_pending", "1 while a deposed primary has not been fenced.", "mysql_cluster", "mysql_instance")
	descQuarantined      = desc("baton_quarantined", "Constant 1 while an instance is held out of the topology.", "mysql_cluster", "mysql_instance")

	descFinding = desc("baton_finding_active", "Constant 1 while the failure model (rule) holds for the instance and no other masks it; absent otherwise. A rule about the fleet has an area instead of an instance.",
		"area", "mysql_cluster", "mysql_instance", "rule", "severity")
	descFindingSince = desc("baton_finding_since_timestamp_seconds", "Unix time at which the finding was first observed.", "area", "mysql_cluster", "mysql_instance", "rule", "severity")
	descRule         = desc("baton_rule_info", "Constant 1 per failure model in the table.", "rule", "severity", "recovery")

	descEnabled      = desc("baton_recoveries_enabled", "1 if automated recoveries are enabled globally.")
	descActive       = desc("baton_recovery_active", "Constant 1 while a recovery is in the phase.", "mysql_cluster", "mysql_instance", "rule", "phase")
	descLastInfo     = desc("baton_recovery_last_info", "Constant 1; the last recovery of the cluster.", "mysql_cluster", "recovery_id", "failed_instance", "promoted_instance", "rule", "outcome")
	descLastEnd      = desc("baton_recovery_last_end_timestamp_seconds", "Unix time at which the last recovery of the cluster ended.", byCluster...)
	descLastLost     = desc("baton_recovery_last_lost_replicas", "Replicas that could not be re-attached by the last recovery.", byCluster...)
	descUnackedCount = desc("baton_recovery_unacknowledged", "Recoveries of the cluster not yet acknowledged by an operator.", byCluster...)

	descRaftState   = desc("baton_raft_state", "State set: exactly one of leader, follower, candidate, shutdown is 1.", "state")
	descRaftPeers   = desc("baton_raft_peers", "Voters in the raft configuration.")
	descRaftTerm    = desc("baton_raft_term", "Current raft term.")
	descRaftCommit  = desc("baton_raft_commit_index", "Raft commit index.")
	descRaftApplied = desc("baton_raft_applied_index", "Raft applied index.")
	descRaftContact = desc("baton_raft_leader_last_contact_seconds", "Time since this follower last heard from the leader; 0 on the leader.")
	descRaftChanges = desc("baton_raft_leadership_changes_total", "Leadership changes observed by this node.")
	descRaftApply   = desc("baton_raft_apply_duration_seconds", "Duration of raft Apply calls on the leader.")
	descRaftFailed  = desc("baton_raft_apply_failures_total", "Raft Apply calls that failed.")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe sends the families that are always there; the rest are checked as they come.
func (x *exporter) Describe(ch chan<- *prometheus.Desc) { ch <- descEnabled }

// sink sends constant metrics.
type sink chan<- prometheus.Metric

func (s sink) gauge(d *prometheus.Desc, v float64, labels ...string) {
	s <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (s sink) counter(d *prometheus.Desc, v float64) {
	s <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v)
}

// stateSet sends a state set: 1 for the present state, 0 for every other.
func stateSet[S ~string](s sink, d *prometheus.Desc, present S, all []S, labels ...string) {
	for _, state := range all {
		s.gauge(d, number(state == present), append(slices.Clip(labels), string(state))...)
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Collect streams every family. Topology is told by the leader alone, so that several nodes do not multiply it.
func (x *exporter) Collect(ch chan<- prometheus.Metric) {
	out, state := sink(ch), x.state()
	x.raft(out)
	for _, r := range analysis.Table {
		out.gauge(descRule, 1, r.Name, r.Severity.String(), string(r.Recovery))
	}
	_, paused := state.Paused("", "", x.newest().snapshot.At)
	out.gauge(descEnabled, number(!paused))
	if !x.leading() {
		return
	}
	j := x.newest()
	for _, c := range j.snapshot.Clusters {
		x.cluster(out, j, c)
	}
	for id, d := range state.Deposed {
		if !d.Fenced() {
			out.gauge(descFenceWaiting, 1, d.Cluster, id)
		}
	}
	for id, q := range state.Quarantines {
		out.gauge(descQuarantined, 1, q.Cluster, id)
	}
	for _, i := range j.incidents {
		if f := i.Finding; f.Active() && i.State == analysis.Firing {
			labels := []string{f.Area, f.Cluster, string(f.Instance), f.Rule, f.Severity.String()}
			out.gauge(descFinding, 1, labels...)
			out.gauge(descFindingSince, seconds(i.Found), labels...)
		}
	}
	for cluster, a := range x.active() {
		out.gauge(descActive, 1, cluster, string(a.instance), a.rule, string(a.phase))
	}
	x.history(out, state)
}

var (
	levels    = []remediation.Autonomy{remediation.Observe, remediation.Recommend, remediation.Approve, remediation.Auto}
	raftState = []string{"leader", "follower", "candidate", "shutdown"}
)

func (x *exporter) cluster(out sink, j *judgement, c *topology.Cluster) {
	out.gauge(descClusterInfo, 1, c.Name, c.Alias, string(c.Primary))
	out.gauge(descClusterInstances, float64(len(c.Members)), c.Name)
	stateSet(out, descClusterStatus, api.StatusOf(j.snapshot, c, troubled(j, c.Name)), api.ClusterStatuses(), c.Name)
	stateSet(out, descClusterAutonomy, x.autonomy(c.Name), levels, c.Name)
	out.gauge(descClusterEpoch, float64(c.Epoch), c.Name)
}

// troubled reports whether anything active is found in a cluster.
func troubled(j *judgement, cluster string) bool {
	return slices.ContainsFunc(j.incidents, func(i analysis.Incident) bool { return i.Finding.Cluster == cluster && i.Finding.Active() })
}

// history tells of the newest closed recovery of every cluster, and how many nobody has acknowledged.
func (x *exporter) history(out sink, state *ledger.State) {
	told, unacked := make(map[string]bool), make(map[string]int)
	for _, r := range state.RecoveriesOf("") {
		if r.Open() {
			continue
		}
		if r.Acknowledged == nil {
			unacked[r.Cluster]++
		}
		if told[r.Cluster] {
			continue
		}
		told[r.Cluster] = true
		out.gauge(descLastInfo, 1, r.Cluster, r.ID, r.Instance, r.Successor, r.Rule, r.Outcome)
		out.gauge(descLastEnd, seconds(r.Closed), r.Cluster)
		out.gauge(descLastLost, float64(len(r.LostReplicas)), r.Cluster)
	}
	for cluster := range told {
		out.gauge(descUnackedCount, float64(unacked[cluster]), cluster)
	}
}

func (x *exporter) raft(out sink) {
	s := x.stats()
	stateSet(out, descRaftState, s.State, raftState)
	out.gauge(descRaftPeers, float64(s.Voters))
	out.gauge(descRaftTerm, float64(s.Term))
	out.gauge(descRaftCommit, float64(s.CommitIndex))
	out.gauge(descRaftApplied, float64(s.AppliedIndex))
	if s.LastContact >= 0 {
		out.gauge(descRaftContact, s.LastContact.Seconds())
	}
	out.counter(descRaftChanges, float64(s.LeadershipChanges))
	out.counter(descRaftFailed, float64(s.Failures))
	buckets := make(map[float64]uint64, len(s.Proposals.Bounds))
	for n, bound := range s.Proposals.Bounds {
		buckets[bound] = s.Proposals.Counts[n]
	}
	out <- prometheus.MustNewConstHistogram(descRaftApply, s.Proposals.Count, s.Proposals.Sum, buckets)
}

func seconds(t interface{ UnixNano() int64 }) float64 { return float64(t.UnixNano()) / 1e9 }
