package analysis

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Rule is one failure model: a documented value, not a branch. It holds for a subject when all of its conditions do. The order of the table is
// the precedence, and everything else that exists once per failure (alerts, runbook, dashboards) is generated from the table.
type Rule struct {
	Name     string   // alert name, label value, document anchor, argument of the command line
	Summary  string   // one sentence: what it means
	Advice   string   // what Baton does about it, and what a person should look at
	Severity Severity // never left out
	Scope    Scope    // what the rule is asked about

	For  time.Duration // how long it must hold before its incident fires
	When []Condition   // all must hold

	Masks      []*Rule // hidden on the same subject while this rule holds; they stand further down in the table. Of a fleet rule: on all it covers
	MasksBelow []*Rule // hidden on the direct replicas of the subject, as consequences

	Recovery RecoveryKind // what may be done about it, never left out
	Given    []Condition  // what must hold besides, or the finding proposes no recovery; a policy, or evidence that acting needs and saying does not

	// Why says in one sentence, with the facts, why the rule holds for a subject, and since when where the evidence itself tells. It is asked
	// only where the rule holds.
	Why func(Subject) (sentence string, since time.Time)

	Orchestrator string // what orchestrator calls it; empty where it has no name for it
}

// Condition is one named fact. Its text completes the sentence "the instance ...", or for fleet rules "the fleet ...".
type Condition struct {
	Text  string
	Holds func(Subject) bool
}

// Severity says how much it matters. The zero value is no severity and Validate refuses it, so that nothing is critical by omission.
type Severity uint8

// The severities.
const (
	_        Severity = iota
	Info              // good to know
	Warning           // the next failure would hurt
	Critical          // someone's writes fail, or data is at stake
)

var severityNames = []string{"", "info", "warning", "critical"}

func (s Severity) String() string { return enumName(severityNames, int(s)) }

// MarshalText writes the name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the name.
func (s *Severity) UnmarshalText(b []byte) error {
	n, err := readEnum(severityNames, "severity", b)
	*s = Severity(n)
	return err
}

// Scope says what a rule is asked about.
type Scope uint8

// The scopes. An area is the whole fleet, one region or one data centre.
const (
	ScopeInstance Scope = iota
	ScopeFleet
	ScopeArea
)

var scopeNames = []string{"instance", "fleet", "area"}

func (s Scope) String() string { return enumName(scopeNames, int(s)) }

// MarshalText writes the name.
func (s Scope) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the name.
func (s *Scope) UnmarshalText(b []byte) error {
	n, err := readEnum(scopeNames, "scope", b)
	*s = Scope(n)
	return err
}

func enumName(names []string, n int) string {
	if n < len(names) {
		return names[n]
	}
	return fmt.Sprintf("invalid(%d)", n)
}

func readEnum(names []string, what string, b []byte) (int, error) {
	for n, name := range names {
		if name == string(b) {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%s %q is not one of %v", what, b, names)
}

// RecoveryKind is what may be done about a finding.
type RecoveryKind string

// The kinds. RecoveryTakeover is never the answer to a finding: people ask for it.
const (
	RecoveryNone             RecoveryKind = "none"
	RecoveryReprobe          RecoveryKind = "reprobe"           // gather evidence: probe everybody now, ask the other nodes, restart receivers that are connected and silent
	RecoveryRestartReceivers RecoveryKind = "restart_receivers" // gather evidence: restart the receivers of replicas that lag, so that each tests its link
	RecoveryFailover         RecoveryKind = "failover"
	RecoveryTakeover         RecoveryKind = "takeover"
	RecoveryPromotePeer      RecoveryKind = "promote_peer"      // the other co-primary becomes the only primary
	RecoveryRelocate         RecoveryKind = "relocate_replicas" // the replicas of a dead source go elsewhere
	RecoveryFence            RecoveryKind = "fence"             // make it read-only; a deposed primary then rejoins
	RecoveryRejoin           RecoveryKind = "rejoin"
	RecoveryRepoint          RecoveryKind = "repoint"
	RecoverySetReadOnly      RecoveryKind = "set_read_only"
	RecoveryOpenPrimary      RecoveryKind = "open_primary"
	RecoveryRelockSemiSync   RecoveryKind = "relock_semi_sync"
	RecoveryAdjustSemiSync   RecoveryKind = "adjust_semi_sync"
)

// Kinds lists all kinds of recovery.
func Kinds() []RecoveryKind {
	return []RecoveryKind{
		RecoveryNone, RecoveryReprobe, RecoveryRestartReceivers, RecoveryFailover, RecoveryTakeover, RecoveryPromotePeer, RecoveryRelocate,
		RecoveryFence, RecoveryRejoin, RecoveryRepoint, RecoverySetReadOnly, RecoveryOpenPrimary, RecoveryRelockSemiSync, RecoveryAdjustSemiSync,
	}
}

// Find returns the rule of a name, or nil.
func Find(table []*Rule, name string) *Rule {
	for _, r := range table {
		if r.Name == name {
			return r
		}
	}
	return nil
}

// Validate reports everything that is wrong with a table: it is what makes the table trustworthy as the one source of alerts and documents.
func Validate(table []*Rule) error {
	place := make(map[*Rule]int, len(table))
	names := make(map[string]bool, len(table))
	kinds := make(map[RecoveryKind]bool)
	for _, k := range Kinds() {
		kinds[k] = true
	}
	for n, r := range table {
		if r != nil {
			place[r] = n
		}
	}
	var errs []error
	for n, r := range table {
		if r == nil {
			errs = append(errs, fmt.Errorf("rule %d is nil", n))
			continue
		}
		for _, fault := range r.faults(n, place, kinds) {
			errs = append(errs, fmt.Errorf("rule %q: %s", r.Name, fault))
		}
		if names[r.Name] {
			errs = append(errs, fmt.Errorf("rule %q is in the table twice", r.Name))
		}
		names[r.Name] = true
	}
	return errors.Join(errs...)
}

func (r *Rule) faults(n int, place map[*Rule]int, kinds map[RecoveryKind]bool) []string {
	var faults []string
	claim := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	claim(isName(r.Name), "the name must be letters and digits, beginning with a capital")
	claim(isSentence(r.Summary), "the summary must be a sentence")
	claim(isSentence(r.Advice), "the advice must be a sentence")
	claim(r.Severity >= Info && r.Severity <= Critical, "the severity is not set")
	claim(r.Scope <= ScopeArea, "scope %d does not exist", r.Scope)
	claim(r.For >= 0, "for is negative")
	claim(len(r.When) > 0, "it has no condition")
	claim(r.Why != nil, "it cannot say why")
	claim(kinds[r.Recovery], "recovery %q does not exist", r.Recovery)
	claim(r.Recovery != RecoveryNone || len(r.Given) == 0, "a recovery that is none needs nothing given")
	texts := make(map[string]bool)
	for _, c := range append(append([]Condition(nil), r.When...), r.Given...) {
		claim(c.Text != "" && !strings.HasSuffix(c.Text, "."), "condition %q must complete the sentence \"the instance ...\"", c.Text)
		claim(c.Holds != nil, "condition %q cannot be asked", c.Text)
		claim(!texts[c.Text], "condition %q is there twice", c.Text)
		texts[c.Text] = true
	}
	masked := make(map[*Rule]bool)
	for _, m := range r.Masks {
		at, ok := place[m]
		claim(ok && at > n, "masks %s, which does not stand further down in the table", m.label())
		claim(!masked[m], "masks %s twice", m.label())
		masked[m] = true
	}
	masked = make(map[*Rule]bool)
	for _, m := range r.MasksBelow {
		at, ok := place[m]
		claim(ok && at > n, "masks %s below it, which does not stand further down in the table", m.label())
		claim(!masked[m], "masks %s below it twice", m.label())
		masked[m] = true
		claim(r.Scope == ScopeInstance, "only an instance has replicas to mask rules of")
	}
	return faults
}

func (r *Rule) label() string {
	if r == nil {
		return "nil"
	}
	return r.Name
}

func isName(s string) bool {
	for n, c := range s {
		upper, lower, digit := 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9'
		if n == 0 && !upper || !upper && !lower && !digit {
			return false
		}
	}
	return s != ""
}

func isSentence(s string) bool {
	return s != "" && 'A' <= s[0] && s[0] <= 'Z' && strings.HasSuffix(s, ".")
}
