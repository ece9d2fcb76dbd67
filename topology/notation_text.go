package topology

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"
)

// token is one word of a line as it stands there.
type token struct {
	text     string // all of it, without quotes
	key      string // before the first equals sign, or all of it
	value    string
	hasValue bool
}

// splitWords splits a line into tokens. A value, or a whole word, may be quoted as in Go.
func splitWords(line string) ([]token, error) {
	var tokens []token
	for {
		line = strings.TrimLeft(line, " \t")
		if line == "" {
			return tokens, nil
		}
		head, rest := line, ""
		if end := strings.IndexAny(line, " \t\""); end >= 0 {
			head, rest = line[:end], line[end:]
		}
		var t token
		t.text = head
		t.key, t.value, t.hasValue = strings.Cut(head, "=")
		if strings.HasPrefix(rest, `"`) {
			if head != "" && (!t.hasValue || t.value != "") {
				return nil, fmt.Errorf("%q: a quote may only begin a word or the value after the equals sign", head)
			}
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return nil, fmt.Errorf("%q: the quote is not closed, or does not read as in Go", head+rest)
			}
			value, err := strconv.Unquote(quoted)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", head+quoted, err)
			}
			if rest = rest[len(quoted):]; rest != "" && rest[0] != ' ' && rest[0] != '\t' {
				return nil, fmt.Errorf("%q: after a closing quote a space must follow", head+quoted)
			}
			if t.text += value; t.hasValue {
				t.value = value
			} else {
				t.key = value
			}
		}
		tokens = append(tokens, t)
		line = rest
	}
}

// quoteWord quotes a word or a value where it must be.
func quoteWord(text string) string {
	for n := range len(text) {
		if c := text[n]; c <= ' ' || c >= 0x7f || c == '"' {
			return strconv.Quote(text)
		}
	}
	if text == "" || text[0] == '#' {
		return strconv.Quote(text)
	}
	return text
}

// readID reads an instance. The notation is stricter than ParseInstanceID, so that a slip of the pen does not become a host.
func readID(text string) (InstanceID, error) {
	for _, c := range text {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && !strings.ContainsRune("._-:[]%", c) {
			return "", fmt.Errorf("instance %q: %q does not belong into host:port", text, c)
		}
	}
	return ParseInstanceID(text, DefaultPort)
}

const longest = 100 * 365 * 24 * time.Hour

func readDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return 0, errors.New("want a duration such as 500ms, 40s or 1h30m")
	case d < 0 || d > longest:
		return 0, errors.New("want a duration from 0s to a hundred years")
	case d%time.Millisecond != 0:
		return 0, errors.New("want whole milliseconds")
	}
	return d, nil
}

func showDuration(d time.Duration) string {
	text := min(max(d, 0), longest).Round(time.Millisecond).String()
	if short, ok := strings.CutSuffix(text, "m0s"); ok {
		text = short + "m"
	}
	if short, ok := strings.CutSuffix(text, "h0m"); ok {
		text = short + "h"
	}
	return text
}

func readAge(now time.Time, text string) (time.Time, error) {
	if text == "never" {
		return time.Time{}, nil
	}
	d, err := readDuration(text)
	if err != nil {
		return time.Time{}, err
	}
	return now.Add(-d), nil
}

func showAge(now, at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return showDuration(now.Sub(at))
}

// shortPrefix and twelve digits make the UUID that u and a number are short for.
const shortPrefix = "00000000-0000-0000-0000-"

// longUUIDs expands u1, u2, ... where a UUID can stand: before the first colon of each element of a set.
func longUUIDs(set string) string {
	return eachUUID(set, func(uuid string) string {
		digits, ok := strings.CutPrefix(uuid, "u")
		if n, err := strconv.ParseUint(digits, 10, 64); ok && err == nil && len(digits) <= 12 && strconv.FormatUint(n, 10) == digits {
			return fmt.Sprintf("%s%012d", shortPrefix, n)
		}
		return uuid
	})
}

// shortUUIDs is the inverse of longUUIDs.
func shortUUIDs(set string) string {
	return eachUUID(set, func(uuid string) string {
		digits, ok := strings.CutPrefix(uuid, shortPrefix)
		if n, err := strconv.ParseUint(digits, 10, 64); ok && err == nil && len(digits) == 12 {
			return "u" + strconv.FormatUint(n, 10)
		}
		return uuid
	})
}

func eachUUID(set string, change func(string) string) string {
	if set == "" {
		return ""
	}
	elements := strings.Split(set, ",")
	for n, e := range elements {
		uuid, rest, _ := strings.Cut(e, ":")
		elements[n] = change(uuid) + e[len(uuid):]
		_ = rest
	}
	return strings.Join(elements, ",")
}

// madeUpID and madeUpUUID give every instance of a text its own, always the same.
func madeUpID(id InstanceID) uint32 {
	h := fnv.New32a()
	h.Write([]byte(id))
	return h.Sum32() | 1
}

func madeUpUUID(id InstanceID) string {
	h := fnv.New128a()
	h.Write([]byte(id))
	b := h.Sum(nil)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// nearest returns the known word that takes the fewest changes to get from the one given.
func nearest(given string, known []string) string {
	best, least := "", -1
	for _, k := range known {
		if d := distance(given, k); least < 0 || d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is the Levenshtein distance, of texts that are clipped to what a word can be.
func distance(a, b string) int {
	const most = 64
	a, b = a[:min(len(a), most)], b[:min(len(b), most)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
