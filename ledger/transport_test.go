package ledger

import (
	"errors"
	"net"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// TestGroupOverTCP is the real transport: three nodes on the loopback interface, one of which moves to another port.
func TestGroupOverTCP(t *testing.T) {
	g := &group{t: t}
	dir := t.TempDir()
	var peers []Peer
	listeners := make(map[string]net.Listener)
	listen := func(id string) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		listeners[id] = l
		return l.Addr().String()
	}
	for _, id := range []string{"a", "b", "c"} {
		peers = append(peers, Peer{ID: id, Address: listen(id), API: "http://" + id})
	}
	for _, p := range peers {
		g.start(Options{Dir: filepath.Join(dir, p.ID), NodeID: p.ID, Peers: peers, Heartbeat: 200 * time.Millisecond, Election: 200 * time.Millisecond, listener: listeners[p.ID]})
	}
	first := g.leader(0, 1, 2)
	propose(t, g.nodes[first], opening("r1", "shop"))
	must(t, g.nodes[first].VerifyLeader(t.Context()))
	must(t, g.nodes[first].Transfer(t.Context(), ""))
	second := g.leader(0, 1, 2)
	var open ErrRecoveryOpen
	if err := g.nodes[second].Propose(t.Context(), entry(t, opening("r2", "shop"))); !errors.As(err, &open) {
		t.Errorf("second recovery of a cluster: %v", err)
	}
	g.settled(1, 0, 1, 2)
	g.stop()

	// All start again, one elsewhere: what raft wrote down when the group was founded does not count.
	peers[0].Address = listen("a")
	g = &group{t: t}
	for _, p := range peers {
		o := Options{Dir: filepath.Join(dir, p.ID), NodeID: p.ID, Peers: peers, Heartbeat: 200 * time.Millisecond, Election: 200 * time.Millisecond, Bind: p.Address}
		if p.ID == "a" {
			o.listener = listeners["a"]
		}
		g.start(o)
	}
	third := g.leader(0, 1, 2)
	propose(t, g.nodes[third], CloseRecovery{ID: "r1", Outcome: Success})
	g.settled(2, 0, 1, 2)
}

func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer taken.Close()
	address := taken.Addr().String()
	dir := t.TempDir()
	o := Options{Dir: dir, NodeID: "a", Bind: address, Peers: []Peer{{ID: "a", Address: address}}}
	if _, err := New(o); err == nil {
		t.Fatal("it opened")
	}
	must(t, taken.Close())
	l, _ := start(t, o) // the failure let go of the store
	lead(t, l)
}

// Raft goes on serving other nodes after its shutdown, so the store is closed only when nobody is served any more.
func TestHangUpWaitsForTheServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := &stream{Listener: listener, open: make(map[*inbound]bool)}
	client, err := s.Dial(raft.ServerAddress(listener.Addr().String()), time.Second)
	must(t, err)
	defer client.Close()
	server, err := s.Accept()
	must(t, err)
	var ended atomic.Bool
	go func() {
		defer server.Close()
		if _, err := server.Read(make([]byte, 1)); err == nil {
			t.Error("nobody wrote")
		}
		runtime.Gosched()
		ended.Store(true)
	}()
	must(t, listener.Close())
	s.hangUp()
	if !ended.Load() {
		t.Error("somebody is still served")
	}
}
