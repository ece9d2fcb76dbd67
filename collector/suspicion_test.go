package collector

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/batondb/baton/topology"
)

// bursts are the pauses that a suspicion of five seconds begins with.
var bursts = []time.Duration{0, 2, 4, 8, 16, 32, 64, 100, 100, 100}

func checkBurst(t *testing.T, from time.Time, starts, ends []time.Time) {
	t.Helper()
	if len(starts) < len(bursts) {
		t.Fatalf("%d probes", len(starts))
	}
	for i, want := range bursts {
		before := from
		if i > 0 {
			before = ends[i-1]
		}
		if pause := starts[i].Sub(before); pause != want*time.Millisecond {
			t.Errorf("pause %d is %v, want %v", i, pause, want*time.Millisecond)
		}
	}
}

func TestSuspicion(t *testing.T) {
	slow := func(context.Context) (topology.Facts, error) {
		time.Sleep(3 * time.Millisecond)
		return topology.Facts{}, nil
	}
	inBubble(t, func(o *Options, p *scripted) {
		o.Seeds = []topology.InstanceID{"db1:3306", "db2:3306"}
		o.Interval = time.Minute
		p.answer("db1:3306", slow)
		p.says("db2:3306", topology.Facts{})
	}, func(t *testing.T, b *bench) {
		pass(70 * time.Second)
		b.p.probes("db1:3306")
		b.p.probes("db2:3306")
		now := time.Now()
		b.Suspect("db1:3306", "stranger:3306")
		pass(3 * time.Second)
		b.Suspect("db1:3306") // extends it, and does not begin the burst again
		pass(50 * time.Second)
		b.p.mu.Lock()
		starts, ends := slices.Clone(b.p.starts["db1:3306"]), slices.Clone(b.p.ends["db1:3306"])
		b.p.mu.Unlock()
		checkBurst(t, now, starts, ends)
		last := starts[0]
		for i := 1; i < len(starts) && starts[i].Sub(ends[i-1]) <= 100*time.Millisecond; i++ {
			last = starts[i]
		}
		if lasted := last.Sub(now); lasted < 7900*time.Millisecond || lasted > 8100*time.Millisecond {
			t.Errorf("the suspicion lasted %v, want 8 s", lasted)
		}
		if n := len(b.p.probes("db2:3306")); n > 2 {
			t.Errorf("the other one was probed %d times", n)
		}
	})
}

func TestFailureIsSuspicious(t *testing.T) {
	related := func(id topology.InstanceID) []topology.InstanceID {
		if id == "db1:3306" {
			return []topology.InstanceID{"db1:3306", "db2:3306"}
		}
		return nil
	}
	inBubble(t, func(o *Options, p *scripted) {
		o.Seeds = []topology.InstanceID{"db1:3306", "db2:3306", "db3:3306"}
		o.Related = related
		for _, id := range o.Seeds {
			p.says(id, topology.Facts{})
		}
	}, func(t *testing.T, b *bench) {
		pass(10 * time.Second)
		b.p.fails("db1:3306", &Error{Err: errConnRefused})
		for _, id := range []topology.InstanceID{"db1:3306", "db2:3306", "db3:3306"} {
			b.p.probes(id)
		}
		pass(10 * time.Second)
		one, two, three := len(b.p.probes("db1:3306")), len(b.p.probes("db2:3306")), len(b.p.probes("db3:3306"))
		if one < 50 || two < 50 || three != 10 {
			t.Errorf("probes in 10 s: suspect %d, related %d, other %d", one, two, three)
		}
		// A saturated server is not helped by more connections, and it is alive.
		b.p.says("db1:3306", topology.Facts{})
		pass(10 * time.Second)
		b.p.fails("db1:3306", full)
		b.p.probes("db1:3306")
		pass(10 * time.Second)
		if n := len(b.p.probes("db1:3306")); n != 10 {
			t.Errorf("a saturated server was probed %d times in 10 s", n)
		}
	})
}

func TestSentinelFalls(t *testing.T) {
	inBubble(t, func(o *Options, p *scripted) {
		o.Seeds = []topology.InstanceID{"db2:3306"}
		o.Interval = time.Minute
		o.Related = func(topology.InstanceID) []topology.InstanceID { return []topology.InstanceID{"db2:3306"} }
		p.says("db1:3306", topology.Facts{})
		p.says("db2:3306", replicaOf("db1:3306"))
	}, func(t *testing.T, b *bench) {
		pass(2 * time.Minute)
		if want := []topology.InstanceID{"db1:3306"}; !slices.Equal(b.s.watched, want) {
			t.Fatalf("watched: %v", b.s.watched)
		}
		if b.s.answered["db1:3306"] == 0 {
			t.Error("the sentinel was not told that the instance answers")
		}
		// It was nothing: one probe, at once, and no burst.
		b.p.probes("db1:3306")
		b.p.probes("db2:3306")
		b.s.fell("db1:3306")
		pass(0)
		if one, two := len(b.p.probes("db1:3306")), len(b.p.probes("db2:3306")); one != 1 || two != 0 {
			t.Errorf("after a fall that meant nothing: %d probes, %d of the replica", one, two)
		}
		if o, _ := b.Observation("db1:3306"); !o.SentinelFell.IsZero() || o.Reach != topology.ReachUp {
			t.Errorf("fell %v, %v", o.SentinelFell, o.Reach)
		}
		// It died.
		fell := time.Now()
		b.p.fails("db1:3306", &Error{Err: errConnRefused})
		b.s.fell("db1:3306")
		pass(0)
		o, _ := b.Observation("db1:3306")
		if o.Reach != topology.ReachRefused || o.Failures != 1 || !o.SentinelFell.Equal(fell) || !o.FailingSince.Equal(fell) {
			t.Errorf("in the moment of the fall: %+v", o)
		}
		if n := len(b.p.probes("db2:3306")); n != 1 {
			t.Errorf("its replica was probed %d times in that moment", n)
		}
		pass(time.Second)
		if one, two := len(b.p.probes("db1:3306")), len(b.p.probes("db2:3306")); one < 10 || two < 10 {
			t.Errorf("in the second after: %d probes, %d of the replica", one, two)
		}
		b.s.fell("stranger:3306") // must not matter
	})
}
