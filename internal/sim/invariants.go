package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// violated notes that an invariant did not hold. Each sentence is noted once.
func (f *Fleet) violated(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(f.broken, text) {
		f.broken = append(f.broken, text)
	}
}

// Violations are the invariants that did not hold at some moment so far.
func (f *Fleet) Violations() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.broken)
}

// Halt says that from now on nobody holds the lease: a step that is taken all the same is a violation. Continue ends that.
func (f *Fleet) Halt() { f.setHalted(true) }

// Continue says that somebody holds the lease again.
func (f *Fleet) Continue() { f.setHalted(false) }

func (f *Fleet) setHalted(halted bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.halted = halted
}

// Steps counts the attempts at steps so far.
func (f *Fleet) Steps() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.steps
}

func (f *Fleet) stepTaken(step remediation.Step) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taken(step)
}

func (f *Fleet) taken(step remediation.Step) {
	f.steps++
	if f.halted {
		f.violated("I6: %s on %s without a lease", step.Action, step.On)
	}
}

// watch checks what must hold at every moment.
func (f *Fleet) watch() {
	open := 0
	for _, s := range f.servers {
		// Who cannot be reached by Baton cannot be fenced by it; the bound begins when it can.
		if f.servesClients(s) && f.linked(Baton, s.ID) {
			open++
		}
	}
	switch {
	case open < 2:
		f.twoSince = time.Time{}
	case f.twoSince.IsZero():
		f.twoSince = f.at
	case f.at.Sub(f.twoSince) > f.options.Bound:
		f.violated("I2: two primaries have taken writes within reach for more than %s", f.options.Bound)
	}
}

// Primary is the server that the ledger agreed on last.
func (f *Fleet) Primary() topology.InstanceID {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ledger.intents.Clusters[f.options.Cluster].Primary
}

// CheckWrites reports acknowledged writes that the agreed primary does not have: those that were promised to be on replicas, or all. What a primary
// acknowledged after it was deposed is another matter: as long as it is out of reach nobody can keep it from that.
func (f *Fleet) CheckWrites(asynchronousToo bool) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.byID[f.ledger.intents.Clusters[f.options.Cluster].Primary]
	lost := 0
	for n := range f.all {
		if t := &f.all[n]; (t.promised || asynchronousToo && t.acked) && !t.late && !p.executed.has(n) {
			lost++
		}
	}
	if lost > 0 {
		return []string{fmt.Sprintf("I1: %d acknowledged writes are not on the primary %s", lost, p.ID)}
	}
	return nil
}

// CheckRest reports what must not be left behind when everything has settled: two open servers or none, stopped replication without a quarantine,
// errant transactions below the primary, relaxed durability, an open recovery.
func (f *Fleet) CheckRest() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	in := &f.ledger.intents
	p := f.byID[in.Clusters[f.options.Cluster].Primary]
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if !p.alive || !p.writable() && p.fenced || p.source != "" {
		say("the agreed primary %s does not take writes (alive %t, writable %t, source %q)", p.ID, p.alive, p.writable(), p.source)
	}
	if len(in.Open) > 0 {
		say("a recovery is still open")
	}
	for _, s := range f.servers {
		_, quarantined := in.Quarantined[s.ID]
		_, deposed := in.Deposed[s.ID]
		switch {
		case s == p || !s.alive:
		case s.writable():
			say("I2: %s is writable beside the primary %s", s.ID, p.ID)
		case s.source == "" && !quarantined:
			say("I9: %s follows nobody and is not quarantined (deposed: %t)", s.ID, deposed)
		case s.source != "" && !s.receiver.on && s.stopped && !quarantined:
			say("I9: the receiver of %s was stopped and is neither started nor quarantined", s.ID)
		}
		if extra := f.errant(s, p); len(extra) > 0 && f.below(s, p) {
			say("I5: %s follows %s and holds %d transactions that the primary does not have", s.ID, p.ID, len(extra))
		}
		if s.alive && s.durability != s.kept {
			say("the durability of %s is not restored", s.ID)
		}
	}
	return out
}

// errant are the transactions of s that p does not have and nobody planted.
func (f *Fleet) errant(s, p *server) []int {
	var out []int
	for n := range f.all {
		if s.executed.has(n) && !p.logged.has(n) && !f.all[n].planted {
			out = append(out, n)
		}
	}
	return out
}

// below reports whether s replicates from p, directly or not, and not by somebody who is quarantined or was turned away by its source.
func (f *Fleet) below(s, p *server) bool {
	for range f.servers {
		if _, quarantined := f.ledger.intents.Quarantined[s.ID]; quarantined || s.receiver.errno == errnoPosition {
			return false
		}
		if s = f.byID[s.source]; s == nil || s == p {
			return s == p
		}
	}
	return false
}

// Shape is who follows whom and who is open, in one line: two fleets of the same shape have ended alike.
func (f *Fleet) Shape() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	in := &f.ledger.intents
	var out strings.Builder
	out.WriteString("agreed " + string(in.Clusters[f.options.Cluster].Primary))
	for _, s := range f.servers {
		fmt.Fprintf(&out, "; %s", s.ID)
		if !s.alive {
			out.WriteString(" dead")
		}
		if s.source != "" {
			out.WriteString(" < " + string(s.source))
			if !s.receiver.on {
				out.WriteString(" stopped")
			}
		}
		if s.writable() {
			out.WriteString(" open")
		}
		if s.semiSource {
			fmt.Fprintf(&out, " waits for %d", s.waitFor)
		}
		if s.semiReplica {
			out.WriteString(" acknowledges")
		}
		if _, ok := in.Deposed[s.ID]; ok {
			out.WriteString(" deposed")
		}
		if _, ok := in.Quarantined[s.ID]; ok {
			out.WriteString(" quarantined")
		}
	}
	return out.String()
}
