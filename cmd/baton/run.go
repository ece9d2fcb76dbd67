package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/batondb/baton/api"
)

// terminal is where the program talks: data to out, talk to err.
type terminal struct {
	in       io.Reader
	out, err io.Writer
	asks     bool // a person is there to answer questions
	live     bool // out is a screen, whose lines can be written again
	width    int  // of the screen; 0 is not known
	color    bool
	now      func() time.Time
}

// run is the program without the process around it. It returns the exit code.
func run(args []string, in io.Reader, out, errOut io.Writer) int {
	t := &terminal{in: in, out: out, err: errOut, asks: isTerminal(in) && isTerminal(errOut), live: isTerminal(out), now: time.Now}
	if f, ok := out.(*os.File); ok && t.live {
		t.width, _, _ = term.GetSize(int(f.Fd())) // not known is 0
	}
	t.color = t.live && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return t.run(ctx, args)
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (t *terminal) run(ctx context.Context, args []string) int {
	app := newApp(t)
	// Without this a flag behind an argument is silently ignored: --dry-run would not be one.
	args, err := permute(app, args)
	if err == nil {
		err = app.RunContext(ctx, args)
	}
	return t.conclude(err)
}

// usageError is a command that was not understood.
type usageError struct{ text, hint string }

func (e *usageError) Error() string { return e.text }

func usage(format string, args ...any) *usageError {
	return &usageError{text: fmt.Sprintf(format, args...)}
}

func (e *usageError) with(format string, args ...any) *usageError {
	e.hint = fmt.Sprintf(format, args...)
	return e
}

// ending is an exit code other than that of the error, or without one: everything there is to say has been said.
type ending struct{ code int }

func (e *ending) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// conclude tells the error, if any, and returns the exit code that belongs to it.
func (t *terminal) conclude(err error) int {
	var (
		wrong  *usageError
		failed *api.Error
		ended  *ending
	)
	switch {
	case err == nil:
		return api.ExitDone
	case errors.As(err, &ended):
		return ended.code
	case errors.As(err, &wrong):
		t.complain(wrong.text, wrong.hint)
		return api.ExitUsage
	case errors.As(err, &failed):
		t.complain(failed.Message, failed.Hint)
		return failed.Exit()
	}
	t.complain(err.Error(), "")
	return api.ExitFailed
}

func (t *terminal) complain(text, hint string) {
	fmt.Fprintf(t.err, "baton: %s\n", text)
	if hint != "" {
		fmt.Fprintf(t.err, "       %s\n", hint)
	}
}
