package remediation

import (
	"fmt"

	"github.com/batondb/baton/topology"
)

// putInOrder completes the plan of a recovery that is given up: after the given stages it starts what was stopped, restores what was relaxed, and
// quarantines who cannot be helped. Nothing that Baton stopped stays stopped without a word.
func (m *maker) putInOrder(plan Plan, first ...Stage) Plan {
	busy := make(map[topology.InstanceID]bool)
	for _, st := range first {
		for _, step := range st.Steps {
			busy[step.On] = true
		}
		if len(st.Steps) > 0 {
			plan.Stages = append(plan.Stages, st)
		}
	}
	if st := m.thaw(busy); len(st.Steps) > 0 {
		plan.Stages = append(plan.Stages, st)
	}
	if len(plan.Stages) > 0 {
		return plan
	}
	for _, r := range m.followers() {
		c, _ := r.Facts.Default()
		_, lost := m.goal.Lost[r.Instance]
		// Who answered since the recovery began may have been stopped after its last answer.
		answered := !r.Known() || !r.Facts.At.Before(m.snap.Intents.Open[m.cluster.Name].Since)
		if maybeStopped := m.stoppedHere(c) || answered; maybeStopped && !lost && !r.Up() && !r.Quarantined {
			plan.Waiting, plan.WaitingFor = fmt.Sprintf("its receiver may have been stopped, and it is out of reach (%s)", r.Agreed), r.Instance
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

// canBeHelped reports whether an instance can be reached and has not been given up.
func (m *maker) canBeHelped(r *topology.Instance) bool {
	_, lost := m.goal.Lost[r.Instance]
	return r.Up() && !lost && !r.Quarantined
}

// stoppedHere reports whether a receiver was stopped since this recovery began. What stood still before is somebody else's wish.
func (m *maker) stoppedHere(c topology.Channel) bool {
	since := m.snap.Intents.Open[m.cluster.Name].Since
	return c.Receiver == topology.ReceiverStopped && (since.IsZero() || !c.ReceiverSince.Before(since.Add(-m.snap.Patience.Slack)))
}

// frozenHere is stoppedHere where the recovery is known to the ledger, so that it can be told from what stood still before.
func (m *maker) frozenHere(c topology.Channel) bool {
	return !m.snap.Intents.Open[m.cluster.Name].Since.IsZero() && m.stoppedHere(c)
}

// thaw starts the receivers that this recovery has stopped, and restores the durability that it has relaxed. Who is busy is looked at next time:
// an instance that is to go elsewhere must not be started where it is.
func (m *maker) thaw(busy map[topology.InstanceID]bool) Stage {
	st := Stage{Phase: PhaseRestore}
	for _, r := range m.followers() {
		if !m.canBeHelped(r) || busy[r.Instance] {
			continue
		}
		st.Steps = append(st.Steps, optional(m.owed(r))...)
		if c, _ := r.Facts.Default(); r.Source != "" && m.stoppedHere(c) {
			st.Steps = append(st.Steps, m.start(r, "what was stopped is started again")...)
		}
	}
	return st
}

// start starts the replication of an instance without losing what it has received.
func (m *maker) start(r *topology.Instance, why string) []Step {
	flavor := r.Facts.Version.Flavor
	steps := []Step{{Action: StartReplication, On: r.Instance, Source: r.Source, Flavor: flavor, MayFail: true, Why: why}}
	if r.Facts.Version.IsMariaDB() && !m.unapplied(r).IsEmpty() {
		wait := Step{Action: WaitApplied, On: r.Instance, Flavor: flavor, GTIDs: r.Facts.Received(), Why: "starting a MariaDB receiver drops unapplied relay logs"}
		return append([]Step{wait}, steps...)
	}
	return steps
}

// owed is the step that gives an instance back the durability it had when the recovery opened; nothing where it has it.
func (m *maker) owed(r *topology.Instance) []Step {
	if d, ok := m.goal.Durable[r.Instance]; ok && d != durabilityOf(r) {
		return []Step{m.restore(r)}
	}
	return nil
}

func (m *maker) restore(r *topology.Instance) Step {
	kept, ok := m.goal.Durable[r.Instance]
	if !ok {
		kept = durabilityOf(r)
	}
	return Step{Action: RestoreDurability, On: r.Instance, Flavor: r.Facts.Version.Flavor, Settings: &kept, Why: "nothing is acknowledged before it is durable again"}
}

func optional(steps []Step) []Step {
	for n := range steps {
		steps[n].MayFail = true
	}
	return steps
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
