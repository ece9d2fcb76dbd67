package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/batondb/baton/api"
)

// changeFlags are the flags of every command that changes something, and those of its own.
func changeFlags(own ...cli.Flag) []cli.Flag {
	return append(own,
		&cli.BoolFlag{Name: "dry-run", Usage: "say what would be done, and do nothing"},
		&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask; needed where no person can be asked"},
		&cli.StringFlag{Name: "reason", Usage: "`TEXT` that is recorded as the reason"},
		&cli.StringFlag{Name: "by", EnvVars: []string{"BATON_BY"}, Usage: "`WHO` asks, for the record", DefaultText: "your user and host name"},
	)
}

func forFlag(what, otherwise string) cli.Flag {
	return &cli.DurationFlag{Name: "for", Usage: "`DURATION`, like 90m; " + what, DefaultText: otherwise}
}

// signature is who asks, and why.
func (s *session) signature() api.Signature {
	by := s.String("by")
	if by == "" {
		by = me()
	}
	return api.Signature{By: by, Reason: s.String("reason")}
}

// because demands a reason: what stops others from acting must say why.
func (s *session) because() (api.Signature, error) {
	sig := s.signature()
	if strings.TrimSpace(sig.Reason) == "" {
		return sig, usage("%s: say why", s.Command.HelpName).with("add --reason TEXT")
	}
	return sig, nil
}

// length reads --for.
func (s *session) length() (api.Duration, error) {
	d := s.Duration("for")
	if s.IsSet("for") && d <= 0 {
		return 0, usage("--for: %s does not lie ahead", d)
	}
	return api.Duration(d), nil
}

// change is a request that changes something other than a topology.
type change struct {
	what    string                                     // completes "Baton would ...", and the question
	request any                                        // what is sent; a dry run prints it
	check   func(context.Context) error                // looks whether it makes sense; for dry runs
	do      func(context.Context) (any, string, error) // the answer, and a sentence
}

// apply dry-runs, or asks and does.
func (s *session) apply(c change) error {
	ctx, cancel := s.ask()
	defer cancel()
	if s.Bool("dry-run") {
		if c.check != nil {
			if err := c.check(ctx); err != nil {
				return err
			}
		}
		return s.show(c.request, func() { s.printf("Baton would %s.\n", c.what) })
	}
	if err := s.confirm("Baton is to " + c.what + "."); err != nil {
		return err
	}
	// Thinking about the question takes no time from the request.
	ctx, cancel = s.ask()
	defer cancel()
	answer, text, err := c.do(ctx)
	if err != nil {
		return err
	}
	return s.show(answer, func() { s.printf("%s\n", text) })
}

// known looks for an instance, so that a dry run finds a wrong name.
func (s *session) known(instance string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := s.client.Instance(ctx, instance)
		return err
	}
}

func (s *session) knownCluster(cluster string) func(context.Context) error {
	return func(ctx context.Context) error {
		if cluster == "" {
			return nil
		}
		_, err := s.client.Cluster(ctx, cluster)
		return err
	}
}

func (s *session) knownRecovery(id string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := s.client.Recovery(ctx, id)
		return err
	}
}

// done makes the effect of a change of a request that is answered by a sentence.
func done(f func(context.Context) (api.Done, error)) func(context.Context) (any, string, error) {
	return func(ctx context.Context) (any, string, error) {
		d, err := f(ctx)
		return d, sentence(d.Text), err
	}
}

// sentence gives a text its capital and its full stop, unless it begins with a name.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	if first, _, _ := strings.Cut(text, " "); !strings.ContainsAny(first, ":.0123456789") {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	return text + "."
}

// errDeclined is the answer no.
var errDeclined = errors.New("nothing was done")

// confirm asks a person.
func (s *session) confirm(what string) error {
	return s.question(what, "Go on? [y/N] ", func(answer string) bool {
		answer = strings.ToLower(answer)
		return answer == "y" || answer == "yes"
	})
}

// confirmName asks for a word to be typed: nobody types the name of the wrong cluster by habit.
func (s *session) confirmName(what, name string) error {
	return s.question(what, fmt.Sprintf("Type the name of the cluster, %s, to go on: ", name), func(answer string) bool { return answer == name })
}

func (s *session) question(what, prompt string, accept func(string) bool) error {
	if s.Bool("yes") {
		return nil
	}
	if !s.asks {
		return usage("%s changes something, and there is no terminal on which to ask", s.Command.HelpName).with("add --yes to do it without asking, or --dry-run to see what it would do")
	}
	fmt.Fprintf(s.err, "%s\n%s", what, prompt)
	answer, err := readLine(s.Context.Context, s.in)
	if err != nil {
		return err
	}
	if !accept(strings.TrimSpace(answer)) {
		return errDeclined
	}
	return nil
}

// readLine reads an answer, and gives up when the program is interrupted. The reader that waits then ends with the process.
func readLine(ctx context.Context, in io.Reader) (string, error) {
	type line struct {
		text string
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := bufio.NewReader(in).ReadString('\n')
		read <- line{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", errDeclined
	case l := <-read:
		if l.err != nil && !errors.Is(l.err, io.EOF) {
			return "", fmt.Errorf("read the answer: %w", l.err)
		}
		return l.text, nil
	}
}
