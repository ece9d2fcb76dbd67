package topology

import "math"

// Contains reports whether every transaction of other is in the set.
func (g GTIDSet) Contains(other GTIDSet) bool {
	if other.enc == g.enc {
		return true
	}
	have := entries{rest: g.Position().enc}
	for want := (entries{rest: other.enc}); want.next(); {
		if !have.seek(scopeOf(want.key)) || !spansContain(have.spans, want.spans) {
			return false
		}
	}
	return true
}

// Equal reports whether the sets hold the same transactions: each contains the other.
func (g GTIDSet) Equal(other GTIDSet) bool {
	return g.enc == other.enc || (g.Contains(other) && other.Contains(g))
}

// Count returns the number of transactions in the set, or the highest uint64 if
// there are more. MariaDB numbers may leave gaps that no transaction ever
// filled, so there it is an upper bound, useful for differences.
func (g GTIDSet) Count() uint64 { return GTIDSet{}.Behind(g) }

// Behind returns how many transactions of other are not in the set: the Count
// of other.Subtract(g), without building it.
func (g GTIDSet) Behind(other GTIDSet) uint64 {
	var count uint64
	have := entries{rest: g.Position().enc}
	for want := (entries{rest: other.Position().enc}); want.next(); {
		d := difference{from: spans{rest: want.spans}}
		if have.seek(scopeOf(want.key)) {
			if have.spans == want.spans {
				continue
			}
			d.minus.rest = have.spans
		}
		for d.next() {
			count = addSaturating(count, d.last-d.first)
			count = addSaturating(count, 1)
		}
	}
	return count
}

// Union returns the transactions that are in either set. For MariaDB it keeps
// the last number of every writer, as gtid_binlog_state does; Position reduces
// it to what statements accept.
func (g GTIDSet) Union(other GTIDSet) GTIDSet {
	switch {
	case other.enc == "" || other.enc == g.enc:
		return g
	case g.enc == "":
		return other
	}
	var room [256]byte
	b := builder{buf: room[:0]}
	x, y := entries{rest: g.enc}, entries{rest: other.enc}
	moreX, moreY := x.next(), y.next()
	for moreX || moreY {
		switch {
		case !moreY || (moreX && x.key < y.key):
			b = b.open(x.key).copy(x.spans).close()
			moreX = x.next()
		case !moreX || y.key < x.key:
			b = b.open(y.key).copy(y.spans).close()
			moreY = y.next()
		default:
			b = b.open(x.key).merge(x.spans, y.spans).close()
			moreX, moreY = x.next(), y.next()
		}
	}
	return g.reuse(other, b)
}

// Subtract returns the transactions of the set that are not in other.
func (g GTIDSet) Subtract(other GTIDSet) GTIDSet {
	if g.enc == other.enc {
		return GTIDSet{}
	}
	return g.subtract(other.Position(), false)
}

// SubtractBySource is Subtract, except that MariaDB numbers are compared per
// domain and server rather than per domain. For MySQL there is no difference.
//
// It tells what Subtract cannot: that a domain has forked. When db1 stopped at
// 0-1-101 and db2, promoted at 0-1-100, has since written up to 0-2-150, by
// number db2 has everything that db1 has; by source it lacks 0-1-101. That takes
// sets that know every writer, gtid_binlog_state joined with gtid_slave_pos on
// both sides: a position alone names just the last one, and a writer that is not
// named looks as if it had never written. Of each interval returned only the
// last number is certain to be a transaction of that server.
func (g GTIDSet) SubtractBySource(other GTIDSet) GTIDSet {
	return g.subtract(other, true)
}

func (g GTIDSet) subtract(other GTIDSet, bySource bool) GTIDSet {
	var room [256]byte
	b := builder{buf: room[:0]}
	minus := entries{rest: other.enc}
	for e := (entries{rest: g.enc}); e.next(); {
		scope := e.key
		if !bySource {
			scope = scopeOf(e.key)
		}
		if !minus.seek(scope) {
			b = b.open(e.key).copy(e.spans).close()
			continue
		}
		if minus.spans == e.spans {
			continue
		}
		b = b.open(e.key)
		d := difference{from: spans{rest: e.spans}, minus: spans{rest: minus.spans}}
		for d.next() {
			b = b.span(d.first, d.last)
		}
		b = b.close()
	}
	return g.reuse(g, b)
}

// Intersect returns the transactions that are in both sets. MariaDB servers are
// named as in the set it is called on.
func (g GTIDSet) Intersect(other GTIDSet) GTIDSet {
	if g.enc == other.enc {
		return g
	}
	var room [256]byte
	b := builder{buf: room[:0]}
	and := entries{rest: other.Position().enc}
	for e := (entries{rest: g.enc}); e.next(); {
		if !and.seek(scopeOf(e.key)) {
			continue
		}
		b = b.open(e.key)
		x, y := spans{rest: e.spans}, spans{rest: and.spans}
		for more := x.next() && y.next(); more; {
			if first, last := max(x.first, y.first), min(x.last, y.last); first <= last {
				b = b.span(first, last)
			}
			if x.last < y.last {
				more = x.next()
			} else {
				more = y.next()
			}
		}
		b = b.close()
	}
	return g.reuse(other, b)
}

// reuse returns what was built, or g or other if that is what was built: their
// bytes then need no copy.
func (g GTIDSet) reuse(other GTIDSet, b builder) GTIDSet {
	switch string(b.buf) {
	case g.enc:
		return g
	case other.enc:
		return other
	}
	return GTIDSet{enc: string(b.buf)}
}

// merge adds the union of two lists of intervals to the open entry.
func (b builder) merge(x, y string) builder {
	if x == y {
		return b.copy(x)
	}
	xs, ys := spans{rest: x}, spans{rest: y}
	moreX, moreY := xs.next(), ys.next()
	for moreX || moreY {
		// Take the interval that begins first, and let it swallow what it reaches.
		var first, last uint64
		if moreX && (!moreY || xs.first <= ys.first) {
			first, last = xs.first, xs.last
		} else {
			first, last = ys.first, ys.last
		}
		for {
			if moreX && reaches(last, xs.first) {
				last = max(last, xs.last)
				moreX = xs.next()
			} else if moreY && reaches(last, ys.first) {
				last = max(last, ys.last)
				moreY = ys.next()
			} else {
				break
			}
		}
		b = b.span(first, last)
	}
	return b
}

// spansContain reports whether the intervals cover all of the wanted ones.
func spansContain(have, want string) bool {
	if have == want {
		return true
	}
	d := difference{from: spans{rest: want}, minus: spans{rest: have}}
	return !d.next()
}

// difference walks the intervals of from that are not in minus.
type difference struct {
	from, minus spans
	started     bool
	moreMinus   bool
	moreFrom    bool   // some of from's current interval, which begins at at, is left
	at          uint64 // every number below is dealt with
	first, last uint64
}

func (d *difference) next() bool {
	if !d.started {
		d.started, d.moreMinus = true, d.minus.next()
	}
	for {
		if !d.moreFrom {
			if !d.from.next() {
				return false
			}
			d.moreFrom, d.at = true, d.from.first
		}
		for d.moreMinus && d.minus.last < d.at {
			d.moreMinus = d.minus.next()
		}
		d.first, d.last = d.at, d.from.last
		if !d.moreMinus || d.minus.first > d.last {
			d.moreFrom = false
			return true
		}
		// minus ends at or after at: what is left continues behind it.
		if d.minus.last >= d.from.last {
			d.moreFrom = false
		} else {
			d.at = d.minus.last + 1
		}
		if d.minus.first > d.first {
			d.last = d.minus.first - 1
			return true
		}
	}
}

func addSaturating(a, b uint64) uint64 {
	if sum := a + b; sum >= a {
		return sum
	}
	return math.MaxUint64
}
