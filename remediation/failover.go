package remediation

import (
	"fmt"
	"time"

	"github.com/batondb/baton/topology"
)

// failover replaces a primary that is down. It goes through three plans: freeze what the replicas have received; choose, drain and promote;
// bring along who is left. Which of them is next is read from the snapshot.
func (m *maker) failover() (Plan, error) {
	switch {
	case m.goal.Abort:
		return m.abandonFailover()
	case m.goal.Successor != "":
		return m.finish()
	}
	m.opening()
	m.stillDown()
	f := m.survey()
	best := m.choose(&f)
	m.safety(&f)
	plan := Plan{Candidates: f.candidates, AtRisk: m.lastKnown().Subtract(f.all)}
	if best != nil {
		m.followersGate(&f, best)
		if f.donor != nil && f.donor != best.instance && !best.Behind.IsEmpty() {
			markDonor(f.candidates, f.donor.Instance)
		}
	}
	if err := m.refused(); err != nil {
		return plan, err
	}
	if freeze := m.freeze(&f); len(freeze.Steps) > 0 {
		plan.Stages = []Stage{freeze}
		plan.Next = fmt.Sprintf("when the receivers have stopped the most advanced replica is known; as seen now %s is promoted", best.Instance)
		return plan, nil
	}
	plan.Successor = best.Instance
	plan.Stages = m.promotion(&f, best)
	return plan, nil
}

func markDonor(cs []Candidate, id topology.InstanceID) {
	for n := range cs {
		if cs[n].Instance == id {
			cs[n].Donor = true
		}
	}
}

// stillDown demands that the failure is there on the newest probes.
func (m *maker) stillDown() {
	age := m.snap.At.Sub(m.failed.Attempted)
	switch {
	case m.failed.Down:
		m.gates.add(GateFinding, Pass, age, "%s is down: %s %d times in a row since %s", m.failed.Instance, m.failed.Agreed, m.failed.Failures, m.failed.DownFor(m.snap.At).Round(time.Millisecond))
	case m.failed.Agreed.Alive():
		m.gates.add(GateFinding, Fail, age, "%s is alive (%s)", m.failed.Instance, m.failed.Agreed)
		return
	default:
		m.gates.add(GateFinding, Unknown, age, "whether %s is down is not known yet (%s, %d failed attempts)", m.failed.Instance, m.failed.Agreed, m.failed.Failures)
		return
	}
	if m.snap.Nodes > 1 {
		m.gates.add(GateQuorum, Pass, age, "a majority of %d nodes agrees", m.snap.Nodes)
	}
	if m.goal.Opened {
		return // the receivers are being stopped: they can testify no more
	}
	for _, id := range m.failed.Direct {
		if r := m.snap.Instance(id); m.snap.Testimony(r) == topology.TestimonyReceives {
			m.gates.add(GateFinding, Fail, m.age(r), "%s still receives from %s", id, m.failed.Instance)
		}
	}
}

// safety adds the gates that decide whether acknowledged writes could be lost.
func (m *maker) safety(f *field) {
	age := m.age(f.reachable...)
	if f.donor != nil {
		m.gates.add(GateHoldsAll, Pass, age, "%s holds all that any reachable replica received", f.donor.Instance)
	} else if len(f.reachable) > 0 {
		m.gates.add(GateHoldsAll, Fail, age, "no replica holds everything: %s", missing(f))
	}
	last, lost := m.lastKnown(), m.lastKnown().Subtract(f.all)
	switch {
	case m.failed.Facts.At.IsZero() && m.goal.LastSeen.IsZero():
		m.gates.add(GatePrimaryPos, Unknown, 0, "%s was never seen, so what it had is not known", m.failed.Instance)
	case !lost.IsEmpty():
		m.gates.add(GatePrimaryPos, Fail, m.snap.At.Sub(m.lastSeen()), "%d transactions of %s are on no reachable replica: %s", lost.Count(), m.failed.Instance, lost)
	default:
		m.gates.add(GatePrimaryPos, Pass, m.snap.At.Sub(m.lastSeen()), "the replicas hold all %d transactions that %s was last seen with", last.Count(), m.failed.Instance)
	}
	m.semiSyncPromise(f)
}

func (m *maker) lastSeen() time.Time {
	if m.failed.Facts.At.After(m.goal.LastSeen) {
		return m.failed.Facts.At
	}
	return m.goal.LastSeen
}

// semiSyncPromise checks that whoever acknowledged the last commits can be reached. With k acknowledgements a commit, k-1 unreachable
// acknowledgers still leave one that holds it. A replica that had failed before the primary was last seen acknowledged nothing that the primary
// position gate does not cover.
func (m *maker) semiSyncPromise(f *field) {
	k := m.goal.SemiSyncWait
	if k == 0 {
		k = promised(&m.failed.Facts)
	}
	if k == 0 {
		m.gates.add(GateSemiSync, Pass, 0, "replication is asynchronous: there is no promise to keep, and writes of the last moment may be lost")
		return
	}
	var gone []topology.InstanceID
	reachable := make(map[topology.InstanceID]bool, len(f.reachable))
	for _, r := range f.reachable {
		reachable[r.Instance] = true
	}
	for _, r := range f.replicas {
		mayHaveAcknowledged := !r.Known() || r.Facts.SemiSync.ReplicaEnabled
		goneBefore := !r.FailingSince.IsZero() && r.FailingSince.Add(time.Second).Before(m.lastSeen())
		if !reachable[r.Instance] && mayHaveAcknowledged && !goneBefore {
			gone = append(gone, r.Instance)
		}
	}
	if len(gone) <= k-1 {
		m.gates.add(GateSemiSync, Pass, m.age(f.reachable...), "every commit waited for %d acknowledgements and %d who could have given one cannot be reached", k, len(gone))
		return
	}
	m.gates.add(GateSemiSync, Fail, m.age(f.reachable...), "every commit waited for %d acknowledgements, and those of the last ones may be only on %s, out of reach", k, names(gone))
}

// promised is how many acknowledgements a commit waits for; 0 where semi-sync is not in force.
func promised(f *topology.Facts) int {
	if f.SemiSync.SourceEnabled && f.SemiSync.SourceActive {
		return max(f.SemiSync.WaitFor, 1)
	}
	return 0
}

func missing(f *field) string {
	text := ""
	for _, c := range f.candidates {
		if text != "" {
			text += "; "
		}
		text += fmt.Sprintf("%s lacks %s", c.Instance, c.Behind)
	}
	return text
}

func (m *maker) followersGate(f *field, best *Candidate) {
	if best.strays == 0 {
		m.gates.add(GateFollow, Pass, m.age(f.reachable...), "all %d siblings can follow %s", len(f.reachable)-1, best.Instance)
		return
	}
	v := Pass
	if best.strays == len(f.reachable)-1 {
		v = Fail
	}
	m.gates.add(GateFollow, v, m.age(f.reachable...), "%d of %d siblings cannot follow %s (version %s)", best.strays, len(f.reachable)-1, best.Instance, best.instance.Facts.Version)
}

// freeze stops the receivers that still run, so that what was received can be compared. A hung primary gets its fence at the same time: it is the
// first thing it will do if it ever wakes up.
func (m *maker) freeze(f *field) Stage {
	st := Stage{Phase: PhaseFreeze}
	for _, r := range f.reachable {
		c, ok := r.Facts.Default()
		if ok && c.Source == m.goal.Failed && c.Receiver != topology.ReceiverStopped {
			st.Steps = append(st.Steps, Step{Action: StopReceiver, On: r.Instance, Flavor: r.Facts.Version.Flavor, MayFail: true, Why: "what it has received must not move while positions are compared"})
		}
	}
	if len(st.Steps) > 0 && m.failed.Agreed == topology.ReachTimeout {
		st.Steps = append(st.Steps, m.fenceDown())
	}
	return st
}

// fenceDown is the fence of a primary that does not answer: it is sent where a connection is still open, and never waited for.
func (m *maker) fenceDown() Step {
	return Step{Action: Fence, On: m.goal.Failed, Flavor: m.failed.Facts.Version.Flavor, MayFail: true, NoWait: true,
		Why: "if it wakes up it must refuse writes before it does anything else"}
}

// promotion is everything from the frozen positions to an open primary.
func (m *maker) promotion(f *field, best *Candidate) []Stage {
	s, flavor := best.instance, best.instance.Facts.Version.Flavor
	var stages []Stage
	goal := s.Facts.Received()
	if !best.Behind.IsEmpty() && f.donor != nil {
		goal = f.all
		stages = append(stages, Stage{Phase: PhaseCatchUp, Steps: []Step{{
			Action: PointAt, On: s.Instance, Source: f.donor.Instance, Flavor: flavor, SemiSync: s.Facts.SemiSync.ReplicaEnabled,
			Why: fmt.Sprintf("%s holds %d transactions that %s has not received", f.donor.Instance, best.Behind.Count(), s.Instance),
		}}})
	}
	if drain := m.drain(s, goal); len(drain.Steps) > 0 {
		stages = append(stages, drain)
	}
	stages = append(stages,
		Stage{Phase: PhaseDecide, Steps: []Step{{Action: AgreePrimary, On: s.Instance, Source: m.goal.Failed, GTIDs: goal, Why: "from here on nobody else may be promoted"}}},
		m.repoint(f.reachable, s),
		Stage{Phase: PhasePromote, Steps: []Step{m.makePrimary(s)}},
	)
	return stages
}

// drain lets the successor apply what it has received, with its durability relaxed where that is much.
func (m *maker) drain(s *topology.Instance, goal topology.GTIDSet) Stage {
	left := goal.Subtract(s.Facts.Executed).Count()
	if left == 0 {
		return Stage{}
	}
	flavor := s.Facts.Version.Flavor
	wait := Step{Action: WaitApplied, On: s.Instance, Flavor: flavor, GTIDs: goal, Timeout: m.drainTimeout(left),
		Why: fmt.Sprintf("%d received transactions are not applied yet; opening now would lose them", left)}
	st := Stage{Phase: PhaseDrain, Steps: []Step{wait}}
	kept := Durability{SyncBinlog: s.Facts.SyncBinlog, FlushLogAtTrxCommit: s.Facts.FlushLogAtTrxCommit}
	if left >= m.policy.RelaxAbove && m.policy.RelaxAbove > 0 {
		st.Steps = []Step{
			{Action: RelaxDurability, On: s.Instance, Flavor: flavor, MayFail: true, Why: "the drain is what clients wait for"},
			wait,
			{Action: RestoreDurability, On: s.Instance, Flavor: flavor, Settings: &kept, Why: "nothing is acknowledged before it is durable again"},
		}
	}
	return st
}

// drainTimeout bounds a drain: half a millisecond a transaction is far slower than any applier seen, and a drain that stalls is given up long before.
func (m *maker) drainTimeout(left uint64) time.Duration {
	return 30*time.Second + time.Duration(min(left, 1<<40))*5*time.Millisecond
}

func (m *maker) makePrimary(s *topology.Instance) Step {
	k := m.goal.SemiSyncWait
	if k == 0 {
		k = promised(&m.failed.Facts)
	}
	return Step{Action: MakePrimary, On: s.Instance, Flavor: s.Facts.Version.Flavor, WaitFor: k, Why: "it holds everything and has applied it"}
}

// repoint lets the siblings follow the successor. It does not hold up the promotion.
func (m *maker) repoint(siblings []*topology.Instance, s *topology.Instance) Stage {
	st := Stage{Phase: PhaseRepoint, Background: true}
	for _, r := range siblings {
		if _, lost := m.goal.Lost[r.Instance]; r == s || lost || !r.Up() || r.Quarantined {
			continue
		}
		if ok, _ := r.Facts.Version.MayReplicateFrom(s.Facts.Version); !ok {
			continue
		}
		st.Steps = append(st.Steps, m.pointAt(r, s))
	}
	return st
}

func (m *maker) pointAt(r, s *topology.Instance) Step {
	return Step{Action: PointAt, On: r.Instance, Source: s.Instance, Flavor: r.Facts.Version.Flavor, SemiSync: r.Facts.SemiSync.ReplicaEnabled, MayFail: true,
		Why: fmt.Sprintf("%s is the primary now", s.Instance)}
}

// abandonFailover starts again what the freeze has stopped.
func (m *maker) abandonFailover() (Plan, error) {
	if m.goal.Successor != "" {
		return m.finish() // agreed is agreed: the only way is forward
	}
	var ids []topology.InstanceID
	for _, r := range m.followers() {
		ids = append(ids, r.Instance)
	}
	st := m.startAgain(ids, m.goal.Failed)
	if len(st.Steps) == 0 {
		return Plan{Complete: true}, nil
	}
	return Plan{Stages: []Stage{st}}, nil
}
