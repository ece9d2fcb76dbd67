package remediation

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/topology"
)

// failover replaces a primary that is down. It goes through three plans: freeze what the replicas have received; choose, drain and promote;
// bring along who is left. Which of them is next is read from the snapshot.
func (m *maker) failover() (Plan, error) {
	switch {
	case m.goal.Abort:
		return m.abandonFailover()
	case m.goal.Successor != "" && !m.successorDown():
		return m.finish()
	}
	return m.replace()
}

// replace plans how somebody else becomes the primary in place of one that is down.
func (m *maker) replace() (Plan, error) {
	m.opening()
	m.stillDown()
	if text := cmp.Or(m.undecided(), m.successorHeld()); text != "" {
		return Plan{Waiting: text}, nil
	}
	f := m.survey()
	best := m.choose(&f)
	m.safety(&f, best)
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
	if last := plan.Stages[len(plan.Stages)-1].Phase; last != PhasePromote {
		plan.Next = fmt.Sprintf("when it has applied everything, and %s is still down, %s is promoted", m.goal.Failed, best.Instance)
	}
	return plan, nil
}

// undecided says that it is not known yet how the failed instance is. A recovery that is under way looks again, where one that has not begun is
// refused: whoever takes it up may not have seen enough yet.
func (m *maker) undecided() string {
	if !m.goal.Opened || m.failed.Down || m.failed.Agreed.Alive() {
		return ""
	}
	return fmt.Sprintf("whether %s is down is not known yet (%s, %d failed attempts)", m.failed.Instance, m.failed.Agreed, m.failed.Failures)
}

// successorDown reports whether the successor agreed on went down before the recovery ended. Then it counts as failed with the primary, and what it
// may have accepted is guarded by the same gates.
func (m *maker) successorDown() bool {
	s := m.snap.Instance(m.goal.Successor)
	return s == nil || s.Down
}

// successorHeld says who still receives from a successor that is down for us: then it lives, and nobody else may be promoted beside it.
func (m *maker) successorHeld() string {
	s := m.snap.Instance(m.goal.Successor)
	if s == nil {
		s = m.agreedOn()
	}
	if s == nil {
		return ""
	}
	for _, id := range s.Direct {
		if m.snap.Testimony(m.snap.Instance(id)) == topology.TestimonyReceives {
			return fmt.Sprintf("%s, agreed on as the primary, does not answer, but %s still receives from it", s.Instance, id)
		}
	}
	return ""
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
	case m.onlyHere():
		m.gates.add(GateQuorum, Unknown, age, "%s is down for this node (%s), and no majority of %d nodes agrees", m.failed.Instance, m.failed.Reach, m.snap.Nodes)
		return
	default:
		m.gates.add(GateFinding, Unknown, age, "whether %s is down is not known yet (%s, %d failed attempts)", m.failed.Instance, m.failed.Agreed, m.failed.Failures)
		return
	}
	if m.snap.Nodes > 1 {
		m.gates.add(GateQuorum, Pass, age, "a majority of %d nodes agrees", m.snap.Nodes)
	}
	// A receiver that is stopped testifies no more; one that still receives does, also when the recovery was opened by somebody else.
	for _, id := range m.failed.Direct {
		if r := m.snap.Instance(id); m.snap.Testimony(r) == topology.TestimonyReceives {
			m.gates.add(GateFinding, Fail, m.age(r), "%s still receives from %s", id, m.failed.Instance)
		}
	}
}

// onlyHere reports whether this node alone sees the instance down, where there are several.
func (m *maker) onlyHere() bool {
	_, down := m.snap.Here(m.failed)
	return down && m.snap.Nodes > 1
}

// safety adds the gates that decide whether acknowledged writes could be lost.
func (m *maker) safety(f *field, best *Candidate) {
	age := m.age(f.reachable...)
	switch {
	case len(f.reachable) == 0:
	case f.donor == nil:
		m.gates.add(GateHoldsAll, Fail, age, "no replica holds everything: %s", missing(f))
	case best != nil && !best.Behind.IsEmpty() && f.mute != "":
		m.gates.add(GateHoldsAll, Fail, age, "%s lacks %d transactions that only %s holds, and cannot get them from there: %s (%s)",
			best.Instance, best.Behind.Count(), f.donor.Instance, f.mute, best.Behind)
	default:
		m.gates.add(GateHoldsAll, Pass, age, "%s holds all that any reachable replica received", f.donor.Instance)
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

// semiSyncPromise checks that whoever acknowledged the last commits can be reached, or that others hold what it had. With k acknowledgements a
// commit, k-1 unreachable acknowledgers still leave one that holds it.
func (m *maker) semiSyncPromise(f *field) {
	k := m.goal.SemiSyncWait
	if k == 0 {
		k = promised(&m.failed.Facts)
	}
	if k == 0 {
		m.gates.add(GateSemiSync, Pass, 0, "replication is asynchronous: there is no promise to keep, and writes of the last moment may be lost")
		return
	}
	gone := m.unheard(f)
	if len(gone) <= k-1 {
		m.gates.add(GateSemiSync, Pass, m.age(f.reachable...), "every commit waited for %d acknowledgements and %d who could have given one cannot be reached", k, len(gone))
		return
	}
	m.gates.add(GateSemiSync, Fail, m.age(f.reachable...), "every commit waited for %d acknowledgements, and those of the last ones may be only on %s, out of reach", k, names(gone))
}

// unheard are the replicas out of reach that may have acknowledged commits which nobody else holds. A replica that had failed before the primary
// was last seen acknowledged nothing that the position of the primary does not cover, unless it failed for us alone: so the primary's own count of
// acknowledging replicas must be explained by the others. And one whose last words were read when it could receive no more has said all it has.
func (m *maker) unheard(f *field) []topology.InstanceID {
	var gone, before []topology.InstanceID
	connected := 0
	for _, r := range f.replicas {
		switch {
		case r.Known() && !r.Facts.SemiSync.ReplicaEnabled:
		case slices.Contains(f.reachable, r):
			connected += m.heldTheLink(r)
		case m.accounted(r, f):
			connected++
		case !r.FailingSince.IsZero() && r.FailingSince.Add(time.Second).Before(m.lastSeen()):
			before = append(before, r.Instance)
		default:
			gone = append(gone, r.Instance)
			connected++
		}
	}
	if hidden := m.failed.Facts.SemiSync.SourceClients - connected; hidden > 0 {
		gone = append(gone, before[:min(hidden, len(before))]...)
	}
	return gone
}

// heldTheLink is 1 for a replica that may have been connected to the primary when that was last seen.
func (m *maker) heldTheLink(r *topology.Instance) int {
	c, _ := r.Facts.Default()
	if c.Receiver != topology.ReceiverConnected && c.ReceiverSince.Before(m.lastSeen().Add(-m.snap.Patience.Slack)) {
		return 0
	}
	return 1
}

// accounted reports whether everything that an unreachable replica had is known and held by others: its last answer came after its receiver was
// stopped for good.
func (m *maker) accounted(r *topology.Instance, f *field) bool {
	c, ok := r.Facts.Default()
	stopped := ok && c.Receiver == topology.ReceiverStopped || !ok
	return r.Known() && stopped && !m.failed.FailingSince.IsZero() && r.Facts.At.After(m.failed.FailingSince) && f.all.Contains(r.Facts.Received())
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

// freeze stops the receivers that still run, so that what was received can be compared. The old primary is not fenced yet: should it wake up, or
// the plan be refused, it is still the primary. A MariaDB replica that cannot apply what it has is left alone: starting it again would drop that.
func (m *maker) freeze(f *field) Stage {
	st := Stage{Phase: PhaseFreeze}
	for _, r := range f.reachable {
		c, ok := r.Facts.Default()
		fragile := r.Facts.Version.IsMariaDB() && (c.Applier != topology.ApplierRunning || c.Delay > 0) && !m.unapplied(r).IsEmpty()
		if ok && !fragile && (c.Source == m.goal.Failed || c.Source == m.goal.Successor) && c.Receiver != topology.ReceiverStopped {
			st.Steps = append(st.Steps, Step{Action: StopReceiver, On: r.Instance, Flavor: r.Facts.Version.Flavor, MayFail: true, Why: "what it has received must not move while positions are compared"})
		}
	}
	return st
}

// fenceDown is the fence of a primary that does not answer: it is sent where a connection is still open, and never waited for. Should the primary
// ever wake up, it is the first thing it does. It is sent once the successor is agreed on, because then it never has to be taken back.
func (m *maker) fenceDown() Step {
	return Step{
		Action: Fence, On: m.goal.Failed, Flavor: m.failed.Facts.Version.Flavor, MayFail: true, NoWait: true,
		Why: "if it wakes up it must refuse writes before it does anything else",
	}
}

// promotion is what comes next between frozen positions and an open primary: the drain of the successor, and then its promotion.
func (m *maker) promotion(f *field, best *Candidate) []Stage {
	s, flavor := best.instance, best.instance.Facts.Version.Flavor
	var stages []Stage
	goal := s.Facts.Received()
	if !best.Behind.IsEmpty() && f.donor != nil && f.mute == "" {
		goal = goal.Union(f.all)
		if hand := m.handOut(f); len(hand.Steps) > 0 {
			stages = append(stages, hand)
		}
		stages = append(stages, Stage{Phase: PhaseCatchUp, Steps: []Step{{
			Action: PointAt, On: s.Instance, Source: f.donor.Instance, Flavor: flavor, SemiSync: s.Facts.SemiSync.ReplicaEnabled,
			Why: fmt.Sprintf("%s holds %d transactions that %s has not received", f.donor.Instance, best.Behind.Count(), s.Instance),
		}}})
	}
	if drain := m.drain(s, goal); len(drain.Steps) > 0 {
		if beside := m.drainBeside(f, s, goal); len(beside.Steps) > 0 {
			stages = append(stages, beside)
		}
		stages = append(stages, drain)
	}
	if len(stages) > 0 {
		return stages // that takes time, in which the old primary may come back: it is looked at again before anything is agreed on
	}
	deposed := m.goal.Failed
	if m.goal.Successor != "" {
		deposed = m.goal.Successor // it was agreed on, went down, and may be open when it comes back
	}
	return append(stages,
		Stage{Phase: PhaseDecide, Steps: []Step{{Action: AgreePrimary, On: s.Instance, Source: deposed, GTIDs: goal, Why: "from here on nobody else may be promoted"}}},
		Stage{Phase: PhaseFence, Background: true, Steps: []Step{m.fenceDown()}},
		m.repoint(f.reachable, s, goal),
		Stage{Phase: PhasePromote, Steps: []Step{m.makePrimary(s, goal)}},
	)
}

func (m *maker) makePrimary(s *topology.Instance, holding topology.GTIDSet) Step {
	k := m.goal.SemiSyncWait
	if k == 0 {
		k = promised(&m.failed.Facts)
	}
	return Step{Action: MakePrimary, On: s.Instance, Flavor: s.Facts.Version.Flavor, WaitFor: k, GTIDs: holding, Why: "it holds everything and has applied it"}
}

// repoint lets the siblings follow the successor, which holds at least what is named. It does not hold up the promotion. A sibling that holds
// something else would bring it into the new history, so it is kept out.
func (m *maker) repoint(siblings []*topology.Instance, s *topology.Instance, holds topology.GTIDSet) Stage {
	st := Stage{Phase: PhaseRepoint, Background: true}
	for _, r := range siblings {
		if _, lost := m.goal.Lost[r.Instance]; r == s || lost || !r.Up() || r.Quarantined {
			continue
		}
		if ok, why := r.Facts.Version.MayReplicateFrom(s.Facts.Version); !ok {
			st.Steps = append(st.Steps, m.leave(r, fmt.Sprintf("it cannot follow %s: %s", s.Instance, why))...)
			continue
		}
		// Who already hangs below s by somebody else may have read more from it than we have seen of it.
		if ahead := r.Facts.Received().Subtract(m.errant(r)).Subtract(holds); !ahead.IsEmpty() && !m.isBelow(r, s) {
			st.Steps = append(st.Steps, Step{
				Action: Quarantine, On: r.Instance, GTIDs: ahead, MayFail: true,
				Why: fmt.Sprintf("it holds %d transactions that %s does not have: %s", ahead.Count(), s.Instance, ahead),
			})
			continue
		}
		if left := m.stuck(r); left > 0 {
			st.Steps = append(st.Steps, m.leave(r, fmt.Sprintf("moving it would drop %d received transactions that it applies late on purpose", left))...)
			continue
		}
		st.Steps = append(st.Steps, m.pointAt(r, s))
	}
	return st
}

// leave is what becomes of a sibling that cannot be moved: below an old primary that lives it is well where it is, otherwise it is quarantined.
func (m *maker) leave(r *topology.Instance, why string) []Step {
	if m.goal.Kind == analysis.RecoveryTakeover {
		return nil
	}
	return []Step{{Action: Quarantine, On: r.Instance, Why: why, MayFail: true}}
}

// stuck counts the received transactions that keep a delayed MariaDB replica where it is: they cannot be applied in time and would be dropped.
func (m *maker) stuck(r *topology.Instance) uint64 {
	move := Step{Action: PointAt}
	if c, _ := r.Facts.Default(); c.Delay < move.deadline() || !r.Facts.Version.IsMariaDB() {
		return 0
	}
	return m.unapplied(r).Count()
}

// pointAt gives a replica its time only where it may have to apply what it received first. Everybody else answers at once or not at all.
func (m *maker) pointAt(r, s *topology.Instance) Step {
	step := Step{
		Action: PointAt, On: r.Instance, Source: s.Instance, Flavor: r.Facts.Version.Flavor, SemiSync: r.Facts.SemiSync.ReplicaEnabled, MayFail: true,
		Why: fmt.Sprintf("%s is the primary now", s.Instance),
	}
	step.Timeout = 5 * time.Second
	if r.Facts.Version.IsMariaDB() {
		step.Timeout = m.drainTimeout(m.unapplied(r).Count())
	}
	return step
}

// abandonFailover starts again what the freeze has stopped, and puts back who was moved below a donor.
func (m *maker) abandonFailover() (Plan, error) {
	if m.goal.Successor != "" && !m.successorDown() {
		return m.finish() // agreed is agreed: the only way is forward
	}
	plan := Plan{}
	back := Stage{Phase: PhaseRestore}
	for _, r := range m.followers() {
		if moved := r.Source != m.goal.Failed && r.Source != "" && m.goal.Successor == ""; moved && m.canBeHelped(r) {
			step := m.pointAt(r, m.failed)
			step.Why = "the failover was given up"
			back.Steps = append(back.Steps, step)
		}
	}
	return m.putInOrder(plan, back), nil
}
