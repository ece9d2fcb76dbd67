package analysis

import (
	"fmt"
	"strings"
	"testing"

	"github.com/batondb/baton/topology"
)

// bigFleet is n instances in clusters of one primary and three replicas, in three data centres. The first `dead` primaries are down.
func bigFleet(b testing.TB, n, dead int) *topology.Snapshot {
	b.Helper()
	var text strings.Builder
	for c := range n / 4 {
		state, receiver := "up", ""
		if c < dead {
			state, receiver = "down since=5s", "receiver=connecting receiver_errno=2003"
		}
		fmt.Fprintf(&text, "cluster c%04d named primary=db%d-1 epoch=1\ndb%d-1 %s dc=dc%d region=eu executed=u1:1-100000\n", c, c, c, state, c%3)
		for r := range 3 {
			fmt.Fprintf(&text, "  db%d-%d %s dc=dc%d region=eu executed=u1:1-100000\n", c, r+2, receiver, (c+r)%3)
		}
	}
	in, err := topology.Parse(text.String())
	if err != nil {
		b.Fatal(err)
	}
	return topology.Build(in)
}

func BenchmarkEvaluate10000(b *testing.B) {
	for _, dead := range []int{0, 1, 100, 2500} {
		b.Run(fmt.Sprintf("dead=%d", dead), func(b *testing.B) {
			snap := bigFleet(b, 10000, dead)
			b.ReportAllocs()
			for b.Loop() {
				Evaluate(snap, Table, DefaultPolicy())
			}
		})
	}
}

func BenchmarkEvaluateCluster(b *testing.B) {
	for _, dead := range []int{0, 1} {
		b.Run(fmt.Sprintf("dead=%d", dead), func(b *testing.B) {
			snap := bigFleet(b, 10000, dead)
			b.ReportAllocs()
			for b.Loop() {
				EvaluateCluster(snap, "c0000", Table, DefaultPolicy())
			}
		})
	}
}

func BenchmarkAreas10000(b *testing.B) {
	snap := bigFleet(b, 10000, 1)
	for b.Loop() {
		Areas(snap, DefaultPolicy())
	}
}
