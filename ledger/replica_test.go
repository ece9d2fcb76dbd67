package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// randomBody returns a body of any kind over few names, so that entries meet each other.
func randomBody(r *rand.Rand, now time.Time) Body {
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	instance, cluster, rec := pick("db1", "db2", "db3"), pick("shop", "cart"), pick("r1", "r2", "r3", "r4")
	rule := pick("", "DeadPrimary", "SplitBrain")
	until := now.Add(time.Duration(r.IntN(90)) * time.Minute)
	text := pick("", "u1:1-5", "<é\u2028>", strings.Repeat("é", 3000))
	bodies := []Body{
		PauseAutomation{Cluster: pick("", cluster), Rule: rule, Until: pickTime(r, until)},
		ResumeAutomation{Cluster: pick("", cluster), Rule: rule},
		BeginDowntime{Instance: instance, End: until},
		EndDowntime{Instance: instance},
		BeginMaintenance{Instance: instance, Until: until},
		BeginMaintenance{Cluster: cluster, Until: until},
		EndMaintenance{Cluster: cluster},
		SetPromotionRule{Instance: instance, Rule: pick("", Prefer, MustNot), Until: pickTime(r, until)},
		SetAutonomy{Cluster: pick("", cluster), Kind: pick("", "failover"), Level: pick("", Auto, Approve)},
		SetTag{Instance: instance, Tag: pick("a", "b"), Value: text},
		RemoveTag{Instance: instance, Tag: pick("a", "b")},
		AddSeed{Instance: instance},
		Forget{Instance: instance, Until: until},
		RememberKey{Key: pick("k1", "k2"), Until: until, Verdict: pick("", "done")},
		NameCluster{ID: cluster, Alias: pick("", "x", "y"), Members: slices.Repeat([]string{pick("u1", "u2")}, r.IntN(3))},
		ForgetCluster{ID: cluster},
		OpenRecovery{
			ID: rec, Cluster: cluster, Kind: "failover", Rule: rule, Instance: instance, Trigger: pick(ByFinding, ByAlert, ByOperator),
			Term: r.Uint64N(4), NeedsApproval: r.IntN(2) == 0, Plan: json.RawMessage(pick(`null`, `{"a":"<b>"}`, `[1]`)),
		},
		ApproveRecovery{ID: rec},
		ProgressRecovery{
			ID: rec, Term: r.Uint64N(4), Steps: []Step{{Step: "s", On: instance, At: now, Took: time.Second, Err: text}},
			Hooks: []HookRun{{Name: pick("pre", "post"), Output: text}},
		},
		CloseRecovery{ID: rec, Term: r.Uint64N(4), Outcome: pick(Success, Failed), LostTransactions: text, Phases: []Phase{{"freeze", 1}}},
		Acknowledge{Recovery: rec},
		Acknowledge{All: true},
		AgreePrimary{Cluster: cluster, Instance: instance, Epoch: r.Uint64N(3), Position: text, Deposes: pick("", instance, "db9")},
		Depose{Instance: instance, Cluster: cluster},
		MarkFenced{Instance: instance},
		SetQuarantine{Instance: instance, GTIDs: text},
		Release{Instance: pick(instance, "db9")},
	}
	return bodies[r.IntN(len(bodies))]
}

func pickTime(r *rand.Rand, t time.Time) time.Time {
	if r.IntN(2) == 0 {
		return time.Time{}
	}
	return t
}

// randomLog returns a log as raft would hand it to every node.
func randomLog(t testing.TB, seed uint64, n int) []*raft.Log {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	now := noon
	var log []*raft.Log
	for i := range n {
		now = now.Add(time.Duration(r.IntN(15)-2) * time.Minute) // clocks of proposers differ
		e, err := NewEntry("ops", "because", randomBody(r, now))
		must(t, err)
		e.ID, e.At = fmt.Sprintf("e%d", i), now.In(time.FixedZone("", r.IntN(3)*3600))
		raw, err := e.Encode()
		must(t, err)
		log = append(log, &raft.Log{Index: uint64(i + 1), Data: raw})
	}
	return log
}

// memorySink is a snapshot in memory.
type memorySink struct {
	bytes.Buffer
	cancelled bool
}

func (*memorySink) ID() string      { return "s" }
func (s *memorySink) Cancel() error { s.cancelled = true; return nil }
func (*memorySink) Close() error    { return nil }

// reborn returns a state machine that knows of f only what a snapshot carries.
func reborn(t testing.TB, f *fsm) *fsm {
	t.Helper()
	snapshot, err := f.Snapshot()
	must(t, err)
	defer snapshot.Release()
	var sink memorySink
	must(t, snapshot.Persist(&sink))
	other := newFSM(&State{})
	must(t, other.Restore(io.NopCloser(&sink)))
	return other
}

// checkReplicas applies a log on two nodes, one of which restarts from snapshots all the time.
func checkReplicas(t testing.TB, log []*raft.Log) (accepted int) {
	t.Helper()
	one, other := newFSM(&State{}), newFSM(&State{})
	for i, entry := range log {
		first, second := one.Apply(entry), other.Apply(entry)
		if fmt.Sprintf("%#v", first) != fmt.Sprintf("%#v", second) {
			t.Fatalf("%s\none node says %v, the other %v", entry.Data, first, second)
		}
		if first == nil {
			accepted++
		}
		if i%20 == 0 {
			other = reborn(t, other)
		}
	}
	if a, b := asJSON(t, one.state.Load()), asJSON(t, other.state.Load()); a != b {
		t.Fatalf("one node has\n%s\nthe other\n%s", a, b)
	}
	checkInvariants(t, one.state.Load())
	return accepted
}

// checkInvariants is what holds of every state.
func checkInvariants(t testing.TB, s *State) {
	t.Helper()
	open := make(map[string]string)
	for id, r := range s.Recoveries {
		if r.ID != id {
			t.Errorf("recovery %s is kept as %s", r.ID, id)
		}
		if r.Open() && open[r.Cluster] != "" {
			t.Errorf("cluster %s has two open recoveries", r.Cluster)
		}
		if r.Open() {
			open[r.Cluster] = id
		}
	}
	members := make(map[string]string)
	for id, c := range s.Clusters {
		for _, m := range c.Members {
			if members[m] != "" {
				t.Errorf("%s is a member of %s and of %s", m, id, members[m])
			}
			members[m] = id
		}
	}
}

func TestReplicasAgree(t *testing.T) {
	for seed := range uint64(8) {
		if n := checkReplicas(t, randomLog(t, seed, 300)); n < 60 {
			t.Errorf("seed %d: only %d of 300 entries were accepted, which tests little", seed, n)
		}
	}
}

func FuzzReplicasAgree(f *testing.F) {
	f.Add(uint64(1), uint8(20))
	f.Fuzz(func(t *testing.T, seed uint64, n uint8) { checkReplicas(t, randomLog(t, seed, int(n))) })
}

func FuzzDecodeEntry(f *testing.F) {
	for _, l := range randomLog(f, 7, 60) {
		f.Add(l.Data)
	}
	f.Add([]byte(`{"kind":"add_seed","id":"e","at":"2026-11-20T12:00:00Z","by":"ops","body":{"instance":"a","new":1}}`))
	f.Add([]byte(`{"kind":"tag","id":"e","at":"2026-11-20T12:00:00+02:00","by":"ops","body":{"instance":"a","tag":"t","value":"\ud800"}}`))
	f.Add([]byte(`null {}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := DecodeEntry(raw)
		if err != nil || e.Check() != nil {
			return
		}
		again, err := e.Encode()
		if len(raw) > maxEntry/8 && errors.As(err, new(ErrInvalid)) {
			return // what JSON escapes grows
		}
		must(t, err)
		back, err := DecodeEntry(again)
		must(t, err)
		if asJSON(t, back) != asJSON(t, e) {
			t.Fatalf("%s\ncame back as\n%s", asJSON(t, e), asJSON(t, back))
		}
		checkReplicas(t, []*raft.Log{{Index: 1, Data: raw}, {Index: 2, Data: again}})
	})
}

func TestFSMRefusesToDiverge(t *testing.T) {
	for _, raw := range []string{
		`{"kind":"invented","id":"e9","at":"2026-11-20T12:00:00Z","by":"ops","body":{}}`,
		`{"kind":"add_seed","id":"e9","at":"2026-11-20T12:00:00Z","by":"ops","body":{"instance":"a"},"invented":1}`,
	} {
		func() {
			defer func() {
				said := fmt.Sprint(recover())
				if !strings.Contains(said, "log index 9") || !strings.Contains(said, "invented") || !strings.Contains(said, "upgrade this node") {
					t.Errorf("panic: %s", said)
				}
			}()
			newFSM(&State{}).Apply(&raft.Log{Index: 9, Data: []byte(raw)})
		}()
	}
}

func TestRestoreKeepsTheStateWhenItFails(t *testing.T) {
	f := newFSM(&State{Seeds: map[string]Seed{"db1": {}}})
	for _, raw := range []string{`{"version":2}`, `{}`, `{"version":1,"state":{"new":1}}`, ``} {
		if err := f.Restore(io.NopCloser(strings.NewReader(raw))); err == nil {
			t.Errorf("restored %s", raw)
		}
	}
	if len(f.state.Load().Seeds) != 1 {
		t.Error("the state is gone")
	}
	if err := f.Restore(io.NopCloser(strings.NewReader(`{"version":1,"state":null}`))); err != nil || f.state.Load() == nil {
		t.Errorf("an empty state: %v", err)
	}
}

// brokenSink is a disk that is full.
type brokenSink struct{ memorySink }

func (*brokenSink) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestSnapshotThatCannotBeWrittenIsCancelled(t *testing.T) {
	snapshot, err := newFSM(&State{}).Snapshot()
	must(t, err)
	var sink brokenSink
	if err := snapshot.Persist(&sink); err == nil || !strings.Contains(err.Error(), "disk full") || !sink.cancelled {
		t.Errorf("got %v, cancelled %t", err, sink.cancelled)
	}
}
