package topology_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/batondb/baton/topology"
)

// model is the naive idea of a set: its transactions, one by one.
type model map[string]bool

// readModel expands a text in a way that has nothing in common with the parser.
// For MariaDB, name says what of domain and server makes a transaction: the
// domain alone, as most operations see it, or both.
func readModel(t *testing.T, text string, bySource bool) model {
	t.Helper()
	m := model{}
	text = strings.ToLower(strings.Join(strings.Fields(text), ""))
	for element := range strings.SplitSeq(text, ",") {
		switch {
		case element == "":
		case strings.Contains(element, ":"):
			parts := strings.Split(element, ":")
			source := parts[0]
			for _, part := range parts[1:] {
				if strings.ContainsAny(part[:1], "0123456789") {
					m.add(t, source, part, "-")
				} else {
					source = parts[0] + ":" + part
				}
			}
		default:
			parts := strings.SplitN(element, "-", 3)
			source := parts[0]
			if bySource {
				source += "-" + parts[1]
			}
			if !strings.Contains(parts[2], "..") {
				parts[2] = "1.." + parts[2]
			}
			m.add(t, source, parts[2], "..")
		}
	}
	return m
}

func (m model) add(t *testing.T, source, interval, dash string) {
	t.Helper()
	from, to, isRange := strings.Cut(interval, dash)
	if !isRange {
		to = from
	}
	first, err1 := strconv.Atoi(from)
	last, err2 := strconv.Atoi(to)
	if err1 != nil || err2 != nil {
		t.Fatalf("the model cannot read the interval %q", interval)
	}
	for n := first; n <= last; n++ {
		m[fmt.Sprintf("%s:%d", source, n)] = true
	}
}

func (m model) minus(other model) model {
	left := maps.Clone(m)
	maps.DeleteFunc(left, func(k string, _ bool) bool { return other[k] })
	return left
}

// checkCanonical makes sure that the set is in its one encoding, whatever made it.
func checkCanonical(t *testing.T, g topology.GTIDSet) {
	t.Helper()
	data := g.AppendBinary([]byte("before"))[len("before"):]
	decoded, rest, err := topology.DecodeGTIDSet(append(data, "after"...))
	if err != nil || decoded != g || string(rest) != "after" {
		t.Fatalf("%q comes back from bytes as %q, %q, %v", g, decoded, rest, err)
	}
	parsed, err := topology.ParseGTIDSet(g.String())
	if err != nil || parsed != g {
		t.Fatalf("%q comes back from text as %q, %v", g, parsed, err)
	}
}

// TestGTIDSetAgainstModel compares every operation with the same on plain maps,
// for random sets of a universe so small that they meet in all ways.
func TestGTIDSetAgainstModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 4000 {
		textA, textB := randomGTIDText(r), randomGTIDText(r)
		a, b := topology.MustParseGTIDSet(textA), topology.MustParseGTIDSet(textB)
		ma, mb := readModel(t, textA, false), readModel(t, textB, false)
		union := maps.Clone(ma)
		maps.Copy(union, mb)

		same := func(what string, got topology.GTIDSet, want model) {
			t.Helper()
			checkCanonical(t, got)
			if !maps.Equal(readModel(t, got.String(), false), want) {
				t.Fatalf("%s is %q\na %q\nb %q", what, got, textA, textB)
			}
		}
		same("a", a, ma)
		same("union", a.Union(b), union)
		same("difference", a.Subtract(b), ma.minus(mb))
		same("intersection", a.Intersect(b), ma.minus(ma.minus(mb)))
		same("position", a.Position(), ma)

		bySource := a.SubtractBySource(b)
		checkCanonical(t, bySource)
		if want := readModel(t, textA, true).minus(readModel(t, textB, true)); !maps.Equal(readModel(t, bySource.String(), true), want) {
			t.Fatalf("difference by source is %q\na %q\nb %q", bySource, textA, textB)
		}

		facts := map[string][2]any{
			"contains": {a.Contains(b), len(mb.minus(ma)) == 0},
			"equal":    {a.Equal(b), maps.Equal(ma, mb)},
			"empty":    {a.IsEmpty(), len(ma) == 0},
			"count":    {a.Count(), uint64(len(ma))},
			"behind":   {a.Behind(b), uint64(len(mb.minus(ma)))},
			"same":     {a == b, maps.Equal(readModel(t, textA, true), readModel(t, textB, true))},
		}
		for what, fact := range facts {
			if fact[0] != fact[1] {
				t.Fatalf("%s is %v, want %v\na %q\nb %q", what, fact[0], fact[1], textA, textB)
			}
		}

		rejoined := topology.GTIDSet{}
		for _, source := range a.Sources() {
			only := a.Only(source)
			checkCanonical(t, only)
			if only.IsEmpty() || !only.Intersect(rejoined).Without(rejoined.Sources()...).Equal(only.Intersect(rejoined)) {
				t.Fatalf("only %s is %q of %q", source, only, a)
			}
			if a.Without(source).Union(only) != a {
				t.Fatalf("%q falls apart at %s", a, source)
			}
			rejoined = rejoined.Union(only)
		}
		if rejoined != a {
			t.Fatalf("the sources of %q add up to %q", a, rejoined)
		}
	}
}

// randomGTIDText writes a set the way a careless person would: unsorted,
// overlapping, oddly spaced, in one dialect or both.
func randomGTIDText(r *rand.Rand) string {
	oneOf := func(choices ...string) string { return choices[r.IntN(len(choices))] }
	interval := func(dash string) string {
		first := 1 + r.IntN(12)
		if r.IntN(3) == 0 && dash == "-" {
			return strconv.Itoa(first)
		}
		return strconv.Itoa(first) + dash + strconv.Itoa(first+r.IntN(5))
	}
	dialect := r.IntN(5)
	var elements []string
	for range r.IntN(5) {
		if dialect < 2 || dialect == 4 && r.IntN(2) == 0 {
			element := oneOf("0", "1") + "-" + oneOf("1", "2", "3") + "-"
			if r.IntN(2) == 0 {
				element += interval("..")
			} else {
				element += strconv.Itoa(r.IntN(13))
			}
			elements = append(elements, element)
			continue
		}
		element := oneOf(uuidA, uuidB, strings.ToUpper(uuidC))
		for range 1 + r.IntN(4) {
			if r.IntN(4) == 0 {
				element += oneOf(":", ": ") + oneOf("a", "A", "a_b", "ab", "b2")
			}
			element += oneOf(":", " :\n") + interval("-")
		}
		elements = append(elements, element)
	}
	return strings.Join(elements, oneOf(",", ",\n", " , "))
}

// TestGTIDSetKeepsOrder makes sure that intervals in order take the same shape as
// the same intervals shuffled.
func TestGTIDSetKeepsOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		var elements []string
		for _, source := range []string{"0-1", "0-2", "7-1", uuidA, uuidB + ":tag"} {
			dash, colon := "..", "-"
			if strings.Contains(source, "a") || strings.Contains(source, "b") {
				dash, colon = "-", ":"
			}
			at := uint64(0)
			for range r.IntN(4) {
				at += 2 + r.Uint64N(1<<r.IntN(58))
				size := r.Uint64N(1 << r.IntN(58))
				elements = append(elements, fmt.Sprint(source, colon, at, dash, at+size))
				at += size
			}
		}
		ordered := gtids(t, strings.Join(elements, ","))
		checkCanonical(t, ordered)
		r.Shuffle(len(elements), func(i, j int) { elements[i], elements[j] = elements[j], elements[i] })
		if shuffled := gtids(t, strings.Join(elements, ",")); shuffled != ordered {
			t.Fatalf("%q in another order is %q", ordered, shuffled)
		}
	}
}
