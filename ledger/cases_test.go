package ledger

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

func opening(id, cluster string) OpenRecovery {
	return OpenRecovery{ID: id, Cluster: cluster, Kind: "failover", Rule: "DeadPrimary", Instance: "db1", Trigger: ByFinding, Term: 3}
}

var applyTests = []struct {
	name  string
	steps []step
	check func(s *State) bool // of the state at the end
}{
	{"pause the fleet", []step{{0, "", "storm", PauseAutomation{}, nil}}, func(s *State) bool {
		p, ok := s.Paused("shop", "DeadPrimary", at(100))
		return ok && p.By == "ops" && p.Reason == "storm" && p.At.Equal(noon) && p.Scope() == "the fleet"
	}},
	{"pause needs a reason", []step{{0, "", " ", PauseAutomation{}, ErrInvalid{Field: "reason"}}}, nil},
	{"pause a cluster", []step{{0, "", "x", PauseAutomation{Cluster: "shop"}, nil}}, func(s *State) bool {
		_, here := s.Paused("shop", "DeadPrimary", noon)
		_, there := s.Paused("cart", "DeadPrimary", noon)
		return here && !there
	}},
	{"pause a rule", []step{{0, "", "x", PauseAutomation{Rule: "DeadPrimary"}, nil}}, func(s *State) bool {
		_, this := s.Paused("shop", "DeadPrimary", noon)
		_, other := s.Paused("shop", "Other", noon)
		return this && !other
	}},
	{"pause a rule in a cluster", []step{{0, "", "x", PauseAutomation{Cluster: "shop", Rule: "DeadPrimary"}, nil}}, func(s *State) bool {
		_, this := s.Paused("shop", "DeadPrimary", noon)
		_, rule := s.Paused("cart", "DeadPrimary", noon)
		_, cluster := s.Paused("shop", "Other", noon)
		return this && !rule && !cluster
	}},
	{"a pause ends", []step{{0, "", "x", PauseAutomation{Until: at(10)}, nil}}, func(s *State) bool {
		_, before := s.Paused("shop", "", at(9))
		_, then := s.Paused("shop", "", at(10))
		return before && !then
	}},
	{
		"a pause that is over is dropped",
		[]step{{0, "", "x", PauseAutomation{Until: at(10)}, nil}, {10, "", "", AddSeed{Instance: "a"}, nil}},
		func(s *State) bool { return s.Pauses == nil },
	},
	{"a pause ends after it begins", []step{{5, "", "x", PauseAutomation{Until: at(5)}, ErrInvalid{Field: "until"}}}, nil},
	{"resume", []step{
		{0, "", "x", PauseAutomation{Cluster: "shop"}, nil},
		{1, "", "", ResumeAutomation{}, ErrNotFound{What: "pause of", Name: "the fleet"}},
		{1, "", "", ResumeAutomation{Cluster: "shop"}, nil},
	}, func(s *State) bool { return s.Pauses == nil }},

	{"downtime", []step{{0, "ann", "disk", BeginDowntime{Instance: "db1", End: at(10)}, nil}}, func(s *State) bool {
		d, during := s.Downtimed("db1", at(9))
		_, after := s.Downtimed("db1", at(10))
		_, other := s.Downtimed("db2", at(9))
		return during && !after && !other && d.Owner == "ann" && d.Reason == "disk"
	}},
	{"a downtime begins later", []step{{0, "", "x", BeginDowntime{Instance: "db1", Begin: at(5), End: at(10)}, nil}}, func(s *State) bool {
		_, before := s.Downtimed("db1", at(4))
		_, then := s.Downtimed("db1", at(5))
		return !before && then
	}},
	{"a downtime needs an end", []step{{0, "", "x", BeginDowntime{Instance: "db1"}, ErrInvalid{Field: "end"}}}, nil},
	{"a downtime ends in the future", []step{{20, "", "x", BeginDowntime{Instance: "db1", Begin: at(1), End: at(10)}, ErrInvalid{Field: "end"}}}, nil},
	{"a downtime needs a reason", []step{{0, "", "", BeginDowntime{Instance: "db1", End: at(1)}, ErrInvalid{Field: "reason"}}}, nil},
	{"end a downtime", []step{
		{0, "", "x", BeginDowntime{Instance: "db1", End: at(10)}, nil},
		{1, "", "", EndDowntime{Instance: "db1"}, nil},
		{2, "", "", EndDowntime{Instance: "db1"}, ErrNotFound{}},
	}, func(s *State) bool { return s.Downtimes == nil }},

	{"maintenance is held against others", []step{
		{0, "ann", "move", BeginMaintenance{Instance: "db1", Until: at(10)}, nil},
		{1, "bob", "me too", BeginMaintenance{Instance: "db1", Until: at(20)}, ErrHeld{}},
		{2, "ann", "longer", BeginMaintenance{Instance: "db1", Until: at(30)}, nil},
	}, func(s *State) bool {
		m, ok := s.Maintained("db1", "shop", at(29))
		return ok && m.Owner == "ann" && m.Scope() == "instance db1"
	}},
	{"maintenance of a cluster holds its instances", []step{{0, "", "x", BeginMaintenance{Cluster: "shop", Until: at(10)}, nil}}, func(s *State) bool {
		_, here := s.Maintained("db1", "shop", at(9))
		_, there := s.Maintained("db1", "cart", at(9))
		_, after := s.Maintained("db1", "shop", at(10))
		return here && !there && !after
	}},
	{"maintenance that is over is no obstacle", []step{
		{0, "ann", "x", BeginMaintenance{Instance: "db1", Until: at(10)}, nil},
		{10, "bob", "x", BeginMaintenance{Instance: "db1", Until: at(20)}, nil},
	}, func(s *State) bool { return s.Maintenance["instance db1"].Owner == "bob" }},
	{"maintenance is of one thing", []step{
		{0, "", "x", BeginMaintenance{Until: at(10)}, ErrInvalid{Field: "instance or cluster"}},
		{0, "", "x", BeginMaintenance{Instance: "a", Cluster: "b", Until: at(10)}, ErrInvalid{Field: "instance or cluster"}},
	}, nil},
	{"anybody ends a maintenance", []step{
		{0, "ann", "x", BeginMaintenance{Instance: "db1", Until: at(10)}, nil},
		{1, "bob", "", EndMaintenance{Instance: "db1"}, nil},
		{1, "bob", "", EndMaintenance{Instance: "db1"}, ErrNotFound{}},
	}, func(s *State) bool { return s.Maintenance == nil }},

	{"promotion rule", []step{{0, "", "", SetPromotionRule{Instance: "db1", Rule: MustNot, Until: at(10)}, nil}}, func(s *State) bool {
		r, ok := s.PromotionRule("db1", at(9))
		_, after := s.PromotionRule("db1", at(10))
		return ok && r.Rule == MustNot && !after
	}},
	{"promotion rule is taken back", []step{
		{0, "", "", SetPromotionRule{Instance: "db1", Rule: Prefer}, nil},
		{1, "", "", SetPromotionRule{Instance: "db1"}, nil},
	}, func(s *State) bool { return s.PromotionRules == nil }},
	{"promotion rule of the four", []step{{0, "", "", SetPromotionRule{Instance: "db1", Rule: "never"}, ErrInvalid{Field: "rule"}}}, nil},

	{"autonomy, the closest word counts", []step{
		{0, "", "", SetAutonomy{Level: Recommend}, nil},
		{0, "", "", SetAutonomy{Kind: "takeover", Level: Approve}, nil},
		{0, "", "", SetAutonomy{Cluster: "shop", Level: Auto}, nil},
		{0, "", "", SetAutonomy{Cluster: "shop", Kind: "rejoin", Level: Observe}, nil},
		{0, "", "", SetAutonomy{Level: "yolo"}, ErrInvalid{Field: "level"}},
	}, func(s *State) bool {
		level := func(cluster, kind string) string { a, _ := s.AutonomyOf(cluster, kind); return a.Level }
		return level("cart", "failover") == Recommend && level("cart", "takeover") == Approve &&
			level("shop", "failover") == Auto && level("shop", "takeover") == Auto && level("shop", "rejoin") == Observe
	}},
	{"autonomy is taken back", []step{
		{0, "", "", SetAutonomy{Cluster: "shop", Level: Auto}, nil},
		{0, "", "", SetAutonomy{Cluster: "shop"}, nil},
	}, func(s *State) bool { _, ok := s.AutonomyOf("shop", "failover"); return !ok && s.Autonomy == nil }},

	{"tags", []step{
		{0, "", "", SetTag{Instance: "db1", Tag: "role", Value: "batch"}, nil},
		{0, "", "", SetTag{Instance: "db1", Tag: "rack", Value: "r 1"}, nil},
		{0, "", "", RemoveTag{Instance: "db1", Tag: "role"}, nil},
		{0, "", "", RemoveTag{Instance: "db1", Tag: "role"}, ErrNotFound{}},
	}, func(s *State) bool { return len(s.Tags["db1"]) == 1 && s.Tags["db1"]["rack"] == "r 1" }},
	{"the last tag", []step{
		{0, "", "", SetTag{Instance: "db1", Tag: "role"}, nil},
		{0, "", "", RemoveTag{Instance: "db1", Tag: "role"}, nil},
	}, func(s *State) bool { return s.Tags == nil }},

	{"seed, forget, seed", []step{
		{0, "ann", "", AddSeed{Instance: "db1"}, nil},
		{1, "bob", "", AddSeed{Instance: "db1"}, nil},
		{2, "", "", SetTag{Instance: "db1", Tag: "role"}, nil},
		{3, "", "", Forget{Instance: "db1", Until: at(60)}, nil},
	}, func(s *State) bool {
		return s.Seeds == nil && s.Tags == nil && s.IsForgotten("db1", at(59)) && !s.IsForgotten("db1", at(60))
	}},
	{
		"a seed keeps who asked first",
		[]step{{0, "ann", "", AddSeed{Instance: "db1"}, nil}, {1, "bob", "", AddSeed{Instance: "db1"}, nil}},
		func(s *State) bool { return s.Seeds["db1"].By == "ann" },
	},
	{
		"a seed ends forgetting",
		[]step{{0, "", "", Forget{Instance: "db1", Until: at(60)}, nil}, {1, "", "", AddSeed{Instance: "db1"}, nil}},
		func(s *State) bool { return s.Forgotten == nil && len(s.Seeds) == 1 },
	},
	{"forgetting does not pardon", []step{
		{0, "", "", Depose{Instance: "db1", Cluster: "shop"}, nil},
		{1, "", "", Forget{Instance: "db1", Until: at(60)}, nil},
	}, func(s *State) bool { _, ok := s.Deposed["db1"]; return ok }},

	{"a key is claimed once", []step{
		{0, "", "", RememberKey{Key: "alert 1", Until: at(60)}, nil},
		{1, "", "", RememberKey{Key: "alert 1", Until: at(90)}, ErrKeyKnown{}},
		{2, "", "", RememberKey{Key: "alert 1", Until: at(90), Verdict: "done"}, nil},
		{3, "", "", RememberKey{Key: "alert 1", Until: at(90), Verdict: "done"}, ErrKeyKnown{Name: "alert 1", Key: Key{At: noon, Until: at(90), Verdict: "done"}}},
	}, func(s *State) bool { return s.Keys["alert 1"].Verdict == "done" }},
	{"a key is forgotten in time", []step{
		{0, "", "", RememberKey{Key: "k", Until: at(60)}, nil},
		{60, "", "", RememberKey{Key: "k", Until: at(90)}, nil},
	}, func(s *State) bool { return s.Keys["k"].At.Equal(at(60)) }},

	{"a cluster keeps its identity", []step{
		{0, "", "", NameCluster{ID: "c1", Alias: "shop", Members: []string{"u2", "u1", "u2"}}, nil},
		{5, "", "", NameCluster{ID: "c1", Members: []string{"u3", "u2"}}, nil},
	}, func(s *State) bool {
		c, ok := s.ClusterOf("shop")
		byID, _ := s.ClusterOf("c1")
		return ok && c.ID == "c1" && byID.Alias == "shop" && c.Since.Equal(noon) && slices.Equal(c.Members, []string{"u2", "u3"})
	}},
	{"a member has one cluster", []step{
		{0, "", "", NameCluster{ID: "c1", Members: []string{"u1", "u2"}}, nil},
		{0, "", "", NameCluster{ID: "c2", Members: []string{"u2"}}, nil},
	}, func(s *State) bool { m := s.Members(); return len(m) == 2 && m["u1"] == "c1" && m["u2"] == "c2" }},
	{"an alias is taken once", []step{
		{0, "", "", NameCluster{ID: "c1", Alias: "shop"}, nil},
		{0, "", "", NameCluster{ID: "c2", Alias: "shop"}, ErrConflict{}},
		{0, "", "", NameCluster{ID: "c2", Alias: "c1"}, ErrConflict{}},
		{0, "", "", NameCluster{ID: "shop"}, ErrConflict{}},
		{0, "", "", NameCluster{ID: "c1", Alias: "store"}, nil},
		{0, "", "", NameCluster{ID: "c2", Alias: "shop"}, nil},
	}, nil},
	{"forget a cluster", []step{
		{0, "", "", NameCluster{ID: "shop", Alias: "s"}, nil},
		{0, "", "", AgreePrimary{Cluster: "shop", Instance: "db1"}, nil},
		{0, "", "x", PauseAutomation{Cluster: "shop"}, nil},
		{0, "", "", SetAutonomy{Cluster: "shop", Level: Auto}, nil},
		{0, "", "x", BeginMaintenance{Cluster: "shop", Until: at(60)}, nil},
		{0, "", "", Depose{Instance: "db9", Cluster: "shop"}, nil},
		{0, "", "", ForgetCluster{ID: "shop"}, nil},
		{0, "", "", ForgetCluster{ID: "shop"}, ErrNotFound{}},
	}, func(s *State) bool {
		return s.Clusters == nil && s.Primaries == nil && s.Pauses == nil && s.Autonomy == nil && s.Maintenance == nil && s.Deposed == nil
	}},
	{"a cluster in recovery is not forgotten", []step{
		{0, "", "", NameCluster{ID: "shop"}, nil},
		{0, "", "", opening("r1", "shop"), nil},
		{0, "", "", ForgetCluster{ID: "shop"}, ErrRecoveryOpen{Cluster: "shop", ID: "r1"}},
	}, nil},

	{"one recovery of a cluster at a time", []step{
		{0, "baton", "", opening("r1", "shop"), nil},
		{0, "baton", "", opening("r2", "shop"), ErrRecoveryOpen{Cluster: "shop", ID: "r1"}},
		{0, "baton", "", opening("r2", "cart"), nil},
		{1, "baton", "", CloseRecovery{ID: "r1", Outcome: Failed}, nil},
		{2, "baton", "", opening("r1", "shop"), ErrConflict{}},
		{2, "baton", "", opening("r3", "shop"), nil},
	}, func(s *State) bool {
		got := s.RecoveriesOf("shop")
		return len(got) == 2 && got[0].ID == "r3" && got[1].ID == "r1" && s.OpenRecovery("shop").ID == "r3" && s.OpenRecovery("x") == nil
	}},
	{"a pause is heeded by what opens", []step{
		{0, "", "hands off", PauseAutomation{Cluster: "shop", Until: at(10)}, nil},
		{1, "baton", "", opening("r1", "shop"), ErrPaused{}},
		{1, "ann", "", OpenRecovery{ID: "r1", Cluster: "shop", Kind: "takeover", Trigger: ByOperator}, nil},
		{2, "baton", "", CloseRecovery{ID: "r1", Outcome: Success}, nil},
		{10, "baton", "", opening("r2", "shop"), nil},
	}, nil},
	{"what sets off a recovery", []step{{0, "", "", OpenRecovery{ID: "r1", Cluster: "shop", Kind: "failover", Trigger: "mood"}, ErrInvalid{Field: "trigger"}}}, nil},
	{"approval", []step{
		{0, "baton", "", OpenRecovery{ID: "r1", Cluster: "shop", Kind: "failover", Trigger: ByFinding, NeedsApproval: true}, nil},
		{1, "ann", "go", ApproveRecovery{ID: "r1"}, nil},
		{2, "bob", "go", ApproveRecovery{ID: "r1"}, ErrConflict{}},
		{2, "bob", "go", ApproveRecovery{ID: "r2"}, ErrNotFound{}},
	}, func(s *State) bool { r := s.Recoveries["r1"]; return r.Approved() && r.Approval.By == "ann" }},
	{"nothing is approved by itself", []step{
		{0, "baton", "", OpenRecovery{ID: "r1", Cluster: "shop", Kind: "failover", Trigger: ByFinding, NeedsApproval: true}, nil},
	}, func(s *State) bool { return !s.Recoveries["r1"].Approved() }},
	{"the journal", []step{
		{0, "baton", "", opening("r1", "shop"), nil},
		{1, "baton", "", ProgressRecovery{ID: "r1", Term: 3, Steps: []Step{{Stage: "freeze", Step: "stop receiver", On: "db2"}}, Hooks: []HookRun{{Name: "pre"}}}, nil},
		{2, "baton", "", ProgressRecovery{
			ID: "r1", Term: 4, Steps: []Step{{Step: "promote", Err: strings.Repeat("é", maxText)}},
			Hooks: []HookRun{{Name: "pre", Ended: true, Output: "ok"}}, Plan: json.RawMessage(`{"new":1}`),
		}, nil},
		{3, "baton", "", ProgressRecovery{ID: "r1", Term: 3}, ErrStale{What: "the term that holds recovery r1", Seen: 3, Now: 4}},
		{3, "baton", "", CloseRecovery{ID: "r1", Term: 3, Outcome: Success}, ErrStale{}},
		{3, "baton", "", ProgressRecovery{ID: "r2", Term: 3}, ErrNotFound{}},
		{3, "baton", "", ProgressRecovery{ID: "r1", Steps: []Step{{}}}, ErrInvalid{Field: "step"}},
		{3, "baton", "", ProgressRecovery{ID: "r1", Hooks: []HookRun{{Name: "x", Output: strings.Repeat("x", maxProgressBytes)}}}, ErrInvalid{Field: "steps"}},
	}, func(s *State) bool {
		r := s.Recoveries["r1"]
		h, ok := r.Hook("pre")
		_, none := r.Hook("post")
		return len(r.Steps) == 2 && r.Steps[0].On == "db2" && len(r.Steps[1].Err) <= maxText && strings.HasSuffix(r.Steps[1].Err, "é...") &&
			ok && h.Ended && h.Output == "ok" && !none && len(r.Hooks) == 1 && r.Term == 4 && string(r.Plan) == `{"new":1}`
	}},
	{"a close says how it ended", []step{
		{0, "baton", "", opening("r1", "shop"), nil},
		{1, "baton", "", CloseRecovery{ID: "r1", Outcome: "fine"}, ErrInvalid{Field: "outcome"}},
		{2, "baton", "", CloseRecovery{
			ID: "r1", Term: 3, Outcome: Partial, Successor: "db2", LostReplicas: []string{"db3"},
			LostTransactions: "u1:1-5", Phases: []Phase{{"freeze", time.Second}},
		}, nil},
		{3, "baton", "", CloseRecovery{ID: "r1", Outcome: Success}, ErrNotFound{}},
		{3, "baton", "", ProgressRecovery{ID: "r1"}, ErrNotFound{}},
	}, func(s *State) bool {
		r := s.Recoveries["r1"]
		return !r.Open() && r.Closed.Equal(at(2)) && r.Outcome == Partial && r.Successor == "db2" && r.LostReplicas[0] == "db3" &&
			r.LostTransactions == "u1:1-5" && r.Phases[0].Took == time.Second
	}},
	{"acknowledge one", []step{
		{0, "baton", "", opening("r1", "shop"), nil},
		{1, "ann", "seen", Acknowledge{Recovery: "r1"}, ErrConflict{}},
		{1, "baton", "", CloseRecovery{ID: "r1", Outcome: Success}, nil},
		{2, "ann", "", Acknowledge{Recovery: "r1"}, ErrInvalid{Field: "reason"}},
		{2, "ann", "seen", Acknowledge{Recovery: "r2"}, ErrNotFound{}},
		{2, "ann", "seen", Acknowledge{Recovery: "r1"}, nil},
		{3, "bob", "seen", Acknowledge{Recovery: "r1"}, ErrNotFound{}},
	}, func(s *State) bool {
		a := s.Recoveries["r1"].Acknowledged
		return a.By == "ann" && a.Comment == "seen" && a.At.Equal(at(2))
	}},
	{"acknowledge many", []step{
		{0, "", "", opening("r1", "shop"), nil},
		{0, "", "", CloseRecovery{ID: "r1", Outcome: Success}, nil},
		{0, "", "", opening("r2", "shop"), nil},
		{0, "", "", CloseRecovery{ID: "r2", Outcome: Success}, nil},
		{0, "", "", opening("r3", "cart"), nil},
		{0, "", "", CloseRecovery{ID: "r3", Outcome: Success}, nil},
		{0, "", "", opening("r4", "cart"), nil},
		{1, "", "x", Acknowledge{Cluster: "shop"}, nil},
		{2, "", "x", Acknowledge{Cluster: "shop"}, ErrNotFound{}},
		{2, "", "x", Acknowledge{Instance: "db7"}, ErrNotFound{}},
		{2, "", "x", Acknowledge{Cluster: "shop", All: true}, ErrInvalid{Field: "recovery or instance or cluster or all"}},
		{3, "", "x", Acknowledge{All: true}, nil},
	}, func(s *State) bool {
		return s.Recoveries["r1"].Acknowledged.At.Equal(at(1)) && s.Recoveries["r2"].Acknowledged.At.Equal(at(1)) &&
			s.Recoveries["r3"].Acknowledged.At.Equal(at(3)) && s.Recoveries["r4"].Acknowledged == nil
	}},

	{"the first primary, and a later position", []step{
		{0, "baton", "", AgreePrimary{Cluster: "shop", Instance: "db1", ServerUUID: "u1", Position: "u1:1"}, nil},
		{5, "baton", "", AgreePrimary{Cluster: "shop", Instance: "db1", Position: "u1:1-9"}, nil},
	}, func(s *State) bool {
		p := s.Primaries["shop"]
		return p.Epoch == 0 && p.ServerUUID == "u1" && p.Position == "u1:1-9" && p.Since.Equal(noon) && p.PositionAt.Equal(at(5))
	}},
	{"another primary begins an epoch and deposes", []step{
		{0, "baton", "", AgreePrimary{Cluster: "shop", Instance: "db1", ServerUUID: "u1", Position: "u1:1-9"}, nil},
		{5, "baton", "", AgreePrimary{Cluster: "shop", Instance: "db2", Recovery: "r1", Deposes: "db1"}, nil},
		{6, "baton", "", AgreePrimary{Cluster: "shop", Instance: "db3"}, ErrStale{What: "the promotion epoch of cluster shop", Seen: 0, Now: 1}},
		{6, "baton", "", AgreePrimary{Cluster: "shop", Instance: "db1", Epoch: 1}, ErrConflict{}},
		{6, "baton", "", AgreePrimary{Cluster: "shop", Instance: "db1", Epoch: 1, Deposes: "db1"}, ErrInvalid{Field: "deposes"}},
	}, func(s *State) bool {
		p, d := s.Primaries["shop"], s.Deposed["db1"]
		return p.Instance == "db2" && p.Epoch == 1 && p.Since.Equal(at(5)) && p.Position == "" && p.Recovery == "r1" &&
			d.ServerUUID == "u1" && d.Cluster == "shop" && d.Recovery == "r1" && d.Since.Equal(at(5)) && !d.Fenced()
	}},
	{"fenced, deposed again, released, primary again", []step{
		{0, "baton", "", MarkFenced{Instance: "db1"}, ErrNotFound{}},
		{1, "baton", "", Depose{Instance: "db1", Cluster: "shop"}, nil},
		{2, "baton", "", MarkFenced{Instance: "db1"}, nil},
		{3, "baton", "", Depose{Instance: "db1", Cluster: "shop", Recovery: "r2"}, nil},
	}, func(s *State) bool {
		d := s.Deposed["db1"]
		return d.Since.Equal(at(1)) && d.Recovery == "r2" && !d.Fenced()
	}},
	{"what is released may lead", []step{
		{1, "baton", "", Depose{Instance: "db1", Cluster: "shop"}, nil},
		{2, "baton", "", MarkFenced{Instance: "db1"}, nil},
		{3, "ann", "", Release{Instance: "db1"}, nil},
		{3, "ann", "", Release{Instance: "db1"}, ErrNotFound{}},
		{4, "baton", "", AgreePrimary{Cluster: "shop", Instance: "db1"}, nil},
	}, func(s *State) bool { return s.Deposed == nil && s.Primaries["shop"].Instance == "db1" }},
	{"quarantine", []step{
		{0, "baton", "", SetQuarantine{Instance: "db1"}, ErrInvalid{Field: "reason"}},
		{0, "baton", "errant", SetQuarantine{Instance: "db1", Cluster: "shop", GTIDs: "u1:7"}, nil},
	}, func(s *State) bool {
		q := s.Quarantines["db1"]
		return q.Reason == "errant" && q.GTIDs == "u1:7" && q.By == "baton"
	}},
	{"quarantine ends", []step{
		{0, "baton", "errant", SetQuarantine{Instance: "db1"}, nil},
		{1, "ann", "", Release{Instance: "db1"}, nil},
	}, func(s *State) bool { return s.Quarantines == nil }},
}
