package topology_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/batondb/baton/topology"
)

const (
	benchUUID1 = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
	benchUUID2 = "4e659069-3cd8-11e5-9a49-001c4270714e"
	benchUUID3 = "a9c1e7b4-0f2e-11ef-8d1e-0242ac110002"
)

// benchSets are the texts that the benchmarks parse and compare: a set, and the
// same set a little later.
var benchSets = []struct{ name, text, later string }{
	{"1source", benchUUID1 + ":1-123456", benchUUID1 + ":1-123460"},
	{
		"3sources", strings.Join([]string{benchUUID1 + ":1-123456", benchUUID2 + ":1-98765432", benchUUID3 + ":1-77"}, ",\n"),
		strings.Join([]string{benchUUID1 + ":1-123456", benchUUID2 + ":1-98765499", benchUUID3 + ":1-77"}, ",\n"),
	},
	{"50intervals", benchIntervals(50), benchIntervals(51)},
	{"mariadb", "0-1-123456,1-7-99", "0-1-123460,1-7-99"},
}

func benchIntervals(n int) string {
	var b strings.Builder
	b.WriteString(benchUUID1)
	for i := range n {
		fmt.Fprintf(&b, ":%d-%d", i*1000+1, i*1000+900)
	}
	return b.String()
}

func benchEach(b *testing.B, f func(b *testing.B, set, later topology.GTIDSet)) {
	for _, s := range benchSets {
		set, later := topology.MustParseGTIDSet(s.text), topology.MustParseGTIDSet(s.later)
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			f(b, set, later)
		})
	}
}

func BenchmarkGTIDParse(b *testing.B) {
	for _, s := range benchSets {
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := topology.ParseGTIDSet(s.text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGTIDString(b *testing.B) {
	benchEach(b, func(b *testing.B, set, _ topology.GTIDSet) {
		for b.Loop() {
			_ = set.String()
		}
	})
}

func BenchmarkGTIDContains(b *testing.B) {
	benchEach(b, func(b *testing.B, set, later topology.GTIDSet) {
		for b.Loop() {
			if !later.Contains(set) {
				b.Fatal("later does not contain set")
			}
		}
	})
}

func BenchmarkGTIDBehind(b *testing.B) {
	benchEach(b, func(b *testing.B, set, later topology.GTIDSet) {
		for b.Loop() {
			if set.Behind(later) == 0 {
				b.Fatal("set is not behind")
			}
		}
	})
}

func BenchmarkGTIDSubtract(b *testing.B) {
	benchEach(b, func(b *testing.B, set, later topology.GTIDSet) {
		for b.Loop() {
			if later.Subtract(set).IsEmpty() {
				b.Fatal("nothing left")
			}
		}
	})
}

func BenchmarkGTIDUnion(b *testing.B) {
	benchEach(b, func(b *testing.B, set, later topology.GTIDSet) {
		for b.Loop() {
			if set.Union(later).IsEmpty() {
				b.Fatal("nothing joined")
			}
		}
	})
}

func BenchmarkGTIDDecode(b *testing.B) {
	benchEach(b, func(b *testing.B, set, _ topology.GTIDSet) {
		data := set.AppendBinary(nil)
		for b.Loop() {
			if _, _, err := topology.DecodeGTIDSet(data); err != nil {
				b.Fatal(err)
			}
		}
	})
}
