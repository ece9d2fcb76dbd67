package sim

import (
	"slices"

	"github.com/batondb/baton/topology"
)

// Kill ends the process of a server.
func (f *Fleet) Kill(id topology.InstanceID) { f.with(id, (*Fleet).kill) }

func (f *Fleet) kill(s *server) {
	s.alive, s.hung, s.fenceOnWake = false, false, false
	s.receiver.connected, s.receiver.acks = false, nil
}

// Restart starts a killed server. Crash recovery keeps what was in the binary log: also what waited for an acknowledgement that never came. What
// was applied while durability was relaxed is gone. Replicas come up read-only, whatever they were before, as it is good practice to configure.
func (f *Fleet) Restart(id topology.InstanceID) { f.with(id, (*Fleet).restart) }

func (f *Fleet) restart(s *server) {
	if s.alive {
		return
	}
	for _, t := range s.sinceRelaxed {
		s.executed.remove(t)
		s.logged.remove(t)
		if n := slices.Index(s.log, t); n >= 0 {
			s.log = slices.Delete(s.log, n, n+1)
		}
		s.changed()
	}
	s.sinceRelaxed = nil
	for _, c := range s.waiting {
		s.commit(c.t)
	}
	s.alive, s.waiting, s.durability = true, nil, s.kept
	s.readOnly, s.superReadOnly, s.fenced = s.StartsReadOnly || s.source != "", false, false
	s.receiver.on, s.receiver.errno, s.receiver.next = s.source != "", 0, f.at
	s.applier.on, s.applier.errno = s.source != "", 0
	s.stopped = false
}

// Hang stops a server without ending it, as SIGSTOP or a dead disk does: connections stay open and nobody answers.
func (f *Fleet) Hang(id topology.InstanceID) {
	f.with(id, func(_ *Fleet, s *server) { s.hung = s.alive })
}

// Wake lets a hung server go on. A fence that was sent to it meanwhile is the first thing it does.
func (f *Fleet) Wake(id topology.InstanceID) {
	f.with(id, func(f *Fleet, s *server) {
		s.hung = false
		if s.fenceOnWake {
			s.fenceOnWake = false
			f.fence(s)
		}
	})
}

// Cut drops all packets between two parties; connections stay open until somebody notices.
func (f *Fleet) Cut(a, b Party) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cuts[pair(a, b)] = true
}

// Heal lets packets pass again.
func (f *Fleet) Heal(a, b Party) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.cuts, pair(a, b))
}

// Isolate cuts a server off from everybody.
func (f *Fleet) Isolate(id topology.InstanceID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, other := range append(f.parties(), Baton, Clients) {
		if other != id {
			f.cuts[pair(id, other)] = true
		}
	}
}

func (f *Fleet) parties() []Party {
	var out []Party
	for _, s := range f.servers {
		out = append(out, s.ID)
	}
	return out
}

// HealAll ends every cut, wakes every server that hangs and starts every server that is dead.
func (f *Fleet) HealAll() {
	f.mu.Lock()
	clear(f.cuts)
	clear(f.denied)
	ids := f.parties()
	f.mu.Unlock()
	for _, id := range ids {
		f.Wake(id)
		f.Restart(id)
	}
}

// InterruptPromotion makes the next promotion of a server break off after it was opened and before its replication is cleaned up.
func (f *Fleet) InterruptPromotion(id topology.InstanceID) {
	f.with(id, func(_ *Fleet, s *server) { s.halfway++ })
}

// Deny lets a source turn a replica's account away, or take it again.
func (f *Fleet) Deny(replica, source topology.InstanceID, deny bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.denied[[2]Party{replica, source}] = deny
}

// BreakApplier makes an applier stop with an error at whatever it applies next; 0 mends it.
func (f *Fleet) BreakApplier(id topology.InstanceID, errno int) {
	f.with(id, func(_ *Fleet, s *server) {
		s.applier.fails = errno
		if errno == 0 {
			s.applier.on, s.applier.errno = s.source != "", 0
		}
	})
}

// StallApplier stops an applier, or starts it, as a person does.
func (f *Fleet) StallApplier(id topology.InstanceID, stopped bool) {
	f.with(id, func(_ *Fleet, s *server) { s.applier.on = !stopped })
}

// StopReceiver stops a receiver as a person does.
func (f *Fleet) StopReceiver(id topology.InstanceID) {
	f.with(id, func(_ *Fleet, s *server) { s.receiver.on, s.receiver.connected, s.receiver.acks = false, false, nil })
}

// SetReadOnly closes or opens a server as a person does.
func (f *Fleet) SetReadOnly(id topology.InstanceID, readOnly, super bool) {
	f.with(id, func(_ *Fleet, s *server) { s.readOnly, s.superReadOnly = readOnly, super })
}

// Purge removes all but the newest transactions from the binary log of a server.
func (f *Fleet) Purge(id topology.InstanceID, keep int) {
	f.with(id, func(_ *Fleet, s *server) { s.purged = max(0, len(s.log)-keep) })
}

func (f *Fleet) with(id topology.InstanceID, change func(*Fleet, *server)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.byID[id]; s != nil {
		change(f, s)
	}
}
