package remediation

import (
	"fmt"
	"time"

	"github.com/batondb/baton/topology"
)

// handOut lets the donor apply what it is to hand on, where that does not go on by itself: its applier stands still, or it runs MariaDB, which turns
// away a replica that has received more than its source has applied.
func (m *maker) handOut(f *field) Stage {
	st := Stage{Phase: PhaseCatchUp}
	c, _ := f.donor.Facts.Default()
	if left := f.all.Subtract(f.donor.Facts.Executed).Count(); left > 0 && (c.Applier != topology.ApplierRunning || f.donor.Facts.Version.IsMariaDB()) {
		st.Steps = append(st.Steps, Step{
			Action: WaitApplied, On: f.donor.Instance, Flavor: f.donor.Facts.Version.Flavor, GTIDs: f.all, Timeout: m.drainTimeout(left),
			Why: fmt.Sprintf("it can hand on only what it has applied, and %d transactions are not", left),
		})
	}
	return st
}

// drain lets the successor apply what it has received, with its durability relaxed where that is much.
func (m *maker) drain(s *topology.Instance, goal topology.GTIDSet) Stage {
	st := Stage{Phase: PhaseDrain}
	left := goal.Subtract(s.Facts.Executed).Count()
	if left == 0 {
		st.Steps = m.owed(s)
		return st
	}
	flavor := s.Facts.Version.Flavor
	wait := Step{
		Action: WaitApplied, On: s.Instance, Flavor: flavor, GTIDs: goal, Timeout: m.drainTimeout(left),
		Why: fmt.Sprintf("%d received transactions are not applied yet; opening now would lose them", left),
	}
	st.Steps = append(st.Steps, wait)
	if left >= m.policy.RelaxAbove && m.policy.RelaxAbove > 0 && m.spared(s, goal) {
		st.Steps = []Step{
			{Action: RelaxDurability, On: s.Instance, Flavor: flavor, MayFail: true, Why: "the drain is what clients wait for"},
			wait, m.restore(s),
		}
	} else {
		st.Steps = append(st.Steps, m.owed(s)...)
	}
	return st
}

// drainBeside lets siblings drain at the same time as the successor, as many as must acknowledge its first commit: a MariaDB replica can follow
// only when it has applied what it received. One replica that holds everything keeps its durability all the while.
func (m *maker) drainBeside(f *field, s *topology.Instance, goal topology.GTIDSet) Stage {
	st := Stage{Phase: PhaseDrain, Background: true}
	need, durable := m.makePrimary(s, goal).WaitFor, -1 // one of the holders is not taken
	for _, r := range f.reachable {
		if r != s && r.Facts.Received().Contains(goal) {
			durable++
		}
	}
	for _, r := range f.reachable {
		left := m.unapplied(r)
		if need == 0 || durable <= 0 || r == s || !r.Facts.Version.IsMariaDB() || left.Count() < max(m.policy.RelaxAbove, 1) || m.stuck(r) > 0 {
			continue
		}
		need, durable = need-1, durable-1
		flavor := r.Facts.Version.Flavor
		restore := m.restore(r)
		restore.MayFail = true
		st.Steps = append(st.Steps,
			Step{Action: RelaxDurability, On: r.Instance, Flavor: flavor, MayFail: true, Why: "the first commit waits for its acknowledgement"},
			Step{
				Action: WaitApplied, On: r.Instance, Flavor: flavor, GTIDs: r.Facts.Received(), MayFail: true, Timeout: m.drainTimeout(left.Count()),
				Why: fmt.Sprintf("it can follow %s when it has applied what it received", s.Instance),
			},
			restore)
	}
	return st
}

// spared reports whether another replica within reach holds all that s is to apply: while s is not durable, its crash must not lose the only copy.
func (m *maker) spared(s *topology.Instance, goal topology.GTIDSet) bool {
	for _, r := range m.followers() {
		if r != s && m.canBeHelped(r) && r.Facts.Received().Contains(goal) {
			return true
		}
	}
	return false
}

// drainTimeout bounds a drain: five milliseconds a transaction is far slower than any applier seen, and a drain that stalls is given up long before.
func (m *maker) drainTimeout(left uint64) time.Duration {
	return 30*time.Second + time.Duration(min(left, 1<<40))*5*time.Millisecond
}
