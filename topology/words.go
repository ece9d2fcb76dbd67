package topology

import "fmt"

// Reach says how far a probe of an instance got. Unknown is the zero value: no evidence is never evidence of death.
type Reach uint8

// The closed set of reaches. Only Refused and Timeout can make an instance down; Partial, Saturated and Denied are alive.
const (
	ReachUnknown   Reach = iota // never seen, forgotten by the cache, or last attempted too long ago
	ReachUp                     // all questions answered
	ReachPartial                // connected, but a later question failed or timed out
	ReachSaturated              // alive, no room for a connection (1040, 1203, 1226)
	ReachDenied                 // alive, not for us (1045, 1130, a missing grant)
	ReachRefused                // nobody listens, or the host is unreachable at once
	ReachTimeout                // no answer in time
)

// Receiver is the state of a replica's receiver (IO) thread.
type Receiver uint8

// The states of a receiver.
const (
	ReceiverUnknown Receiver = iota
	ReceiverConnected
	ReceiverConnecting
	ReceiverStopped
)

// Applier is the state of a replica's applier (SQL) thread.
type Applier uint8

// The states of an applier.
const (
	ApplierUnknown Applier = iota
	ApplierRunning
	ApplierStopped
)

// Role is the place of an instance in its cluster.
type Role uint8

// The roles.
const (
	RoleUnknown Role = iota
	RolePrimary
	RoleCoPrimary
	RoleIntermediate
	RoleReplica
	RoleDetached // follows nobody and is not the primary: deposed, quarantined or never joined
)

// PromotionRule is what operators want of an instance when a primary is chosen. Neutral is the zero value.
type PromotionRule uint8

// The promotion rules, from no opinion to never.
const (
	PromoteNeutral PromotionRule = iota
	PromotePrefer
	PromotePreferNot
	PromoteMustNot
)

// Testimony is what a replica can say of its source at this moment.
type Testimony uint8

// The testimonies. Mute covers everything that is no evidence: stopped on purpose, denied by the source, or lost before we last saw the source alive.
const (
	TestimonyUnknown Testimony = iota
	TestimonyReceives
	TestimonySilent
	TestimonyLostIt
	TestimonyMute
)

var (
	reachNames     = []string{"unknown", "up", "partial", "saturated", "denied", "refused", "timeout"}
	receiverNames  = []string{"unknown", "connected", "connecting", "stopped"}
	applierNames   = []string{"unknown", "running", "stopped"}
	roleNames      = []string{"unknown", "primary", "co_primary", "intermediate", "replica", "detached"}
	promotionNames = []string{"neutral", "prefer", "prefer_not", "must_not"}
	testimonyNames = []string{"unknown", "receives", "silent", "lost it", "mute"}
)

// closedSet is any of the closed sets above: a small number that is written as its name.
type closedSet interface{ ~uint8 }

func nameOf[W closedSet](names []string, w W) string {
	if int(w) < len(names) {
		return names[w]
	}
	return fmt.Sprintf("invalid(%d)", w)
}

func readWord[W closedSet](names []string, what string, text []byte, w *W) error {
	for i, name := range names {
		if name == string(text) {
			*w = W(i)
			return nil
		}
	}
	return fmt.Errorf("%s %q is not one of %v", what, text, names)
}

func (r Reach) String() string         { return nameOf(reachNames, r) }
func (r Receiver) String() string      { return nameOf(receiverNames, r) }
func (a Applier) String() string       { return nameOf(applierNames, a) }
func (r Role) String() string          { return nameOf(roleNames, r) }
func (p PromotionRule) String() string { return nameOf(promotionNames, p) }
func (t Testimony) String() string     { return nameOf(testimonyNames, t) }

// MarshalText writes the name.
func (r Reach) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// MarshalText writes the name.
func (r Receiver) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// MarshalText writes the name.
func (a Applier) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// MarshalText writes the name.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// MarshalText writes the name.
func (p PromotionRule) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// MarshalText writes the name.
func (t Testimony) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads the name; the error lists the names there are.
func (r *Reach) UnmarshalText(b []byte) error { return readWord(reachNames, "reach", b, r) }

// UnmarshalText reads the name; the error lists the names there are.
func (r *Receiver) UnmarshalText(b []byte) error { return readWord(receiverNames, "receiver", b, r) }

// UnmarshalText reads the name; the error lists the names there are.
func (a *Applier) UnmarshalText(b []byte) error { return readWord(applierNames, "applier", b, a) }

// UnmarshalText reads the name; the error lists the names there are.
func (r *Role) UnmarshalText(b []byte) error { return readWord(roleNames, "role", b, r) }

// UnmarshalText reads the name; the error lists the names there are.
func (p *PromotionRule) UnmarshalText(b []byte) error {
	return readWord(promotionNames, "promotion rule", b, p)
}

// UnmarshalText reads the name; the error lists the names there are.
func (t *Testimony) UnmarshalText(b []byte) error { return readWord(testimonyNames, "testimony", b, t) }

// Alive reports whether the reach proves that a server process answered.
func (r Reach) Alive() bool {
	return r == ReachUp || r == ReachPartial || r == ReachSaturated || r == ReachDenied
}

// Unreachable reports whether the reach is one of the two that can, repeated, make an instance down.
func (r Reach) Unreachable() bool { return r == ReachRefused || r == ReachTimeout }
