package ledger

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/raft"
)

// group is some nodes in one process.
type group struct {
	t     testing.TB
	nodes []*Ledger
	stops []func()
	wires []*raft.InmemTransport // nil over TCP
}

// newGroup runs three nodes that talk within the process.
func newGroup(t testing.TB) *group {
	t.Helper()
	g := &group{t: t}
	var peers []Peer
	for _, id := range []string{"a", "b", "c"} {
		_, wire := raft.NewInmemTransport(raft.ServerAddress(id + ":1"))
		g.wires = append(g.wires, wire)
		peers = append(peers, Peer{ID: id, Address: id + ":1", API: "http://" + id})
	}
	for i := range g.wires {
		g.join(i)
	}
	dir := t.TempDir()
	for i, p := range peers {
		g.start(Options{Dir: filepath.Join(dir, p.ID), NodeID: p.ID, Peers: peers, transport: g.wires[i]})
	}
	return g
}

func (g *group) start(o Options) {
	g.t.Helper()
	l, stop := start(g.t, o)
	g.nodes = append(g.nodes, l)
	g.stops = append(g.stops, stop)
}

// stop cuts the wires first: raft leaves a call to a node that stops without an answer until it times out.
func (g *group) stop() {
	for i := range g.wires {
		g.cutOff(i)
	}
	for _, stop := range g.stops {
		stop()
	}
}

func (g *group) join(i int) {
	for j, wire := range g.wires {
		if i != j {
			g.wires[i].Connect(wire.LocalAddr(), wire)
			wire.Connect(g.wires[i].LocalAddr(), g.wires[i])
		}
	}
}

func (g *group) cutOff(i int) {
	g.wires[i].DisconnectAll()
	for j, wire := range g.wires {
		if i != j {
			wire.Disconnect(g.wires[i].LocalAddr())
		}
	}
}

// leader waits until one of some nodes leads, and returns which.
func (g *group) leader(among ...int) int {
	g.t.Helper()
	ctx, cancel := context.WithCancel(g.t.Context())
	defer cancel()
	elected := make(chan int, len(among))
	for _, i := range among {
		go func() {
			_ = g.nodes[i].WhileLeader(ctx, func(context.Context) error { elected <- i; return nil })
		}()
	}
	return <-elected
}

// settled waits until some nodes have the same state, of so many entries.
func (g *group) settled(entries uint64, among ...int) {
	g.t.Helper()
	for _, i := range among {
		for {
			changed := g.nodes[i].Changes()
			if g.nodes[i].State().Entries >= entries {
				break
			}
			<-changed
		}
	}
	want := asJSON(g.t, g.nodes[among[0]].State())
	for _, i := range among {
		if got := asJSON(g.t, g.nodes[i].State()); got != want {
			g.t.Errorf("node %d has\n%s\nnode %d\n%s", i, got, among[0], want)
		}
	}
}

func others(i int) (int, int) { return (i + 1) % 3, (i + 2) % 3 }

func TestGroupAgrees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		defer g.stop()
		first := g.leader(0, 1, 2)
		second, third := others(first)
		propose(t, g.nodes[first], opening("r1", "shop"))

		// A follower names the leader.
		var not ErrNotLeader
		err := g.nodes[second].Propose(t.Context(), entry(t, opening("r2", "shop")))
		if id := g.nodes[first].opts.NodeID; !errors.As(err, &not) || not.Leader != id || not.LeaderAPI != "http://"+id || errors.Is(err, ErrUncertain) {
			t.Errorf("a follower says %v", err)
		}
		if err := g.nodes[second].VerifyLeader(t.Context()); !errors.As(err, &not) {
			t.Errorf("a follower verifies: %v", err)
		}
		if err := g.nodes[second].Transfer(t.Context(), ""); !errors.As(err, &not) {
			t.Errorf("a follower transfers: %v", err)
		}

		// The recovery is open for the next leader as well.
		if err := g.nodes[first].Transfer(t.Context(), g.nodes[second].opts.NodeID); err != nil {
			t.Fatal(err)
		}
		if got := g.leader(0, 1, 2); got != second {
			t.Fatalf("node %d leads, leadership was given to %d", got, second)
		}
		var open ErrRecoveryOpen
		if err := g.nodes[second].Propose(t.Context(), entry(t, opening("r2", "shop"))); !errors.As(err, &open) || open.ID != "r1" {
			t.Errorf("second recovery of a cluster: %v", err)
		}
		propose(t, g.nodes[second], CloseRecovery{ID: "r1", Outcome: Success})
		propose(t, g.nodes[second], opening("r3", "shop"))
		g.settled(3, first, second, third)
		for i, l := range g.nodes {
			s := l.Stats()
			if s.Voters != 3 || s.LeadershipChanges != 2 || !s.Ready || s.Leader != g.nodes[second].opts.NodeID || s.LastContact < 0 {
				t.Errorf("node %d: %+v", i, s)
			}
		}
	})
}

func TestTransferToNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		defer g.stop()
		first := g.leader(0, 1, 2)
		if err := g.nodes[first].Transfer(t.Context(), "nobody"); !errors.As(err, new(ErrNotFound)) {
			t.Errorf("got %v", err)
		}
		if err := g.nodes[first].Transfer(t.Context(), g.nodes[first].opts.NodeID); err != nil {
			t.Errorf("to itself: %v", err)
		}
		if err := g.nodes[first].VerifyLeader(t.Context()); err != nil {
			t.Errorf("it no longer leads: %v", err)
		}
	})
}

// Leadership is handed over once the leader's work has ended, and taken up again when nobody took it.
func TestTransferWaitsForTheWorkToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		defer g.stop()
		first := g.leader(0, 1, 2)
		leader := g.nodes[first]
		second, _ := others(first)
		to := g.nodes[second].opts.NodeID
		g.cutOff(second)

		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		began, told, finish := make(chan struct{}), make(chan struct{}), make(chan struct{})
		go func() {
			_ = leader.WhileLeader(ctx, func(ctx context.Context) error {
				began <- struct{}{}
				<-ctx.Done()
				told <- struct{}{}
				<-finish
				return ctx.Err()
			})
		}()
		<-began
		failed := make(chan error)
		go func() { failed <- leader.Transfer(t.Context(), to) }()
		<-told
		synctest.Wait()
		if leader.IsLeader() {
			t.Error("in office although it hands over")
		}
		if err := leader.VerifyLeader(t.Context()); err != nil {
			t.Errorf("raft was told to hand over before the work had ended: %v", err)
		}
		finish <- struct{}{}
		if err := <-failed; err == nil {
			t.Error("leadership went to a node that cannot be reached")
		}
		<-began // again, here

		impatient, giveUp := context.WithCancelCause(t.Context())
		go func() { failed <- leader.Transfer(impatient, to) }()
		<-told
		giveUp(errors.New("took too long"))
		if err := <-failed; err == nil || !strings.Contains(err.Error(), "took too long") {
			t.Errorf("got %v", err)
		}
		finish <- struct{}{}
		<-began // again, here
		cancel()
		<-told
		finish <- struct{}{}
	})
}

// One actor at any moment: while leadership goes round, and when the leader is cut off without knowing.
func TestOneActorAtAnyMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		defer g.stop()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var actors atomic.Int32
		began, causes := make(chan int), make(chan error, 100)
		for i, l := range g.nodes {
			go func() {
				_ = l.WhileLeader(ctx, func(ctx context.Context) error {
					if n := actors.Add(1); n != 1 {
						t.Errorf("%d actors", n)
					}
					if err := l.VerifyLeader(ctx); err != nil {
						t.Errorf("a new leader verifies: %v", err)
					}
					began <- i
					<-ctx.Done()
					actors.Add(-1)
					causes <- context.Cause(ctx)
					return ctx.Err()
				})
			}()
		}
		leader := <-began
		for range 5 {
			if err := g.nodes[leader].Transfer(t.Context(), ""); err != nil {
				t.Fatal(err)
			}
			next := <-began
			if cause := <-causes; !errors.As(cause, new(ErrNotLeader)) {
				t.Errorf("the old leader was told %v", cause)
			}
			if next == leader {
				t.Fatalf("%d leads again", next)
			}
			leader = next
		}

		g.cutOff(leader)
		lost := g.nodes[leader].ProposeAsync(entry(t, AddSeed{Instance: "lost"}))
		next := <-began
		if cause := <-causes; !errors.As(cause, new(ErrNotLeader)) {
			t.Errorf("the leader that was cut off was told %v", cause)
		}
		if err := <-lost; !errors.Is(err, ErrUncertain) || !errors.As(err, new(ErrNotLeader)) {
			t.Errorf("proposed while cut off: %v", err)
		}
		if err := g.nodes[leader].VerifyLeader(t.Context()); !errors.As(err, new(ErrNotLeader)) {
			t.Errorf("the leader that was cut off verifies: %v", err)
		}
		if g.nodes[leader].IsLeader() || g.nodes[leader].Ready() {
			t.Error("the leader that was cut off thinks that it leads or is ready")
		}
		propose(t, g.nodes[next], AddSeed{Instance: "kept"})
		g.join(leader)
		g.settled(1, 0, 1, 2)
		if _, ok := g.nodes[leader].State().Seeds["lost"]; ok {
			t.Error("what no majority saw was agreed on")
		}
		cancel()
	})
}

// A leader that stops hands leadership on, and what it is asked meanwhile has an answer.
func TestLeaderStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		defer g.stop()
		first := g.leader(0, 1, 2)
		second, third := others(first)
		var answers []<-chan error
		for i := range 100 {
			answers = append(answers, g.nodes[first].ProposeAsync(entry(t, AddSeed{Instance: fmt.Sprint(i)})))
		}
		g.stops[first]()
		agreed := uint64(0)
		for _, a := range answers {
			if err := <-a; err == nil {
				agreed++
			}
		}
		next := g.leader(second, third)
		if g.nodes[next].State().Entries < agreed {
			t.Errorf("%d entries were agreed on, the next leader knows %d", agreed, g.nodes[next].State().Entries)
		}
		if agreed != 100 {
			t.Errorf("%d of 100 entries were agreed on before the leader stopped", agreed)
		}
	})
}

// A node that missed more than the log holds gets a snapshot.
func TestNodeThatWasAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		defer g.stop()
		leader := g.leader(0, 1, 2)
		away, _ := others(leader)
		g.cutOff(away)
		for i := range 50 {
			propose(t, g.nodes[leader], AddSeed{Instance: fmt.Sprint(i)})
		}
		c := g.nodes[leader].raft.Load().ReloadableConfig()
		c.TrailingLogs = 2
		must(t, g.nodes[leader].raft.Load().ReloadConfig(c))
		must(t, g.nodes[leader].raft.Load().Snapshot().Error())
		g.join(away)
		g.settled(50, 0, 1, 2)
		if g.nodes[away].raft.Load().Stats()["last_snapshot_index"] == "0" {
			t.Error("the node caught up without a snapshot, which this test is about")
		}
	})
}

// A node that was alone must not be outvoted by two that know nothing.
func TestVotersAreNotExchanged(t *testing.T) {
	dir := t.TempDir()
	l, stop := start(t, Options{Dir: dir, NodeID: "a"})
	lead(t, l)
	stop()
	_, err := New(Options{Dir: dir, NodeID: "a", Bind: "127.0.0.1:0", Peers: []Peer{{ID: "a", Address: "a:1"}, {ID: "b", Address: "b:1"}, {ID: "c", Address: "c:1"}}})
	if err == nil || !strings.Contains(err.Error(), "written by the voters a, and the configuration names a, b, c") {
		t.Errorf("got %v", err)
	}
}
