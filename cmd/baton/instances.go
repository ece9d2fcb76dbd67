package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/batondb/baton/api"
)

func instancesCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "instances", Usage: "list the instances of a cluster, or all", ArgsUsage: "[CLUSTER]",
		Description: example("Lists instances with their place, lag and problems. Without a cluster (the default) it lists all.", "baton instances shop"),
		Action: t.with(func(s *session) error {
			ctx, cancel := s.ask()
			defer cancel()
			instances, err := s.client.Instances(ctx, s.Args().First())
			if err != nil {
				return err
			}
			return s.show(instances, func() { s.printInstances(instances) })
		}),
	}
}

func (s *session) printInstances(instances []api.InstanceView) {
	if len(instances) == 0 {
		s.printf("No instances are known. Name one: baton discover HOST\n")
		return
	}
	t := newTable("INSTANCE", "CLUSTER", "ROLE", "REACH", "VERSION", "MODE", "LAG", "BEHIND", "NOTES")
	for _, i := range instances {
		notes := append(replicationNotes(i), wishNotes(i)...)
		t.add(instanceStyle(i), i.ID, i.Cluster, i.Role, i.Reach, orDash(i.Version), mode(i), lag(i), behind(i), strings.Join(append(notes, problemNames(i)...), ", "))
	}
	t.print(s.terminal, "")
}

// instanceStyle is red for what does not work and yellow for what does not work well.
func instanceStyle(i api.InstanceView) style {
	s := none
	if i.Down {
		return red
	}
	for _, p := range i.Problems {
		switch p.Severity {
		case "critical":
			return red
		case "warning":
			s = yellow
		}
	}
	return s
}

// mode is what ordinary clients may do.
func mode(i api.InstanceView) string {
	switch {
	case i.ReadOnly == nil:
		return "?"
	case *i.ReadOnly || i.SuperReadOnly != nil && *i.SuperReadOnly:
		return "ro"
	}
	return "rw"
}

func lag(i api.InstanceView) string {
	switch {
	case i.Source == "":
		return "-"
	case i.LagSeconds == nil:
		return "?"
	}
	return short(*i.LagSeconds)
}

func behind(i api.InstanceView) string {
	switch {
	case i.Source == "":
		return "-"
	case i.BehindPrimary == nil:
		return "?"
	}
	return many(*i.BehindPrimary)
}

// replicationNotes says which thread does not work, and why.
func replicationNotes(i api.InstanceView) []string {
	var notes []string
	if i.Receiver != "" && i.Receiver != "connected" {
		notes = append(notes, "receiver "+i.Receiver+errno(i.ReceiverErrno))
	}
	if i.Applier != "" && i.Applier != "running" {
		notes = append(notes, "applier "+i.Applier+errno(i.ApplierErrno))
	}
	if i.DelaySeconds > 0 {
		notes = append(notes, "delayed by "+short(i.DelaySeconds))
	}
	return notes
}

func errno(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d)", n)
}

// wishNotes says what people or Baton want of the instance.
func wishNotes(i api.InstanceView) []string {
	var notes []string
	if i.PromotionRule != "neutral" {
		notes = append(notes, i.PromotionRule)
	}
	for _, w := range []struct {
		holds bool
		word  string
	}{{i.Downtimed, "downtimed"}, {i.InMaintenance, "in maintenance"}, {i.Deposed, "deposed"}, {i.Quarantined, "quarantined"}} {
		if w.holds {
			notes = append(notes, w.word)
		}
	}
	return notes
}

func problemNames(i api.InstanceView) []string {
	var out []string
	for _, p := range i.Problems {
		out = append(out, p.Rule)
	}
	return out
}
