package remediation_test

import (
	"context"
	"errors"
	"sync"

	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// refusing is an actor that fails some steps a number of times, without doing them.
type refusing struct {
	remediation.Actor
	on     topology.InstanceID
	action remediation.Action
	mu     sync.Mutex
	times  int
}

func failing(a remediation.Actor, on topology.InstanceID, action remediation.Action, times int) remediation.Actor {
	return &refusing{Actor: a, on: on, action: action, times: times}
}

func (r *refusing) Do(ctx context.Context, step remediation.Step) error {
	r.mu.Lock()
	no := step.On == r.on && step.Action == r.action && r.times > 0
	if no {
		r.times--
	}
	r.mu.Unlock()
	if no {
		return errors.New("it does not want to")
	}
	return r.Actor.Do(ctx, step)
}
