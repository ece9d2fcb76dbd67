package remediation

import (
	"context"
	"fmt"
)

// ActorFunc is an Actor of a function that does; it never finds a step done.
type ActorFunc func(ctx context.Context, step Step) error

// Do calls the function.
func (f ActorFunc) Do(ctx context.Context, step Step) error { return f(ctx, step) }

// Done always answers no.
func (f ActorFunc) Done(context.Context, Step) (bool, error) { return false, nil }

// Routed sends every step to the Actor behind its door. A door that leads nowhere is an error before anything is done.
func Routed(doors map[Door]Actor) Actor { return routed(doors) }

type routed map[Door]Actor

func (r routed) behind(step Step) (Actor, error) {
	verb, ok := step.Action.Verb()
	if !ok {
		return nil, fmt.Errorf("%q is no action", step.Action)
	}
	a := r[verb.Door]
	if a == nil {
		return nil, fmt.Errorf("nobody carries out %s steps", verb.Door)
	}
	return a, nil
}

func (r routed) Do(ctx context.Context, step Step) error {
	a, err := r.behind(step)
	if err != nil {
		return err
	}
	return a.Do(ctx, step)
}

func (r routed) Done(ctx context.Context, step Step) (bool, error) {
	a, err := r.behind(step)
	if err != nil {
		return false, err
	}
	return a.Done(ctx, step)
}

// Guarded verifies the lease before every step. Without the lease the step is not done, and the failure is ErrHalted whatever the step allows.
func Guarded(a Actor, verify func(context.Context) error) Actor {
	return &guarded{a, verify}
}

type guarded struct {
	Actor
	verify func(context.Context) error
}

func (g *guarded) Do(ctx context.Context, step Step) error {
	if err := g.verify(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrHalted, err)
	}
	return g.Actor.Do(ctx, step)
}

// Watched calls after every step that was done, with its outcome: for the audit log and for metrics. The function begin is called before, and
// what it returns after.
func Watched(a Actor, begin func(Step) func(error)) Actor {
	return &watched{a, begin}
}

type watched struct {
	Actor
	begin func(Step) func(error)
}

func (w *watched) Do(ctx context.Context, step Step) error {
	end := w.begin(step)
	err := w.Actor.Do(ctx, step)
	end(err)
	return err
}
