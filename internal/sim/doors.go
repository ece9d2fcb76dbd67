package sim

import (
	"errors"
	"fmt"
	"time"

	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// errSilent is the answer of a server from which nothing comes back.
var errSilent = errors.New("no answer")

// attempt sends one step to a server at a moment.
func (f *Fleet) attempt(at time.Time, step remediation.Step) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.advance(at)
	s := f.byID[step.On]
	if s == nil {
		return fmt.Errorf("there is no server %s", step.On)
	}
	switch f.reach(Baton, s) {
	case refuses:
		return errors.New("connection refused")
	case isSilent:
		if step.Action == remediation.Fence && step.NoWait && s.hung && f.linked(Baton, s.ID) {
			s.fenceOnWake = true
		}
		return errSilent
	}
	return f.act(step)
}

// decide writes one step to the ledger at a moment.
func (f *Fleet) decide(at time.Time, step remediation.Step) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.advance(at)
	f.taken(step)
	return f.record(step, f.ledger.intents.Open[f.options.Cluster].ID)
}

// look tells whether the effect of a step is there at a moment.
func (f *Fleet) look(at time.Time, step remediation.Step) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.advance(at)
	verb, _ := step.Action.Verb()
	if verb.Door == remediation.DoorLedger {
		return f.recorded(step, f.ledger.intents.Open[f.options.Cluster].ID), nil
	}
	s := f.byID[step.On]
	if s == nil || f.reach(Baton, s) != answers {
		return false, fmt.Errorf("%s does not answer", step.On)
	}
	return f.done(step), nil
}

// probe asks a server at a moment.
func (f *Fleet) probe(at time.Time, id topology.InstanceID) (topology.Facts, reach) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.advance(at)
	s := f.byID[id]
	if how := f.reach(Baton, s); how != answers {
		return topology.Facts{}, how
	}
	return f.facts(s), answers
}

// applied counts what a server has applied.
func (f *Fleet) applied(id topology.InstanceID) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.byID[id].log)
}
