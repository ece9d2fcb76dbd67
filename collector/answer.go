package collector

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/batondb/baton/topology"
)

// answer is the rows with which a server answers one question. Values are valid until the next row.
type answer struct {
	rows    driver.Rows
	columns []string
	values  []driver.Value
	err     error
}

// next moves to the next row. It returns false at the end, and after a failure, which is then in err.
func (a *answer) next() bool {
	if a.err != nil {
		return false
	}
	switch err := a.rows.Next(a.values); {
	case err == nil:
		return true
	case !errors.Is(err, io.EOF):
		a.err = err
	}
	return false
}

// column returns the index of a column, or -1.
func (a *answer) column(name string) int {
	for i, c := range a.columns {
		if strings.EqualFold(c, name) {
			return i
		}
	}
	return -1
}

func (a *answer) null(i int) bool { return a.values[i] == nil }

// bytes returns the value as the server wrote it. Only texts come that way; numbers are parsed by the driver.
func (a *answer) bytes(i int) []byte {
	b, _ := a.values[i].([]byte)
	return b
}

func (a *answer) text(i int) string { return a.keep(i, "") }

// keep is text that returns old, without a new allocation, where it is the same.
func (a *answer) keep(i int, old string) string {
	switch v := a.values[i].(type) {
	case nil:
		return ""
	case []byte:
		if string(v) == old {
			return old
		}
		return string(v)
	default:
		return fmt.Sprint(v)
	}
}

func (a *answer) is(i int, word string) bool {
	b, ok := a.values[i].([]byte)
	return ok && (string(b) == word || strings.EqualFold(string(b), word))
}

// flag reads a boolean: variables give numbers or words, columns give words. Whatever is neither 0 nor OFF nor No is on: newer servers have
// more than two states of read_only.
func (a *answer) flag(i int) bool {
	switch v := a.values[i].(type) {
	case int64:
		return v != 0
	case uint64:
		return v != 0
	case []byte:
		return len(v) > 0 && string(v) != "0" && !strings.EqualFold(string(v), "OFF") && !strings.EqualFold(string(v), "No")
	}
	return false
}

func (a *answer) number(i int) int {
	switch v := a.values[i].(type) {
	case int64:
		return int(v)
	case uint64:
		return int(v)
	case []byte:
		n, _ := strconv.Atoi(string(v))
		return n
	}
	return 0
}

func (a *answer) seconds(i int) time.Duration {
	var f float64
	switch v := a.values[i].(type) {
	case int64:
		return time.Duration(v) * time.Second
	case uint64:
		return time.Duration(v) * time.Second
	case float32:
		f = float64(v)
	case float64:
		f = v
	case []byte:
		f, _ = strconv.ParseFloat(string(v), 64)
	}
	return time.Duration(f * float64(time.Second)).Round(time.Millisecond)
}

// memorised is a GTID set with the text it was read from: most sets have not changed since the last probe.
type memorised struct {
	text string
	set  topology.GTIDSet
}

func (m *memorised) parse(a *answer, i int, into *topology.GTIDSet) error {
	raw := a.bytes(i)
	if string(raw) != m.text {
		set, err := topology.ParseGTIDSet(string(raw))
		if err != nil {
			return fmt.Errorf("%s: %w", a.columns[i], err)
		}
		m.text, m.set = string(raw), set
	}
	*into = m.set
	return nil
}

// hostOfClient returns the host of a connection as a process list prints it: "host:port", "v6address:port" without brackets, or a name alone.
func hostOfClient(text string) string {
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return text
	}
	if _, err := strconv.ParseUint(text[i+1:], 10, 16); err != nil {
		return text
	}
	return strings.Trim(text[:i], "[]")
}

func samePort(ports []int) bool {
	for _, p := range ports {
		if p != ports[0] {
			return false
		}
	}
	return len(ports) > 0
}

// quoteAccount turns user@host into 'user'@'host'.
func quoteAccount(account string) string {
	at := strings.LastIndexByte(account, '@')
	if at < 0 {
		return quote(account)
	}
	return quote(account[:at]) + "@" + quote(account[at+1:])
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
