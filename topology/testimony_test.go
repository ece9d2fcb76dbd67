package topology

import (
	"strings"
	"testing"
	"time"
)

// patience is what the tables below assume, so that they do not change with the defaults.
const patience = "baton down_after=2 stale_after=30s fresh_for=10s lost_after=500ms slack=5s settle=250ms\n"

// TestTestimony is the table of what a replica can say: db1 does not answer since 10 s unless the text says otherwise.
func TestTestimony(t *testing.T) {
	for _, c := range []struct {
		name, source, replica string
		want                  Testimony
		cutOff                bool
	}{
		{"hears it now", "down", "", TestimonyReceives, false},
		{"heard it before it failed", "down", "heard=11s", TestimonySilent, false},
		{"what was on its way is no sign of life", "down", "heard=9900ms", TestimonySilent, false},
		{"hears it although it failed", "down", "heard=1s", TestimonyReceives, false},
		{"heard it after it failed, and no more", "down", "heard=9s", TestimonySilent, false},
		{"connected after it failed", "down", "heard=11s receiver_since=5s", TestimonyReceives, false},
		{"hears a living source", "up", "heard=9s", TestimonyReceives, false},
		{"hears nothing from a living source", "up", "heard=11s", TestimonySilent, false},
		{"a short network time-out", "up", "heard=5s net_timeout=4s", TestimonySilent, false},
		{"cannot connect", "down", "receiver=connecting receiver_errno=2003", TestimonyLostIt, true},
		{"cannot connect, says only its state", "down", "receiver=connecting", TestimonyLostIt, true},
		{"just connecting", "down", "receiver=connecting receiver_since=499ms", TestimonySilent, false},
		{"connecting for long enough", "down", "receiver=connecting receiver_since=500ms", TestimonyLostIt, true},
		{"lost it at once by an error", "down", "receiver=connecting receiver_since=1ms receiver_errno=2013", TestimonyLostIt, true},
		{"gave up", "down", "receiver=stopped receiver_errno=2003", TestimonyLostIt, true},
		{"turned away", "down", "receiver=connecting receiver_errno=1045", TestimonyMute, false},
		{"stopped by another error", "down", "receiver=stopped receiver_errno=1236", TestimonyMute, false},
		{"stopped on purpose", "down", "receiver=stopped", TestimonyMute, false},
		{"lost it a little before we did", "down", "receiver=connecting receiver_since=15s", TestimonyLostIt, true},
		{"lost it long before we did", "down", "receiver=connecting receiver_since=17s", TestimonyMute, true},
		{"lost a living source just now", "up", "receiver=connecting receiver_since=2s", TestimonyLostIt, true},
		{"lost a living source long ago", "up", "receiver=connecting receiver_since=1h", TestimonyMute, true},
		{"lost a source that nobody ever saw", "down seen=never", "receiver=connecting receiver_since=1h", TestimonyLostIt, true},
		{"its state is unknown", "down", "receiver=unknown", TestimonyUnknown, false},
		{"does not answer itself", "down", "down receiver=connecting", TestimonyUnknown, false},
		{"answers half", "down", "partial receiver=connecting", TestimonyUnknown, false},
		{"is saturated", "down", "saturated receiver=connecting", TestimonyUnknown, false},
		{"answered long ago", "down", "attempted=31s receiver=connecting", TestimonyUnknown, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := Build(mustParse(t, patience+"cluster shop\ndb1 "+c.source+"\n  db2 "+c.replica+"\n"))
			replica := s.Instance("db2:3306")
			if got := s.Testimony(replica); got != c.want {
				t.Errorf("%s: %s, want %s", c.replica, got, c.want)
			}
			if got := s.CutOff(replica); got != c.cutOff {
				t.Errorf("%s: cut off: %t", c.replica, got)
			}
		})
	}
	s := Build(mustParse(t, "cluster shop\ndb1\n"))
	if db1 := s.Instance("db1:3306"); s.Testimony(db1) != TestimonyUnknown || s.CutOff(db1) {
		t.Error("who follows nobody testifies")
	}
}

// TestErrorsThatAreNoWitness lists errors by number: only those that say the source was not reached make a witness.
func TestErrorsThatAreNoWitness(t *testing.T) {
	for errno, want := range map[string]Testimony{
		"1158": TestimonyLostIt, "1159": TestimonyLostIt, "1160": TestimonyLostIt, "1161": TestimonyLostIt,
		"2002": TestimonyLostIt, "2003": TestimonyLostIt, "2005": TestimonyLostIt, "2006": TestimonyLostIt, "2013": TestimonyLostIt, "2026": TestimonyLostIt,
		"1045": TestimonyMute, "1129": TestimonyMute, "1130": TestimonyMute, "1236": TestimonyMute, "1593": TestimonyMute, "13117": TestimonyMute, "1040": TestimonyMute,
	} {
		s := Build(mustParse(t, patience+"cluster shop\ndb1 down\n  db2 receiver=stopped receiver_errno="+errno+"\n"))
		if got := s.Testimony(s.Instance("db2:3306")); got != want {
			t.Errorf("%s: %s, want %s", errno, got, want)
		}
	}
}

// TestAgreement is the table of votes: what this node sees, what the others say, and what is then true for all.
func TestAgreement(t *testing.T) {
	for _, c := range []struct {
		name, nodes, own string
		votes            []string
		reach            Reach
		down             bool
	}{
		{"alone and up", "1", "up", nil, ReachUp, false},
		{"alone and one time-out", "1", "timeout", nil, ReachTimeout, false},
		{"alone and two time-outs", "1", "down", nil, ReachTimeout, true},
		{"alone and one refusal", "1", "refused", nil, ReachRefused, false},
		{"alone and two refusals", "1", "refused failures=2", nil, ReachRefused, true},
		{"a refusal and a fallen sentinel", "1", "refused sentinel_fell", nil, ReachRefused, true},
		{"a time-out and a fallen sentinel", "1", "timeout sentinel_fell", nil, ReachTimeout, false},
		{"alone and saturated", "1", "saturated failures=5", nil, ReachSaturated, false},
		{"alone and denied", "1", "denied failures=5", nil, ReachDenied, false},
		{"alone and partial", "1", "partial failures=5", nil, ReachPartial, false},
		{"stale", "1", "down attempted=31s", nil, ReachUnknown, false},
		{"nearly stale", "1", "down attempted=30s", nil, ReachTimeout, true},
		{"never tried", "1", "unknown", nil, ReachUnknown, false},
		{"three, and nobody else says anything", "3", "down", nil, ReachUnknown, false},
		{"three, and one agrees", "3", "down", []string{"n2 down"}, ReachTimeout, true},
		{"three, and one agrees a little", "3", "down", []string{"n2 timeout"}, ReachTimeout, false},
		{"three, and one says otherwise", "3", "down", []string{"n2 up"}, ReachUnknown, false},
		{"three, and both say otherwise", "3", "down", []string{"n2 up", "n3 saturated"}, ReachUp, false},
		{"three, and the others are divided", "3", "down", []string{"n2 down", "n3 up"}, ReachTimeout, true},
		{"three, and we alone see it", "3", "up", []string{"n2 down", "n3 down"}, ReachUp, false},
		{"three, and only the others know", "3", "unknown", []string{"n2 down", "n3 refused failures=2"}, ReachTimeout, true},
		{"three, and one vote is old", "3", "down", []string{"n2 down ago=31s"}, ReachUnknown, false},
		{"three, and one votes twice", "3", "unknown", []string{"n2 down", "n2 down ago=1s"}, ReachUnknown, false},
		{"three, and one has changed its mind", "3", "down", []string{"n2 up ago=1s", "n2 down"}, ReachTimeout, true},
		{"three, and one has changed its mind the other way", "3", "down", []string{"n2 up", "n2 down ago=1s"}, ReachUnknown, false},
		{"two are no majority of two", "2", "down", nil, ReachUnknown, false},
		{"both of two", "2", "down", []string{"n2 down"}, ReachTimeout, true},
		{"a tie of four", "4", "down", []string{"n2 down", "n3 up", "n4 up"}, ReachUnknown, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.TrimSpace(patience) + " nodes=" + c.nodes + "\ncluster shop\ndb1 " + c.own + "\n"
			for _, v := range c.votes {
				node, rest, _ := strings.Cut(v, " ")
				text += "vote " + node + " db1 " + rest + "\n"
			}
			i := Build(mustParse(t, text)).Instance("db1:3306")
			if i.Agreed != c.reach || i.Down != c.down {
				t.Errorf("%s\nagreed %s, down %t", text, i.Agreed, i.Down)
			}
		})
	}
}

func TestHereIsThisNodeAlone(t *testing.T) {
	s := Build(mustParse(t, "baton nodes=3\ndb1 down\ndb2 timeout\ndb3 down attempted=1h\ndb4\nvote n2 db4 down\nvote n3 db4 down\n"))
	for id, want := range map[InstanceID]struct {
		reach Reach
		down  bool
	}{
		"db1:3306": {ReachTimeout, true}, "db2:3306": {ReachTimeout, false}, "db3:3306": {ReachUnknown, false}, "db4:3306": {ReachUp, false},
	} {
		if reach, down := s.Here(s.Instance(id)); reach != want.reach || down != want.down {
			t.Errorf("%s: %s, down %t", id, reach, down)
		}
	}
}

func TestDownFor(t *testing.T) {
	s := Build(mustParse(t, "db1 down since=40s\ndb2 timeout since=40s\n"))
	if got := s.Instance("db1:3306").DownFor(s.At); got != 40*time.Second {
		t.Errorf("db1 is down for %s", got)
	}
	if got := s.Instance("db2:3306").DownFor(s.At); got != 0 {
		t.Errorf("db2 is down for %s", got)
	}
}
