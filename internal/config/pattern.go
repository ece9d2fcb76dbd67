package config

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"

	"github.com/batondb/baton/topology"
)

// Pattern is a regular expression over host:port. As everywhere in Prometheus, it must match all of it.
type Pattern struct {
	text string
	re   *regexp.Regexp
}

// NewPattern compiles an expression.
func NewPattern(text string) (Pattern, error) {
	if text == "" {
		return Pattern{}, errors.New("the expression is empty and would match nothing; write one, or remove it")
	}
	re, err := regexp.Compile("^(?:" + text + ")$")
	if err != nil {
		reason := err.Error()
		if e, ok := errors.AsType[*syntax.Error](err); ok {
			reason = e.Code.String()
		}
		return Pattern{}, fmt.Errorf("%q is not a regular expression: %s", text, reason)
	}
	return Pattern{text: text, re: re}, nil
}

// Match reports whether the expression matches an instance.
func (p Pattern) Match(id topology.InstanceID) bool {
	return p.re != nil && p.re.MatchString(string(id))
}

// String returns the expression as it was written.
func (p Pattern) String() string { return p.text }

// MarshalText writes the expression.
func (p Pattern) MarshalText() ([]byte, error) { return []byte(p.text), nil }

// UnmarshalText compiles the expression.
func (p *Pattern) UnmarshalText(text []byte) error {
	var err error
	*p, err = NewPattern(string(text))
	return err
}

// anyMatch reports whether one of the patterns matches.
func anyMatch(patterns []Pattern, id topology.InstanceID) bool {
	for _, p := range patterns {
		if p.Match(id) {
			return true
		}
	}
	return false
}
