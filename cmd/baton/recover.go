package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/batondb/baton/api"
)

func allowFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "allow", Usage: "`GATE` that need not pass; may be repeated", DefaultText: "none"}
}

func takeoverCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "takeover", Usage: "hand the primary's role over, while the primary is up", ArgsUsage: "CLUSTER",
		Description: example("Promotes a replica without losing a write; the old primary follows it. By default Baton chooses the replica.",
			"baton takeover shop --dry-run", "baton takeover shop --to db2"),
		Flags: changeFlags(&cli.StringFlag{Name: "to", Usage: "`INSTANCE` that is to become the primary", DefaultText: "the best"}, allowFlag()),
		Action: t.with(func(s *session) error {
			return s.recover(api.RecoveryRequest{Kind: api.KindTakeover, Cluster: s.Args().First(), To: s.String("to")})
		}),
	}
}

func failoverCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "failover", Usage: "replace a primary that is down", ArgsUsage: "CLUSTER",
		Description: example("Promotes the replica that holds everything. By default Baton chooses it. Unless --yes is given, the name of the cluster has to be typed.",
			"baton failover shop --dry-run", "baton failover shop --to db2"),
		Flags: changeFlags(&cli.StringFlag{Name: "to", Usage: "`INSTANCE` that is to become the primary", DefaultText: "the best"}, allowFlag()),
		Action: t.with(func(s *session) error {
			return s.recover(api.RecoveryRequest{Kind: api.KindFailover, Cluster: s.Args().First(), To: s.String("to")})
		}),
	}
}

func relocateCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "relocate", Usage: "let a replica follow another source", ArgsUsage: "INSTANCE",
		Description: example("Moves one replica, with all that is below it, to another source of its cluster.", "baton relocate db4 --below db2"),
		Flags:       changeFlags(&cli.StringFlag{Name: "below", Usage: "`INSTANCE` that is to be its source", DefaultText: "none"}, allowFlag()),
		Action: t.with(func(s *session) error {
			if s.String("below") == "" {
				return usage("baton relocate: name the source").with("add --below INSTANCE")
			}
			return s.recover(api.RecoveryRequest{Kind: api.KindRelocate, Instance: s.Args().First(), To: s.String("below")})
		}),
	}
}

// recover plans or carries out a recovery. On a terminal the plan is shown before the question.
func (s *session) recover(req api.RecoveryRequest) error {
	req.Signature, req.Allow = s.signature(), s.StringSlice("allow")
	if s.Bool("dry-run") {
		return s.dryRun(req)
	}
	if err := s.agree(req); err != nil {
		return err
	}
	ctx, cancel := s.ask()
	defer cancel()
	started, err := s.client.StartRecovery(ctx, req)
	if err != nil {
		return s.refused(err)
	}
	return s.follow(started.ID)
}

func (s *session) dryRun(req api.RecoveryRequest) error {
	ctx, cancel := s.ask()
	defer cancel()
	plan, err := s.client.Plan(ctx, req)
	if err != nil {
		return err
	}
	if err := s.show(plan, func() { s.printPlan(plan) }); err != nil {
		return err
	}
	if plan.Refusal != nil {
		return &ending{api.ExitRefused}
	}
	return nil
}

// agree shows the plan and asks. With --yes, or where nobody can be asked, there is nothing to show.
func (s *session) agree(req api.RecoveryRequest) error {
	if s.Bool("yes") || !s.asks {
		return s.confirm("")
	}
	ctx, cancel := s.ask()
	defer cancel()
	plan, err := s.client.Plan(ctx, req)
	if err != nil {
		return err
	}
	talk := *s.terminal
	talk.out = s.err
	(&session{Context: s.Context, terminal: &talk}).printPlan(plan)
	if plan.Refusal != nil {
		return &ending{api.ExitRefused}
	}
	fmt.Fprintln(s.err)
	if req.Kind == api.KindFailover {
		return s.confirmName("Baton is to carry it out.", plan.Cluster)
	}
	return s.confirm("Baton is to carry it out.")
}

// refused shows the gates of a refusal.
func (s *session) refused(err error) error {
	var failed *api.Error
	if !errors.As(err, &failed) {
		return err
	}
	r, ok := failed.Refusal()
	if !ok {
		return err
	}
	talk := *s.terminal
	talk.out = s.err
	(&session{Context: s.Context, terminal: &talk}).printGates(r.Gates)
	return err
}

// follow tells how a recovery goes until it ends, and then how it ended.
func (s *session) follow(id string) error {
	teller := &teller{terminal: s.terminal, began: make(map[string]api.Progress)}
	if !s.plain() {
		talk := *s.terminal
		talk.out, talk.live = s.err, false
		teller.terminal = &talk
	}
	teller.printf("recovery %s\n", id)
	var end api.Progress
	err := s.client.Progress(s.Context.Context, id, func(p api.Progress) error {
		if p.Outcome != "" {
			end = p
		}
		teller.tell(p)
		return nil
	})
	teller.finish()
	if err != nil {
		return err
	}
	return s.reportEnd(id, end)
}

// reportEnd says how it ended. The record knows more than the last event; where it cannot be read, the event has to do.
func (s *session) reportEnd(id string, end api.Progress) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.Context.Context), s.Duration("timeout"))
	defer cancel()
	rec, err := s.client.Recovery(ctx, id)
	if err != nil {
		rec = api.RecoveryView{ID: id, Outcome: end.Outcome, Message: end.Text, Successor: end.Successor}
	}
	if rec.Outcome == "" {
		rec.Outcome = end.Outcome
	}
	if err := s.show(rec, func() { s.printOutcome(rec) }); err != nil {
		return err
	}
	switch rec.Outcome {
	case api.OutcomeSuccess, api.OutcomePartial:
		return nil
	case api.OutcomeAborted, api.OutcomeRefused:
		return &ending{api.ExitRefused}
	case api.OutcomeHalted:
		s.complain("this node may not act any more; the next leader takes the recovery up", "baton recovery show "+id)
		return &ending{api.ExitUnreachable}
	}
	return &ending{api.ExitFailed}
}

func (s *session) printOutcome(r api.RecoveryView) {
	look := map[string]style{api.OutcomeSuccess: green, api.OutcomePartial: yellow}[r.Outcome]
	if look == none {
		look = red
	}
	took := ""
	if r.TookSeconds != nil {
		took = " in " + short(*r.TookSeconds)
	}
	what := ""
	if r.Kind != "" {
		what = r.Kind + " of " + r.Cluster + ": "
	}
	s.printf("%s%s%s", what, s.paint(look, r.Outcome), took)
	if r.Successor != "" {
		s.printf(", %s is the primary", r.Successor)
	}
	s.printf("\n")
	if r.Message != "" && r.Outcome != api.OutcomeSuccess {
		s.printf("%s\n", r.Message)
	}
	for _, id := range r.LostReplicas {
		s.printf("%s could not be brought along\n", id)
	}
	if r.LostTransactions != "" {
		s.printf("%s\n", s.paint(red, "lost: "+r.LostTransactions))
	}
}
