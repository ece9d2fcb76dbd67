package ledger

import (
	"slices"
	"strings"
	"time"
)

// Paused returns the pause that holds for automatic recoveries by a rule in a cluster, the widest one first.
func (s *State) Paused(cluster, rule string, at time.Time) (Pause, bool) {
	for _, key := range []string{scope(), scope("cluster", cluster), scope("rule", rule), scope("cluster", cluster, "rule", rule)} {
		if p, ok := s.Pauses[key]; ok && live(p.Until, at) {
			return p, true
		}
	}
	return Pause{}, false
}

// Downtimed returns the downtime an instance is in.
func (s *State) Downtimed(instance string, at time.Time) (Downtime, bool) {
	d, ok := s.Downtimes[instance]
	if !ok || at.Before(d.Begin) || !at.Before(d.End) {
		return Downtime{}, false
	}
	return d, true
}

// Maintained returns the maintenance an instance of a cluster is in, its own before its cluster's. Either may be empty.
func (s *State) Maintained(instance, cluster string, at time.Time) (Maintenance, bool) {
	for _, key := range []string{scope("instance", instance), scope("cluster", cluster)} {
		if m, ok := s.Maintenance[key]; ok && live(m.Until, at) {
			return m, true
		}
	}
	return Maintenance{}, false
}

// PromotionRule returns the promotion rule operators set for an instance.
func (s *State) PromotionRule(instance string, at time.Time) (PromotionRule, bool) {
	r, ok := s.PromotionRules[instance]
	if !ok || !live(r.Until, at) {
		return PromotionRule{}, false
	}
	return r, true
}

// AutonomyOf returns how far operators let automation go for a kind of recovery in a cluster: what was said of that
// kind in that cluster, else of the cluster, else of the kind, else of the fleet.
func (s *State) AutonomyOf(cluster, kind string) (Autonomy, bool) {
	for _, key := range []string{scope("cluster", cluster, "kind", kind), scope("cluster", cluster), scope("kind", kind), scope()} {
		if a, ok := s.Autonomy[key]; ok {
			return a, true
		}
	}
	return Autonomy{}, false
}

// IsForgotten reports whether discovery must leave an instance alone.
func (s *State) IsForgotten(instance string, at time.Time) bool {
	f, ok := s.Forgotten[instance]
	return ok && live(f.Until, at)
}

// ClusterOf returns the cluster of an id or an alias.
func (s *State) ClusterOf(name string) (Cluster, bool) {
	if c, ok := s.Clusters[name]; ok {
		return c, true
	}
	for _, c := range s.Clusters {
		if name != "" && c.Alias == name {
			return c, true
		}
	}
	return Cluster{}, false
}

// Members returns the cluster id of every known member, built anew on each call.
func (s *State) Members() map[string]string {
	members := make(map[string]string)
	for id, c := range s.Clusters {
		for _, m := range c.Members {
			members[m] = id
		}
	}
	return members
}

// OpenRecovery returns the open recovery of a cluster, or nil.
func (s *State) OpenRecovery(cluster string) *Recovery {
	for _, r := range s.Recoveries {
		if r.Cluster == cluster && r.Open() {
			return r
		}
	}
	return nil
}

// RecoveriesOf returns the recoveries of a cluster, or of all when it is empty, the newest first.
func (s *State) RecoveriesOf(cluster string) []*Recovery {
	var found []*Recovery
	for _, r := range s.Recoveries {
		if cluster == "" || r.Cluster == cluster {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, newestFirst)
	return found
}

// newestFirst orders by id where times are equal, so that every node keeps the same ones.
func newestFirst(a, b *Recovery) int {
	if c := b.Opened.Compare(a.Opened); c != 0 {
		return c
	}
	return strings.Compare(b.ID, a.ID)
}

// live reports whether something that lasts until a time, or for good when that is zero, still lasts.
func live(until, at time.Time) bool { return until.IsZero() || at.Before(until) }
