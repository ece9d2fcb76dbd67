package analysis

import (
	"testing"

	"github.com/batondb/baton/topology"
)

// What orchestrator is known to get wrong, each as a test. D numbers are those of the inventory of its defects.

func judge(t *testing.T, text string) []Finding {
	t.Helper()
	in, err := topology.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return Evaluate(topology.Build(in), Table, DefaultPolicy())
}

func expect(t *testing.T, text, want string) {
	t.Helper()
	if got := print(judge(t, text)); got != want {
		t.Errorf("%s\nfound:\n%s\nwanted:\n%s", text, got, want)
	}
}

// D1: "replicating" needed both threads, so that broken appliers made a passing fault of the observer look like a death.
func TestD1BrokenAppliersAreNoWitnessOfADeath(t *testing.T) {
	expect(t, `
cluster shop
db1 down since=10s
  db2 applier=stopped applier_errno=1062
  db3 applier=stopped applier_errno=1062
`, `UnreachablePrimary db1:3306
ApplierBroken db2:3306
ApplierBroken db3:3306
`)
}

// D2: a hung replica counted as valid, so that its old answers spoke for it.
func TestD2ASilentReplicaDoesNotSpeak(t *testing.T) {
	expect(t, `
cluster shop
db1 down since=10s
  db2 receiver=connecting receiver_errno=2003
  db3 timeout seen=11s receiver=connected
`, `DeadPrimaryAndSomeReplicas db1:3306
ReceiverBroken db2:3306 masked by DeadPrimaryAndSomeReplicas
`)
	expect(t, `
cluster shop
db1 down since=10s
  db2 down seen=11s receiver=connecting receiver_errno=2003
  db3 down seen=11s receiver=connecting receiver_errno=2003
cluster blog
db4
  db5
  db6
`, `DeadPrimaryAndReplicas db1:3306
DeadReplica db2:3306 masked by DeadPrimaryAndReplicas
DeadReplica db3:3306 masked by DeadPrimaryAndReplicas
`)
}

// D3: the text of the receiver's error was matched, and it changed in 8.0.33.
func TestD3ErrorsAreReadByNumber(t *testing.T) {
	for _, text := range []string{"", "error connecting to master", "error connecting to source", "Fehler beim Verbinden mit der Quelle"} {
		in, err := topology.Parse("cluster shop\ndb1\n  db2 receiver=connecting receiver_errno=2003\n  db3\n")
		if err != nil {
			t.Fatal(err)
		}
		in.Observations[1].Facts.Channels[0].ReceiverError = text
		found := Evaluate(topology.Build(in), Table, DefaultPolicy())
		if got, want := print(found), "FirstTierReplicaFailingToConnectToPrimary db2:3306\nReceiverBroken db2:3306 masked by FirstTierReplicaFailingToConnectToPrimary\n"; got != want {
			t.Errorf("error %q: found\n%s", text, got)
		}
	}
}

// D4: some outages led to no action at all, and a dead replica without replicas had no code.
func TestD4EveryOutageHasItsRuleAndAction(t *testing.T) {
	expect(t, "cluster shop\ndb1\n  db2 down since=10s\n  db3\n", "DeadReplica db2:3306\n")
	for _, c := range []struct {
		name, text, rule string
		recovery         RecoveryKind
	}{
		{"all dead", "cluster shop\ndb1 down\n  db2 down\n", "DeadPrimaryAndReplicas", RecoveryReprobe},
		{"co-primary", "cluster shop\na source=b down\n  b\n", "UnreachableCoPrimary", RecoveryReprobe},
		{"intermediate source", "cluster shop\ndb1\n  db2 down\n    db3\n", "UnreachableIntermediateSource", RecoveryReprobe},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, f := range judge(t, c.text) {
				if f.Rule == c.rule {
					if f.Recovery != c.recovery || !f.Actionable() {
						t.Errorf("%+v", f)
					}
					return
				}
			}
			t.Errorf("%s is not found", c.rule)
		})
	}
}

// D6: what takes writes was judged only where it is the primary, not where it is one of co-primaries.
func TestD6CoPrimariesAreJudgedToo(t *testing.T) {
	expect(t, "cluster pair\na source=b saturated\n  b writable\n", "SaturatedPrimary a:3306\n")
	expect(t, "cluster pair\na source=b\n  b\n", "PrimaryNotWritable a:3306\n")
}

// Recoveries that a finding may propose only with more evidence, or by policy.
func TestWhatIsGivenDecidesTheRecovery(t *testing.T) {
	for _, s := range scenarios(t) {
		want := map[string]RecoveryKind{
			"DeadPrimary":            RecoveryFailover,
			"DeadPrimaryUnwitnessed": RecoveryNone,
			"DeadPrimaryUnwitnessed-also-agreed-by-three-nodes": RecoveryFailover,
			"PrimaryNotWritable":                         RecoveryNone,
			"PrimaryNotWritable-also-may-be-opened":      RecoveryOpenPrimary,
			"SplitBrain":                                 RecoveryFence,
			"SplitBrain-also-the-ledger-does-not-know":   RecoveryNone,
			"SplitBrain-also-nobody-knows-the-lineage":   RecoveryNone,
			"BothCoPrimariesWritable":                    RecoveryNone,
			"BothCoPrimariesWritable-also-may-be-fenced": RecoveryFence,
			"WritableReplica":                            RecoveryNone,
			"WritableReplica-also-may-be-closed":         RecoverySetReadOnly,
			"DeadReplica-also-downtimed":                 RecoveryNone,
		}[s.name]
		if want == "" {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			if f := s.evaluate()[0]; f.Recovery != want || f.Actionable() != (want != RecoveryNone) {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestExplainAsksEverything(t *testing.T) {
	in, err := topology.Parse("cluster shop\ndb1\n  db2 receiver=stopped\n")
	if err != nil {
		t.Fatal(err)
	}
	snap := topology.Build(in)
	sub, ok := SubjectOf(snap, "db1:3306", Policy{})
	if !ok {
		t.Fatal("no subject")
	}
	got := Explain(DeadPrimaryUnwitnessed, sub)
	if len(got) != len(DeadPrimaryUnwitnessed.When)+1 {
		t.Fatalf("%d verdicts", len(got))
	}
	for n, want := range []bool{true, false, true, true, true, true, false} {
		if got[n].Holds != want || got[n].Given != (n == 6) || got[n].Text == "" {
			t.Errorf("%d: %+v, want %t", n, got[n], want)
		}
	}
	for _, v := range append(Explain(ObserverIsolated, sub), Explain(DeadPrimary, Areas(snap, Policy{})[0])...) {
		if v.Holds {
			t.Errorf("a rule was asked of the wrong subject and holds: %s", v.Text)
		}
	}
	if _, ok := SubjectOf(snap, "nobody:3306", Policy{}); ok {
		t.Error("nobody is a subject")
	}
}

// An isolated observer and two nodes that see the fleet: it must not be the one that acts.
func TestIsolatedObserverIsOutvoted(t *testing.T) {
	found := judge(t, `
baton nodes=3
vote n2 db1 up
vote n3 db1 up
vote n2 db2 up
vote n3 db2 up
vote n2 db3 up
vote n3 db3 up
cluster shop
db1 down since=10s
  db2 down since=10s
  db3 down since=10s
`)
	for _, f := range found {
		if f.Actionable() {
			t.Errorf("%s %s would act: %s", f.Rule, f.Subject(), f.Sentence)
		}
	}
	if found[0].Rule != "ObserverIsolated" {
		t.Errorf("found\n%s", print(found))
	}
}
