package api

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// Gates of the answer that no plan has: what must be true before a plan is even thought of.
const (
	gateLeader  = "leader"
	gatePrimary = "primary"
	gatePlan    = "plan"
)

// cannotConnect is the error of a receiver whose source is gone.
const cannotConnect = 2003

// withoutPrimary builds the cluster as it would be the moment after its primary died: the primary refuses connections, a majority of nodes sees it,
// and the replicas that received from it have lost it. Only this cluster is built: whatever its gates ask about is in it or in the intents. The votes
// about other members are left out, because an instance that this node cannot reach is of no use to the plan, whatever the others say.
func withoutPrimary(snap *topology.Snapshot, c *topology.Cluster) *topology.Snapshot {
	in := topology.Input{At: snap.At, Nodes: snap.Nodes, Intents: snap.Intents, Patience: snap.Patience}
	// The other clusters have a say in how an unnamed one is called; without them its name is pinned, so that pauses still find it.
	in.Intents.Clusters = maps.Clone(in.Intents.Clusters)
	if in.Intents.Clusters == nil {
		in.Intents.Clusters = make(map[string]topology.NamedCluster)
	}
	named := in.Intents.Clusters[c.Name]
	named.Primary, named.Members = c.Primary, nil
	for _, m := range c.Members {
		named.Members = append(named.Members, m.Instance)
		o := m.Observation
		if m.Instance == c.Primary {
			in.Observations = append(in.Observations, dead(o, snap))
			continue
		}
		o.Facts.Channels = cutOff(o.Facts.Channels, c.Primary, snap.At)
		in.Observations = append(in.Observations, o)
	}
	in.Intents.Clusters[c.Name] = named
	for n := range snap.Nodes - 1 {
		in.Votes = append(in.Votes, topology.Vote{Node: fmt.Sprintf("node %d", n), Instance: c.Primary, Reach: topology.ReachRefused, Failures: snap.Patience.DownAfter, At: snap.At})
	}
	return topology.Build(in)
}

func dead(o topology.Observation, snap *topology.Snapshot) topology.Observation {
	o.Attempted, o.Reach, o.Errno, o.Error = snap.At, topology.ReachRefused, cannotConnect, ""
	o.Failures, o.FailingSince, o.SentinelFell = snap.Patience.DownAfter, snap.At, snap.At
	return o
}

// cutOff breaks the channels from a source. A receiver that was stopped before stays as it is: it would not notice.
func cutOff(channels []topology.Channel, source topology.InstanceID, at time.Time) []topology.Channel {
	out := append([]topology.Channel(nil), channels...)
	for n := range out {
		if out[n].Source == source && out[n].Receiver == topology.ReceiverConnected {
			out[n].Receiver, out[n].ReceiverErrno, out[n].ReceiverSince = topology.ReceiverConnecting, cannotConnect, at
		}
	}
	return out
}

// goalOf completes a goal with what is known of its failed instance: its own words may be gone later.
func goalOf(i *topology.Instance, goal remediation.Goal) remediation.Goal {
	f := &i.Facts
	goal.Failed, goal.Cluster, goal.From = i.Instance, i.Cluster, i.Source
	goal.LastPosition, goal.LastSeen, goal.PrimaryUUID = f.Executed, f.At, f.ServerUUID
	goal.DataCenter, goal.Region, goal.Followers = f.DataCenter, f.Region, i.Direct
	if f.SemiSync.SourceEnabled && f.SemiSync.SourceActive {
		goal.SemiSyncWait = max(f.SemiSync.WaitFor, 1)
	}
	return goal
}

// showWhyNot answers for the node that leads, because that is who would act. Without a leader this node answers, and the lack of one is a gate.
func (s *Server) showWhyNot(w http.ResponseWriter, r *http.Request) error {
	if !s.Leadership.IsLeader() && s.Leadership.Leader().API != "" && s.Leadership.Leader().ID != s.Node {
		return s.toLeader(w, r)
	}
	v := s.view()
	c, err := findCluster(v.snap, pathParam(r, "cluster"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s.whyNot(v, c))
}

func (s *Server) whyNot(v *view, c *topology.Cluster) WhyNot {
	policy := s.Fleet.Policy(c.Name)
	out := WhyNot{At: v.snap.At, Cluster: c.Name, Primary: string(c.Primary), Autonomy: string(policy.Autonomy), Gates: []Gate{}, Missing: []Gate{}, Candidates: []Candidate{}}
	if p, ok := v.state.Paused(c.Name, analysis.DeadPrimary.Name, v.at); ok {
		out.Paused = new(pauseOf(p))
	}
	out.Gates = append(out.Gates, s.leaderGate())
	primary := v.snap.Instance(c.Primary)
	if primary == nil {
		out.Gates = append(out.Gates, Gate{Name: gatePrimary, Verdict: "unknown", Evidence: "which instance is the primary cannot be told"})
		return out.conclude()
	}
	snap := v.snap
	if out.Hypothetical = !primary.Down; out.Hypothetical {
		snap = withoutPrimary(v.snap, c)
	}
	goal := goalOf(snap.Instance(c.Primary), remediation.Goal{
		Kind: analysis.RecoveryFailover, Rule: analysis.DeadPrimary.Name, Trigger: remediation.TriggerFinding, By: "baton",
	})
	made, err := remediation.Make(goal, snap, policy)
	plan := planOf(made, err)
	for _, g := range plan.Gates {
		if out.Hypothetical && g.Name == string(remediation.GateFinding) && g.Passes() {
			g.Evidence = fmt.Sprintf("supposed: %s refuses connections, and its replicas have lost it", c.Primary)
		}
		out.Gates = append(out.Gates, g)
	}
	if err != nil && plan.Refusal == nil {
		out.Gates = append(out.Gates, Gate{Name: gatePlan, Verdict: "fail", Evidence: err.Error()})
	}
	out.AtRisk, out.Candidates = plan.AtRisk, append(out.Candidates, plan.Candidates...)
	for _, candidate := range plan.Candidates {
		if candidate.Chosen {
			out.Successor = candidate.Instance
		}
	}
	return out.conclude()
}

func (s *Server) leaderGate() Gate {
	switch leader := s.Leadership.Leader().ID; {
	case s.Leadership.IsLeader():
		return Gate{Name: gateLeader, Verdict: "pass", Evidence: fmt.Sprintf("this node, %s, leads", leader)}
	case leader != "":
		return Gate{Name: gateLeader, Verdict: "unknown", Evidence: fmt.Sprintf("%s leads, and this node cannot ask it", leader)}
	}
	return Gate{Name: gateLeader, Verdict: "fail", Evidence: "no node leads, so nobody would act"}
}

// conclude says it in one sentence.
func (w WhyNot) conclude() WhyNot {
	for _, g := range w.Gates {
		if !g.Passes() {
			w.Missing = append(w.Missing, g)
		}
	}
	w.Would = len(w.Missing) == 0
	when := fmt.Sprintf("If %s died now,", w.Primary)
	if !w.Hypothetical {
		when = fmt.Sprintf("%s is down:", w.Primary)
	}
	if w.Primary == "" {
		when = "Whatever failed,"
	}
	if w.Would {
		w.Sentence = fmt.Sprintf("%s Baton would promote %s by itself.", when, w.Successor)
		return w
	}
	var names []string
	for _, g := range w.Missing {
		names = append(names, g.Name)
	}
	w.Sentence = fmt.Sprintf("%s Baton would not act by itself: %s.", when, strings.Join(names, ", "))
	return w
}
