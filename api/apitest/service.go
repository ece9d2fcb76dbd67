// Package apitest is a service in memory, for tests of the API and of what speaks to it: a scenario in the notation of topology is what it sees, the
// ledger's reducers are its record, and a recovery is carried out by saying so. It does not probe, run raft or change a server.
package apitest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/api"
	"github.com/batondb/baton/ledger"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// Node is the id of the node that a Service is.
const Node = "node-a"

// Service is everything that api.Options asks for, over one scenario. Its exported fields are set before it is used.
type Service struct {
	At       time.Time // the moment of everything
	Policies remediation.Policy
	Unready  error         // what Ready returns
	Broken   error         // what Reload returns
	Blind    error         // what Discover returns
	Leading  bool          // whether this node leads
	Leads    ledger.Peer   // who does
	Held     chan struct{} // where set, a watched recovery waits for it before each of its events
	Outcome  string        // of recoveries; success where empty
	OnWatch  func(n int)   // called before the event of this number is sent

	mu        sync.Mutex
	snapshot  *topology.Snapshot
	incidents []analysis.Incident
	state     *ledger.State
	events    map[string][]api.Progress
	changed   []string
}

// New reads a scenario. The node leads and has the default policy.
func New(scenario string) (*Service, error) {
	in, err := topology.Parse(scenario)
	if err != nil {
		return nil, fmt.Errorf("read the scenario: %w", err)
	}
	s := &Service{
		At: in.At, Policies: remediation.DefaultPolicy(), Leading: true, Leads: ledger.Peer{ID: Node}, state: &ledger.State{},
		events: make(map[string][]api.Progress), snapshot: topology.Build(in),
	}
	found := analysis.Evaluate(s.snapshot, analysis.Table, analysis.DefaultPolicy())
	// Found long ago and found again: whatever had to last has lasted.
	before, _ := analysis.Track(nil, found, in.At.Add(-time.Hour))
	s.incidents, _ = analysis.Track(before, found, in.At)
	return s, nil
}

// Options returns the options of a server over this service.
func (s *Service) Options() api.Options {
	return api.Options{
		Fleet: s, Recoverer: s, Discoverer: s, Record: s, Leadership: s, Lifecycle: s, Node: Node, Version: "1.2.3",
		Now: func() time.Time { return s.At },
	}
}

// Changed lists what was done, in order.
func (s *Service) Changed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.changed...)
}

func (s *Service) note(format string, args ...any) {
	s.changed = append(s.changed, fmt.Sprintf(format, args...))
}

// Snapshot returns the scenario.
func (s *Service) Snapshot() *topology.Snapshot { return s.snapshot }

// Incidents returns what the rules find in the scenario.
func (s *Service) Incidents() []analysis.Incident { return s.incidents }

// Policy returns the one policy of all clusters.
func (s *Service) Policy(string) remediation.Policy { return s.Policies }

// State returns the record.
func (s *Service) State() *ledger.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// Propose applies an entry, as the ledger of a group of one would.
func (s *Service) Propose(_ context.Context, e ledger.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.propose(e)
}

func (s *Service) propose(e ledger.Entry) error {
	if e.At.IsZero() {
		e.At = s.At
	}
	e.ID = fmt.Sprintf("entry-%d", s.state.Entries)
	next, err := ledger.Apply(*s.state, e)
	if err != nil {
		return err
	}
	s.state = &next
	s.note("%s by %s: %s %s", e.Kind, e.By, e.Body, e.Reason)
	return nil
}

// IsLeader reports whether this node leads.
func (s *Service) IsLeader() bool { return s.Leading }

// Leader returns who leads.
func (s *Service) Leader() ledger.Peer { return s.Leads }

// Stats returns plain numbers.
func (s *Service) Stats() ledger.Stats {
	return ledger.Stats{State: "leader", Leader: s.Leads.ID, Voters: 1, Term: 1, CommitIndex: 2, AppliedIndex: 2, Entries: s.State().Entries}
}

// Healthy always is.
func (s *Service) Healthy() error { return nil }

// Ready returns Unready.
func (s *Service) Ready() error { return s.Unready }

// Reload returns Broken.
func (s *Service) Reload() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Broken == nil {
		s.note("reload")
	}
	return s.Broken
}

// Discover sees an instance that the scenario has, and a lone one of any other name.
func (s *Service) Discover(_ context.Context, id topology.InstanceID) (topology.Observation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Blind != nil {
		return topology.Observation{}, s.Blind
	}
	s.note("discover %s", id)
	if i := s.snapshot.Instance(id); i != nil {
		return i.Observation, nil
	}
	return topology.Observation{Instance: id, Attempted: s.At, Reach: topology.ReachUp, Facts: topology.Facts{At: s.At, GTID: true}}, nil
}

// Forget only says so.
func (s *Service) Forget(_ context.Context, id topology.InstanceID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note("forget %s", id)
	return nil
}

// Plan makes the first plan.
func (s *Service) Plan(_ context.Context, goal remediation.Goal) (remediation.Plan, error) {
	return remediation.Make(goal, s.snapshot, s.Policies)
}

// Start opens a recovery, says every step of its first plan, and closes it.
func (s *Service) Start(ctx context.Context, goal remediation.Goal) (string, error) {
	plan, err := s.Plan(ctx, goal)
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal(plan)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := fmt.Sprintf("20260102T030405.000Z-%08d", len(s.state.Recoveries)+1)
	err = s.record(goal.By, goal.Reason, ledger.OpenRecovery{
		ID: id, Cluster: goal.Cluster, Kind: string(goal.Kind), Instance: string(goal.Failed), Trigger: string(goal.Trigger), Plan: raw,
	})
	if err != nil {
		return "", err
	}
	s.events[id] = s.carryOut(id, plan)
	if s.Held != nil {
		return id, nil // it goes on: it is closed by its watcher
	}
	return id, s.close(id)
}

func (s *Service) record(by, reason string, body ledger.Body) error {
	e, err := ledger.NewEntry(by, reason, body)
	if err != nil {
		return err
	}
	return s.propose(e)
}

// carryOut says what an executor would: each step starts and is done five milliseconds later.
func (s *Service) carryOut(id string, plan remediation.Plan) []api.Progress {
	at := s.At
	var out []api.Progress
	add := func(p api.Progress) {
		p.Recovery, p.At = id, at
		out = append(out, p)
	}
	successor := plan.Successor
	for _, c := range plan.Candidates {
		if c.Chosen {
			successor = c.Instance
		}
	}
	for _, st := range plan.Stages {
		for _, step := range st.Steps {
			p := api.Progress{Phase: string(st.Phase), Step: string(step.Action), Text: step.String(), On: string(step.On), State: api.StateStarted}
			add(p)
			at = at.Add(5 * time.Millisecond)
			if step.Action == remediation.WaitApplied {
				half := p
				half.State, half.Sofar, half.Total = api.StateProgress, 15_000, 30_000
				add(half)
			}
			p.State = api.StateDone
			add(p)
		}
	}
	outcome := s.Outcome
	if outcome == "" {
		outcome = api.OutcomeSuccess
	}
	add(api.Progress{Outcome: outcome, Text: "the goal holds", Successor: string(successor)})
	return out
}

func (s *Service) close(id string) error {
	events := s.events[id]
	last := events[len(events)-1]
	if last.Outcome == api.OutcomeHalted {
		return nil
	}
	var steps []ledger.Step
	for _, p := range events {
		if p.State == api.StateDone {
			steps = append(steps, ledger.Step{Stage: p.Phase, Step: p.Step, On: p.On, At: p.At, Took: 5 * time.Millisecond})
		}
	}
	if err := s.record("baton", "", ledger.ProgressRecovery{ID: id, Steps: steps}); err != nil {
		return err
	}
	return s.record("baton", "", ledger.CloseRecovery{
		ID: id, Outcome: last.Outcome, Message: last.Text, Successor: last.Successor,
		Phases: []ledger.Phase{{Name: "promote", Took: 5 * time.Millisecond}},
	})
}

// Watch replays the events of a recovery, one for each receive from Held where that is set.
func (s *Service) Watch(ctx context.Context, id string) (<-chan api.Progress, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	events, ok := s.events[id]
	if !ok {
		return nil, errors.New("its steps are not kept in this process")
	}
	out := make(chan api.Progress)
	go func() {
		defer close(out)
		for n, p := range events {
			if s.OnWatch != nil {
				s.OnWatch(n)
			}
			if s.Held != nil {
				select {
				case <-s.Held:
				case <-ctx.Done():
					return
				}
			}
			select {
			case out <- p:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

// Lose forgets the events of all recoveries, as a restart does.
func (s *Service) Lose() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = make(map[string][]api.Progress)
}
