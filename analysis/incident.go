package analysis

import (
	"slices"
	"strings"
	"time"

	"github.com/batondb/baton/topology"
)

// State is where an incident is in its life.
type State string

// The states.
const (
	Pending  State = "pending"  // found, but not for as long as its rule demands
	Firing   State = "firing"   // to be told, and acted on
	Resolved State = "resolved" // it fired and is found no more; only events carry this state
)

// Incident is a finding with a lifetime.
type Incident struct {
	Finding  Finding   `json:"finding"` // as found last
	State    State     `json:"state"`
	Found    time.Time `json:"found"`             // first found
	Fired    time.Time `json:"fired,omitzero"`    // began to fire
	Resolved time.Time `json:"resolved,omitzero"` // ended
}

// EventKind says what happened to an incident.
type EventKind string

// The kinds of events. An incident that ends while it is pending was a passing thing: it makes no second event.
const (
	EventPending  EventKind = "pending"
	EventFiring   EventKind = "firing"
	EventMasked   EventKind = "masked"   // another rule has come to hide it, or somebody to ignore it
	EventUnmasked EventKind = "unmasked" // it stands by itself again
	EventResolved EventKind = "resolved"
)

// Event is one change in the life of an incident.
type Event struct {
	Kind     EventKind `json:"kind"`
	At       time.Time `json:"at"`
	Incident Incident  `json:"incident"`
}

// Track carries incidents forward: what is found goes on or begins, what is no longer found ends. It is pure; prev and found are not changed.
func Track(prev []Incident, found []Finding, at time.Time) (next []Incident, events []Event) {
	return track(prev, found, at, func(Finding) bool { return true })
}

// TrackCluster is Track for a cluster that was judged alone: the incidents of all others, and of the fleet, go on as they are.
func TrackCluster(prev []Incident, cluster string, found []Finding, at time.Time) (next []Incident, events []Event) {
	return track(prev, found, at, func(f Finding) bool { return f.Cluster == cluster && f.Area == "" })
}

func track(prev []Incident, found []Finding, at time.Time, judged func(Finding) bool) (next []Incident, events []Event) {
	before := make(map[Key]Incident, len(prev))
	for _, i := range prev {
		before[i.Finding.Key()] = i
	}
	emit := func(kind EventKind, i Incident) { events = append(events, Event{Kind: kind, At: at, Incident: i}) }
	for _, f := range found {
		if !judged(f) {
			continue
		}
		i, known := before[f.Key()]
		delete(before, f.Key())
		was := i.Finding.Active()
		if !known {
			i = Incident{State: Pending, Found: at}
		}
		i.Finding = f
		switch {
		case i.State == Pending && at.Sub(i.Found) >= f.For:
			i.State, i.Fired = Firing, at
			emit(EventFiring, i)
		case !known:
			emit(EventPending, i)
		}
		if known && was != f.Active() {
			emit(map[bool]EventKind{true: EventUnmasked, false: EventMasked}[f.Active()], i)
		}
		next = append(next, i)
	}
	for _, i := range prev {
		if _, gone := before[i.Finding.Key()]; !gone {
			continue
		}
		switch {
		case !judged(i.Finding):
			next = append(next, i)
		case i.State == Firing:
			i.State, i.Resolved = Resolved, at
			emit(EventResolved, i)
		}
	}
	slices.SortStableFunc(next, func(a, b Incident) int { return compareKeys(a.Finding.Key(), b.Finding.Key()) })
	return next, events
}

func compareKeys(a, b Key) int {
	for _, c := range [...]int{
		strings.Compare(a.Cluster, b.Cluster), topology.CompareIDs(a.Instance, b.Instance), strings.Compare(a.Rule, b.Rule), strings.Compare(a.Area, b.Area),
	} {
		if c != 0 {
			return c
		}
	}
	return 0
}
