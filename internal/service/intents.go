package service

import (
	"slices"
	"time"

	"github.com/batondb/baton/ledger"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// intents says what the ledger holds in the words of topology. What has expired by then is left out.
func intents(s *ledger.State, at time.Time) topology.Intents {
	in := topology.Intents{
		Downtimes:      make(map[topology.InstanceID]topology.Hold, len(s.Downtimes)),
		Maintenance:    make(map[string]topology.Hold, len(s.Maintenance)),
		PromotionRules: make(map[topology.InstanceID]topology.PromotionRule, len(s.PromotionRules)),
		Clusters:       make(map[string]topology.NamedCluster, len(s.Clusters)),
		Deposed:        make(map[topology.InstanceID]topology.Deposed, len(s.Deposed)),
		Quarantined:    make(map[topology.InstanceID]topology.Quarantine, len(s.Quarantines)),
		Open:           make(map[string]topology.OpenRecovery),
		Past:           make(map[string][]topology.PastRecovery),
	}
	for _, p := range s.Pauses {
		if p.Cluster != "" && p.Rule != "" {
			continue // the ledger itself refuses to open what this pause is about
		}
		in.Pauses = append(in.Pauses, pause(p))
	}
	slices.SortFunc(in.Pauses, func(a, b topology.Pause) int { return a.Since.Compare(b.Since) })
	for id := range s.Downtimes {
		if d, ok := s.Downtimed(id, at); ok {
			in.Downtimes[topology.InstanceID(id)] = topology.Hold{Owner: d.Owner, Reason: d.Reason, Since: d.Begin, Until: d.End}
		}
	}
	for _, m := range s.Maintenance {
		in.Maintenance[m.Instance+m.Cluster] = topology.Hold{Owner: m.Owner, Reason: m.Reason, Since: m.At, Until: m.Until}
	}
	for id := range s.PromotionRules {
		if r, ok := s.PromotionRule(id, at); ok {
			var rule topology.PromotionRule
			if rule.UnmarshalText([]byte(r.Rule)) == nil {
				in.PromotionRules[topology.InstanceID(id)] = rule
			}
		}
	}
	for name, c := range s.Clusters {
		in.Clusters[name] = named(c, s.Primaries[name])
	}
	for id, d := range s.Deposed {
		in.Deposed[topology.InstanceID(id)] = topology.Deposed{Cluster: d.Cluster, Recovery: d.Recovery, Since: d.Since, Fenced: d.Fenced()}
	}
	for id, q := range s.Quarantines {
		set, _ := topology.ParseGTIDSet(q.GTIDs) // for people; an unreadable one must not undo the quarantine
		in.Quarantined[topology.InstanceID(id)] = topology.Quarantine{Reason: q.Reason, GTIDs: set, Since: q.Since}
	}
	history(&in, s)
	return in
}

func pause(p ledger.Pause) topology.Pause {
	out := topology.Pause{Scope: topology.PauseFleet, By: p.By, Reason: p.Reason, Since: p.At, Until: p.Until}
	switch {
	case p.Cluster != "":
		out.Scope, out.Name = topology.PauseCluster, p.Cluster
	case p.Rule != "":
		out.Scope, out.Name = topology.PauseRule, p.Rule
	}
	return out
}

func named(c ledger.Cluster, p ledger.Primary) topology.NamedCluster {
	out := topology.NamedCluster{
		Alias: c.Alias, Primary: topology.InstanceID(p.Instance), PrimaryUUID: p.ServerUUID, Epoch: p.Epoch, Since: p.Since,
	}
	for _, m := range c.Members {
		out.Members = append(out.Members, topology.InstanceID(m))
	}
	return out
}

// history adds the recoveries, open and past.
func history(in *topology.Intents, s *ledger.State) {
	all := s.RecoveriesOf("")
	slices.Reverse(all) // oldest first
	for _, r := range all {
		if r.Open() {
			in.Open[r.Cluster] = topology.OpenRecovery{ID: r.ID, Kind: r.Kind, Failed: topology.InstanceID(r.Instance), Since: r.Opened}
			continue
		}
		in.Past[r.Cluster] = append(in.Past[r.Cluster], topology.PastRecovery{
			ID: r.ID, Kind: r.Kind, Outcome: r.Outcome, Failed: topology.InstanceID(r.Instance), Successor: topology.InstanceID(r.Successor),
			Closed: r.Closed, Acknowledged: r.Acknowledged != nil,
		})
	}
}

// autonomy is what operators said of a cluster, or else what the configuration says.
func autonomy(s *ledger.State, cluster, kind string, configured remediation.Autonomy) remediation.Autonomy {
	if a, ok := s.AutonomyOf(cluster, kind); ok {
		return remediation.Autonomy(a.Level)
	}
	return configured
}
