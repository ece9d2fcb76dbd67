package api

import (
	"encoding/json"
	"time"
)

// The kinds of recovery that people ask for.
const (
	KindFailover = "failover" // the primary is down
	KindTakeover = "takeover" // the primary is up
	KindRelocate = "relocate" // one replica goes below another source
)

// RecoveryRequest asks for a recovery, or for its plan.
type RecoveryRequest struct {
	Kind     string   `json:"kind"`               // failover, takeover or relocate
	Cluster  string   `json:"cluster,omitempty"`  // of a failover or takeover
	Instance string   `json:"instance,omitempty"` // the replica to relocate
	To       string   `json:"to,omitempty"`       // the successor wanted, or the source to go below
	Allow    []string `json:"allow,omitempty"`    // gates that need not pass
	Signature
}

// Started is the answer to a recovery that was opened.
type Started struct {
	ID string `json:"id"`
}

// Plan is what would be done next towards a goal, and why it may be done. It is the answer to a dry run.
type Plan struct {
	Kind       string      `json:"kind"`
	Cluster    string      `json:"cluster"`
	Instance   string      `json:"instance"` // the primary to replace, or the replica to move
	To         string      `json:"to,omitempty"`
	Successor  string      `json:"successor,omitempty"`
	Refusal    *Refusal    `json:"refusal,omitempty"` // set: it would be refused
	Gates      []Gate      `json:"gates"`
	Candidates []Candidate `json:"candidates,omitempty"`
	Stages     []Stage     `json:"stages,omitempty"`
	Complete   bool        `json:"complete,omitempty"` // nothing is left to do
	Waiting    string      `json:"waiting,omitempty"`
	AtRisk     string      `json:"at_risk,omitempty"` // transactions that no reachable replica holds
	Next       string      `json:"next,omitempty"`    // what is decided after these stages
}

// Refusal is the decision not to act.
type Refusal struct {
	Reason string `json:"reason"` // the first gate that does not pass
	Text   string `json:"text"`
	Hint   string `json:"hint,omitempty"`
	Gates  []Gate `json:"gates,omitempty"`
}

// Gate is one condition of a plan, with what was seen.
type Gate struct {
	Name       string  `json:"name"`
	Verdict    string  `json:"verdict"` // pass, fail or unknown
	Evidence   string  `json:"evidence"`
	AgeSeconds float64 `json:"age_seconds,omitempty"` // of the oldest observation it rests on
	Overruled  string  `json:"overruled,omitempty"`   // who allowed it although it does not pass
}

// Passes reports whether the plan may go on.
func (g Gate) Passes() bool { return g.Verdict == "pass" || g.Overruled != "" }

// Candidate is an instance that was considered as the next primary.
type Candidate struct {
	Instance      string   `json:"instance"`
	PromotionRule string   `json:"promotion_rule"`
	Behind        uint64   `json:"behind"` // transactions that others hold and it has not received
	BehindGTIDs   string   `json:"behind_gtids,omitempty"`
	Unapplied     uint64   `json:"unapplied"`
	Refused       []string `json:"refused,omitempty"` // why it cannot lead
	Chosen        bool     `json:"chosen,omitempty"`
	Donor         bool     `json:"donor,omitempty"`
}

// Stage is a set of steps under one name.
type Stage struct {
	Phase      string `json:"phase"`
	Steps      []Step `json:"steps"`
	Background bool   `json:"background,omitempty"`
}

// Step is one action on one instance.
type Step struct {
	Action  string `json:"action"`
	On      string `json:"on"`
	Source  string `json:"source,omitempty"`
	Text    string `json:"text"` // what, in words
	Why     string `json:"why"`
	MayFail bool   `json:"may_fail,omitempty"`
}

// RecoveryView is one recovery: what was asked, done and reached. In a list the plan and the steps are left out.
type RecoveryView struct {
	ID       string    `json:"id"`
	Cluster  string    `json:"cluster"`
	Kind     string    `json:"kind"`
	Rule     string    `json:"rule,omitempty"`
	Instance string    `json:"instance,omitempty"` // the one that failed, or is taken over from
	Trigger  string    `json:"trigger"`            // finding, alert or operator
	By       string    `json:"by"`
	Reason   string    `json:"reason,omitempty"`
	Open     bool      `json:"open"`
	Opened   time.Time `json:"opened"`
	Closed   time.Time `json:"closed,omitzero"`

	Outcome          string           `json:"outcome,omitempty"` // success, partial, failed, aborted or refused
	Message          string           `json:"message,omitempty"`
	Successor        string           `json:"successor,omitempty"`
	LostReplicas     []string         `json:"lost_replicas,omitempty"`
	LostTransactions string           `json:"lost_transactions,omitempty"`
	TookSeconds      *float64         `json:"took_seconds"`
	Phases           []PhaseTime      `json:"phases,omitempty"`
	Acknowledged     *Acknowledgement `json:"acknowledged,omitempty"`

	Steps []JournalStep   `json:"steps,omitempty"`
	Plan  json.RawMessage `json:"plan,omitempty"` // as it was when the recovery opened, or was last planned
}

// PhaseTime is how long one phase took.
type PhaseTime struct {
	Phase   string  `json:"phase"`
	Seconds float64 `json:"seconds"`
}

// JournalStep is one line of what was done.
type JournalStep struct {
	Phase       string    `json:"phase,omitempty"`
	Step        string    `json:"step"`
	On          string    `json:"on,omitempty"`
	At          time.Time `json:"at,omitzero"` // its end
	TookSeconds float64   `json:"took_seconds"`
	Error       string    `json:"error,omitempty"`
}

// Acknowledgement is the signature of a person under a recovery.
type Acknowledgement struct {
	By      string    `json:"by"`
	Comment string    `json:"comment,omitempty"`
	At      time.Time `json:"at"`
}

// The states of a step in a stream of progress.
const (
	StateStarted  = "started"
	StateProgress = "progress"
	StateDone     = "done"
	StateSkipped  = "skipped"
	StateFailed   = "failed"
)

// The outcomes of a recovery, and OutcomeHalted: the node may not act any more, and the next leader takes the recovery up.
const (
	OutcomeSuccess = "success"
	OutcomePartial = "partial"
	OutcomeFailed  = "failed"
	OutcomeAborted = "aborted"
	OutcomeRefused = "refused"
	OutcomeHalted  = "halted"
)

// Progress is one event of a recovery. A stream is one JSON object a line and ends with the one that has an outcome.
type Progress struct {
	Recovery    string    `json:"recovery"`
	At          time.Time `json:"at"`
	Phase       string    `json:"phase,omitempty"`
	Step        string    `json:"step,omitempty"` // the action
	Text        string    `json:"text,omitempty"` // the step in words; of the last event, how it ended
	On          string    `json:"on,omitempty"`
	State       string    `json:"state,omitempty"`
	Error       string    `json:"error,omitempty"`
	Sofar       uint64    `json:"sofar,omitempty"` // of Total, while a step is under way
	Total       uint64    `json:"total,omitempty"`
	TookSeconds float64   `json:"took_seconds,omitempty"` // of a step that has ended
	Outcome     string    `json:"outcome,omitempty"`
	Successor   string    `json:"successor,omitempty"`
}

// WhyNot says what would happen if the primary of a cluster died now, and what stands in the way of a recovery without anybody asking.
type WhyNot struct {
	At           time.Time `json:"at"`
	Cluster      string    `json:"cluster"`
	Primary      string    `json:"primary,omitempty"`
	Hypothetical bool      `json:"hypothetical"` // false: the primary is down already
	Would        bool      `json:"would"`        // an automatic recovery would happen
	Sentence     string    `json:"sentence"`
	Autonomy     string    `json:"autonomy"`
	Paused       *Pause    `json:"paused,omitempty"`
	Gates        []Gate    `json:"gates"`   // all of them
	Missing      []Gate    `json:"missing"` // those that do not pass: what would have to be true and is not

	Successor  string      `json:"successor,omitempty"` // as seen now
	Candidates []Candidate `json:"candidates"`
	AtRisk     string      `json:"at_risk,omitempty"` // transactions that no reachable replica holds
}
