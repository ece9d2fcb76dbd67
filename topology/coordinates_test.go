package topology_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/batondb/baton/topology"
)

func TestParseCoordinates(t *testing.T) {
	tests := []struct {
		text string
		want topology.Coordinates
	}{
		{"", topology.Coordinates{}},
		{"binlog.000001:4", topology.Coordinates{File: "binlog.000001", Pos: 4}},
		{"mysql-bin.1000000:18446744073709551615", topology.Coordinates{File: "mysql-bin.1000000", Pos: 1<<64 - 1}},
		{"odd:name.000001:0", topology.Coordinates{File: "odd:name.000001"}},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			c, err := topology.ParseCoordinates(test.text)
			if err != nil || c != test.want {
				t.Fatalf("got %#v, %v, want %#v", c, err, test.want)
			}
			if c.String() != test.text {
				t.Errorf("prints as %q", c)
			}
			if c.IsZero() != (test.text == "") {
				t.Errorf("IsZero is %t", c.IsZero())
			}
			data, err := json.Marshal(c)
			if err != nil || string(data) != `"`+test.text+`"` {
				t.Errorf("JSON is %s, %v", data, err)
			}
			var back topology.Coordinates
			if err := json.Unmarshal(data, &back); err != nil || back != c {
				t.Errorf("%s comes back as %#v, %v", data, back, err)
			}
		})
	}
}

func TestParseCoordinatesRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"binlog.000001":                       "want file:position",
		":4":                                  "want file:position",
		"binlog.000001:":                      "want a number after the colon",
		"binlog.000001:x":                     "want a number after the colon",
		"binlog.000001:-4":                    "want a number after the colon",
		"binlog.000001:+4":                    "want a number after the colon",
		"binlog.000001:18446744073709551616":  "want a number after the colon",
		"binlog.000001: 4":                    "want a number after the colon",
		strings.Repeat("x", 200):              "want file:position",
		strings.Repeat("x", 200) + ":notanum": "want a number after the colon",
	} {
		c, err := topology.ParseCoordinates(text)
		if err == nil || !c.IsZero() || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is parsed as %#v, %v, want an error with %q", text, c, err, want)
		}
	}
	unchanged := topology.Coordinates{File: "binlog.000001", Pos: 4}
	if err := unchanged.UnmarshalText([]byte(":")); err == nil || unchanged.Pos != 4 {
		t.Errorf("bad text changed the value to %q, %v", unchanged, err)
	}
}

func TestCoordinatesCompare(t *testing.T) {
	tests := []struct {
		name, a, b string
		want       int
		ok         bool
	}{
		{"same place", "binlog.000007:4", "binlog.000007:4", 0, true},
		{"same file", "binlog.000007:4", "binlog.000007:120", -1, true},
		{"positions are numbers", "binlog.000007:99", "binlog.000007:120", -1, true},
		{"next file", "binlog.000007:900", "binlog.000008:4", -1, true},
		{"the number grows a digit", "binlog.999999:900", "binlog.1000000:4", -1, true},
		{"numbers beyond any integer", "binlog.99999999999999999999:4", "binlog.100000000000000000000:4", -1, true},
		{"the same number with other zeros", "binlog.07:4", "binlog.000007:5", -1, true},
		{"number zero", "binlog.000000:4", "binlog.000001:4", -1, true},
		{"another name", "binlog.000007:4", "mysql-bin.000007:4", 0, false},
		{"a number within the name", "db1-bin.000007:4", "db2-bin.000007:4", 0, false},
		{"a name that ends in digits without a dot", "binlog7:4", "binlog8:4", 0, false},
		{"no numbers", "binlog.old:4", "binlog.new:4", 0, false},
		{"no numbers, same file", "binlog.old:4", "binlog.old:5", -1, true},
		{"one is nowhere", "binlog.000007:4", "", 0, false},
		{"both are nowhere", "", "", 0, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, errA := topology.ParseCoordinates(test.a)
			b, errB := topology.ParseCoordinates(test.b)
			if errA != nil || errB != nil {
				t.Fatal(errA, errB)
			}
			if got, ok := a.Compare(b); got != test.want || ok != test.ok {
				t.Errorf("compares as %d, %t, want %d, %t", got, ok, test.want, test.ok)
			}
			if got, ok := b.Compare(a); got != -test.want || ok != test.ok {
				t.Errorf("compares the other way as %d, %t, want %d, %t", got, ok, -test.want, test.ok)
			}
		})
	}
}

// FuzzParseCoordinates: whatever parses is printed in a form that parses the
// same, and is at the same place as itself.
func FuzzParseCoordinates(f *testing.F) {
	for _, seed := range []string{"", "binlog.000001:4", "a:b:1", "binlog.:1", ".1:007", "x:18446744073709551615"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := topology.ParseCoordinates(text)
		if err != nil {
			if !c.IsZero() {
				t.Fatalf("%v came with %#v", err, c)
			}
			return
		}
		if again, err := topology.ParseCoordinates(c.String()); err != nil || again != c {
			t.Fatalf("%#v comes back as %#v, %v", c, again, err)
		}
		if order, ok := c.Compare(c); order != 0 || ok == c.IsZero() {
			t.Fatalf("%q compares with itself as %d, %t", c, order, ok)
		}
	})
}
