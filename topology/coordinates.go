package topology

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Coordinates are a place in the binary logs of one server. The zero value is
// no place at all.
type Coordinates struct {
	File string
	Pos  uint64
}

// ParseCoordinates reads file:position, as String prints it. An empty text is
// the zero value.
func ParseCoordinates(text string) (Coordinates, error) {
	if text == "" {
		return Coordinates{}, nil
	}
	at := strings.LastIndexByte(text, ':')
	if at <= 0 {
		return Coordinates{}, fmt.Errorf("parse binary log coordinates: want file:position, got %.80q", text)
	}
	pos, err := strconv.ParseUint(text[at+1:], 10, 64)
	if err != nil {
		return Coordinates{}, fmt.Errorf("parse binary log coordinates: want a number after the colon, got %.80q", text)
	}
	return Coordinates{File: text[:at], Pos: pos}, nil
}

// IsZero reports whether there is no place.
func (c Coordinates) IsZero() bool { return c == Coordinates{} }

// String returns file:position, or the empty string for the zero value.
func (c Coordinates) String() string {
	if c.IsZero() {
		return ""
	}
	return c.File + ":" + strconv.FormatUint(c.Pos, 10)
}

// Compare orders two places in the logs of one server: negative when c comes
// first. The numbers that files end in are compared as numbers, for binlog.1000000
// follows binlog.999999. Files that differ in more than their number, and the
// zero value, cannot be compared: ok is false.
func (c Coordinates) Compare(other Coordinates) (order int, ok bool) {
	if c.File == "" || other.File == "" {
		return 0, false
	}
	if c.File == other.File {
		return cmp.Compare(c.Pos, other.Pos), true
	}
	base, number := splitLogFile(c.File)
	otherBase, otherNumber := splitLogFile(other.File)
	if base != otherBase || number == "" || otherNumber == "" {
		return 0, false
	}
	return cmp.Or(
		cmp.Compare(len(number), len(otherNumber)),
		cmp.Compare(number, otherNumber),
		cmp.Compare(c.Pos, other.Pos),
	), true
}

// splitLogFile splits a file name into its base and its number without leading
// zeros, which is empty if the name does not end in one.
func splitLogFile(file string) (base, number string) {
	base = strings.TrimRight(file, "0123456789")
	digits := file[len(base):]
	if digits == "" || !strings.HasSuffix(base, ".") {
		return file, ""
	}
	if number = strings.TrimLeft(digits, "0"); number == "" {
		number = "0"
	}
	return base, number
}

// MarshalText implements encoding.TextMarshaler with String.
func (c Coordinates) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler with ParseCoordinates.
func (c *Coordinates) UnmarshalText(text []byte) error {
	parsed, err := ParseCoordinates(string(text))
	if err != nil {
		return err
	}
	*c = parsed
	return nil
}
