package remediation

import (
	"fmt"
	"time"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/topology"
)

// planner makes the next plan of one kind of recovery.
type planner func(*maker) (Plan, error)

// planners has one planner for every kind that Baton can carry out.
func planners() map[analysis.RecoveryKind]planner {
	return map[analysis.RecoveryKind]planner{
		analysis.RecoveryFailover:         (*maker).failover,
		analysis.RecoveryTakeover:         (*maker).takeover,
		RelocateOne:                       (*maker).relocate,
		analysis.RecoveryFence:            (*maker).rejoin,
		analysis.RecoveryRejoin:           (*maker).rejoin,
		analysis.RecoveryReprobe:          (*maker).restartReceivers,
		analysis.RecoveryRestartReceivers: (*maker).restartReceivers,
	}
}

// RelocateOne moves one replica below another source. Only people ask for it.
const RelocateOne analysis.RecoveryKind = "relocate"

// Plans reports whether there is a planner for a kind.
func Plans(kind analysis.RecoveryKind) bool { return planners()[kind] != nil }

// Make says what to do next towards a goal, given what is seen. It is pure. The error is a *Refusal where the plan may not be carried out; the
// plan is then filled in as far as it could be thought through, so that it can still be shown. A recovery is a series of Make and Execute, each
// on a newer snapshot, until a plan is Complete: so any process can take it up from what it sees.
func Make(goal Goal, snap *topology.Snapshot, policy Policy) (Plan, error) {
	m := &maker{goal: goal, snap: snap, policy: policy.withDefaults(), gates: newGates(goal, policy), failed: snap.Instance(goal.Failed)}
	next := planners()[goal.Kind]
	if next == nil {
		return Plan{Goal: goal}, m.refuse(GateTarget, "%q is no kind of recovery that Baton carries out", goal.Kind)
	}
	if m.failed == nil {
		return Plan{Goal: goal}, m.refuse(GateTarget, "%s is not known", goal.Failed)
	}
	m.cluster = snap.Cluster(m.failed.Cluster)
	m.takeUp()
	plan, err := next(m)
	plan.Goal, plan.Gates = m.goal, m.gates.list
	return plan, err
}

// takeUp reads from the ledger how far the recovery has come, for whoever goes on with it may not know: the answer to the entry that agreed on a
// successor may have been lost, and a takeover that was being given up has agreed on the old primary again.
func (m *maker) takeUp() {
	if m.goal.Kind != analysis.RecoveryFailover && m.goal.Kind != analysis.RecoveryTakeover {
		return
	}
	for _, id := range []topology.InstanceID{m.goal.Failed, m.goal.Successor} {
		deposed, ok := m.snap.Intents.Deposed[id]
		if ok && m.goal.ID != "" && deposed.Recovery == m.goal.ID && !m.goal.Abort {
			m.goal.Successor = m.snap.Intents.Clusters[m.cluster.Name].Primary
		}
	}
	if m.goal.Successor == m.goal.Failed {
		m.goal.Successor, m.goal.Abort = "", true
	}
}

// maker is one call of Make.
type maker struct {
	goal    Goal
	snap    *topology.Snapshot
	policy  Policy
	gates   *gates
	cluster *topology.Cluster
	failed  *topology.Instance // what goal.Failed names
}

func (m *maker) refuse(name GateName, format string, args ...any) *Refusal {
	m.gates.add(name, Fail, 0, format, args...)
	return &Refusal{Reason: name, Text: fmt.Sprintf(format, args...), Gates: m.gates.list}
}

// refused turns a typed nil into a nil error.
func (m *maker) refused() error {
	if r := m.gates.refusal(); r != nil {
		return r
	}
	return nil
}

// opening adds the gates about whether a recovery may begin at all. They are behind once the ledger has opened it.
func (m *maker) opening() {
	if m.goal.Opened {
		return
	}
	at, in, name := m.snap.At, &m.snap.Intents, m.cluster.Name
	if m.goal.Trigger != TriggerOperator {
		if p, paused := in.PausedFor(name, m.goal.Rule, at); paused {
			m.gates.add(GateAutomation, Fail, 0, "automation is paused (%s) by %s: %s", p.Scope, p.By, orNone(p.Reason))
		} else {
			m.gates.add(GateAutomation, Pass, 0, "automation is not paused")
		}
		m.gates.check(GateAutonomy, m.policy.Autonomy == Auto,
			"the policy of the cluster is auto", fmt.Sprintf("the policy of the cluster is %s: a person must ask for it", m.policy.Autonomy))
		h, down := in.Downtime(m.failed.Instance, at)
		m.gates.check(GateDowntime, !down, fmt.Sprintf("%s is not downtimed", m.failed.Instance),
			fmt.Sprintf("%s is downtimed by %s: %s", m.failed.Instance, h.Owner, orNone(h.Reason)))
	}
	h, held := in.MaintenanceOf(name, m.failed.Instance, at)
	m.gates.check(GateMaintenance, !held, "nobody holds the cluster for maintenance",
		fmt.Sprintf("%s holds it for maintenance: %s", h.Owner, orNone(h.Reason)))
	open, isOpen := in.Open[name]
	m.gates.check(GateOpen, !isOpen, "no other recovery of the cluster is open", fmt.Sprintf("recovery %s of %s is still open", open.ID, open.Failed))
	if m.goal.Trigger != TriggerOperator {
		if m.goal.Kind != analysis.RecoveryFence && m.goal.Kind != analysis.RecoveryRejoin {
			m.cooldown() // a fence never waits
		}
		m.backoff()
		m.gates.check(GateBreaker, m.policy.Breaker == "", "the breaker is closed", m.policy.Breaker)
	}
}

// cooldown refuses a second recovery of the same kind soon after a completed one, and of a successor nobody has acknowledged. A failed attempt
// does not block.
func (m *maker) cooldown() {
	name, unacked := GateCooldown, topology.PastRecovery{}
	for _, r := range m.snap.Intents.Past[m.cluster.Name] {
		if r.Outcome == OutcomeFailed || r.Outcome == OutcomeAborted || r.Kind != string(m.goal.Kind) || r.Acknowledged || m.snap.At.Sub(r.Closed) >= m.policy.Cooldown {
			continue
		}
		if unacked = r; r.Successor == m.goal.Failed {
			name = GateUnacked
		}
	}
	since := m.snap.At.Sub(unacked.Closed).Round(time.Second)
	switch {
	case unacked.ID == "":
		m.gates.add(GateCooldown, Pass, 0, "no recovery of this kind ended within %s", m.policy.Cooldown)
	case name == GateUnacked:
		m.gates.add(name, Fail, 0, "%s became primary by recovery %s %s ago, which nobody has acknowledged; the cooldown is %s and acknowledging ends it",
			m.goal.Failed, unacked.ID, since, m.policy.Cooldown)
	default:
		m.gates.add(name, Fail, 0, "recovery %s ended %s ago and the cooldown is %s; acknowledging it ends the cooldown", unacked.ID, since, m.policy.Cooldown)
	}
}

// backoff refuses a recovery that has failed just now, for twice as long after every failure, up to the cooldown.
func (m *maker) backoff() {
	failures, last := 0, topology.PastRecovery{}
	for _, r := range m.snap.Intents.Past[m.cluster.Name] {
		switch {
		case r.Kind != string(m.goal.Kind) || r.Failed != m.goal.Failed || r.Acknowledged:
		case r.Outcome == OutcomeFailed || r.Outcome == OutcomeAborted:
			failures, last = failures+1, r
		default:
			failures = 0
		}
	}
	if failures == 0 {
		return
	}
	wait := min(time.Second/2<<min(failures, 10), max(m.policy.Cooldown, time.Second))
	if since := m.snap.At.Sub(last.Closed); since < wait {
		m.gates.add(GateCooldown, Fail, 0, "recovery %s of %s ended as %s %s ago, %d in a row; it is tried again after %s", last.ID, last.Failed, last.Outcome,
			since.Round(time.Millisecond), failures, wait)
	}
}

func orNone(s string) string {
	if s == "" {
		return "no reason given"
	}
	return s
}

// age is how old the oldest good answer of some instances is.
func (m *maker) age(instances ...*topology.Instance) time.Duration {
	var oldest time.Duration
	for _, i := range instances {
		if a := m.snap.At.Sub(i.Facts.At); a > oldest {
			oldest = a
		}
	}
	return oldest
}
