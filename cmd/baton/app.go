package main

import (
	"context"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/prometheus/common/version"
	"github.com/urfave/cli/v2"

	"github.com/batondb/baton/api"
)

const defaultURL = "http://127.0.0.1:8306"

// newApp lists the commands. Each noun has a file.
func newApp(t *terminal) *cli.App {
	app := &cli.App{
		Name: "baton", HelpName: "baton", Usage: "watch, judge and repair the replication of MySQL and MariaDB fleets",
		UsageText: "baton COMMAND [ARGUMENT]... [FLAG]...   (flags may stand anywhere)",
		Writer:    t.out, ErrWriter: t.err, Reader: t.in,
		HideVersion: true, HideHelpCommand: true, DisableSliceFlagSeparator: true,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "url", EnvVars: []string{"BATON_URL"}, Value: defaultURL, Usage: "`URL` of any node of Baton"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: outputTable, Usage: "`FORMAT` of what is printed: table, json or yaml"},
			&cli.DurationFlag{Name: "timeout", EnvVars: []string{"BATON_TIMEOUT"}, Value: 30 * time.Second, Usage: "`DURATION` to wait for an answer; following a recovery has no limit"},
		},
		Commands: []*cli.Command{
			serveCommand(),
			demoCommand(t),
			clustersCommand(t),
			instancesCommand(t),
			topologyCommand(t),
			findingsCommand(t),
			ruleCommand(t),
			takeoverCommand(t),
			failoverCommand(t),
			relocateCommand(t),
			recoveryCommand(t),
			downtimeCommand(t),
			pauseCommand(t),
			resumeCommand(t),
			promotionCommand(t),
			discoverCommand(t),
			forgetCommand(t),
			whyNotCommand(t),
			snapshotCommand(t),
			analyzeCommand(t),
			checkCommand(t),
			completionCommand(t),
			completeCommand(t),
			versionCommand(t),
		},
		ExitErrHandler: func(*cli.Context, error) {}, // the exit code is run's business
	}
	app.OnUsageError = onUsageError
	app.CustomAppHelpTemplate = cli.AppHelpTemplate + exitCodesHelp
	for _, c := range app.Commands {
		finish(c, app)
	}
	return app
}

const exitCodesHelp = `
EXIT CODES:
   0  done
   1  failed
   2  the command was not understood
   3  a check found problems
   4  refused: a gate does not pass
   5  no Baton answers, or none leads
`

func onUsageError(_ *cli.Context, err error, _ bool) error { return usage("%s", err) }

// finish gives a command what is the same for all: the check of its arguments by its own usage, help that shows the global flags too, and no help
// command below it that could be taken for the name of a cluster.
func finish(c *cli.Command, app *cli.App) {
	c.HideHelpCommand = true
	c.OnUsageError = onUsageError
	if len(c.Subcommands) > 0 {
		for _, sub := range c.Subcommands {
			finish(sub, app)
		}
		c.Action = func(ctx *cli.Context) error {
			return usage("%s: name a command: %s", ctx.Command.HelpName, strings.Join(names(c.Subcommands), ", ")).with("%s --help says more", ctx.Command.HelpName)
		}
		return
	}
	var global strings.Builder
	for _, f := range app.Flags {
		global.WriteString("   " + f.String() + "\n")
	}
	c.CustomHelpTemplate = cli.CommandHelpTemplate + "\nGLOBAL OPTIONS:\n" + global.String()
	action := c.Action
	if c.SkipFlagParsing {
		return
	}
	c.Action = func(ctx *cli.Context) error {
		if err := checkArgs(ctx.Command.HelpName, c.ArgsUsage, ctx.Args().Slice()); err != nil {
			return err
		}
		return action(ctx)
	}
}

func names(commands []*cli.Command) []string {
	var out []string
	for _, c := range commands {
		if !c.Hidden {
			out = append(out, c.Name)
		}
	}
	return out
}

// checkArgs compares arguments with what the usage of a command says: CLUSTER must be there, [CLUSTER] may.
func checkArgs(command, argsUsage string, args []string) error {
	words := strings.Fields(argsUsage)
	for n, word := range words {
		if n >= len(args) && !strings.HasPrefix(word, "[") {
			return usage("%s: %s is missing", command, word).with("usage: %s %s", command, argsUsage)
		}
	}
	if len(args) > len(words) {
		return usage("%s: %q is one argument too many", command, args[len(words)]).with("usage: %s %s", command, argsUsage)
	}
	return nil
}

// session is one call of a command that talks to the service.
type session struct {
	*cli.Context
	*terminal
	client *api.Client
}

// with makes an action of a function that needs the service.
func (t *terminal) with(f func(s *session) error) cli.ActionFunc {
	return t.offline(func(s *session) error {
		client, err := api.NewClient(s.String("url"), api.ClientOptions{UserAgent: "baton/" + version.Version})
		if err != nil {
			return usage("--url: %s", err)
		}
		s.client = client
		return f(s)
	})
}

// offline makes an action of a function that needs no service.
func (t *terminal) offline(f func(s *session) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		s := &session{Context: c, terminal: t}
		if err := checkOutput(s.String("output")); err != nil {
			return err
		}
		return f(s)
	}
}

// ask bounds one request.
func (s *session) ask() (context.Context, context.CancelFunc) {
	return context.WithTimeout(s.Context.Context, s.Duration("timeout"))
}

// example makes the description of a command of what it is and how it is called.
func example(text string, lines ...string) string {
	return text + "\n\nExample:\n  " + strings.Join(lines, "\n  ")
}

// me is who asks, where nobody says otherwise.
func me() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}
