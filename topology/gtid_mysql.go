package topology

import (
	"fmt"
	"strconv"
)

const (
	uuidTextLen = 36
	// uuidBytesAt is where each byte of a UUID is in its text, between the dashes.
	uuidBytesAt = "\x00\x02\x04\x06\x09\x0b\x0e\x10\x13\x15\x18\x1a\x1c\x1e\x20\x22"
)

// gtidScanner reads a set of either dialect, one interval at a time.
type gtidScanner struct {
	text string
	pos  int
	err  error

	newKey      bool // the interval is the first of an element or of a tag
	key         [maxKeyLen]byte
	keyLen      int
	first, last uint64
}

// next reads an interval into key, first and last; an interval that ends before it
// begins is empty. It returns false at the end of the text, and at an error.
func (s *gtidScanner) next() bool {
	s.newKey = false
	s.skipSpace()
	switch {
	case s.pos == len(s.text):
		return false
	case s.keyLen == 0:
		return s.element()
	case s.text[s.pos] == ':' && s.key[0] == kindMySQL:
		s.pos++
		return s.mysqlInterval()
	case s.text[s.pos] == ',':
		s.pos++
		s.skipSpace()
		return s.element()
	}
	return s.fail("a comma")
}

// element reads the source of an element and its first interval.
func (s *gtidScanner) element() bool {
	s.newKey = true
	if looksLikeUUID(s.text[s.pos:]) {
		return s.mysqlElement()
	}
	return s.mariaDBElement()
}

// looksLikeUUID tells a UUID from domain-server-number by its dashes: the
// latter has two, and so never one at 8, 13, 18 and 23.
func looksLikeUUID(text string) bool {
	return len(text) >= uuidTextLen && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-'
}

func (s *gtidScanner) mysqlElement() bool {
	text := s.text[s.pos : s.pos+uuidTextLen]
	s.key[0] = kindMySQL
	var invalid byte
	for n, at := range []byte(uuidBytesAt) {
		hi, lo := hexDigit[text[at]], hexDigit[text[at+1]]
		s.key[1+n] = hi<<4 | lo
		invalid |= hi | lo
	}
	if invalid > 0xf {
		return s.fail("a UUID")
	}
	s.key[uuidEnd] = 0
	s.keyLen = uuidEnd + 1
	s.pos += uuidTextLen
	s.skipSpace()
	if !s.accept(':') {
		return s.fail("a colon and an interval")
	}
	return s.mysqlInterval()
}

// mysqlInterval reads what follows a colon: an interval, or a tag and the first
// of its intervals.
func (s *gtidScanner) mysqlInterval() bool {
	s.skipSpace()
	if s.pos < len(s.text) && isTagByte(lower(s.text[s.pos]), true) {
		if !s.tag() {
			return false
		}
		s.skipSpace()
		if !s.accept(':') {
			return s.fail("a colon and an interval")
		}
		s.skipSpace()
	}
	if !s.number(&s.first, maxMySQLNumber) {
		return false
	}
	s.last = s.first
	s.skipSpace()
	if !s.accept('-') {
		return true
	}
	s.skipSpace()
	return s.end(maxMySQLNumber)
}

func (s *gtidScanner) tag() bool {
	n := uuidEnd
	for ; s.pos < len(s.text); s.pos++ {
		c := lower(s.text[s.pos])
		if !isTagByte(c, n == uuidEnd) {
			break
		}
		if n == uuidEnd+maxTagLen {
			return s.fail("a tag of at most " + strconv.Itoa(maxTagLen) + " characters")
		}
		s.key[n] = c
		n++
	}
	s.key[n] = 0
	s.keyLen = n + 1
	s.newKey = true
	return true
}

// end reads the end of an interval.
func (s *gtidScanner) end(limit uint64) bool {
	at := s.pos
	if !s.number(&s.last, limit) {
		return false
	}
	if s.last < s.first {
		s.pos = at
		return s.fail("an end that is not below the beginning")
	}
	return true
}

// number reads a transaction number: from 1 to limit, without leading zeros,
// which some servers would take for octal.
func (s *gtidScanner) number(into *uint64, limit uint64) bool {
	rest := s.text[s.pos:]
	var v uint64
	n := 0
	for ; n < len(rest) && isDigit(rest[n]); n++ {
		d := uint64(rest[n] - '0')
		if n >= 18 && v > (limit-d)/10 { // 18 digits are below any limit
			return s.fail("a number up to " + strconv.FormatUint(limit, 10))
		}
		v = v*10 + d
	}
	if v == 0 || rest[0] == '0' {
		return s.fail("a number from 1")
	}
	s.pos += n
	*into = v
	return true
}

func (s *gtidScanner) skipSpace() {
	for s.pos < len(s.text) && isSpace(s.text[s.pos]) {
		s.pos++
	}
}

func (s *gtidScanner) accept(c byte) bool {
	if s.pos < len(s.text) && s.text[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

func (s *gtidScanner) fail(want string) bool {
	rest := s.text[s.pos:]
	if len(rest) > 40 {
		rest = rest[:40] + "..."
	}
	s.err = fmt.Errorf("at byte %d: want %s, got %q", s.pos, want, rest)
	return false
}

// appendMySQL appends an entry. The tags of a UUID share one element.
func appendMySQL(buf []byte, previous, key, intervals string) []byte {
	if previous == "" || previous[:1] != key[:1] || previous[1:uuidEnd] != key[1:uuidEnd] {
		buf = appendComma(buf)
		buf = appendSource(buf, key)
	}
	if tag := key[uuidEnd : len(key)-1]; tag != "" {
		buf = append(buf, ':')
		buf = append(buf, tag...)
	}
	for s := (spans{rest: intervals}); s.next(); {
		buf = append(buf, ':')
		buf = strconv.AppendUint(buf, s.first, 10)
		if s.last > s.first {
			buf = append(buf, '-')
			buf = strconv.AppendUint(buf, s.last, 10)
		}
	}
	return buf
}

func appendComma(buf []byte) []byte {
	if len(buf) > 0 {
		buf = append(buf, ',')
	}
	return buf
}

// appendSource appends the name that Sources gives to the writer of an entry.
func appendSource(buf []byte, key string) []byte {
	if key[0] == kindMariaDB {
		return appendDomainServer(buf, key)
	}
	for i := 1; i < uuidEnd; i++ {
		if i == 5 || i == 7 || i == 9 || i == 11 {
			buf = append(buf, '-')
		}
		buf = append(buf, "0123456789abcdef"[key[i]>>4], "0123456789abcdef"[key[i]&0xf])
	}
	return buf
}

// isTagByte reports whether a tag may hold the byte, or begin with it.
func isTagByte(c byte, begins bool) bool {
	return 'a' <= c && c <= 'z' || c == '_' || !begins && isDigit(c)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// hexDigit holds the value of every hexadecimal digit, and 0xff for other bytes.
const hexDigit = "" +
	"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" +
	"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" +
	"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" +
	"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\xff\xff\xff\xff\xff\xff" +
	"\xff\x0a\x0b\x0c\x0d\x0e\x0f\xff\xff\xff\xff\xff\xff\xff\xff\xff" +
	"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" +
	"\xff\x0a\x0b\x0c\x0d\x0e\x0f\xff\xff\xff\xff\xff\xff\xff\xff\xff" +
	"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" +
	"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" +
	"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" +
	"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" +
	"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" +
	"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" +
	"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" +
	"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" +
	"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
