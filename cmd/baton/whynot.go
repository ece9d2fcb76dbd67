package main

import (
	"github.com/urfave/cli/v2"

	"github.com/batondb/baton/api"
)

func whyNotCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "why-not", Usage: "say what stands in the way of an automatic recovery", ArgsUsage: "CLUSTER",
		Description: example("Supposes that the primary dies now, and says what Baton would do and every gate that would stop it. It has no default.", "baton why-not shop"),
		Action: t.with(func(s *session) error {
			ctx, cancel := s.ask()
			defer cancel()
			w, err := s.client.WhyNot(ctx, s.Args().First())
			if err != nil {
				return err
			}
			return s.show(w, func() { s.printWhyNot(w) })
		}),
	}
}

func (s *session) printWhyNot(w api.WhyNot) {
	look := yellow
	if w.Would {
		look = green
	}
	s.printf("%s\n\n", s.paint(look, w.Sentence))
	s.printGates(w.Gates)
	s.printCandidates(w.Candidates)
	if w.AtRisk != "" {
		s.printf("\n%s\n", s.paint(yellow, "On no reachable replica: "+w.AtRisk))
	}
}
