package sim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// book is the twin of the ledger, as far as recoveries write to it, under the same rules.
type book struct {
	intents topology.Intents
	by      string // recovery that agreed on the present primary
	goal    []byte // of the open recovery, as it was opened
	opened  int
}

func newBook(f *Fleet) book {
	named := topology.NamedCluster{}
	rules := make(map[topology.InstanceID]topology.PromotionRule)
	for _, s := range f.servers {
		named.Members = append(named.Members, s.ID)
		if s.Rule != topology.PromoteNeutral {
			rules[s.ID] = s.Rule
		}
		if s.source == "" && named.Primary == "" {
			named.Primary = s.ID
		}
	}
	return book{intents: topology.Intents{
		Clusters: map[string]topology.NamedCluster{f.options.Cluster: named}, PromotionRules: rules,
		Deposed: make(map[topology.InstanceID]topology.Deposed), Quarantined: make(map[topology.InstanceID]topology.Quarantine),
		Open: make(map[string]topology.OpenRecovery), Past: make(map[string][]topology.PastRecovery),
	}}
}

// record carries out a step that records a decision.
func (f *Fleet) record(step remediation.Step, recovery string) error {
	in := &f.ledger.intents
	switch step.Action {
	case remediation.AgreePrimary:
		return f.agree(step, recovery)
	case remediation.Quarantine:
		in.Quarantined[step.On] = topology.Quarantine{Reason: step.Why, GTIDs: step.GTIDs, Since: f.at}
	case remediation.Fenced:
		if d, ok := in.Deposed[step.On]; ok {
			d.Fenced = true
			in.Deposed[step.On] = d
		}
	case remediation.Rejoined:
		delete(in.Deposed, step.On)
		delete(in.Quarantined, step.On)
	default:
		return fmt.Errorf("%s is no step that the ledger records", step.Action)
	}
	return nil
}

func (f *Fleet) agree(step remediation.Step, recovery string) error {
	in := &f.ledger.intents
	if _, ok := in.Deposed[step.On]; ok {
		return fmt.Errorf("%s was deposed; release it first", step.On)
	}
	c := in.Clusters[f.options.Cluster]
	if c.Primary != step.On {
		c.Primary, c.Since, f.ledger.by = step.On, f.at, recovery
		c.Epoch++
	}
	if step.Source != "" {
		in.Deposed[step.Source] = topology.Deposed{Cluster: f.options.Cluster, Recovery: recovery, Since: f.at}
	}
	in.Clusters[f.options.Cluster] = c
	return nil
}

func (f *Fleet) recorded(step remediation.Step, recovery string) bool {
	in := &f.ledger.intents
	switch step.Action {
	case remediation.AgreePrimary:
		_, deposed := in.Deposed[step.Source]
		return in.Clusters[f.options.Cluster].Primary == step.On && f.ledger.by == recovery && (step.Source == "" || deposed)
	case remediation.Quarantine:
		_, ok := in.Quarantined[step.On]
		return ok
	case remediation.Fenced:
		d, ok := in.Deposed[step.On]
		return !ok || d.Fenced
	case remediation.Rejoined:
		_, ok := in.Deposed[step.On]
		return !ok
	}
	return false
}

// Intents is what the ledger says, in a copy that does not change.
func (f *Fleet) Intents() topology.Intents {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ledger.copied()
}

func (b *book) copied() topology.Intents {
	in := b.intents
	in.Clusters, in.PromotionRules = maps.Clone(in.Clusters), maps.Clone(in.PromotionRules)
	in.Deposed, in.Quarantined = maps.Clone(in.Deposed), maps.Clone(in.Quarantined)
	in.Open, in.Past = maps.Clone(in.Open), maps.Clone(in.Past)
	return in
}

// Change lets an operator change what the ledger says.
func (f *Fleet) Change(change func(*topology.Intents)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.ledger.intents)
}

// Open opens a recovery: the goal gets its name and is kept as it is now. Only one may be open.
func (f *Fleet) Open(goal remediation.Goal) (remediation.Goal, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if open, ok := f.ledger.intents.Open[f.options.Cluster]; ok {
		return goal, fmt.Errorf("open a recovery of %s: recovery %s is open", f.options.Cluster, open.ID)
	}
	f.ledger.opened++
	goal.ID = fmt.Sprintf("r%d", f.ledger.opened)
	kept, err := json.Marshal(goal)
	if err != nil {
		return goal, fmt.Errorf("open a recovery of %s: encode the goal: %w", f.options.Cluster, err)
	}
	f.ledger.goal = kept
	f.ledger.intents.Open[f.options.Cluster] = topology.OpenRecovery{ID: goal.ID, Kind: string(goal.Kind), Failed: goal.Failed, Since: f.at}
	goal.Opened = true
	return goal, nil
}

// Resume reads the open recovery as a leader finds it that knows nothing but the ledger. ok is false where none is open.
func (f *Fleet) Resume() (goal remediation.Goal, ok bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	open, ok := f.ledger.intents.Open[f.options.Cluster]
	if !ok {
		return goal, false, nil
	}
	if err := json.Unmarshal(f.ledger.goal, &goal); err != nil {
		return goal, true, fmt.Errorf("resume recovery %s: read its goal: %w", open.ID, err)
	}
	goal.ID, goal.Opened = open.ID, true
	if f.ledger.by == open.ID {
		goal.Successor = f.ledger.intents.Clusters[f.options.Cluster].Primary
	}
	return goal, true, nil
}

// Close ends the open recovery.
func (f *Fleet) Close(res remediation.Result) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := f.options.Cluster
	open := f.ledger.intents.Open[name]
	delete(f.ledger.intents.Open, name)
	past := f.ledger.intents.Past[name]
	f.ledger.intents.Past[name] = append(slices.Clip(past), topology.PastRecovery{
		ID: open.ID, Kind: open.Kind, Outcome: res.Outcome, Failed: open.Failed, Successor: res.Goal.Successor, Closed: f.at,
	})
}
