package remediation

import (
	"fmt"
	"slices"
	"time"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/topology"
)

// relocate puts one replica below another source.
func (m *maker) relocate() (Plan, error) {
	below := m.snap.Instance(m.goal.To)
	if below == nil {
		return Plan{}, m.refuse(GateTarget, "%s is not known", m.goal.To)
	}
	r := m.failed
	if m.goal.Abort {
		return m.abandonRelocate()
	}
	if r.Source == below.Instance && m.goal.Opened && r.Up() {
		text := m.connecting(r, below)
		if steps := m.startBehind(r, below); len(steps) > 0 {
			return Plan{Stages: []Stage{{Phase: PhaseRelocate, Steps: steps}}}, nil
		}
		return Plan{Complete: text == "", Waiting: text}, nil
	}
	m.opening()
	m.relocateGates(r, below)
	if err := m.refused(); err != nil {
		return Plan{}, err
	}
	var stages []Stage
	if has := r.Facts.Received().Subtract(m.errant(r)); !below.Facts.Executed.Contains(has) {
		stages = append(stages, Stage{Phase: PhaseCatchUp, Steps: []Step{{
			Action: WaitApplied, On: below.Instance, Flavor: below.Facts.Version.Flavor, GTIDs: has,
			Timeout: m.policy.MaxLag, Why: fmt.Sprintf("a source must hold what %s has", r.Instance),
		}}})
	}
	move := m.pointAt(r, below)
	move.MayFail, move.Why = false, orAsked(m.goal.Reason)
	return Plan{Stages: append(stages, Stage{Phase: PhaseRelocate, Steps: []Step{move}})}, nil
}

func orAsked(reason string) string {
	if reason == "" {
		return "asked for"
	}
	return reason
}

func (m *maker) relocateGates(r, below *topology.Instance) {
	switch {
	case r == below:
		m.gates.add(GateTarget, Fail, 0, "%s cannot replicate from itself", r.Instance)
	case r.Source == below.Instance:
		m.gates.add(GateTarget, Fail, 0, "%s replicates from %s already", r.Instance, below.Instance)
	case r.Source == "":
		m.gates.add(GateTarget, Fail, 0, "%s replicates from nobody; moving the primary is a takeover: baton takeover %s", r.Instance, r.Cluster)
	case r.Cluster != below.Cluster:
		m.gates.add(GateTarget, Fail, 0, "%s is in cluster %s and %s in %s", r.Instance, r.Cluster, below.Instance, below.Cluster)
	case !r.Up() || !below.Up():
		m.gates.add(GateTarget, Fail, 0, "both must be up: %s is %s, %s is %s", r.Instance, r.Agreed, below.Instance, below.Agreed)
	case m.isBelow(below, r):
		m.gates.add(GateTarget, Fail, 0, "%s is below %s: that would be a circle", below.Instance, r.Instance)
	case !below.Facts.LogBin || below.Source != "" && !below.Facts.LogReplicaUpdates:
		m.gates.add(GateTarget, Fail, 0, "%s does not log what it replicates, so nobody can follow it", below.Instance)
	case !r.Facts.GTID || !below.Facts.GTID:
		m.gates.add(GateTarget, Fail, 0, "relocation needs GTIDs on both sides")
	default:
		m.gates.add(GateTarget, Pass, m.age(r, below), "%s can be moved below %s", r.Instance, below.Instance)
	}
	ok, why := r.Facts.Version.MayReplicateFrom(below.Facts.Version)
	m.gates.check(GateFollow, ok, "the versions fit", why)
	if purged := below.Facts.Purged.Subtract(r.Facts.Received()); !purged.IsEmpty() {
		m.gates.add(GateHoldsAll, Fail, m.age(r, below), "%s has purged %d transactions that %s still needs: %s", below.Instance, purged.Count(), r.Instance, purged)
	} else {
		m.gates.add(GateHoldsAll, Pass, m.age(r, below), "%s still has all that %s needs", below.Instance, r.Instance)
	}
}

// isBelow reports whether i replicates from top, directly or not.
func (m *maker) isBelow(i, top *topology.Instance) bool {
	for range m.snap.Len() {
		if i == nil || i.Source == "" {
			return false
		}
		if i.Source == top.Instance {
			return true
		}
		i = m.snap.Instance(i.Source)
	}
	return false
}

func (m *maker) abandonRelocate() (Plan, error) {
	from := m.snap.Instance(m.goal.From)
	if why, lost := m.goal.Lost[m.failed.Instance]; lost && !m.failed.Quarantined {
		return Plan{Stages: []Stage{{Phase: PhaseVerify, Steps: []Step{{Action: Quarantine, On: m.failed.Instance, Why: why}}}}}, nil
	}
	c, _ := m.failed.Facts.Default()
	if from == nil || !m.canBeHelped(m.failed) || m.failed.Source == m.goal.From && !m.stoppedHere(c) {
		return Plan{Complete: true}, nil
	}
	step := m.pointAt(m.failed, from)
	step.Why = "the relocation was given up"
	return Plan{Stages: []Stage{{Phase: PhaseRestore, Steps: []Step{step}}}}, nil
}

// rejoin fences a deposed primary that has come back, and lets it follow the primary if it holds nothing that the primary lacks.
func (m *maker) rejoin() (Plan, error) {
	d, primary := m.failed, m.snap.Instance(m.cluster.Primary)
	if m.goal.Abort {
		return Plan{Complete: true}, nil // a fence is never taken back
	}
	if d.Deposed && d.Writable() && m.goal.Kind == analysis.RecoveryFence {
		m.openingFence()
	} else {
		m.opening()
	}
	switch {
	case primary == nil || primary == d:
		m.gates.add(GateTarget, Fail, 0, "cluster %s has no other primary that %s could follow", m.cluster.Name, d.Instance)
	case !d.Up():
		m.gates.add(GateTarget, Unknown, m.snap.At.Sub(d.Attempted), "%s is %s", d.Instance, d.Agreed)
	default:
		m.gates.add(GateTarget, Pass, m.age(d), "%s was deposed and is back", d.Instance)
	}
	if err := m.refused(); err != nil {
		return Plan{}, err
	}
	flavor := d.Facts.Version.Flavor
	if d.Writable() {
		return Plan{Stages: []Stage{
			{Phase: PhaseFence, Steps: []Step{{Action: Fence, On: d.Instance, Flavor: flavor, KillClients: true, Why: fmt.Sprintf("%s is the primary now", primary.Instance)}}},
			{Phase: PhaseVerify, Steps: []Step{{Action: Fenced, On: d.Instance, Why: "it refuses writes"}}},
		}, Next: "what it holds is compared with the primary"}, nil
	}
	if !m.mayRejoin() {
		return Plan{Complete: true}, nil
	}
	if why, lost := m.goal.Lost[d.Instance]; lost {
		if d.Quarantined {
			return Plan{Complete: true}, nil
		}
		return Plan{Stages: []Stage{{Phase: PhaseVerify, Steps: []Step{{Action: Quarantine, On: d.Instance, Why: why}}}}}, nil
	}
	if d.Source == primary.Instance && (!d.Quarantined || m.beyond(d, primary).IsEmpty() && d.Facts.ServerUUID != "") {
		if text := m.connecting(d, primary); text != "" {
			return Plan{Waiting: text, WaitingFor: d.Instance}, nil
		}
		if d.Deposed || d.Quarantined {
			return Plan{Stages: []Stage{{Phase: PhaseVerify, Steps: []Step{{Action: Rejoined, On: d.Instance, Source: primary.Instance, Why: "it follows the primary"}}}}}, nil
		}
		return Plan{Complete: true}, nil
	}
	return m.rejoinOrQuarantine(d, primary)
}

// openingFence is opening for the fence of a deposed primary that takes writes: two must not, whatever is paused, downtimed or held.
func (m *maker) openingFence() {
	if m.goal.Opened {
		return
	}
	open, isOpen := m.snap.Intents.Open[m.cluster.Name]
	m.gates.check(GateOpen, !isOpen, "no other recovery of the cluster is open", fmt.Sprintf("recovery %s of %s is still open", open.ID, open.Failed))
	m.backoff()
}

// mayRejoin reports whether more than closing the instance is wanted: a recovery that began as a fence did not ask.
func (m *maker) mayRejoin() bool {
	if m.goal.Trigger == TriggerOperator {
		return true
	}
	_, paused := m.snap.Intents.PausedFor(m.cluster.Name, m.goal.Rule, m.snap.At)
	_, held := m.snap.Intents.MaintenanceOf(m.cluster.Name, m.failed.Instance, m.snap.At)
	return m.policy.Autonomy == Auto && !paused && !held && !m.failed.Downtimed
}

func (m *maker) rejoinOrQuarantine(d, primary *topology.Instance) (Plan, error) {
	if !m.policy.RejoinDeposed || d.Quarantined && (d.Source == primary.Instance || d.Facts.ServerUUID == "") {
		return Plan{Complete: true}, nil // it was tried, or MariaDB's numbers do not tell whether it may be
	}
	if !primary.Up() {
		return Plan{Waiting: fmt.Sprintf("%s, the primary, is %s", primary.Instance, primary.Agreed)}, nil
	}
	if ahead := d.Facts.Received().Subtract(primary.Facts.Executed); !ahead.IsEmpty() {
		if d.Quarantined {
			return Plan{Complete: true, AtRisk: ahead}, nil // until a person has dealt with them
		}
		return Plan{AtRisk: ahead, Stages: []Stage{m.keepOut(d, primary, ahead)}}, nil
	}
	step := m.pointAt(d, primary)
	step.MayFail, step.SemiSync = false, d.Facts.SemiSync.ReplicaInstalled && primary.Facts.SemiSync.SourceEnabled
	step.Why = "it holds nothing that the primary lacks"
	return Plan{Stages: []Stage{{Phase: PhaseRepoint, Steps: []Step{step}}}}, nil
}

// restartReceivers makes replicas that hear nothing test their link to a source that does not answer us: first one of them, and the others when
// that one has lost it. Where all of them were streaming until the source stopped answering and all fell silent with it, that is the answer of
// the first one, and they are tested together. MySQL keeps the relay log through a restart; MariaDB drops it, so there only a replica that has applied all is restarted.
func (m *maker) restartReceivers() (Plan, error) {
	if m.goal.Abort || !m.failed.Down {
		return Plan{Complete: true}, nil
	}
	m.opening()
	if err := m.refused(); err != nil {
		return Plan{}, err
	}
	var silent []*topology.Instance
	lost, testing := 0, 0
	for _, id := range m.failed.Direct {
		r := m.snap.Instance(id)
		switch m.snap.Testimony(r) {
		case topology.TestimonyReceives:
			m.gates.add(GateFinding, Fail, m.age(r), "%s still receives from %s", id, m.failed.Instance)
			return Plan{}, m.refused()
		case topology.TestimonyLostIt:
			lost++
		case topology.TestimonySilent:
			c, _ := r.Facts.Default()
			drained := c.Applier == topology.ApplierRunning && r.Facts.Executed.Contains(c.Retrieved)
			_, tried := m.goal.Excluded[id]
			if c.Receiver == topology.ReceiverConnecting {
				testing++
			} else if !tried && (drained || !r.Facts.Version.IsMariaDB()) {
				silent = append(silent, r)
			}
		case topology.TestimonyMute, topology.TestimonyUnknown: // says nothing either way
		}
	}
	switch {
	case lost == 0 && testing > 0:
		return Plan{Complete: true}, nil // one is being tested: its answer decides about the others
	case lost == 0 && len(silent) > 1 && !m.fellSilent(silent):
		silent = silent[:1]
	}
	st := Stage{Phase: PhaseVerify}
	for _, r := range silent {
		st.Steps = append(st.Steps, Step{
			Action: RestartReceiver, On: r.Instance, Source: m.failed.Instance, Flavor: r.Facts.Version.Flavor, MayFail: true,
			Why: fmt.Sprintf("it has heard nothing from %s since that stopped answering", m.failed.Instance),
		})
	}
	if len(st.Steps) == 0 {
		return Plan{Complete: true}, nil
	}
	return Plan{Stages: []Stage{st}}, nil
}

// streamedUntil is how long before a source stopped answering its replicas may have heard from it last and still have been streaming.
const streamedUntil = 3 * time.Second

// fellSilent reports whether all of some replicas heard from their source until it stopped answering us.
func (m *maker) fellSilent(replicas []*topology.Instance) bool {
	return !slices.ContainsFunc(replicas, func(r *topology.Instance) bool {
		c, _ := r.Facts.Default()
		return c.HeardAt.IsZero() || m.failed.FailingSince.Sub(c.HeardAt) > streamedUntil
	})
}
