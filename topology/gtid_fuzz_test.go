package topology_test

import (
	"bytes"
	"testing"

	"github.com/batondb/baton/topology"
)

var fuzzSeeds = []string{
	"",
	uuidA + ":1-5:7,\n" + uuidB + ":1",
	uuidA + ":1-5:foo:1-3:7:Bar:2," + uuidA + ":3-9",
	uuidB + ":9:1-3:2-5," + uuidA + ":9223372036854775806",
	"0-1-90,0-2-100,1-7-18446744073709551615",
	"0-1-101..150,0-2-3..3,12345678-1234-1234",
	"0-1-5," + uuidC + ":1",
	uuidA + ":0", uuidA + ":5-3", uuidA + ":x", "0-1-0", ",", uuidA,
}

// FuzzParseGTIDSet: whatever parses is printed in a form that parses to the
// identical set, and survives its bytes.
func FuzzParseGTIDSet(f *testing.F) {
	for _, seed := range fuzzSeeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		g, err := topology.ParseGTIDSet(text)
		if err != nil {
			if !g.IsEmpty() {
				t.Fatalf("%v came with %q", err, g)
			}
			return
		}
		checkCanonical(t, g)
		if !g.Equal(g.Position()) {
			t.Fatalf("%q is not equal to its position %q", g, g.Position())
		}
	})
}

// FuzzGTIDSetLaws: the algebra holds for numbers that no model can count.
func FuzzGTIDSetLaws(f *testing.F) {
	for _, a := range fuzzSeeds {
		for _, b := range fuzzSeeds {
			f.Add(a, b)
		}
	}
	f.Fuzz(func(t *testing.T, textA, textB string) {
		a, errA := topology.ParseGTIDSet(textA)
		b, errB := topology.ParseGTIDSet(textB)
		if errA != nil || errB != nil {
			return
		}
		union, minus, both := a.Union(b), a.Subtract(b), a.Intersect(b)
		bySource := a.SubtractBySource(b)
		for _, g := range []topology.GTIDSet{union, minus, both, bySource} {
			checkCanonical(t, g)
		}
		for law, holds := range map[string]bool{
			"a union holds both":                          union.Contains(a) && union.Contains(b),
			"union commutes":                              union == b.Union(a),
			"intersection commutes":                       both.Equal(b.Intersect(a)),
			"both hold their intersection":                a.Contains(both) && b.Contains(both),
			"what is subtracted is gone":                  minus.Intersect(b).IsEmpty(),
			"difference and intersection make the set":    minus.Union(both).Equal(a),
			"containing is having nothing missing":        b.Contains(a) == minus.IsEmpty(),
			"behind counts what is missing":               b.Behind(a) == minus.Count(),
			"equal is containing both ways":               a.Equal(b) == (a.Contains(b) && b.Contains(a)),
			"by source leaves at least as much":           bySource.Contains(minus),
			"by source, what is left and b make them all": bySource.Union(b).Contains(union),
		} {
			if !holds {
				t.Errorf("broken: %s\na %q\nb %q", law, a, b)
			}
		}
	})
}

// FuzzDecodeGTIDSet: bytes either are what AppendBinary writes, or are refused.
func FuzzDecodeGTIDSet(f *testing.F) {
	for _, seed := range fuzzSeeds {
		if g, err := topology.ParseGTIDSet(seed); err == nil {
			f.Add(append(g.AppendBinary(nil), "more"...))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		g, rest, err := topology.DecodeGTIDSet(data)
		if err != nil {
			return
		}
		if again := append(g.AppendBinary(nil), rest...); !bytes.Equal(again, data) {
			t.Fatalf("%x comes back as %x", data, again)
		}
		checkCanonical(t, g)
	})
}
