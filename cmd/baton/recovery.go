package main

import (
	"context"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/batondb/baton/api"
)

func recoveryCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "recovery", Usage: "list, show, plan and acknowledge recoveries",
		Description: example("What was done, what is being done, and what would be done.", "baton recovery list", "baton recovery plan failover shop"),
		Subcommands: []*cli.Command{
			recoveryListCommand(t),
			recoveryShowCommand(t),
			recoveryPlanCommand(t),
			recoveryAckCommand(t),
		},
	}
}

func recoveryListCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "list recoveries, the newest first", Description: example("By default it lists the recoveries of all clusters, ended ones too.",
			"baton recovery list --cluster shop", "baton recovery list --open"),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "cluster", Usage: "only of this `CLUSTER`", DefaultText: "all"},
			&cli.BoolFlag{Name: "open", Usage: "only those that have not ended"},
		},
		Action: t.with(func(s *session) error {
			ctx, cancel := s.ask()
			defer cancel()
			var open *bool
			if s.Bool("open") {
				yes := true
				open = &yes
			}
			recoveries, err := s.client.Recoveries(ctx, s.String("cluster"), open)
			if err != nil {
				return err
			}
			return s.show(recoveries, func() { s.printRecoveries(recoveries) })
		}),
	}
}

func (s *session) printRecoveries(recoveries []api.RecoveryView) {
	if len(recoveries) == 0 {
		s.printf("There are none.\n")
		return
	}
	t := newTable("RECOVERY", "CLUSTER", "KIND", "INSTANCE", "SUCCESSOR", "OUTCOME", "TOOK", "TRIGGER", "BY", "ACKNOWLEDGED")
	for _, r := range recoveries {
		outcome, took, ack := r.Outcome, "", "no"
		if r.Open {
			outcome, ack = "running", "-"
		}
		if r.TookSeconds != nil {
			took = short(*r.TookSeconds)
		}
		if r.Acknowledged != nil {
			ack = r.Acknowledged.By
		}
		t.add(outcomeStyle(r), r.ID, r.Cluster, r.Kind, orDash(r.Instance), orDash(r.Successor), outcome, orDash(took), r.Trigger, r.By, ack)
	}
	t.print(s.terminal, "")
}

func outcomeStyle(r api.RecoveryView) style {
	switch {
	case r.Open || r.Outcome == api.OutcomePartial:
		return yellow
	case r.Outcome == api.OutcomeSuccess:
		return none
	}
	return red
}

func recoveryShowCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "show", Usage: "show a recovery with its steps", ArgsUsage: "RECOVERY",
		Description: example("Shows what was asked, done and reached. By default it does not wait for the end of a recovery that is running.",
			"baton recovery show 20261120T150405.123Z-7f3a9c2e", "baton recovery show 20261120T150405.123Z-7f3a9c2e --follow"),
		Flags: []cli.Flag{&cli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Usage: "tell its steps as they are done, until it ends"}},
		Action: t.with(func(s *session) error {
			if s.Bool("follow") {
				return s.follow(s.Args().First())
			}
			ctx, cancel := s.ask()
			defer cancel()
			r, err := s.client.Recovery(ctx, s.Args().First())
			if err != nil {
				return err
			}
			return s.show(r, func() { s.printRecovery(r) })
		}),
	}
}

func (s *session) printRecovery(r api.RecoveryView) {
	s.printf("%s\n", s.paint(bold, "recovery "+r.ID))
	facts := newTable()
	for _, f := range [][2]string{
		{"kind", r.Kind},
		{"cluster", r.Cluster},
		{"instance", r.Instance},
		{"rule", r.Rule},
		{"trigger", r.Trigger + ", by " + r.By},
		{"reason", r.Reason},
		{"opened", s.clock(r.Opened)},
		{"closed", s.clock(r.Closed)},
		{"outcome", r.Outcome},
		{"message", r.Message},
		{"successor", r.Successor},
		{"left behind", strings.Join(r.LostReplicas, ", ")},
		{"lost", r.LostTransactions},
	} {
		if f[1] != "" && f[1] != "-" {
			facts.add(none, f[0], f[1])
		}
	}
	if a := r.Acknowledged; a != nil {
		facts.add(none, "acknowledged", s.clock(a.At)+" by "+a.By+": "+a.Comment)
	}
	facts.print(s.terminal, "  ")
	if len(r.Phases) > 0 {
		s.printf("\nPhases\n")
		t := newTable()
		for _, p := range r.Phases {
			t.add(none, p.Phase, short(p.Seconds))
		}
		t.print(s.terminal, "  ")
	}
	if len(r.Steps) > 0 {
		s.printf("\nSteps\n")
		t := newTable()
		for _, step := range r.Steps {
			look := none
			if step.Error != "" {
				look = red
			}
			t.add(look, step.Phase, step.Step, orDash(step.On), short(step.TookSeconds), step.Error)
		}
		t.print(s.terminal, "  ")
	}
}

func recoveryPlanCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "plan", Usage: "plan a recovery and do nothing", ArgsUsage: "KIND SUBJECT",
		Description: example("Plans a failover or takeover of a cluster, or the relocation of an instance. It ends with 4 where it would be refused. By default Baton chooses the successor.",
			"baton recovery plan failover shop", "baton recovery plan relocate db4 --below db2"),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "to", Usage: "`INSTANCE` that is to become the primary", DefaultText: "the best"},
			&cli.StringFlag{Name: "below", Usage: "`INSTANCE` that is to be the source", DefaultText: "none"},
			allowFlag(),
		},
		Action: t.with(func(s *session) error {
			req := api.RecoveryRequest{Kind: s.Args().Get(0), To: s.String("to"), Allow: s.StringSlice("allow"), Signature: api.Signature{By: me()}}
			if req.Kind == api.KindRelocate {
				req.Instance = s.Args().Get(1)
				if req.To == "" {
					req.To = s.String("below")
				}
			} else {
				req.Cluster = s.Args().Get(1)
			}
			return s.dryRun(req)
		}),
	}
}

func recoveryAckCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "ack", Usage: "sign a recovery, or all of a cluster, as seen", ArgsUsage: "[RECOVERY]",
		Description: example("An acknowledged recovery no longer holds back the next one. The reason is the comment; neither it nor the subject has a default.",
			"baton recovery ack 20261120T150405.123Z-7f3a9c2e --reason 'disk replaced'", "baton recovery ack --cluster shop --reason 'drill'"),
		Flags: changeFlags(&cli.StringFlag{Name: "cluster", Usage: "all of this `CLUSTER`", DefaultText: "none"}),
		Action: t.with(func(s *session) error {
			id, cluster := s.Args().First(), s.String("cluster")
			if (id == "") == (cluster == "") {
				return usage("baton recovery ack: name a recovery or a cluster, and not both").with("baton recovery ack RECOVERY, or baton recovery ack --cluster CLUSTER")
			}
			sig, err := s.because()
			if err != nil {
				return err
			}
			if cluster != "" {
				return s.apply(change{
					what: "acknowledge all ended recoveries of " + cluster, request: sig, check: s.knownCluster(cluster),
					do: done(func(ctx context.Context) (api.Done, error) { return s.client.AcknowledgeCluster(ctx, cluster, sig) }),
				})
			}
			return s.apply(change{
				what: "acknowledge recovery " + id, request: sig, check: s.knownRecovery(id),
				do: done(func(ctx context.Context) (api.Done, error) { return s.client.AcknowledgeRecovery(ctx, id, sig) }),
			})
		}),
	}
}
