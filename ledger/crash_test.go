package ledger

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

const crashDir = "BATON_TEST_CRASH_DIR"

// crashOptions have snapshots taken and the log cut all the time, so that the kill hits these as well.
func crashOptions(dir string) Options {
	return Options{Dir: dir, SnapshotInterval: 5 * time.Millisecond, SnapshotEntries: 10}
}

// TestCrashChild is not a test: it is the process that TestKilledNodeKeepsWhatItAcknowledged kills.
func TestCrashChild(t *testing.T) {
	dir := os.Getenv(crashDir)
	if dir == "" {
		t.Skip("run by TestKilledNodeKeepsWhatItAcknowledged")
	}
	l, _ := start(t, crashOptions(dir))
	lead(t, l)
	const proposers = 4 // several, so that entries share commits
	for p := range proposers {
		go func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%d-%d-%d", os.Getpid(), p, i)
				e, err := NewEntry("ops", "", AddSeed{Instance: name})
				if err == nil {
					err = l.Propose(context.Background(), e)
				}
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				fmt.Println(name) // one write: a line is whole or not there
			}
		}()
	}
	select {}
}

func TestKilledNodeKeepsWhatItAcknowledged(t *testing.T) {
	dir := t.TempDir()
	acknowledged := make(map[string]bool)
	for _, kill := range []int{1, 50, 200} {
		child := exec.Command(os.Args[0], "-test.run=^TestCrashChild$")
		child.Env = append(os.Environ(), crashDir+"="+dir)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		must(t, err)
		must(t, child.Start())
		lines := bufio.NewScanner(out)
		n := 0
		for lines.Scan() { // to the end: what was said before the kill counts
			acknowledged[lines.Text()] = true
			if n++; n == kill {
				must(t, child.Process.Kill())
			}
		}
		if n < kill {
			t.Fatalf("the child ended by itself after %d of %d entries", n, kill)
		}
		_ = child.Wait() // killed

		l, stop := start(t, crashOptions(dir))
		lead(t, l)
		for name := range acknowledged {
			if _, ok := l.State().Seeds[name]; !ok {
				t.Errorf("killed after %d entries: %s was acknowledged and is gone", kill, name)
			}
		}
		stop()
	}
	t.Logf("%d entries were acknowledged in three lives", len(acknowledged))
}
