package collector

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/batondb/baton/topology"
)

func TestDiscoveryFollowsLinks(t *testing.T) {
	inBubble(t, func(o *Options, p *scripted) {
		o.Seeds = []topology.InstanceID{"db3:3306"}
		o.Ignore = func(id topology.InstanceID) bool { return id == "backup:3306" }
		up := topology.Facts{Replicas: []topology.InstanceID{"db2:3306", "db3:3306", "backup:3306", "guess:3306"}}
		p.says("db1:3306", up)
		p.says("db2:3306", replicaOf("db1:3306"))
		p.says("db3:3306", replicaOf("db1:3306"))
		p.says("db4:3306", replicaOf("db2:3306"))
		p.says("db2:3306", topology.Facts{Channels: replicaOf("db1:3306").Channels, Replicas: []topology.InstanceID{"db4:3306"}})
		p.says("db4:3306", topology.Facts{Channels: append(replicaOf("db2:3306").Channels, topology.Channel{Name: "x", Source: "dead:3306"}, topology.Channel{Name: "y", Source: "127.0.0.1:3306"})})
	}, func(t *testing.T, b *bench) {
		pass(0) // links are followed without waiting for anybody's turn
		want := []topology.InstanceID{"db1:3306", "db2:3306", "db3:3306", "db4:3306", "dead:3306"}
		if got := b.Inventory(); !slices.Equal(got, want) {
			t.Errorf("inventory %v, want %v", got, want)
		}
		if len(b.p.probes("guess:3306")) == 0 {
			t.Error("what only a list of replicas speaks of was not tried")
		}
		if len(b.p.probes("backup:3306")) != 0 {
			t.Error("an ignored instance was probed")
		}
		var seen []topology.InstanceID
		for _, o := range b.Observations() {
			seen = append(seen, o.Instance)
		}
		if !slices.Equal(seen, want) {
			t.Errorf("observations of %v", seen)
		}
		if want := []topology.InstanceID{"db1:3306", "db2:3306", "dead:3306"}; !slices.Equal(b.s.watched, want) {
			t.Errorf("watched %v, want %v", b.s.watched, want)
		}
		// A guess that nobody answers to is given up, and not made again at the next probe.
		pass(12 * time.Minute)
		b.p.probes("guess:3306")
		pass(10 * time.Minute)
		if n := len(b.p.probes("guess:3306")); n != 0 {
			t.Errorf("a guess that failed was probed %d times more", n)
		}
		// Until it is asked for by name.
		b.p.says("guess:3306", topology.Facts{})
		if _, err := b.Discover(t.Context(), "guess:3306"); err != nil {
			t.Error(err)
		}
	})
}

func TestDiscover(t *testing.T) {
	inBubble(t, func(o *Options, p *scripted) {
		o.Ignore = func(id topology.InstanceID) bool { return id == "backup:3306" }
		p.says("db1:3306", topology.Facts{ServerID: 7})
		p.fails("locked:3306", &Error{Instance: "locked:3306", Stage: StageHandshake, Err: errors.New("Error 1045: Access denied for user 'baton'")})
	}, func(t *testing.T, b *bench) {
		o, err := b.Discover(t.Context(), "db1:3306")
		if err != nil || o.Facts.ServerID != 7 || o.Reach != topology.ReachUp {
			t.Errorf("%v %+v", err, o)
		}
		if !slices.Contains(b.p.fresh, "db1:3306") {
			t.Error("it was not asked everything")
		}
		for id, want := range map[topology.InstanceID]string{
			"gone:3306":   "discover gone:3306: connect: connection refused",
			"locked:3306": "discover locked:3306: log in: Error 1045: Access denied for user 'baton'",
			"backup:3306": "discover backup:3306: the configuration says to ignore it",
			"":            "discover: the instance has no name",
		} {
			if _, err := b.Discover(t.Context(), id); err == nil || err.Error() != want {
				t.Errorf("%s: %v, want %q", id, err, want)
			}
		}
		b.p.hangs("hung:3306")
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := b.Discover(ctx, "hung:3306"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a caller with less patience: %v", err)
		}
		pass(time.Second)
		if got := b.Inventory(); !slices.Equal(got, []topology.InstanceID{"db1:3306"}) {
			t.Errorf("mistakes have become members: %v", got)
		}
		// A member that is down stays one.
		b.p.fails("db1:3306", &Error{Instance: "db1:3306", Err: errConnRefused})
		pass(10 * time.Second)
		if o, err := b.Discover(t.Context(), "db1:3306"); err == nil && o.Reach != topology.ReachRefused {
			t.Errorf("%v %v", err, o.Reach)
		}
		if len(b.Inventory()) != 1 {
			t.Error("it is gone from the inventory")
		}
	})
}

func TestRefreshIsFresh(t *testing.T) {
	inBubble(t, func(o *Options, p *scripted) {
		o.Seeds = []topology.InstanceID{"db1:3306"}
		o.Interval = time.Minute
		n := uint32(0)
		p.answer("db1:3306", func(context.Context) (topology.Facts, error) {
			n++
			f := topology.Facts{ServerID: n} // as it was when the probe began
			time.Sleep(10 * time.Millisecond)
			return f, nil
		})
	}, func(t *testing.T, b *bench) {
		// The first probe is under way. Its answer is older than the question.
		got, err := b.Refresh(t.Context(), "db1:3306")
		if err != nil || got[0].Facts.ServerID != 2 {
			t.Errorf("%v, probe %d", err, got[0].Facts.ServerID)
		}
		if _, err := b.Refresh(t.Context(), "db1:3306", "stranger:3306"); err == nil || !strings.Contains(err.Error(), "stranger:3306") {
			t.Errorf("a stranger: %v", err)
		}
		// Who waits for an instance that is forgotten meanwhile does not wait for ever.
		done := make(chan error, 1)
		go func() {
			_, err := b.Refresh(t.Context(), "db1:3306")
			done <- err
		}()
		synctest.Wait()
		b.Forget("db1:3306")
		<-done
	})
}

func TestTwoNamesOfOneServer(t *testing.T) {
	server := topology.Facts{ServerUUID: "u1", Hostname: "box1"}
	inBubble(t, func(o *Options, p *scripted) {
		o.Seeds = []topology.InstanceID{"10.0.0.1:3306"}
		p.says("10.0.0.1:3306", topology.Facts{ServerUUID: "u1", Hostname: "box1", Replicas: []topology.InstanceID{"db2:3306"}})
		p.says("db1:3306", server)
		p.says("db2:3306", topology.Facts{ServerUUID: "u2", Hostname: "box2", Channels: replicaOf("db1:3306").Channels})
		p.says("clone:3306", topology.Facts{ServerUUID: "u1", Hostname: "elsewhere"})
		p.says("db1:3307", server)
	}, func(t *testing.T, b *bench) {
		pass(3 * time.Second)
		want := []topology.InstanceID{"10.0.0.1:3306", "db2:3306"}
		if got := b.Inventory(); !slices.Equal(got, want) {
			t.Errorf("inventory %v, want %v", got, want)
		}
		if got := b.Aliases(); len(got) != 1 || got["db1:3306"] != "10.0.0.1:3306" {
			t.Errorf("aliases %v", got)
		}
		if o, _ := b.Observation("db2:3306"); o.Facts.Channels[0].Source != "10.0.0.1:3306" {
			t.Errorf("the replica follows %s", o.Facts.Channels[0].Source)
		}
		if o, ok := b.Observation("db1:3306"); !ok || o.Instance != "10.0.0.1:3306" {
			t.Errorf("by its other name: %v %s", ok, o.Instance)
		}
		b.p.probes("db1:3306")
		pass(5 * time.Second)
		if n := len(b.p.probes("db1:3306")); n != 0 {
			t.Errorf("the alias was probed %d times", n)
		}
		if !slices.Contains(b.p.dropped, "db1:3306") {
			t.Error("the connection to the alias is still open")
		}
		if o, err := b.Discover(t.Context(), "db1:3306"); err != nil || o.Instance != "10.0.0.1:3306" {
			t.Errorf("discovered by its other name: %v %s", err, o.Instance)
		}
		// The same UUID elsewhere, or on another port, is a clone that somebody has to hear about.
		for _, id := range []topology.InstanceID{"clone:3306", "db1:3307"} {
			if o, err := b.Discover(t.Context(), id); err != nil || o.Instance != id {
				t.Errorf("%s: %v %s", id, err, o.Instance)
			}
		}
	})
}

func TestANameThatNobodyAnswersTo(t *testing.T) {
	server := topology.Facts{ServerUUID: "u1", Hostname: "box1"}
	inBubble(t, func(o *Options, p *scripted) {
		o.Seeds = []topology.InstanceID{"old:3306"}
		p.says("old:3306", server)
	}, func(t *testing.T, b *bench) {
		pass(3 * time.Second)
		b.p.fails("old:3306", &Error{Err: errConnRefused})
		b.p.says("new:3306", server)
		pass(3 * time.Second)
		if o, err := b.Discover(t.Context(), "new:3306"); err != nil || o.Instance != "new:3306" {
			t.Errorf("%v %s", err, o.Instance)
		}
		if got := b.Inventory(); !slices.Equal(got, []topology.InstanceID{"new:3306"}) {
			t.Errorf("a server that was renamed is observed as %v: it must not look dead under its old name", got)
		}
	})
}

func TestForget(t *testing.T) {
	inBubble(t, func(o *Options, p *scripted) {
		o.Seeds = []topology.InstanceID{"db1:3306"}
		p.says("db1:3306", topology.Facts{Replicas: []topology.InstanceID{"db2:3306"}})
		p.says("db2:3306", replicaOf("db1:3306"))
	}, func(t *testing.T, b *bench) {
		pass(3 * time.Second)
		if !b.Forget("db2:3306") || b.Forget("stranger:3306") {
			t.Error("Forget does not know whom it forgot")
		}
		b.p.probes("db2:3306")
		pass(30 * time.Minute)
		if n := len(b.p.probes("db2:3306")); n != 0 || len(b.Inventory()) != 1 {
			t.Errorf("a forgotten instance was probed %d times: %v", n, b.Inventory())
		}
		if _, ok := b.Observation("db2:3306"); ok {
			t.Error("it is still remembered")
		}
		pass(31 * time.Minute)
		if len(b.Inventory()) != 2 {
			t.Error("after an hour its link has not brought it back")
		}
		b.Forget("db2:3306")
		if _, err := b.Discover(t.Context(), "db2:3306"); err != nil {
			t.Errorf("asked for by name: %v", err)
		}
	})
}

func TestUnseenForTooLong(t *testing.T) {
	inBubble(t, func(o *Options, p *scripted) {
		o.Seeds = []topology.InstanceID{"db1:3306", "db4:3306", "db5:3306"}
		o.Interval, o.ForgetAfter = time.Minute, time.Hour
		p.says("db1:3306", topology.Facts{})
		p.says("db4:3306", replicaOf("db1:3306"))
		p.says("db5:3306", topology.Facts{})
	}, func(t *testing.T, b *bench) {
		pass(3 * time.Minute)
		dead := &Error{Err: errConnRefused}
		b.p.fails("db1:3306", dead)
		b.p.fails("db5:3306", dead)
		pass(3 * time.Hour)
		// The source of a replica that lives is missed by somebody.
		if got := b.Inventory(); !slices.Equal(got, []topology.InstanceID{"db1:3306", "db4:3306"}) {
			t.Errorf("left: %v", got)
		}
		b.p.fails("db4:3306", dead)
		pass(3 * time.Hour)
		if got := b.Inventory(); len(got) != 0 {
			t.Errorf("left: %v", got)
		}
	})
}
