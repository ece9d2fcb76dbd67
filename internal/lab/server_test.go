package lab

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestKillFreezeThawRestart(t *testing.T) {
	l := newLab(t)
	eachFlavor(t, func(t *testing.T, flavor Flavor) {
		ctx := t.Context()
		top := start(t, l, Spec{Flavor: flavor, Replicas: 1, ConnectRetry: 1})
		defer top.Close()
		primary, replica := top.Primary(), top.Replicas()[0]

		if err := primary.Freeze(); err != nil {
			t.Fatal(err)
		}
		frozen, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		defer cancel()
		if v, err := primary.Value(frozen, "SELECT 1"); err == nil {
			t.Errorf("a frozen server answered %q", v)
		}
		if !primary.Running() {
			t.Error("a frozen server does not exist any more")
		}
		if err := primary.Thaw(); err != nil {
			t.Fatal(err)
		}
		wantValue(t, primary, "SELECT 1", "1")

		pid := primary.PID()
		mustExec(t, primary, "SET GLOBAL read_only=1", "CREATE TABLE app.before_restart (id INT PRIMARY KEY)")
		eventually(t, replica, "SELECT COUNT(*) FROM information_schema.tables WHERE table_name='before_restart'", "1")
		if err := primary.Freeze(); err != nil {
			t.Fatal(err)
		}
		if err := primary.Kill(); err != nil {
			t.Fatalf("kill a frozen server: %v", err)
		}
		if err := primary.Wait(ctx); err != nil {
			t.Fatal(err)
		}
		if primary.Running() || processExists(pid) {
			t.Error("a killed server runs")
		}
		if err := primary.Kill(); !errors.Is(err, errNotRunning) {
			t.Errorf("kill a dead server: %v, want %v", err, errNotRunning)
		}
		if err := primary.Restart(ctx); err != nil {
			t.Fatal(err)
		}
		// It comes back as its configuration says: writable, with its data.
		wantValue(t, primary, "SELECT @@global.read_only", "0")
		mustExec(t, primary, "INSERT INTO app.before_restart VALUES (1)")
		eventually(t, replica, "SELECT COUNT(*) FROM app.before_restart", "1")
		if err := replica.Restart(ctx); err != nil {
			t.Fatal(err)
		}
		wantValue(t, replica, "SELECT @@global.read_only", "1")
		if err := replica.WaitReplicating(ctx); err != nil {
			t.Error(err)
		}
		if err := replica.Start(ctx); err == nil {
			t.Error("a running server was started a second time")
		}
	})
}

func TestServerThatCanNotStartSaysWhy(t *testing.T) {
	l := newLab(t)
	_, err := l.Start(t.Context(), Spec{Flavor: MariaDB, Config: []string{"no_such_option=1"}})
	if err == nil || !strings.Contains(err.Error(), "no_such_option") {
		t.Errorf("error %v, want one that quotes the server's log", err)
	}
}

func TestClosedLabStartsNothing(t *testing.T) {
	l, err := New(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	top, err := l.Start(t.Context(), Spec{Flavor: MariaDB})
	if err != nil {
		t.Fatal(err)
	}
	pid := top.Primary().PID()
	for range 2 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if processExists(pid) {
		t.Error("a server outlived its lab")
	}
	if isDir(l.dir) {
		t.Error("data outlived the lab")
	}
	if _, err := l.Start(t.Context(), Spec{Flavor: MariaDB}); !errors.Is(err, ErrClosed) {
		t.Errorf("start in a closed lab: %v, want %v", err, ErrClosed)
	}
}

// TestParentDeath runs itself: the child starts a server, tells its process,
// and is killed without a chance to clean up.
func TestParentDeath(t *testing.T) {
	const role, cacheIn = "LAB_TEST_PARENT", "LAB_TEST_CACHE"
	if os.Getenv(role) != "" {
		runParent(t, os.Getenv(cacheIn))
		return
	}
	cache, err := DefaultCache()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestParentDeath$")
	cmd.Env = append(os.Environ(), role+"=1", cacheIn+"="+cache)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said string
	buf := make([]byte, 4096)
	for !strings.HasSuffix(said, "ready\n") {
		n, err := out.Read(buf)
		if said += string(buf[:n]); err != nil {
			t.Fatalf("child: %v after %q", err, said)
		}
	}
	fields := strings.Fields(said)
	dir, pids := fields[0], fields[1:len(fields)-1]
	for _, pid := range pids {
		if !processExists(number(t, pid)) {
			t.Fatalf("server %s is not running", pid)
		}
	}
	cmd.Process.Kill()
	cmd.Wait()

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, pid := range pids {
		if err := poll(ctx, func() (bool, error) { return !processExists(number(t, pid)), nil }); err != nil {
			t.Errorf("server %s outlived its parent", pid)
		}
	}
	// The next Lab sweeps what it left.
	if !isDir(dir) {
		t.Fatalf("no data in %s", dir)
	}
	newLab(t)
	if isDir(dir) {
		t.Error("the data of a dead lab is kept")
	}
}

func runParent(t *testing.T, cache string) {
	ctx := context.Background()
	l, err := New(ctx, Options{Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{l.dir}
	for _, flavor := range []Flavor{MariaDB, MySQL} {
		top, err := l.Start(ctx, Spec{Flavor: flavor})
		if err != nil {
			t.Fatal(err)
		}
		// A frozen one must go as well.
		if flavor == MySQL {
			top.Primary().Freeze()
		}
		lines = append(lines, strconv.Itoa(top.Primary().PID()))
	}
	os.Stdout.WriteString(strings.Join(append(lines, "ready"), "\n") + "\n")
	<-ctx.Done() // never: the parent of this process kills it
	select {}
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// processExists does not count a process that has ended and waits to be
// reaped by whoever adopted it.
func processExists(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return !isDir("/proc/self")
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}
