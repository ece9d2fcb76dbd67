package topology

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
)

// mariaDBElement reads domain-server-number, which stands for everything in the
// domain up to the number, or domain-server-first..last.
func (s *gtidScanner) mariaDBElement() bool {
	s.key[0] = kindMariaDB
	s.keyLen = mariaDBKeyLen
	if !s.id(s.key[1:5]) || !s.id(s.key[5:9]) {
		return false
	}
	s.first = 1
	if s.acceptZero() {
		s.last = 0
		return true
	}
	if !s.number(&s.last, math.MaxUint64) {
		return false
	}
	if !strings.HasPrefix(s.text[s.pos:], "..") {
		return true
	}
	s.pos += len("..")
	s.first = s.last
	return s.end(math.MaxUint64)
}

// acceptZero reads the number 0, if it stands alone: a server that was told to
// start at the beginning of a domain has the position 0-1-0.
func (s *gtidScanner) acceptZero() bool {
	rest := s.text[s.pos:]
	if rest == "0" || len(rest) > 1 && rest[0] == '0' && (rest[1] == ',' || isSpace(rest[1])) {
		s.pos++
		return true
	}
	return false
}

// id reads a domain or server id and the dash behind it.
func (s *gtidScanner) id(into []byte) bool {
	n := strings.IndexByte(s.text[s.pos:], '-')
	if n < 0 {
		return s.fail("a UUID or domain-server-number")
	}
	text := s.text[s.pos : s.pos+n]
	v, err := strconv.ParseUint(text, 10, 32)
	if err != nil || text != "0" && text[0] == '0' {
		return s.fail("a UUID or domain-server-number")
	}
	binary.BigEndian.PutUint32(into, uint32(v))
	s.pos += n + 1
	return true
}

// appendMariaDB appends an entry, one element for each interval.
func appendMariaDB(buf []byte, key, intervals string) []byte {
	for s := (spans{rest: intervals}); s.next(); {
		buf = appendDomainServer(appendComma(buf), key)
		buf = append(buf, '-')
		if s.first > 1 {
			buf = strconv.AppendUint(buf, s.first, 10)
			buf = append(buf, ".."...)
		}
		buf = strconv.AppendUint(buf, s.last, 10)
	}
	return buf
}

func appendDomainServer(buf []byte, key string) []byte {
	buf = strconv.AppendUint(buf, uint64(keyID(key[1:5])), 10)
	buf = append(buf, '-')
	return strconv.AppendUint(buf, uint64(keyID(key[5:9])), 10)
}

func keyID(s string) uint32 {
	return uint32(s[0])<<24 | uint32(s[1])<<16 | uint32(s[2])<<8 | uint32(s[3])
}

// Position returns the set with one writer for each MariaDB domain, the one of
// its last transaction: gtid_binlog_state goes in and gtid_binlog_pos comes out.
// Statements that take a position accept nothing else. MySQL sets come out as
// they went in.
func (g GTIDSet) Position() GTIDSet {
	if !g.sharesDomain() {
		return g
	}
	b := builder{buf: make([]byte, 0, len(g.enc))}
	for e := (entries{rest: g.enc}); e.next(); {
		key, intervals := e.key, e.spans
		for strings.HasPrefix(e.rest, scopeOf(key)) {
			e.next()
			if lastOf(e.spans) >= lastOf(intervals) {
				key = e.key
			}
			intervals = string(builder{}.merge(intervals, e.spans).buf)
		}
		b = b.open(key).copy(intervals).close()
	}
	return GTIDSet{enc: string(b.buf)}
}

// sharesDomain reports whether several servers wrote to one MariaDB domain.
func (g GTIDSet) sharesDomain() bool {
	if g.enc == "" || g.enc[0] != kindMariaDB {
		return false // MariaDB entries come first
	}
	for e := (entries{rest: g.enc}); e.next(); {
		if strings.HasPrefix(e.rest, scopeOf(e.key)) {
			return true
		}
	}
	return false
}
