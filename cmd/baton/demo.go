package main

import (
	"errors"

	"github.com/urfave/cli/v2"
)

func demoCommand() *cli.Command {
	return &cli.Command{
		Name: "demo", Usage: "run a whole fleet on this machine", Description: example("Runs a fleet.", "baton demo"),
		Action: func(*cli.Context) error { return errors.New("demo: not built yet") },
	}
}
