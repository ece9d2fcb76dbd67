package topology_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/batondb/baton/topology"
)

func version(t *testing.T, text, comment string) topology.Version {
	t.Helper()
	v, err := topology.ParseVersion(text, comment)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestParseVersion(t *testing.T) {
	const (
		mysql   = topology.FlavorMySQL
		percona = topology.FlavorPercona
		mariadb = topology.FlavorMariaDB
	)
	tests := []struct {
		text, comment  string
		want           topology.Version
		series, prints string
	}{
		{"9.7.4", "MySQL Community Server - GPL", topology.Version{mysql, 9, 7, 4, ""}, "9.7", "9.7.4"},
		{"9.7.4-2", "(Debian)", topology.Version{mysql, 9, 7, 4, "-2"}, "9.7", "9.7.4-2"},
		{"8.4.0-commercial", "MySQL Enterprise Server - Commercial", topology.Version{mysql, 8, 4, 0, "-commercial"}, "8.4", "8.4.0-commercial"},
		{"8.0.36-0ubuntu0.22.04.1", "(Ubuntu)", topology.Version{mysql, 8, 0, 36, "-0ubuntu0.22.04.1"}, "8.0", "8.0.36-0ubuntu0.22.04.1"},
		{"5.6.24", "MySQL Community Server (GPL)", topology.Version{mysql, 5, 6, 24, ""}, "5.6", "5.6.24"},
		{"5.5.5", "", topology.Version{mysql, 5, 5, 5, ""}, "5.5", "5.5.5"},
		{"5.5.5-m3-log", "", topology.Version{mysql, 5, 5, 5, "-m3-log"}, "5.5", "5.5.5-m3-log"},
		{"8.0", "", topology.Version{mysql, 8, 0, 0, ""}, "8.0", "8.0.0"},
		{" 8.0.36\n", "", topology.Version{mysql, 8, 0, 36, ""}, "8.0", "8.0.36"},
		{"8.0.mysql_aurora.3.04.0", "", topology.Version{mysql, 8, 0, 0, ".mysql_aurora.3.04.0"}, "8.0", "8.0.0.mysql_aurora.3.04.0"},
		{"8.0.36-28", "Percona Server (GPL), Release 28, Revision 47601f19", topology.Version{percona, 8, 0, 36, "-28"}, "8.0", "8.0.36-28"},
		{"8.0.36-28.1", "Percona XtraDB Cluster (GPL), Release rel28", topology.Version{percona, 8, 0, 36, "-28.1"}, "8.0", "8.0.36-28.1"},
		{"10.11.6-MariaDB-0+deb12u1-log", "Debian 12", topology.Version{mariadb, 10, 11, 6, "-MariaDB-0+deb12u1-log"}, "10.11", "10.11.6-MariaDB-0+deb12u1-log"},
		{"5.5.5-10.11.6-MariaDB", "", topology.Version{mariadb, 10, 11, 6, "-MariaDB"}, "10.11", "10.11.6-MariaDB"},
		{"5.5.5-MariaDB", "", topology.Version{mariadb, 5, 5, 5, "-MariaDB"}, "5.5", "5.5.5-MariaDB"},
		{"11.8.3-mariadb", "", topology.Version{mariadb, 11, 8, 3, "-mariadb"}, "11.8", "11.8.3-mariadb"},
		{"10.6.14-log", "managed MariaDB", topology.Version{mariadb, 10, 6, 14, "-log"}, "10.6", "10.6.14-log"},
	}
	for _, test := range tests {
		t.Run(strings.TrimSpace(test.text), func(t *testing.T) {
			v := version(t, test.text, test.comment)
			if v != test.want {
				t.Errorf("got %#v, want %#v", v, test.want)
			}
			if v.Series() != test.series || v.String() != test.prints {
				t.Errorf("series and text are %q, %q, want %q, %q", v.Series(), v, test.series, test.prints)
			}
			if v.IsMariaDB() != (test.want.Flavor == mariadb) {
				t.Errorf("IsMariaDB is %t", v.IsMariaDB())
			}
			data, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			var back topology.Version
			if err := json.Unmarshal(data, &back); err != nil || back != v {
				t.Errorf("%s comes back as %#v, %v", data, back, err)
			}
		})
	}
}

func TestParseVersionRefuses(t *testing.T) {
	for _, text := range []string{"", "8", "8.", ".0.36", "x8.0.36", "-MariaDB", "0.1.2", "8.x", "1234567.0.0", "8.12345678901234567890.1"} {
		v, err := topology.ParseVersion(text, "MySQL Community Server - GPL")
		if err == nil || !v.IsZero() {
			t.Errorf("%q is parsed as %#v, %v", text, v, err)
		}
	}
}

func TestZeroVersionIsNotKnown(t *testing.T) {
	var v topology.Version
	if !v.IsZero() || v.String() != "" || v.Series() != "" || v.IsMariaDB() || v.AtLeast(0, 0, 1) {
		t.Errorf("the zero version says %q of series %q", v, v.Series())
	}
}

func TestVersionCompare(t *testing.T) {
	const percona = "Percona Server"
	tests := []struct {
		name        string
		a, commentA string
		b, commentB string
		want        int
		comparable  bool
	}{
		{"patch", "8.0.36", "", "8.0.37", "", -1, true},
		{"minor", "8.4.0", "", "8.0.37", "", 1, true},
		{"major", "8.4.9", "", "9.0.0", "", -1, true},
		{"numbers, not text", "10.6.9-MariaDB", "", "10.11.1-MariaDB", "", -1, true},
		{"the same", "8.0.36", "", "8.0.36-log", "", 0, true},
		{"MySQL and Percona", "8.0.36-28", percona, "8.0.36", "", 0, true},
		{"Percona and MySQL", "8.0.35-27", percona, "8.0.36", "", -1, true},
		{"MySQL and MariaDB", "8.0.36", "", "10.11.6-MariaDB", "", 0, false},
		{"Percona and MariaDB", "8.0.36-28", percona, "10.11.6-MariaDB", "", 0, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, b := version(t, test.a, test.commentA), version(t, test.b, test.commentB)
			if got, ok := a.Compare(b); got != test.want || ok != test.comparable {
				t.Errorf("compares as %d, %t, want %d, %t", got, ok, test.want, test.comparable)
			}
			if got, ok := b.Compare(a); got != -test.want || ok != test.comparable {
				t.Errorf("compares the other way as %d, %t, want %d, %t", got, ok, -test.want, test.comparable)
			}
			if _, ok := a.Compare(topology.Version{}); ok {
				t.Error("compares with a version that is not known")
			}
			if _, ok := (topology.Version{}).Compare(topology.Version{}); ok {
				t.Error("two versions that are not known compare")
			}
		})
	}
}

func TestVersionAtLeast(t *testing.T) {
	v := version(t, "8.0.22", "")
	for _, test := range []struct {
		major, minor, patch int
		want                bool
	}{
		{8, 0, 22, true}, {8, 0, 21, true}, {8, 0, 23, false}, {5, 7, 99, true}, {8, 1, 0, false}, {9, 0, 0, false}, {7, 9, 99, true},
	} {
		if got := v.AtLeast(test.major, test.minor, test.patch); got != test.want {
			t.Errorf("8.0.22 is at least %d.%d.%d: %t, want %t", test.major, test.minor, test.patch, got, test.want)
		}
	}
}

func TestMayReplicateFrom(t *testing.T) {
	tests := []struct {
		replica, source string
		want            bool
		why             string
	}{
		{"8.0.36", "8.0.36", true, ""},
		{"8.0.36", "8.0.20", true, ""},
		{"8.0.20", "8.0.36", true, ""},
		{"9.7.1", "9.7.4", true, ""},
		{"5.7.44", "8.0.36", false, "the source is of series 8.0 and the replica of 5.7, which is older"},
		{"8.0.36", "8.4.0", false, "the source is of series 8.4 and the replica of 8.0, which is older"},
		{"9.1.0", "9.2.0", false, "the source is of series 9.2 and the replica of 9.1, which is older"},
		{"5.6.51", "5.5.62", true, ""},
		{"5.7.44", "5.6.51", true, ""},
		{"5.7.44", "5.5.62", false, "from 5.5 to 5.7 is more than one step between long-term series"},
		{"8.0.36", "5.7.44", true, ""},
		{"8.0.36", "5.6.51", false, "from 5.6 to 8.0 is more than one step between long-term series"},
		{"8.1.0", "8.0.36", true, ""},
		{"8.4.3", "8.0.36", true, ""},
		{"8.4.3", "8.1.0", true, ""},
		{"8.4.3", "5.7.44", false, "from 5.7 to 8.4 is more than one step between long-term series"},
		{"9.2.0", "8.4.3", true, ""},
		{"9.7.4", "8.4.3", true, ""},
		{"9.7.4", "9.2.0", true, ""},
		{"9.7.4", "8.0.36", false, "from 8.0 to 9.7 is more than one step between long-term series"},
		{"10.11.6-MariaDB", "10.11.9-MariaDB", true, ""},
		{"11.8.3-MariaDB", "10.4.1-MariaDB", true, ""},
		{"10.6.16-MariaDB", "10.11.6-MariaDB", false, "the source is of series 10.11 and the replica of 10.6, which is older"},
		{"10.11.6-MariaDB", "5.7.44", true, "MariaDB follows MySQL 5.7 by file and position only, not by GTID"},
		{"10.11.6-MariaDB", "8.0.36", false, "MariaDB 10.11 is not sure to understand the binary logs of MySQL 8.0"},
		{"8.0.36", "10.11.6-MariaDB", false, "MySQL 8.0 cannot read the binary logs of MariaDB 10.11"},
	}
	for _, test := range tests {
		t.Run(test.replica+" from "+test.source, func(t *testing.T) {
			got, why := version(t, test.replica, "").MayReplicateFrom(version(t, test.source, ""))
			if got != test.want || why != test.why {
				t.Errorf("got %t, %q, want %t, %q", got, why, test.want, test.why)
			}
		})
	}
}

func TestMayReplicateFromUnknown(t *testing.T) {
	known := version(t, "8.0.36-28", "Percona Server")
	for _, test := range []struct {
		replica, source topology.Version
		want            bool
		why             string
	}{
		{topology.Version{}, known, false, "the version of the replica is not known"},
		{known, topology.Version{}, false, "the version of the source is not known"},
		{known, version(t, "8.0.36", ""), true, ""},
		{version(t, "8.0.36", ""), known, true, ""},
	} {
		if got, why := test.replica.MayReplicateFrom(test.source); got != test.want || why != test.why {
			t.Errorf("%#v from %#v: got %t, %q, want %t, %q", test.replica, test.source, got, why, test.want, test.why)
		}
	}
}

// FuzzParseVersion: whatever parses is printed in a form that parses the same.
func FuzzParseVersion(f *testing.F) {
	for _, seed := range []string{"9.7.4", "8.0", "5.5.5-10.11.6-MariaDB", "5.5.5-5.5.5-10.1-MariaDB", "8.0.mysql_aurora.3.04.0", "10.6.14-log", "8..1", "8.0. 1"} {
		f.Add(seed, "")
		f.Add(seed, "Percona Server")
	}
	f.Fuzz(func(t *testing.T, text, comment string) {
		v, err := topology.ParseVersion(text, comment)
		if err != nil {
			if !v.IsZero() {
				t.Fatalf("%v came with %#v", err, v)
			}
			return
		}
		again, err := topology.ParseVersion(v.String(), comment)
		if err != nil || again != v {
			t.Fatalf("%#v comes back as %#v, %v", v, again, err)
		}
		if ok, why := v.MayReplicateFrom(v); !ok {
			t.Fatalf("%s may not replicate from itself: %s", v, why)
		}
	})
}
