package sim

import (
	"fmt"

	"github.com/batondb/baton/topology"
)

// Write is one write of a client. It reports whether it was acknowledged at once; one that waits for semi-sync replicas may be acknowledged later,
// see Acknowledged. The error says why the server did not take it.
func (f *Fleet) Write(on topology.InstanceID) (acknowledged bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.byID[on]
	switch {
	case s == nil || !s.alive:
		return false, fmt.Errorf("write on %s: connection refused", on)
	case s.hung || !f.linked(Clients, on):
		return false, fmt.Errorf("write on %s: no answer", on)
	case !s.writable():
		return false, fmt.Errorf("write on %s: the server is read-only", on)
	}
	t := f.writeOn(s)
	return f.all[t].acked, nil
}

func (f *Fleet) writeOn(s *server) int {
	t := f.begin(s)
	s.write(t)
	f.written++
	s.waiting = append(s.waiting, commit{t: t})
	f.release(s)
	return t
}

// Plant writes on any server, read-only or not, as a person with too many rights does. What it writes is not held against who is tested.
func (f *Fleet) Plant(on topology.InstanceID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.byID[on]
	t := f.begin(s)
	f.all[t].planted = true
	s.write(t)
	s.commit(t)
}

// mostWaiting is how many clients of one server wait for semi-sync replicas before the rest give up.
const mostWaiting = 8

// clients lets the traffic write wherever it may.
func (f *Fleet) clients() bool {
	o := &f.options
	if o.WriteEvery <= 0 || o.Writes > 0 && f.written >= o.Writes {
		return false
	}
	for !f.traffic.After(f.at) {
		f.traffic = f.traffic.Add(o.WriteEvery)
		for _, s := range f.servers {
			if f.servesClients(s) && len(s.waiting) < mostWaiting {
				f.writeOn(s)
			}
		}
	}
	return true
}

// servesClients reports whether a client that looks for a writable server finds this one.
func (f *Fleet) servesClients(s *server) bool {
	return s.alive && !s.hung && s.writable() && f.linked(Clients, s.ID)
}

// Acknowledged counts the writes that clients were told are committed, and among them those that the source promised to be on replicas.
func (f *Fleet) Acknowledged() (all, promised int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n := range f.all {
		if f.all[n].acked {
			all++
		}
		if f.all[n].promised {
			promised++
		}
	}
	return all, promised
}

// SetTraffic changes how often clients write, beginning now.
func (f *Fleet) SetTraffic(o Options) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.options.WriteEvery, f.options.Writes, f.traffic = o.WriteEvery, o.Writes, f.at
}
