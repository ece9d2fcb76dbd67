package remediation_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// log is an actor that notes what it is told and does what the test says.
type log struct {
	mu    sync.Mutex
	did   []string
	do    func(ctx context.Context, step remediation.Step) error
	done  func(step remediation.Step) (bool, error)
	asked int
}

func (l *log) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.did = append(l.did, fmt.Sprintf(format, args...))
}

func (l *log) Do(ctx context.Context, step remediation.Step) error {
	l.note("%s %s", step.Action, step.On)
	if l.do == nil {
		return nil
	}
	err := l.do(ctx, step)
	l.note("end of %s %s", step.Action, step.On)
	return err
}

func (l *log) Done(_ context.Context, step remediation.Step) (bool, error) {
	l.mu.Lock()
	l.asked++
	l.mu.Unlock()
	if l.done == nil {
		return false, nil
	}
	return l.done(step)
}

func (l *log) String() string { return strings.Join(l.did, "\n") }

func on(id topology.InstanceID, actions ...remediation.Action) []remediation.Step {
	var steps []remediation.Step
	for _, a := range actions {
		steps = append(steps, remediation.Step{Action: a, On: id, Why: "the test wants it"})
	}
	return steps
}

func stage(phase remediation.Phase, steps ...[]remediation.Step) remediation.Stage {
	return remediation.Stage{Phase: phase, Steps: slices.Concat(steps...)}
}

const (
	wait  = remediation.WaitApplied
	fence = remediation.Fence
	point = remediation.PointAt
)

func TestExecuteKeepsTheOrderOfALane(t *testing.T) {
	actor := &log{}
	plan := remediation.Plan{Stages: []remediation.Stage{
		stage("drain", on("db1", remediation.RelaxDurability, wait, remediation.RestoreDurability)),
		stage("promote", on("db1", remediation.MakePrimary)),
	}}
	if x := remediation.Execute(context.Background(), plan, actor, false, nil); x.Failed != nil || len(x.Noted) > 0 {
		t.Fatal(x)
	}
	same(t, "done", actor.String(), "relax_durability db1\nwait_applied db1\nrestore_durability db1\nmake_primary db1")
}

// TestExecuteRunsLanesTogether would not end if two instances were worked on one after the other.
func TestExecuteRunsLanesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var both sync.WaitGroup
		both.Add(3)
		actor := &log{do: func(context.Context, remediation.Step) error {
			both.Done()
			both.Wait()
			return nil
		}}
		// The ledger is worked on beside the server of the same name, too.
		plan := remediation.Plan{Stages: []remediation.Stage{stage("freeze", on("db1", fence), on("db2", fence), on("db1", remediation.Quarantine))}}
		if x := remediation.Execute(context.Background(), plan, actor, false, nil); x.Failed != nil {
			t.Fatal(x.Failed)
		}
	})
}

func TestExecuteDoesNotWaitForTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		actor := &log{do: func(_ context.Context, s remediation.Step) error {
			if s.On == "db2" {
				time.Sleep(time.Second)
			}
			return nil
		}}
		behind := stage("repoint", on("db2", point))
		behind.Background = true
		plan := remediation.Plan{Stages: []remediation.Stage{behind, stage("promote", on("db1", remediation.MakePrimary))}}
		remediation.Execute(context.Background(), plan, actor, false, nil)
		if last := actor.did[len(actor.did)-1]; len(actor.did) != 4 || last != "end of point_at db2" {
			t.Errorf("want the promotion to end before the background, and everything before Execute:\n%s", actor)
		}
	})
}

func TestExecuteNotesWhatMayFail(t *testing.T) {
	actor := &log{do: func(_ context.Context, s remediation.Step) error {
		if s.Action == fence {
			return errors.New("no")
		}
		return nil
	}}
	steps := on("db1", fence, point)
	steps[0].MayFail = true
	plan := remediation.Plan{Stages: []remediation.Stage{stage("a", steps), stage("b", on("db2", point))}}
	x := remediation.Execute(context.Background(), plan, actor, false, nil)
	if x.Failed != nil || len(x.Noted) != 1 || x.Noted[0].Step.Action != fence || x.Noted[0].Error() != "a: make db1 refuse writes, and end the connections of its writers: no" {
		t.Errorf("%+v", x)
	}
	if !slices.Contains(actor.did, "end of point_at db1") || !slices.Contains(actor.did, "end of point_at db2") {
		t.Errorf("the plan did not go on:\n%s", actor)
	}
}

func TestExecuteStopsAtWhatMustNotFail(t *testing.T) {
	actor := &log{do: func(_ context.Context, s remediation.Step) error {
		if s.Action == wait {
			return errors.New("stalled")
		}
		return nil
	}}
	plan := remediation.Plan{Stages: []remediation.Stage{
		stage("drain", on("db1", remediation.RelaxDurability, wait, remediation.RestoreDurability), on("db2", fence, point)),
		stage("promote", on("db1", remediation.MakePrimary)),
	}}
	x := remediation.Execute(context.Background(), plan, actor, false, nil)
	if x.Failed == nil || x.Failed.Step.Action != wait || x.Failed.Phase != "drain" {
		t.Fatalf("%+v", x)
	}
	text := actor.String()
	if strings.Contains(text, "restore_durability") || strings.Contains(text, "make_primary") {
		t.Errorf("it went on:\n%s", text)
	}
	if !strings.Contains(text, "end of point_at db2") {
		t.Errorf("the other instance of the stage was left in the middle:\n%s", text)
	}
}

// TestExecuteHaltsEverywhere: who has lost the lease may do nothing any more, on no instance, in no background, and whatever the step allows.
func TestExecuteHaltsEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		actor := &log{do: func(_ context.Context, s remediation.Step) error {
			if s.On == "db1" {
				return fmt.Errorf("the lease is gone: %w", remediation.ErrHalted)
			}
			time.Sleep(time.Second)
			return nil
		}}
		steps := on("db1", fence, point)
		steps[0].MayFail, steps[1].MayFail = true, true
		behind := stage("behind", on("db3", fence, point))
		behind.Background = true
		plan := remediation.Plan{Stages: []remediation.Stage{behind, stage("a", steps, on("db2", fence, point)), stage("b", on("db4", fence))}}
		x := remediation.Execute(context.Background(), plan, actor, false, nil)
		if x.Failed == nil || !errors.Is(x.Failed, remediation.ErrHalted) || len(x.Noted) > 0 {
			t.Errorf("%+v", x)
		}
		for _, never := range []string{"point_at db1", "point_at db2", "point_at db3", "fence db4"} {
			if slices.Contains(actor.did, never) {
				t.Errorf("%s was done after the halt:\n%s", never, actor)
			}
		}
	})
}

// TestExecuteHaltedIsNotHiddenByAnotherFailure: a lane that fails by itself must not make a lost lease look like a plan that may be put back.
func TestExecuteHaltedIsNotHiddenByAnotherFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		actor := &log{do: func(_ context.Context, s remediation.Step) error {
			if s.On == "db1" {
				return errors.New("an ordinary failure")
			}
			time.Sleep(time.Second)
			return remediation.ErrHalted
		}}
		plan := remediation.Plan{Stages: []remediation.Stage{stage("a", on("db1", fence), on("db2", fence))}}
		if x := remediation.Execute(context.Background(), plan, actor, false, nil); !errors.Is(x.Failed, remediation.ErrHalted) {
			t.Errorf("%+v", x)
		}
	})
}

func TestExecuteEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(context.Background())
		actor := &log{do: func(ctx context.Context, s remediation.Step) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		go func() {
			time.Sleep(time.Millisecond)
			cancel(errors.New("another node leads"))
		}()
		steps := on("db1", fence, point)
		steps[0].MayFail = true
		x := remediation.Execute(ctx, remediation.Plan{Stages: []remediation.Stage{stage("a", steps), stage("b", on("db2", fence))}}, actor, false, nil)
		if !errors.Is(x.Failed, remediation.ErrHalted) || len(actor.did) != 2 {
			t.Errorf("%v\n%s", x.Failed, actor)
		}
	})
}

// TestExecuteStepsHaveDeadlines: a step that never ends is an ordinary failure after its own time, or after that of its action.
func TestExecuteStepsHaveDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		actor := &log{do: func(ctx context.Context, _ remediation.Step) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		for _, c := range []struct {
			timeout, took time.Duration
		}{{0, time.Minute}, {3 * time.Second, 3 * time.Second}} {
			steps := on("db1", wait)
			steps[0].Timeout = c.timeout
			began := time.Now()
			x := remediation.Execute(context.Background(), remediation.Plan{Stages: []remediation.Stage{stage("a", steps)}}, actor, false, nil)
			if x.Failed == nil || errors.Is(x.Failed, remediation.ErrHalted) || time.Since(began) != c.took {
				t.Errorf("after %s: %v", time.Since(began), x.Failed)
			}
		}
		for _, v := range remediation.Actions() {
			if v.Timeout <= 0 {
				t.Errorf("%s has no deadline", v.Action)
			}
		}
	})
}

func TestExecuteResumeSkipsWhatIsThere(t *testing.T) {
	actor := &log{done: func(s remediation.Step) (bool, error) {
		switch s.Action {
		case wait:
			return false, errors.New("it cannot be told")
		case remediation.AgreePrimary:
			return true, nil
		}
		return s.On == "db2", nil
	}}
	plan := remediation.Plan{Stages: []remediation.Stage{
		stage("a", on("db1", fence, wait), on("db2", fence)), stage("decide", on("db1", remediation.AgreePrimary)),
	}}
	var mu sync.Mutex
	var skipped []string
	x := remediation.Execute(context.Background(), plan, actor, true, func(e remediation.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.State == remediation.StepSkipped {
			skipped = append(skipped, fmt.Sprintf("%s %s", e.Step.Action, e.Step.On))
		}
	})
	same(t, "done", actor.String(), "fence db1\nwait_applied db1")
	if same(t, "skipped", strings.Join(skipped, "\n"), "fence db2\nagree_primary db1"); !x.Agreed {
		t.Error("a successor that was agreed on before counts as agreed")
	}
	again := &log{done: actor.done}
	if remediation.Execute(context.Background(), plan, again, false, nil); again.asked != 0 || len(again.did) != 4 {
		t.Errorf("without resume everything is done, and nothing asked (%d)", again.asked)
	}
}

func TestExecuteTellsHowItGoes(t *testing.T) {
	actor := &log{do: func(ctx context.Context, s remediation.Step) error {
		remediation.ReportProgress(ctx, 3, 7)
		if s.Action == fence {
			return errors.New("no")
		}
		return nil
	}}
	var told []string
	steps := on("db1", fence, point)
	steps[0].MayFail = true
	remediation.Execute(context.Background(), remediation.Plan{Stages: []remediation.Stage{stage("a", steps)}}, actor, false, func(e remediation.Event) {
		told = append(told, fmt.Sprintf("%s %s %d/%d %v", e.Step.Action, e.State, e.Sofar, e.Total, e.Err))
	})
	same(t, "told", strings.Join(told, "\n"), `
fence started 0/0 <nil>
fence progress 3/7 <nil>
fence failed 0/0 no
point_at started 0/0 <nil>
point_at progress 3/7 <nil>
point_at done 0/0 <nil>`)
	remediation.ReportProgress(context.Background(), 1, 2) // nobody watches
}

func TestGuardedLosesTheLeaseBeforeAStep(t *testing.T) {
	actor := &log{}
	held := true
	g := remediation.Guarded(actor, func(context.Context) error {
		if held {
			return nil
		}
		return errors.New("n2 leads")
	})
	step := on("db1", fence)[0]
	if err := g.Do(context.Background(), step); err != nil {
		t.Fatal(err)
	}
	held = false
	if err := g.Do(context.Background(), step); !errors.Is(err, remediation.ErrHalted) || !strings.Contains(err.Error(), "n2 leads") {
		t.Error(err)
	}
	if len(actor.did) != 1 {
		t.Errorf("I6: a step was done without the lease:\n%s", actor)
	}
}

func TestRoutedKnowsItsDoors(t *testing.T) {
	servers, ledger := &log{}, &log{}
	r := remediation.Routed(map[remediation.Door]remediation.Actor{remediation.DoorServer: servers, remediation.DoorLedger: ledger})
	for _, v := range remediation.Actions() {
		if err := r.Do(context.Background(), on("db1", v.Action)[0]); err != nil {
			t.Error(err)
		}
		if _, err := r.Done(context.Background(), on("db1", v.Action)[0]); err != nil {
			t.Error(err)
		}
	}
	if len(servers.did)+len(ledger.did) != len(remediation.Actions()) || len(ledger.did) != 4 {
		t.Errorf("servers:\n%s\nledger:\n%s", servers, ledger)
	}
	half := remediation.Routed(map[remediation.Door]remediation.Actor{remediation.DoorServer: servers})
	if err := half.Do(context.Background(), on("db1", remediation.AgreePrimary)[0]); err == nil || !strings.Contains(err.Error(), "nobody carries out ledger steps") {
		t.Error(err)
	}
	if err := half.Do(context.Background(), on("db1", "dance")[0]); err == nil || !strings.Contains(err.Error(), `"dance" is no action`) {
		t.Error(err)
	}
	if _, err := half.Done(context.Background(), on("db1", "dance")[0]); err == nil {
		t.Error("done, although it is no action")
	}
}

func TestWatchedTellsTheOutcome(t *testing.T) {
	fails := remediation.ActorFunc(func(context.Context, remediation.Step) error { return errors.New("no") })
	var told string
	w := remediation.Watched(fails, func(s remediation.Step) func(error) {
		told = "begin " + string(s.On)
		return func(err error) { told += ", end: " + err.Error() }
	})
	if err := w.Do(context.Background(), on("db1", fence)[0]); err == nil || told != "begin db1, end: no" {
		t.Errorf("%v, told %q", err, told)
	}
}

func TestActionsReadAsSentences(t *testing.T) {
	for _, v := range remediation.Actions() {
		s := remediation.Step{Action: v.Action, On: "db2:3306", Source: "db1:3306"}.String()
		if !strings.Contains(s, "db2:3306") || strings.Contains(s, "%!") {
			t.Errorf("%s: %s", v.Action, s)
		}
	}
	if s := (remediation.Step{Action: "dance", On: "db2:3306"}).String(); s != "dance db2:3306" {
		t.Error(s)
	}
}
