package remediation_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/internal/sim"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// world is a simulated fleet with the smallest leader that can work on it.
type world struct {
	t *testing.T
	*sim.Live
	policy remediation.Policy
	around func(remediation.Actor) remediation.Actor // decorates the actor of the next recoveries
	plans  []remediation.Plan
}

// inWorld runs a test in a bubble of virtual time, on a fleet that has been looked at once.
func inWorld(t *testing.T, o sim.Options, test func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		live, err := sim.NewLive(o)
		if err != nil {
			t.Fatal(err)
		}
		w := &world{t: t, Live: live, policy: remediation.DefaultPolicy()}
		w.policy.Autonomy = remediation.Auto
		w.look()
		test(w)
	})
}

func (w *world) look() *topology.Snapshot {
	w.t.Helper()
	snap, err := w.Observe(context.Background(), remediation.Goal{})
	if err != nil {
		w.t.Fatal(err)
	}
	return snap
}

// until looks until something is seen, for half a minute at most.
func (w *world) until(what string, seen func(*topology.Snapshot) bool) *topology.Snapshot {
	w.t.Helper()
	for range 300 {
		if snap := w.look(); seen(snap) {
			return snap
		}
		w.Pass(100 * time.Millisecond)
	}
	w.t.Fatalf("after 30 s it is not so that %s: %s", what, w.Shape())
	return nil
}

// lost looks until a source is down and none of its replicas holds on to it.
func (w *world) lost(id topology.InstanceID) *topology.Snapshot {
	w.t.Helper()
	return w.until(string(id)+" is lost", func(s *topology.Snapshot) bool {
		i := s.Instance(id)
		if !i.Down {
			return false
		}
		for _, r := range i.Direct {
			if t := s.Testimony(s.Instance(r)); t == topology.TestimonyReceives || t == topology.TestimonySilent {
				return false
			}
		}
		return true
	})
}

func (w *world) goal(kind analysis.RecoveryKind, failed topology.InstanceID) remediation.Goal {
	goal := remediation.Goal{Kind: kind, Failed: failed, Trigger: remediation.TriggerFinding, By: "baton"}
	if kind == analysis.RecoveryTakeover || kind == remediation.RelocateOne {
		goal.Trigger, goal.By = remediation.TriggerOperator, "anna"
	}
	return goal.Remember(w.Snapshot())
}

// recover opens a recovery, runs it and closes it, as a leader does.
func (w *world) recover(goal remediation.Goal) remediation.Result {
	w.t.Helper()
	return w.run(context.Background(), w.open(goal), false)
}

func (w *world) open(goal remediation.Goal) remediation.Goal {
	w.t.Helper()
	goal, err := w.Open(goal)
	if err != nil {
		w.t.Fatal(err)
	}
	return goal
}

// resume takes up the open recovery, knowing nothing but the ledger.
func (w *world) resume(ctx context.Context) remediation.Result {
	w.t.Helper()
	goal, ok, err := w.Resume()
	if err != nil || !ok {
		w.t.Fatalf("resume: open %t, %v", ok, err)
	}
	return w.run(ctx, goal, true)
}

func (w *world) run(ctx context.Context, goal remediation.Goal, resume bool) remediation.Result {
	var actor remediation.Actor = w.Live
	if w.around != nil {
		actor = w.around(actor)
	}
	res := remediation.Recover(ctx, remediation.Recovery{
		Goal: goal, Policy: w.policy, Observe: w.Observe, Actor: actor, Resume: resume,
		Planned: func(p remediation.Plan) { w.plans = append(w.plans, p) },
	})
	w.Advance(time.Now())
	if !res.Halted {
		w.Close(res)
	}
	if res.Outcome == remediation.OutcomeAborted && (res.Refusal == nil || res.Refusal.Reason == "" || res.Refusal.Text == "") {
		w.t.Errorf("I8: a recovery was refused without a recorded reason: %+v", res)
	}
	return res
}

// settle ends all traffic, lets the fleet come to rest and works on what a leader would find: a dead primary, and deposed ones that are back.
func (w *world) settle() {
	w.t.Helper()
	w.SetTraffic(sim.Options{})
	for range 40 {
		snap := w.look()
		if _, open, _ := w.Resume(); open {
			w.resume(context.Background())
			continue
		}
		if !w.mend(snap) {
			break
		}
	}
	w.Pass(time.Second)
}

// mend starts one recovery where one is due. It reports whether the fleet is worth another look.
func (w *world) mend(snap *topology.Snapshot) bool {
	cluster := snap.Clusters[0]
	primary := snap.Instance(cluster.Primary)
	switch {
	case primary.Agreed == topology.ReachUnknown, primary.Failures > 0 && !primary.Down:
		return true
	case primary.Down && !primary.Deposed:
		w.tryTo(w.goal(analysis.RecoveryFailover, primary.Instance), snap)
		return true
	}
	for _, i := range cluster.Members {
		if i.Deposed && i.Up() && (!i.Quarantined || i.Writable()) && i != primary {
			w.tryTo(w.goal(analysis.RecoveryFence, i.Instance), snap)
			return true
		}
	}
	for _, i := range cluster.Members {
		if !i.Up() {
			return true
		}
		if c, ok := i.Facts.Default(); ok && c.Receiver == topology.ReceiverConnecting {
			return true
		}
	}
	return false
}

func (w *world) tryTo(goal remediation.Goal, snap *topology.Snapshot) {
	if _, err := remediation.Make(goal, snap, w.policy); err != nil {
		w.Pass(200 * time.Millisecond)
		return
	}
	w.recover(goal)
}

// holds fails the test for every invariant that did not hold.
func (w *world) holds(asynchronousToo bool) {
	w.t.Helper()
	all := append(w.Violations(), w.CheckWrites(asynchronousToo)...)
	for _, v := range append(all, w.CheckRest()...) {
		w.t.Errorf("%s\n  fleet: %s", v, w.Shape())
	}
}

// story is the steps of all plans so far, one line each.
func (w *world) story() string {
	var b strings.Builder
	for _, p := range w.plans {
		for _, st := range p.Stages {
			for _, step := range st.Steps {
				fmt.Fprintf(&b, "%s: %s\n", st.Phase, step)
			}
		}
	}
	return b.String()
}

func refusal(t *testing.T, err error) *remediation.Refusal {
	t.Helper()
	var r *remediation.Refusal
	if !errors.As(err, &r) {
		t.Fatalf("want a refusal, got %v", err)
	}
	return r
}

// shop is the usual fleet: one primary and replicas below it.
func shop(replicas int, o sim.Options, each ...func(int, *sim.Server)) sim.Options {
	o.Servers = append(o.Servers, sim.Server{ID: "db1:3306"})
	for n := range replicas {
		o.Servers = append(o.Servers, sim.Server{ID: topology.InstanceID(fmt.Sprintf("db%d:3306", n+2)), Source: "db1:3306", SemiSync: o.WaitFor > 0})
	}
	for n := range o.Servers {
		for _, change := range each {
			change(n+1, &o.Servers[n])
		}
	}
	if o.Loaded == 0 {
		o.Loaded = 20
	}
	return o
}
