package mysql

import (
	"strings"
	"testing"

	"github.com/batondb/baton/topology"
)

func TestQuote(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"plain":          {"db1", `'db1'`},
		"empty":          {"", `''`},
		"ends a string":  {"x'; DROP TABLE t; -- ", `'x\'; DROP TABLE t; -- '`},
		"escapes an end": {`x\`, `'x\\'`},
		"both":           {`\'`, `'\\\''`},
		"zero byte":      {"a\x00b", `'a\0b'`},
		"lines":          {"a\r\nb", `'a\r\nb'`},
		"unicode":        {"пароль", `'пароль'`},
		"broken unicode": {"\xe0'", "'\xe0\\''"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := quote(c.text); got != c.want {
				t.Errorf("quote(%q) = %s, want %s", c.text, got, c.want)
			}
		})
	}
}

// FuzzQuote reads what quote wrote as a server does: it must be one string, and the same.
func FuzzQuote(f *testing.F) {
	for _, seed := range []string{"", "db1", "'", `\`, `\'`, `'' OR 1=1; --`, "\x00\n\r\x1a\"", "\xbf'"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		quoted := quote(text)
		got, rest, ok := readString(quoted)
		if !ok || rest != "" || got != text {
			t.Fatalf("%q is written %s, and read as %q with %q behind it", text, quoted, got, rest)
		}
	})
}

// readString reads an SQL string with backslash escapes, from the other side of quote.
func readString(sql string) (text, rest string, ok bool) {
	if !strings.HasPrefix(sql, "'") {
		return "", sql, false
	}
	var b strings.Builder
	for n := 1; n < len(sql); n++ {
		switch c := sql[n]; {
		case c == '\'' && n+1 < len(sql) && sql[n+1] == '\'':
			b.WriteByte('\'')
			n++
		case c == '\'':
			return b.String(), sql[n+1:], true
		case c == '\\' && n+1 < len(sql):
			n++
			if at := strings.IndexByte("0nrZ", sql[n]); at >= 0 {
				b.WriteByte("\x00\n\r\x1a"[at])
			} else {
				b.WriteByte(sql[n])
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

func TestCheckAddress(t *testing.T) {
	for id, good := range map[topology.InstanceID]bool{
		"db1:3306":                true,
		"db-1.example.com:3306":   true,
		"[2001:db8::1]:3306":      true,
		"[fe80::1%eth0]:3306":     true,
		"db_1:3306":               true,
		"":                        false,
		"db1":                     false,
		"db1:0":                   false,
		"db1:65536":               false,
		"db1', SOURCE_USER='x:33": false,
		"db1\n:3306":              false,
		"db1;:3306":               false,
		topology.InstanceID(strings.Repeat("a", 256) + ":3306"): false,
	} {
		if err := checkAddress(id); (err == nil) != good {
			t.Errorf("%q: %v", id, err)
		}
	}
}
