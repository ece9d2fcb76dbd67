package api

import (
	"fmt"
	"time"
)

// The types of this file and of wire_recovery.go are what goes over the wire. They are written by hand and converted to, so that a change of what
// Baton keeps inside never changes what scripts and other nodes read. Times are RFC 3339; durations are seconds in answers and Go durations ("90m")
// in requests; what is not known is null or left out, never a number that stands for it.

// ClusterStatus is the state of a cluster in one word.
type ClusterStatus string

// The statuses. Exactly one holds.
const (
	StatusHealthy     ClusterStatus = "healthy"
	StatusDegraded    ClusterStatus = "degraded"     // something is wrong, and the primary takes writes
	StatusUnprotected ClusterStatus = "unprotected"  // the primary takes writes, and nobody could take its place
	StatusPrimaryDown ClusterStatus = "primary_down" // nobody takes writes
	StatusUnknown     ClusterStatus = "unknown"      // the primary cannot be told, or what it does cannot be seen
)

// ClusterStatuses lists the statuses.
func ClusterStatuses() []ClusterStatus {
	return []ClusterStatus{StatusHealthy, StatusDegraded, StatusUnprotected, StatusPrimaryDown, StatusUnknown}
}

// ClusterSummary is one cluster in a list.
type ClusterSummary struct {
	Name           string        `json:"name"` // stable: it does not change with the primary
	Alias          string        `json:"alias,omitempty"`
	Status         ClusterStatus `json:"status"`
	Primary        string        `json:"primary,omitempty"`
	Epoch          uint64        `json:"epoch"` // promotions agreed so far
	Instances      int           `json:"instances"`
	Up             int           `json:"up"`
	Problems       int           `json:"problems"` // active findings
	MaxLagSeconds  *float64      `json:"max_lag_seconds"`
	Autonomy       string        `json:"autonomy"`
	Paused         *Pause        `json:"paused,omitempty"`
	RecoveryOpen   string        `json:"recovery_open,omitempty"`
	Unacknowledged int           `json:"unacknowledged"` // recoveries that nobody has signed
}

// ClusterView is one cluster with its instances and what is wrong with them.
type ClusterView struct {
	ClusterSummary
	Members  []InstanceView `json:"members"`
	Findings []Finding      `json:"findings"`
}

// Topology is one cluster as a tree.
type Topology struct {
	At      time.Time      `json:"at"`
	Cluster ClusterSummary `json:"cluster"`
	Roots   []Node         `json:"roots"`
}

// Node is an instance and its replicas.
type Node struct {
	InstanceView
	Replicas []Node `json:"replicas"`
}

// InstanceView is one server: what it said last, and its place among the others.
type InstanceView struct {
	ID      string `json:"id"` // host:port
	Cluster string `json:"cluster"`
	Role    string `json:"role"`
	Depth   int    `json:"depth"` // replication hops from its root
	Source  string `json:"source,omitempty"`

	Reach        string    `json:"reach"`
	Down         bool      `json:"down"`
	Errno        int       `json:"errno,omitempty"`
	Error        string    `json:"error,omitempty"`
	FailingSince time.Time `json:"failing_since,omitzero"`
	LastSeen     time.Time `json:"last_seen,omitzero"` // the facts below are of that moment

	Version       string `json:"version,omitempty"`
	Flavor        string `json:"flavor,omitempty"`
	ServerID      uint32 `json:"server_id,omitempty"`
	ServerUUID    string `json:"server_uuid,omitempty"`
	DataCenter    string `json:"data_center,omitempty"`
	Region        string `json:"region,omitempty"`
	ReadOnly      *bool  `json:"read_only"`
	SuperReadOnly *bool  `json:"super_read_only"`

	Receiver      string   `json:"receiver,omitempty"` // of the default channel, like all that follows
	ReceiverErrno int      `json:"receiver_errno,omitempty"`
	ReceiverError string   `json:"receiver_error,omitempty"`
	Applier       string   `json:"applier,omitempty"`
	ApplierErrno  int      `json:"applier_errno,omitempty"`
	ApplierError  string   `json:"applier_error,omitempty"`
	LagSeconds    *float64 `json:"lag_seconds"` // net of the delay
	DelaySeconds  float64  `json:"delay_seconds,omitempty"`

	GTID              bool    `json:"gtid"`
	GTIDExecuted      string  `json:"gtid_executed,omitempty"`
	BehindPrimary     *uint64 `json:"behind_primary"` // transactions of the primary that are not applied here
	Unapplied         *uint64 `json:"unapplied"`      // transactions received and not applied
	SemiSyncSource    bool    `json:"semi_sync_source,omitempty"`
	SemiSyncReplica   bool    `json:"semi_sync_replica,omitempty"`
	LogReplicaUpdates *bool   `json:"log_replica_updates"`

	PromotionRule string            `json:"promotion_rule"`
	Downtimed     bool              `json:"downtimed"`
	InMaintenance bool              `json:"in_maintenance"`
	Deposed       bool              `json:"deposed"`
	Quarantined   bool              `json:"quarantined"`
	Tags          map[string]string `json:"tags,omitempty"`
	Problems      []Problem         `json:"problems"`
}

// Problem is an active finding, short.
type Problem struct {
	Rule     string `json:"rule"`
	Severity string `json:"severity"`
	Sentence string `json:"sentence"`
}

// Finding is a rule that holds now, with its sentence.
type Finding struct {
	Rule      string    `json:"rule"`
	Severity  string    `json:"severity"`
	State     string    `json:"state"` // pending or firing
	Active    bool      `json:"active"`
	Area      string    `json:"area,omitempty"`
	Cluster   string    `json:"cluster,omitempty"`
	Instance  string    `json:"instance,omitempty"`
	Sentence  string    `json:"sentence"`
	Recovery  string    `json:"recovery"` // what may be done about it, or none
	Found     time.Time `json:"found"`
	Fired     time.Time `json:"fired,omitzero"`
	MaskedBy  string    `json:"masked_by,omitempty"`
	Downtimed bool      `json:"downtimed,omitempty"`
}

// RuleDoc is one failure model.
type RuleDoc struct {
	Name         string   `json:"name"`
	Severity     string   `json:"severity"`
	Scope        string   `json:"scope"`
	Summary      string   `json:"summary"`
	Advice       string   `json:"advice"`
	ForSeconds   float64  `json:"for_seconds"`
	When         []string `json:"when"`            // each completes "the instance ..."
	Given        []string `json:"given,omitempty"` // needed for the recovery, not for the finding
	Recovery     string   `json:"recovery"`
	Masks        []string `json:"masks,omitempty"`
	Orchestrator string   `json:"orchestrator,omitempty"`
}

// Explanation says of one rule and one instance or area which conditions hold.
type Explanation struct {
	Rule       string      `json:"rule"`
	Summary    string      `json:"summary"`
	Instance   string      `json:"instance,omitempty"`
	Area       string      `json:"area,omitempty"`
	Holds      bool        `json:"holds"`
	Conditions []Condition `json:"conditions"`
}

// Condition is one fact and whether it holds.
type Condition struct {
	Text  string `json:"text"`
	Holds bool   `json:"holds"`
	Given bool   `json:"given,omitempty"` // asked for the recovery, not for the finding
}

// Signature says who asks for something, and why.
type Signature struct {
	By     string `json:"by"`
	Reason string `json:"reason,omitempty"`
}

// Downtime says that the findings of an instance are ignored until a time.
type Downtime struct {
	Instance string    `json:"instance"`
	Owner    string    `json:"owner"`
	Reason   string    `json:"reason"`
	Begin    time.Time `json:"begin"`
	End      time.Time `json:"end"`
	Note     string    `json:"note,omitempty"` // what was assumed
}

// DowntimeRequest begins a downtime.
type DowntimeRequest struct {
	Instance string   `json:"instance"`
	For      Duration `json:"for,omitzero"` // left out: one hour, and the answer says so
	Signature
}

// Pause says that automation is stopped: of the fleet, of a cluster, of a rule, or of a rule in a cluster.
type Pause struct {
	Scope   string    `json:"scope"` // in words
	Cluster string    `json:"cluster,omitempty"`
	Rule    string    `json:"rule,omitempty"`
	By      string    `json:"by"`
	Reason  string    `json:"reason"`
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until,omitzero"` // left out: until resumed
}

// PauseRequest stops automation.
type PauseRequest struct {
	Cluster string   `json:"cluster,omitempty"`
	Rule    string   `json:"rule,omitempty"`
	For     Duration `json:"for,omitzero"` // left out: until resumed
	Signature
}

// Maintenance says that nobody but its owner moves an instance or a cluster.
type Maintenance struct {
	Instance string    `json:"instance,omitempty"`
	Cluster  string    `json:"cluster,omitempty"`
	Owner    string    `json:"owner"`
	Reason   string    `json:"reason"`
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until"`
	Note     string    `json:"note,omitempty"`
}

// MaintenanceRequest begins a maintenance.
type MaintenanceRequest struct {
	Instance string   `json:"instance,omitempty"`
	Cluster  string   `json:"cluster,omitempty"`
	For      Duration `json:"for,omitzero"` // left out: one hour, and the answer says so
	Signature
}

// PromotionRuleRequest says how welcome an instance is as a primary.
type PromotionRuleRequest struct {
	Rule string   `json:"rule"` // prefer, neutral, prefer_not or must_not; empty returns to the configured one
	For  Duration `json:"for,omitzero"`
	Signature
}

// DiscoverRequest has an instance watched.
type DiscoverRequest struct {
	Instance string `json:"instance"`
	Signature
}

// Status is the state of the node that answers.
type Status struct {
	Node       string       `json:"node"`
	Version    string       `json:"version"`
	Ready      bool         `json:"ready"`
	NotReady   string       `json:"not_ready,omitempty"` // why
	Leading    bool         `json:"leading"`
	Leader     string       `json:"leader,omitempty"`
	LeaderURL  string       `json:"leader_url,omitempty"`
	Ledger     LedgerStatus `json:"ledger"`
	SnapshotAt time.Time    `json:"snapshot_at,omitzero"`
	Clusters   int          `json:"clusters"`
	Instances  int          `json:"instances"`
	Findings   int          `json:"findings"` // active
	Recoveries int          `json:"open_recoveries"`
	Paused     []Pause      `json:"paused"`
}

// LedgerStatus is this node's part in the group that keeps the ledger.
type LedgerStatus struct {
	State              string    `json:"state"` // leader, follower, candidate or shutdown
	Voters             int       `json:"voters"`
	Term               uint64    `json:"term"`
	CommitIndex        uint64    `json:"commit_index"`
	AppliedIndex       uint64    `json:"applied_index"`
	Entries            uint64    `json:"entries"`
	LastContactSeconds *float64  `json:"last_contact_seconds"`
	LastSnapshot       time.Time `json:"last_snapshot,omitzero"`
}

// Done is the answer to a request that has no other.
type Done struct {
	Text string `json:"text"` // one sentence
}

// Duration is a length of time in a request, written as "90s", "90m" or "12h".
type Duration time.Duration

// String writes the duration as Go does.
func (d Duration) String() string { return time.Duration(d).String() }

// IsZero reports whether the duration was left out.
func (d Duration) IsZero() bool { return d == 0 }

// MarshalText writes the duration as Go does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a duration and refuses what does not pass forward.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil || v <= 0 {
		return fmt.Errorf("duration %q: give it like 90s, 90m or 12h", b)
	}
	*d = Duration(v)
	return nil
}
