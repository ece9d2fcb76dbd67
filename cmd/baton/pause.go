package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/batondb/baton/api"
)

func ruleFlag() cli.Flag {
	return &cli.StringFlag{Name: "rule", Usage: "only recoveries by this `RULE`", DefaultText: "all"}
}

func pauseCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "pause", Usage: "stop automatic recoveries", ArgsUsage: "[CLUSTER]",
		Description: example("Stops what Baton does by itself, in a cluster or, by default, in the whole fleet. What people ask for goes on.",
			"baton pause shop --for 1h --reason 'network work'", "baton pause --rule DeadPrimary --reason 'drill'"),
		Flags:  changeFlags(ruleFlag(), forFlag("how long", "until resumed")),
		Action: t.with((*session).pauseAutomation),
	}
}

func (s *session) pauseAutomation() error {
	sig, err := s.because()
	if err != nil {
		return err
	}
	length, err := s.length()
	if err != nil {
		return err
	}
	req := api.PauseRequest{Cluster: s.Args().First(), Rule: s.String("rule"), For: length, Signature: sig}
	what := "stop automatic recoveries of " + scopeOf(req.Cluster, req.Rule)
	if length != 0 {
		what += " for " + length.String()
	} else {
		what += " until they are resumed"
	}
	return s.apply(change{what: what, request: req, check: s.knownCluster(req.Cluster), do: func(ctx context.Context) (any, string, error) {
		p, err := s.client.Pause(ctx, req)
		text := "Automation is paused for " + p.Scope
		if p.Until.IsZero() {
			return p, text + " until it is resumed.", err
		}
		return p, text + " until " + s.clock(p.Until) + ".", err
	}})
}

func resumeCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "resume", Usage: "let automatic recoveries go on", ArgsUsage: "[CLUSTER]",
		Description: example("Ends the pause of exactly this scope: a cluster or, by default, the whole fleet.", "baton resume shop", "baton resume --rule DeadPrimary"),
		Flags:       changeFlags(ruleFlag()),
		Action: t.with(func(s *session) error {
			cluster, rule, sig := s.Args().First(), s.String("rule"), s.signature()
			return s.apply(change{
				what: "let automatic recoveries of " + scopeOf(cluster, rule) + " go on", request: sig, check: s.knownCluster(cluster),
				do: done(func(ctx context.Context) (api.Done, error) { return s.client.Resume(ctx, cluster, rule, sig) }),
			})
		}),
	}
}

// scopeOf says in words what a pause stops.
func scopeOf(cluster, rule string) string {
	switch {
	case cluster == "" && rule == "":
		return "the whole fleet"
	case rule == "":
		return "cluster " + cluster
	case cluster == "":
		return "rule " + rule + " in all clusters"
	}
	return "rule " + rule + " in cluster " + cluster
}
