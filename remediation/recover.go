package remediation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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
	maxRounds       = 100
	maxAttempts     = 3 // of one step on one instance, before it is given up
	connectPatience = 10 * time.Second
	reachPatience   = time.Minute
	connectPause    = 50 * time.Millisecond // between two looks at who is still connecting
	retryPause      = 100 * time.Millisecond
	fencePause      = 500 * time.Millisecond
)

// Recover repeats observe, plan and act until the goal holds, is refused or is given up. On refusal or failure everything that was stopped is
// started again.
func Recover(ctx context.Context, r Recovery) Result {
	run := &run{Recovery: r, attempts: make(map[attempt]int), text: goalHolds}
	run.Goal.Excluded, run.Goal.Lost = cloneOrNew(r.Goal.Excluded), cloneOrNew(r.Goal.Lost)
	defer run.endWait()
	defer func() {
		if run.endDoubt != nil {
			run.endDoubt()
		}
	}()
	for rounds := 0; rounds < maxRounds; {
		res, ended := run.round(ctx)
		if ended {
			res.Goal = run.Goal
			return res
		}
		if run.waiting == nil && (run.doubt == nil || run.doubt.Err() != nil) { // rounds that only look again are bounded by patience
			rounds++
		}
		if rounds == maxRounds/2 && !run.Goal.Abort { // going in circles: what is left of the rounds is for putting things back
			run.giveUp(fmt.Sprintf("given up after %d rounds without an end", rounds))
		}
	}
	return Result{Outcome: OutcomeFailed, Text: fmt.Sprintf("given up after %d rounds without an end", maxRounds), Goal: run.Goal}
}

const goalHolds = "the goal holds"

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
	waiting  context.Context // ends when waiting has lasted long enough; nil while nothing is waited for
	stop     context.CancelFunc
	patient  bool
	doubt    context.Context // ends when a refusal has waited long enough for those who did not answer; nil before it does
	endDoubt context.CancelFunc
}

// round looks, plans and acts once. It reports whether the recovery has ended.
func (r *run) round(ctx context.Context) (Result, bool) {
	snap, err := r.Observe(ctx, r.Goal)
	if err != nil || ctx.Err() != nil {
		return Result{Halted: true, Text: fmt.Sprintf("halted: %v", errors.Join(err, context.Cause(ctx)))}, true
	}
	// Nobody else looks after other deposed primaries while this recovery is open.
	if !r.closeDeposed(ctx, snap, r.Goal.Failed) {
		return Result{Halted: true, Text: "halted while a deposed primary was being closed"}, true
	}
	plan, err := Make(r.Goal, snap, r.Policy)
	if r.Planned != nil {
		r.Planned(plan)
	}
	r.takeUp(plan)
	switch {
	case err != nil && r.undecided(ctx, snap):
		return Result{}, false
	case err != nil:
		return r.refused(err)
	case plan.Complete:
		r.recall(snap)
		return r.end(), true
	case len(plan.Stages) == 0:
		return r.wait(ctx, plan)
	}
	r.endWait()
	r.changed = true
	return r.learn(ctx, plan, r.execute(ctx, plan))
}

// doubtPatience is how long a refusal waits for a replica that failed to answer just now: on a busy machine it answers the next time, and what is
// refused without it may be allowed with it.
const doubtPatience = 3 * time.Second

// undecided reports whether a failover that is refused should be looked at again, because a replica is neither up nor down.
func (r *run) undecided(ctx context.Context, snap *topology.Snapshot) bool {
	if r.Goal.Kind != analysis.RecoveryFailover || !r.Goal.Opened || r.Goal.Abort || r.Goal.Successor != "" {
		return false
	}
	open := slices.ContainsFunc(r.Goal.Followers, func(id topology.InstanceID) bool {
		i := snap.Instance(id)
		_, out := r.Goal.Excluded[id]
		return i != nil && !out && !i.Up() && !i.Down && !i.Quarantined
	})
	if !open {
		return false
	}
	if r.doubt == nil {
		r.doubt, r.endDoubt = context.WithTimeout(ctx, doubtPatience)
	}
	if r.doubt.Err() != nil {
		return false
	}
	rest(ctx, connectPause)
	return true
}

// takeUp follows the plan where it knows better how far the recovery has come, and where there is no way back any more.
func (r *run) takeUp(plan Plan) {
	back := attempt{AgreePrimary, ""}
	switch {
	case plan.Goal.Abort && !r.Goal.Abort:
		r.giveUp("it was being given up when it was taken up")
		r.Goal.Successor = plan.Goal.Successor
	case r.Goal.Abort && plan.Successor != "" && plan.Successor == plan.Goal.Successor && r.attempts[back] < maxAttempts:
		r.attempts[back]++
		r.Goal.Abort, r.Goal.Successor, r.outcome, r.text, r.refusal = false, plan.Successor, "", goalHolds, nil
	case !r.Goal.Abort:
		r.Goal.Successor = plan.Goal.Successor
	}
}

// recall adds those whom this recovery left behind before it was taken up.
func (r *run) recall(snap *topology.Snapshot) {
	since := snap.Intents.Open[r.Goal.Cluster].Since
	for _, id := range append(slices.Clone(r.Goal.Followers), r.Goal.Failed) {
		q, quarantined := snap.Intents.Quarantined[id]
		if _, known := r.Goal.Lost[id]; quarantined && !known && !since.IsZero() && !q.Since.Before(since) {
			r.Goal.Lost[id] = q.Reason
		}
	}
}

func (r *run) end() Result {
	outcome, text := OutcomeSuccess, r.text
	switch {
	case r.outcome != "":
		outcome = r.outcome
	case len(r.Goal.Lost) > 0 || len(r.Goal.Excluded) > 0:
		outcome = OutcomePartial
	}
	for _, id := range slices.SortedFunc(maps.Keys(r.Goal.Excluded), topology.CompareIDs) {
		text += fmt.Sprintf("; %s was passed over: %s", id, r.Goal.Excluded[id])
	}
	for _, id := range slices.SortedFunc(maps.Keys(r.Goal.Lost), topology.CompareIDs) {
		text += fmt.Sprintf("; %s is left behind: %s", id, r.Goal.Lost[id])
	}
	return Result{Outcome: outcome, Text: text, Refusal: r.refusal}
}

// refused ends a recovery that has changed nothing, and turns one that has into putting things back.
func (r *run) refused(err error) (Result, bool) {
	began := r.changed || r.Resume
	if r.outcome == "" || r.outcome == OutcomeAborted {
		errors.As(err, &r.refusal)
		r.outcome, r.text = OutcomeAborted, err.Error()
		if r.Goal.Successor != "" {
			r.outcome = OutcomeFailed
		}
	}
	if r.Goal.Abort || !began {
		return r.end(), true
	}
	r.Goal.Abort = true
	return Result{}, false
}

// giveUp turns to putting back what was changed.
func (r *run) giveUp(why string) { r.Goal.Abort, r.outcome, r.text = true, OutcomeFailed, why }

// wait goes on looking for as long as somebody may still connect. Then those who did not are lost, and the rest is completed without them.
func (r *run) wait(ctx context.Context, plan Plan) (Result, bool) {
	if r.waiting != nil && r.patient != plan.Patient {
		r.endWait()
	}
	if r.waiting == nil {
		limit := connectPatience
		if r.patient = plan.Patient; r.patient {
			limit = reachPatience
		}
		r.waiting, r.stop = context.WithTimeout(ctx, limit)
	}
	if r.waiting.Err() == nil {
		rest(ctx, connectPause)
		return Result{}, false
	}
	// Whoever else is still waited for has had as much time: the patience that is over stays over until something is done.
	switch {
	case plan.WaitingFor != "":
		r.Goal.Lost[plan.WaitingFor] = plan.Waiting
	case r.Goal.Abort:
		r.outcome, r.text = OutcomeFailed, plan.Waiting
		return r.end(), true
	default:
		r.endWait()
		r.giveUp(plan.Waiting)
	}
	return Result{}, false
}

func (r *run) endWait() {
	if r.waiting != nil {
		r.stop()
		r.waiting, r.stop = nil, nil
	}
}

// learn takes into account what was done and what failed.
func (r *run) learn(ctx context.Context, plan Plan, x Execution) (Result, bool) {
	if x.Agreed && !r.Goal.Abort {
		if before := r.Goal.Successor; before != "" && before != plan.Successor {
			r.Goal.Excluded[before] = "it went down after it was agreed on"
		}
		r.Goal.Successor = plan.Successor
	}
	if r.Goal.Kind == analysis.RecoveryTakeover && r.Goal.To == "" && !r.Goal.Abort {
		r.Goal.To = plan.Successor // who was chosen first stays chosen
	}
	r.note(plan, x)
	if x.Failed == nil {
		return Result{}, false
	}
	if errors.Is(x.Failed.Err, ErrHalted) || ctx.Err() != nil {
		return Result{Halted: true, Text: x.Failed.Error()}, true
	}
	return r.failed(ctx, plan, x.Failed)
}

// note counts what is done again and again, and gives up those for whom it does not help.
func (r *run) note(plan Plan, x Execution) {
	for _, step := range plan.Steps() {
		switch step.Action {
		case Quarantine:
			if _, known := r.Goal.Lost[step.On]; !known {
				r.Goal.Lost[step.On] = step.Why
			}
		case StartReplication: // it may succeed and not last
			r.tried(step, "its receiver stops again and again")
		}
	}
	for _, f := range x.Noted {
		switch f.Step.Action {
		case RestartReceiver:
			r.Goal.Excluded[f.Step.On] = f.Err.Error()
		case StopReceiver: // the second time in a row: the first answer may only have been lost
			if key := (attempt{f.Step.Action, f.Step.On}); r.attempts[key] > 0 {
				r.Goal.Excluded[f.Step.On] = f.Err.Error()
			} else {
				r.attempts[key]++
			}
		case PointAt, RestoreDurability, Fence:
			r.tried(f.Step, f.Err.Error())
		}
	}
}

// tried counts an attempt at a step that may fail. The last one loses the instance; a takeover that can still be given up is.
func (r *run) tried(step Step, why string) {
	key := attempt{step.Action, step.On}
	if r.attempts[key]++; r.attempts[key] < maxAttempts || step.NoWait {
		return
	}
	if r.Goal.Kind == analysis.RecoveryTakeover && r.Goal.Successor == "" && !r.Goal.Abort {
		r.giveUp(fmt.Sprintf("%s: %s", step.On, why))
		delete(r.attempts, key)
		return
	}
	r.Goal.Lost[step.On] = why
}

// failed decides what becomes of the recovery after a step that must not fail has failed. Putting things back is tried harder than going on, and who
// does not let itself be put back does not keep the others from it.
func (r *run) failed(ctx context.Context, plan Plan, f *StepError) (Result, bool) {
	key := attempt{f.Step.Action, f.Step.On}
	r.attempts[key]++
	most := maxAttempts
	if r.Goal.Abort {
		most *= maxAttempts
	}
	last := r.attempts[key] >= most
	verb, _ := f.Step.Action.Verb()
	failover := r.Goal.Kind == analysis.RecoveryFailover
	replacing := failover && !r.Goal.Abort || !failover && r.Goal.Abort && plan.Successor != ""
	_, lost := r.Goal.Lost[f.Step.On]
	switch {
	case verb.Door == DoorLedger && !last: // that is nobody's fault: it is tried again
		rest(ctx, retryPause)
	case replacing && verb.Door != DoorLedger && (r.Goal.Successor == "" || f.Step.On == plan.Successor && r.Goal.Successor != plan.Successor):
		r.Goal.Excluded[f.Step.On] = f.Error() // the candidate, or who was to give it what it lacks
	case r.Goal.Abort && last && !lost && f.Step.On != r.Goal.Successor:
		r.Goal.Lost[f.Step.On] = f.Error()
	case r.Goal.Abort && last:
		r.outcome, r.text = OutcomeFailed, f.Error()
		return r.end(), true
	case r.Goal.Abort, failover && !last:
		rest(ctx, retryPause)
	default:
		r.giveUp(f.Error())
	}
	return Result{}, false
}

// rest waits for a moment, or for the end of the context.
func rest(ctx context.Context, d time.Duration) {
	pause, done := context.WithTimeout(ctx, d)
	defer done()
	<-pause.Done()
}
