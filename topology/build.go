package topology

import (
	"cmp"
	"slices"
	"time"
)

// Build turns observations, votes and intents into a Snapshot. It is a pure function: the order of the observations does not matter, and all
// time comes from the input.
func Build(in Input) *Snapshot {
	s := fresh(in)
	votes := votesByInstance(in.Votes)
	all := make(map[InstanceID]*Instance, len(in.Observations))
	for n := range in.Observations {
		o := &in.Observations[n]
		if twin := all[o.Instance]; twin != nil && twin.Attempted.After(o.Attempted) {
			continue
		}
		all[o.Instance] = s.instance(o, votes[o.Instance])
	}
	for n := range in.Observations {
		for _, c := range in.Observations[n].Facts.Channels {
			if c.Source != "" && all[c.Source] == nil {
				all[c.Source] = s.instance(&Observation{Instance: c.Source}, votes[c.Source])
				all[c.Source].stub = true
			}
		}
	}
	ids := make([]InstanceID, 0, len(all))
	for id := range all {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, CompareIDs)
	for n, id := range ids {
		if n == 0 || id.Host() != ids[n-1].Host() {
			s.hosts++
		}
		all[id].follow(all[all[id].Source])
	}
	for _, group := range s.name(components(ids, all)) {
		s.Clusters = append(s.Clusters, s.arrange(group))
	}
	slices.SortFunc(s.Clusters, func(a, b *Cluster) int { return cmp.Compare(a.Name, b.Name) })
	s.index(len(ids))
	return s
}

// fresh returns a snapshot of nothing.
func fresh(in Input) *Snapshot {
	return &Snapshot{At: in.At, Intents: in.Intents, Patience: in.Patience.withDefaults(), Nodes: max(in.Nodes, 1), votes: in.Votes}
}

// follow makes the instance one of the direct replicas of its source.
func (i *Instance) follow(source *Instance) {
	i.source = source
	if source != nil && source != i {
		source.Direct = append(source.Direct, i.Instance)
		source.followers = append(source.followers, i)
	}
}

// index notes where every cluster and every instance is, and sums them up.
func (s *Snapshot) index(instances int) {
	s.clusters = make(map[string]int, len(s.Clusters))
	s.places = make(map[InstanceID]place, instances)
	for n, c := range s.Clusters {
		s.clusters[c.Name] = n
		s.tally.add(n, c)
		for m, i := range c.slots {
			s.places[i.Instance] = place{n, m}
		}
	}
}

// With returns a snapshot at a later moment in which the observations of the input replace those of s. Clusters that no changed observation and no
// new vote touches are shared with s, as long as intents are the same and no replication link has changed; otherwise everything is built again.
func (s *Snapshot) With(in Input, sameIntents bool) *Snapshot {
	next := fresh(in)
	if !sameIntents || next.Nodes != s.Nodes || next.Patience != s.Patience {
		return s.rebuilt(in)
	}
	touched := make(map[int]map[InstanceID]*Observation)
	touch := func(id InstanceID, o *Observation) bool {
		at, ok := s.places[id]
		if ok && touched[at.cluster] == nil {
			touched[at.cluster] = make(map[InstanceID]*Observation)
		}
		if ok && o != nil {
			touched[at.cluster][id] = o
		}
		return ok
	}
	for n := range in.Observations {
		o := &in.Observations[n]
		if !touch(o.Instance, o) || !sameLinks(&s.Instance(o.Instance).Facts, &o.Facts) {
			return s.rebuilt(in)
		}
	}
	for _, v := range changedVotes(s.votes, in.Votes) {
		touch(v.Instance, nil)
	}
	// What says where instances are is shared: it changes only with the shape.
	next.Clusters, next.clusters, next.places, next.hosts = slices.Clone(s.Clusters), s.clusters, s.places, s.hosts
	next.tally = s.tally
	votes := votesByInstance(in.Votes)
	for n, observations := range touched {
		old := s.Clusters[n]
		next.Clusters[n] = next.refresh(old, observations, votes)
		next.tally = next.tally.replaced(n, old, next.Clusters[n])
		if !old.Named && next.Clusters[n].Primary != old.Primary {
			return s.rebuilt(in) // a provisional name is its primary's
		}
	}
	return next
}

// refresh copies a cluster whose shape has not changed, with new observations of some members. Everybody is judged again: time has passed.
func (s *Snapshot) refresh(old *Cluster, changed map[InstanceID]*Observation, votes map[InstanceID][]Vote) *Cluster {
	group := component{name: old.Name, named: old.Named, members: make([]*Instance, len(old.slots))}
	for n, m := range old.slots {
		o, ok := changed[m.Instance]
		if !ok {
			o = &m.Observation
		}
		i := s.instance(o, votes[m.Instance])
		i.stub = m.stub && !ok
		group.members[n] = i
	}
	for _, i := range group.members { // in the order of their names, as in Build
		if i.Source != "" {
			i.follow(group.members[s.places[i.Source].member])
		}
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
	for _, c := range s.Clusters {
		for _, i := range c.slots {
			if !seen[i.Instance] && !i.stub {
				all.Observations = append(all.Observations, i.Observation)
			}
		}
	}
	return Build(all)
}

// sameLinks reports whether two sets of facts place the instance alike.
func sameLinks(a, b *Facts) bool {
	return a.At.IsZero() == b.At.IsZero() && a.ClusterAlias == b.ClusterAlias &&
		slices.EqualFunc(a.Channels, b.Channels, func(x, y Channel) bool { return x.Name == y.Name && x.Source == y.Source })
}

// changedVotes returns the votes that only one of the two has.
func changedVotes(old, young []Vote) []Vote {
	if slices.Equal(old, young) {
		return nil
	}
	count := make(map[Vote]int, len(old)+len(young))
	for _, v := range old {
		count[v]++
	}
	for _, v := range young {
		count[v]--
	}
	var changed []Vote
	for v, n := range count {
		if n != 0 {
			changed = append(changed, v)
		}
	}
	return changed
}

// instance judges one observation by itself: everything that needs no neighbour.
func (s *Snapshot) instance(o *Observation, votes []Vote) *Instance {
	i := &Instance{Observation: *o}
	if c := o.Facts.DefaultChannel(); c != nil {
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
func (s *Snapshot) agree(o *Observation, votes []Vote) (Reach, bool) {
	own := s.own(o)
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

// votesByInstance sorts votes by what they are about. A node has one vote, its newest.
func votesByInstance(votes []Vote) map[InstanceID][]Vote {
	if len(votes) == 0 {
		return nil
	}
	by := make(map[InstanceID][]Vote)
	for _, v := range votes {
		list := by[v.Instance]
		switch n := slices.IndexFunc(list, func(w Vote) bool { return w.Node == v.Node }); {
		case n < 0:
			by[v.Instance] = append(list, v)
		case v.At.After(list[n].At) || v.At.Equal(list[n].At) && v.Reach < list[n].Reach:
			list[n] = v
		}
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
