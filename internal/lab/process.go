package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
)

// A spawner starts every process of a Lab from one operating system thread.
// Linux ties "kill the child when its parent dies" to the thread that forked,
// and the Go runtime ends threads when it likes.
type spawner struct {
	work chan func()
	quit chan struct{}
	done chan struct{}
	once sync.Once
}

func newSpawner() *spawner {
	s := &spawner{work: make(chan func()), quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		runtime.LockOSThread()
		// Not unlocked: the thread ends with the goroutine, and takes with
		// it any child that Close should have missed.
		for {
			select {
			case f := <-s.work:
				f()
			case <-s.quit:
				return
			}
		}
	}()
	return s
}

func (s *spawner) close() {
	s.once.Do(func() { close(s.quit) })
	<-s.done
}

// start runs cmd in a process group of its own, so that an interrupt typed at
// the terminal reaches this process only, and this process decides.
func (s *spawner) start(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = childAttributes()
	failed := make(chan error, 1)
	select {
	case s.work <- func() { failed <- cmd.Start() }:
	case <-s.quit:
		return nil, ErrClosed
	}
	if err := <-failed; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	p := &process{cmd: cmd, gone: make(chan struct{})}
	unguard := guardOrphan(cmd.Process.Pid)
	go func() {
		p.err = cmd.Wait()
		unguard()
		close(p.gone)
	}()
	return p, nil
}

// run starts cmd, waits until it ends, and returns what it printed.
func (s *spawner) run(ctx context.Context, cmd *exec.Cmd) (string, error) {
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	p, err := s.start(cmd)
	if err != nil {
		return "", err
	}
	select {
	case <-p.gone:
	case <-ctx.Done():
		// The whole group: what cmd started must not go on without it.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-p.gone
		return out.String(), ctx.Err()
	}
	if p.err != nil {
		return out.String(), fmt.Errorf("%s: %w", cmd.Path, p.err)
	}
	return out.String(), nil
}

// A process is a running child. It is reaped as soon as it ends.
type process struct {
	cmd  *exec.Cmd
	gone chan struct{} // closed when reaped
	err  error         // how it ended; valid once gone
}

// errNotRunning is returned for a signal to a process that has ended.
var errNotRunning = errors.New("not running")

func (p *process) signal(sig syscall.Signal) error {
	err := p.cmd.Process.Signal(sig)
	if errors.Is(err, os.ErrProcessDone) {
		return errNotRunning
	}
	return err
}

func (p *process) running() bool {
	select {
	case <-p.gone:
		return false
	default:
		return true
	}
}

func (p *process) wait(ctx context.Context) error {
	select {
	case <-p.gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// destroy ends the process whatever state it is in; a stopped one too.
func (p *process) destroy() {
	_ = p.signal(syscall.SIGKILL)
	<-p.gone
}

// stop asks the process to end, and waits until it has.
func (p *process) stop(ctx context.Context) error {
	// A stopped process would sleep through the request.
	_ = p.signal(syscall.SIGCONT)
	if err := p.signal(syscall.SIGTERM); err != nil && !errors.Is(err, errNotRunning) {
		return err
	}
	return p.wait(ctx)
}

// tail returns the last n bytes of a file, from the beginning of a line.
func tail(path string, n int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	from := max(0, size-n)
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return ""
	}
	b, _ := io.ReadAll(f)
	text := string(b)
	if from > 0 {
		if _, rest, ok := strings.Cut(text, "\n"); ok {
			text = rest
		}
	}
	return strings.TrimRight(text, "\n")
}
