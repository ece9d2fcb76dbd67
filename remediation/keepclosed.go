package remediation

import (
	"context"
	"sync"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/topology"
)

// execute carries a plan out, and meanwhile keeps deposed primaries closed. A replica that hangs while it is repointed can hold up the end of a
// plan for long, and an old primary that comes back takes writes until somebody looks.
func (r *run) execute(ctx context.Context, plan Plan) Execution {
	goingBack := r.Goal.Abort && plan.Successor == ""
	if goingBack || r.Goal.Kind != analysis.RecoveryFailover && r.Goal.Kind != analysis.RecoveryTakeover {
		return Execute(ctx, plan, r.Actor, r.Resume, r.Watch)
	}
	during, done := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { r.keepClosed(ctx, during) })
	x := Execute(ctx, plan, r.Actor, r.Resume, r.Watch)
	done()
	watching.Wait()
	return x
}

// keepClosed looks from time to time while the plan is carried out, and fences the deposed primaries that it finds open. A fence that has begun is
// brought to its end.
func (r *run) keepClosed(ctx, during context.Context) {
	for {
		pause, done := context.WithTimeout(during, fencePause)
		<-pause.Done()
		done()
		if during.Err() != nil {
			return
		}
		snap, err := r.Observe(during, r.Goal)
		if err != nil {
			return
		}
		if st := fenceDeposed(snap, r.Goal.Cluster); len(st.Steps) > 0 {
			if x := Execute(ctx, Plan{Stages: []Stage{st}}, r.Actor, false, r.Watch); x.Failed != nil {
				return // it may fail, so this node may not act any more
			}
		}
	}
}

// fenceDeposed closes the instances that the ledger has deposed and that take writes.
func fenceDeposed(snap *topology.Snapshot, cluster string) Stage {
	st := Stage{Phase: PhaseFence}
	c := snap.Cluster(cluster)
	if c == nil {
		return st
	}
	for _, i := range c.Members {
		if i.Deposed && i.Up() && i.Writable() {
			st.Steps = append(st.Steps, Step{Action: Fence, On: i.Instance, Flavor: i.Facts.Version.Flavor, KillClients: true, MayFail: true,
				Why: "it was deposed and is back"})
		}
	}
	return st
}
