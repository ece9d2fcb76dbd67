package analysis

import (
	"time"

	"github.com/batondb/baton/topology"
)

// Finding is a rule that holds for a subject now.
type Finding struct {
	Rule     string              `json:"rule"`
	Severity Severity            `json:"severity"`
	Area     string              `json:"area,omitempty"` // of a fleet rule: "fleet", "region eu" or "data center eu-1"
	Cluster  string              `json:"cluster,omitempty"`
	Instance topology.InstanceID `json:"instance,omitempty"`
	Sentence string              `json:"sentence"`            // why, with the facts
	Recovery RecoveryKind        `json:"recovery"`            // what may be done about it now: the rule's, unless something it needs is missing
	For      time.Duration       `json:"for,omitempty"`       // of the rule
	Since    time.Time           `json:"since,omitzero"`      // since when by the evidence itself, where that tells
	MaskedBy string              `json:"masked_by,omitempty"` // the first rule that explains or overrides this finding; empty where it stands by itself

	Downtimed bool `json:"downtimed,omitempty"` // somebody asked to ignore the instance
}

// Masked reports whether another finding hides this one.
func (f Finding) Masked() bool { return f.MaskedBy != "" }

// Active reports whether the finding is to be shown as a problem: nothing hides it and nobody asked to ignore it.
func (f Finding) Active() bool { return f.MaskedBy == "" && !f.Downtimed }

// Actionable reports whether the finding is active and something may be done about it.
func (f Finding) Actionable() bool { return f.Active() && f.Recovery != RecoveryNone }

// Subject returns what the finding is about, for people: the instance, or the area of a fleet rule.
func (f Finding) Subject() string {
	if f.Instance != "" {
		return string(f.Instance)
	}
	return f.Area
}

// Key identifies what a finding says, whenever it says it.
type Key struct {
	Rule     string
	Area     string
	Cluster  string
	Instance topology.InstanceID
}

// Key returns the identity of the finding across evaluations.
func (f Finding) Key() Key {
	return Key{Rule: f.Rule, Area: f.Area, Cluster: f.Cluster, Instance: f.Instance}
}
