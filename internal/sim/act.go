package sim

import (
	"errors"
	"fmt"

	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// errNotYet is the answer of a step that has to wait.
var errNotYet = errors.New("not yet")

// act does what a step asks of a server, as far as it can be done at this moment. It refuses what a real server or a careful actor refuses.
func (f *Fleet) act(step remediation.Step) error {
	s := f.byID[step.On]
	switch step.Action {
	case remediation.StopReceiver:
		s.receiver.on, s.receiver.connected, s.receiver.acks, s.stopped = false, false, nil, true
		return nil
	case remediation.StartReplication:
		return f.start(s)
	case remediation.RestartReceiver:
		if s.mariaDB() && len(s.relay) > 0 {
			return fmt.Errorf("%s has not applied all it received, and a restart would drop it", s.ID)
		}
		s.receiver.on, s.receiver.connected, s.receiver.errno, s.receiver.acks, s.receiver.next = true, false, 0, nil, f.at
		return nil
	case remediation.WaitApplied:
		return f.drained(s, step.GTIDs)
	case remediation.RelaxDurability:
		s.durability = remediation.Durability{SyncBinlog: 0, FlushLogAtTrxCommit: 2}
		return nil
	case remediation.RestoreDurability:
		s.durability, s.sinceRelaxed = *step.Settings, nil
		return nil
	case remediation.Fence:
		f.fence(s)
		return nil
	case remediation.Unfence:
		if step.WaitFor > 0 {
			s.semiSource, s.waitFor = true, step.WaitFor
		}
		s.readOnly, s.superReadOnly, s.fenced = false, false, false
		return nil
	case remediation.MakePrimary:
		return f.promote(s, step)
	case remediation.PointAt:
		return f.pointAt(s, step)
	}
	return fmt.Errorf("%s is no step for a server", step.Action)
}

// done reports whether the effect of a step is there.
func (f *Fleet) done(step remediation.Step) bool {
	s := f.byID[step.On]
	switch step.Action {
	case remediation.StopReceiver:
		return !s.receiver.on
	case remediation.StartReplication:
		return s.source != "" && s.receiver.on && s.applier.on
	case remediation.WaitApplied:
		return f.executedSet(s).Contains(step.GTIDs)
	case remediation.RelaxDurability:
		return s.durability.SyncBinlog == 0
	case remediation.RestoreDurability:
		return s.durability == *step.Settings && len(s.sinceRelaxed) == 0
	case remediation.Fence:
		return !s.writable()
	case remediation.Unfence:
		return s.writable() && (step.WaitFor == 0 || s.semiSource && s.waitFor == step.WaitFor)
	case remediation.MakePrimary:
		return s.source == "" && s.writable()
	case remediation.PointAt:
		return s.source == step.Source && s.receiver.on && s.applier.on
	}
	return false
}

// start starts both threads. A MariaDB receiver that starts drops what is not applied and asks for it again.
func (f *Fleet) start(s *server) error {
	if s.source == "" {
		return fmt.Errorf("%s has no source", s.ID)
	}
	if s.mariaDB() && len(s.relay) > 0 && !s.receiver.on {
		if !s.applier.on {
			return fmt.Errorf("%s has not applied all it received, and a start would drop it", s.ID)
		}
		f.drop(s)
	}
	if !s.receiver.on {
		s.receiver.on, s.receiver.connected, s.receiver.errno, s.receiver.next = true, false, 0, f.at
	}
	s.applier.on, s.applier.errno, s.stopped = true, 0, false
	return nil
}

// drop loses the relay log. That is the one thing that must never happen to what was not applied.
func (f *Fleet) drop(s *server) {
	if len(s.relay) > 0 {
		f.violated("law 3: %d received and unapplied transactions of %s were dropped", len(s.relay), s.ID)
	}
	s.relay, s.received = nil, nil
}

// drained reports whether everything asked for is applied, and starts the applier where it stands still.
func (f *Fleet) drained(s *server, want topology.GTIDSet) error {
	if f.executedSet(s).Contains(want) {
		return nil
	}
	if s.applier.errno != 0 {
		return fmt.Errorf("the applier of %s stopped with error %d", s.ID, s.applier.errno)
	}
	s.applier.on = s.source != ""
	return errNotYet
}

// fence closes a server. Writers that wait for semi-sync replicas lose their connections first, so that closing tells none of them that it has
// succeeded; what they wrote stays.
func (f *Fleet) fence(s *server) {
	for _, c := range s.waiting {
		s.commit(c.t)
	}
	s.waiting = nil
	s.readOnly, s.superReadOnly, s.fenced = true, !s.mariaDB(), true
}

// promote stops the receiver of a server, and opens it if it has applied everything.
func (f *Fleet) promote(s *server, step remediation.Step) error {
	s.receiver.on, s.receiver.connected, s.receiver.acks, s.stopped = false, false, nil, true
	if len(s.relay) > 0 {
		return fmt.Errorf("%s has %d received transactions that are not applied", s.ID, len(s.relay))
	}
	if lacks := step.GTIDs.Subtract(f.executedSet(s)); !lacks.IsEmpty() {
		return fmt.Errorf("%s lacks %s, which a primary must have", s.ID, lacks)
	}
	s.semiReplica = false
	s.semiSource, s.waitFor = step.WaitFor > 0, step.WaitFor
	s.readOnly, s.superReadOnly, s.fenced = false, false, false
	if s.halfway > 0 {
		s.halfway--
		return fmt.Errorf("%s went away before its replication was cleaned up", s.ID)
	}
	s.receiver, s.applier, s.stopped, s.source = receiver{}, applier{fails: s.applier.fails}, false, ""
	return nil
}

// pointAt lets a server replicate from another one. It never drops what is not applied: MySQL keeps it as long as the applier runs, MariaDB has to
// apply it first.
func (f *Fleet) pointAt(s *server, step remediation.Step) error {
	if step.Source == s.ID || f.byID[step.Source] == nil {
		return fmt.Errorf("%s cannot replicate from %q", s.ID, step.Source)
	}
	if s.source == "" && s.writable() {
		return fmt.Errorf("%s takes writes; it must be fenced before it can become a replica", s.ID)
	}
	if s.source == step.Source && s.receiver.on && s.applier.on {
		s.semiReplica, s.stopped = step.SemiSync, false
		return nil
	}
	if len(s.relay) > 0 {
		if s.applier.fails != 0 {
			s.applier.errno = s.applier.fails
			return fmt.Errorf("the applier of %s stopped with error %d and its relay log is not applied", s.ID, s.applier.errno)
		}
		s.applier.on = true
		if s.mariaDB() {
			s.receiver.on, s.receiver.connected, s.receiver.acks, s.stopped = false, false, nil, true
			return errNotYet
		}
	}
	s.source = step.Source
	s.receiver = receiver{on: true, next: f.at}
	s.applier.on, s.applier.errno = true, 0
	s.semiReplica, s.semiSource, s.stopped = step.SemiSync, false, false
	return nil
}
