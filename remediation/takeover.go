package remediation

import (
	"fmt"

	"github.com/batondb/baton/topology"
)

// takeover hands the primary's role over while the primary is up. Its plans: siblings below the candidate; the old primary closed; the candidate
// at exactly the position of the closed one, then open; the old one below it. Until the candidate is agreed on, everything can be put back.
func (m *maker) takeover() (Plan, error) {
	if m.goal.Successor != "" && !m.goal.Abort {
		return m.finishTakeover()
	}
	if m.goal.Abort {
		return m.abandonTakeover()
	}
	m.opening()
	m.primaryUp()
	f := m.survey()
	best := m.choose(&f)
	plan := Plan{Candidates: f.candidates}
	if best != nil {
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
		plan.Stages = m.closing(s)
		plan.Next = fmt.Sprintf("%s opens when it has applied the position at which %s closed", s.Instance, m.goal.Failed)
		return plan, nil
	}
	plan.Successor = s.Instance
	plan.Stages = m.handOver(&f, s)
	return plan, nil
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

// gather lets the siblings follow the candidate before anything is closed. Where commits wait for more than one acknowledgement, as many
// siblings stay behind as the old primary needs to go on committing.
func (m *maker) gather(f *field, s *topology.Instance) Stage {
	st := Stage{Phase: PhaseRelocate}
	stay := promised(&m.failed.Facts) - 1
	for _, r := range f.reachable {
		if r == s || r.Source != m.goal.Failed {
			continue
		}
		if stay > 0 && r.Facts.SemiSync.ReplicaEnabled {
			stay--
			continue
		}
		if c, _ := r.Facts.Default(); c.Delay > 0 {
			continue // it follows afterwards: it must not hold up the takeover
		}
		if ok, _ := r.Facts.Version.MayReplicateFrom(s.Facts.Version); ok && !m.closed() {
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
		{Phase: PhaseCatchUp, Steps: []Step{{Action: WaitApplied, On: s.Instance, Flavor: s.Facts.Version.Flavor, GTIDs: m.failed.Facts.Executed,
			Timeout: m.policy.MaxLag, Why: "what can be caught up before writes stop is caught up before"}}},
		{Phase: PhaseFence, Steps: []Step{{Action: Fence, On: m.goal.Failed, Flavor: m.failed.Facts.Version.Flavor, Timeout: m.policy.WriteBlock,
			Why: "no write may be accepted behind the back of the candidate"}}},
	}
}

// handOver opens the candidate at the closed position and lets the old primary follow it.
func (m *maker) handOver(f *field, s *topology.Instance) []Stage {
	flavor := s.Facts.Version.Flavor
	position := m.failed.Facts.Executed
	var stages []Stage
	if !s.Facts.Executed.Contains(position) {
		stages = append(stages, Stage{Phase: PhaseDrain, Steps: []Step{{Action: WaitApplied, On: s.Instance, Flavor: flavor, GTIDs: position,
			Timeout: m.policy.WriteBlock, Why: fmt.Sprintf("it must hold exactly what %s closed with", m.goal.Failed)}}})
	}
	behind := m.repoint(f.reachable, s)
	behind.Steps = stillBehind(behind.Steps, m.snap, s.Instance)
	behind.Steps = append(behind.Steps, m.follow(s))
	return append(stages,
		Stage{Phase: PhaseDecide, Steps: []Step{{Action: AgreePrimary, On: s.Instance, Source: m.goal.Failed, GTIDs: position, Why: "from here on the way is forward"}}},
		Stage{Phase: PhasePromote, Steps: []Step{m.makePrimary(s)}},
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
	return Step{Action: PointAt, On: m.goal.Failed, Source: s.Instance, Flavor: m.failed.Facts.Version.Flavor,
		SemiSync: m.failed.Facts.SemiSync.ReplicaInstalled && m.makePrimary(s).WaitFor > 0, MayFail: true,
		Why: "the old primary becomes a replica"}
}

// finishTakeover is finish, and the old primary follows.
func (m *maker) finishTakeover() (Plan, error) {
	plan, err := m.finish()
	if err != nil || !plan.Complete {
		return plan, err
	}
	s := m.snap.Instance(m.goal.Successor)
	_, lost := m.goal.Lost[m.goal.Failed]
	switch {
	case lost || !m.failed.Up():
		return plan, nil
	case m.failed.Source != s.Instance:
		plan.Complete = false
		plan.Stages = []Stage{{Phase: PhaseRepoint, Steps: []Step{m.follow(s)}}}
	case m.failed.Deposed:
		plan.Complete = false
		plan.Stages = []Stage{{Phase: PhaseVerify, Steps: []Step{{Action: Rejoined, On: m.goal.Failed, Source: s.Instance, Why: "it follows the new primary"}}}}
	}
	return plan, nil
}

// abandonTakeover opens the old primary again and puts the siblings back below it. It is planned only while the successor has not been opened.
func (m *maker) abandonTakeover() (Plan, error) {
	if s := m.snap.Instance(m.goal.Successor); s != nil && s.Up() && s.Source == "" && s.Writable() {
		return m.finishTakeover() // it is open already: the only way is forward
	}
	var stages []Stage
	if m.goal.Successor != "" && m.snap.Intents.Clusters[m.cluster.Name].Primary != m.goal.Failed {
		stages = append(stages, Stage{Phase: PhaseDecide, Steps: []Step{
			{Action: Rejoined, On: m.goal.Failed, Why: "the takeover was given up: it is the primary as before"},
			{Action: AgreePrimary, On: m.goal.Failed, Why: "the takeover was given up"},
		}})
	}
	if m.failed.Up() && !m.failed.Writable() {
		stages = append(stages, Stage{Phase: PhaseRestore, Steps: []Step{{Action: Unfence, On: m.goal.Failed, Flavor: m.failed.Facts.Version.Flavor,
			WaitFor: m.goal.SemiSyncWait, Why: "the takeover was given up: the cluster must not be left without a primary"}}})
	}
	back := Stage{Phase: PhaseRestore}
	for _, r := range m.followers() {
		if r.Up() && r.Source != m.goal.Failed && r.Source != "" {
			step := m.pointAt(r, m.failed)
			step.Why = "the takeover was given up"
			back.Steps = append(back.Steps, step)
		}
	}
	if len(back.Steps) > 0 {
		stages = append(stages, back)
	}
	return Plan{Stages: stages, Complete: len(stages) == 0}, nil
}
