package topology_test

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/batondb/baton/topology"
)

// Three UUIDs, ascending, short enough to read in a table as a, b and c.
const (
	uuidA = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaa1"
	uuidB = "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbb1"
	uuidC = "cccccccc-cccc-cccc-cccc-ccccccccccc1"
)

// full writes the UUIDs out: "A:1-5" stands for uuidA:1-5.
func full(text string) string {
	return strings.NewReplacer("A:", uuidA+":", "B:", uuidB+":", "C:", uuidC+":").Replace(text)
}

func gtids(t *testing.T, text string) topology.GTIDSet {
	t.Helper()
	g, err := topology.ParseGTIDSet(full(text))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func wantGTIDs(t *testing.T, what string, got topology.GTIDSet, want string) {
	t.Helper()
	if got.String() != full(want) {
		t.Errorf("%s is %q, want %q", what, got, full(want))
	}
	checkCanonical(t, got)
}

func TestParseGTIDSet(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", "", ""},
		{"only space", " \n\t", ""},
		{"one transaction", "A:7", "A:7"},
		{"one interval", "A:1-5", "A:1-5"},
		{"an interval of one", "A:5-5", "A:5"},
		{"several intervals", "A:1-5:7:9-10", "A:1-5:7:9-10"},
		{"intervals that touch are merged", "A:1-5:6-7", "A:1-7"},
		{"intervals that overlap are merged", "A:1-5:3-7:2", "A:1-7"},
		{"intervals out of order", "A:9-10:1-5:7", "A:1-5:7:9-10"},
		{"in order again after out of order", "A:9-10:1-5:12-13:11", "A:1-5:9-13"},
		{"as the server prints it", "A:1-5,\nB:7", "A:1-5,B:7"},
		{"space around everything", "  A:1-5 : 7 - 9 ,\r\n\tB: 7\n", "A:1-5:7-9,B:7"},
		{"UUIDs out of order", "B:7,A:1-5,C:1", "A:1-5,B:7,C:1"},
		{"a UUID twice", "A:1-5,B:1,A:6-9", "A:1-9,B:1"},
		{"upper case UUID", strings.ToUpper(uuidA) + ":1", "A:1"},
		{"a tag", "A:tag:1", "A:tag:1"},
		{"tags after plain intervals", "A:1-5:foo:1-3:7", "A:1-5:foo:1-3:7"},
		{"tags out of order", "A:foo:1:bar:2", "A:bar:2:foo:1"},
		{"a tag that another begins with", "A:ab:1:a:1:a_:1:a0:1", "A:a:1:a0:1:a_:1:ab:1"},
		{"a tag twice", "A:foo:1-3:bar:1:foo:4", "A:bar:1:foo:1-4"},
		{"tags as separate elements", "A:foo:1,A:1-3,B:1,A:bar:2", "A:1-3:bar:2:foo:1,B:1"},
		{"tags are lowered", "A:FoO_1:1", "A:foo_1:1"},
		{"the longest tag", "A:" + strings.Repeat("x", 32) + ":1", "A:" + strings.Repeat("x", 32) + ":1"},
		{"the highest MySQL number", "A:1-9223372036854775806", "A:1-9223372036854775806"},
		{"more intervals than a length byte counts", "A:" + manyIntervals(100) + ",B:1", "A:" + manyIntervals(100) + ",B:1"},
		{"MariaDB position", "0-1-100", "0-1-100"},
		{"MariaDB first transaction", "0-1-1", "0-1-1"},
		{"MariaDB before the first transaction", "0-1-0", ""},
		{"MariaDB before the first transaction of two domains", "0-1-0,1-1-5,2-1-0 ,3-1-7", "1-1-5,3-1-7"},
		{"MariaDB binlog state as the server prints it", "3-9-101,3-1-100,3-2-102", "3-1-100,3-2-102,3-9-101"},
		{"MariaDB domains", "1-2-50,0-1-100", "0-1-100,1-2-50"},
		{"MariaDB domains are numbers", "10-1-1,9-1-1", "9-1-1,10-1-1"},
		{"MariaDB binlog state", "0-1-90,0-2-100", "0-1-90,0-2-100"},
		{"MariaDB the same writer twice", "0-1-90,0-1-100", "0-1-100"},
		{"MariaDB part of a domain", "0-1-101..150", "0-1-101..150"},
		{"MariaDB one transaction of a domain", "0-1-101..101", "0-1-101..101"},
		{"MariaDB parts of a domain", "0-1-7..9,0-1-3..4", "0-1-3..4,0-1-7..9"},
		{"MariaDB parts that touch", "0-1-100,0-1-101..150", "0-1-150"},
		{"MariaDB the highest ids", "4294967295-4294967295-18446744073709551615", "4294967295-4294967295-18446744073709551615"},
		{"MariaDB ids as long as parts of a UUID", "12345678-1234-1234,23456789-1234-1234", "12345678-1234-1234,23456789-1234-1234"},
		{"both dialects", "A:1,0-1-5", "0-1-5,A:1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := gtids(t, test.text)
			wantGTIDs(t, "the set", g, test.want)
			if again := gtids(t, g.String()); again != g {
				t.Errorf("parsing %q again gives %q", g, again)
			}
		})
	}
}

func manyIntervals(n int) string {
	return strings.TrimPrefix(benchIntervals(n), benchUUID1+":")
}

func TestParseGTIDSetRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"zero", "A:0", "at byte 37: want a number from 1"},
		{"an interval from zero", "A:0-5", "at byte 37: want a number from 1"},
		{"a leading zero", "A:010", "at byte 37: want a number from 1"},
		{"a number too high", "A:9223372036854775807", "want a number up to 9223372036854775806"},
		{"an end too high", "A:1-99999999999999999999", "want a number up to 9223372036854775806"},
		{"a reversed interval", "A:5-3", "at byte 39: want an end that is not below the beginning"},
		{"an interval without an end", "A:5-", "want a number from 1"},
		{"a UUID alone", uuidA, "want a colon and an interval"},
		{"a UUID and a colon", "A:", "want a number from 1"},
		{"a tag alone", "A:foo", "want a colon and an interval"},
		{"two tags", "A:foo:bar:1", "want a number from 1"},
		{"a tag that begins with a digit", "A:1foo:1", "want a comma"},
		{"a tag that is too long", "A:" + strings.Repeat("x", 33) + ":1", "want a tag of at most 32 characters"},
		{"a tag with a dash", "A:fo-o:1", "want a colon and an interval"},
		{"a truncated UUID", uuidA[:20], "want a UUID or domain-server-number"},
		{"a UUID with a wrong digit", "gaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa:1", "at byte 0: want a UUID"},
		{"a trailing comma", "A:1,", "want a UUID or domain-server-number"},
		{"an empty element", "A:1,,B:1", "want a UUID or domain-server-number"},
		{"a trailing colon", "A:1:", "want a number from 1"},
		{"a missing comma", "A:1 B:1", "want a comma"},
		{"a long word is cut short", strings.Repeat("x", 41), `got "` + strings.Repeat("x", 40) + `..."`},
		{"a word", "NULL", "want a UUID or domain-server-number"},
		{"MariaDB part from zero", "0-1-0..5", "want a number from 1"},
		{"MariaDB leading zero", "0-1-05", "want a number from 1"},
		{"MariaDB reversed part", "0-1-5..3", "want an end that is not below the beginning"},
		{"MariaDB part without an end", "0-1-5..", "want a number from 1"},
		{"MariaDB without a number", "0-1", "want a UUID or domain-server-number"},
		{"MariaDB empty domain", "-1-5", "want a UUID or domain-server-number"},
		{"MariaDB domain too high", "4294967296-1-5", "want a UUID or domain-server-number"},
		{"MariaDB domain with a leading zero", "00-1-5", "want a UUID or domain-server-number"},
		{"MariaDB signed number", "0-1-+5", "want a number from 1"},
		{"MariaDB number too high", "0-1-18446744073709551616", "want a number up to 18446744073709551615"},
		{"MariaDB with a colon", "0-1-5:7", "want a comma"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g, err := topology.ParseGTIDSet(full(test.text))
			if err == nil {
				t.Fatalf("parsed as %q", g)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %q, want it to contain %q", err, test.want)
			}
			if !g.IsEmpty() {
				t.Errorf("an error came with the set %q", g)
			}
		})
	}
}

// TestGTIDSetOperations states what each operation answers for a pair of sets;
// missing is b.Subtract(a), what a is behind b.
func TestGTIDSetOperations(t *testing.T) {
	tests := []struct {
		name                                string
		a, b                                string
		union, intersect, subtract, missing string
	}{
		{"both empty", "", "", "", "", "", ""},
		{"one empty", "A:1-5", "", "A:1-5", "", "A:1-5", ""},
		{"the same", "A:1-5,B:1", "A:1-5,B:1", "A:1-5,B:1", "A:1-5,B:1", "", ""},
		{"behind", "A:1-5", "A:1-9", "A:1-9", "A:1-5", "", "A:6-9"},
		{"errant", "A:1-5,B:1", "A:1-9", "A:1-9,B:1", "A:1-5", "B:1", "A:6-9"},
		{"a hole", "A:1-9", "A:5", "A:1-9", "A:5", "A:1-4:6-9", ""},
		{"holes in both", "A:1-3:5-7:9", "A:2-6", "A:1-7:9", "A:2-3:5-6", "A:1:7:9", "A:4"},
		{"touching", "A:1-3", "A:4-6", "A:1-6", "", "A:1-3", "A:4-6"},
		{
			"at the highest number", "A:9223372036854775805", "A:9223372036854775806", "A:9223372036854775805-9223372036854775806", "",
			"A:9223372036854775805", "A:9223372036854775806",
		},
		{"a tag is a source of its own", "A:1-5:foo:1-5", "A:1-3:foo:4-9", "A:1-5:foo:1-9", "A:1-3:foo:4-5", "A:4-5:foo:1-3", "A:foo:6-9"},
		{"sources that alternate", "A:1,C:1", "B:1", "A:1,B:1,C:1", "", "A:1,C:1", "B:1"},

		{"MariaDB behind", "0-1-100", "0-1-150", "0-1-150", "0-1-100", "", "0-1-101..150"},
		{"MariaDB behind another writer", "0-1-100", "0-2-150", "0-1-100,0-2-150", "0-1-100", "", "0-2-101..150"},
		{"MariaDB states with several writers", "0-1-90,0-2-120", "0-1-110,0-3-100", "0-1-110,0-2-120,0-3-100", "0-1-90,0-2-110", "0-2-111..120", ""},
		{"MariaDB domains are apart", "0-1-100,1-1-10", "0-1-90,2-1-5", "0-1-100,1-1-10,2-1-5", "0-1-90", "0-1-91..100,1-1-10", "2-1-5"},
		{
			"MariaDB parts", "0-1-10..20,0-1-30..40", "0-2-15..35", "0-1-10..20,0-1-30..40,0-2-15..35", "0-1-15..20,0-1-30..35",
			"0-1-10..14,0-1-36..40", "0-2-21..29",
		},
		{
			"MariaDB at the highest number", "0-1-18446744073709551614", "0-1-18446744073709551615", "0-1-18446744073709551615",
			"0-1-18446744073709551614", "", "0-1-18446744073709551615..18446744073709551615",
		},
		{"the dialects have nothing in common", "A:1-5", "0-1-5", "0-1-5,A:1-5", "", "A:1-5", "0-1-5"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, b := gtids(t, test.a), gtids(t, test.b)
			wantGTIDs(t, "union", a.Union(b), test.union)
			wantGTIDs(t, "intersection", a.Intersect(b), test.intersect)
			wantGTIDs(t, "difference", a.Subtract(b), test.subtract)
			wantGTIDs(t, "what is missing", b.Subtract(a), test.missing)
			if got, want := a.Behind(b), b.Subtract(a).Count(); got != want {
				t.Errorf("a is behind by %d, want %d", got, want)
			}
			if got, want := a.Contains(b), test.missing == ""; got != want {
				t.Errorf("a contains b is %t, want %t", got, want)
			}
			if got, want := a.Equal(b), test.subtract == "" && test.missing == ""; got != want {
				t.Errorf("a equals b is %t, want %t", got, want)
			}
		})
	}
}

func TestGTIDSetSubtractBySource(t *testing.T) {
	tests := []struct{ name, a, b, want string }{
		{"MySQL as Subtract", "A:1-5:foo:1,B:1", "A:1-3,B:1", "A:4-5:foo:1"},
		{"a fork shows the transaction of the deposed", "0-1-101", "0-1-100,0-2-150", "0-1-101..101"},
		{"no fork", "0-1-100", "0-1-100,0-2-150", ""},
		{"an errant write on a replica", "0-1-150,0-2-101", "0-1-150", "0-2-101"},
		{"a position alone names only its last writer", "0-1-100", "0-2-150", "0-1-100"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantGTIDs(t, "the difference", gtids(t, test.a).SubtractBySource(gtids(t, test.b)), test.want)
		})
	}
}

func TestGTIDSetPosition(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", "", ""},
		{"MySQL", "A:1-5:7,B:1", "A:1-5:7,B:1"},
		{"one writer", "0-1-100,1-1-5", "0-1-100,1-1-5"},
		{"the last writer has the higher id", "0-1-90,0-2-100", "0-2-100"},
		{"the last writer has the lower id", "0-1-100,0-2-90", "0-1-100"},
		{"three writers and a domain beside them", "0-1-90,0-2-100,0-3-95,1-9-5", "0-2-100,1-9-5"},
		{"a binlog state as the server prints it", "3-9-101,3-1-100,3-2-102", "3-2-102"},
		{"parts of a domain", "0-1-10..20,0-2-15..30", "0-2-10..30"},
		{"with MySQL beside", "0-1-90,0-2-100,A:1", "0-2-100,A:1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantGTIDs(t, "the position", gtids(t, test.text).Position(), test.want)
		})
	}
}

func TestGTIDSetEqualAcrossWriters(t *testing.T) {
	a, b := gtids(t, "0-1-100"), gtids(t, "0-2-100")
	if !a.Equal(b) || !a.Contains(b) || !b.Contains(a) {
		t.Error("the same numbers by another writer are not equal")
	}
	if a == b {
		t.Error("the writer is lost")
	}
}

func TestGTIDSetSources(t *testing.T) {
	g := gtids(t, "A:1-5:foo:7:zoo:1,B:1-3,0-1-100,0-2-90,1-1-5")
	if want := []string{"0-1", "0-2", "1-1", uuidA, uuidB}; !slices.Equal(g.Sources(), want) {
		t.Errorf("sources are %q, want %q", g.Sources(), want)
	}
	if got := (topology.GTIDSet{}).Sources(); len(got) != 0 {
		t.Errorf("sources of the empty set are %q", got)
	}
	wantGTIDs(t, "only a", g.Only(strings.ToUpper(uuidA)), "A:1-5:foo:7:zoo:1")
	wantGTIDs(t, "only 0-2", g.Only("0-2"), "0-2-90")
	wantGTIDs(t, "only an unknown source", g.Only(uuidC), "")
	wantGTIDs(t, "without a and 0-1", g.Without(strings.ToUpper(uuidA), "0-1", uuidC), "0-2-90,1-1-5,B:1-3")
	wantGTIDs(t, "without nothing", g.Without(), g.String())
	for source, want := range map[string]uint64{uuidA: 7, strings.ToUpper(uuidB): 3, "0-1": 100, "0-2": 90, uuidC: 0, "": 0} {
		if got := g.Last(source); got != want {
			t.Errorf("the last number of %q is %d, want %d", source, got, want)
		}
	}
}

func TestGTIDSetFlavor(t *testing.T) {
	for text, want := range map[string]topology.Flavor{
		"":            topology.FlavorUnknown,
		"A:1,B:foo:1": topology.FlavorMySQL,
		"0-1-5,1-1-5": topology.FlavorMariaDB,
		"0-1-5,A:1":   topology.FlavorUnknown,
	} {
		if got := gtids(t, text).Flavor(); got != want {
			t.Errorf("the flavour of %q is %q, want %q", text, got, want)
		}
	}
}

func TestGTIDSetCount(t *testing.T) {
	for text, want := range map[string]uint64{
		"":                               0,
		"A:7":                            1,
		"A:1-5:7:foo:1,B:10":             8,
		"0-1-100,0-2-90":                 100,
		"0-1-101..150":                   50,
		"0-1-18446744073709551615":       math.MaxUint64,
		"0-1-18446744073709551615,1-1-1": math.MaxUint64,
		"A:1-9223372036854775806,B:1-9223372036854775806,C:1":      math.MaxUint64 - 2,
		"A:1-9223372036854775806,B:1-9223372036854775806,C:1-1000": math.MaxUint64,
	} {
		if got := gtids(t, text).Count(); got != want {
			t.Errorf("the count of %q is %d, want %d", text, got, want)
		}
	}
}

func TestGTIDSetText(t *testing.T) {
	type record struct {
		Executed topology.GTIDSet `json:"executed"`
		Lost     topology.GTIDSet `json:"lost,omitzero"`
	}
	in := record{Executed: gtids(t, "A:1-5,B:7")}
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if want := full(`{"executed":"A:1-5,B:7"}`); string(data) != want {
		t.Errorf("JSON is %s, want %s", data, want)
	}
	var out record
	if err := json.Unmarshal(data, &out); err != nil || out != in {
		t.Errorf("JSON comes back as %v, %v", out, err)
	}
	before := out
	if err := json.Unmarshal([]byte(`{"executed":"A:"}`), &out); err == nil || out != before {
		t.Errorf("bad JSON gives %v, %v", out, err)
	}
}

func TestDecodeGTIDSetRefuses(t *testing.T) {
	entry := func(tail string) string { return "\x02" + strings.Repeat("a", 16) + tail }
	tests := []struct{ name, data, want string }{
		{"nothing", "", "not a number"},
		{"less than announced", "\x05\x01", "truncated"},
		{"an unknown kind", sized("\x03aaaaaaaaaaaaaaaaaaaaaaa"), "not the key of an entry"},
		{"half a MariaDB key", sized("\x01aaaa"), "not the key of an entry"},
		{"half a UUID", sized("\x02aaaa"), "not the key of an entry"},
		{"a key alone", sized(entry("\x00")), "not a number"},
		{"no intervals", sized(entry("\x00\x00")), "entry without intervals"},
		{"intervals that are not all there", sized(entry("\x00\x03\x00\x04")), "truncated intervals"},
		{"half an interval", sized(entry("\x00\x01\x00")), "not a number"},
		{"a long form of a short number", sized(entry("\x00\x03\x80\x00\x04")), "not a number"},
		{"a tag in upper case", sized(entry("Foo\x00\x02\x00\x04")), "not a tag"},
		{"a tag that begins with a digit", sized(entry("1\x00\x02\x00\x04")), "not a tag"},
		{"a tag without an end", sized(entry("foo")), "not a tag"},
		{"a tag that is too long", sized(entry(strings.Repeat("x", 33) + "\x00\x02\x00\x04")), "not a tag"},
		{"the same key twice", sized(entry("\x00\x02\x00\x04") + entry("\x00\x02\x00\x04")), "entries out of order"},
		{"a number too high", sized(entry("\x00\x0a\xfe\xff\xff\xff\xff\xff\xff\xff\x7f\x00")), "beyond the highest number"},
		{"an end too high", sized(entry("\x00\x0b\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")), "beyond the highest number"},
		{"an interval behind the last", sized("\x01aaaaaaaa\x0d\x00\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00"), "beyond the highest number"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g, rest, err := topology.DecodeGTIDSet([]byte(test.data))
			if err == nil {
				t.Fatalf("decoded as %q", g)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %q, want it to contain %q", err, test.want)
			}
			if !g.IsEmpty() || rest != nil {
				t.Errorf("an error came with %q and %q", g, rest)
			}
		})
	}
}

// sized puts the length that DecodeGTIDSet expects in front of an encoding.
func sized(enc string) string { return string(rune(len(enc))) + enc }
