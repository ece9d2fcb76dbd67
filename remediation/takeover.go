package remediation

import (
	"fmt"

	"github.com/batondb/baton/topology"
)

// takeover hands the primary's role over while the primary is up. Its plans: siblings below the candidate; the old primary closed; the candidate
// at exactly the position of the closed one, then open; the old one below it. Until the candidate is open, everything can be put back.
func (m *maker) takeover() (Plan, error) {
	if m.goal.Successor != "" && !m.goal.Abort {
		return m.finishTakeover()
	}
	if m.goal.Abort {
		return m.abandonTakeover()
	}
	m.opening()
	m.primaryUp()
	if text := m.undecided(); text != "" {
		return Plan{Waiting: text}, nil
	}
	f := m.survey()
	m.keepTo(&f)
	best := m.choose(&f)
	plan := Plan{Candidates: f.candidates}
	if best != nil {
		plan.Successor = best.Instance
		m.takeoverGates(&f, best.instance)
		m.followersGate(&f, best)
	}
	if err := m.refused(); err != nil {
		return plan, err
	}
	s := best.instance
	if st := m.gather(&f, s); len(st.Steps) > 0 {
		plan.Stages = []Stage{st}
		plan.Next = fmt.Sprintf("then %s is closed, and %s opens at exactly its position", m.goal.Failed, s.Instance)
		return plan, nil
	}
	if !m.closed() {
		for _, r := range m.expected(s) {
			if plan.Waiting = m.connecting(r, s); plan.Waiting != "" {
				return plan, nil // who cannot follow is found out while everything can still be put back
			}
		}
		plan.Stages = m.closing(s)
		plan.Next = fmt.Sprintf("%s opens when it has applied the position at which %s closed", s.Instance, m.goal.Failed)
		return plan, nil
	}
	plan.Stages = m.handOver(&f, s)
	return plan, nil
}

// keepTo stays with the candidate below which siblings have been gathered already: the freshest one changes from moment to moment, and a second
// choice would send them round in circles.
func (m *maker) keepTo(f *field) {
	if m.goal.To != "" || !m.goal.Opened {
		return
	}
	for _, r := range f.reachable {
		if s := m.snap.Instance(r.Source); s != nil && s.Source == m.goal.Failed {
			m.goal.To = s.Instance
			return
		}
	}
}

func (m *maker) primaryUp() {
	age := m.snap.At.Sub(m.failed.Attempted)
	switch {
	case m.failed.Up() && m.failed.Source == "":
		m.gates.add(GateFinding, Pass, age, "%s is up", m.failed.Instance)
	case m.failed.Up():
		m.gates.add(GateTarget, Fail, age, "%s replicates from %s; a takeover starts from a primary", m.failed.Instance, m.failed.Source)
	case m.failed.Down:
		m.gates.add(GateFinding, Fail, age, "%s is down (%s); that is a failover: baton failover %s", m.failed.Instance, m.failed.Agreed, m.cluster.Name)
	default:
		m.gates.add(GateFinding, Unknown, age, "%s is %s", m.failed.Instance, m.failed.Agreed)
	}
}

// takeoverGates demand that the candidate replicates and is close behind. Lag that is not known does not pass.
func (m *maker) takeoverGates(f *field, s *topology.Instance) {
	c, _ := s.Facts.Default()
	age := m.age(s)
	switch {
	case c.Receiver != topology.ReceiverConnected || c.Applier != topology.ApplierRunning:
		if m.closed() && s.Facts.Executed.Contains(m.failed.Facts.Executed) {
			m.gates.add(GateLag, Pass, age, "%s has applied all of %s", s.Instance, m.failed.Instance)
			return
		}
		m.gates.add(GateLag, Fail, age, "%s does not replicate (receiver %s, applier %s)", s.Instance, c.Receiver, c.Applier)
	case !c.LagKnown:
		m.gates.add(GateLag, Unknown, age, "the lag of %s is not known", s.Instance)
	case c.Lag > m.policy.MaxLag:
		m.gates.add(GateLag, Fail, age, "%s lags by %s and the policy allows %s", s.Instance, c.Lag, m.policy.MaxLag)
	default:
		m.gates.add(GateLag, Pass, age, "%s lags by %s", s.Instance, c.Lag)
	}
	if f.donor == nil && len(f.reachable) > 1 {
		// While the primary lives its replicas differ from moment to moment. That is no veto here: the candidate waits for the closed position.
		m.gates.add(GateHoldsAll, Pass, age, "%s will wait for the position at which %s closes", s.Instance, m.failed.Instance)
	}
}

// gather lets the siblings follow the candidate before anything is closed. Where commits wait for acknowledgements, as many siblings stay behind
// as the old primary needs, beside the candidate, to go on committing.
func (m *maker) gather(f *field, s *topology.Instance) Stage {
	st := Stage{Phase: PhaseRelocate}
	stay := promised(&m.failed.Facts)
	if s.Facts.SemiSync.ReplicaEnabled {
		stay--
	}
	for _, r := range f.reachable {
		if c, _ := r.Facts.Default(); r != s && r.Source == s.Instance && !m.closed() {
			st.Steps = append(st.Steps, m.startBehind(r, s)...)
		} else if r == s || r.Source != m.goal.Failed {
			continue
		} else if stay > 0 && r.Facts.SemiSync.ReplicaEnabled && c.Receiver == topology.ReceiverConnected {
			stay--
			continue
		} else if c.Delay > 0 {
			continue // it follows afterwards: it must not hold up the takeover
		}
		if ok, _ := r.Facts.Version.MayReplicateFrom(s.Facts.Version); ok && r.Source == m.goal.Failed && !m.closed() {
			step := m.pointAt(r, s)
			step.MayFail, step.Why = false, "siblings follow the candidate before anything is closed"
			st.Steps = append(st.Steps, step)
		}
	}
	return st
}

// closed reports whether the old primary refuses writes.
func (m *maker) closed() bool {
	f := &m.failed.Facts
	return f.SuperReadOnly || f.ReadOnly && f.Version.IsMariaDB()
}

// closing lets the candidate catch up and closes the old primary.
func (m *maker) closing(s *topology.Instance) []Stage {
	return []Stage{
		{Phase: PhaseCatchUp, Steps: []Step{{
			Action: WaitApplied, On: s.Instance, Flavor: s.Facts.Version.Flavor, GTIDs: m.failed.Facts.Executed,
			Timeout: m.policy.MaxLag, Why: "what can be caught up before writes stop is caught up before",
		}}},
		{Phase: PhaseFence, Steps: []Step{{
			Action: Fence, On: m.goal.Failed, Flavor: m.failed.Facts.Version.Flavor, Timeout: m.policy.WriteBlock,
			Why: "no write may be accepted behind the back of the candidate",
		}}},
	}
}

// handOver opens the candidate at the closed position and lets the old primary follow it.
func (m *maker) handOver(f *field, s *topology.Instance) []Stage {
	flavor := s.Facts.Version.Flavor
	position := m.failed.Facts.Executed
	var stages []Stage
	if !s.Facts.Executed.Contains(position) {
		stages = append(stages, Stage{Phase: PhaseDrain, Steps: []Step{{
			Action: WaitApplied, On: s.Instance, Flavor: flavor, GTIDs: position,
			Timeout: m.policy.WriteBlock, Why: fmt.Sprintf("it must hold exactly what %s closed with", m.goal.Failed),
		}}})
	}
	behind := m.repoint(f.reachable, s, position.Union(s.Facts.Received()))
	behind.Steps = stillBehind(behind.Steps, m.snap, s.Instance)
	behind.Steps = append(behind.Steps, m.follow(s))
	return append(stages,
		Stage{Phase: PhaseDecide, Steps: []Step{{Action: AgreePrimary, On: s.Instance, Source: m.goal.Failed, GTIDs: position, Why: "from here on the way is forward"}}},
		Stage{Phase: PhasePromote, Steps: []Step{m.makePrimary(s, position)}},
		behind,
	)
}

// stillBehind keeps the steps for instances that do not follow the successor yet.
func stillBehind(steps []Step, snap *topology.Snapshot, successor topology.InstanceID) []Step {
	kept := steps[:0]
	for _, st := range steps {
		if i := snap.Instance(st.On); i != nil && i.Source != successor {
			kept = append(kept, st)
		}
	}
	return kept
}

// follow lets the old primary replicate from the new one.
func (m *maker) follow(s *topology.Instance) Step {
	return Step{
		Action: PointAt, On: m.goal.Failed, Source: s.Instance, Flavor: m.failed.Facts.Version.Flavor,
		SemiSync: m.failed.Facts.SemiSync.ReplicaInstalled && m.makePrimary(s, topology.GTIDSet{}).WaitFor > 0, MayFail: true,
		Why: "the old primary becomes a replica",
	}
}

// finishTakeover is finish, and the old primary follows.
func (m *maker) finishTakeover() (Plan, error) {
	s := m.snap.Instance(m.goal.Successor)
	if s != nil && !m.failed.Deposed && m.failed.Source != s.Instance {
		// It was released while the takeover was being given up, and that went no further. Should it come back open, it must be known.
		return Plan{Successor: s.Instance, Stages: []Stage{{Phase: PhaseDecide, Steps: []Step{
			{Action: AgreePrimary, On: s.Instance, Source: m.goal.Failed, Why: "the old primary is deposed until it follows"},
		}}}}, nil
	}
	plan, err := m.finish()
	if err != nil || !plan.Complete {
		return plan, err
	}
	if _, lost := m.goal.Lost[m.goal.Failed]; !lost && !m.failed.Up() && !m.failed.Down {
		// MySQL answers nobody for up to a second while it ends its acknowledgement thread, which it does on its way to being a replica.
		plan.Complete, plan.Waiting, plan.WaitingFor = false, fmt.Sprintf("%s does not answer just now (%s)", m.goal.Failed, m.failed.Agreed), m.goal.Failed
		return plan, nil
	}
	if !m.canBeHelped(m.failed) {
		return plan, nil
	}
	if m.failed.Source == s.Instance {
		if m.failed.Deposed {
			plan.Complete = false
			plan.Stages = []Stage{{Phase: PhaseVerify, Steps: []Step{{Action: Rejoined, On: m.goal.Failed, Source: s.Instance, Why: "it follows the new primary"}}}}
		}
		return plan, nil
	}
	plan.Complete = false
	if ahead := m.failed.Facts.Received().Subtract(s.Facts.Executed); !ahead.IsEmpty() {
		plan.AtRisk, plan.Stages = ahead, []Stage{m.keepOut(m.failed, s, ahead)}
		return plan, nil
	}
	plan.Stages = []Stage{{Phase: PhaseRepoint, Steps: []Step{m.follow(s)}}}
	return plan, nil
}

// keepOut quarantines an instance that holds what the primary does not have.
func (m *maker) keepOut(d, primary *topology.Instance, ahead topology.GTIDSet) Stage {
	return Stage{Phase: PhaseVerify, Steps: []Step{{
		Action: Quarantine, On: d.Instance, GTIDs: ahead,
		Why: fmt.Sprintf("it holds %d transactions that %s does not have: %s", ahead.Count(), primary.Instance, ahead),
	}}}
}
