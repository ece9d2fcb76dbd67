package remediation

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/batondb/baton/topology"
)

// Candidate is an instance that was considered as the next primary.
type Candidate struct {
	Instance  topology.InstanceID    `json:"instance"`
	Rule      topology.PromotionRule `json:"promotion_rule"`
	Behind    topology.GTIDSet       `json:"behind,omitzero"`   // what it has not received of what any reachable replica has
	Unapplied uint64                 `json:"unapplied"`         // received and not yet applied transactions
	Refused   []string               `json:"refused,omitempty"` // why it cannot lead; empty where it can
	Chosen    bool                   `json:"chosen,omitempty"`
	Donor     bool                   `json:"donor,omitempty"` // the most advanced, from which the chosen one catches up

	instance *topology.Instance
	strays   int // siblings that could not follow it
	sameDC   bool
	sameArea bool
}

// field is the replicas of a primary, seen as candidates.
type field struct {
	replicas   []*topology.Instance // direct replicas of the failed primary
	reachable  []*topology.Instance // of them, those that answer in full and were not excluded
	all        topology.GTIDSet     // everything that any reachable member of the cluster has received
	candidates []Candidate          // one per reachable replica, the best first
	donor      *topology.Instance   // holds everything; nil where nobody does
}

// survey looks at the replicas of the failed primary.
func (m *maker) survey() field {
	var f field
	f.replicas = m.followers()
	for _, r := range f.replicas {
		if _, out := m.goal.Excluded[r.Instance]; !out && r.Up() && !r.Deposed && !r.Quarantined {
			f.reachable = append(f.reachable, r)
		}
	}
	for _, i := range m.cluster.Members {
		if i.Up() && i != m.failed && !i.Deposed && !i.Quarantined {
			f.all = f.all.Union(i.Facts.Received())
		}
	}
	for _, r := range f.reachable {
		if f.donor == nil && r.Facts.Received().Contains(f.all) {
			f.donor = r
		}
		f.candidates = append(f.candidates, m.candidate(r, &f))
	}
	slices.SortStableFunc(f.candidates, compareCandidates)
	return f
}

// followers are the direct replicas of the failed primary: those that point at it now, and those that did when the recovery opened.
func (m *maker) followers() []*topology.Instance {
	ids := slices.Clone(m.failed.Direct)
	for _, id := range m.goal.Followers {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, topology.CompareIDs)
	var out []*topology.Instance
	for _, id := range ids {
		if i := m.snap.Instance(id); i != nil && id != m.goal.Failed {
			out = append(out, i)
		}
	}
	return out
}

func (m *maker) candidate(r *topology.Instance, f *field) Candidate {
	received := r.Facts.Received()
	ch, _ := r.Facts.Default()
	c := Candidate{
		Instance: r.Instance, Rule: r.PromotionRule, instance: r,
		Behind: f.all.Subtract(received), Unapplied: received.Subtract(r.Facts.Executed).Count(),
		sameDC:   m.goal.DataCenter == "" || r.Facts.DataCenter == m.goal.DataCenter,
		sameArea: m.goal.Region == "" || r.Facts.Region == m.goal.Region,
	}
	no := func(when bool, format string, args ...any) {
		if when {
			c.Refused = append(c.Refused, fmt.Sprintf(format, args...))
		}
	}
	no(r.PromotionRule == topology.PromoteMustNot, "its promotion rule is must_not")
	no(r.Downtimed, "it is downtimed")
	no(r.InMaintenance, "it is in maintenance")
	no(!r.Facts.LogBin, "it writes no binary log")
	no(!r.Facts.LogReplicaUpdates, "it does not log what it replicates")
	no(!r.Facts.GTID, "it does not use GTIDs")
	no(ch.Delay > 0, "it is delayed by %s on purpose", ch.Delay)
	no(ch.Filtered, "it filters what it replicates")
	no(ch.ApplierErrno != 0 && c.Unapplied > 0, "its applier stopped with error %d and %d received transactions are not applied", ch.ApplierErrno, c.Unapplied)
	no(m.policy.SameDC && !c.sameDC, "it is in data centre %q and the policy stays in %q", r.Facts.DataCenter, m.goal.DataCenter)
	no(m.policy.SameRegion && !c.sameArea, "it is in region %q and the policy stays in %q", r.Facts.Region, m.goal.Region)
	errant := m.errant(r)
	no(!errant.IsEmpty() && !m.gates.accepts(GateErrant), "it has %d errant transactions: %s", errant.Count(), errant)
	for _, other := range f.reachable {
		if other != r {
			if ok, _ := other.Facts.Version.MayReplicateFrom(r.Facts.Version); !ok {
				c.strays++
			}
		}
	}
	return c
}

// errant returns what a replica executed that its primary never had and did not originate: transactions written on the replica itself.
func (m *maker) errant(r *topology.Instance) topology.GTIDSet {
	if r.Facts.ServerUUID == "" || m.lastKnown().IsEmpty() {
		return topology.GTIDSet{} // MariaDB names servers by number, and a primary never seen proves nothing
	}
	return r.Facts.Executed.Only(r.Facts.ServerUUID).Subtract(m.lastKnown())
}

// lastKnown is the newest position in which the failed primary was seen.
func (m *maker) lastKnown() topology.GTIDSet {
	return m.goal.LastPosition.Union(m.failed.Facts.Executed)
}

// compareCandidates orders candidates, the best first: able to lead, promotion rule, region, data centre, version that the most siblings can
// follow, nothing to catch up, least to apply, name.
func compareCandidates(a, b Candidate) int {
	return cmp.Or(
		cmp.Compare(len(a.Refused), len(b.Refused)),
		cmp.Compare(ruleRank(a.Rule), ruleRank(b.Rule)),
		-compareBool(a.sameArea, b.sameArea),
		-compareBool(a.sameDC, b.sameDC),
		cmp.Compare(a.strays, b.strays),
		cmp.Compare(a.Behind.Count(), b.Behind.Count()),
		cmp.Compare(a.Unapplied, b.Unapplied),
		topology.CompareIDs(a.Instance, b.Instance),
	)
}

func ruleRank(r topology.PromotionRule) int {
	switch r {
	case topology.PromotePrefer:
		return 0
	case topology.PromoteNeutral:
		return 1
	case topology.PromotePreferNot:
		return 2
	}
	return 3
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// choose picks the successor, or adds a gate that says why there is none.
func (m *maker) choose(f *field) *Candidate {
	var best *Candidate
	for n := range f.candidates {
		c := &f.candidates[n]
		switch {
		case m.goal.To != "" && c.Instance == m.goal.To:
			best = c
		case m.goal.To == "" && best == nil && len(c.Refused) == 0:
			best = c
		}
	}
	switch {
	case best == nil && m.goal.To != "":
		m.gates.add(GateCandidate, Fail, 0, "%s is not a replica of %s that can be reached", m.goal.To, m.goal.Failed)
		return nil
	case best == nil && len(f.candidates) == 0:
		m.gates.add(GateCandidate, Fail, 0, "no replica of %s can be reached", m.goal.Failed)
		return nil
	case best == nil:
		m.gates.add(GateCandidate, Fail, m.age(f.reachable...), "no replica can lead: %s", refusals(f.candidates))
		return nil
	case len(best.Refused) > 0:
		m.gates.add(GateCandidate, Fail, m.age(best.instance), "%s cannot lead: %s", best.Instance, best.Refused[0])
		return nil
	}
	best.Chosen = true
	m.gates.add(GateCandidate, Pass, m.age(best.instance), "%s is the best of %d", best.Instance, len(f.candidates))
	return best
}

func refusals(cs []Candidate) string {
	text := ""
	for _, c := range cs {
		if len(c.Refused) > 0 {
			if text != "" {
				text += "; "
			}
			text += fmt.Sprintf("%s: %s", c.Instance, c.Refused[0])
		}
	}
	return text
}
