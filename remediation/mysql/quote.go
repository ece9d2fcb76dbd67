package mysql

import (
	"fmt"
	"strings"

	"github.com/batondb/baton/topology"
)

// quote writes a text as an SQL string. It relies on what every session is set to: sql_mode without NO_BACKSLASH_ESCAPES, and a character set in
// which no byte of a longer character looks like a quote or a backslash.
func quote(text string) string {
	var b strings.Builder
	b.Grow(len(text) + 2)
	b.WriteByte('\'')
	for n := range len(text) {
		switch c := text[n]; c {
		case 0:
			b.WriteString(`\0`)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case 0x1a:
			b.WriteString(`\Z`)
		case '\'', '"', '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// checkAddress refuses an instance that no server can be named by. Instances are learnt from what servers say, and servers say what they are told.
func checkAddress(id topology.InstanceID) error {
	host := id.Host()
	if host == "" || len(host) > 255 || id.Port() < 1 || id.Port() > 65535 {
		return fmt.Errorf("%q is not the address of a server", string(id))
	}
	for _, c := range host {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.ContainsRune(".-_:%", c):
		default:
			return fmt.Errorf("%q is not the address of a server: a host name has no %q", string(id), c)
		}
	}
	return nil
}
