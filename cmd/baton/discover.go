package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/batondb/baton/api"
)

func discoverCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "discover", Usage: "probe an instance now, and watch it and its cluster from then on", ArgsUsage: "INSTANCE",
		Description: example("An instance is host:port; the port is 3306 by default. The rest of its cluster is found through it.", "baton discover db1.example.com"),
		Flags:       changeFlags(),
		Action: t.with(func(s *session) error {
			req := api.DiscoverRequest{Instance: s.Args().First(), Signature: s.signature()}
			return s.apply(change{what: "probe " + req.Instance + " and watch it from then on", request: req, do: func(ctx context.Context) (any, string, error) {
				i, err := s.client.Discover(ctx, req)
				return i, fmt.Sprintf("%s is %s and is watched from now on (%s %s).", i.ID, i.Reach, orDash(i.Flavor), orDash(i.Version)), err
			}})
		}),
	}
}

func forgetCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "forget", Usage: "stop watching an instance", ArgsUsage: "INSTANCE",
		Description: example("Stops watching an instance, and does not discover it again for a time, 24h by default.", "baton forget db3 --for 1h"),
		Flags:       changeFlags(forFlag("how long it is not discovered again", "24h")),
		Action: t.with(func(s *session) error {
			length, err := s.length()
			if err != nil {
				return err
			}
			id, sig := s.Args().First(), s.signature()
			return s.apply(change{
				what: "stop watching " + id, request: sig, check: s.known(id),
				do: done(func(ctx context.Context) (api.Done, error) { return s.client.Forget(ctx, id, length, sig) }),
			})
		}),
	}
}

func promotionCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "promotion", Usage: "say how welcome an instance is as a primary", ArgsUsage: "INSTANCE PROMOTION",
		Description: example("The rule is prefer, neutral, prefer_not or must_not; configured returns to the one of the configuration. It holds for ever by default.",
			"baton promotion db3 must_not --reason 'slow disk'"),
		Flags: changeFlags(forFlag("how long", "for ever")),
		Action: t.with(func(s *session) error {
			length, err := s.length()
			if err != nil {
				return err
			}
			id, rule := s.Args().Get(0), s.Args().Get(1)
			req := api.PromotionRuleRequest{Rule: rule, For: length, Signature: s.signature()}
			if rule == promotionConfigured {
				req.Rule = ""
			}
			return s.apply(change{
				what: fmt.Sprintf("set the promotion rule of %s to %s", id, rule), request: req, check: s.known(id),
				do: done(func(ctx context.Context) (api.Done, error) { return s.client.SetPromotionRule(ctx, id, req) }),
			})
		}),
	}
}

// promotionConfigured is the word for no rule of one's own.
const promotionConfigured = "configured"
