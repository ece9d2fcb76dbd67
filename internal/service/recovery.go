package service

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/api"
	"github.com/batondb/baton/ledger"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// recoveries runs recoveries and remembers how they go. It is the only place where a plan meets the actor.
type recoveries struct {
	ledger  *ledger.Ledger
	servers remediation.Actor
	observe func(context.Context, remediation.Goal) (*topology.Snapshot, error)
	newest  func() *topology.Snapshot
	policy  func(cluster string, kind analysis.RecoveryKind) remediation.Policy
	metrics *recoveryMetrics
	logger  *slog.Logger
	hub     *hub

	mu      sync.Mutex
	running map[string]string // cluster -> recovery or test that runs now
	group   sync.WaitGroup
}

// claim takes a cluster for one recovery at a time in this process. The ledger does the same for all processes.
func (r *recoveries) claim(cluster, what string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running[cluster] != "" {
		return false
	}
	r.running[cluster] = what
	return true
}

func (r *recoveries) release(cluster string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.running, cluster)
}

// runs says what runs in a cluster now; empty where nothing does.
func (r *recoveries) runs(cluster string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running[cluster]
}

// start opens a recovery in the ledger and runs it. The plan was made by the caller on the newest snapshot and not refused. It returns when the
// recovery is open; the rest goes on until it ends or ctx, the term of this leader, does.
func (r *recoveries) start(ctx context.Context, goal remediation.Goal, plan remediation.Plan) (string, error) {
	if !r.claim(goal.Cluster, string(goal.Kind)) {
		return "", ledger.ErrRecoveryOpen{Cluster: goal.Cluster, ID: r.runs(goal.Cluster)}
	}
	id, err := r.open(ctx, &goal, plan)
	if err != nil {
		r.release(goal.Cluster)
		return "", err
	}
	r.group.Go(func() {
		defer r.release(goal.Cluster)
		r.run(ctx, goal, false)
	})
	return id, nil
}

func (r *recoveries) open(ctx context.Context, goal *remediation.Goal, plan remediation.Plan) (string, error) {
	goal.ID = ledger.NewID(time.Now(), rand.Reader)
	planned, err := json.Marshal(plan)
	if err != nil {
		return "", fmt.Errorf("open a recovery of %s: encode the plan: %w", goal.Cluster, err)
	}
	evidence, err := json.Marshal(goal)
	if err != nil {
		return "", fmt.Errorf("open a recovery of %s: encode the goal: %w", goal.Cluster, err)
	}
	if err := r.name(ctx, goal.Cluster); err != nil {
		return "", err
	}
	entry, err := ledger.NewEntry(goal.By, clip(goal.Reason), ledger.OpenRecovery{
		ID: goal.ID, Cluster: goal.Cluster, Kind: string(goal.Kind), Rule: goal.Rule, Instance: string(goal.Failed),
		Trigger: string(goal.Trigger), Term: r.ledger.Term(), Plan: planned, Evidence: evidence,
	})
	if err == nil {
		err = r.ledger.Propose(ctx, entry)
	}
	if err != nil {
		return "", fmt.Errorf("open a recovery of %s: %w", goal.Cluster, err)
	}
	goal.Opened = true
	r.hub.open(goal.ID)
	r.metrics.started(*goal)
	r.logger.Info("recovery opened", "recovery", goal.ID, "cluster", goal.Cluster, "instance", goal.Failed, "rule", goal.Rule, "action", goal.Kind)
	return goal.ID, nil
}

// name writes down who belongs to a cluster, where the ledger does not know it yet. Whoever takes the recovery up must know its members, the dead
// ones included.
func (r *recoveries) name(ctx context.Context, cluster string) error {
	c := r.newest().Cluster(cluster)
	if c == nil {
		return nil
	}
	members := memberNames(c)
	if slices.Equal(r.ledger.State().Clusters[cluster].Members, members) {
		return nil
	}
	entry, err := ledger.NewEntry("baton", "before its recovery", ledger.NameCluster{ID: cluster, Alias: freeAlias(r.ledger.State(), cluster, c.Alias), Members: members})
	if err == nil {
		err = r.ledger.Propose(ctx, entry)
	}
	if err != nil {
		return fmt.Errorf("name cluster %s: %w", cluster, err)
	}
	return nil
}

// recall fills in what an earlier attempt knew of a primary that this process has never seen alive: it may have started after the death.
func (r *recoveries) recall(goal remediation.Goal) remediation.Goal {
	if !goal.LastSeen.IsZero() {
		return goal
	}
	for _, past := range r.ledger.State().RecoveriesOf(goal.Cluster) {
		var before remediation.Goal
		if past.Instance != string(goal.Failed) || json.Unmarshal(past.Evidence, &before) != nil || before.LastSeen.IsZero() {
			continue
		}
		goal.LastPosition, goal.LastSeen, goal.PrimaryUUID, goal.SemiSyncWait = before.LastPosition, before.LastSeen, before.PrimaryUUID, before.SemiSyncWait
		goal.DataCenter, goal.Region = before.DataCenter, before.Region
		return goal
	}
	return goal
}

// goals returns the goals of the recoveries that the ledger has open, as far as they have come.
func (r *recoveries) goals() []remediation.Goal {
	var goals []remediation.Goal
	state := r.ledger.State()
	for _, open := range state.RecoveriesOf("") {
		if !open.Open() || !open.Approved() {
			continue
		}
		var goal remediation.Goal
		if err := json.Unmarshal(open.Evidence, &goal); err != nil {
			r.logger.Error("an open recovery cannot be taken up: its goal is unreadable", "recovery", open.ID, "err", err)
			continue
		}
		goal.ID, goal.Opened = open.ID, true
		if p := state.Primaries[goal.Cluster]; p.Recovery == open.ID {
			goal.Successor = topology.InstanceID(p.Instance)
		}
		goals = append(goals, goal)
	}
	return goals
}

// resume takes up the recoveries that the ledger has open. Each goes on from what is seen, whatever its last leader had done.
func (r *recoveries) resume(ctx context.Context) {
	for _, goal := range r.goals() {
		if !r.claim(goal.Cluster, string(goal.Kind)) {
			continue
		}
		r.logger.Info("recovery taken up", "recovery", goal.ID, "cluster", goal.Cluster, "instance", goal.Failed)
		r.hub.open(goal.ID)
		r.group.Go(func() {
			defer r.release(goal.Cluster)
			r.run(ctx, goal, true)
		})
	}
}

// run carries a recovery to its end and closes it. A halted one stays open for the next leader.
func (r *recoveries) run(ctx context.Context, goal remediation.Goal, resume bool) {
	journal := newJournal(r.ledger, goal.ID)
	stopJournal := journal.follow(ctx)
	watch := func(e remediation.Event) {
		at := time.Now()
		journal.note(e, at)
		r.hub.publish(goal.ID, progress(goal.ID, e, at))
		r.metrics.event(goal, e, at)
	}
	result := remediation.Result{Halted: true, Goal: goal}
	for result.Halted && ctx.Err() == nil {
		// One that halts although this node still leads, because a lease could not be verified in time, is taken up again from what is seen.
		result = remediation.Recover(ctx, remediation.Recovery{
			Goal: result.Goal, Policy: r.policy(goal.Cluster, goal.Kind), Observe: r.observe, Watch: watch, Resume: resume,
			Actor: r.actor(goal),
		})
		if result.Halted && ctx.Err() == nil {
			r.logger.Warn("recovery halted; it is taken up again", "recovery", goal.ID, "cluster", goal.Cluster, "text", result.Text)
			rest(ctx, haltPause)
			resume = true
		}
	}
	stopJournal()
	r.metrics.ended(goal, result)
	r.logger.Info("recovery ended", "recovery", goal.ID, "cluster", goal.Cluster, "outcome", result.Outcome, "text", result.Text)
	if !result.Halted {
		r.close(ctx, goal, result, journal)
	}
	r.hub.close(goal.ID, api.Progress{Recovery: goal.ID, At: time.Now(), Outcome: outcome(result), Text: result.Text, Successor: string(result.Goal.Successor)})
}

// haltPause is how long a recovery that halted waits before it is taken up again.
const haltPause = time.Second

// rest lets a while pass, or the context end.
func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

func outcome(res remediation.Result) string {
	if res.Halted {
		return "halted"
	}
	return res.Outcome
}

func (r *recoveries) actor(goal remediation.Goal) remediation.Actor {
	routed := remediation.Routed(map[remediation.Door]remediation.Actor{
		remediation.DoorServer: r.servers,
		remediation.DoorLedger: &ledgerActor{ledger: r.ledger, goal: goal, snapshot: r.newest},
	})
	logged := remediation.Watched(routed, func(step remediation.Step) func(error) {
		began := time.Now()
		return func(err error) {
			r.logger.Info("step", "recovery", goal.ID, "cluster", goal.Cluster, "instance", step.On, "action", step.Action, "took", time.Since(began), "err", err)
		}
	})
	return remediation.Guarded(logged, r.ledger.VerifyLeader)
}

func (r *recoveries) close(ctx context.Context, goal remediation.Goal, res remediation.Result, j *journal) {
	body := ledger.CloseRecovery{
		ID: goal.ID, Term: r.ledger.Term(), Outcome: res.Outcome, Message: clip(res.Text), Successor: string(res.Goal.Successor), Phases: j.phases(),
	}
	for id := range res.Goal.Lost {
		body.LostReplicas = append(body.LostReplicas, string(id))
	}
	for ctx.Err() == nil {
		entry, err := ledger.NewEntry("baton", clip(res.Text), body)
		if err == nil {
			err = r.ledger.Propose(ctx, entry)
		}
		if err == nil || errors.As(err, new(ledger.ErrNotFound)) || errors.As(err, new(ledger.ErrConflict)) || errors.As(err, new(ledger.ErrNotLeader)) {
			return
		}
		r.logger.Error("a recovery that has ended could not be closed; it is tried again", "recovery", goal.ID, "err", err)
		rest(ctx, haltPause)
	}
}

// clip keeps a sentence within what the ledger takes. It may name whole sets of transactions, which have a field of their own.
func clip(text string) string {
	const most = 2048
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + " ..."
}

// test runs a recovery that only gathers evidence. What it stops it starts in the same breath, so the ledger does not open it; it is guarded and
// logged like every other.
func (r *recoveries) test(ctx context.Context, goal remediation.Goal) bool {
	if !r.claim(goal.Cluster, string(goal.Kind)) {
		return false
	}
	r.group.Go(func() {
		defer r.release(goal.Cluster)
		remediation.Recover(ctx, remediation.Recovery{
			Goal: goal, Policy: r.policy(goal.Cluster, goal.Kind), Observe: r.observe, Actor: r.actor(goal),
		})
	})
	return true
}

// wait returns when nothing runs any more. Those who run end with the context of their leader's term.
func (r *recoveries) wait() { r.group.Wait() }
