package remediation_test

import (
	"testing"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// TestFinish goes on from every state in which a leader may find a failover that has agreed on its successor.
func TestFinish(t *testing.T) {
	const (
		head  = "cluster shop named primary=db2\nopen failover id=r1 failed=db1 since=3s\n"
		maria = " version=10.11.6-MariaDB "
		dead  = head + "db1 down deposed executed=u1:1-9 uuid=u1\n"
		open  = dead + "db2 writable uuid=u2 executed=u1:1-9,u2:1-4\n"
	)
	for _, c := range []struct {
		name, text, script string
		complete           bool
		waits              topology.InstanceID // "?" waits for nobody who can be given up
		lost               string
	}{
		{
			name: "not opened", text: dead + "  db2 receiver=stopped executed=u1:1-9\n  db3 receiver=stopped executed=u1:1-9",
			script: "repoint: point_at db3 < db2 (background)\npromote: make_primary db2",
		},
		{
			name: "not drained", text: dead + "  db2 receiver=stopped executed=u1:1-7 retrieved=u1:8-9\n  db3 receiver=stopped executed=u1:1-9",
			script: "drain: wait_applied db2\nrepoint: point_at db3 < db2 (background)\npromote: make_primary db2",
		},
		{name: "open, its channel is left", text: dead + "  db2 writable receiver=stopped executed=u1:1-9\n    db3 executed=u1:1-9", script: "promote: make_primary db2"},
		{
			name:   "the old primary is back and open",
			text:   head + "db1 writable deposed executed=u1:1-9\n  db2 receiver=stopped executed=u1:1-9\n  db3 receiver=stopped executed=u1:1-9",
			script: "fence: fence db1\nrepoint: point_at db3 < db2 (background)\npromote: make_primary db2",
		},
		{name: "a sibling is left", text: dead + "  db3 receiver=stopped executed=u1:1-9\ndb2 writable executed=u1:1-9", script: "repoint: point_at db3 < db2"},
		{name: "a sibling connects", text: open + "  db3 receiver=connecting executed=u1:1-9", waits: "db3:3306"},
		{
			name:   "a sibling was turned away",
			text:   head + "db1 down deposed" + maria + "\ndb2 writable executed=0-1-9" + maria + "\n  db3 receiver=stopped receiver_errno=1236 executed=0-1-8 retrieved=0-1-8" + maria,
			script: "repoint: start_replication db3 < db2",
		},
		{
			name:  "a sibling is still ahead",
			text:  head + "db1 down deposed" + maria + "\ndb2 writable executed=0-1-7" + maria + "\n  db3 receiver=stopped receiver_errno=1236 executed=0-1-8 retrieved=0-1-8" + maria,
			waits: "db3:3306",
		},
		{name: "a sibling brings something along", text: open + "  db3 executed=u1:1-10 uuid=u3", script: "verify: quarantine db3"},
		{name: "what is newer than our sight of the successor is nothing strange", text: open + "  db3 executed=u1:1-9,u2:1-6 uuid=u3", complete: true},
		{name: "a sibling is dead", text: dead + "  db3 down executed=u1:1-9\ndb2 writable executed=u1:1-9", script: "verify: quarantine db3"},
		{name: "a sibling failed once", text: dead + "  db3 timeout executed=u1:1-9\ndb2 writable executed=u1:1-9", waits: "db3:3306"},
		{name: "a sibling was given up", text: open + "  db3 receiver=connecting executed=u1:1-9", lost: "it does not connect", script: "verify: quarantine db3"},
		{name: "a sibling's version cannot follow", text: dead + "  db3 version=8.4.5 receiver=stopped executed=u1:1-9\ndb2 writable executed=u1:1-9", script: "repoint: quarantine db3"},
		{name: "durability is owed", text: open + "  db3 sync_binlog=0 flush_log=2 executed=u1:1-9", script: "repoint: restore_durability db3"},
		{name: "all is done", text: open + "  db3 executed=u1:1-9", complete: true},
		{name: "the successor does not answer in full", text: dead + "db2 partial writable executed=u1:1-9\n  db3 executed=u1:1-9", waits: "?"},
		{name: "the successor is down and somebody receives from it", text: dead + "db2 down writable executed=u1:1-9\n  db3 heard=0s executed=u1:1-9", waits: "?"},
		{
			name: "the successor is down", text: dead + "db2 down writable executed=u1:1-9\n  db3 receiver=stopped executed=u1:1-9",
			script: "decide: agree_primary db3 < db2\nfence: fence db1 (background)\npromote: make_primary db3",
		},
		{
			name:   "the ledger has agreed on the next one",
			text:   "cluster shop named primary=db3\nopen failover id=r1 failed=db1 since=3s\ndb1 down deposed executed=u1:1-9\ndb2 down deposed executed=u1:1-9\n  db3 receiver=stopped executed=u1:1-9",
			script: "promote: make_primary db3",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, err := topology.Parse(c.text)
			if err != nil {
				t.Fatal(err)
			}
			for id, d := range in.Intents.Deposed {
				d.Recovery = "r1"
				in.Intents.Deposed[id] = d
			}
			snap := topology.Build(in)
			goal := want(snap, analysis.RecoveryFailover, "db1:3306")
			goal.ID, goal.Opened, goal.Successor, goal.Followers = "r1", true, "db2:3306", []topology.InstanceID{"db2:3306", "db3:3306"}
			goal.Durable = map[topology.InstanceID]remediation.Durability{"db3:3306": {SyncBinlog: 1, FlushLogAtTrxCommit: 1}}
			if c.lost != "" {
				goal.Lost = map[topology.InstanceID]string{"db3:3306": c.lost}
			}
			plan, err := remediation.Make(goal, snap, auto())
			if err != nil {
				t.Fatal(err)
			}
			same(t, "plan", script(plan), c.script)
			if plan.Complete != c.complete || (plan.Waiting != "") != (c.waits != "") || plan.WaitingFor != c.waits && c.waits != "?" {
				t.Errorf("complete %t, waits for %q: %q", plan.Complete, plan.WaitingFor, plan.Waiting)
			}
		})
	}
}
