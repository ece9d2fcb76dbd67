package analysis

import (
	"cmp"
	"slices"

	"github.com/batondb/baton/topology"
)

// Evaluate judges a whole fleet. Findings come in a stable order: those of the fleet first, then by cluster, by place in the cluster and by place in
// the table. What another finding hides, or somebody asked to ignore, is found all the same and says so.
func Evaluate(s *topology.Snapshot, table []*Rule, p Policy) []Finding {
	p = p.withDefaults()
	fleet := judgeFleet(table, areas(s, &p))
	var out []Finding
	for _, f := range fleet {
		out = append(out, f.Finding)
	}
	rules := sortRules(table)
	var list []found
	for _, c := range s.Clusters {
		list = judgeCluster(rules, s, c, &p, list[:0])
		if len(list) == 0 {
			continue
		}
		mask(c, list, fleet)
		for n := range list {
			out = append(out, list[n].Finding)
		}
	}
	return out
}

// EvaluateCluster judges one cluster alone and returns what Evaluate would say of it. The fleet is looked at only where a finding depends on it.
func EvaluateCluster(s *topology.Snapshot, cluster string, table []*Rule, p Policy) []Finding {
	c := s.Cluster(cluster)
	if c == nil {
		return nil
	}
	p = p.withDefaults()
	list := judgeCluster(sortRules(table), s, c, &p, nil)
	if len(list) == 0 {
		return nil
	}
	var fleet []found
	if fleetMatters(table, list) {
		fleet = judgeFleet(table, areas(s, &p))
	}
	mask(c, list, fleet)
	out := make([]Finding, len(list))
	for n := range list {
		out[n] = list[n].Finding
	}
	return out
}

// Verdict is the answer to one condition.
type Verdict struct {
	Text  string `json:"text"`
	Holds bool   `json:"holds"`
	Given bool   `json:"given,omitempty"` // asked for the recovery, not for the finding
}

// Explain asks every condition of a rule of one subject, also after one has failed. A subject of another scope than the rule's satisfies nothing.
func Explain(r *Rule, s Subject) []Verdict {
	fits := (s.Area != nil) == (r.Scope != ScopeInstance) && (s.Area != nil || s.Instance != nil)
	verdicts := make([]Verdict, 0, len(r.When)+len(r.Given))
	for _, c := range r.When {
		verdicts = append(verdicts, Verdict{Text: c.Text, Holds: fits && c.Holds(s)})
	}
	for _, c := range r.Given {
		verdicts = append(verdicts, Verdict{Text: c.Text, Holds: fits && c.Holds(s), Given: true})
	}
	return verdicts
}

// Holds reports whether all conditions of the rule hold for a subject of its scope.
func (r *Rule) Holds(s Subject) bool { return allHold(r.When, s) }

// recovery is what may be done about it: the rule's, if what that needs is given.
func (r *Rule) recovery(s Subject) RecoveryKind {
	for _, c := range r.Given {
		if !c.Holds(s) {
			return RecoveryNone
		}
	}
	return r.Recovery
}

// found is a finding on its way, with what masking needs.
type found struct {
	Finding
	rule  *Rule
	place int // of the rule in the table
	at    *topology.Instance
	area  *Area
	by    int // place of the rule that masks it
}

func find(r *Rule, place int, s Subject) found {
	sentence, since := r.Why(s)
	f := found{rule: r, place: place, at: s.Instance, area: s.Area, Finding: Finding{
		Rule: r.Name, Severity: r.Severity, Sentence: sentence, Recovery: r.recovery(s), For: r.For, Since: since,
	}}
	if s.Area != nil {
		f.Area = s.Area.Name
	} else {
		f.Cluster, f.Instance, f.Downtimed = s.Cluster.Name, s.Instance.Instance, s.Instance.Downtimed
	}
	return f
}

// maskedBy notes that another finding hides this one. Of several the first in the table is told.
func (f *found) maskedBy(other *found) {
	if f != nil && (f.MaskedBy == "" || other.place < f.by) {
		f.MaskedBy, f.by = other.Rule, other.place
	}
}

// judgeFleet asks the fleet rules of each area; the first area is the fleet.
func judgeFleet(table []*Rule, areas []Subject) []found {
	var list []found
	for n, sub := range areas {
		for place, r := range table {
			if (r.Scope == ScopeArea || r.Scope == ScopeFleet && n == 0) && r.Holds(sub) {
				list = append(list, find(r, place, sub))
			}
		}
	}
	for n := range list {
		for m := range list {
			if list[n].area == list[m].area && slices.Contains(list[n].rule.Masks, list[m].rule) {
				list[m].maskedBy(&list[n])
			}
		}
	}
	return list
}

// family is the rules that begin with the same condition, which is then asked once for all of them. Two conditions are the same where they say the
// same.
type family struct {
	first Condition
	rules []ranked
}

type ranked struct {
	*Rule
	place int
}

// sortRules sorts the rules about instances into families.
func sortRules(table []*Rule) []family {
	var families []family
	for place, r := range table {
		if r.Scope != ScopeInstance {
			continue
		}
		n := slices.IndexFunc(families, func(f family) bool { return f.first.Text == r.When[0].Text })
		if n < 0 {
			n = len(families)
			families = append(families, family{first: r.When[0]})
		}
		families[n].rules = append(families[n].rules, ranked{r, place})
	}
	return families
}

func judgeCluster(families []family, s *topology.Snapshot, c *topology.Cluster, p *Policy, list []found) []found {
	for _, m := range c.Members {
		sub := subjectOf(s, c, m, p)
		own := len(list)
		for n := range families {
			if f := &families[n]; f.first.Holds(sub) {
				for _, r := range f.rules {
					if allHold(r.When[1:], sub) {
						list = append(list, find(r.Rule, r.place, sub))
					}
				}
			}
		}
		slices.SortFunc(list[own:], func(a, b found) int { return cmp.Compare(a.place, b.place) })
	}
	return list
}

func allHold(conditions []Condition, s Subject) bool {
	for n := range conditions {
		if !conditions[n].Holds(s) {
			return false
		}
	}
	return true
}

// fleetMatters reports whether a fleet rule could hide any of the findings.
func fleetMatters(table []*Rule, list []found) bool {
	for _, r := range table {
		if r.Scope == ScopeInstance {
			continue
		}
		for n := range list {
			if slices.Contains(r.Masks, list[n].rule) {
				return true
			}
		}
	}
	return false
}

// mask marks what others hide. A hidden finding hides others all the same: what it explains is explained, whether it is worth telling or not.
func mask(c *topology.Cluster, list, fleet []found) {
	type spot struct {
		rule *Rule
		at   topology.InstanceID
	}
	index := make(map[spot]*found, len(list))
	for n := range list {
		index[spot{list[n].rule, list[n].Instance}] = &list[n]
	}
	for n := range fleet {
		if !fleet[n].area.covers(c) {
			continue
		}
		for _, r := range fleet[n].rule.Masks {
			for m := range list {
				if list[m].rule == r {
					list[m].maskedBy(&fleet[n])
				}
			}
		}
	}
	for n := range list {
		f := &list[n]
		for _, r := range f.rule.Masks {
			index[spot{r, f.Instance}].maskedBy(f)
		}
		for _, r := range f.rule.MasksBelow {
			for _, id := range f.at.Direct {
				index[spot{r, id}].maskedBy(f)
			}
		}
	}
}
