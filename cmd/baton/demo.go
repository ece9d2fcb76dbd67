package main

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/batondb/baton/internal/demo"
	"github.com/batondb/baton/internal/lab"
)

func demoCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "demo", Usage: "run a whole fleet on this machine, or one drill",
		Description: example("Starts a real primary with three replicas, Baton in auto, and Prometheus and Alertmanager where they can be had, and waits\n"+
			"for Ctrl-C, which leaves nothing behind. With --once it runs one drill against a writing client instead, reports, and ends: exit\n"+
			"code 0 only if everything held. What is missing is fetched once, without root.",
			"baton demo", "baton demo --once failover --flavor mariadb -o json"),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "once", Usage: "run one `DRILL` and end: " + strings.Join(demo.Drills(), ", ")},
			&cli.IntFlag{Name: "runs", Value: 1, Usage: "with --once: run the drill `N` times, each on a new fleet, and print medians beside the floor"},
			&cli.StringFlag{Name: "flavor", Value: string(lab.MySQL), Usage: "`FLAVOR` of the servers: mysql or mariadb"},
			&cli.BoolFlag{Name: "async", Usage: "replicate asynchronously instead of with one semi-sync acknowledgement; rows may be lost"},
			&cli.StringFlag{Name: "listen", Usage: "`ADDRESS` of Baton's API (default: 127.0.0.1:8306, or a free port with --once)"},
			&cli.StringFlag{Name: "cache", Usage: "`DIR` where fetched programs are kept (default: .cache/lab in the source tree, or the user's cache)"},
			&cli.BoolFlag{Name: "verbose", Usage: "show Baton's log"},
		},
		Action: func(c *cli.Context) error { return runDemo(t, c) },
	}
}

func runDemo(t *terminal, c *cli.Context) error {
	opts := demo.Options{
		Flavor: lab.Flavor(c.String("flavor")), Async: c.Bool("async"), Listen: c.String("listen"), Cache: c.String("cache"), Version: programVersion(),
		Progress: func(line string) { fmt.Fprintln(t.err, line) },
	}
	if opts.Flavor != lab.MySQL && opts.Flavor != lab.MariaDB {
		return usage("--flavor %q is neither mysql nor mariadb", opts.Flavor)
	}
	if c.Bool("verbose") {
		opts.Logger = slog.New(slog.NewTextHandler(t.err, nil))
	}
	name := c.String("once")
	switch {
	case name == "":
		if err := demo.Show(c.Context, opts, t.out); err != nil && c.Context.Err() == nil {
			return err
		}
		return nil
	case !slices.Contains(demo.Drills(), name):
		return usage("--once %q is not one of %s", name, strings.Join(demo.Drills(), ", "))
	}
	if runs := c.Int("runs"); runs != 1 {
		return t.repeat(c, opts, name, runs)
	}
	report, err := demo.Once(c.Context, opts, name)
	if err != nil {
		return err
	}
	if err := t.printReport(report, c.String("output")); err != nil {
		return err
	}
	if !report.Held {
		return fmt.Errorf("the drill did not hold: %s", strings.Join(report.Violations, "; "))
	}
	return nil
}

func (t *terminal) printReport(report *demo.Report, format string) error {
	switch format {
	case outputJSON:
		return t.printJSON(report)
	case outputYAML:
		return t.printYAML(report)
	}
	report.Print(t.out)
	return nil
}

func (t *terminal) repeat(c *cli.Context, opts demo.Options, name string, runs int) error {
	if runs < 1 {
		return usage("--runs %d: give at least 1", runs)
	}
	campaign, err := demo.Repeat(c.Context, opts, name, runs, func(line string) { fmt.Fprintln(t.err, line) })
	if err != nil {
		return err
	}
	switch c.String("output") {
	case outputJSON:
		err = t.printJSON(campaign)
	case outputYAML:
		err = t.printYAML(campaign)
	default:
		campaign.Print(t.out)
	}
	if err == nil && campaign.Held() < runs {
		err = fmt.Errorf("%d of %d runs did not hold", runs-campaign.Held(), runs)
	}
	return err
}
