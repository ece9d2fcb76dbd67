package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/batondb/baton/api"
	"github.com/batondb/baton/internal/config"
	"github.com/batondb/baton/internal/lab"
)

// childConfig, where set, makes the test binary a service with that configuration: the tests below kill it.
const childConfig = "BATON_TEST_SERVICE_CONFIG"

func TestMain(m *testing.M) {
	if path := os.Getenv(childConfig); path != "" {
		if err := serveUntilKilled(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func serveUntilKilled(path string) error {
	file, err := config.Load(path)
	if err != nil {
		return err
	}
	s, err := New(Options{Config: file, Path: path, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		return err
	}
	return s.Run(context.Background())
}

// node is a service in a process of its own.
type node struct {
	t      *testing.T
	path   string
	client *api.Client
	child  *exec.Cmd
	log    strings.Builder
}

const testCluster = "shop"

func newNode(t *testing.T, servers *lab.Topology, autonomy string) *node {
	t.Helper()
	dir := t.TempDir()
	n := &node{t: t, path: filepath.Join(dir, "baton.yaml")}
	address := freeAddress(t)
	text := fmt.Sprintf(`
listen: %q
data_dir: %q
node: one
mysql: {user: %s, password: %s, replication_user: %s, replication_password: %s, tls: {mode: disabled}}
discovery: {seeds: [%q]}
recovery: {autonomy: %s}
clusters: [{name: %s, match: [".*"]}]
`, address, filepath.Join(dir, "data"), lab.BatonUser, lab.Password, lab.ReplicationUser, lab.Password, servers.Primary().Addr(), autonomy, testCluster)
	if err := os.WriteFile(n.path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if n.client, err = api.NewClient("http://"+address, api.ClientOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.kill()
		if t.Failed() {
			t.Log(n.log.String())
		}
	})
	return n
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (n *node) start() {
	n.t.Helper()
	self, err := os.Executable()
	if err != nil {
		n.t.Fatal(err)
	}
	n.child = exec.Command(self)
	n.child.Env = append(os.Environ(), childConfig+"="+n.path)
	n.child.Stderr = &n.log
	if err := n.child.Start(); err != nil {
		n.t.Fatal(err)
	}
}

// kill ends the process as a power failure would.
func (n *node) kill() {
	if n.child == nil {
		return
	}
	_ = n.child.Process.Kill()
	_ = n.child.Wait()
	n.child = nil
}

// until asks until the answer is yes.
func until(t *testing.T, what string, patience time.Duration, ask func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ask(ctx) {
		select {
		case <-ctx.Done():
			t.Fatalf("waited %s for %s", patience, what)
		case <-tick.C:
		}
	}
}

func (n *node) healthy(primary string, members int) {
	n.t.Helper()
	until(n.t, "the service to find the cluster healthy", time.Minute, func(ctx context.Context) bool {
		c, err := n.client.Cluster(ctx, testCluster)
		return err == nil && c.Primary == primary && c.Status == api.StatusHealthy && c.Up == members
	})
}

// killAt follows the first recovery until a step of the phase has begun, and kills the service in that moment.
func (n *node) killAt(phase string) {
	n.t.Helper()
	id := ""
	until(n.t, "a recovery", time.Minute, func(ctx context.Context) bool {
		all, err := n.client.Recoveries(ctx, testCluster, nil)
		if err == nil && len(all) > 0 {
			id = all[0].ID
		}
		return id != ""
	})
	reached := errors.New("reached")
	err := n.client.Progress(n.t.Context(), id, func(p api.Progress) error {
		if p.Phase == phase || p.Outcome != "" {
			return reached
		}
		return nil
	})
	n.kill()
	if !errors.Is(err, reached) {
		n.t.Fatalf("the recovery was lost sight of before %s: %v", phase, err)
	}
}

// A service that is killed at any moment of a failover, and started again, ends in the same topology as one that is not: one open primary that
// has everything, and everybody who lives below it.
func TestKilledInTheMiddleOfAFailover(t *testing.T) {
	for _, flavor := range []lab.Flavor{lab.MySQL, lab.MariaDB} {
		for _, phase := range []string{"freeze", "decide", "promote", "repoint"} {
			t.Run(fmt.Sprintf("%s/%s", flavor, phase), func(t *testing.T) { killedAt(t, flavor, phase) })
		}
	}
}

func killedAt(t *testing.T, flavor lab.Flavor, phase string) {
	ctx := t.Context()
	l, err := lab.New(ctx, lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	servers, err := l.Start(ctx, lab.Spec{Flavor: flavor, Replicas: 3, SemiSync: 1})
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(t, servers, "auto")
	n.start()
	n.healthy(servers.Primary().Addr(), 4)
	writer := lab.StartWriter(ctx, servers.Addrs(), lab.WriterOptions{})
	if err := writer.WaitAcknowledged(ctx, servers.Primary().Addr()); err != nil {
		t.Fatal(err)
	}
	if err := servers.Primary().Kill(); err != nil {
		t.Fatal(err)
	}
	n.killAt(phase)
	n.start()
	primary := survivor(t, servers)
	until(t, "the recovery to be closed", time.Minute, func(ctx context.Context) bool {
		all, err := n.client.Recoveries(ctx, testCluster, nil)
		return err == nil && len(all) > 0 && !all[0].Open && all[0].Outcome != api.OutcomeAborted
	})
	report := writer.Stop()
	lost, err := report.Lost(ctx, primary)
	if err != nil {
		t.Fatal(err)
	}
	if len(lost) > 0 {
		t.Errorf("%d of %d acknowledged rows are lost", len(lost), report.Acknowledged)
	}
	all, err := n.client.Recoveries(ctx, testCluster, nil)
	if err != nil {
		t.Fatal(err)
	}
	if all[0].Outcome != api.OutcomeSuccess || all[0].Successor != primary {
		t.Errorf("recoveries: %+v; the primary is %s", all, primary)
	}
	for _, r := range all[1:] { // a busy machine may keep a replica from answering in time: then nothing is done before it does
		if r.Outcome != api.OutcomeAborted {
			t.Errorf("an earlier recovery: %+v", r)
		}
	}
}

// survivor waits until exactly one of the replicas is open and the others replicate from it.
func survivor(t *testing.T, servers *lab.Topology) string {
	t.Helper()
	primary := ""
	until(t, "one open primary with everybody below it", time.Minute, func(ctx context.Context) bool {
		open, below := []string(nil), 0
		for _, s := range servers.Replicas() {
			r, replicates, err := s.Replication(ctx)
			if err != nil {
				return false
			}
			closed, err := s.Value(ctx, "SELECT @@global.read_only")
			switch {
			case err != nil:
				return false
			case closed == "0" && !replicates:
				open = append(open, s.Addr())
			case closed == "1" && r.Receiver == "Yes" && r.Applier == "Yes":
				below++
			}
		}
		if len(open) > 1 {
			t.Fatalf("two open servers: %v", open)
		}
		if len(open) == 1 {
			primary = open[0]
		}
		return len(open) == 1 && below == len(servers.Replicas())-1
	})
	return primary
}
