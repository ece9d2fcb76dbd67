package ledger

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// first returns the first problem.
func first(problems ...error) error {
	for _, p := range problems {
		if p != nil {
			return p
		}
	}
	return nil
}

// isName refuses what is not a name: names are shown, compared and joined to scopes, so they hold no blanks.
func isName(field, s string) error {
	if s == "" {
		return ErrInvalid{Field: field, Problem: "is missing"}
	}
	return mayName(field, s)
}

func mayName(field, s string) error {
	if len(s) > maxName {
		return ErrInvalid{Field: field, Problem: fmt.Sprintf("is %d bytes long, %d are allowed", len(s), maxName)}
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) }); i >= 0 {
		return ErrInvalid{Field: field, Problem: fmt.Sprintf("%q holds a blank or a character that cannot be printed", s)}
	}
	return nil
}

// isLabel refuses what cannot be shown on one line; unlike a name, a label may hold blanks.
func isLabel(field, s string) error {
	if s == "" {
		return ErrInvalid{Field: field, Problem: "is missing"}
	}
	if len(s) > maxName {
		return ErrInvalid{Field: field, Problem: fmt.Sprintf("is %d bytes long, %d are allowed", len(s), maxName)}
	}
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return ErrInvalid{Field: field, Problem: "holds a character that cannot be printed"}
	}
	return nil
}

func isText(field, s string) error {
	if len(s) > maxText {
		return ErrInvalid{Field: field, Problem: fmt.Sprintf("is %d bytes long, %d are allowed", len(s), maxText)}
	}
	return nil
}

func isReason(s string) error {
	if strings.TrimSpace(s) == "" {
		return ErrInvalid{Field: "reason", Problem: "is missing"}
	}
	return isText("reason", s)
}

func isGTIDs(field, s string) error {
	if len(s) > maxGTIDs {
		return ErrInvalid{Field: field, Problem: fmt.Sprintf("is %d bytes long, %d are allowed", len(s), maxGTIDs)}
	}
	return nil
}

// isTime refuses times that JSON could not carry from one node to another.
func isTime(field string, t time.Time) error {
	if t.IsZero() {
		return ErrInvalid{Field: field, Problem: "is missing"}
	}
	return mayTime(field, t)
}

func mayTime(field string, t time.Time) error {
	if !t.IsZero() && (t.Year() < 1970 || t.Year() > 9000) {
		return ErrInvalid{Field: field, Problem: "is outside of the years 1970 to 9000"}
	}
	return nil
}

// isAfter refuses an end that is not after its beginning: it would be over before it is agreed.
func isAfter(field string, end, begin time.Time) error {
	if err := isTime(field, end); err != nil {
		return err
	}
	if !end.After(begin) {
		return ErrInvalid{Field: field, Problem: "must be after " + begin.UTC().Format(time.RFC3339)}
	}
	return nil
}

func mayAfter(field string, end, begin time.Time) error {
	if end.IsZero() {
		return nil
	}
	return isAfter(field, end, begin)
}

func isOneOf(field, s string, allowed ...string) error {
	if !slices.Contains(allowed, s) {
		return ErrInvalid{Field: field, Problem: fmt.Sprintf("%q is not one of %s", s, strings.Join(allowed, ", "))}
	}
	return nil
}

// isOneSet demands that exactly one of some fields is set, given as name, value, name, value.
func isOneSet(fields ...string) error {
	set, names := 0, make([]string, 0, len(fields)/2)
	for i := 0; i < len(fields); i += 2 {
		names = append(names, fields[i])
		if fields[i+1] != "" {
			set++
		}
	}
	if set != 1 {
		return ErrInvalid{Field: strings.Join(names, " or "), Problem: "set exactly one"}
	}
	return nil
}

func areNames(field string, names []string) error {
	for _, n := range names {
		if err := isName(field, n); err != nil {
			return err
		}
	}
	return nil
}
