package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/batondb/baton/api"
)

func downtimeCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "downtime", Usage: "ignore the findings of an instance for a time", Description: example("An instance in downtime is not recovered and never promoted.", "baton downtime list"),
		Subcommands: []*cli.Command{
			{
				Name: "begin", Usage: "begin a downtime", ArgsUsage: "INSTANCE",
				Description: example("Ignores the findings of an instance.", "baton downtime begin db3 --for 2h --reason 'new disk'"),
				Flags:       changeFlags(forFlag("how long", "1h, and the answer says so")),
				Action:      t.with((*session).beginDowntime),
			},
			{
				Name: "end", Usage: "end a downtime", ArgsUsage: "INSTANCE",
				Description: example("Heeds the findings of an instance again. It has no default.", "baton downtime end db3"),
				Flags:       changeFlags(),
				Action: t.with(func(s *session) error {
					id, sig := s.Args().First(), s.signature()
					return s.apply(change{
						what: "end the downtime of " + id, request: sig, check: s.known(id),
						do: done(func(ctx context.Context) (api.Done, error) { return s.client.EndDowntime(ctx, id, sig) }),
					})
				}),
			},
			{
				Name: "list", Usage: "list the downtimes", Description: example("Lists the downtimes that are in force, of all clusters by default.", "baton downtime list"),
				Action: t.with(func(s *session) error {
					ctx, cancel := s.ask()
					defer cancel()
					downtimes, err := s.client.Downtimes(ctx)
					if err != nil {
						return err
					}
					return s.show(downtimes, func() { s.printDowntimes(downtimes) })
				}),
			},
		},
	}
}

func (s *session) beginDowntime() error {
	sig, err := s.because()
	if err != nil {
		return err
	}
	length, err := s.length()
	if err != nil {
		return err
	}
	req := api.DowntimeRequest{Instance: s.Args().First(), For: length, Signature: sig}
	what := "ignore the findings of " + req.Instance
	if length != 0 {
		what += " for " + length.String()
	} else {
		what += " for the default of the service"
	}
	return s.apply(change{what: what, request: req, check: s.known(req.Instance), do: func(ctx context.Context) (any, string, error) {
		d, err := s.client.BeginDowntime(ctx, req)
		if d.Note != "" {
			fmt.Fprintln(s.err, sentence(d.Note))
		}
		return d, fmt.Sprintf("The findings of %s are ignored until %s.", d.Instance, s.clock(d.End)), err
	}})
}

func (s *session) printDowntimes(downtimes []api.Downtime) {
	if len(downtimes) == 0 {
		s.printf("There are none.\n")
		return
	}
	t := newTable("INSTANCE", "BEGIN", "END", "OWNER", "REASON")
	for _, d := range downtimes {
		t.add(none, d.Instance, s.clock(d.Begin), s.clock(d.End), d.Owner, d.Reason)
	}
	t.print(s.terminal, "")
}
