package remediation_test

import (
	"testing"
	"time"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/internal/sim"
)

func TestSmokeFailover(t *testing.T) {
	for _, maria := range []bool{false, true} {
		inWorld(t, shop(3, sim.Options{Seed: 1, WaitFor: 1, MariaDB: maria, WriteEvery: 2 * time.Millisecond, Apply: 1, Stream: 8}), func(w *world) {
			w.Pass(time.Second)
			w.look()
			w.Kill("db1:3306")
			w.lost("db1:3306")
			t.Log(w.Shape())
			res := w.recover(w.goal(analysis.RecoveryFailover, "db1:3306"))
			t.Logf("%s %s %v\n%s", res.Outcome, res.Text, res.Goal.Lost, w.story())
			w.Pass(time.Second)
			w.Restart("db1:3306")
			w.settle()
			t.Log(w.Shape())
			t.Log(w.Acknowledged())
			w.holds(false)
		})
	}
}

func TestSmokeTakeover(t *testing.T) {
	for _, maria := range []bool{false, true} {
		inWorld(t, shop(3, sim.Options{Seed: 1, WaitFor: 1, MariaDB: maria, WriteEvery: 2 * time.Millisecond, Apply: 2, Stream: 8}), func(w *world) {
			w.Pass(time.Second)
			w.look()
			goal := w.goal(analysis.RecoveryTakeover, "db1:3306")
			res := w.recover(goal)
			t.Logf("%s %s %v\n%s", res.Outcome, res.Text, res.Goal.Lost, w.story())
			w.settle()
			t.Log(w.Shape())
			t.Log(w.Acknowledged())
			w.holds(true)
		})
	}
}
