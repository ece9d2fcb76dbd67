package lab

import (
	"context"
	"testing"
	"time"
)

// promote makes a replica the primary the way an operator in a hurry would.
func promote(t *testing.T, s *Server) {
	t.Helper()
	mustExec(t, s, s.sql("STOP REPLICA"), s.sql("RESET REPLICA ALL"), "SET GLOBAL read_only=0")
}

func TestWriterFollowsThePrimary(t *testing.T) {
	l := newLab(t)
	eachFlavor(t, func(t *testing.T, flavor Flavor) {
		for _, fault := range []struct {
			name string
			do   func(*Server) error
		}{
			{"kill", (*Server).Kill},
			{"freeze", (*Server).Freeze},
			{"read-only", func(s *Server) error { return s.Exec(t.Context(), "SET GLOBAL read_only=1") }},
		} {
			t.Run(fault.name, func(t *testing.T) {
				ctx := t.Context()
				top := start(t, l, Spec{Flavor: flavor, Replicas: 2})
				defer top.Close()
				w := StartWriter(ctx, top.Addrs(), WriterOptions{})
				defer w.Stop()
				old, next := top.Primary(), top.Replicas()[0]
				for range 20 {
					if err := w.WaitAcknowledged(ctx, old.Addr()); err != nil {
						t.Fatal(err)
					}
				}
				at := time.Now()
				if err := fault.do(old); err != nil {
					t.Fatal(err)
				}
				if fault.name == "read-only" {
					rows, err := old.Value(ctx, "SELECT COUNT(*) FROM app.writes")
					if err != nil {
						t.Fatal(err)
					}
					eventually(t, next, "SELECT COUNT(*) FROM app.writes", rows)
				}
				before := time.Now()
				promote(t, next)
				opened := time.Now()
				if err := w.WaitAcknowledged(ctx, next.Addr()); err != nil {
					t.Fatalf("%v: %s", err, w.Report())
				}
				r := w.ReportSince(at)
				t.Logf("%s; promotion took %s, the first write came %s after it", r, opened.Sub(before).Round(100*time.Microsecond), r.To.Sub(opened).Round(100*time.Microsecond))
				if r.Servers[old.Addr()] == 0 || r.Servers[next.Addr()] == 0 {
					t.Errorf("acknowledged by %v, want both primaries", r.Servers)
				}
				final := w.Stop()
				lost, err := final.Lost(ctx, next.Addr())
				if err != nil {
					t.Fatal(err)
				}
				if fault.name == "read-only" && len(lost) > 0 {
					t.Errorf("%d rows lost in an orderly change", len(lost))
				}
				if final.Acknowledged > final.Attempted {
					t.Errorf("%d acknowledged of %d", final.Acknowledged, final.Attempted)
				}
			})
		}
	})
}

func TestLostRowsAreNamed(t *testing.T) {
	l := newLab(t)
	top := start(t, l, Spec{Flavor: MariaDB, Replicas: 1})
	defer top.Close()
	primary, replica := top.Primary(), top.Replicas()[0]
	w := StartWriter(t.Context(), top.Addrs(), WriterOptions{Every: -1, Clients: 4, Limit: 100})
	if err := w.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := w.Stop()
	if r.Acknowledged < 100 || r.Open {
		t.Errorf("%s, want 100 writes and no open gap", r)
	}
	eventually(t, replica, "SELECT COUNT(*) >= 100 FROM app.writes", "1")
	for _, s := range top.Servers {
		if lost, err := r.Lost(t.Context(), s.Addr()); err != nil || len(lost) > 0 {
			t.Errorf("%s lost %v, %v", s, lost, err)
		}
	}
	mustExec(t, primary, "DELETE FROM app.writes WHERE seq IN (3, 17)")
	lost, err := r.Lost(t.Context(), primary.Addr())
	if err != nil || len(lost) != 2 || lost[0] != 3 || lost[1] != 17 {
		t.Errorf("lost %v, %v, want 3 and 17", lost, err)
	}
}

func TestGapsAreMeasuredBetweenAcknowledgements(t *testing.T) {
	base := time.Unix(1000, 0)
	at := func(ms int) time.Time { return base.Add(time.Duration(ms) * time.Millisecond) }
	w := &Writer{addrs: []string{"a", "b"}, nextSeq: 9, ended: at(100)}
	for i, ms := range []int{0, 2, 40, 42, 60, 62, 95} {
		w.acks = append(w.acks, ack{seq: uint64(9 - i), at: at(ms), server: i / 4})
	}
	tests := []struct {
		name     string
		since    time.Time
		from, to int
		open     bool
	}{
		{"all", time.Time{}, 2, 40, false},
		{"since the middle", at(41), 62, 95, false},
		{"since the last acknowledgement", at(95), 95, 100, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := w.ReportSince(test.since)
			if !r.From.Equal(at(test.from)) || !r.To.Equal(at(test.to)) || r.Open != test.open || r.MaxGap != at(test.to).Sub(at(test.from)) {
				t.Errorf("gap %s from %s to %s, open %t", r.MaxGap, r.From.Sub(base), r.To.Sub(base), r.Open)
			}
			if got := r.AcknowledgedBy("b", at(62)); got != 1 {
				t.Errorf("b acknowledged %d after 62 ms, want 1", got)
			}
			if r.Acknowledged != 7 || r.Attempted != 9 || r.Servers["a"] != 4 || r.Servers["b"] != 3 {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestClaim(t *testing.T) {
	now := time.Now()
	long := now.Add(-time.Hour)
	tests := []struct {
		name          string
		current       int
		chosen, acked time.Time
		silent        []bool
		claimer, want int
	}{
		{"nobody writes", -1, now, now, []bool{false, false}, 1, 1},
		{"the current one acknowledges", 0, long, now, []bool{false, false}, 1, 0},
		{"the current one is quiet", 0, long, long, []bool{false, false}, 1, 1},
		{"the current one is new", 0, now, long, []bool{false, false}, 1, 0},
		{"the current one is new but never answered before", 0, now, long, []bool{true, false}, 1, 1},
		{"neither ever answered", 0, now, long, []bool{true, true}, 1, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := &Writer{
				current: test.current, chosen: test.chosen, acked: test.acked, silent: test.silent,
				changed: make(chan struct{}), opts: WriterOptions{Patience: time.Minute},
			}
			w.claim(test.claimer)
			if w.current != test.want {
				t.Errorf("the current server is %d, want %d", w.current, test.want)
			}
		})
	}
}

func TestBacklog(t *testing.T) {
	l := newLab(t)
	eachFlavor(t, func(t *testing.T, flavor Flavor) {
		const n = 2000
		ctx := t.Context()
		top := start(t, l, Spec{Flavor: flavor, Replicas: 2, SemiSync: 1})
		defer top.Close()
		report, err := top.Backlog(ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		if report.Acknowledged < n {
			t.Errorf("%d rows acknowledged, want %d", report.Acknowledged, n)
		}
		for _, r := range top.Replicas() {
			wantValue(t, r, "SELECT COUNT(*) FROM app.writes", "0")
			rep, _, err := r.Replication(ctx)
			if err != nil || rep.Receiver != "Yes" || rep.Applier != "No" {
				t.Errorf("%s: %+v, %v; want a receiver and no applier", r, rep, err)
			}
		}
		// All of it is in the relay logs: the primary is not needed any more.
		if err := top.Primary().Kill(); err != nil {
			t.Fatal(err)
		}
		if err := top.StartAppliers(ctx); err != nil {
			t.Fatal(err)
		}
		for _, r := range top.Replicas() {
			ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
			defer cancel()
			var lost []uint64
			if err := poll(ctx, func() (bool, error) {
				var err error
				lost, err = report.Lost(ctx, r.Addr())
				return len(lost) == 0, err
			}); err != nil {
				t.Errorf("%s lacks %d rows: %v", r, len(lost), err)
			}
		}
	})
}
