package remediation

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/batondb/baton/topology"
)

// Actor is the only door to the world: it carries out one step, or says whether the step's effect is there already. Doing a step twice is doing
// it once; Done changes nothing.
type Actor interface {
	Do(ctx context.Context, step Step) error
	Done(ctx context.Context, step Step) (bool, error)
}

// StepState is where a step stands.
type StepState string

// The states of a step.
const (
	StepStarted  StepState = "started"
	StepProgress StepState = "progress"
	StepDone     StepState = "done"
	StepSkipped  StepState = "skipped" // its effect was there already
	StepFailed   StepState = "failed"
)

// Event tells how a step goes. The receiver stamps the time.
type Event struct {
	Phase Phase
	Step  Step
	State StepState
	Err   error
	Sofar uint64 // of Total, for StepProgress
	Total uint64
}

// StepError is a step that failed.
type StepError struct {
	Step  Step
	Phase Phase
	Err   error
}

func (e *StepError) Error() string { return fmt.Sprintf("%s: %s: %v", e.Phase, e.Step, e.Err) }
func (e *StepError) Unwrap() error { return e.Err }

// ErrHalted is the cause of a failure that is nobody's fault: the lease is gone or the process ends. Nothing may be done after it, not even
// putting things back; whoever leads next takes the recovery up.
var ErrHalted = errors.New("halted: this node may not act any more")

// Execution is how Execute went.
type Execution struct {
	Failed  *StepError  // the required step that stopped the plan; nil where none did
	Noted   []StepError // steps that may fail and did
	Agreed  bool        // AgreePrimary was done
	Started map[Action]bool
}

type progressKey struct{}

// ReportProgress tells whoever watches the execution that a step has done so many of a total. Actors call it from within Do.
func ReportProgress(ctx context.Context, sofar, total uint64) {
	if report, ok := ctx.Value(progressKey{}).(func(uint64, uint64)); ok {
		report(sofar, total)
	}
}

// Execute carries a plan out. Stages run one after the other, except that nobody waits for a background stage before the end. Within a stage
// the steps of one instance run in order and different instances at the same time. With resume, a step whose effect is there already is skipped.
// Every started step has ended when Execute returns.
func Execute(ctx context.Context, plan Plan, actor Actor, resume bool, watch func(Event)) Execution {
	x := &execution{actor: actor, resume: resume, watch: watch}
	x.Started = make(map[Action]bool)
	var background sync.WaitGroup
	for _, st := range plan.Stages {
		if x.stopped() {
			break
		}
		if st.Background {
			background.Go(func() { x.stage(ctx, st) })
			continue
		}
		x.stage(ctx, st)
	}
	background.Wait()
	return x.Execution
}

type execution struct {
	Execution
	mu     sync.Mutex
	actor  Actor
	resume bool
	watch  func(Event)
}

func (x *execution) stopped() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.Failed != nil
}

// halted reports whether some step was told that nothing may be done any more: that goes for all lanes and for the background.
func (x *execution) halted() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.Failed != nil && errors.Is(x.Failed.Err, ErrHalted)
}

// lane is what runs in order: the steps of one instance through one door.
type lane struct {
	door Door
	on   topology.InstanceID
}

func (x *execution) stage(ctx context.Context, st Stage) {
	lanes := make(map[lane][]Step)
	var order []lane
	for _, step := range st.Steps {
		verb, _ := step.Action.Verb()
		l := lane{verb.Door, step.On}
		if lanes[l] == nil {
			order = append(order, l)
		}
		lanes[l] = append(lanes[l], step)
	}
	var wg sync.WaitGroup
	for _, l := range order {
		wg.Go(func() {
			for _, step := range lanes[l] {
				if !x.step(ctx, st.Phase, step) {
					return
				}
			}
		})
	}
	wg.Wait()
}

// step reports whether the lane may go on.
func (x *execution) step(ctx context.Context, phase Phase, step Step) bool {
	if err := ctx.Err(); err != nil {
		x.fail(phase, step, fmt.Errorf("%w: %w", ErrHalted, context.Cause(ctx)))
		return false
	}
	if x.halted() {
		return false
	}
	x.tell(Event{Phase: phase, Step: step, State: StepStarted})
	x.mu.Lock()
	x.Started[step.Action] = true
	x.mu.Unlock()
	state := StepDone
	limited, cancel := context.WithTimeout(ctx, step.deadline())
	defer cancel()
	limited = context.WithValue(limited, progressKey{}, func(sofar, total uint64) {
		x.tell(Event{Phase: phase, Step: step, State: StepProgress, Sofar: sofar, Total: total})
	})
	err := error(nil)
	done := false
	if x.resume {
		done, err = x.actor.Done(limited, step)
	}
	if done && err == nil {
		state = StepSkipped
	} else {
		err = x.actor.Do(limited, step)
	}
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", ErrHalted, err)
		}
		x.fail(phase, step, err)
		return step.MayFail && !errors.Is(err, ErrHalted)
	}
	if step.Action == AgreePrimary {
		x.mu.Lock()
		x.Agreed = true
		x.mu.Unlock()
	}
	x.tell(Event{Phase: phase, Step: step, State: state})
	return true
}

func (x *execution) fail(phase Phase, step Step, err error) {
	x.tell(Event{Phase: phase, Step: step, State: StepFailed, Err: err})
	x.mu.Lock()
	defer x.mu.Unlock()
	failure := StepError{Step: step, Phase: phase, Err: err}
	if step.MayFail && !errors.Is(err, ErrHalted) {
		x.Noted = append(x.Noted, failure)
		return
	}
	if x.Failed == nil || errors.Is(err, ErrHalted) && !errors.Is(x.Failed.Err, ErrHalted) {
		x.Failed = &failure
	}
}

func (x *execution) tell(e Event) {
	if x.watch != nil {
		x.watch(e)
	}
}
