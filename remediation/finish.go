package remediation

import (
	"fmt"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/topology"
)

// finish brings a recovery to its end after the ledger has agreed on a successor: it is promoted if it is not yet, and everybody who can is
// brought along. It reads all of that from the snapshot, so a leader that finds the recovery open can call it too.
func (m *maker) finish() (Plan, error) {
	s := m.snap.Instance(m.goal.Successor)
	plan := Plan{Successor: m.goal.Successor}
	switch {
	case s == nil || s.Down:
		return plan, m.refuse(GateCandidate, "%s, agreed on as the primary, went down while it was promoted", m.goal.Successor)
	case !s.Up():
		m.gates.add(GateCandidate, Unknown, m.snap.At.Sub(s.Attempted), "%s, agreed on as the primary, is %s", s.Instance, s.Agreed)
		plan.Waiting = fmt.Sprintf("%s does not answer in full", s.Instance)
		return plan, nil
	}
	m.gates.add(GateCandidate, Pass, m.age(s), "%s is agreed on as the primary", s.Instance)
	if st := m.fenceOld(); len(st.Steps) > 0 {
		plan.Stages = append(plan.Stages, st)
	}
	siblings := m.siblings(s)
	if s.Source != "" || !s.Writable() {
		if drain := m.drain(s, s.Facts.Received()); len(drain.Steps) > 0 {
			plan.Stages = append(plan.Stages, drain)
		}
		plan.Stages = append(plan.Stages, m.repoint(siblings, s, s.Facts.Received()), Stage{Phase: PhasePromote, Steps: []Step{m.makePrimary(s, topology.GTIDSet{})}})
		return plan, nil
	}
	if len(plan.Stages) > 0 {
		return plan, nil
	}
	return m.bringAlong(plan, siblings, s), nil
}

// fenceOld closes the old primary, and everybody deposed before it, where one is back or was opened again behind our back: two must not take
// writes, and nobody else looks after it while this recovery is open.
func (m *maker) fenceOld() Stage {
	st := Stage{Phase: PhaseFence}
	for _, i := range m.cluster.Members {
		_, lost := m.goal.Lost[i.Instance]
		if (i == m.failed || i.Deposed) && i.Instance != m.goal.Successor && !lost && i.Up() && i.Writable() {
			st.Steps = append(st.Steps, Step{
				Action: Fence, On: i.Instance, Flavor: i.Facts.Version.Flavor, KillClients: true, MayFail: true,
				Why: fmt.Sprintf("%s is agreed on as the primary", m.goal.Successor),
			})
		}
	}
	return st
}

// siblings are all that belong below the successor and can be reached.
func (m *maker) siblings(s *topology.Instance) []*topology.Instance {
	var out []*topology.Instance
	for _, r := range m.followers() {
		if r.Source != s.Instance && r != s && !r.Deposed {
			out = append(out, r)
		}
	}
	return out
}

// bringAlong repoints who does not follow yet, waits for who is on the way, and completes the plan when all do or are given up.
func (m *maker) bringAlong(plan Plan, siblings []*topology.Instance, s *topology.Instance) Plan {
	st := m.repoint(siblings, s, s.Facts.Received())
	st.Background = false
	for _, r := range m.followers() {
		if m.canBeHelped(r) {
			st.Steps = append(st.Steps, optional(m.owed(r))...)
		}
	}
	followers := m.expected(s)
	for _, r := range followers {
		st.Steps = append(st.Steps, m.startBehind(r, s)...)
	}
	if len(st.Steps) > 0 {
		plan.Stages = append(plan.Stages, st)
		return plan
	}
	if st := m.strangers(followers, s); len(st.Steps) > 0 {
		plan.Stages = append(plan.Stages, st)
		return plan
	}
	for _, r := range followers {
		if text := m.connecting(r, s); text != "" {
			plan.Waiting, plan.WaitingFor = text, r.Instance
			return plan
		}
	}
	for _, r := range siblings {
		if _, lost := m.goal.Lost[r.Instance]; lost || r.Up() || r.Quarantined {
			continue
		}
		text := fmt.Sprintf("it still follows %s and is out of reach (%s)", orNobody(r.Source), r.Agreed)
		if !r.Down {
			plan.Waiting, plan.WaitingFor = text, r.Instance
			return plan
		}
		st.Steps = append(st.Steps, Step{Action: Quarantine, On: r.Instance, Why: text, MayFail: true})
	}
	st.Phase, st.Steps = PhaseVerify, append(st.Steps, m.quarantine().Steps...)
	if len(st.Steps) > 0 {
		plan.Stages = append(plan.Stages, st)
		return plan
	}
	plan.Complete = true
	return plan
}

func orNobody(id topology.InstanceID) string {
	if id == "" {
		return "nobody"
	}
	return string(id)
}

// strangers keeps out who holds what the successor does not, although that was not so when it was told to follow: its receiver may have been
// started by a restart, and have got something from the old primary in between.
func (m *maker) strangers(followers []*topology.Instance, s *topology.Instance) Stage {
	st := Stage{Phase: PhaseVerify}
	for _, r := range followers {
		if ahead := m.beyond(r, s); r != m.failed && !ahead.IsEmpty() {
			st.Steps = append(st.Steps, optional(m.keepOut(r, s, ahead).Steps)...)
		}
	}
	return st
}

// beyond is what r holds and a primary p cannot have given it. Only p's own writes can be newer than our sight of p. MariaDB numbers do not tell,
// but its sources turn away a replica that is beyond them.
func (m *maker) beyond(r, p *topology.Instance) topology.GTIDSet {
	if p.Facts.ServerUUID == "" {
		return topology.GTIDSet{}
	}
	return r.Facts.Received().Subtract(m.errant(r)).Subtract(p.Facts.Received()).Without(p.Facts.ServerUUID)
}

// expected are those below the successor whom this recovery has brought there.
func (m *maker) expected(s *topology.Instance) []*topology.Instance {
	var out []*topology.Instance
	all := m.followers()
	if m.goal.Kind == analysis.RecoveryTakeover {
		all = append(all, m.failed)
	}
	for _, r := range all {
		if r.Source == s.Instance && m.canBeHelped(r) {
			out = append(out, r)
		}
	}
	return out
}

// startBehind starts a receiver that has stopped below s, once s holds what it has. A MariaDB source turns away a replica that is ahead of it, even
// by a moment, and the replica does not come back by itself.
func (m *maker) startBehind(r, s *topology.Instance) []Step {
	c, _ := r.Facts.Default()
	if c.Receiver != topology.ReceiverStopped || !s.Facts.Executed.Contains(r.Facts.Received().Subtract(m.errant(r))) {
		return nil
	}
	return m.start(r, fmt.Sprintf("%s holds what it has", s.Instance))
}

// connecting says that r is not connected to s yet, and how it stands; nothing where it is.
func (m *maker) connecting(r, s *topology.Instance) string {
	if c, ok := r.Facts.Default(); ok && c.Receiver != topology.ReceiverConnected {
		return fmt.Sprintf("%s connects to %s (%s, error %d)", r.Instance, s.Instance, c.Receiver, c.ReceiverErrno)
	}
	return ""
}
