package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// start runs a ledger until the test or stop ends it.
func start(t testing.TB, o Options) (l *Ledger, stop func()) {
	t.Helper()
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return l, run(t, l)
}

func run(t testing.TB, l *Ledger) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// lead waits until a ledger leads.
func lead(t testing.TB, l *Ledger) {
	t.Helper()
	if err := l.WhileLeader(t.Context(), func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if t.Context().Err() != nil {
		t.Fatal("no leader before the test ended")
	}
}

// entry is a valid entry of a fixed time.
func entry(t testing.TB, body Body) Entry {
	t.Helper()
	e, err := NewEntry("ops", "because", body)
	if err != nil {
		t.Fatal(err)
	}
	e.ID, e.At = "e1", noon
	return e
}

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func propose(t testing.TB, l *Ledger, body Body) {
	t.Helper()
	if err := l.Propose(t.Context(), entry(t, body)); err != nil {
		t.Fatalf("propose %s: %v", body.kind(), err)
	}
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	raw, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestSingleNodeKeepsWhatWasAgreed(t *testing.T) {
	o := Options{Dir: filepath.Join(t.TempDir(), "ledger")}
	l, stop := start(t, o)
	lead(t, l)
	changes := l.Changes()
	propose(t, l, AddSeed{Instance: "db1:3306"})
	<-changes
	propose(t, l, OpenRecovery{ID: "r1", Cluster: "shop", Kind: "failover", Trigger: ByFinding, Plan: json.RawMessage(`{"a": "<b>"}`)})
	var open ErrRecoveryOpen
	err := l.Propose(t.Context(), entry(t, OpenRecovery{ID: "r2", Cluster: "shop", Kind: "failover", Trigger: ByFinding}))
	if !errors.As(err, &open) || open.ID != "r1" {
		t.Fatalf("second recovery of a cluster: %v", err)
	}
	if err := l.VerifyLeader(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := l.Stats(); s.State != "leader" || s.Leader != "baton" || s.Voters != 1 || !s.Ready || s.Proposals.Count != 3 || s.Refused != 1 ||
		s.Failures != 0 || s.LeadershipChanges != 1 || s.Entries != 2 || s.LastContact != 0 || s.AppliedIndex != s.CommitIndex {
		t.Errorf("stats: %+v", s)
	}
	if l.Term() == 0 || l.Term() != l.Stats().Term || l.Lease() != DefaultLease {
		t.Errorf("term %d, lease %s", l.Term(), l.Lease())
	}
	before := asJSON(t, l.State())
	stop()
	if err := l.Propose(context.Background(), entry(t, AddSeed{Instance: "db2"})); !errors.Is(err, ErrStopped) {
		t.Errorf("after Run: %v", err)
	}

	l, _ = start(t, o)
	lead(t, l)
	if after := asJSON(t, l.State()); after != before {
		t.Errorf("after a restart\n%s\nbefore\n%s", after, before)
	}
}

func TestProposeStampsEntries(t *testing.T) {
	l, _ := start(t, Options{Dir: t.TempDir()})
	lead(t, l)
	e, err := NewEntry("ops", "", AddSeed{Instance: "db1"})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now().Add(-time.Millisecond)
	if err := l.Propose(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if at := l.State().Seeds["db1"].At; at.Before(began) || at.After(time.Now()) {
		t.Errorf("stamped %s", at)
	}
}

func TestProposeAsyncKeepsTheOrder(t *testing.T) {
	l, _ := start(t, Options{Dir: t.TempDir()})
	lead(t, l)
	answers := []<-chan error{l.ProposeAsync(entry(t, OpenRecovery{ID: "r1", Cluster: "shop", Kind: "failover", Trigger: ByFinding}))}
	for range 200 {
		answers = append(answers, l.ProposeAsync(entry(t, ProgressRecovery{ID: "r1", Steps: []Step{{Step: "stop receiver", On: "db2"}}})))
	}
	answers = append(answers, l.ProposeAsync(entry(t, CloseRecovery{ID: "r1", Outcome: Success})))
	for i, a := range answers {
		if err := <-a; err != nil {
			t.Fatalf("entry %d: %v", i, err)
		}
	}
	if r := l.State().Recoveries["r1"]; len(r.Steps) != 200 || r.Outcome != Success {
		t.Errorf("%d steps, outcome %q", len(r.Steps), r.Outcome)
	}
	if err := <-l.ProposeAsync(Entry{Kind: "nonsense"}); err == nil {
		t.Error("nonsense was accepted")
	}
}

func TestSingleNodeHasNobodyToHandOverTo(t *testing.T) {
	l, _ := start(t, Options{Dir: t.TempDir()})
	lead(t, l)
	if err := l.Transfer(t.Context(), ""); !errors.As(err, new(ErrConflict)) {
		t.Errorf("got %v", err)
	}
}

func TestProposeGivesUpWithItsContext(t *testing.T) {
	l, _ := start(t, Options{Dir: t.TempDir()})
	lead(t, l)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the client left"))
	for range 100 { // the answer may be first
		err := l.Propose(ctx, entry(t, AddSeed{Instance: "db1"}))
		if err == nil {
			continue
		}
		if !errors.Is(err, ErrUncertain) || !strings.Contains(err.Error(), "the client left") {
			t.Errorf("got %v", err)
		}
		return
	}
	t.Error("the context was never heeded")
}

func TestBeforeRun(t *testing.T) {
	l, err := New(Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	var not ErrNotLeader
	if err := l.Propose(t.Context(), entry(t, AddSeed{Instance: "db1"})); !errors.As(err, &not) {
		t.Errorf("Propose: %v", err)
	}
	if err := l.VerifyLeader(t.Context()); !errors.As(err, &not) {
		t.Errorf("VerifyLeader: %v", err)
	}
	if l.IsLeader() || l.Ready() || l.State() == nil || l.Leader() != (Peer{}) || l.Stats().State != "shutdown" {
		t.Error("a ledger that does not run must not lead or be ready, and have a state")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Run(ctx); err != nil {
		t.Errorf("Run with an ended context: %v", err)
	}
	if err := l.Run(ctx); err == nil {
		t.Error("Run ran twice")
	}
	if err := l.WhileLeader(t.Context(), func(context.Context) error { return nil }); !errors.Is(err, ErrStopped) {
		t.Errorf("WhileLeader after Run: %v", err)
	}
}

func TestWhileLeaderReturnsWhatItsFunctionReturns(t *testing.T) {
	l, _ := start(t, Options{Dir: t.TempDir()})
	broken := errors.New("broken")
	if err := l.WhileLeader(t.Context(), func(context.Context) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := l.WhileLeader(ctx, func(ctx context.Context) error { cancel(); <-ctx.Done(); return ctx.Err() }); err != nil {
		t.Errorf("the caller's context ended: %v", err)
	}
}

func TestWhileLeaderEndsWithRun(t *testing.T) {
	l, stop := start(t, Options{Dir: t.TempDir()})
	entered, cause := make(chan struct{}), make(chan error, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- l.WhileLeader(context.Background(), func(ctx context.Context) error {
			close(entered)
			<-ctx.Done()
			cause <- context.Cause(ctx)
			return ctx.Err()
		})
	}()
	<-entered
	stop()
	if err := <-cause; !errors.Is(err, ErrStopped) {
		t.Errorf("cause %v", err)
	}
	if err := <-ended; !errors.Is(err, ErrStopped) {
		t.Errorf("WhileLeader: %v", err)
	}
}

func TestSnapshotCarriesTheState(t *testing.T) {
	o := Options{Dir: t.TempDir(), SnapshotEntries: 4}
	l, stop := start(t, o)
	lead(t, l)
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		propose(t, l, AddSeed{Instance: name})
	}
	if err := l.raft.Load().Snapshot().Error(); err != nil {
		t.Fatal(err)
	}
	propose(t, l, AddSeed{Instance: "i"})
	if l.Stats().LastSnapshot.IsZero() {
		t.Error("no time of the last snapshot")
	}
	before := asJSON(t, l.State())
	stop()

	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(l.State().Seeds); n != 8 {
		t.Errorf("%d seeds before Run, the snapshot has 8", n)
	}
	if l.Stats().LastSnapshot.IsZero() {
		t.Error("no time of the last snapshot after a restart")
	}
	run(t, l)
	lead(t, l)
	if after := asJSON(t, l.State()); after != before {
		t.Errorf("after a restart\n%s\nbefore\n%s", after, before)
	}
}

func TestOptions(t *testing.T) {
	peers := []Peer{{ID: "a", Address: "a:1"}, {ID: "b", Address: "b:1"}, {ID: "c", Address: "c:1"}}
	for _, tt := range []struct {
		field string
		o     Options
	}{
		{"Dir", Options{}},
		{"NodeID", Options{Dir: "d", NodeID: "a b"}},
		{"NodeID", Options{Dir: "d", Bind: ":1", Peers: peers}},
		{"Lease", Options{Dir: "d", Lease: 2 * time.Second}},
		{"Lease", Options{Dir: "d", Lease: time.Microsecond}},
		{"Election", Options{Dir: "d", Heartbeat: time.Second, Election: time.Second / 2}},
		{"SnapshotInterval", Options{Dir: "d", SnapshotInterval: -1}},
		{"Bind", Options{Dir: "d", NodeID: "a", Peers: peers}},
		{"Peers", Options{Dir: "d", NodeID: "a", Bind: ":1"}},
		{"Peers", Options{Dir: "d", NodeID: "d", Bind: ":1", Peers: peers}},
		{"Peers[1].ID", Options{Dir: "d", NodeID: "a", Bind: ":1", Peers: []Peer{peers[0], {ID: "a", Address: "b:1"}}}},
		{"Peers[1].ID", Options{Dir: "d", NodeID: "a", Bind: ":1", Peers: []Peer{peers[0], {Address: "b:1"}}}},
		{"Peers[1].Address", Options{Dir: "d", NodeID: "a", Bind: ":1", Peers: []Peer{peers[0], {ID: "b", Address: "a:1"}}}},
		{"Peers[1].Address", Options{Dir: "d", NodeID: "a", Bind: ":1", Peers: []Peer{peers[0], {ID: "b"}}}},
	} {
		_, err := New(tt.o)
		var wrong ErrOption
		if !errors.As(err, &wrong) || wrong.Field != tt.field {
			t.Errorf("%+v: %v, want a complaint about %s", tt.o, err, tt.field)
		}
	}
}

func TestNewID(t *testing.T) {
	id := NewID(noon.Add(5*time.Millisecond), strings.NewReader("\x01\x02\x03\x04"))
	if want := "20261120T120000.005Z-01020304"; id != want {
		t.Errorf("%s, want %s", id, want)
	}
	if err := isName("id", id); err != nil {
		t.Error(err)
	}
	later := NewID(noon.Add(6*time.Millisecond), strings.NewReader("\x00\x00\x00\x00"))
	if later <= id {
		t.Errorf("%s sorts before %s", later, id)
	}
	defer func() {
		if recover() == nil {
			t.Error("an id without randomness")
		}
	}()
	NewID(noon, strings.NewReader(""))
}
