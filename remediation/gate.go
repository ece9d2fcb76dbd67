package remediation

import (
	"fmt"
	"strings"
	"time"

	"github.com/batondb/baton/topology"
)

// Verdict is the answer of a gate. Unknown is the zero value, and does not pass.
type Verdict uint8

// The verdicts.
const (
	Unknown Verdict = iota
	Pass
	Fail
)

var verdictNames = [...]string{"unknown", "pass", "fail"}

func (v Verdict) String() string { return verdictNames[v] }

// MarshalText writes the name.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads the name.
func (v *Verdict) UnmarshalText(b []byte) error {
	for n, name := range verdictNames {
		if name == string(b) {
			*v = Verdict(n)
			return nil
		}
	}
	return fmt.Errorf("verdict %q is not one of %v", b, verdictNames)
}

// GateName is one of the closed set of gates. It is the reason of a refusal, a label value, and the word by which an operator overrides it.
type GateName string

// The gates, in the order in which they are shown.
const (
	GateTarget      GateName = "target"      // the request makes sense for what is there
	GateAutomation  GateName = "automation"  // automation is not paused
	GateAutonomy    GateName = "autonomy"    // the policy lets Baton act by itself
	GateDowntime    GateName = "downtime"    // the failed instance is not downtimed
	GateMaintenance GateName = "maintenance" // nobody holds the cluster
	GateOpen        GateName = "open_recovery"
	GateCooldown    GateName = "cooldown"
	GateUnacked     GateName = "unacknowledged"
	GateFinding     GateName = "finding" // the failure is still there, or the primary is still up for a takeover
	GateQuorum      GateName = "quorum"  // enough of Baton's nodes agree
	GateBreaker     GateName = "breaker"
	GateCandidate   GateName = "candidate"
	GateHoldsAll    GateName = "holds_everything"  // one reachable replica holds all that any reachable replica received
	GatePrimaryPos  GateName = "primary_position"  // and all that the primary was last seen to have
	GateSemiSync    GateName = "semi_sync_promise" // every acknowledged write is on a reachable replica
	GateLag         GateName = "lag"
	GateGeography   GateName = "geography"
	GateErrant      GateName = "errant"
	GateFollow      GateName = "followers" // the siblings can follow the candidate
)

// Gate is one condition of a plan, with what was seen.
type Gate struct {
	Name      GateName      `json:"name"`
	Verdict   Verdict       `json:"verdict"`
	Evidence  string        `json:"evidence"`
	Age       time.Duration `json:"age,omitempty"`       // of the oldest observation it rests on
	Overruled string        `json:"overruled,omitempty"` // who or what allowed it although it does not pass
}

// Passes reports whether the plan may go on.
func (g Gate) Passes() bool { return g.Verdict == Pass || g.Overruled != "" }

// Refusal is the decision not to act. It is a result, not a fault: it is recorded, counted and shown like a success.
type Refusal struct {
	Reason GateName `json:"reason"` // the first gate that does not pass
	Text   string   `json:"text"`
	Hint   string   `json:"hint,omitempty"` // what the operator can do
	Gates  []Gate   `json:"gates"`
}

func (r *Refusal) Error() string {
	if r.Hint != "" {
		return fmt.Sprintf("refused (%s): %s; %s", r.Reason, r.Text, r.Hint)
	}
	return fmt.Sprintf("refused (%s): %s", r.Reason, r.Text)
}

// gates collects verdicts while a plan is made.
type gates struct {
	list  []Gate
	goal  Goal
	allow map[GateName]string
}

func newGates(goal Goal, p Policy) *gates {
	g := &gates{goal: goal, allow: make(map[GateName]string)}
	for _, name := range p.Allow {
		g.allow[name] = "policy"
	}
	for _, name := range goal.Allow {
		g.allow[name] = goal.By
	}
	return g
}

func (g *gates) add(name GateName, v Verdict, age time.Duration, format string, args ...any) {
	gate := Gate{Name: name, Verdict: v, Evidence: fmt.Sprintf(format, args...), Age: age}
	if who, ok := g.allow[name]; ok && v != Pass && overridable[name] {
		gate.Overruled = who
	}
	g.list = append(g.list, gate)
}

// check adds a gate that passes with one sentence or fails with another.
func (g *gates) check(name GateName, ok bool, pass, fail string) {
	if ok {
		g.add(name, Pass, 0, "%s", pass)
	} else {
		g.add(name, Fail, 0, "%s", fail)
	}
}

// overridable are the gates that a person or a policy may pass by name. The others are about what is, not about what is wanted.
var overridable = map[GateName]bool{
	GatePrimaryPos: true, GateSemiSync: true, GateLag: true, GateGeography: true, GateFollow: true, GateErrant: true, GateUnacked: true, GateCooldown: true,
	GateHoldsAll: true,
}

// Overridable reports whether a gate may be passed by name.
func Overridable(name GateName) bool { return overridable[name] }

// refusal returns the refusal of the first gate that does not pass, or nil.
func (g *gates) refusal() *Refusal {
	for _, gate := range g.list {
		if gate.Passes() {
			continue
		}
		r := &Refusal{Reason: gate.Name, Text: gate.Evidence, Gates: g.list}
		if overridable[gate.Name] && g.goal.Trigger == TriggerOperator {
			r.Hint = fmt.Sprintf("--allow %s accepts it", gate.Name)
		}
		return r
	}
	return nil
}

func names(ids []topology.InstanceID) string {
	out := make([]string, len(ids))
	for n, id := range ids {
		out[n] = string(id)
	}
	return strings.Join(out, ", ")
}

// accepts reports whether somebody has allowed a gate not to pass.
func (g *gates) accepts(name GateName) bool {
	_, ok := g.allow[name]
	return ok
}
