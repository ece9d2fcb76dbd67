package topology

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Flavor names a line of servers that speak the same SQL and version alike.
type Flavor string

// The flavours that ParseVersion tells apart.
const (
	FlavorUnknown Flavor = ""
	FlavorMySQL   Flavor = "mysql"
	FlavorPercona Flavor = "percona"
	FlavorMariaDB Flavor = "mariadb"
)

// Version is the version of a server. It is comparable, and its zero value is
// a version that is not known.
type Version struct {
	Flavor Flavor `json:"flavor,omitempty"`
	Major  int    `json:"major,omitempty"`
	Minor  int    `json:"minor,omitempty"`
	Patch  int    `json:"patch,omitempty"`
	Suffix string `json:"suffix,omitempty"` // what follows the numbers, as the server prints it: "-28", "-MariaDB-log"
}

// ParseVersion reads the variables version and version_comment. Only the comment
// tells Percona Server from MySQL: the release behind the version does not, for
// what Percona calls 8.0.36-28 looks like what Debian calls 9.7.4-2. A server that
// does not say that it is Percona Server or MariaDB is taken for MySQL.
func ParseVersion(version, comment string) (Version, error) {
	v, ok := cutVersion(strings.TrimSpace(version))
	if !ok {
		return Version{}, fmt.Errorf("parse server version: want major.minor.patch, got %.80q", version)
	}
	// MariaDB 10 claims to be 5.5.5-10.11.6, for replicas that read only the first digit.
	for v.Major == 5 && v.Minor == 5 && v.Patch == 5 && mentions(v.Suffix, "mariadb") {
		behind, ok := cutVersion(strings.TrimPrefix(v.Suffix, "-"))
		if !ok {
			break
		}
		v = behind
	}
	v.Flavor = FlavorMySQL
	switch {
	case mentions(v.Suffix, "mariadb"), mentions(comment, "mariadb"):
		v.Flavor = FlavorMariaDB
	case mentions(comment, "percona"):
		v.Flavor = FlavorPercona
	}
	return v, nil
}

// cutVersion reads the numbers of a version and takes the rest for its suffix.
func cutVersion(text string) (v Version, ok bool) {
	if v.Major, text, ok = cutNumber(text); !ok || v.Major == 0 {
		return Version{}, false
	}
	if text, ok = strings.CutPrefix(text, "."); !ok {
		return Version{}, false
	}
	if v.Minor, v.Suffix, ok = cutNumber(text); !ok {
		return Version{}, false
	}
	if after, found := strings.CutPrefix(v.Suffix, "."); found {
		if n, rest, isNumber := cutNumber(after); isNumber {
			v.Patch, v.Suffix = n, rest
		}
	}
	return v, true
}

// cutNumber cuts the number that the text begins with. Six digits are more than
// any version has, and less than any int overflows at.
func cutNumber(text string) (n int, rest string, ok bool) {
	digits := 0
	for digits < len(text) && '0' <= text[digits] && text[digits] <= '9' {
		digits++
	}
	if digits == 0 || digits > 6 {
		return 0, text, false
	}
	n, err := strconv.Atoi(text[:digits])
	return n, text[digits:], err == nil
}

func mentions(text, lowered string) bool {
	return strings.Contains(strings.ToLower(text), lowered)
}

// IsZero reports whether the version is not known.
func (v Version) IsZero() bool { return v == Version{} }

// IsMariaDB reports whether the server is a MariaDB server.
func (v Version) IsMariaDB() bool { return v.Flavor == FlavorMariaDB }

// String returns the version as the server prints it, without the 5.5.5 that
// MariaDB 10 puts in front; the empty string if it is not known.
func (v Version) String() string {
	if v.IsZero() {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d%s", v.Major, v.Minor, v.Patch, v.Suffix)
}

// Series returns major and minor, such as "8.0" or "10.11": what a maker calls a
// release. It is empty if the version is not known.
func (v Version) Series() string {
	if v.IsZero() {
		return ""
	}
	return strconv.Itoa(v.Major) + "." + strconv.Itoa(v.Minor)
}

// Compare orders two versions of one family by their numbers: negative when v
// is older. MySQL and Percona Server are one family, MariaDB is another, and
// between families, or when one is not known, there is no order: ok is false.
func (v Version) Compare(other Version) (order int, ok bool) {
	if v.family() == FlavorUnknown || v.family() != other.family() {
		return 0, false
	}
	return v.compareNumbers(other), true
}

// AtLeast reports whether the numbers of the version are these or higher. The
// caller knows which family it asks about: MariaDB 10 is not newer than MySQL 9.
func (v Version) AtLeast(major, minor, patch int) bool {
	return v.compareNumbers(Version{Major: major, Minor: minor, Patch: patch}) >= 0
}

func (v Version) compareNumbers(other Version) int {
	return cmp.Or(v.compareSeries(other), cmp.Compare(v.Patch, other.Patch))
}

func (v Version) compareSeries(other Version) int {
	return cmp.Or(cmp.Compare(v.Major, other.Major), cmp.Compare(v.Minor, other.Minor))
}

func (v Version) family() Flavor {
	if v.Flavor == FlavorPercona {
		return FlavorMySQL
	}
	return v.Flavor
}

// MayReplicateFrom reports whether a server of this version can be a replica of
// one of the source's version, and why not. A yes can come with a reason too:
// what will not work.
//
// A replica may be of the same series as its source, whatever the patch, or of
// a newer one; never of an older one, which meets events it does not know. MySQL
// further supports only one step from one long-term series to the next: 5.5,
// 5.6, 5.7, 8.0, 8.4 (with 8.1 to 8.3), 9.7 (with 9.0 to 9.6).
func (v Version) MayReplicateFrom(source Version) (ok bool, why string) {
	switch {
	case v.family() == FlavorUnknown:
		return false, "the version of the replica is not known"
	case source.family() == FlavorUnknown:
		return false, "the version of the source is not known"
	case source.IsMariaDB() && !v.IsMariaDB():
		return false, fmt.Sprintf("MySQL %s cannot read the binary logs of MariaDB %s", v.Series(), source.Series())
	case v.IsMariaDB() && !source.IsMariaDB() && source.AtLeast(8, 0, 0):
		return false, fmt.Sprintf("MariaDB %s is not sure to understand the binary logs of MySQL %s", v.Series(), source.Series())
	case v.IsMariaDB() && !source.IsMariaDB():
		return true, fmt.Sprintf("MariaDB follows MySQL %s by file and position only, not by GTID", source.Series())
	case v.compareSeries(source) < 0:
		return false, fmt.Sprintf("the source is of series %s and the replica of %s, which is older", source.Series(), v.Series())
	case !v.IsMariaDB() && v.step()-source.step() > 1:
		return false, fmt.Sprintf("from %s to %s is more than one step between long-term series", source.Series(), v.Series())
	}
	return true, ""
}

// step numbers the long-term series of MySQL; an innovation release counts as the
// long-term series it leads to. Series to come are taken to follow the last
// pattern, one long-term series for each major version.
func (v Version) step() int {
	switch {
	case v.Major < 5 || v.Major == 5 && v.Minor <= 5:
		return 0
	case v.Major == 5 && v.Minor == 6:
		return 1
	case v.Major <= 7:
		return 2
	case v.Major == 8 && v.Minor == 0:
		return 3
	default:
		return v.Major - 4 // 8.4: 4, 9.7: 5
	}
}
