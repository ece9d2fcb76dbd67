package main

import (
	"github.com/urfave/cli/v2"

	"github.com/batondb/baton/api"
)

func ruleCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "rule", Usage: "list and explain the failure models", Description: example("What Baton can find, and why it does or does not.", "baton rule list"),
		Subcommands: []*cli.Command{
			{
				Name: "list", Usage: "list the failure models",
				Description: example("Lists the failure models in their order of precedence.", "baton rule list"),
				Action: t.with(func(s *session) error {
					ctx, cancel := s.ask()
					defer cancel()
					rules, err := s.client.Rules(ctx)
					if err != nil {
						return err
					}
					return s.show(rules, func() {
						t := newTable("RULE", "SEVERITY", "RECOVERY", "MEANING")
						for _, r := range rules {
							t.add(none, r.Name, r.Severity, r.Recovery, r.Summary)
						}
						t.print(s.terminal, "")
					})
				}),
			},
			{
				Name: "explain", Usage: "say which conditions of a failure model hold", ArgsUsage: "RULE [INSTANCE]",
				Description: example("Asks every condition of a rule. A rule about instances needs one; one about the fleet asks about the whole fleet by default.",
					"baton rule explain DeadPrimary db1"),
				Flags: []cli.Flag{&cli.StringFlag{Name: "area", Usage: "`AREA` to ask a rule about areas of, as findings name it", DefaultText: "fleet"}},
				Action: t.with(func(s *session) error {
					ctx, cancel := s.ask()
					defer cancel()
					e, err := s.client.Explain(ctx, s.Args().Get(0), s.Args().Get(1), s.String("area"))
					if err != nil {
						return err
					}
					return s.show(e, func() { s.printExplanation(e) })
				}),
			},
		},
	}
}

func (s *session) printExplanation(e api.Explanation) {
	subject, verdict := e.Instance, "does not hold"
	if subject == "" {
		subject = e.Area
	}
	if e.Holds {
		verdict = "holds"
	}
	s.printf("%s %s for %s. %s\n\n%s ...\n", s.paint(bold, e.Rule), verdict, subject, e.Summary, subject)
	for _, c := range e.Conditions {
		note := ""
		if c.Given {
			note = "  (needed for the recovery)"
		}
		s.printf("  %s %s%s\n", s.tick(c.Holds), c.Text, s.paint(dim, note))
	}
}

func (t *terminal) tick(yes bool) string {
	if yes {
		return t.paint(green, "✓")
	}
	return t.paint(red, "✗")
}
