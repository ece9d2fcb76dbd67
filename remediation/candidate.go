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
	blocked  []GateName // for each of Refused the gate that would have to be allowed, "" where none helps
	strays   int        // siblings that could not follow it
	sameDC   bool
	sameArea bool
}

// field is the replicas of a primary, seen as candidates.
type field struct {
	replicas   []*topology.Instance // direct replicas of the failed primary
	reachable  []*topology.Instance // of them, those that answer in full and were not excluded
	all        topology.GTIDSet     // everything that any reachable member of the cluster has received and did not write itself
	candidates []Candidate          // one per reachable replica, the best first
	donor      *topology.Instance   // holds everything; nil where nobody does
	mute       string               // why the donor cannot hand on what it holds; empty where it can
}

// survey looks at the replicas of the failed primary.
func (m *maker) survey() field {
	var f field
	f.replicas = m.followers()
	for _, r := range f.replicas {
		if _, out := m.goal.Excluded[r.Instance]; !out && r.Up() && !r.Deposed && !r.Quarantined && r.Instance != m.goal.Successor {
			f.reachable = append(f.reachable, r)
		}
	}
	own := topology.GTIDSet{}
	for _, i := range m.cluster.Members {
		if i != m.failed && i.Instance != m.goal.Successor {
			own = own.Union(m.errant(i))
		}
		if i.Up() && i != m.failed && !i.Deposed && !i.Quarantined {
			f.all = f.all.Union(i.Facts.Received())
		}
	}
	f.all = f.all.Subtract(own) // what a replica wrote itself the primary never acknowledged, and nobody has to hold it
	for _, r := range f.reachable {
		m.considerDonor(&f, r)
		f.candidates = append(f.candidates, m.candidate(r, &f))
	}
	slices.SortStableFunc(f.candidates, compareCandidates)
	return f
}

// considerDonor makes r the donor if it holds everything and hands it on better than the one so far.
func (m *maker) considerDonor(f *field, r *topology.Instance) {
	if !r.Facts.Received().Contains(f.all) {
		return
	}
	why := m.muteness(r)
	better := f.donor == nil || f.mute != "" && why == "" ||
		(f.mute == "") == (why == "") && m.unapplied(r).Count() < m.unapplied(f.donor).Count()
	if better {
		f.donor, f.mute = r, why
	}
}

// muteness says why nobody could get from r what it holds: only what it applies goes into its own log.
func (m *maker) muteness(r *topology.Instance) string {
	ch, _ := r.Facts.Default()
	left := m.unapplied(r)
	switch {
	case !r.Facts.LogBin || !r.Facts.LogReplicaUpdates:
		return "it does not log what it replicates"
	case left.IsEmpty():
		return ""
	case ch.Delay > 0:
		return fmt.Sprintf("it applies %s late on purpose and has not applied %d of them", ch.Delay, left.Count())
	case ch.ApplierErrno != 0:
		return fmt.Sprintf("its applier stopped with error %d and has not applied %d of them", ch.ApplierErrno, left.Count())
	}
	return ""
}

func (m *maker) unapplied(r *topology.Instance) topology.GTIDSet {
	return r.Facts.Received().Subtract(r.Facts.Executed)
}

// followers are the direct replicas of the failed primary: those that point at it now, and those that did when the recovery opened. A successor
// that went down before the recovery ended, and deposed primaries that are down, leave theirs to it as well; and so is whoever this recovery has
// stopped, wherever it is now.
func (m *maker) followers() []*topology.Instance {
	ids := slices.Clone(m.failed.Direct)
	ids = append(ids, m.goal.Followers...)
	for _, i := range m.cluster.Members {
		c, _ := i.Facts.Default()
		source := m.snap.Instance(i.Source)
		switch {
		case source == nil:
		case source.Down && (source.Deposed || i.Source == m.goal.Successor), m.frozenHere(c):
			ids = append(ids, i.Instance)
		}
	}
	slices.SortFunc(ids, topology.CompareIDs)
	var out []*topology.Instance
	for _, id := range slices.Compact(ids) {
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
	unless := func(gate GateName, when bool, format string, args ...any) {
		if when && !m.gates.accepts(gate) {
			c.Refused, c.blocked = append(c.Refused, fmt.Sprintf(format, args...)), append(c.blocked, gate)
		}
	}
	no := func(when bool, format string, args ...any) { unless("", when, format, args...) }
	no(r.PromotionRule == topology.PromoteMustNot, "its promotion rule is must_not")
	no(r.Downtimed, "it is downtimed")
	no(r.InMaintenance, "it is in maintenance")
	no(!r.Facts.LogBin, "it writes no binary log")
	no(!r.Facts.LogReplicaUpdates, "it does not log what it replicates")
	no(!r.Facts.GTID, "it does not use GTIDs")
	no(ch.Delay > 0, "it is delayed by %s on purpose", ch.Delay)
	no(ch.Filtered, "it filters what it replicates")
	no(ch.ApplierErrno != 0 && c.Unapplied > 0, "its applier stopped with error %d and %d received transactions are not applied", ch.ApplierErrno, c.Unapplied)
	unless(GateGeography, m.policy.SameDC && !c.sameDC, "it is in data centre %q and the policy stays in %q", r.Facts.DataCenter, m.goal.DataCenter)
	unless(GateGeography, m.policy.SameRegion && !c.sameArea, "it is in region %q and the policy stays in %q", r.Facts.Region, m.goal.Region)
	errant := m.errant(r)
	unless(GateErrant, !errant.IsEmpty(), "it has %d errant transactions: %s", errant.Count(), errant)
	for _, other := range f.reachable {
		if other != r {
			if ok, _ := other.Facts.Version.MayReplicateFrom(r.Facts.Version); !ok {
				c.strays++
			}
		}
	}
	return c
}

// errant returns what a replica executed that its primary never had and did not originate: transactions written on the replica itself. What was
// written on an instance while it was the primary, or may have been, is not errant but at stake.
func (m *maker) errant(r *topology.Instance) topology.GTIDSet {
	led := r.Deposed || r.Instance == m.goal.Successor || r.Instance == m.snap.Intents.Clusters[m.cluster.Name].Primary
	if led || r.Facts.ServerUUID == "" || m.lastKnown().IsEmpty() {
		return topology.GTIDSet{} // MariaDB names servers by number, and a primary never seen proves nothing
	}
	return r.Facts.Executed.Only(r.Facts.ServerUUID).Subtract(m.lastKnown())
}

// lastKnown is the newest position in which the failed primary was seen, and with it the successor that went down while it was promoted: it may
// have been open already.
func (m *maker) lastKnown() topology.GTIDSet {
	known := m.goal.LastPosition.Union(m.failed.Facts.Executed)
	if s := m.snap.Instance(m.goal.Successor); s != nil && s.Down {
		known = known.Union(s.Facts.Received())
	}
	return known
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
	default:
		return 3
	}
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
		m.gates.add(whoHelps(f.candidates), Fail, m.age(f.reachable...), "no replica can lead: %s", refusals(f.candidates))
		return nil
	case len(best.Refused) > 0:
		m.gates.add(whoHelps([]Candidate{*best}), Fail, m.age(best.instance), "%s cannot lead: %s", best.Instance, best.Refused[0])
		return nil
	}
	best.Chosen = true
	m.gates.add(GateCandidate, Pass, m.age(best.instance), "%s is the best of %d", best.Instance, len(f.candidates))
	m.overlooked(best)
	return best
}

// overlooked shows what a candidate would have been refused for, had nobody allowed it.
func (m *maker) overlooked(best *Candidate) {
	if errant := m.errant(best.instance); !errant.IsEmpty() {
		m.gates.add(GateErrant, Fail, m.age(best.instance), "%s has %d errant transactions: %s", best.Instance, errant.Count(), errant)
	}
	if m.policy.SameDC && !best.sameDC || m.policy.SameRegion && !best.sameArea {
		m.gates.add(GateGeography, Fail, m.age(best.instance), "%s is in data centre %q and region %q, and the policy stays in %q and %q",
			best.Instance, best.instance.Facts.DataCenter, best.instance.Facts.Region, m.goal.DataCenter, m.goal.Region)
	}
}

// whoHelps is the gate that would have to be allowed for the first candidate that one gate alone keeps from leading; otherwise it is the candidate
// gate, which nobody can allow.
func whoHelps(cs []Candidate) GateName {
	for _, c := range cs {
		if only := slices.Compact(slices.Clone(c.blocked)); len(only) == 1 && only[0] != "" {
			return only[0]
		}
	}
	return GateCandidate
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
