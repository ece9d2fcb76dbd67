package topology

import (
	"maps"
	"slices"
	"time"
)

// Build turns observations, votes and intents into a Snapshot. It is a pure function: the order of the observations does not matter, and all
// time comes from the input.
func Build(in Input) *Snapshot {
	s := &Snapshot{
		At: in.At, Intents: in.Intents, Patience: in.Patience.withDefaults(), Nodes: max(in.Nodes, 1), votes: in.Votes,
		clusters:  make(map[string]*Cluster),
		instances: make(map[InstanceID]*Instance, len(in.Observations)),
	}
	votes := votesByInstance(in.Votes)
	for _, o := range in.Observations {
		s.instances[o.Instance] = s.instance(o, votes[o.Instance])
	}
	for _, o := range in.Observations {
		for _, c := range o.Facts.Channels {
			s.addStub(c.Source)
		}
	}
	ids := make([]InstanceID, 0, len(s.instances))
	for id := range s.instances {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, CompareIDs)
	for n, id := range ids {
		if n == 0 || id.Host() != ids[n-1].Host() {
			s.hosts++
		}
		i := s.instances[id]
		if source := s.instances[i.Source]; source != nil && source != i {
			source.Direct = append(source.Direct, id)
		}
	}
	for _, group := range s.name(s.components(ids)) {
		s.add(s.arrange(group))
	}
	slices.SortFunc(s.Clusters, byName)
	return s
}

// With returns a snapshot at a later moment in which the observations of the input replace those of s. Clusters that no changed observation
// touches are shared with s, as long as intents are the same and no replication link has changed; otherwise everything is built again.
func (s *Snapshot) With(in Input, sameIntents bool) *Snapshot {
	touched := make(map[string]bool)
	for _, o := range in.Observations {
		old := s.instances[o.Instance]
		if old == nil || !sameIntents || !sameLinks(&old.Facts, &o.Facts) {
			return s.rebuilt(in)
		}
		touched[old.Cluster] = true
	}
	next := &Snapshot{
		At: in.At, Intents: in.Intents, Patience: in.Patience.withDefaults(), Nodes: max(in.Nodes, 1), votes: in.Votes,
		Clusters: slices.Clone(s.Clusters), clusters: make(map[string]*Cluster, len(s.clusters)),
		instances: maps.Clone(s.instances), hosts: s.hosts,
	}
	changed := make(map[InstanceID]Observation, len(in.Observations))
	for _, o := range in.Observations {
		changed[o.Instance] = o
	}
	votes := votesByInstance(in.Votes)
	for n, c := range next.Clusters {
		if touched[c.Name] {
			next.Clusters[n] = next.refresh(c, changed, votes)
		}
		next.clusters[c.Name] = next.Clusters[n]
	}
	return next
}

// refresh copies a cluster whose shape has not changed, with new observations of some members. Everybody is judged again: time has passed.
func (s *Snapshot) refresh(old *Cluster, changed map[InstanceID]Observation, votes map[InstanceID][]Vote) *Cluster {
	group := component{name: old.Name, named: old.Named}
	for _, m := range old.Members {
		o, ok := changed[m.Instance]
		if !ok {
			o = m.Observation
		}
		i := s.instance(o, votes[m.Instance])
		i.Direct, i.stub = m.Direct, m.stub && !ok
		s.instances[m.Instance] = i
		group.members = append(group.members, i)
	}
	return s.arrange(group)
}

func (s *Snapshot) rebuilt(in Input) *Snapshot {
	all := in
	all.Observations = slices.Clone(in.Observations)
	seen := make(map[InstanceID]bool, len(in.Observations))
	for _, o := range in.Observations {
		seen[o.Instance] = true
	}
	for id, i := range s.instances {
		if !seen[id] && !i.stub {
			all.Observations = append(all.Observations, i.Observation)
		}
	}
	return Build(all)
}

// sameLinks reports whether two sets of facts place the instance alike.
func sameLinks(a, b *Facts) bool {
	return a.At.IsZero() == b.At.IsZero() && a.ClusterAlias == b.ClusterAlias &&
		slices.EqualFunc(a.Channels, b.Channels, func(x, y Channel) bool { return x.Name == y.Name && x.Source == y.Source })
}

func byName(a, b *Cluster) int {
	switch {
	case a.Name < b.Name:
		return -1
	case a.Name > b.Name:
		return 1
	}
	return 0
}

func (s *Snapshot) add(c *Cluster) {
	s.Clusters = append(s.Clusters, c)
	s.clusters[c.Name] = c
}

func (s *Snapshot) addStub(id InstanceID) {
	if id != "" && s.instances[id] == nil {
		i := s.instance(Observation{Instance: id}, nil)
		i.stub = true
		s.instances[id] = i
	}
}

// instance judges one observation by itself: everything that needs no neighbour.
func (s *Snapshot) instance(o Observation, votes []Vote) *Instance {
	i := &Instance{Observation: o}
	if c, ok := o.Facts.Default(); ok {
		i.Source = c.Source
	}
	i.Agreed, i.Down = s.agree(o, votes)
	i.PromotionRule = s.Intents.PromotionRules[o.Instance]
	_, i.Downtimed = s.Intents.Downtime(o.Instance, s.At)
	_, i.InMaintenance = s.Intents.MaintenanceOf("", o.Instance, s.At)
	_, i.Deposed = s.Intents.Deposed[o.Instance]
	_, i.Quarantined = s.Intents.Quarantined[o.Instance]
	return i
}

// agree weighs this node's own attempt and the votes of the others. Without votes an instance that answers us is alive; that it does not is,
// where there are several nodes, only our own view and so unknown.
func (s *Snapshot) agree(o Observation, votes []Vote) (Reach, bool) {
	own := s.own(&o)
	down, alive, unreachable := 0, 0, 0
	best := ReachUnknown
	weigh := func(r Reach, failures int, fell bool) {
		switch {
		case r.Alive():
			alive++
			if best == ReachUnknown || r < best {
				best = r
			}
		case r.Unreachable():
			unreachable++
			if s.often(r, failures, fell) {
				down++
			}
		}
	}
	weigh(own, o.Failures, !o.SentinelFell.IsZero())
	if own.Alive() {
		return own, false
	}
	for _, v := range votes {
		if s.At.Sub(v.At) <= s.Patience.StaleAfter {
			weigh(v.Reach, v.Failures, false)
		}
	}
	majority := s.Nodes/2 + 1
	switch {
	case unreachable >= majority && own.Unreachable():
		return own, down >= majority
	case unreachable >= majority:
		return ReachTimeout, down >= majority
	case alive >= majority:
		return best, false
	}
	return ReachUnknown, false
}

// own is the reach of this node's newest attempt, unknown where that is too old to tell anything.
func (s *Snapshot) own(o *Observation) Reach {
	if o.Attempted.IsZero() || s.At.Sub(o.Attempted) > s.Patience.StaleAfter {
		return ReachUnknown
	}
	return o.Reach
}

// often reports whether an instance that cannot be reached failed often enough to be called down. A refusal needs no second one where the
// sentinel fell too: then the kernel itself has said that the server is gone.
func (s *Snapshot) often(r Reach, failures int, fell bool) bool {
	return failures >= s.Patience.DownAfter || r == ReachRefused && fell
}

// Here is what this node alone sees of an instance, whatever the others say: its reach, unknown where the newest attempt is too old, and
// whether it would call the instance down.
func (s *Snapshot) Here(i *Instance) (reach Reach, down bool) {
	reach = s.own(&i.Observation)
	return reach, reach.Unreachable() && s.often(reach, i.Failures, !i.SentinelFell.IsZero())
}

func votesByInstance(votes []Vote) map[InstanceID][]Vote {
	if len(votes) == 0 {
		return nil
	}
	by := make(map[InstanceID][]Vote)
	for _, v := range votes {
		by[v.Instance] = append(by[v.Instance], v)
	}
	return by
}

// DownFor returns how long the instance has been failing, 0 where it is not.
func (i *Instance) DownFor(at time.Time) time.Duration {
	if !i.Down || i.FailingSince.IsZero() {
		return 0
	}
	return at.Sub(i.FailingSince)
}
