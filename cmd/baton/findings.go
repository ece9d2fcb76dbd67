package main

import (
	"github.com/urfave/cli/v2"

	"github.com/batondb/baton/api"
)

func findingsCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "findings", Usage: "say what is wrong", ArgsUsage: "[CLUSTER]",
		Description: example("Lists what is wrong in a cluster or, by default, anywhere. Findings that another one explains, and those of downtimed instances, are left out of the table.",
			"baton findings shop", "baton findings --all"),
		Flags: []cli.Flag{&cli.BoolFlag{Name: "all", Aliases: []string{"a"}, Usage: "show those that are hidden or ignored too"}},
		Action: t.with(func(s *session) error {
			ctx, cancel := s.ask()
			defer cancel()
			findings, err := s.client.Findings(ctx, s.Args().First())
			if err != nil {
				return err
			}
			return s.show(findings, func() { s.printFindings(findings, s.Bool("all")) })
		}),
	}
}

func (t *terminal) printFindings(findings []api.Finding, all bool) {
	tab := newTable("SEVERITY", "RULE", "SUBJECT", "STATE", "NOTES", "FINDING")
	shown := 0
	for _, f := range findings {
		if !f.Active && !all {
			continue
		}
		shown++
		subject := f.Instance
		if subject == "" {
			subject = f.Area
		}
		note := ""
		switch {
		case f.MaskedBy != "":
			note = "explained by " + f.MaskedBy
		case f.Downtimed:
			note = "downtimed"
		}
		tab.add(severityStyle(f), f.Severity, f.Rule, subject, f.State, note, f.Sentence)
	}
	if shown == 0 {
		t.printf("Nothing is wrong.\n")
		return
	}
	tab.print(t, "")
}

func severityStyle(f api.Finding) style {
	switch {
	case !f.Active:
		return dim
	case f.Severity == "critical":
		return red
	case f.Severity == "warning":
		return yellow
	}
	return none
}
