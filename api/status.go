package api

import (
	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// StatusOf says how a cluster is in one word. Trouble is whether anything active was found in it.
func StatusOf(snap *topology.Snapshot, c *topology.Cluster, trouble bool) ClusterStatus {
	primary := snap.Instance(c.Primary)
	switch {
	case primary == nil:
		return StatusUnknown
	case primary.Down:
		return StatusPrimaryDown
	case !primary.Agreed.Alive():
		return StatusUnknown
	case !protected(snap, c):
		return StatusUnprotected
	case trouble:
		return StatusDegraded
	}
	for _, m := range c.Members {
		if !m.Up() {
			return StatusDegraded
		}
	}
	return StatusHealthy
}

// protected reports whether somebody could take the place of the primary if it died now. Nobody's wish is asked, only the candidates: a pause or a
// cooldown is not a lack of protection, and neither is a replica that is a few transactions behind.
func protected(snap *topology.Snapshot, c *topology.Cluster) bool {
	without := withoutPrimary(snap, c)
	goal := goalOf(without.Instance(c.Primary), remediation.Goal{Kind: analysis.RecoveryFailover, Trigger: remediation.TriggerOperator})
	plan, _ := remediation.Make(goal, without, remediation.DefaultPolicy()) // a refusal: the plan holds the gates all the same
	for _, g := range plan.Gates {
		if g.Name == remediation.GateCandidate {
			return g.Passes()
		}
	}
	return false
}
