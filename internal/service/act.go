package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/collector"
	"github.com/batondb/baton/ledger"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// leader is what this node does while it leads: take up what is open, name what is new, act on what fires.
type leader struct {
	engine     *engine
	ledger     *ledger.Ledger
	collector  *collector.Collector
	recoveries *recoveries
	names      *names
	metrics    *recoveryMetrics
	logger     *slog.Logger

	mu       sync.Mutex
	term     context.Context                       // of the present leadership; nil while another leads
	refusals map[analysis.Key]remediation.GateName // the last reason of each incident, so that each is told once
	tested   map[topology.InstanceID]time.Time
}

// testAgain is how long after a test of the links to a silent source the same test may be made again.
const testAgain = 200 * time.Millisecond

// lead runs for one term. Whoever it started has ended when it returns.
func (l *leader) lead(ctx context.Context) error {
	if err := l.look(ctx); err != nil {
		return nil //nolint:nilerr // the term is over
	}
	l.beginTerm(ctx)
	defer l.endTerm()
	defer l.recoveries.wait()
	var beside sync.WaitGroup
	defer beside.Wait()
	beside.Go(func() { l.names.run(ctx, l.engine) })
	l.recoveries.resume(ctx)
	for {
		judged := l.engine.judged()
		j := l.engine.newest.Load()
		l.act(ctx, j)
		select {
		case <-ctx.Done():
			return nil
		case <-judged:
		}
	}
}

// look asks everybody whom the ledger speaks of once, and judges what they say. A new leader that has just started knows nothing else, and must not
// take silence for absence.
func (l *leader) look(ctx context.Context) error {
	state := l.ledger.State()
	var ids []topology.InstanceID
	for id := range state.Seeds {
		ids = append(ids, topology.InstanceID(id))
	}
	for id := range state.Members() {
		if !state.IsForgotten(id, time.Now()) {
			ids = append(ids, topology.InstanceID(id))
		}
	}
	for _, goal := range l.recoveries.goals() {
		ids = append(ids, goal.Followers...)
		ids = append(ids, goal.Failed)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	l.collector.Add(ids...)
	var asked sync.WaitGroup
	for _, id := range ids {
		asked.Go(func() {
			_, _ = l.collector.Ask(ctx, id) // one that is ignored, or does not answer, is unknown and says nothing of the others
		})
	}
	asked.Wait()
	judged := l.engine.judged()
	l.engine.ask()
	select {
	case <-judged:
	case <-ctx.Done():
	}
	return ctx.Err()
}

func (l *leader) endTerm() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.term = nil
}

func (l *leader) beginTerm(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.term = ctx
	l.refusals = make(map[analysis.Key]remediation.GateName)
	l.tested = make(map[topology.InstanceID]time.Time)
}

// act considers every firing incident that nothing hides.
func (l *leader) act(ctx context.Context, j *judgement) {
	known := make(map[analysis.Key]bool)
	for _, i := range failoversFirst(j.incidents) {
		f := i.Finding
		known[f.Key()] = true
		switch {
		case i.State != analysis.Firing || f.Masked() || f.Recovery == analysis.RecoveryNone || l.recoveries.runs(f.Cluster) != "":
		case l.overtaken(f.Cluster, j.snapshot.At):
		case !remediation.Plans(f.Recovery):
			l.refused(f, &remediation.Refusal{Reason: noPlanner, Text: fmt.Sprintf("this version does not carry out %s: a person has to", f.Recovery)})
		default:
			l.consider(ctx, j.snapshot, f)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for k := range l.refusals {
		if !known[k] {
			delete(l.refusals, k)
		}
	}
}

// failoversFirst orders incidents so that nothing less claims a cluster whose primary is dead.
func failoversFirst(incidents []analysis.Incident) []analysis.Incident {
	sorted := slices.Clone(incidents)
	slices.SortStableFunc(sorted, func(a, b analysis.Incident) int {
		return cmp.Compare(number(b.Finding.Recovery == analysis.RecoveryFailover), number(a.Finding.Recovery == analysis.RecoveryFailover))
	})
	return sorted
}

// overtaken reports whether a judgement is older than what was last done in a cluster: then it has judged what is no more.
func (l *leader) overtaken(cluster string, at time.Time) bool {
	all := l.ledger.State().RecoveriesOf(cluster)
	return len(all) > 0 && !all[0].Open() && all[0].Closed.After(at)
}

// noPlanner is the reason why nothing is done about a finding whose recovery this version does not know.
const noPlanner remediation.GateName = "no_planner"

// notRecorded is the reason why nothing is done when the ledger does not take the recovery.
const notRecorded remediation.GateName = "not_recorded"

// consider plans a recovery of a finding and starts it unless it is refused.
func (l *leader) consider(ctx context.Context, snap *topology.Snapshot, f analysis.Finding) {
	goal := remediation.Goal{
		Kind: f.Recovery, Rule: f.Rule, Failed: f.Instance, Trigger: remediation.TriggerFinding, By: "baton", Reason: f.Sentence,
	}.Remember(snap)
	goal = l.recoveries.recall(goal)
	if isTest(f.Recovery) {
		l.test(ctx, f, goal, snap.At)
		return
	}
	plan, err := remediation.Make(goal, snap, l.recoveries.policy(goal.Cluster, goal.Kind))
	if no, refused := errors.AsType[*remediation.Refusal](err); refused {
		l.refused(f, no)
		return
	}
	if err != nil || plan.Complete || len(plan.Stages) == 0 {
		return // there is nothing to do about it now
	}
	_, err = l.recoveries.start(ctx, goal, plan)
	switch paused := (ledger.ErrPaused{}); {
	case errors.As(err, &paused):
		l.refused(f, &remediation.Refusal{Reason: remediation.GateAutomation, Text: err.Error()})
	case err != nil && ctx.Err() == nil:
		l.refused(f, &remediation.Refusal{Reason: notRecorded, Text: err.Error()})
	}
}

// isTest reports whether a recovery only gathers evidence.
func isTest(kind analysis.RecoveryKind) bool {
	return kind == analysis.RecoveryReprobe || kind == analysis.RecoveryRestartReceivers
}

// test lets replicas test their link to a source that does not answer us.
func (l *leader) test(ctx context.Context, f analysis.Finding, goal remediation.Goal, at time.Time) {
	l.mu.Lock()
	last := l.tested[goal.Failed]
	l.mu.Unlock()
	if at.Sub(last) < testAgain {
		return
	}
	plan, err := remediation.Make(goal, l.engine.newest.Load().snapshot, l.recoveries.policy(goal.Cluster, goal.Kind))
	if no, refused := errors.AsType[*remediation.Refusal](err); refused {
		l.refused(f, no)
		return
	}
	if err != nil || len(plan.Stages) == 0 {
		return
	}
	if l.recoveries.test(ctx, goal) {
		l.mu.Lock()
		l.tested[goal.Failed] = at
		l.mu.Unlock()
	}
}

// refused records a refusal. The same one is told once, not with every judgement.
func (l *leader) refused(f analysis.Finding, no *remediation.Refusal) {
	l.mu.Lock()
	last, known := l.refusals[f.Key()]
	l.refusals[f.Key()] = no.Reason
	l.mu.Unlock()
	if known && last == no.Reason {
		return
	}
	l.metrics.skipped(f.Cluster, f.Rule, string(no.Reason))
	l.logger.Warn("no recovery", "cluster", f.Cluster, "instance", f.Instance, "rule", f.Rule, "action", f.Recovery, "reason", no.Reason, "text", no.Text)
}

// leading returns the context of the present term, or ErrNotLeader.
func (l *leader) leading() (context.Context, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.term == nil {
		p := l.ledger.Leader()
		return nil, ledger.ErrNotLeader{Leader: p.ID, LeaderAPI: p.API}
	}
	return l.term, nil
}
