package remediation_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// see reads a topology in the notation.
func see(t *testing.T, text string) *topology.Snapshot {
	t.Helper()
	in, err := topology.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return topology.Build(in)
}

// auto is a policy under which Baton acts by itself.
func auto() remediation.Policy {
	p := remediation.DefaultPolicy()
	p.Autonomy = remediation.Auto
	return p
}

// want is a goal as a finding asks for it, on the newest sight of the instance.
func want(snap *topology.Snapshot, kind analysis.RecoveryKind, failed topology.InstanceID) remediation.Goal {
	return remediation.Goal{Kind: kind, Rule: "DeadPrimary", Failed: failed, Trigger: remediation.TriggerFinding, By: "baton"}.Remember(snap)
}

func byOperator(g remediation.Goal, allow ...remediation.GateName) remediation.Goal {
	g.Trigger, g.By, g.Allow = remediation.TriggerOperator, "anna", allow
	return g
}

// gateOf is the gate of a name; of several the first that does not pass.
func gateOf(p remediation.Plan, name remediation.GateName) *remediation.Gate {
	var found *remediation.Gate
	for n := range p.Gates {
		if g := &p.Gates[n]; g.Name == name && (found == nil || found.Passes() && !g.Passes()) {
			found = g
		}
	}
	return found
}

// script is the steps of a plan, one line each.
func script(p remediation.Plan) string {
	var lines []string
	for _, st := range p.Stages {
		for _, s := range st.Steps {
			line := fmt.Sprintf("%s: %s %s", st.Phase, s.Action, s.On.Host())
			if s.Source != "" {
				line += " < " + s.Source.Host()
			}
			if st.Background {
				line += " (background)"
			}
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got = strings.TrimSpace(got); got != strings.TrimSpace(want) {
		t.Errorf("%s:\n%s\nwant:\n%s", what, got, strings.TrimSpace(want))
	}
}

// dead is a primary that died with two replicas that have lost it, and hold all it was seen with.
const dead = `
cluster shop
db1 down since=20s executed=u1:1-100 writable
  db2 receiver=connecting receiver_errno=2003 executed=u1:1-100
  db3 receiver=connecting receiver_errno=2003 executed=u1:1-100
`

// frozen is the same after the receivers were stopped.
const frozen = `
cluster shop
db1 down since=20s executed=u1:1-100 writable
  db2 receiver=stopped executed=u1:1-100
  db3 receiver=stopped executed=u1:1-100
`

func TestFailoverFreezesFirst(t *testing.T) {
	snap := see(t, dead)
	plan, err := remediation.Make(want(snap, analysis.RecoveryFailover, "db1:3306"), snap, auto())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "plan", script(plan), "freeze: stop_receiver db2\nfreeze: stop_receiver db3")
	if plan.Successor != "" || !strings.Contains(plan.Next, "db2:3306 is promoted") {
		t.Errorf("who is promoted is not known before the freeze: successor %q, next %q", plan.Successor, plan.Next)
	}
}

func TestFailoverPromotesWhenFrozen(t *testing.T) {
	snap := see(t, frozen)
	plan, err := remediation.Make(want(snap, analysis.RecoveryFailover, "db1:3306"), snap, auto())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "plan", script(plan), `
decide: agree_primary db2 < db1
fence: fence db1 (background)
repoint: point_at db3 < db2 (background)
promote: make_primary db2`)
	for _, s := range plan.Steps() {
		if s.Why == "" {
			t.Errorf("%s has no reason", s)
		}
	}
}

// replicas is frozen with other words for db2 and db3.
func replicas(db2, db3 string) string {
	return "cluster shop\ndb1 down since=20s executed=u1:1-98 uuid=u1\n  db2 receiver=stopped " + db2 + "\n  db3 receiver=stopped " + db3 + "\n"
}

func TestSemiSyncPromise(t *testing.T) {
	const head = "cluster shop\ndb1 down since=20s executed=u1:1-9 semisync_source=on semisync_wait_for=%d semisync_clients=%d\n"
	const (
		here    = " receiver=stopped executed=u1:1-9 semisync_replica=on\n"
		goneNow = " down since=20s executed=u1:1-9 semisync_replica=on\n"
		goneFor = " down since=168h executed=u1:1-2 semisync_replica=on\n"
		plain   = " down since=20s executed=u1:1-9\n"
		frozen  = " down since=1s seen=2s receiver=stopped executed=u1:1-8 retrieved=u1:9 semisync_replica=on\n"
		ahead   = " down since=1s seen=2s receiver=stopped executed=u1:1-8 retrieved=u1:9-10 semisync_replica=on\n"
	)
	for _, c := range []struct {
		name          string
		wait, clients int
		replicas      []string
		verdict       remediation.Verdict
		says          string
	}{
		{"all reachable", 1, 2, []string{here, here}, remediation.Pass, "0 who could have given one"},
		{"one lost at the same moment, one acknowledgement", 1, 2, []string{here, goneNow}, remediation.Fail, "may be only on db3:3306, out of reach"},
		{"one lost at the same moment, two acknowledgements", 2, 2, []string{here, goneNow}, remediation.Pass, "waited for 2 acknowledgements and 1"},
		{"two lost, two acknowledgements", 2, 3, []string{here, goneNow, goneNow}, remediation.Fail, "db3:3306, db4:3306"},
		{"one dead for a week", 1, 1, []string{here, goneFor}, remediation.Pass, ""},
		{"one out of our reach for a week, and counted by the primary", 1, 2, []string{here, goneFor}, remediation.Fail, "db3:3306"},
		{"one lost after it was frozen, and others hold all it had", 1, 2, []string{here, frozen}, remediation.Pass, ""},
		{"one lost after it was frozen, with something nobody else holds", 1, 2, []string{here, ahead}, remediation.Fail, "db3:3306"},
		{"one that does not acknowledge is lost", 1, 1, []string{here, plain}, remediation.Pass, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := fmt.Sprintf(head, c.wait, c.clients)
			for n, r := range c.replicas {
				text += fmt.Sprintf("  db%d", n+2) + r
			}
			snap := see(t, text)
			plan, _ := remediation.Make(want(snap, analysis.RecoveryFailover, "db1:3306"), snap, auto())
			if g := gateOf(plan, remediation.GateSemiSync); g.Verdict != c.verdict || !strings.Contains(g.Evidence, c.says) {
				t.Errorf("%s: %q, want %s: %q", g.Verdict, g.Evidence, c.verdict, c.says)
			}
		})
	}
}

func TestSemiSyncPromiseIsKeptByTheSuccessor(t *testing.T) {
	snap := see(t, "cluster shop\ndb1 down since=20s executed=u1:1-9 semisync_source=on semisync_wait_for=2 semisync_clients=3\n"+
		"  db2 receiver=stopped executed=u1:1-9 semisync_replica=on\n  db3 receiver=stopped executed=u1:1-9 semisync_replica=on\n  db4 receiver=stopped executed=u1:1-9\n")
	plan, err := remediation.Make(want(snap, analysis.RecoveryFailover, "db1:3306"), snap, auto())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range plan.Steps() {
		switch {
		case s.Action == remediation.MakePrimary && s.WaitFor != 2:
			t.Errorf("the new primary waits for %d", s.WaitFor)
		case s.Action == remediation.PointAt && s.SemiSync != (s.On != "db4:3306"):
			t.Errorf("%s acknowledges: %t", s.On, s.SemiSync)
		}
	}
	fallen := see(t, "cluster shop\ndb1 down since=20s executed=u1:1-9 semisync_source=fallen semisync_wait_for=2\n  db2 receiver=stopped executed=u1:1-9\n")
	plan, err = remediation.Make(want(fallen, analysis.RecoveryFailover, "db1:3306"), fallen, auto())
	if err != nil {
		t.Fatal(err)
	}
	if g := gateOf(plan, remediation.GateSemiSync); !strings.Contains(g.Evidence, "asynchronous") {
		t.Errorf("a source that fell back promised nothing: %s", g.Evidence)
	}
}

func TestDrainRelaxesOnlyWhatOthersHold(t *testing.T) {
	policy := auto()
	policy.RelaxAbove = 5
	for _, c := range []struct{ name, db3, script string }{
		{"another replica holds all of it", "executed=u1:1-98 retrieved=u1:99-110", "drain: relax_durability db2\ndrain: wait_applied db2\ndrain: restore_durability db2"},
		{"it is the only one", "executed=u1:1-98", "drain: wait_applied db2"},
	} {
		snap := see(t, replicas("executed=u1:1-98 retrieved=u1:99-110 promotion=prefer sync_binlog=7", c.db3))
		plan, err := remediation.Make(want(snap, analysis.RecoveryFailover, "db1:3306"), snap, policy)
		if err != nil {
			t.Fatal(err)
		}
		same(t, c.name, script(plan), c.script)
		for _, s := range plan.Steps() {
			if s.Action == remediation.RestoreDurability && (s.Settings == nil || s.Settings.SyncBinlog != 7 || s.MayFail) {
				t.Errorf("restores %+v, may fail %t", s.Settings, s.MayFail)
			}
		}
	}
}

// TestDrainIsRestoredByTheNextLeader: who takes over in the middle of a relaxed drain sees relaxed settings, and still knows what they were.
func TestDrainIsRestoredByTheNextLeader(t *testing.T) {
	before := see(t, replicas("executed=u1:1-98 retrieved=u1:99-110", "executed=u1:1-98 retrieved=u1:99-110"))
	goal := want(before, analysis.RecoveryFailover, "db1:3306")
	goal.Opened = true
	after := see(t, replicas("executed=u1:1-110 sync_binlog=0 flush_log=2", "executed=u1:1-98 retrieved=u1:99-110"))
	plan, err := remediation.Make(goal, after, auto())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "plan", script(plan), "drain: restore_durability db2")
	if s := plan.Steps()[0].Settings; *s != (remediation.Durability{SyncBinlog: 1, FlushLogAtTrxCommit: 1}) {
		t.Errorf("restores %+v", s)
	}
}

func TestTransactionsAtRiskAreNamed(t *testing.T) {
	snap := see(t, strings.ReplaceAll(frozen, "stopped executed=u1:1-100", "stopped executed=u1:1-97"))
	goal := byOperator(want(snap, analysis.RecoveryFailover, "db1:3306"), remediation.GatePrimaryPos)
	plan, err := remediation.Make(goal, snap, auto())
	if err != nil {
		t.Fatal(err)
	}
	if plan.AtRisk.String() != "00000000-0000-0000-0000-000000000001:98-100" {
		t.Errorf("at risk: %s", plan.AtRisk)
	}
}

func TestMariaDBFreeze(t *testing.T) {
	const maria = "cluster shop\ndb1 down since=20s version=10.11.6-MariaDB executed=0-1-100\n" +
		"  db2 version=10.11.6-MariaDB receiver=connecting executed=0-1-90 retrieved=0-1-100\n" +
		"  db3 version=10.11.6-MariaDB receiver=connecting executed=0-1-90 retrieved=0-1-100 applier=stopped applier_errno=1062\n" +
		"  db4 version=10.11.6-MariaDB receiver=connecting executed=0-1-90 retrieved=0-1-100 delay=1h\n" +
		"  db5 version=10.11.6-MariaDB receiver=connecting executed=0-1-100 retrieved=0-1-100 applier=stopped\n"
	snap := see(t, maria)
	plan, err := remediation.Make(want(snap, analysis.RecoveryFailover, "db1:3306"), snap, auto())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "who could not be started again is not stopped", script(plan), "freeze: stop_receiver db2\nfreeze: stop_receiver db5")
}

func TestGateAges(t *testing.T) {
	snap := see(t, strings.Replace(frozen, "db3 receiver=stopped", "db3 receiver=stopped seen=7s", 1))
	plan, _ := remediation.Make(want(snap, analysis.RecoveryFailover, "db1:3306"), snap, auto())
	if g := gateOf(plan, remediation.GateHoldsAll); g.Age != 7*time.Second {
		t.Errorf("the age of %q is %s", g.Evidence, g.Age)
	}
	if g := gateOf(plan, remediation.GatePrimaryPos); g.Age != 21*time.Second {
		t.Errorf("the age of %q is %s", g.Evidence, g.Age)
	}
}
