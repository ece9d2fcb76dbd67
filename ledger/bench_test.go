package ledger

import (
	"crypto/rand"
	"encoding/json"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkPropose is what the ledger costs on the way of a failover: one commit of an opening recovery with its plan.
func BenchmarkPropose(b *testing.B) {
	l, _ := start(b, Options{Dir: b.TempDir()})
	lead(b, l)
	benchmarkPropose(b, l)
}

// BenchmarkProposeInGroup is the same with three nodes, which here share a disk.
func BenchmarkProposeInGroup(b *testing.B) {
	g := &group{t: b}
	var peers []Peer
	var listeners []net.Listener
	for _, id := range []string{"a", "b", "c"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(b, err)
		listeners = append(listeners, l)
		peers = append(peers, Peer{ID: id, Address: l.Addr().String()})
	}
	dir := b.TempDir()
	for i, p := range peers {
		g.start(Options{Dir: filepath.Join(dir, p.ID), NodeID: p.ID, Peers: peers, listener: listeners[i]})
	}
	benchmarkPropose(b, g.nodes[g.leader(0, 1, 2)])
}

func benchmarkPropose(b *testing.B, l *Ledger) {
	plan := json.RawMessage(`{"plan":"` + strings.Repeat("x", 8<<10) + `"}`)
	took := make([]time.Duration, 0, b.N)
	for b.Loop() {
		began := time.Now()
		id := NewID(began, rand.Reader)
		if err := l.Propose(b.Context(), entry(b, OpenRecovery{ID: id, Cluster: "shop", Kind: "failover", Trigger: ByFinding, Plan: plan})); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
		b.StopTimer()
		propose(b, l, CloseRecovery{ID: id, Outcome: Success})
		b.StartTimer()
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "median-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkProposeAsync is the journal of a recovery: many small entries, none of them waited for.
func BenchmarkProposeAsync(b *testing.B) {
	l, _ := start(b, Options{Dir: b.TempDir()})
	lead(b, l)
	propose(b, l, OpenRecovery{ID: "r1", Cluster: "shop", Kind: "failover", Trigger: ByFinding})
	e := entry(b, ProgressRecovery{ID: "r1", Steps: []Step{{Stage: "freeze", Step: "stop receiver", On: "db2:3306", At: noon}}})
	var last <-chan error
	for b.Loop() {
		last = l.ProposeAsync(e)
	}
	if err := <-last; err != nil {
		b.Fatal(err)
	}
}

// BenchmarkStart is how long a node that restarts takes until it leads.
func BenchmarkStart(b *testing.B) {
	o := Options{Dir: b.TempDir()}
	for b.Loop() {
		l, stop := start(b, o)
		lead(b, l)
		stop()
	}
}
