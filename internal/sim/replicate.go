package sim

import (
	"slices"
	"time"

	"github.com/batondb/baton/topology"
)

// How the model's time is cut. While nothing moves it moves in longer steps.
const (
	tick     = time.Millisecond
	idleTick = 20 * time.Millisecond
	beat     = 200 * time.Millisecond // between heartbeats of a source
	retry    = 100 * time.Millisecond // between attempts of a receiver to connect
)

// Error numbers that servers give.
const (
	errnoCannotConnect = 2003
	errnoLost          = 2013
	errnoDenied        = 1045
	errnoPosition      = 1236 // the source does not have what the replica asks for
)

// Advance moves the fleet to a later moment: clients write, receivers receive, appliers apply, connections break and come back. The same calls
// on a fleet of the same seed give the same fleet.
func (f *Fleet) Advance(to time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.advance(to)
}

func (f *Fleet) advance(to time.Time) {
	moved := true
	for f.at.Before(to) {
		step := idleTick
		if moved {
			step = tick
		}
		f.at = f.at.Add(min(step, to.Sub(f.at)))
		moved = f.clients()
		for _, s := range f.servers {
			if s.alive && !s.hung {
				moved = f.receive(s) || moved
				moved = f.apply(s) || moved
			}
		}
		for _, s := range f.servers {
			moved = f.acknowledge(s) || moved
		}
		f.watch()
	}
}

// linked reports whether packets pass between two parties.
func (f *Fleet) linked(a, b Party) bool { return !f.cuts[pair(a, b)] }

func pair(a, b Party) [2]Party {
	if b < a {
		a, b = b, a
	}
	return [2]Party{a, b}
}

// receive is a moment of a receiver. It reports whether there is more to come.
func (f *Fleet) receive(r *server) bool {
	if !r.receiver.on {
		return false
	}
	src := f.byID[r.source]
	up := src != nil && src.alive && !src.hung && f.linked(r.ID, src.ID)
	if !r.receiver.connected {
		if f.at.Before(r.receiver.next) {
			return false
		}
		r.receiver.next = f.at.Add(retry)
		switch {
		case src == nil || !src.alive && f.linked(r.ID, src.ID):
			r.receiver.errno = errnoCannotConnect
		case !up:
			// The attempt hangs; the error comes when it times out.
		case f.denied[[2]Party{r.ID, src.ID}]:
			r.receiver.errno = errnoDenied
		default:
			f.connect(r, src)
		}
		return r.receiver.connected
	}
	switch {
	case !src.alive && f.linked(r.ID, src.ID):
		f.disconnect(r, errnoLost) // the kernel of the dead server says so
	case !up:
		if r.receiver.silent.IsZero() {
			r.receiver.silent = f.at
		}
		if f.at.Sub(r.receiver.silent) >= f.options.NetTimeout {
			f.disconnect(r, errnoCannotConnect)
		}
	default:
		r.receiver.silent = time.Time{}
		r.receiver.beats = uint64(f.at.Sub(f.options.Start) / beat)
		f.stream(r, src)
		return r.receiver.cursor < len(src.log)
	}
	return false
}

func (f *Fleet) disconnect(r *server, errno int) {
	r.receiver.connected, r.receiver.errno, r.receiver.acks, r.receiver.silent = false, errno, nil, time.Time{}
	r.receiver.next = f.at.Add(retry)
}

// connect lets a source accept a replica, or tell it that it cannot have what it asks for.
func (f *Fleet) connect(r, src *server) {
	cursor := 0
	if r.mariaDB() {
		// It asks for what follows its own position; a source that never had that position refuses.
		if last := r.lastLogged(); last >= 0 {
			n := slices.Index(src.log, last)
			if n < 0 || n+1 < src.purged {
				r.receiver.on, r.receiver.errno = false, errnoPosition
				return
			}
			cursor = n + 1
		}
	} else {
		for _, t := range src.log[:src.purged] {
			if !r.holds(t) {
				r.receiver.on, r.receiver.errno = false, errnoPosition
				return
			}
		}
	}
	r.receiver.connected, r.receiver.errno, r.receiver.cursor, r.receiver.silent = true, 0, cursor, time.Time{}
}

// lastLogged is the transaction at which a MariaDB replica stands: what it received beyond is in its relay log or gone.
func (s *server) lastLogged() int {
	if len(s.relay) > 0 {
		return s.relay[len(s.relay)-1].t
	}
	if len(s.log) == 0 {
		return -1
	}
	return s.log[len(s.log)-1]
}

// stream sends some transactions from a source to a replica.
func (f *Fleet) stream(r, src *server) {
	for n := f.rng.IntN(f.options.Stream + 1); n > 0 && r.receiver.cursor < len(src.log); r.receiver.cursor++ {
		t := src.log[r.receiver.cursor]
		if r.holds(t) {
			continue
		}
		r.relay = append(r.relay, relayed{t, f.at})
		r.received.add(t)
		if r.semiReplica && src.semiSource {
			r.receiver.acks = append(r.receiver.acks, t)
		}
		n--
	}
}

// apply is a moment of an applier.
func (f *Fleet) apply(r *server) bool {
	if !r.applier.on || len(r.relay) == 0 {
		return false
	}
	if r.applier.fails != 0 {
		r.applier.on, r.applier.errno = false, r.applier.fails
		return false
	}
	done := 0
	for most := f.rng.IntN(f.options.Apply + 1); done < most && done < len(r.relay); done++ {
		next := r.relay[done]
		if f.at.Before(next.at.Add(r.Delay)) {
			break
		}
		r.received.remove(next.t)
		r.write(next.t)
		r.commit(next.t)
	}
	r.relay = r.relay[done:]
	return len(r.relay) > 0 && r.Delay == 0
}

// acknowledge carries the acknowledgements of a replica to its source: one moment after what they acknowledge, so that a link can break between.
func (f *Fleet) acknowledge(r *server) bool {
	acks := r.receiver.acks
	if len(acks) == 0 || !r.alive || r.hung {
		return false
	}
	src := f.byID[r.source]
	r.receiver.acks = nil
	if src == nil || !r.receiver.connected || !src.alive || src.hung || !f.linked(r.ID, src.ID) {
		return false
	}
	for _, t := range acks {
		for n := range src.waiting {
			if c := &src.waiting[n]; c.t == t && !c.by.has(r.n) {
				c.by.add(r.n)
				c.count++
			}
		}
	}
	f.release(src)
	return true
}

// release commits what has waited long enough, in order.
func (f *Fleet) release(s *server) {
	for len(s.waiting) > 0 {
		c := s.waiting[0]
		if s.semiSource && c.count < s.waitFor {
			return
		}
		s.waiting = s.waiting[1:]
		s.commit(c.t)
		if f.linked(Clients, s.ID) {
			_, deposed := f.ledger.intents.Deposed[s.ID]
			f.all[c.t].acked, f.all[c.t].promised, f.all[c.t].late = true, s.semiSource && c.count >= s.waitFor, deposed
		}
	}
}

// Position is what the log of a server holds, committed or not.
func (f *Fleet) Position(id topology.InstanceID) topology.GTIDSet {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.byID[id]
	return f.gtidsOf(s.logged, s)
}
