package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/batondb/baton/api"
)

func clustersCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "clusters", Usage: "list the clusters",
		Description: example("Lists all clusters with their primary and their state in one word.", "baton clusters", "baton clusters -o json"),
		Action: t.with(func(s *session) error {
			ctx, cancel := s.ask()
			defer cancel()
			clusters, err := s.client.Clusters(ctx)
			if err != nil {
				return err
			}
			return s.show(clusters, func() { s.printClusters(clusters) })
		}),
	}
}

func (s *session) printClusters(clusters []api.ClusterSummary) {
	if len(clusters) == 0 {
		s.printf("No clusters are known. Name one of their instances: baton discover HOST\n")
		return
	}
	t := newTable("CLUSTER", "STATUS", "PRIMARY", "UP", "PROBLEMS", "LAG", "AUTONOMY", "NOTES")
	for _, c := range clusters {
		lag := "?"
		if c.MaxLagSeconds != nil {
			lag = short(*c.MaxLagSeconds)
		} else if c.Instances == 1 {
			lag = "-"
		}
		t.add(statusStyle(c.Status), c.Name, string(c.Status), orDash(c.Primary), fmt.Sprintf("%d/%d", c.Up, c.Instances), fmt.Sprint(c.Problems), lag,
			c.Autonomy, strings.Join(clusterNotes(c), ", "))
	}
	t.print(s.terminal, "")
}

func statusStyle(status api.ClusterStatus) style {
	switch status {
	case api.StatusHealthy:
		return none
	case api.StatusPrimaryDown:
		return red
	default:
		return yellow
	}
}

// clusterNotes says what a person must know besides.
func clusterNotes(c api.ClusterSummary) []string {
	var notes []string
	if c.RecoveryOpen != "" {
		notes = append(notes, "recovery "+c.RecoveryOpen+" is running")
	}
	if c.Paused != nil {
		notes = append(notes, "paused by "+c.Paused.By)
	}
	if c.Unacknowledged > 0 {
		notes = append(notes, fmt.Sprintf("%d unacknowledged", c.Unacknowledged))
	}
	return notes
}
