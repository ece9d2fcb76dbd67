package analysis

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTableIsValid(t *testing.T) {
	if err := Validate(Table); err != nil {
		t.Error(err)
	}
}

// TestValidateCatches changes one thing at a time in a valid table.
func TestValidateCatches(t *testing.T) {
	holds := func(Subject) bool { return true }
	valid := func() []*Rule {
		low := &Rule{
			Name: "Low", Summary: "It is low.", Advice: "Look.", Severity: Info, Recovery: RecoveryNone,
			When: []Condition{{"is low", holds}}, Why: func(Subject) (string, time.Time) { return "It is.", time.Time{} },
		}
		high := *low
		high.Name, high.Masks, high.MasksBelow, high.Recovery = "High", []*Rule{low}, []*Rule{low}, RecoveryFailover
		high.Given = []Condition{{"may be", holds}}
		return []*Rule{&high, low}
	}
	if err := Validate(valid()); err != nil {
		t.Fatalf("the valid table is refused: %v", err)
	}
	for _, c := range []struct {
		name   string
		change func(table []*Rule)
		want   string
	}{
		{"no name", func(t []*Rule) { t[0].Name = "" }, "the name must be"},
		{"a name that is no word", func(t []*Rule) { t[0].Name = "Very High" }, "the name must be"},
		{"a name that begins small", func(t []*Rule) { t[0].Name = "high" }, "the name must be"},
		{"two of a name", func(t []*Rule) { t[0].Name = "Low" }, "in the table twice"},
		{"the same rule twice", func(t []*Rule) { t[0] = t[1] }, "in the table twice"},
		{"a hole", func(t []*Rule) { t[0] = nil }, "is nil"},
		{"no summary", func(t []*Rule) { t[0].Summary = "" }, "summary"},
		{"a summary without an end", func(t []*Rule) { t[0].Summary = "It is high" }, "summary"},
		{"no advice", func(t []*Rule) { t[1].Advice = "" }, "advice"},
		{"no severity", func(t []*Rule) { t[1].Severity = 0 }, "severity"},
		{"a severity that does not exist", func(t []*Rule) { t[1].Severity = Critical + 1 }, "severity"},
		{"a scope that does not exist", func(t []*Rule) { t[1].Scope = ScopeArea + 1 }, "scope"},
		{"a negative for", func(t []*Rule) { t[1].For = -1 }, "negative"},
		{"no condition", func(t []*Rule) { t[1].When = nil }, "no condition"},
		{"a condition without words", func(t []*Rule) { t[1].When = []Condition{{"", holds}} }, "must complete"},
		{"a condition that is a sentence", func(t []*Rule) { t[1].When = []Condition{{"is low.", holds}} }, "must complete"},
		{"a condition that cannot be asked", func(t []*Rule) { t[1].When = []Condition{{Text: "is low"}} }, "cannot be asked"},
		{"a condition twice", func(t []*Rule) { t[1].When = append(t[1].When, t[1].When[0]) }, "there twice"},
		{"a condition asked for the recovery again", func(t []*Rule) { t[0].Given = t[0].When }, "there twice"},
		{"no recovery", func(t []*Rule) { t[1].Recovery = "" }, "recovery"},
		{"a recovery that does not exist", func(t []*Rule) { t[1].Recovery = "prayer" }, "recovery"},
		{"something given for nothing", func(t []*Rule) { t[0].Recovery = RecoveryNone }, "nothing given"},
		{"no why", func(t []*Rule) { t[1].Why = nil }, "why"},
		{"a mask that points up", func(t []*Rule) { t[1].Masks = []*Rule{t[0]} }, "further down"},
		{"a mask of itself", func(t []*Rule) { t[1].Masks = []*Rule{t[1]} }, "further down"},
		{"a mask of a stranger", func(t []*Rule) { t[0].Masks = []*Rule{{Name: "Stranger"}} }, "further down"},
		{"a mask of nothing", func(t []*Rule) { t[0].Masks = []*Rule{nil} }, "further down"},
		{"a mask twice", func(t []*Rule) { t[0].Masks = []*Rule{t[1], t[1]} }, "twice"},
		{"a mask below that points up", func(t []*Rule) { t[1].MasksBelow = []*Rule{t[0]} }, "further down"},
		{"a mask below twice", func(t []*Rule) { t[0].MasksBelow = []*Rule{t[1], t[1]} }, "twice"},
		{"a mask below the fleet", func(t []*Rule) { t[0].Scope = ScopeFleet }, "only an instance"},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := valid()
			c.change(table)
			if err := Validate(table); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want something with %q", err, c.want)
			}
		})
	}
}

// TestSameWordsAreTheSameCondition guards the shortcut that asks a condition once for all rules that begin with it.
func TestSameWordsAreTheSameCondition(t *testing.T) {
	known := make(map[string]uintptr)
	for _, r := range Table {
		for _, c := range append(slices.Clone(r.When), r.Given...) {
			at := reflect.ValueOf(c.Holds).Pointer()
			if other, ok := known[c.Text]; ok && other != at {
				t.Errorf("%s: %q is said of two conditions", r.Name, c.Text)
			}
			known[c.Text] = at
		}
	}
}

// TestOrchestratorsNames lists what people who come from orchestrator know, and where they find it.
func TestOrchestratorsNames(t *testing.T) {
	for theirs, ours := range map[string][]string{
		"DeadMasterWithoutReplicas":                               {"DeadPrimaryWithoutReplicas"},
		"DeadMaster":                                              {"DeadPrimary", "DeadPrimaryUnwitnessed", "DeadPrimarySuperseded"},
		"DeadMasterAndReplicas":                                   {"DeadPrimaryAndReplicas"},
		"DeadMasterAndSomeReplicas":                               {"DeadPrimaryAndSomeReplicas"},
		"UnreachableMasterWithLaggingReplicas":                    {"UnreachablePrimaryWithLaggingReplicas"},
		"UnreachableMaster":                                       {"UnreachablePrimary", "SaturatedPrimary", "PrimaryDeniesProbe", "HalfAnsweringPrimary"},
		"NoWriteableMasterStructureWarning":                       {"PrimaryNotWritable"},
		"MasterSingleReplicaNotReplicating":                       {"PrimarySingleReplicaNotReplicating"},
		"MasterSingleReplicaDead":                                 {"PrimarySingleReplicaDead"},
		"AllMasterReplicasNotReplicating":                         {"NoPrimaryReplicaReplicating"},
		"AllMasterReplicasNotReplicatingOrDead":                   {"NoPrimaryReplicaReplicatingOrDead"},
		"MasterWithoutReplicas":                                   {"PrimaryWithoutReplicas"},
		"DeadCoMaster":                                            {"DeadCoPrimary"},
		"DeadCoMasterAndSomeReplicas":                             {"DeadCoPrimaryAndSomeReplicas"},
		"UnreachableCoMaster":                                     {"UnreachableCoPrimary"},
		"AllCoMasterReplicasNotReplicating":                       {"NoCoPrimaryReplicaReplicating"},
		"DeadIntermediateMaster":                                  {"DeadIntermediateSource"},
		"DeadIntermediateMasterWithSingleReplicaFailingToConnect": {"DeadIntermediateSourceWithSingleReplicaFailingToConnect"},
		"DeadIntermediateMasterWithSingleReplica":                 {"DeadIntermediateSourceWithSingleReplica"},
		"DeadIntermediateMasterAndSomeReplicas":                   {"DeadIntermediateSourceAndSomeReplicas"},
		"DeadIntermediateMasterAndReplicas":                       {"DeadIntermediateSourceAndReplicas"},
		"UnreachableIntermediateMasterWithLaggingReplicas":        {"UnreachableIntermediateSourceWithLaggingReplicas"},
		"UnreachableIntermediateMaster":                           {"UnreachableIntermediateSource"},
		"AllIntermediateMasterReplicasFailingToConnectOrDead":     {"AllIntermediateSourceReplicasFailingToConnectOrDead"},
		"AllIntermediateMasterReplicasNotReplicating":             {"NoIntermediateSourceReplicaReplicating"},
		"FirstTierReplicaFailingToConnectToMaster":                {"FirstTierReplicaFailingToConnectToPrimary"},
		"NoLoggingReplicasStructureWarning":                       {"NoLoggingReplicas"},
		"": {
			"ObserverIsolated", "FailureStorm", "SplitBrain", "DeposedPrimaryReturned", "BothCoPrimariesWritable", "ReplicaLostInRecovery", "WrongSource",
			"DetachedInstance", "DeadReplica", "ReplicaSaturated", "ReplicaDeniesProbe", "HalfAnsweringReplica", "ReceiverStopped", "ReceiverBroken",
			"ApplierStopped", "ApplierBroken", "LaggingReplica", "WritableReplica", "MissingGrants",
		},
	} {
		var got []string
		for _, r := range Table {
			if r.Orchestrator == theirs {
				got = append(got, r.Name)
			}
		}
		if !slices.Equal(got, ours) {
			t.Errorf("%q: %v, want %v", theirs, got, ours)
		}
	}
}

func TestFind(t *testing.T) {
	if Find(Table, "DeadPrimary") != DeadPrimary || Find(Table, "Nonsense") != nil {
		t.Error("Find does not find, or finds too much")
	}
}

func TestEnumsReadWhatTheyWrite(t *testing.T) {
	for _, s := range []Severity{Info, Warning, Critical} {
		var got Severity
		if err := got.UnmarshalText([]byte(s.String())); err != nil || got != s {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	for _, s := range []Scope{ScopeInstance, ScopeFleet, ScopeArea} {
		var got Scope
		if err := got.UnmarshalText([]byte(s.String())); err != nil || got != s {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	var s Severity
	if err := s.UnmarshalText([]byte("grave")); err == nil {
		t.Error("a severity that does not exist is read")
	}
	if Severity(9).String() != "invalid(9)" {
		t.Errorf("an invalid severity is written %s", Severity(9))
	}
}
