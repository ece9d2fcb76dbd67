package api

import (
	"time"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/ledger"
	"github.com/batondb/baton/topology"
)

// view is what conversions look at: one snapshot, what was found in it, and the record, read once for one answer.
type view struct {
	snap      *topology.Snapshot
	state     *ledger.State
	incidents []analysis.Incident
	at        time.Time // now, for what is in force

	problems map[topology.InstanceID][]Problem
	active   map[string]int // findings by cluster
}

func (s *Server) view() *view {
	v := &view{
		snap: s.Fleet.Snapshot(), state: s.Record.State(), incidents: s.Fleet.Incidents(), at: s.Now(),
		problems: make(map[topology.InstanceID][]Problem), active: make(map[string]int),
	}
	for _, i := range v.incidents {
		f := i.Finding
		if !f.Active() {
			continue
		}
		v.active[f.Cluster]++
		v.problems[f.Instance] = append(v.problems[f.Instance], Problem{Rule: f.Rule, Severity: f.Severity.String(), Sentence: f.Sentence})
	}
	return v
}

func (s *Server) summary(v *view, c *topology.Cluster) ClusterSummary {
	out := ClusterSummary{
		Name: c.Name, Alias: c.Alias, Primary: string(c.Primary), Epoch: c.Epoch, Instances: len(c.Members), Problems: v.active[c.Name],
		Status: StatusOf(v.snap, c, v.active[c.Name] > 0), Autonomy: string(s.Fleet.Policy(c.Name).Autonomy),
	}
	for _, m := range c.Members {
		if m.Up() {
			out.Up++
		}
		if ch, ok := m.Facts.Default(); ok && m.Up() && ch.LagKnown && (out.MaxLagSeconds == nil || ch.Lag.Seconds() > *out.MaxLagSeconds) {
			out.MaxLagSeconds = new(ch.Lag.Seconds())
		}
	}
	if p, ok := v.state.Paused(c.Name, "", v.at); ok {
		out.Paused = new(pauseOf(p))
	}
	for _, r := range v.state.Recoveries {
		switch {
		case r.Cluster != c.Name:
		case r.Open():
			out.RecoveryOpen = r.ID
		case r.Acknowledged == nil:
			out.Unacknowledged++
		}
	}
	return out
}

// instanceView converts one instance. Facts of an instance that never answered are left out.
func (v *view) instanceView(i *topology.Instance) InstanceView {
	f := &i.Facts
	out := InstanceView{
		ID: string(i.Instance), Cluster: i.Cluster, Role: i.Role.String(), Depth: i.Depth, Source: string(i.Source),
		Reach: i.Agreed.String(), Down: i.Down, Errno: i.Errno, Error: i.Error, FailingSince: i.FailingSince, LastSeen: f.At,
		ServerID: f.ServerID, ServerUUID: f.ServerUUID, DataCenter: f.DataCenter, Region: f.Region,
		GTID: f.GTID, GTIDExecuted: f.Executed.String(), SemiSyncSource: f.SemiSync.SourceEnabled, SemiSyncReplica: f.SemiSync.ReplicaEnabled,
		PromotionRule: i.PromotionRule.String(), Downtimed: i.Downtimed, InMaintenance: i.InMaintenance, Deposed: i.Deposed, Quarantined: i.Quarantined,
		Tags: v.state.Tags[string(i.Instance)], Problems: v.problems[i.Instance],
	}
	if out.Problems == nil {
		out.Problems = []Problem{}
	}
	if !i.Known() {
		return out
	}
	out.ReadOnly, out.SuperReadOnly, out.LogReplicaUpdates = new(f.ReadOnly), new(f.SuperReadOnly), new(f.LogReplicaUpdates)
	out.Version, out.Flavor = f.Version.String(), string(f.Version.Flavor)
	v.replication(&out, i)
	return out
}

func (v *view) replication(out *InstanceView, i *topology.Instance) {
	c, ok := i.Facts.Default()
	if !ok {
		return
	}
	out.Receiver, out.ReceiverErrno, out.ReceiverError = c.Receiver.String(), c.ReceiverErrno, c.ReceiverError
	out.Applier, out.ApplierErrno, out.ApplierError = c.Applier.String(), c.ApplierErrno, c.ApplierError
	out.DelaySeconds = c.Delay.Seconds()
	if c.LagKnown {
		out.LagSeconds = new(c.Lag.Seconds())
	}
	if !i.Facts.GTID {
		return
	}
	out.Unapplied = new(i.Facts.Executed.Behind(i.Facts.Received()))
	cluster := v.snap.Cluster(i.Cluster)
	if p := v.snap.Instance(cluster.Primary); p != nil && p != i && p.Known() && p.Facts.GTID {
		out.BehindPrimary = new(i.Facts.Executed.Behind(p.Facts.Executed))
	}
}

// tree turns members, which stand depth first, into nodes.
func (v *view) tree(c *topology.Cluster) []Node {
	roots, _ := v.nodes(c.Members, 0)
	return roots
}

func (v *view) nodes(members []*topology.Instance, depth int) (nodes []Node, rest []*topology.Instance) {
	nodes = []Node{}
	for len(members) > 0 && members[0].Depth >= depth {
		n := Node{InstanceView: v.instanceView(members[0])}
		n.Replicas, members = v.nodes(members[1:], members[0].Depth+1)
		nodes = append(nodes, n)
	}
	return nodes, members
}

// FindingOf converts an incident.
func FindingOf(i analysis.Incident) Finding {
	f := i.Finding
	return Finding{
		Rule: f.Rule, Severity: f.Severity.String(), State: string(i.State), Active: f.Active(), Area: f.Area, Cluster: f.Cluster,
		Instance: string(f.Instance), Sentence: f.Sentence, Recovery: string(f.Recovery), Found: i.Found, Fired: i.Fired,
		MaskedBy: f.MaskedBy, Downtimed: f.Downtimed,
	}
}

func ruleOf(r *analysis.Rule) RuleDoc {
	out := RuleDoc{
		Name: r.Name, Severity: r.Severity.String(), Scope: r.Scope.String(), Summary: r.Summary, Advice: r.Advice, ForSeconds: r.For.Seconds(),
		Recovery: string(r.Recovery), Orchestrator: r.Orchestrator,
	}
	for _, c := range r.When {
		out.When = append(out.When, c.Text)
	}
	for _, c := range r.Given {
		out.Given = append(out.Given, c.Text)
	}
	for _, m := range r.Masks {
		out.Masks = append(out.Masks, m.Name)
	}
	return out
}

func pauseOf(p ledger.Pause) Pause {
	return Pause{Scope: p.Scope(), Cluster: p.Cluster, Rule: p.Rule, By: p.By, Reason: p.Reason, Since: p.At, Until: p.Until}
}

func downtimeOf(instance string, d ledger.Downtime) Downtime {
	return Downtime{Instance: instance, Owner: d.Owner, Reason: d.Reason, Begin: d.Begin, End: d.End}
}

func maintenanceOf(m ledger.Maintenance) Maintenance {
	return Maintenance{Instance: m.Instance, Cluster: m.Cluster, Owner: m.Owner, Reason: m.Reason, Since: m.At, Until: m.Until}
}
