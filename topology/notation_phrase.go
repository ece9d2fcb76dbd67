package topology

import (
	"encoding"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// phrase is one word of the notation: how a value is written, read, and guessed when it is not said. The order of a table of words matters, because a
// guess may depend on what earlier words have said.
type phrase[T any] struct {
	key    string   // before the equals sign; "" where the values stand alone
	values []string // the closed set of values, where it is one
	bare   bool     // the key may stand without a value, which is the value ""
	facts  bool     // only an instance that has answered can have said this
	preset func(T)  // the guess
	show   func(T) (string, bool)
	read   func(T, string) error
}

func (w phrase[T]) or(preset func(T)) phrase[T] {
	w.preset = preset
	return w
}

// answered is what words about facts ask: without an answer there are none.
type answered interface{ answered() bool }

// writeWords returns the words that say what actual is and guess, as far as it has been told, is not. In the end guess is what a reader of the words
// will have.
func writeWords[T any](words []phrase[T], actual, guess T) []string {
	var out []string
	for _, w := range words {
		if a, ok := any(guess).(answered); ok && w.facts && !a.answered() {
			continue
		}
		if w.preset != nil {
			w.preset(guess)
		}
		value, said := w.show(actual)
		if was, guessed := w.show(guess); !said || guessed && was == value {
			continue
		}
		if err := w.read(guess, value); err != nil {
			continue // what the notation cannot say
		}
		switch {
		case w.key == "":
			out = append(out, value)
		case w.bare && value == "":
			out = append(out, w.key)
		default:
			out = append(out, w.key+"="+quoteWord(value))
		}
	}
	return out
}

// readWords applies tokens to a value.
func readWords[T any](words []phrase[T], into T, tokens []token) error {
	said := make(map[int]token, len(tokens))
	for _, t := range tokens {
		n, err := findWord(words, t)
		if err != nil {
			return err
		}
		if before, twice := said[n]; twice {
			return fmt.Errorf("%q and %q say the same thing twice", before.text, t.text)
		}
		said[n] = t
	}
	for n, w := range words {
		t, isSaid := said[n]
		if a, ok := any(into).(answered); ok && w.facts && !a.answered() {
			if isSaid {
				return fmt.Errorf("%q: nothing is known of an instance that has never answered; say when it did with seen=", t.text)
			}
			continue
		}
		if w.preset != nil {
			w.preset(into)
		}
		if !isSaid {
			continue
		}
		value := t.value
		if w.key == "" {
			value = t.text
		}
		if err := w.read(into, value); err != nil {
			return fmt.Errorf("%q: %w", t.text, err)
		}
	}
	return nil
}

func findWord[T any](words []phrase[T], t token) (int, error) {
	for n, w := range words {
		switch {
		case w.key == "":
			if !t.hasValue && slices.Contains(w.values, t.text) {
				return n, nil
			}
		case w.key == t.key:
			if !t.hasValue && !w.bare {
				return 0, fmt.Errorf("%q needs a value, as in %s=VALUE", t.text, w.key)
			}
			return n, nil
		}
	}
	return 0, unknownWord(t, vocabulary(words))
}

// vocabulary lists words as they begin.
func vocabulary[T any](words []phrase[T]) []string {
	var known []string
	for _, w := range words {
		switch {
		case w.key == "":
			known = append(known, w.values...)
		case w.bare:
			known = append(known, w.key)
		default:
			known = append(known, w.key+"=")
		}
	}
	return known
}

func unknownWord(t token, known []string) error {
	said := t.key
	if t.hasValue {
		said += "="
	}
	return fmt.Errorf("%q is not a word here; did you mean %q?", t.text, nearest(said, known))
}

// The kinds of words.

func textWord[T any](key string, at func(T) *string) phrase[T] {
	return phrase[T]{
		key:  key,
		show: func(t T) (string, bool) { return orNone(*at(t)), true },
		read: func(t T, v string) error {
			*at(t) = noneIsEmpty(v)
			return nil
		},
	}
}

func orNone(v string) string {
	if v == "" {
		return "none"
	}
	return v
}

func noneIsEmpty(v string) string {
	if v == "none" {
		return ""
	}
	return v
}

func numberWord[T any, N ~int | ~uint32 | ~uint64](key string, at func(T) *N) phrase[T] {
	return phrase[T]{
		key:  key,
		show: func(t T) (string, bool) { return fmt.Sprint(*at(t)), true },
		read: func(t T, v string) error {
			n, err := strconv.ParseUint(v, 10, 64)
			if err != nil || N(n) < 0 || uint64(N(n)) != n {
				return errors.New("want a number, not negative and not too large")
			}
			*at(t) = N(n)
			return nil
		},
	}
}

func durationWord[T any](key string, at func(T) *time.Duration) phrase[T] {
	return phrase[T]{
		key:  key,
		show: func(t T) (string, bool) { return showDuration(*at(t)), true },
		read: func(t T, v string) (err error) {
			*at(t), err = readDuration(v)
			return err
		},
	}
}

// ageWord says how long before now something happened.
func ageWord[T any](key string, now func(T) time.Time, at func(T) *time.Time) phrase[T] {
	return phrase[T]{
		key:  key,
		show: func(t T) (string, bool) { return showAge(now(t), *at(t)), true },
		read: func(t T, v string) (err error) {
			*at(t), err = readAge(now(t), v)
			return err
		},
	}
}

// untilWord says how long after now something ends.
func untilWord[T any](key string, now func(T) time.Time, at func(T) *time.Time) phrase[T] {
	return phrase[T]{
		key: key,
		show: func(t T) (string, bool) {
			if at(t).IsZero() {
				return "never", true
			}
			return showDuration(at(t).Sub(now(t))), true
		},
		read: func(t T, v string) error {
			if *at(t) = (time.Time{}); v == "never" {
				return nil
			}
			d, err := readDuration(v)
			if err == nil {
				*at(t) = now(t).Add(d)
			}
			return err
		},
	}
}

// flagWord is two bare words, one of which is the default.
func flagWord[T any](yes, no string, at func(T) *bool) phrase[T] {
	return phrase[T]{
		values: []string{yes, no},
		show: func(t T) (string, bool) {
			if *at(t) {
				return yes, true
			}
			return no, true
		},
		read: func(t T, v string) error {
			*at(t) = v == yes
			return nil
		},
	}
}

// codec is what GTID sets, coordinates and the closed sets of words have in common.
type codec[V any] interface {
	*V
	encoding.TextUnmarshaler
	fmt.Stringer
}

func codecWord[T any, V any, P codec[V]](key string, values []string, at func(T) *V) phrase[T] {
	return phrase[T]{
		key: key, values: values,
		show: func(t T) (string, bool) { return P(at(t)).String(), true },
		read: func(t T, v string) error {
			if err := P(at(t)).UnmarshalText([]byte(v)); err != nil {
				if values != nil {
					return fmt.Errorf("want one of %s; did you mean %q?", strings.Join(values, ", "), nearest(v, values))
				}
				return err
			}
			return nil
		},
	}
}

func gtidWord[T any](key string, at func(T) *GTIDSet) phrase[T] {
	return phrase[T]{
		key:  key,
		show: func(t T) (string, bool) { return orNone(shortUUIDs(at(t).String())), true },
		read: func(t T, v string) (err error) {
			*at(t), err = ParseGTIDSet(longUUIDs(noneIsEmpty(v)))
			return err
		},
	}
}

func placeWord[T any](key string, at func(T) *Coordinates) phrase[T] {
	return phrase[T]{
		key:  key,
		show: func(t T) (string, bool) { return orNone(at(t).String()), true },
		read: func(t T, v string) (err error) {
			*at(t), err = ParseCoordinates(noneIsEmpty(v))
			return err
		},
	}
}

func uuidWord[T any](key string, at func(T) *string) phrase[T] {
	return phrase[T]{
		key:  key,
		show: func(t T) (string, bool) { return orNone(shortUUIDs(*at(t))), true },
		read: func(t T, v string) error {
			*at(t) = longUUIDs(noneIsEmpty(v))
			return nil
		},
	}
}

func idWord[T any](key string, at func(T) *InstanceID) phrase[T] {
	return phrase[T]{
		key:  key,
		show: func(t T) (string, bool) { return orNone(string(*at(t))), true },
		read: func(t T, v string) (err error) {
			if *at(t) = ""; v != "none" {
				*at(t), err = readID(v)
			}
			return err
		},
	}
}

func idsWord[T any](key string, at func(T) *[]InstanceID) phrase[T] {
	return phrase[T]{
		key: key,
		show: func(t T) (string, bool) {
			ids := make([]string, len(*at(t)))
			for n, id := range *at(t) {
				ids[n] = string(id)
			}
			return orNone(strings.Join(ids, ",")), true
		},
		read: func(t T, v string) error {
			*at(t) = nil
			if v == "none" {
				return nil
			}
			for text := range strings.SplitSeq(v, ",") {
				id, err := readID(text)
				if err != nil {
					return err
				}
				*at(t) = append(*at(t), id)
			}
			return nil
		},
	}
}
