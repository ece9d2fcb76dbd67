package topology

import (
	"fmt"
	"slices"
	"strings"
)

// GTIDSet is an immutable set of transactions, named by their global
// transaction identifiers. The zero value is the empty set.
//
// It speaks both dialects:
//
//	MySQL    3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7:tag:1-3
//	MariaDB  0-1-100,1-7-20
//
// A MariaDB position means "everything in this domain up to this number", and
// sequence numbers are shared by all servers that write to a domain. Contains,
// Equal, Subtract, Intersect, Count and Behind therefore compare MariaDB sets
// domain by domain and disregard who wrote. That is right as long as numbers
// ascend in a domain, which gtid_strict_mode enforces; after a write of its own
// a replica's gtid_binlog_state can run ahead of what it has from its source, so
// that a comparison of who has more belongs to positions. The server ids are
// kept all the same, because they are how a forked domain is recognised; see
// SubtractBySource. A part of a domain that does not begin at 1, as Subtract
// leaves it, is written with both ends: 0-1-101..150.
//
// The dialects have no transaction in common: a MySQL set neither contains nor
// diminishes a MariaDB set. Their union holds both, and so no server contains
// it, which is what a comparison across a mixed cluster has to answer.
//
// Two sets that are == are the same in every respect. Two sets that hold the
// same transactions are Equal; for MySQL these are one and the same, for
// MariaDB 0-1-100 and 0-2-100 are Equal but not ==.
type GTIDSet struct {
	// enc is the canonical encoding described in gtid_encoding.go. A string
	// keeps the set immutable, comparable and free to copy.
	enc string
}

// ParseGTIDSet reads a set as servers print it, in either dialect, and as
// String prints it. Space, including line breaks, may surround elements,
// intervals and tags. Intervals may overlap and come in any order; tags are
// lowered, as the server does. An empty text is the empty set, and so is the
// MariaDB position 0-1-0.
//
// It is stricter than the servers where their leniency would hide damage: an
// empty element, an element without an interval and an interval that ends
// before it begins are errors, because truncated text looks like that.
func ParseGTIDSet(text string) (GTIDSet, error) {
	var (
		room    [256]byte // most sets fit, so that the result is the only allocation
		b       = builder{buf: room[:0]}
		scan    = gtidScanner{text: text}
		inOrder bool // the open entry is the scanner's
		loose   []looseSpan
	)
	for scan.next() {
		if scan.last < scan.first {
			continue
		}
		if scan.newKey {
			key := scan.key[:scan.keyLen]
			if inOrder = b.precedes(key); inOrder {
				b = b.close().open(string(key))
			}
		}
		if inOrder && b.continues(scan.first) {
			b = b.span(scan.first, scan.last)
		} else {
			// Servers print in order: this is for what people write.
			loose = append(loose, looseSpan{string(scan.key[:scan.keyLen]), scan.first, scan.last})
		}
	}
	if scan.err != nil {
		return GTIDSet{}, fmt.Errorf("parse GTID set: %w", scan.err)
	}
	g := GTIDSet{enc: string(b.close().buf)}
	if loose != nil {
		g = g.Union(GTIDSet{enc: encodeLoose(loose)})
	}
	return g, nil
}

// MustParseGTIDSet is ParseGTIDSet for text that is known to be right, such as
// a constant; it panics when it is not.
func MustParseGTIDSet(text string) GTIDSet {
	g, err := ParseGTIDSet(text)
	if err != nil {
		panic(err)
	}
	return g
}

// String returns the set in its canonical form: one line, elements ascending by
// source and tag, intervals ascending and merged. ParseGTIDSet returns the
// identical set for it.
func (g GTIDSet) String() string {
	if g.enc == "" {
		return ""
	}
	var room [512]byte
	return string(g.appendText(room[:0]))
}

func (g GTIDSet) appendText(buf []byte) []byte {
	var previous string
	for e := (entries{rest: g.enc}); e.next(); previous = e.key {
		if e.key[0] == kindMariaDB {
			buf = appendMariaDB(buf, e.key, e.spans)
		} else {
			buf = appendMySQL(buf, previous, e.key, e.spans)
		}
	}
	return buf
}

// MarshalText implements encoding.TextMarshaler with String.
func (g GTIDSet) MarshalText() ([]byte, error) {
	return g.appendText(nil), nil
}

// UnmarshalText implements encoding.TextUnmarshaler with ParseGTIDSet.
func (g *GTIDSet) UnmarshalText(text []byte) error {
	parsed, err := ParseGTIDSet(string(text))
	if err != nil {
		return err
	}
	*g = parsed
	return nil
}

// IsEmpty reports whether the set holds no transaction.
func (g GTIDSet) IsEmpty() bool { return g.enc == "" }

// Flavor returns FlavorMySQL or FlavorMariaDB, after the dialect of the set. It
// returns FlavorUnknown for the empty set and for a set that mixes both.
func (g GTIDSet) Flavor() Flavor {
	flavor := FlavorUnknown
	for e := (entries{rest: g.enc}); e.next(); {
		this := FlavorMySQL
		if e.key[0] == kindMariaDB {
			this = FlavorMariaDB
		}
		if flavor != FlavorUnknown && flavor != this {
			return FlavorUnknown
		}
		flavor = this
	}
	return flavor
}

// Sources returns who wrote the transactions of the set, ascending and without
// repetition: the UUIDs of MySQL servers (tags do not matter), and domain-server
// for MariaDB, such as "0-1".
func (g GTIDSet) Sources() []string {
	var sources []string
	for e := (entries{rest: g.enc}); e.next(); {
		source := string(appendSource(nil, e.key))
		if len(sources) == 0 || sources[len(sources)-1] != source {
			sources = append(sources, source)
		}
	}
	return sources
}

// Only returns the transactions that the source wrote. Sources are named as
// Sources names them; the case of a UUID does not matter.
func (g GTIDSet) Only(source string) GTIDSet {
	return g.filter(func(s string) bool { return strings.EqualFold(s, source) })
}

// Without returns the transactions that none of the sources wrote. Sources are
// named as Sources names them; the case of a UUID does not matter.
func (g GTIDSet) Without(sources ...string) GTIDSet {
	return g.filter(func(s string) bool {
		return !slices.ContainsFunc(sources, func(source string) bool { return strings.EqualFold(s, source) })
	})
}

func (g GTIDSet) filter(keep func(source string) bool) GTIDSet {
	var room [64]byte
	kept := make([]byte, 0, len(g.enc))
	for e := (entries{rest: g.enc}); ; {
		before := e.rest
		if !e.next() {
			return GTIDSet{enc: string(kept)}
		}
		if keep(string(appendSource(room[:0], e.key))) {
			kept = append(kept, before[:len(before)-len(e.rest)]...)
		}
	}
}

// Last returns the highest sequence number that the source wrote in the set, of
// any tag, or 0 when there is none.
func (g GTIDSet) Last(source string) uint64 {
	var last uint64
	for e := (entries{rest: g.Only(source).enc}); e.next(); {
		for s := (spans{rest: e.spans}); s.next(); {
			last = max(last, s.last)
		}
	}
	return last
}
