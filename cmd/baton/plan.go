package main

import (
	"fmt"
	"strings"

	"github.com/batondb/baton/api"
)

// printPlan shows what would be done, and why it may or may not.
func (s *session) printPlan(p api.Plan) {
	s.printf("%s\n\n", s.paint(bold, planTitle(p)))
	s.printGates(p.Gates)
	s.printCandidates(p.Candidates)
	for n, st := range p.Stages {
		if n == 0 {
			s.printf("\nSteps\n")
		}
		for _, step := range st.Steps {
			s.printf("  %-9s %s%s\n", st.Phase, step.Text, s.paint(dim, "  — "+step.Why))
		}
	}
	if p.AtRisk != "" {
		s.printf("\n%s\n", s.paint(yellow, "On no reachable replica: "+p.AtRisk))
	}
	switch {
	case p.Refusal != nil:
		s.printf("\n%s\n", s.paint(red, fmt.Sprintf("It would be refused (%s): %s", p.Refusal.Reason, p.Refusal.Text)))
		if p.Refusal.Hint != "" {
			s.printf("%s\n", p.Refusal.Hint)
		}
	case p.Complete:
		s.printf("\nNothing is left to do.\n")
	case p.Waiting != "":
		s.printf("\nIt would wait: %s\n", p.Waiting)
	case p.Next != "":
		s.printf("\nNext: %s\n", p.Next)
	}
}

func planTitle(p api.Plan) string {
	successor := p.Successor
	for _, c := range p.Candidates {
		if c.Chosen {
			successor = c.Instance
		}
	}
	switch {
	case p.Kind == api.KindRelocate:
		return fmt.Sprintf("relocate %s below %s", p.Instance, p.To)
	case successor != "":
		return fmt.Sprintf("%s of %s from %s to %s", p.Kind, p.Cluster, p.Instance, successor)
	}
	return fmt.Sprintf("%s of %s from %s", p.Kind, p.Cluster, p.Instance)
}

func (s *session) printGates(gates []api.Gate) {
	if len(gates) == 0 {
		return
	}
	width := 0
	for _, g := range gates {
		width = max(width, len(g.Name))
	}
	s.printf("Gates\n")
	for _, g := range gates {
		mark, note := s.tick(g.Verdict == "pass"), ""
		if g.Verdict == "unknown" {
			mark = s.paint(yellow, "?")
		}
		if g.AgeSeconds >= 1 {
			note = fmt.Sprintf("  (seen %s ago)", short(g.AgeSeconds))
		}
		if g.Overruled != "" {
			note += "  (allowed by " + g.Overruled + ")"
		}
		s.printf("  %s %-*s  %s%s\n", mark, width, g.Name, g.Evidence, s.paint(dim, note))
	}
}

func (s *session) printCandidates(candidates []api.Candidate) {
	if len(candidates) == 0 {
		return
	}
	s.printf("\nCandidates\n")
	t := newTable("", "INSTANCE", "RULE", "BEHIND", "UNAPPLIED", "NOTES")
	for _, c := range candidates {
		mark, notes, look := " ", c.Refused, none
		if c.Chosen {
			mark, look = "→", bold
		}
		if c.Donor {
			notes = append(notes, "the others catch up from it")
		}
		t.add(look, mark, c.Instance, c.PromotionRule, many(c.Behind), many(c.Unapplied), strings.Join(notes, "; "))
	}
	t.print(s.terminal, "  ")
}
