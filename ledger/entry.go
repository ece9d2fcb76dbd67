package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Entry is one thing the nodes agreed on. It carries its own time and identity, stamped by its proposer, so that
// applying it gives the same state everywhere and at any time.
type Entry struct {
	Kind   string          `json:"kind"`
	ID     string          `json:"id"`
	At     time.Time       `json:"at"`
	By     string          `json:"by"`               // who wants it: an operator, or baton itself
	Reason string          `json:"reason,omitempty"` // why, or the comment of an acknowledgement
	Body   json.RawMessage `json:"body"`
}

// Body is what an entry of one kind says. Its types are named after the kinds.
type Body interface {
	kind() string
	// check reports what no state could accept. A check that was released may be loosened in a new kind, never changed
	// in place: nodes of two versions must judge an entry alike.
	check(e Entry) error
}

// NewEntry returns an entry that says body. Propose stamps its time and identity unless the caller sets them.
func NewEntry(by, reason string, body Body) (Entry, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return Entry{}, fmt.Errorf("encode %s: %w", body.kind(), err)
	}
	return Entry{Kind: body.kind(), By: by, Reason: reason, Body: raw}, nil
}

// Limits of an entry. They keep the log small and the decision path short: what is large belongs elsewhere.
const (
	maxEntry = 1 << 20   // bytes of a whole entry, plan and evidence included
	maxText  = 4 << 10   // bytes of a reason, a message, an error or the output of a hook
	maxName  = 255       // bytes of a name
	maxGTIDs = 256 << 10 // bytes of a set of transactions
)

// Encode returns the entry as it is written to the log.
func (e Entry) Encode() ([]byte, error) {
	raw, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode entry: %w", err)
	}
	if len(raw) > maxEntry {
		return nil, ErrInvalid{Field: "body", Problem: fmt.Sprintf("the entry takes %d bytes, %d are allowed", len(raw), maxEntry)}
	}
	return raw, nil
}

// DecodeEntry reads an entry from the log. It returns ErrNewer for a field it does not know.
func DecodeEntry(raw []byte) (Entry, error) {
	var e Entry
	if err := strict(raw, &e); err != nil {
		return e, err
	}
	return e, nil
}

// Check reports whether some state could accept the entry. Propose asks before it troubles the group.
func (e Entry) Check() error {
	_, _, err := e.open()
	return err
}

// open finds the kind and reads the body of an entry.
func (e Entry) open() (kind, Body, error) {
	k, ok := kinds[e.Kind]
	if !ok {
		return kind{}, nil, ErrNewer{Entry: e.ID, What: fmt.Sprintf("kind %q", e.Kind)}
	}
	body, err := k.decode(e.Body)
	if newer, ok := errors.AsType[ErrNewer](err); ok {
		return kind{}, nil, ErrNewer{Entry: e.ID, What: newer.What}
	}
	if err != nil {
		return kind{}, nil, err
	}
	if err := first(
		isName("kind", e.Kind),
		isName("id", e.ID),
		isTime("at", e.At),
		isLabel("by", e.By),
		isText("reason", e.Reason),
		body.check(e),
	); err != nil {
		return kind{}, nil, err
	}
	return k, body, nil
}

// Apply returns the state after an entry. It is pure: no clock, no randomness, nothing but its arguments, so every node
// arrives at the same state. An entry that is refused changes nothing, and is refused with the same error everywhere.
func Apply(s State, e Entry) (State, error) {
	k, body, err := e.open()
	if err != nil {
		return s, err
	}
	next, err := k.reduce(expire(s, e.At), e, body)
	if err != nil {
		return s, err
	}
	next.Entries++
	next.At = e.At
	return next, nil
}

// expire drops what is over by the time of an entry.
func expire(s State, at time.Time) State {
	s.Pauses = without(s.Pauses, func(_ string, p Pause) bool { return !live(p.Until, at) })
	s.Downtimes = without(s.Downtimes, func(_ string, d Downtime) bool { return !live(d.End, at) })
	s.Maintenance = without(s.Maintenance, func(_ string, m Maintenance) bool { return !live(m.Until, at) })
	s.PromotionRules = without(s.PromotionRules, func(_ string, r PromotionRule) bool { return !live(r.Until, at) })
	s.Forgotten = without(s.Forgotten, func(_ string, f Forgotten) bool { return !live(f.Until, at) })
	s.Keys = without(s.Keys, func(_ string, k Key) bool { return !live(k.Until, at) })
	return s
}

// kind is what the ledger can do with one kind of entry.
type kind struct {
	doc    string
	decode func(json.RawMessage) (Body, error)
	reduce func(State, Entry, Body) (State, error)
}

// reducer makes a kind of a typed function. The function may assume that check found nothing.
func reducer[B Body](doc string, reduce func(State, Entry, B) (State, error)) kind {
	return kind{
		doc: doc,
		decode: func(raw json.RawMessage) (Body, error) {
			var b B
			err := strict(raw, &b)
			return b, err
		},
		reduce: func(s State, e Entry, b Body) (State, error) { return reduce(s, e, b.(B)) },
	}
}

// kinds is all the ledger can be told. To add to it: one line here, a body and a reducer, a case in the test of Apply.
var kinds = map[string]kind{
	"pause":              reducer("Stop automatic recoveries of the fleet, a cluster, a rule, or a rule in a cluster.", pause),
	"resume":             reducer("End a pause.", resume),
	"begin_downtime":     reducer("Ignore the findings of an instance until a time.", beginDowntime),
	"end_downtime":       reducer("Heed the findings of an instance again.", endDowntime),
	"begin_maintenance":  reducer("Reserve an instance or a cluster for its owner until a time.", beginMaintenance),
	"end_maintenance":    reducer("End a maintenance.", endMaintenance),
	"set_promotion_rule": reducer("Say how welcome an instance is as a primary; no rule returns to the configured one.", setPromotionRule),
	"set_autonomy":       reducer("Say how far automation may go; no level returns to the configured one.", setAutonomy),
	"tag":                reducer("Give an instance a tag.", setTag),
	"untag":              reducer("Take a tag from an instance.", removeTag),
	"add_seed":           reducer("Watch an instance.", addSeed),
	"forget":             reducer("Stop watching an instance, and do not discover it again until a time.", forget),
	"remember_key":       reducer("Claim an idempotency key, or give a claimed one its verdict.", rememberKey),
	"name_cluster":       reducer("Give a cluster its stable identity, its alias and the members it is recognised by.", nameCluster),
	"forget_cluster":     reducer("Forget a cluster, its last agreed primary and what was said of it.", forgetCluster),
	"open_recovery":      reducer("Begin a recovery; a cluster has one at most.", openRecovery),
	"approve_recovery":   reducer("Let an open recovery act that waits for an operator.", approveRecovery),
	"progress_recovery":  reducer("Write to the journal of an open recovery.", progressRecovery),
	"close_recovery":     reducer("End a recovery with its outcome.", closeRecovery),
	"acknowledge":        reducer("Sign one recovery, or all of an instance, a cluster or the fleet, as seen.", acknowledge),
	"agree_primary":      reducer("Agree on the primary of a cluster, or on a later position of it.", agreePrimary),
	"depose":             reducer("Declare that an instance is no longer primary and must not take writes.", depose),
	"fenced":             reducer("Note that a deposed instance was seen to refuse writes.", markFenced),
	"quarantine":         reducer("Keep an instance out of replication, with a reason.", quarantine),
	"release":            reducer("End the quarantine of an instance and trust it again as a candidate.", release),
}

// KindDoc names one kind of entry and says what it does.
type KindDoc struct {
	Kind string
	Doc  string
}

// Kinds returns every kind of entry, in the order of their names.
func Kinds() []KindDoc {
	docs := make([]KindDoc, 0, len(kinds))
	for name, k := range kinds {
		docs = append(docs, KindDoc{Kind: name, Doc: k.doc})
	}
	slices.SortFunc(docs, func(a, b KindDoc) int { return strings.Compare(a.Kind, b.Kind) })
	return docs
}

// strict decodes JSON. What decodes only when unknown fields are ignored was written by a newer version: dropping the
// field would make this node differ from the others without anybody noticing.
func strict(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			return ErrInvalid{Field: "body", Problem: "something follows the JSON value"}
		}
		return nil
	}
	if json.Unmarshal(raw, into) == nil {
		return ErrNewer{What: "an " + strings.TrimPrefix(err.Error(), "json: ")}
	}
	return ErrInvalid{Field: "body", Problem: err.Error()}
}
