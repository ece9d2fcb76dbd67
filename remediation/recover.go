package remediation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/topology"
)

// The outcomes of a recovery.
const (
	OutcomeSuccess = "success"
	OutcomePartial = "partial" // the goal holds, but somebody was left behind
	OutcomeFailed  = "failed"  // given up; what was changed was put back
	OutcomeAborted = "aborted" // refused on the way, before anything that cannot be put back
)

// Recovery is one run towards a goal.
type Recovery struct {
	Goal    Goal
	Policy  Policy
	Observe func(ctx context.Context, goal Goal) (*topology.Snapshot, error) // fresh probes of everybody the goal is about
	Actor   Actor
	Watch   func(Event)
	Planned func(Plan) // told of every plan before it is carried out; may be nil
	Resume  bool       // somebody else may have begun: look before doing
}

// Result is how a recovery ended.
type Result struct {
	Outcome string
	Text    string // one sentence
	Refusal *Refusal
	Goal    Goal // with the successor and the lost
	Halted  bool // it did not end: this node may not act any more, and the next leader takes it up
}

// limits of one run. A plan is a few rounds long; what needs more is going in circles.
const (
	maxRounds       = 5000 // most of them looks at somebody who is connecting
	maxAttempts     = 3    // of one step on one instance, before it is given up
	connectPatience = 10 * time.Second
	lookAgain       = 10 * time.Millisecond // between two looks at somebody who is connecting
)

// Recover repeats observe, plan and act until the goal holds, is refused or is given up. On refusal or failure everything that was stopped is
// started again.
func Recover(ctx context.Context, r Recovery) Result {
	run := &run{Recovery: r, attempts: make(map[attempt]int), text: "the goal holds"}
	run.Goal.Excluded, run.Goal.Lost = cloneOrNew(r.Goal.Excluded), cloneOrNew(r.Goal.Lost)
	for range maxRounds {
		if res, ended := run.round(ctx); ended {
			res.Goal = run.Goal
			return res
		}
	}
	return Result{Outcome: OutcomeFailed, Text: fmt.Sprintf("given up after %d rounds without an end", maxRounds), Goal: run.Goal}
}

func cloneOrNew[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return make(map[K]V)
	}
	return maps.Clone(m)
}

type attempt struct {
	action Action
	on     topology.InstanceID
}

type run struct {
	Recovery
	attempts map[attempt]int
	changed  bool   // some step was started
	outcome  string // decided on the way: what the end will be called
	text     string
	refusal  *Refusal
	waiting  context.Context // ends when waiting has lasted long enough
	stop     context.CancelFunc
}

// round looks, plans and acts once. It reports whether the recovery has ended.
func (r *run) round(ctx context.Context) (Result, bool) {
	snap, err := r.Observe(ctx, r.Goal)
	if err != nil || ctx.Err() != nil {
		return Result{Halted: true, Text: fmt.Sprintf("halted: %v", errors.Join(err, context.Cause(ctx)))}, true
	}
	plan, err := Make(r.Goal, snap, r.Policy)
	if r.Planned != nil {
		r.Planned(plan)
	}
	if err != nil {
		return r.refused(err)
	}
	if plan.Complete {
		return r.end(), true
	}
	if len(plan.Stages) == 0 {
		return r.wait(ctx, plan)
	}
	r.changed = true
	return r.learn(ctx, plan, Execute(ctx, plan, r.Actor, r.Resume, r.Watch))
}

func (r *run) end() Result {
	outcome := OutcomeSuccess
	switch {
	case r.outcome != "":
		outcome = r.outcome
	case len(r.Goal.Lost) > 0 || len(r.Goal.Excluded) > 0:
		outcome = OutcomePartial
	}
	return Result{Outcome: outcome, Text: r.text, Refusal: r.refusal}
}

// refused ends a recovery that has changed nothing, and turns one that has into putting things back.
func (r *run) refused(err error) (Result, bool) {
	errors.As(err, &r.refusal)
	r.outcome, r.text = OutcomeAborted, err.Error()
	if r.Goal.Abort || !r.changed && !r.Resume || r.Goal.Successor != "" {
		if r.Goal.Successor != "" {
			r.outcome = OutcomeFailed
		}
		return r.end(), true
	}
	r.Goal.Abort = true
	return Result{}, false
}

// wait goes on looking for as long as somebody may still connect. Then those who did not are lost, and the rest is completed without them.
func (r *run) wait(ctx context.Context, plan Plan) (Result, bool) {
	if r.waiting == nil {
		r.waiting, r.stop = context.WithTimeout(ctx, connectPatience)
	}
	if r.waiting.Err() == nil {
		pause(ctx, lookAgain)
		return Result{}, false
	}
	r.stop()
	r.waiting = nil
	if r.Goal.Abort || r.attempts[attempt{"wait", ""}] >= maxAttempts {
		r.outcome, r.text = OutcomeFailed, plan.Waiting
		return r.end(), true
	}
	r.attempts[attempt{"wait", ""}]++
	r.giveUp(plan)
	return Result{}, false
}

// pause lets a moment pass, or the context end.
func pause(ctx context.Context, moment time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, moment)
	defer cancel()
	<-ctx.Done()
}

// giveUp notes as lost whoever the plan is waiting for.
func (r *run) giveUp(plan Plan) {
	if plan.WaitingFor == "" {
		r.Goal.Abort, r.outcome, r.text = true, OutcomeFailed, plan.Waiting
		return
	}
	r.Goal.Lost[plan.WaitingFor] = plan.Waiting
}

// learn takes into account what failed.
func (r *run) learn(ctx context.Context, plan Plan, x Execution) (Result, bool) {
	if x.Agreed && !r.Goal.Abort {
		r.Goal.Successor = plan.Successor
	}
	for _, f := range x.Noted {
		r.attempts[attempt{f.Step.Action, f.Step.On}]++
		switch {
		case f.Step.Action == StopReceiver:
			r.Goal.Excluded[f.Step.On] = f.Err.Error()
		case f.Step.Action == PointAt && r.attempts[attempt{f.Step.Action, f.Step.On}] >= maxAttempts:
			r.Goal.Lost[f.Step.On] = f.Err.Error()
		}
	}
	if x.Failed == nil {
		return Result{}, false
	}
	if errors.Is(x.Failed.Err, ErrHalted) || ctx.Err() != nil {
		return Result{Halted: true, Text: x.Failed.Error()}, true
	}
	key := attempt{x.Failed.Step.Action, x.Failed.Step.On}
	r.attempts[key]++
	candidateFailed := x.Failed.Step.On == plan.Successor && r.Goal.Successor == ""
	switch {
	case candidateFailed && r.Goal.Kind == analysis.RecoveryFailover:
		r.Goal.Excluded[plan.Successor] = x.Failed.Error()
	case r.Goal.Abort || r.Goal.Successor != "" && r.Goal.Kind == analysis.RecoveryFailover:
		if r.attempts[key] >= maxAttempts {
			r.outcome, r.text = OutcomeFailed, x.Failed.Error()
			return r.end(), true
		}
	default:
		r.Goal.Abort, r.outcome, r.text = true, OutcomeFailed, x.Failed.Error()
	}
	return Result{}, false
}
