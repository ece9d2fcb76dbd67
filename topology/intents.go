package topology

import "time"

// Intents is what operators asked for and what the ledger remembers, as far as the shape and the repair of a topology depend on it.
// It is plain data: the zero value asks for nothing. Entries whose Until has passed do not count; a zero Until never passes.
type Intents struct {
	Pauses         []Pause                      `json:"pauses,omitempty"`
	Downtimes      map[InstanceID]Hold          `json:"downtimes,omitempty"`
	Maintenance    map[string]Hold              `json:"maintenance,omitempty"` // by instance or by cluster
	PromotionRules map[InstanceID]PromotionRule `json:"promotion_rules,omitempty"`
	Clusters       map[string]NamedCluster      `json:"clusters,omitempty"` // by stable cluster name
	Deposed        map[InstanceID]Deposed       `json:"deposed,omitempty"`
	Quarantined    map[InstanceID]Quarantine    `json:"quarantined,omitempty"`
	Open           map[string]OpenRecovery      `json:"open,omitempty"` // by cluster
	Past           map[string][]PastRecovery    `json:"past,omitempty"` // by cluster, newest last
}

// PauseScope says what a pause stops.
type PauseScope string

// The scopes of a pause. A rule's pause holds in every cluster.
const (
	PauseFleet   PauseScope = "fleet"
	PauseCluster PauseScope = "cluster"
	PauseRule    PauseScope = "rule"
)

// Pause stops automation.
type Pause struct {
	Scope  PauseScope `json:"scope"`
	Name   string     `json:"name,omitempty"` // the cluster or the rule
	By     string     `json:"by"`
	Reason string     `json:"reason,omitempty"`
	Since  time.Time  `json:"since"`
	Until  time.Time  `json:"until,omitzero"`
}

// Hold is a downtime or a maintenance.
type Hold struct {
	Owner  string    `json:"owner"`
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until,omitzero"`
}

// NamedCluster is a cluster as the ledger remembers it: a name that stays when the primary changes, and the primary last agreed on.
type NamedCluster struct {
	Alias       string       `json:"alias,omitempty"`
	Members     []InstanceID `json:"members,omitempty"`
	Primary     InstanceID   `json:"primary,omitempty"`
	PrimaryUUID string       `json:"primary_uuid,omitempty"`
	Epoch       uint64       `json:"epoch,omitempty"` // promotions agreed so far
	Since       time.Time    `json:"since,omitzero"`  // of the present primary
}

// Deposed is an instance that a recovery took the primary's role from. It must never be taken for a primary again before it was fenced and follows.
type Deposed struct {
	Cluster  string    `json:"cluster"`
	Recovery string    `json:"recovery"`
	Since    time.Time `json:"since"`
	Fenced   bool      `json:"fenced,omitempty"`
}

// Quarantine keeps an instance out of the topology until a person or a rejoin has repaired it.
type Quarantine struct {
	Reason string    `json:"reason"`
	GTIDs  GTIDSet   `json:"gtids,omitzero"`
	Since  time.Time `json:"since"`
}

// OpenRecovery is a recovery that has begun and not ended.
type OpenRecovery struct {
	ID     string     `json:"id"`
	Kind   string     `json:"kind"`
	Failed InstanceID `json:"failed"`
	Since  time.Time  `json:"since"`
}

// PastRecovery is a recovery that has ended.
type PastRecovery struct {
	ID           string     `json:"id"`
	Kind         string     `json:"kind"`
	Outcome      string     `json:"outcome"` // success, partial, failed, aborted
	Failed       InstanceID `json:"failed"`
	Successor    InstanceID `json:"successor,omitempty"`
	Closed       time.Time  `json:"closed"`
	Acknowledged bool       `json:"acknowledged,omitempty"`
}

// holds reports whether something that began at since and ends at until is in force at that moment.
func holds(until, at time.Time) bool { return until.IsZero() || until.After(at) }

// PausedFor returns the pause that stops automation for a rule in a cluster, if there is one.
func (in *Intents) PausedFor(cluster, rule string, at time.Time) (Pause, bool) {
	for _, p := range in.Pauses {
		if !holds(p.Until, at) {
			continue
		}
		switch p.Scope {
		case PauseFleet:
			return p, true
		case PauseCluster:
			if p.Name == cluster {
				return p, true
			}
		case PauseRule:
			if p.Name == rule {
				return p, true
			}
		}
	}
	return Pause{}, false
}

// Downtime returns the downtime of an instance that is in force, if there is one.
func (in *Intents) Downtime(id InstanceID, at time.Time) (Hold, bool) {
	h, ok := in.Downtimes[id]
	return h, ok && holds(h.Until, at)
}

// MaintenanceOf returns the maintenance of an instance or of its cluster that is in force, if there is one.
func (in *Intents) MaintenanceOf(cluster string, id InstanceID, at time.Time) (Hold, bool) {
	for _, key := range [...]string{string(id), cluster} {
		if h, ok := in.Maintenance[key]; ok && holds(h.Until, at) {
			return h, true
		}
	}
	return Hold{}, false
}
