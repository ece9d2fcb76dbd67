package topology

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A set is encoded as entries, ascending by key:
//
//	entry  key uvarint(len(spans)) spans
//	key    kindMariaDB domain[4] server[4]    (big endian)
//	       kindMySQL   uuid[16] tag NUL
//	spans  for each interval, ascending: uvarint(first-floor-1) uvarint(last-first)
//
// The floor is the highest number that the interval cannot begin at: 0 for the
// first, and one more than the end of the interval before, for intervals that
// touch are one. There is exactly one encoding of a set, so that sets can be
// compared, hashed and kept in caches as plain bytes. Keys sort as the servers
// print them, and no key is the beginning of another.
const (
	kindMariaDB = 1
	kindMySQL   = 2

	mariaDBKeyLen = 1 + 4 + 4
	uuidEnd       = 1 + 16
	maxTagLen     = 32
	maxKeyLen     = uuidEnd + maxTagLen + 1

	// maxMySQLNumber is the last number that a MySQL server gives to a transaction.
	maxMySQLNumber = 1<<63 - 2
)

// keyLen returns the length of the key at the start of a valid encoding.
func keyLen(enc string) int {
	if enc[0] == kindMariaDB {
		return mariaDBKeyLen
	}
	n := uuidEnd
	for enc[n] != 0 {
		n++
	}
	return n + 1
}

// scopeOf returns the part of a key within which numbers are unique: all of it
// for MySQL, the domain for MariaDB. Scopes sort as their keys do.
func scopeOf(key string) string {
	if key != "" && key[0] == kindMariaDB {
		return key[:5]
	}
	return key
}

// entries walks an encoding that is known to be valid.
type entries struct {
	rest  string
	key   string
	spans string
}

func (e *entries) next() bool {
	if e.rest == "" {
		return false
	}
	n := keyLen(e.rest)
	e.key = e.rest[:n]
	size, rest := uvarint(e.rest[n:])
	e.spans, e.rest = rest[:size], rest[size:]
	return true
}

// seek advances to the first entry whose key begins with the prefix, a key or a
// scope, and reports whether there is one. Prefixes must be sought in ascending
// order; the same one may be sought again.
func (e *entries) seek(prefix string) bool {
	for e.key < prefix {
		if !e.next() {
			e.key = "\xff" // beyond every prefix
			return false
		}
	}
	return strings.HasPrefix(e.key, prefix)
}

// spans walks the intervals of one entry.
type spans struct {
	rest        string
	floor       uint64
	first, last uint64
}

func (s *spans) next() bool {
	if s.rest == "" {
		return false
	}
	gap, rest := uvarint(s.rest)
	size, rest := uvarint(rest)
	first := s.floor + gap + 1
	s.rest, s.first, s.last, s.floor = rest, first, first+size, first+size+1
	return true
}

// lastOf returns the highest number of the intervals.
func lastOf(intervals string) uint64 {
	s := spans{rest: intervals}
	for s.next() {
	}
	return s.last
}

// uvarint is binary.Uvarint for a string that is known to begin with one.
func uvarint(s string) (uint64, string) {
	if s[0] < 0x80 {
		return uint64(s[0]), s[1:]
	}
	return longUvarint(s)
}

func longUvarint(s string) (uint64, string) {
	var v uint64
	for i := 0; ; i++ {
		v |= uint64(s[i]&0x7f) << (7 * i)
		if s[i] < 0x80 {
			return v, s[i+1:]
		}
	}
}

// builder writes an encoding in order. Its methods take and return it by value,
// so that its buffer can live on the caller's stack.
type builder struct {
	buf     []byte
	keyAt   int // where the open entry begins
	spansAt int // where the intervals of the open entry begin; 0: none is open
	floor   uint64
}

// open begins an entry. The one before must have been closed.
func (b builder) open(key string) builder {
	b.keyAt = len(b.buf)
	b.buf = append(b.buf, key...)
	b.buf = append(b.buf, 0) // the length of the intervals, which close knows
	b.spansAt = len(b.buf)
	b.floor = 0
	return b
}

// span adds an interval to the open entry. It must begin above the floor.
func (b builder) span(first, last uint64) builder {
	b.buf = binary.AppendUvarint(b.buf, first-b.floor-1)
	b.buf = binary.AppendUvarint(b.buf, last-first)
	b.floor = last + 1
	return b
}

// copy adds all intervals of another entry to the open one, which has none yet.
func (b builder) copy(intervals string) builder {
	b.buf = append(b.buf, intervals...)
	return b
}

// close ends the open entry, if there is one, and drops it if it is empty.
func (b builder) close() builder {
	size := len(b.buf) - b.spansAt
	switch {
	case b.spansAt == 0:
		return b
	case size == 0:
		return b.drop()
	case size < 0x80:
		b.buf[b.spansAt-1] = byte(size)
	default:
		var room [binary.MaxVarintLen64]byte
		n := binary.PutUvarint(room[:], uint64(size))
		b.buf = slices.Replace(b.buf, b.spansAt-1, b.spansAt, room[:n]...)
	}
	b.spansAt = 0
	return b
}

// drop removes the open entry.
func (b builder) drop() builder {
	b.buf = b.buf[:b.keyAt]
	b.spansAt = 0
	return b
}

// continues reports whether an interval that begins at first can be added to
// the open entry. The floor is 0 at its start, and again behind the highest uint64.
func (b builder) continues(first uint64) bool {
	return first > b.floor && (b.floor != 0 || len(b.buf) == b.spansAt)
}

// precedes reports whether an entry with that key can be opened next.
func (b builder) precedes(key []byte) bool {
	return b.spansAt == 0 || bytes.Compare(b.buf[b.keyAt:b.spansAt-1], key) < 0
}

// looseSpan is an interval that came out of order.
type looseSpan struct {
	key         string
	first, last uint64
}

// encodeLoose sorts and merges the intervals and encodes them.
func encodeLoose(loose []looseSpan) string {
	slices.SortFunc(loose, func(a, b looseSpan) int {
		return cmp.Or(strings.Compare(a.key, b.key), cmp.Compare(a.first, b.first))
	})
	var b builder
	for i := 0; i < len(loose); {
		at := loose[i]
		for i++; i < len(loose) && loose[i].key == at.key && reaches(at.last, loose[i].first); i++ {
			at.last = max(at.last, loose[i].last)
		}
		if b.precedes([]byte(at.key)) {
			b = b.close().open(at.key)
		}
		b = b.span(at.first, at.last)
	}
	return string(b.close().buf)
}

// reaches reports whether an interval that ends at last leaves no gap before
// one that begins at first.
func reaches(last, first uint64) bool { return first <= last || first-1 == last }

// AppendBinary appends a compact binary form of the set, which knows its own
// length, for DecodeGTIDSet.
func (g GTIDSet) AppendBinary(buf []byte) []byte {
	buf = binary.AppendUvarint(buf, uint64(len(g.enc)))
	return append(buf, g.enc...)
}

// DecodeGTIDSet reads the set that AppendBinary appended and returns what follows it.
// Bytes that AppendBinary cannot have written are an error.
func DecodeGTIDSet(data []byte) (GTIDSet, []byte, error) {
	size, rest, err := checkedUvarint(data)
	if err == nil && size > uint64(len(rest)) {
		err = errors.New("truncated")
	}
	if err == nil {
		err = checkEncoding(rest[:size])
	}
	if err != nil {
		return GTIDSet{}, nil, fmt.Errorf("decode GTID set: %w", err)
	}
	return GTIDSet{enc: string(rest[:size])}, rest[size:], nil
}

// checkEncoding makes sure of everything that entries and spans rely on.
func checkEncoding(enc []byte) error {
	var previous []byte
	for len(enc) > 0 {
		n, limit, err := checkKey(enc)
		if err != nil {
			return err
		}
		key := enc[:n]
		if string(key) <= string(previous) {
			return errors.New("entries out of order")
		}
		previous = key
		size, rest, err := checkedUvarint(enc[n:])
		switch {
		case err != nil:
			return err
		case size == 0:
			return errors.New("entry without intervals")
		case size > uint64(len(rest)):
			return errors.New("truncated intervals")
		}
		if err := checkSpans(rest[:size], limit); err != nil {
			return err
		}
		enc = rest[size:]
	}
	return nil
}

// checkKey returns the length of the key and the highest number its intervals may hold.
func checkKey(enc []byte) (n int, limit uint64, err error) {
	switch {
	case enc[0] == kindMariaDB && len(enc) >= mariaDBKeyLen:
		return mariaDBKeyLen, 1<<64 - 1, nil
	case enc[0] != kindMySQL || len(enc) <= uuidEnd:
		return 0, 0, errors.New("not the key of an entry")
	}
	for n := uuidEnd; n < len(enc) && n < maxKeyLen; n++ {
		if enc[n] == 0 {
			return n + 1, maxMySQLNumber, nil
		}
		if !isTagByte(enc[n], n == uuidEnd) {
			break
		}
	}
	return 0, 0, errors.New("not a tag")
}

func checkSpans(enc []byte, limit uint64) error {
	var floor uint64
	for len(enc) > 0 {
		gap, rest, err := checkedUvarint(enc)
		if err != nil {
			return err
		}
		size, rest, err := checkedUvarint(rest)
		if err != nil {
			return err
		}
		// first = floor+gap+1 and last = first+size, each kept from passing the limit.
		if floor >= limit || gap > limit-floor-1 || size > limit-floor-1-gap {
			return errors.New("interval beyond the highest number")
		}
		last := floor + gap + 1 + size
		if last == limit && len(rest) > 0 {
			return errors.New("interval beyond the highest number")
		}
		floor, enc = last+1, rest
	}
	return nil
}

// checkedUvarint reads a uvarint that may be anything, and refuses a longer form than it needs.
func checkedUvarint(data []byte) (uint64, []byte, error) {
	v, n := binary.Uvarint(data)
	if n <= 0 || (n > 1 && data[n-1] == 0) {
		return 0, nil, errors.New("not a number")
	}
	return v, data[n:], nil
}
