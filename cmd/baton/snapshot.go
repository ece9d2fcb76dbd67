package main

import (
	"github.com/urfave/cli/v2"
)

func snapshotCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "snapshot", Usage: "write everything that is seen as a file",
		Description: example("Writes the snapshot file to the standard output, always as JSON whatever --output says. It can be judged anywhere: baton analyze.", "baton snapshot > fleet.json"),
		Action: t.with(func(s *session) error {
			ctx, cancel := s.ask()
			defer cancel()
			return s.client.Snapshot(ctx, s.out)
		}),
	}
}
