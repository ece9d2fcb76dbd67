package main

import (
	"github.com/urfave/cli/v2"

	"github.com/batondb/baton/api"
	"github.com/batondb/baton/internal/config"
)

func checkCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "check", Usage: "check a file", Description: example("Checks a file without a service.", "baton check config baton.yaml"),
		Subcommands: []*cli.Command{{
			Name: "config", Usage: "check a configuration file", ArgsUsage: "FILE",
			Description: example("Reads a configuration file as serve does, and ends with 3 where serve would not start with it. It has no default.", "baton check config baton.yaml"),
			Action:      t.offline((*session).checkConfig),
		}},
	}
}

func (s *session) checkConfig() error {
	file := s.Args().First()
	loaded, err := config.Load(file)
	if err != nil {
		s.complain(err.Error(), "")
		return &ending{api.ExitProblems}
	}
	for _, w := range loaded.Warnings() {
		s.complain(w, "")
	}
	s.printf("%s is in order.\n", file)
	return nil
}
