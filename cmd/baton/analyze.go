package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"

	"github.com/urfave/cli/v2"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/api"
	"github.com/batondb/baton/topology"
)

func analyzeCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "analyze", Usage: "judge a snapshot file, without a service", ArgsUsage: "FILE",
		Description: example("Reads what baton snapshot wrote, or a scenario in the notation, and says what is wrong in it by the default policy. It ends with 3 where something is. - is the standard input.",
			"baton analyze fleet.json"),
		Flags: []cli.Flag{&cli.BoolFlag{Name: "all", Aliases: []string{"a"}, Usage: "show findings that are hidden or ignored too"}},
		Action: t.offline(func(s *session) error {
			in, err := s.readInput(s.Args().First())
			if err != nil {
				return err
			}
			snap := topology.Build(in)
			incidents, _ := analysis.Track(nil, analysis.Evaluate(snap, analysis.Table, analysis.DefaultPolicy()), snap.At)
			findings, active := []api.Finding{}, false
			for _, i := range incidents {
				findings = append(findings, api.FindingOf(i))
				active = active || i.Finding.Active()
			}
			if err := s.show(findings, func() { s.printFindings(findings, s.Bool("all")) }); err != nil {
				return err
			}
			if active {
				return &ending{api.ExitProblems}
			}
			return nil
		}),
	}
}

// clusterLine is how a scenario begins, after comments and what concerns the whole of Baton. Without it any word would do for an instance.
var clusterLine = regexp.MustCompile(`(?m)^cluster `)

// readInput reads a snapshot file or a scenario; the first is JSON and the second never is.
func (s *session) readInput(file string) (topology.Input, error) {
	var raw []byte
	var err error
	if file == "-" {
		raw, err = io.ReadAll(s.in)
	} else {
		raw, err = os.ReadFile(file)
	}
	if err != nil {
		return topology.Input{}, err
	}
	var in topology.Input
	switch {
	case bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")):
		in, err = topology.Read(bytes.NewReader(raw))
	case clusterLine.Match(raw):
		in, err = topology.Parse(string(raw))
	default:
		err = errors.New("it is neither a snapshot file, which baton snapshot writes, nor a scenario, in which instances follow a cluster line")
	}
	if err != nil {
		return topology.Input{}, fmt.Errorf("%s: %w", file, err)
	}
	return in, nil
}
