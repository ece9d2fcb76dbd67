package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/batondb/baton/api"
)

func topologyCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "topology", Usage: "draw a cluster as a tree, or all", ArgsUsage: "[CLUSTER]",
		Description: example("Draws who replicates from whom, with lag and problems. Without a cluster (the default) it draws all.", "baton topology shop --watch"),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "watch", Aliases: []string{"w"}, Usage: "draw it again and again"},
			&cli.DurationFlag{Name: "every", Value: time.Second, Usage: "`INTERVAL` of --watch"},
		},
		Action: t.with(func(s *session) error {
			if !s.Bool("watch") {
				return s.drawOnce()
			}
			if s.Duration("every") <= 0 {
				return usage("--every: %s is no interval", s.Duration("every"))
			}
			return s.drawAgain()
		}),
	}
}

func (s *session) drawOnce() error {
	all, err := s.topologies()
	if err != nil {
		return err
	}
	if s.Args().Present() {
		return s.show(all[0], func() { s.drawTrees(all) })
	}
	return s.show(all, func() { s.drawTrees(all) })
}

// drawAgain draws until it is interrupted. On a screen each drawing replaces the one before. A service that does not answer for a moment is said to
// be so in its place: whoever watches an incident wants to see the end of it.
func (s *session) drawAgain() error {
	tick := time.NewTicker(s.Duration("every"))
	defer tick.Stop()
	for first := true; ; first = false {
		err := s.frame(first)
		if err != nil && first {
			return err
		}
		select {
		case <-s.Context.Context.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (s *session) frame(first bool) error {
	all, err := s.topologies()
	if err != nil {
		if !first && s.Context.Context.Err() == nil {
			s.complain(err.Error(), "")
		}
		return err
	}
	switch {
	case s.live:
		s.printf("\x1b[H\x1b[2J")
	case !first:
		s.printf("\n")
	}
	return s.show(all, func() { s.drawTrees(all) })
}

func (s *session) topologies() ([]api.Topology, error) {
	ctx, cancel := s.ask()
	defer cancel()
	if name := s.Args().First(); name != "" {
		one, err := s.client.Topology(ctx, name)
		return []api.Topology{one}, err
	}
	return s.allTopologies(ctx)
}

func (s *session) allTopologies(ctx context.Context) ([]api.Topology, error) {
	clusters, err := s.client.Clusters(ctx)
	all := []api.Topology{}
	for _, c := range clusters {
		one, err := s.client.Topology(ctx, c.Name)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, err
}

func (s *session) drawTrees(all []api.Topology) {
	if len(all) == 0 {
		s.printf("No clusters are known. Name one of their instances: baton discover HOST\n")
	}
	for n, one := range all {
		if n > 0 {
			s.printf("\n")
		}
		s.drawTree(one)
	}
}

func (s *session) drawTree(one api.Topology) {
	c := one.Cluster
	head := []string{s.paint(bold, c.Name), s.paint(statusStyle(c.Status), string(c.Status)), fmt.Sprintf("%d of %d up", c.Up, c.Instances), "autonomy " + c.Autonomy}
	s.printf("%s\n", strings.Join(append(head, clusterNotes(c)...), "  "))
	t := newTable()
	for _, root := range one.Roots {
		s.branch(t, one.At, root, "", "")
	}
	t.print(s.terminal, "")
}

// branch adds an instance and those below it. The first prefix leads to the instance itself, the second to what is below.
func (s *session) branch(t *table, at time.Time, n api.Node, prefix, below string) {
	i := n.InstanceView
	state := []string{}
	switch {
	case i.Down:
		state = append(state, "down ("+i.Reach+")"+since(at, i.FailingSince))
	case i.Reach != "up":
		state = append(state, i.Reach+since(at, i.FailingSince))
	}
	state = append(append(append(state, replicationNotes(i)...), wishNotes(i)...), problemNames(i)...)
	lagging, missing := "", ""
	if i.Source != "" {
		lagging, missing = "lag "+lag(i), behind(i)+" behind"
	}
	t.add(instanceStyle(i), prefix+i.ID, i.Role, mode(i), orDash(i.Version), lagging, missing, strings.Join(state, ", "))
	for k, r := range n.Replicas {
		if k == len(n.Replicas)-1 {
			s.branch(t, at, r, below+"└─ ", below+"   ")
		} else {
			s.branch(t, at, r, below+"├─ ", below+"│  ")
		}
	}
}

func since(at, began time.Time) string {
	if began.IsZero() {
		return ""
	}
	return " for " + short(at.Sub(began).Seconds())
}
