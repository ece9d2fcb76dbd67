package remediation

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/batondb/baton/topology"
)

// abandonTakeover opens the old primary again and puts the siblings back below it. Where the successor may be open already, or the old primary is
// gone and the successor holds all of it, the only way is forward. As long as both are out of reach and one of them may live, there is nothing
// better to do than to wait: whatever is opened could be the second.
func (m *maker) abandonTakeover() (Plan, error) {
	s := m.agreedOn()
	if s != nil && s.Up() && (m.wasOpen(s) || m.failed.Down) {
		m.goal.Successor = s.Instance
		return m.finishTakeover()
	}
	var waiting string
	switch {
	case s != nil && !s.Up() && !s.Down:
		waiting = fmt.Sprintf("whether %s was opened is not known: it is %s", s.Instance, s.Agreed)
	case s != nil && s.Down && m.heldUp(s) != "":
		waiting = m.heldUp(s)
	case m.failed.Down && !m.mayLive():
		return m.replaceOld(s)
	case !m.failed.Up():
		waiting = fmt.Sprintf("%s, which must be open again, is %s", m.goal.Failed, m.failed.Agreed)
	case s != nil && s.Down:
		if ahead := m.aheadOfOld(); !ahead.IsEmpty() {
			if plan := m.putInOrder(Plan{}); !plan.Complete {
				return plan, nil
			}
			return Plan{}, m.refuse(GateHoldsAll, "%s, agreed on as the primary, was open before it went down: %d transactions are not on %s: %s",
				s.Instance, ahead.Count(), m.goal.Failed, ahead)
		}
		if freeze := m.freezeBelow(s); len(freeze.Steps) > 0 {
			return Plan{Stages: []Stage{freeze}}, nil
		}
	}
	if waiting != "" {
		return Plan{Waiting: waiting, Patient: true}, nil
	}
	plan := m.putInOrder(Plan{}, append(m.reopen(s), m.putBack())...)
	if st := m.strangers(m.backBelow(), m.failed); plan.Complete && len(st.Steps) > 0 {
		plan.Complete, plan.Stages = false, []Stage{st}
	}
	return plan, nil
}

// backBelow are the followers that are below the old primary again.
func (m *maker) backBelow() []*topology.Instance {
	var out []*topology.Instance
	for _, r := range m.followers() {
		if r.Source == m.goal.Failed && m.canBeHelped(r) {
			out = append(out, r)
		}
	}
	return out
}

// freezeBelow stops the receivers below a successor that is down: should it wake up, nobody may get more from it than has been compared.
func (m *maker) freezeBelow(s *topology.Instance) Stage {
	st := Stage{Phase: PhaseFreeze}
	for _, r := range m.followers() {
		c, _ := r.Facts.Default()
		if fragile := r.Facts.Version.IsMariaDB() && !m.unapplied(r).IsEmpty(); m.canBeHelped(r) && r.Source == s.Instance && c.Receiver != topology.ReceiverStopped && !fragile {
			st.Steps = append(st.Steps, Step{
				Action: StopReceiver, On: r.Instance, Flavor: r.Facts.Version.Flavor, MayFail: true,
				Why: fmt.Sprintf("%s may wake up, and what has been received must not move any more", s.Instance),
			})
		}
	}
	return st
}

// wasOpen reports whether a successor that is up is or has been the primary: it follows nobody, or somebody holds what the old primary never had.
func (m *maker) wasOpen(s *topology.Instance) bool {
	return s.Writable() || s.Source == "" || m.failed.Up() && !m.aheadOfOld().IsEmpty()
}

// replaceOld goes on with a takeover whose primary has gone down: that is a failover now. Until it may be done the old primary is waited for as
// well, because it may be closed, and nobody else would open it when it is back.
func (m *maker) replaceOld(s *topology.Instance) (Plan, error) {
	m.goal.To = ""
	if s != nil {
		m.goal.Successor = s.Instance
	}
	plan, err := m.replace()
	if err != nil {
		plan.Waiting, plan.Patient = err.Error(), true
	}
	return plan, nil
}

// heldUp says why nobody else may be opened although the successor is down for us: who still receives from it, or who may hold what it promised.
func (m *maker) heldUp(s *topology.Instance) string {
	if text := m.successorHeld(); text != "" {
		return text
	}
	if gone := m.witnesses(s); m.goal.SemiSyncWait > 0 && len(gone) >= m.goal.SemiSyncWait {
		return fmt.Sprintf("%s, agreed on as the primary, may have been open before it went down, and what it promised may be only on %s, out of reach",
			s.Instance, names(gone))
	}
	return ""
}

// mayLive reports whether a replica may still be connected to the old primary. Then it lives out of our reach, closed perhaps, and has to be opened
// when it is back.
func (m *maker) mayLive() bool {
	for _, r := range m.followers() {
		if t := m.snap.Testimony(r); r.Source == m.goal.Failed && (t == topology.TestimonyReceives || t == topology.TestimonySilent) {
			return true
		}
	}
	return false
}

// agreedOn is who the ledger says is the primary in place of the old one, or nil.
func (m *maker) agreedOn() *topology.Instance {
	id := m.snap.Intents.Clusters[m.cluster.Name].Primary
	if id == "" && m.goal.Successor != "" {
		id = m.goal.Successor
	}
	if id == m.goal.Failed {
		return nil
	}
	return m.snap.Instance(id)
}

// aheadOfOld is what anybody within reach holds and the old primary does not: a successor that was never open has given nobody anything.
func (m *maker) aheadOfOld() topology.GTIDSet {
	var ahead topology.GTIDSet
	for _, r := range m.followers() {
		if r.Known() {
			held := r.Facts.Received().Subtract(m.errant(r))
			ahead = ahead.Union(held.Subtract(m.failed.Facts.Received())).Union(m.writtenElsewhere(held))
		}
	}
	return ahead
}

// writtenElsewhere is what somebody other than the old primary wrote last, where that runs MariaDB and does not have it. By its number alone such a
// transaction looks like one of the old primary's, which may have gone on counting after a restart.
func (m *maker) writtenElsewhere(held topology.GTIDSet) topology.GTIDSet {
	if !m.failed.Facts.Version.IsMariaDB() {
		return topology.GTIDSet{}
	}
	own := "-" + strconv.FormatUint(uint64(m.failed.Facts.ServerID), 10)
	foreign := held.Without(slices.DeleteFunc(held.Sources(), func(source string) bool { return !strings.HasSuffix(source, own) })...)
	return foreign.SubtractBySource(m.lastKnown().Union(m.failed.Facts.Received()))
}

// witnesses are the followers out of reach that may have acknowledged writes of a successor that is gone.
func (m *maker) witnesses(s *topology.Instance) []topology.InstanceID {
	var gone []topology.InstanceID
	for _, r := range m.followers() {
		if r != s && !r.Up() && (!r.Known() || r.Source == s.Instance && r.Facts.SemiSync.ReplicaEnabled) {
			gone = append(gone, r.Instance)
		}
	}
	return gone
}

// reopen makes the old primary the primary again, in the ledger and for clients. A successor that was about to be opened is closed first: an
// order to open it may still be on its way.
func (m *maker) reopen(s *topology.Instance) []Stage {
	if !m.canBeHelped(m.failed) || s != nil && s.Up() && !m.canBeHelped(s) {
		return nil
	}
	var stages []Stage
	if s != nil && s.Up() {
		stages = append(stages, Stage{Phase: PhaseFence, Steps: []Step{{
			Action: Fence, On: s.Instance, Flavor: s.Facts.Version.Flavor,
			Why: "the takeover was given up: an order to open it may still be on its way",
		}}})
	}
	if s != nil || m.failed.Deposed {
		stages = append(stages, m.agreeAgain(s))
	}
	if m.failed.Source != "" { // it follows the successor already
		if drain := m.drain(m.failed, m.failed.Facts.Received()); len(drain.Steps) > 0 {
			stages = append(stages, drain)
		}
		back := m.makePrimary(m.failed, m.failed.Facts.Received())
		back.Why = "the takeover was given up: the cluster must not be left without a primary"
		return append(stages, Stage{Phase: PhaseRestore, Steps: []Step{back}})
	}
	if !m.goal.Closed && (!m.failed.Writable() || promised(&m.failed.Facts) < m.goal.SemiSyncWait) {
		stages = append(stages, Stage{Phase: PhaseRestore, Steps: []Step{{
			Action: Unfence, On: m.goal.Failed, Flavor: m.failed.Facts.Version.Flavor,
			WaitFor: m.goal.SemiSyncWait, Why: "the takeover was given up: the cluster must not be left without a primary",
		}}})
	}
	return stages
}

// agreeAgain makes the old primary the primary in the ledger again.
func (m *maker) agreeAgain(s *topology.Instance) Stage {
	agree := Step{Action: AgreePrimary, On: m.goal.Failed, Why: "the takeover was given up"}
	if s != nil && !s.Up() {
		agree.Source = s.Instance // it may be open when it comes back
	}
	return Stage{Phase: PhaseDecide, Steps: []Step{
		{Action: Rejoined, On: m.goal.Failed, Why: "the takeover was given up: it is the primary as before"}, agree,
	}}
}

// putBack lets everybody who followed the old primary when the takeover began follow it again, unless the successor gave it something meanwhile.
func (m *maker) putBack() Stage {
	st := Stage{Phase: PhaseRestore}
	for _, r := range m.followers() {
		if !m.canBeHelped(r) || r.Deposed || r.Source == m.goal.Failed {
			continue
		}
		if ahead := m.beyond(r, m.failed); !ahead.IsEmpty() {
			st.Steps = append(st.Steps, optional(m.keepOut(r, m.failed, ahead).Steps)...)
			continue
		}
		step := m.pointAt(r, m.failed)
		step.Why = "the takeover was given up"
		st.Steps = append(st.Steps, step)
	}
	return st
}
