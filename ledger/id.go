package ledger

import (
	"encoding/hex"
	"io"
	"time"
)

// NewID returns an identity for an entry or a recovery, such as "20261120T150405.123Z-7f3a9c2e": ids sort by time and
// can be read over a telephone. Random is crypto/rand.Reader outside of tests; NewID panics when it cannot be read.
func NewID(at time.Time, random io.Reader) string {
	var tail [4]byte
	if _, err := io.ReadFull(random, tail[:]); err != nil {
		panic("ledger: no randomness for an id: " + err.Error())
	}
	return at.UTC().Format("20060102T150405.000Z") + "-" + hex.EncodeToString(tail[:])
}
