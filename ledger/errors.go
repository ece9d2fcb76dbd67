package ledger

import (
	"errors"
	"fmt"
	"time"
)

// ErrStopped is returned by a ledger whose Run has ended.
var ErrStopped = errors.New("the ledger is stopped")

// ErrUncertain says that an entry was handed to the group and its fate is not known: it may have been agreed, or may still be.
// Whoever gets it looks at State under a new leader before proposing the same thing again.
var ErrUncertain = errors.New("the entry may or may not have been agreed")

// ErrNotLeader is returned by what only the leader can do, and is the cause of a context that WhileLeader ended.
type ErrNotLeader struct {
	Leader    string // id of the leader, empty when there is none now
	LeaderAPI string // URL at which the leader's API is reached, empty when unknown
}

// Error names the leader, so that an operator knows where to ask.
func (e ErrNotLeader) Error() string {
	switch {
	case e.Leader == "":
		return "this node is not the leader, and there is no leader now"
	case e.LeaderAPI == "":
		return fmt.Sprintf("this node is not the leader; %s is", e.Leader)
	default:
		return fmt.Sprintf("this node is not the leader; %s at %s is", e.Leader, e.LeaderAPI)
	}
}

// ErrOption says which field of Options is wrong and what would be right.
type ErrOption struct {
	Field   string
	Problem string
}

// Error names the field first.
func (e ErrOption) Error() string { return fmt.Sprintf("ledger option %s: %s", e.Field, e.Problem) }

// ErrInvalid says that an entry is malformed: no state could accept it.
type ErrInvalid struct {
	Field   string
	Problem string
}

// Error names the field first.
func (e ErrInvalid) Error() string { return fmt.Sprintf("%s: %s", e.Field, e.Problem) }

// ErrNewer says that this version does not understand something a newer one wrote. The state machine panics with it,
// because a node that skips what the others apply is no longer a copy of them.
type ErrNewer struct {
	Entry string // id of the entry, empty for a snapshot
	What  string
}

// Error ends with the remedy.
func (e ErrNewer) Error() string {
	subject := "snapshot"
	if e.Entry != "" {
		subject = "entry " + e.Entry
	}
	return fmt.Sprintf("%s has %s, which this version does not know: a newer node wrote it; upgrade this node", subject, e.What)
}

// ErrNotFound says that what an entry refers to is not in the state.
type ErrNotFound struct {
	What string
	Name string
}

// Error names what was looked for.
func (e ErrNotFound) Error() string { return fmt.Sprintf("there is no %s %q", e.What, e.Name) }

// ErrConflict says that the state forbids an entry that is in itself well formed.
type ErrConflict struct {
	Problem string
}

// Error is the reason.
func (e ErrConflict) Error() string { return e.Problem }

// ErrRecoveryOpen says that a cluster already has an open recovery: there is never more than one.
type ErrRecoveryOpen struct {
	Cluster string
	ID      string
}

// Error names the recovery that is open.
func (e ErrRecoveryOpen) Error() string {
	return fmt.Sprintf("cluster %s has an open recovery already: %s", e.Cluster, e.ID)
}

// ErrPaused says that operators paused what an automatic recovery would have done.
type ErrPaused struct {
	Pause Pause
}

// Error says who paused and why.
func (e ErrPaused) Error() string {
	return fmt.Sprintf("automation is paused for %s by %s: %s", e.Pause.Scope(), e.Pause.By, e.Pause.Reason)
}

// ErrHeld says that somebody else holds an instance or a cluster in maintenance.
type ErrHeld struct {
	Maintenance Maintenance
}

// Error says who holds it and until when.
func (e ErrHeld) Error() string {
	m := e.Maintenance
	return fmt.Sprintf("%s is in maintenance by %s until %s: %s", m.Scope(), m.Owner, m.Until.Format(time.RFC3339), m.Reason)
}

// ErrStale says that the proposer judged by something that has changed since.
type ErrStale struct {
	What string
	Seen uint64
	Now  uint64
}

// Error names both values.
func (e ErrStale) Error() string {
	return fmt.Sprintf("%s is %d by now, not %d", e.What, e.Now, e.Seen)
}

// ErrKeyKnown says that an idempotency key was used before, and with what verdict (empty: not yet decided).
type ErrKeyKnown struct {
	Name string
	Key  Key
}

// Error says when it was used.
func (e ErrKeyKnown) Error() string {
	return fmt.Sprintf("key %q was used at %s", e.Name, e.Key.At.Format(time.RFC3339))
}
