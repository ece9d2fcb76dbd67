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
	if r.Goal.ID == "" { // only gathers evidence
		return Execute(ctx, plan, r.Actor, r.Resume, r.Watch)
	}
	during, done := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { r.keepClosed(ctx, during, r.spared(plan)) })
	x := Execute(ctx, plan, r.Actor, r.Resume, r.Watch)
	done()
	watching.Wait()
	return x
}

// spared is whom the recovery itself is about to open, or to close, although it is deposed.
func (r *run) spared(plan Plan) topology.InstanceID {
	if forward := !r.Goal.Abort || plan.Successor != ""; forward && (r.Goal.Kind == analysis.RecoveryFailover || r.Goal.Kind == analysis.RecoveryTakeover) {
		return plan.Successor
	}
	return r.Goal.Failed
}

// keepClosed looks from time to time while the plan is carried out, and fences the deposed primaries that it finds open. A fence that has begun is
// brought to its end.
func (r *run) keepClosed(ctx, during context.Context, except topology.InstanceID) {
	for {
		rest(during, fencePause)
		if during.Err() != nil {
			return
		}
		snap, err := r.Observe(during, r.Goal)
		if err != nil || !r.closeDeposed(ctx, snap, except) {
			return
		}
	}
}

// closeDeposed fences the deposed primaries that are open, except one. It reports false where this node may not act any more.
func (r *run) closeDeposed(ctx context.Context, snap *topology.Snapshot, except topology.InstanceID) bool {
	c := snap.Cluster(r.Goal.Cluster)
	if c == nil || r.Goal.ID == "" {
		return true
	}
	st := Stage{Phase: PhaseFence}
	for _, i := range c.Members {
		if i.Deposed && i.Up() && i.Writable() && i.Instance != except {
			st.Steps = append(st.Steps, Step{
				Action: Fence, On: i.Instance, Flavor: i.Facts.Version.Flavor, KillClients: true, MayFail: true,
				Why: "it was deposed and is back",
			})
		}
	}
	if len(st.Steps) == 0 {
		return true
	}
	return Execute(ctx, Plan{Stages: []Stage{st}}, r.Actor, false, r.Watch).Failed == nil
}
