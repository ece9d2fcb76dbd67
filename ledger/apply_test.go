package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// at returns a time a number of minutes after noon.
func at(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }

// step is one entry of a test, and the refusal it is to meet.
type step struct {
	minute int
	by     string
	reason string
	body   Body
	want   error // nil: accepted
}

// applyAll applies steps through the encoding that the log uses.
func applyAll(t *testing.T, s State, steps []step) State {
	t.Helper()
	for i, st := range steps {
		if st.by == "" {
			st.by = "ops"
		}
		e, err := NewEntry(st.by, st.reason, st.body)
		must(t, err)
		e.ID, e.At = fmt.Sprintf("e%d", i), at(st.minute)
		raw, err := e.Encode()
		must(t, err)
		e, err = DecodeEntry(raw)
		must(t, err)
		before := asJSON(t, s)
		next, err := Apply(s, e)
		switch {
		case st.want == nil && err != nil:
			t.Fatalf("entry %d, %s: refused: %v", i, e.Kind, err)
		case st.want != nil && !matches(err, st.want):
			t.Fatalf("entry %d, %s: got %#v, want %#v", i, e.Kind, err, st.want)
		case st.want != nil && asJSON(t, next) != before:
			t.Fatalf("entry %d, %s: refused, and changed the state", i, e.Kind)
		case asJSON(t, s) != before:
			t.Fatalf("entry %d, %s: changed the state that readers hold", i, e.Kind)
		}
		s = next
	}
	return s
}

// applyFast is for tests of many entries, which leave to TestApply what holds of each.
func applyFast(t *testing.T, s State, body Body, minute int) State {
	t.Helper()
	e := entry(t, body)
	e.At = at(minute)
	s, err := Apply(s, e)
	must(t, err)
	return s
}

// matches compares the type of a refusal, and its content where the test gives one.
func matches(got, want error) bool {
	if reflect.TypeOf(got) != reflect.TypeOf(want) {
		return false
	}
	if invalid, ok := errors.AsType[ErrInvalid](want); ok {
		refused, ok := errors.AsType[ErrInvalid](got)
		return ok && refused.Field == invalid.Field
	}
	return reflect.ValueOf(want).IsZero() || reflect.DeepEqual(got, want)
}

func TestApply(t *testing.T) {
	seen := make(map[string]bool)
	for _, tt := range applyTests {
		t.Run(tt.name, func(t *testing.T) {
			s := applyAll(t, State{}, tt.steps)
			for _, st := range tt.steps {
				seen[st.body.kind()] = seen[st.body.kind()] || st.want == nil
			}
			if tt.check != nil && !tt.check(&s) {
				t.Errorf("the state at the end:\n%s", asJSON(t, s))
			}
		})
	}
	for _, k := range Kinds() {
		if !seen[k.Kind] {
			t.Errorf("no case applies %s", k.Kind)
		}
		if !strings.HasSuffix(k.Doc, ".") {
			t.Errorf("%s: the doc line is no sentence: %q", k.Kind, k.Doc)
		}
	}
}

func TestKindsDecodeTheirOwnBodies(t *testing.T) {
	for name, k := range kinds {
		body, err := k.decode(json.RawMessage(`{}`))
		if err != nil || body.kind() != name {
			t.Errorf("%s decodes to %T of kind %s, %v", name, body, body.kind(), err)
		}
	}
}

func TestNamesAreChecked(t *testing.T) {
	for _, bad := range []string{"", "a b", "a\n", "\x00", strings.Repeat("x", maxName+1), "a\u2028b"} {
		for _, body := range []Body{
			AddSeed{Instance: bad},
			EndDowntime{Instance: bad},
			ForgetCluster{ID: bad},
			ApproveRecovery{ID: bad},
			SetTag{Instance: "a", Tag: bad},
			RememberKey{Key: strings.ReplaceAll(bad, " ", "\t"), Until: at(1)},
			Release{Instance: bad},
		} {
			if err := entry(t, body).Check(); !errors.As(err, new(ErrInvalid)) {
				t.Errorf("%s of %q: %v", body.kind(), bad, err)
			}
		}
	}
}

func TestEntriesAreChecked(t *testing.T) {
	good := entry(t, AddSeed{Instance: "db1"})
	for name, tt := range map[string]struct {
		edit func(*Entry)
		want error
	}{
		"unknown kind":  {func(e *Entry) { e.Kind = "invented" }, ErrNewer{}},
		"no id":         {func(e *Entry) { e.ID = "" }, ErrInvalid{Field: "id"}},
		"no time":       {func(e *Entry) { e.At = time.Time{} }, ErrInvalid{Field: "at"}},
		"far future":    {func(e *Entry) { e.At = time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -7200)) }, ErrInvalid{Field: "at"}},
		"nobody":        {func(e *Entry) { e.By = "" }, ErrInvalid{Field: "by"}},
		"long reason":   {func(e *Entry) { e.Reason = strings.Repeat("x", maxText+1) }, ErrInvalid{Field: "reason"}},
		"no body":       {func(e *Entry) { e.Body = nil }, ErrInvalid{Field: "body"}},
		"not an object": {func(e *Entry) { e.Body = json.RawMessage(`[]`) }, ErrInvalid{Field: "body"}},
		"two bodies":    {func(e *Entry) { e.Body = json.RawMessage(`{"instance":"a"}{}`) }, ErrInvalid{Field: "body"}},
		"newer body":    {func(e *Entry) { e.Body = json.RawMessage(`{"instance":"a","colour":1}`) }, ErrNewer{}},
	} {
		e := good
		tt.edit(&e)
		if _, err := Apply(State{}, e); !matches(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	e := entry(t, OpenRecovery{ID: "r1", Cluster: "c", Kind: "k", Trigger: ByAlert, Plan: json.RawMessage(`"` + strings.Repeat("x", maxEntry) + `"`)})
	if _, err := e.Encode(); !matches(err, ErrInvalid{Field: "body"}) {
		t.Errorf("a huge entry: %v", err)
	}
	if _, err := NewEntry("ops", "", OpenRecovery{Plan: json.RawMessage(`{`)}); err == nil {
		t.Error("a plan that is not JSON")
	}
}

func TestHistoryIsBounded(t *testing.T) {
	var s State
	n := 0
	recover := func(cluster string, finish bool) {
		n++
		id := fmt.Sprintf("r%05d", n)
		s = applyFast(t, s, opening(id, cluster), n)
		if finish {
			s = applyFast(t, s, CloseRecovery{ID: id, Outcome: Success}, n)
		}
	}
	recover("old", true)
	recover("open", false)
	for range keepPerCluster + 5 {
		recover("flapping", true)
	}
	if got := len(s.RecoveriesOf("flapping")); got != keepPerCluster {
		t.Errorf("%d recoveries of one cluster, want %d", got, keepPerCluster)
	}
	for i := range keepRecoveries + 50 {
		recover(fmt.Sprintf("c%d", i%30), true)
	}
	if s.RecoveriesOf("old") == nil || s.OpenRecovery("open") == nil {
		t.Error("the last recovery of a cluster, or an open one, was dropped")
	}
	if got := len(s.Recoveries); got > keepRecoveries+32 {
		t.Errorf("%d recoveries are kept", got)
	}
	if newest := s.RecoveriesOf("")[0].ID; newest != fmt.Sprintf("r%05d", n) {
		t.Errorf("the newest is %s", newest)
	}
}

func TestJournalIsBounded(t *testing.T) {
	s := applyFast(t, State{}, opening("r1", "shop"), 0)
	steps := slices.Repeat([]Step{{Step: "s"}}, 1000)
	for range 5 {
		s = applyFast(t, s, ProgressRecovery{ID: "r1", Steps: steps}, 0)
	}
	if r := s.Recoveries["r1"]; len(r.Steps) != maxSteps || r.StepsDropped != 5000-maxSteps {
		t.Errorf("%d steps, %d dropped", len(r.Steps), r.StepsDropped)
	}
	s = applyFast(t, State{}, opening("r1", "shop"), 0)
	for i := range maxHooks + 1 {
		s = applyFast(t, s, ProgressRecovery{ID: "r1", Hooks: []HookRun{{Name: fmt.Sprint(i)}}}, 0)
	}
	if r := s.Recoveries["r1"]; len(r.Hooks) != maxHooks {
		t.Errorf("%d hooks", len(r.Hooks))
	}
}

func TestKeysAreBounded(t *testing.T) {
	s := State{Keys: make(map[string]Key)}
	for i := range maxKeys {
		s.Keys[fmt.Sprint(i)] = Key{At: noon, Until: at(1000 + i)}
	}
	s = applyFast(t, s, RememberKey{Key: "new", Until: at(1)}, 0)
	_, first := s.Keys["0"]
	_, claimed := s.Keys["new"]
	if len(s.Keys) != maxKeys || first || !claimed {
		t.Errorf("%d keys; the first to end is there: %t; the new one is: %t", len(s.Keys), first, claimed)
	}
}

func TestErrorsSayWhat(t *testing.T) {
	for want, err := range map[string]error{
		"there is no leader now":                    ErrNotLeader{},
		"; b is":                                    ErrNotLeader{Leader: "b"},
		"; b at http://b:8306 is":                   ErrNotLeader{Leader: "b", LeaderAPI: "http://b:8306"},
		"cluster shop has an open recovery":         ErrRecoveryOpen{Cluster: "shop", ID: "r1"},
		"paused for cluster shop by ann: hands off": ErrPaused{Pause: Pause{Cluster: "shop", By: "ann", Reason: "hands off"}},
		"instance db1 is in maintenance by ann":     ErrHeld{Maintenance: Maintenance{Instance: "db1", Owner: "ann"}},
		"is 2 by now, not 1":                        ErrStale{What: "the epoch", Seen: 1, Now: 2},
		"was used at 2026-11-20T12:00:00Z":          ErrKeyKnown{Name: "k", Key: Key{At: noon}},
		"upgrade this node":                         ErrNewer{What: "version 2"},
		`there is no pause of "the fleet"`:          ErrNotFound{What: "pause of", Name: "the fleet"},
		"until: is missing":                         ErrInvalid{Field: "until", Problem: "is missing"},
		"ledger option Dir: ":                       ErrOption{Field: "Dir"},
		"taken":                                     ErrConflict{Problem: "taken"},
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}
