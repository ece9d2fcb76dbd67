package remediation

import (
	"fmt"

	"github.com/batondb/baton/topology"
)

// finish brings a recovery to its end after the ledger has agreed on a successor: it is promoted if it is not yet, and everybody who can is
// brought along. It reads all of that from the snapshot, so a leader that finds the recovery open can call it too.
func (m *maker) finish() (Plan, error) {
	s := m.snap.Instance(m.goal.Successor)
	plan := Plan{Successor: m.goal.Successor}
	switch {
	case s == nil || s.Down:
		return plan, m.refuse(GateCandidate, "%s, agreed on as the primary, went down while it was promoted; its own failure is judged next", m.goal.Successor)
	case !s.Up():
		m.gates.add(GateCandidate, Unknown, m.snap.At.Sub(s.Attempted), "%s, agreed on as the primary, is %s", s.Instance, s.Agreed)
		plan.Waiting = fmt.Sprintf("%s does not answer in full", s.Instance)
		return plan, nil
	}
	m.gates.add(GateCandidate, Pass, m.age(s), "%s is agreed on as the primary", s.Instance)
	siblings := m.siblings(s)
	if s.Source != "" || !s.Writable() {
		if drain := m.drain(s, s.Facts.Received()); len(drain.Steps) > 0 {
			plan.Stages = append(plan.Stages, drain)
		}
		plan.Stages = append(plan.Stages, m.repoint(siblings, s), Stage{Phase: PhasePromote, Steps: []Step{m.makePrimary(s)}})
		return plan, nil
	}
	return m.bringAlong(plan, siblings, s), nil
}

// siblings are all that belong below the successor and can be reached.
func (m *maker) siblings(s *topology.Instance) []*topology.Instance {
	var out []*topology.Instance
	for _, r := range m.followers() {
		if r.Source != s.Instance && r != s {
			out = append(out, r)
		}
	}
	return out
}

// bringAlong repoints who does not follow yet, waits for who is on the way, and completes the plan when all do or are given up.
func (m *maker) bringAlong(plan Plan, siblings []*topology.Instance, s *topology.Instance) Plan {
	if st := m.repoint(siblings, s); len(st.Steps) > 0 {
		st.Background = false
		plan.Stages = append(plan.Stages, st)
		return plan
	}
	for _, id := range s.Direct {
		r := m.snap.Instance(id)
		if _, lost := m.goal.Lost[id]; lost || r == nil || !r.Up() {
			continue
		}
		if c, ok := r.Facts.Default(); ok && c.Receiver != topology.ReceiverConnected {
			plan.Waiting, plan.WaitingFor = fmt.Sprintf("%s connects to %s (%s, error %d)", id, s.Instance, c.Receiver, c.ReceiverErrno), id
			return plan
		}
	}
	if st := m.quarantine(); len(st.Steps) > 0 {
		plan.Stages = append(plan.Stages, st)
		return plan
	}
	plan.Complete = true
	return plan
}

// quarantine records who could not be brought along.
func (m *maker) quarantine() Stage {
	st := Stage{Phase: PhaseVerify}
	for _, r := range m.followers() {
		if why, lost := m.goal.Lost[r.Instance]; lost && !r.Quarantined {
			st.Steps = append(st.Steps, Step{Action: Quarantine, On: r.Instance, Why: why})
		}
	}
	return st
}
