package ledger

import (
	"encoding/json"
	"maps"
	"time"
)

// State is everything the ledger knows, as one immutable value: Apply returns a new one that shares what did not
// change, so readers hold it as long as they like and never modify its maps or what they point to.
// Things that expire stay until an entry with a later time is applied; the methods that take a time look through that.
type State struct {
	Entries        uint64                   `json:"entries,omitempty"` // how many entries were accepted, a version of the state
	At             time.Time                `json:"at,omitzero"`       // time of the last accepted entry
	Pauses         map[string]Pause         `json:"pauses,omitempty"`  // by scope
	Downtimes      map[string]Downtime      `json:"downtimes,omitempty"`
	Maintenance    map[string]Maintenance   `json:"maintenance,omitempty"`     // by scope
	PromotionRules map[string]PromotionRule `json:"promotion_rules,omitempty"` // by instance
	Autonomy       map[string]Autonomy      `json:"autonomy,omitempty"`        // by scope
	Tags           map[string]Tags          `json:"tags,omitempty"`            // by instance
	Clusters       map[string]Cluster       `json:"clusters,omitempty"`        // by cluster id
	Seeds          map[string]Seed          `json:"seeds,omitempty"`           // by instance
	Forgotten      map[string]Forgotten     `json:"forgotten,omitempty"`       // by instance
	Recoveries     map[string]*Recovery     `json:"recoveries,omitempty"`      // by recovery id: every open one and recent closed ones
	Primaries      map[string]Primary       `json:"primaries,omitempty"`       // by cluster id: the last agreed primary
	Deposed        map[string]Deposed       `json:"deposed,omitempty"`         // by instance
	Quarantines    map[string]Quarantine    `json:"quarantines,omitempty"`     // by instance
	Keys           map[string]Key           `json:"keys,omitempty"`            // by idempotency key
}

// Pause stops automatic recoveries of the fleet, of a cluster, of a rule, or of a rule in a cluster.
type Pause struct {
	Cluster string    `json:"cluster,omitempty"`
	Rule    string    `json:"rule,omitempty"`
	By      string    `json:"by"`
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
	Until   time.Time `json:"until,omitzero"` // zero: until resumed
}

// Scope says in words what is paused.
func (p Pause) Scope() string { return scope("cluster", p.Cluster, "rule", p.Rule) }

// Downtime says that the findings of an instance are to be ignored for a while.
type Downtime struct {
	Owner  string    `json:"owner"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
	Begin  time.Time `json:"begin"`
	End    time.Time `json:"end"`
}

// Maintenance says that nobody but its owner moves an instance or a cluster for a while.
type Maintenance struct {
	Instance string    `json:"instance,omitempty"`
	Cluster  string    `json:"cluster,omitempty"`
	Owner    string    `json:"owner"`
	Reason   string    `json:"reason"`
	At       time.Time `json:"at"`
	Until    time.Time `json:"until"`
}

// Scope says in words what is in maintenance.
func (m Maintenance) Scope() string { return scope("instance", m.Instance, "cluster", m.Cluster) }

// PromotionRule says how welcome an instance is as a primary.
type PromotionRule struct {
	Rule   string    `json:"rule"` // one of Prefer, Neutral, PreferNot, MustNot
	By     string    `json:"by"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
	Until  time.Time `json:"until,omitzero"`
}

// The promotion rules, from the most to the least welcome.
const (
	Prefer    = "prefer"
	Neutral   = "neutral"
	PreferNot = "prefer_not"
	MustNot   = "must_not"
)

// Autonomy says how far automation may go by itself in a cluster, for one kind of recovery or for all.
type Autonomy struct {
	Cluster string    `json:"cluster,omitempty"` // empty: the fleet
	Kind    string    `json:"kind,omitempty"`    // empty: every kind of recovery
	Level   string    `json:"level"`             // one of Observe, Recommend, Approve, Auto
	By      string    `json:"by"`
	Reason  string    `json:"reason,omitempty"`
	At      time.Time `json:"at"`
}

// The levels of autonomy, from none to all.
const (
	Observe   = "observe"   // find only
	Recommend = "recommend" // plan and publish, do not act
	Approve   = "approve"   // act once an operator approved
	Auto      = "auto"      // act
)

// Tags are the labels operators gave to an instance.
type Tags map[string]string

// Cluster is the stable identity of a cluster: it does not change when the primary does.
type Cluster struct {
	ID      string    `json:"id"`
	Alias   string    `json:"alias,omitempty"`
	Members []string  `json:"members,omitempty"` // server uuids or instances by which the cluster is recognised again
	Since   time.Time `json:"since"`
}

// Seed is an instance that operators asked to be watched.
type Seed struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// Forgotten is an instance that discovery must not bring back for a while.
type Forgotten struct {
	By    string    `json:"by"`
	At    time.Time `json:"at"`
	Until time.Time `json:"until"`
}

// Primary is the last agreed primary of a cluster. It survives every restart, so that a primary which died while nobody
// was watching is still known.
type Primary struct {
	Instance   string    `json:"instance"`
	ServerUUID string    `json:"server_uuid,omitempty"`
	Epoch      uint64    `json:"epoch,omitempty"` // how often the primary was changed; the first one agreed has 0
	Since      time.Time `json:"since"`
	Recovery   string    `json:"recovery,omitempty"` // what made it primary
	Position   string    `json:"position,omitempty"` // the last position known of it
	PositionAt time.Time `json:"position_at,omitzero"`
}

// Deposed is an instance that was primary, lost that in a recovery, and must not take writes again by itself.
type Deposed struct {
	ServerUUID string    `json:"server_uuid,omitempty"`
	Cluster    string    `json:"cluster"`
	Since      time.Time `json:"since"`
	Recovery   string    `json:"recovery,omitempty"`
	FencedAt   time.Time `json:"fenced_at,omitzero"` // zero: it may still be writable
}

// Fenced reports whether the instance was seen to refuse writes since it was deposed.
func (d Deposed) Fenced() bool { return !d.FencedAt.IsZero() }

// Quarantine is an instance that could not be brought back into replication, and why.
type Quarantine struct {
	Reason  string    `json:"reason"`
	By      string    `json:"by"`
	Cluster string    `json:"cluster,omitempty"`
	GTIDs   string    `json:"gtids,omitempty"` // the transactions at stake
	Since   time.Time `json:"since"`
}

// Key is an idempotency key of a request that must have its effect once.
type Key struct {
	At      time.Time `json:"at"`
	Until   time.Time `json:"until"`
	Verdict string    `json:"verdict,omitempty"` // empty: claimed, not yet decided
}

// Recovery is one attempt to end an incident: what was planned, what was done, how it ended.
type Recovery struct {
	ID       string          `json:"id"`
	Cluster  string          `json:"cluster"`
	Kind     string          `json:"kind"`
	Rule     string          `json:"rule,omitempty"`
	Instance string          `json:"instance,omitempty"` // the one that failed, or is taken over from
	Trigger  string          `json:"trigger"`            // one of ByFinding, ByAlert, ByOperator
	Alert    string          `json:"alert,omitempty"`    // which alert, when one was the trigger
	By       string          `json:"by"`
	Reason   string          `json:"reason,omitempty"`
	Opened   time.Time       `json:"opened"`
	Term     uint64          `json:"term,omitempty"` // term of the leader that opened it or took it up last
	Plan     json.RawMessage `json:"plan,omitempty"`
	Evidence json.RawMessage `json:"evidence,omitempty"`

	NeedsApproval bool  `json:"needs_approval,omitempty"`
	Approval      *Mark `json:"approval,omitempty"`

	Steps        []Step    `json:"steps,omitempty"` // the journal: only ever appended to
	StepsDropped int       `json:"steps_dropped,omitempty"`
	Hooks        []HookRun `json:"hooks,omitempty"` // one per hook, in the order of their starts

	Closed           time.Time `json:"closed,omitzero"`
	Outcome          string    `json:"outcome,omitempty"` // one of Success, Partial, Failed, Aborted, Refused
	Message          string    `json:"message,omitempty"`
	Successor        string    `json:"successor,omitempty"`
	LostReplicas     []string  `json:"lost_replicas,omitempty"`
	LostTransactions string    `json:"lost_transactions,omitempty"`
	Phases           []Phase   `json:"phases,omitempty"`

	Acknowledged *Mark `json:"acknowledged,omitempty"`
}

// What can set off a recovery.
const (
	ByFinding  = "finding"
	ByAlert    = "alert"
	ByOperator = "operator"
)

// How a recovery can end.
const (
	Success = "success"
	Partial = "partial"
	Failed  = "failed"
	Aborted = "aborted"
	Refused = "refused"
)

// Open reports whether the recovery has not ended.
func (r *Recovery) Open() bool { return r.Closed.IsZero() }

// Approved reports whether the recovery may act: it needs no approval, or has it.
func (r *Recovery) Approved() bool { return !r.NeedsApproval || r.Approval != nil }

// Hook returns the run of a hook in this recovery, whichever leader ran it.
func (r *Recovery) Hook(name string) (HookRun, bool) {
	for _, h := range r.Hooks {
		if h.Name == name {
			return h, true
		}
	}
	return HookRun{}, false
}

// Mark is a signature under something.
type Mark struct {
	By      string    `json:"by"`
	Comment string    `json:"comment,omitempty"`
	At      time.Time `json:"at"`
}

// Step is one line in the journal of a recovery.
type Step struct {
	Stage string        `json:"stage,omitempty"`
	Step  string        `json:"step"`
	On    string        `json:"on,omitempty"` // the instance it was done on
	At    time.Time     `json:"at,omitzero"`
	Took  time.Duration `json:"took_ns,omitempty"`
	Err   string        `json:"err,omitempty"` // empty: done
}

// HookRun is one run of a hook. It is recorded before it starts and again when it ends: a hook runs once in a recovery,
// whoever leads, and one that has no end was running when its leader was lost.
type HookRun struct {
	Name   string        `json:"name"`
	At     time.Time     `json:"at,omitzero"`
	Ended  bool          `json:"ended,omitempty"`
	Took   time.Duration `json:"took_ns,omitempty"`
	Err    string        `json:"err,omitempty"`
	Output string        `json:"output,omitempty"`
}

// Phase is how long one part of a recovery took.
type Phase struct {
	Name string        `json:"name"`
	Took time.Duration `json:"took_ns"`
}

// with returns a copy of m in which k is v: a State that readers hold is never written to.
func with[V any](m map[string]V, k string, v V) map[string]V {
	c := make(map[string]V, len(m)+1)
	maps.Copy(c, m)
	c[k] = v
	return c
}

// without returns m without the keys that drop chooses: m itself when there are none, and nil rather than an empty map,
// so that a state and its copy from a snapshot are the same value.
func without[V any](m map[string]V, drop func(string, V) bool) map[string]V {
	kept := m
	for k, v := range m {
		if !drop(k, v) {
			continue
		}
		if len(kept) == len(m) {
			kept = maps.Clone(m)
		}
		delete(kept, k)
	}
	if len(kept) == 0 {
		return nil
	}
	return kept
}

func remove[V any](m map[string]V, key string) map[string]V {
	return without(m, func(k string, _ V) bool { return k == key })
}

// scope joins the parts that are set, as in "cluster shop rule DeadPrimary". Names hold no blanks, so scopes are unique.
func scope(parts ...string) string {
	s := ""
	for i := 0; i < len(parts); i += 2 {
		if parts[i+1] == "" {
			continue
		}
		if s != "" {
			s += " "
		}
		s += parts[i] + " " + parts[i+1]
	}
	if s == "" {
		return "the fleet"
	}
	return s
}
