package service

import (
	"context"
	"sync"
	"time"

	"github.com/batondb/baton/ledger"
	"github.com/batondb/baton/remediation"
)

// flushEvery is how often a long recovery writes its journal. It is written for people who read it afterwards; no step waits for it, because a
// new leader goes on from what it sees.
const flushEvery = time.Second

// journal collects what a recovery has done and hands it to the ledger in pieces.
type journal struct {
	ledger *ledger.Ledger
	id     string

	mu      sync.Mutex
	began   map[stepKey]time.Time
	pending []ledger.Step
	span    map[remediation.Phase]*span
	order   []remediation.Phase
}

type stepKey struct {
	phase  remediation.Phase
	action remediation.Action
	on     string
}

type span struct{ first, last time.Time }

func newJournal(l *ledger.Ledger, id string) *journal {
	return &journal{ledger: l, id: id, began: make(map[stepKey]time.Time), span: make(map[remediation.Phase]*span)}
}

func (j *journal) note(e remediation.Event, at time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	key := stepKey{e.Phase, e.Step.Action, string(e.Step.On)}
	sp := j.span[e.Phase]
	if sp == nil {
		sp = &span{first: at}
		j.span[e.Phase] = sp
		j.order = append(j.order, e.Phase)
	}
	sp.last = at
	switch e.State {
	case remediation.StepStarted:
		j.began[key] = at
	case remediation.StepDone, remediation.StepSkipped, remediation.StepFailed:
		step := ledger.Step{Stage: string(e.Phase), Step: string(e.Step.Action), On: string(e.Step.On), At: at, Took: at.Sub(j.began[key])}
		if e.Err != nil {
			step.Err = e.Err.Error()
		}
		j.pending = append(j.pending, step)
	case remediation.StepProgress: // is for who watches
	}
}

// follow writes the journal now and then until the returned function is called, which writes the rest.
func (j *journal) follow(ctx context.Context) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(flushEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				j.flush()
			case <-done:
				j.flush()
				return
			case <-ctx.Done():
				j.flush() // it is for the next leader to read, if it can still be written
				return
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}

func (j *journal) flush() {
	j.mu.Lock()
	steps := j.pending
	j.pending = nil
	j.mu.Unlock()
	if len(steps) == 0 {
		return
	}
	entry, err := ledger.NewEntry("baton", "", ledger.ProgressRecovery{ID: j.id, Term: j.ledger.Term(), Steps: steps})
	if err == nil {
		j.ledger.ProposeAsync(entry) // a lost line of a journal is no reason to stop a recovery
	}
}

// phases says how long each phase took, from the start of its first step to the end of its last.
func (j *journal) phases() []ledger.Phase {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]ledger.Phase, 0, len(j.order))
	for _, p := range j.order {
		out = append(out, ledger.Phase{Name: string(p), Took: j.span[p].last.Sub(j.span[p].first)})
	}
	return out
}
