package ledger

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// How much of the past is kept: every open recovery, the last one of each cluster, and of the rest so many of a cluster
// and so many altogether. One cluster that flaps cannot push out what happened to the others.
const (
	keepRecoveries   = 200
	keepPerCluster   = 20
	maxSteps         = 4096
	maxHooks         = 256
	maxLostReplicas  = 4096
	maxPhases        = 64
	maxProgressBytes = 64 << 10 // of steps and hooks; a new plan may be as large as the first one
)

// OpenRecovery begins a recovery. It is refused while the cluster has another open one and, unless an operator asked for
// it, while automation is paused: so nobody who paused a cluster sees it touched afterwards.
type OpenRecovery struct {
	ID            string          `json:"id"`
	Cluster       string          `json:"cluster"`
	Kind          string          `json:"kind"`
	Rule          string          `json:"rule,omitempty"`
	Instance      string          `json:"instance,omitempty"`
	Trigger       string          `json:"trigger"`
	Alert         string          `json:"alert,omitempty"`
	Term          uint64          `json:"term,omitempty"`
	NeedsApproval bool            `json:"needs_approval,omitempty"`
	Plan          json.RawMessage `json:"plan,omitempty"`
	Evidence      json.RawMessage `json:"evidence,omitempty"`
}

func (OpenRecovery) kind() string { return "open_recovery" }

func (b OpenRecovery) check(Entry) error {
	return first(isName("id", b.ID), isName("cluster", b.Cluster), isName("kind", b.Kind), mayName("rule", b.Rule),
		mayName("instance", b.Instance), isOneOf("trigger", b.Trigger, ByFinding, ByAlert, ByOperator), isText("alert", b.Alert))
}

// Fence is the kind of recovery that closes a deposed primary which takes writes. No pause holds it up: two must not take writes.
const Fence = "fence"

func openRecovery(s State, e Entry, b OpenRecovery) (State, error) {
	if open := s.OpenRecovery(b.Cluster); open != nil {
		return s, ErrRecoveryOpen{Cluster: b.Cluster, ID: open.ID}
	}
	if _, ok := s.Recoveries[b.ID]; ok {
		return s, ErrConflict{Problem: fmt.Sprintf("recovery %s is in the history already", b.ID)}
	}
	if p, ok := s.Paused(b.Cluster, b.Rule, e.At); ok && b.Trigger != ByOperator && b.Kind != Fence {
		return s, ErrPaused{Pause: p}
	}
	s.Recoveries = with(s.Recoveries, b.ID, &Recovery{
		ID: b.ID, Cluster: b.Cluster, Kind: b.Kind, Rule: b.Rule, Instance: b.Instance, Trigger: b.Trigger, Alert: b.Alert,
		By: e.By, Reason: e.Reason, Opened: e.At, Term: b.Term, NeedsApproval: b.NeedsApproval, Plan: b.Plan, Evidence: b.Evidence,
	})
	return s, nil
}

// ApproveRecovery lets an open recovery act that waits for an operator.
type ApproveRecovery struct {
	ID string `json:"id"`
}

func (ApproveRecovery) kind() string { return "approve_recovery" }

func (b ApproveRecovery) check(Entry) error { return isName("id", b.ID) }

func approveRecovery(s State, e Entry, b ApproveRecovery) (State, error) {
	return change(s, b.ID, 0, func(r *Recovery) error {
		if r.Approved() {
			return ErrConflict{Problem: fmt.Sprintf("recovery %s does not wait for approval", r.ID)}
		}
		r.Approval = &Mark{By: e.By, Comment: e.Reason, At: e.At}
		return nil
	})
}

// ProgressRecovery adds steps to the journal of an open recovery, records hooks as they start and end, and replaces the
// plan where a fresh look at the frozen topology made a new one. Several steps may share an entry.
type ProgressRecovery struct {
	ID    string          `json:"id"`
	Term  uint64          `json:"term,omitempty"` // of the leader that acts; an older one than the recovery's is refused
	Steps []Step          `json:"steps,omitempty"`
	Hooks []HookRun       `json:"hooks,omitempty"`
	Plan  json.RawMessage `json:"plan,omitempty"`
}

func (ProgressRecovery) kind() string { return "progress_recovery" }

func (b ProgressRecovery) check(e Entry) error {
	for _, step := range b.Steps {
		if err := first(isLabel("step", step.Step), mayName("on", step.On), isText("stage", step.Stage), mayTime("at", step.At)); err != nil {
			return err
		}
	}
	for _, h := range b.Hooks {
		if err := first(isLabel("hook", h.Name), mayTime("at", h.At)); err != nil {
			return err
		}
	}
	if n := len(e.Body) - len(b.Plan); n > maxProgressBytes {
		return ErrInvalid{Field: "steps", Problem: fmt.Sprintf("take %d bytes, %d are allowed", n, maxProgressBytes)}
	}
	return isName("id", b.ID)
}

func progressRecovery(s State, _ Entry, b ProgressRecovery) (State, error) {
	return change(s, b.ID, b.Term, func(r *Recovery) error {
		steps := slices.Clone(b.Steps[:min(len(b.Steps), maxSteps-len(r.Steps))])
		for i := range steps {
			steps[i].Err = clip(steps[i].Err)
		}
		r.Steps = slices.Concat(r.Steps, steps)
		r.StepsDropped += len(b.Steps) - len(steps)
		for _, h := range b.Hooks {
			h.Err, h.Output = clip(h.Err), clip(h.Output)
			r.Hooks = recordHook(r.Hooks, h)
		}
		if len(b.Plan) > 0 {
			r.Plan = b.Plan
		}
		return nil
	})
}

// recordHook replaces the start of a hook by its end.
func recordHook(hooks []HookRun, h HookRun) []HookRun {
	hooks = slices.Clone(hooks)
	for i := range hooks {
		if hooks[i].Name == h.Name {
			hooks[i] = h
			return hooks
		}
	}
	if len(hooks) >= maxHooks {
		return hooks
	}
	return append(hooks, h)
}

// CloseRecovery ends a recovery.
type CloseRecovery struct {
	ID               string   `json:"id"`
	Term             uint64   `json:"term,omitempty"`
	Outcome          string   `json:"outcome"`
	Message          string   `json:"message,omitempty"`
	Successor        string   `json:"successor,omitempty"`
	LostReplicas     []string `json:"lost_replicas,omitempty"`
	LostTransactions string   `json:"lost_transactions,omitempty"`
	Phases           []Phase  `json:"phases,omitempty"`
}

func (CloseRecovery) kind() string { return "close_recovery" }

func (b CloseRecovery) check(Entry) error {
	if len(b.Phases) > maxPhases || len(b.LostReplicas) > maxLostReplicas {
		return ErrInvalid{Field: "phases or lost_replicas", Problem: fmt.Sprintf("more than %d phases or %d replicas", maxPhases, maxLostReplicas)}
	}
	return first(isName("id", b.ID), isOneOf("outcome", b.Outcome, Success, Partial, Failed, Aborted, Refused), isText("message", b.Message),
		mayName("successor", b.Successor), areNames("lost_replicas", b.LostReplicas), isGTIDs("lost_transactions", b.LostTransactions))
}

func closeRecovery(s State, e Entry, b CloseRecovery) (State, error) {
	s, err := change(s, b.ID, b.Term, func(r *Recovery) error {
		r.Closed, r.Outcome, r.Message, r.Successor = e.At, b.Outcome, b.Message, b.Successor
		r.LostReplicas, r.LostTransactions, r.Phases = b.LostReplicas, b.LostTransactions, b.Phases
		return nil
	})
	if err != nil {
		return s, err
	}
	s.Recoveries = trim(s.Recoveries)
	return s, nil
}

// change returns a state in which an open recovery is replaced by a changed copy. A term of zero is the word of an
// operator; any other must not be older than the one that holds the recovery.
func change(s State, id string, term uint64, edit func(*Recovery) error) (State, error) {
	r, ok := s.Recoveries[id]
	if !ok || !r.Open() {
		return s, ErrNotFound{What: "open recovery", Name: id}
	}
	if term != 0 && term < r.Term {
		return s, ErrStale{What: "the term that holds recovery " + id, Seen: term, Now: r.Term}
	}
	changed := *r
	changed.Term = max(term, r.Term)
	if err := edit(&changed); err != nil {
		return s, err
	}
	s.Recoveries = with(s.Recoveries, id, &changed)
	return s, nil
}

// trim drops the closed recoveries that are no longer kept.
func trim(all map[string]*Recovery) map[string]*Recovery {
	s := State{Recoveries: all}
	kept := make(map[string]bool, len(all))
	perCluster := make(map[string]int)
	total := 0
	for _, r := range s.RecoveriesOf("") {
		if r.Open() {
			kept[r.ID] = true
			continue
		}
		perCluster[r.Cluster]++
		if n := perCluster[r.Cluster]; n == 1 || n <= keepPerCluster && total < keepRecoveries {
			kept[r.ID] = true
			total++
		}
	}
	return without(all, func(id string, _ *Recovery) bool { return !kept[id] })
}

// Acknowledge signs recoveries as seen; the comment is the entry's reason. It names one recovery, an instance or a
// cluster, or says all: of these, every closed one that is not acknowledged yet.
type Acknowledge struct {
	Recovery string `json:"recovery,omitempty"`
	Instance string `json:"instance,omitempty"`
	Cluster  string `json:"cluster,omitempty"`
	All      bool   `json:"all,omitempty"`
}

func (Acknowledge) kind() string { return "acknowledge" }

func (b Acknowledge) check(e Entry) error {
	all := ""
	if b.All {
		all = "true"
	}
	return first(isOneSet("recovery", b.Recovery, "instance", b.Instance, "cluster", b.Cluster, "all", all),
		mayName("recovery", b.Recovery), mayName("instance", b.Instance), mayName("cluster", b.Cluster), isReason(e.Reason))
}

func acknowledge(s State, e Entry, b Acknowledge) (State, error) {
	named, ok := s.Recoveries[b.Recovery]
	switch {
	case b.Recovery != "" && !ok:
		return s, ErrNotFound{What: "recovery", Name: b.Recovery}
	case b.Recovery != "" && named.Open():
		return s, ErrConflict{Problem: fmt.Sprintf("recovery %s is still open", b.Recovery)}
	}
	found := false
	for _, r := range s.RecoveriesOf(b.Cluster) {
		if r.Open() || r.Acknowledged != nil || b.Recovery != "" && r.ID != b.Recovery || b.Instance != "" && r.Instance != b.Instance {
			continue
		}
		signed := *r
		signed.Acknowledged = &Mark{By: e.By, Comment: e.Reason, At: e.At}
		s.Recoveries = with(s.Recoveries, r.ID, &signed)
		found = true
	}
	if !found {
		return s, ErrNotFound{What: "unacknowledged recovery of", Name: b.subject()}
	}
	return s, nil
}

func (b Acknowledge) subject() string {
	return scope("recovery", b.Recovery, "instance", b.Instance, "cluster", b.Cluster)
}

// clip cuts what a program printed to what a reader needs, on the boundary of a character.
func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	const ellipsis = "..."
	return strings.ToValidUTF8(s[:maxText-len(ellipsis)], "") + ellipsis
}
