package collector

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/batondb/baton/topology"
)

var (
	t0         = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	refused    = &Error{Instance: "db1:3306", Err: errors.Join(errConnRefused)}
	errUnknown = errors.New("something of our own")
	partial    = &Error{Instance: "db1:3306", Stage: StageQuestions, Answered: 2, Err: errConnReset}
	full       = &Error{Instance: "db1:3306", Stage: StageHandshake, Err: &mysql.MySQLError{Number: 1040, Message: "Too many connections"}}
	denied     = &Error{Instance: "db1:3306", Stage: StageQuestions, Err: &mysql.MySQLError{Number: 1227, Message: "Access denied"}, MissingGrants: []string{"GRANT X"}}
)

func at(seconds int) time.Time { return t0.Add(time.Duration(seconds) * time.Second) }

// fold folds attempts a second apart, the first one ending at second 1.
func fold(o topology.Observation, attempts ...any) topology.Observation {
	for _, a := range attempts {
		o = foldOne(o, a)
	}
	return o
}

func foldOne(o topology.Observation, a any) topology.Observation {
	ended := o.Attempted.Add(time.Second)
	if o.Attempted.IsZero() {
		ended = at(1)
	}
	started := ended.Add(-time.Millisecond)
	if err, ok := a.(error); ok {
		return Fold(o, topology.Facts{}, err, started, ended)
	}
	return Fold(o, a.(topology.Facts), nil, started, ended)
}

func TestFoldAttempts(t *testing.T) {
	good := topology.Facts{ServerID: 7}
	tests := []struct {
		name     string
		attempts []any
		reach    topology.Reach
		failures int
		since    time.Time
		partials int
		seen     time.Time
	}{
		{"first good one", []any{good}, topology.ReachUp, 0, time.Time{}, 0, at(1)},
		{"never answered", []any{refused, refused}, topology.ReachRefused, 2, at(1), 0, time.Time{}},
		{"good facts stay", []any{good, refused}, topology.ReachRefused, 1, at(2), 0, at(1)},
		{"a run of failures has one beginning", []any{good, refused, refused, refused}, topology.ReachRefused, 3, at(2), 0, at(1)},
		{"an answer ends the run", []any{refused, refused, good}, topology.ReachUp, 0, time.Time{}, 0, at(3)},
		{"saturated ends the run", []any{good, refused, full}, topology.ReachSaturated, 0, time.Time{}, 0, at(1)},
		{"denied ends the run", []any{good, refused, denied}, topology.ReachDenied, 0, time.Time{}, 0, at(1)},
		{"a half answer ends the run", []any{good, refused, partial}, topology.ReachPartial, 0, time.Time{}, 1, at(1)},
		{"half answers are counted", []any{good, partial, partial, partial}, topology.ReachPartial, 0, time.Time{}, 3, at(1)},
		{"and their run ends", []any{partial, partial, good}, topology.ReachUp, 0, time.Time{}, 0, at(3)},
		{"a refusal ends their run", []any{partial, partial, refused}, topology.ReachRefused, 1, at(3), 0, time.Time{}},
		{"what proves nothing does not count", []any{good, refused, errUnknown}, topology.ReachUnknown, 1, at(2), 0, at(1)},
		{"nor does it end a run", []any{good, refused, errUnknown, refused}, topology.ReachRefused, 2, at(2), 0, at(1)},
		{"of either kind", []any{good, partial, errUnknown, partial}, topology.ReachPartial, 0, time.Time{}, 2, at(1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := fold(topology.Observation{Instance: "db1:3306"}, tt.attempts...)
			if o.Reach != tt.reach || o.Failures != tt.failures || !o.FailingSince.Equal(tt.since) || o.Partials != tt.partials || !o.Facts.At.Equal(tt.seen) {
				t.Errorf("%v failures=%d since=%v partials=%d seen=%v", o.Reach, o.Failures, o.FailingSince, o.Partials, o.Facts.At)
			}
			if n := len(tt.attempts); len(o.History) != n || o.History[n-1].Reach != tt.reach || !o.Attempted.Equal(at(n)) || o.Took != time.Millisecond {
				t.Errorf("attempted %v, took %v, history %v", o.Attempted, o.Took, o.History)
			}
			if (o.Error == "") != (tt.reach == topology.ReachUp) {
				t.Errorf("error %q", o.Error)
			}
			if !tt.seen.IsZero() && o.Facts.ServerID != 7 {
				t.Error("the last good facts are gone")
			}
		})
	}
}

func TestFoldMissingGrants(t *testing.T) {
	o := fold(topology.Observation{}, topology.Facts{ServerID: 7}, denied)
	if !reflect.DeepEqual(o.Facts.MissingGrants, []string{"GRANT X"}) || o.Facts.ServerID != 7 || o.Errno != 1227 {
		t.Errorf("%+v", o)
	}
	if o = foldOne(o, topology.Facts{ServerID: 7}); o.Facts.MissingGrants != nil {
		t.Errorf("granted, and still missing: %v", o.Facts.MissingGrants)
	}
}

func TestFoldSentinel(t *testing.T) {
	fell := Fell(fold(topology.Observation{}, topology.Facts{}), at(1).Add(500*time.Millisecond))
	tests := []struct {
		name    string
		started time.Duration // after the fall
		err     error
		fallen  bool
	}{
		{"an answer clears it", time.Millisecond, nil, false},
		{"any sign of life does", time.Millisecond, full, false},
		{"an answer to a question from before the fall does not", -time.Millisecond, nil, true},
		{"a refusal does not", time.Millisecond, refused, true},
		{"what proves nothing does not", time.Millisecond, errUnknown, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			started := fell.SentinelFell.Add(tt.started)
			o := Fold(fell, topology.Facts{}, tt.err, started, started.Add(10*time.Millisecond))
			if o.SentinelFell.IsZero() == tt.fallen {
				t.Errorf("fell at %v", o.SentinelFell)
			}
		})
	}
}

func TestFoldHistory(t *testing.T) {
	o := topology.Observation{}
	for range 100 {
		before := o
		kept := append([]topology.Attempt(nil), o.History...)
		o = fold(o, refused)
		_ = fold(before, topology.Facts{}) // another future of the same past
		if !reflect.DeepEqual(before.History, append([]topology.Attempt(nil), kept...)) && len(kept) > 0 {
			t.Fatal("Fold has changed the history it was given")
		}
	}
	if len(o.History) != HistoryLength || !o.History[HistoryLength-1].At.Equal(at(100)) || !o.History[0].At.Equal(at(100-HistoryLength+1)) {
		t.Errorf("%d attempts from %v to %v", len(o.History), o.History[0].At, o.History[len(o.History)-1].At)
	}
	for _, a := range o.History {
		if a.Reach != topology.ReachRefused {
			t.Fatal("a future that did not happen is in the history")
		}
	}
}

func TestFoldChannels(t *testing.T) {
	set := topology.MustParseGTIDSet
	base := topology.Channel{
		Source: "db1:3306", Receiver: topology.ReceiverConnected, Read: topology.Coordinates{File: "b.000999", Pos: 100}, Beats: 5,
		Retrieved: set("0-1-100"),
	}
	with := func(change func(*topology.Channel)) topology.Channel {
		c := base
		change(&c)
		return c
	}
	connecting := func(c *topology.Channel) { c.Receiver = topology.ReceiverConnecting }
	tests := []struct {
		name  string
		first topology.Channel // at second 1
		then  topology.Channel // at second 2
		since time.Time
		heard time.Time
	}{
		{"nothing arrived", base, base, at(1), time.Time{}},
		{"the position moved", base, with(func(c *topology.Channel) { c.Read.Pos = 101 }), at(1), at(2)},
		{"into the next file", base, with(func(c *topology.Channel) { c.Read = topology.Coordinates{File: "b.001000", Pos: 4} }), at(1), at(2)},
		{"it went backwards", base, with(func(c *topology.Channel) { c.Read.Pos = 4 }), at(1), time.Time{}},
		{"it was reset", base, with(func(c *topology.Channel) { c.Read = topology.Coordinates{} }), at(1), time.Time{}},
		{"a heartbeat", base, with(func(c *topology.Channel) { c.Beats = 6 }), at(1), at(2)},
		{"the counter began again", base, with(func(c *topology.Channel) { c.Beats = 1 }), at(1), time.Time{}},
		{"more was retrieved", base, with(func(c *topology.Channel) { c.Retrieved = set("0-1-101") }), at(1), at(2)},
		{"less is retrieved", base, with(func(c *topology.Channel) { c.Retrieved = set("0-1-99") }), at(1), time.Time{}},
		{"it lost its source", base, with(connecting), at(2), time.Time{}},
		{"just after it heard something", base, with(func(c *topology.Channel) { connecting(c); c.Beats = 6 }), at(2), at(2)},
		{"while it connects nothing can arrive", with(connecting), with(func(c *topology.Channel) { connecting(c); c.Read.Pos = 200 }), at(1), time.Time{}},
		{"it connected: its source lives", with(connecting), base, at(2), at(2)},
		{"from an unknown state that proves nothing", with(func(c *topology.Channel) { c.Receiver = topology.ReceiverUnknown }), base, at(2), time.Time{}},
		{"another source", base, with(func(c *topology.Channel) { c.Source = "db9:3306"; c.Read.Pos = 500 }), at(2), time.Time{}},
		{"another channel", base, with(func(c *topology.Channel) { c.Name = "east"; c.Read.Pos = 500 }), at(2), time.Time{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := fold(topology.Observation{}, topology.Facts{Channels: []topology.Channel{tt.first}})
			if c := o.Facts.Channels[0]; !c.ReceiverSince.Equal(at(1)) || !c.HeardAt.IsZero() {
				t.Fatalf("at first sight: since %v, heard %v", c.ReceiverSince, c.HeardAt)
			}
			given := []topology.Channel{tt.then}
			o = foldOne(o, topology.Facts{Channels: given})
			if c := o.Facts.Channels[0]; !c.ReceiverSince.Equal(tt.since) || !c.HeardAt.Equal(tt.heard) {
				t.Errorf("since %v, heard %v; want %v and %v", c.ReceiverSince, c.HeardAt, tt.since, tt.heard)
			}
			if !given[0].ReceiverSince.IsZero() {
				t.Error("Fold has changed the facts it was given")
			}
			// Both are carried through a time in which the replica itself does not answer.
			o = fold(o, refused, topology.Facts{Channels: []topology.Channel{tt.then}})
			if c := o.Facts.Channels[0]; !c.ReceiverSince.Equal(tt.since) || !c.HeardAt.Equal(tt.heard) {
				t.Errorf("later: since %v, heard %v", c.ReceiverSince, c.HeardAt)
			}
		})
	}
}

func TestFoldDetected(t *testing.T) {
	o := fold(topology.Observation{},
		topology.Facts{ServerID: 7, DataCenter: "d1", Region: "north", ClusterAlias: "shop"},
		topology.Facts{ServerID: 7, DataCenter: "d2"})
	if f := o.Facts; f.DataCenter != "d2" || f.Region != "north" || f.ClusterAlias != "shop" {
		t.Errorf("an empty value has replaced a known one: %+v", f)
	}
	if o = foldOne(o, topology.Facts{ServerID: 8}); o.Facts.Region != "" {
		t.Error("another server has inherited the region")
	}
}
