package collector

import (
	"context"
	"database/sql/driver"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/batondb/baton/topology"
)

// guarded is a Sentinel over servers in memory, whose connections the test can break.
type guarded struct {
	*Sentinel
	server *fakeServer

	mu    sync.Mutex
	conns map[string][]net.Conn // the server's ends, by address
	dials map[string]int
	down  bool
	falls []topology.InstanceID
}

func underGuard(t *testing.T, test func(t *testing.T, g *guarded)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g := &guarded{
			server: &fakeServer{script: map[string]result{"SET SESSION wait_timeout": {}}},
			conns:  make(map[string][]net.Conn), dials: make(map[string]int),
		}
		var err error
		g.Sentinel, err = NewSentinel(SentinelOptions{Access: Access{Credentials: asBaton, Dial: g.dial, Timeout: time.Second}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- g.Run(ctx, func(id topology.InstanceID) {
				g.mu.Lock()
				defer g.mu.Unlock()
				g.falls = append(g.falls, id)
			})
		}()
		synctest.Wait()
		test(t, g)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if n := g.Connections(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
		g.server.conns.Wait()
	})
}

func (g *guarded) dial(_ context.Context, _, address string) (net.Conn, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dials[address]++
	if g.down {
		return nil, errConnRefused
	}
	client, server := net.Pipe()
	g.conns[address] = append(g.conns[address], server)
	g.server.conns.Go(func() {
		defer server.Close()
		g.server.serve(server)
	})
	return client, nil
}

// crash closes every connection of a server.
func (g *guarded) crash(address string, down bool) {
	g.mu.Lock()
	g.down = down
	for _, c := range g.conns[address] {
		_ = c.Close()
	}
	g.conns[address] = nil
	g.mu.Unlock()
	synctest.Wait()
}

func (g *guarded) fallen() []topology.InstanceID {
	g.mu.Lock()
	defer g.mu.Unlock()
	falls := g.falls
	g.falls = nil
	return falls
}

func TestSentinelWatchesExactly(t *testing.T) {
	underGuard(t, func(t *testing.T, g *guarded) {
		g.Watch([]topology.InstanceID{"db1:3306", "db2:3306"})
		synctest.Wait()
		if n := g.Connections(); n != 2 {
			t.Fatalf("%d connections", n)
		}
		g.Watch([]topology.InstanceID{"db2:3306", "db3:3306"})
		synctest.Wait()
		if n := g.Connections(); n != 2 || g.dials["db2:3306"] != 1 {
			t.Errorf("%d connections, %d to the one that stayed", n, g.dials["db2:3306"])
		}
		if falls := g.fallen(); len(falls) != 0 {
			t.Errorf("closing a connection of our own was reported: %v", falls)
		}
		pass(time.Hour)
		if g.dials["db2:3306"] != 1 {
			t.Error("a connection that is well was made again")
		}
	})
}

func TestSentinelReportsAFallAtOnce(t *testing.T) {
	underGuard(t, func(t *testing.T, g *guarded) {
		g.Watch([]topology.InstanceID{"db1:3306", "db2:3306"})
		synctest.Wait()
		began := time.Now()
		g.Answered("db1:3306") // before the fall: it proves nothing about the time after
		g.crash("db1:3306", true)
		if falls := g.fallen(); !slices.Equal(falls, []topology.InstanceID{"db1:3306"}) || time.Since(began) != 0 {
			t.Errorf("fell: %v, after %v", falls, time.Since(began))
		}
		pass(time.Hour)
		if n := g.dials["db1:3306"]; n != 1 {
			t.Errorf("%d connections were tried while the instance did not answer", n)
		}
		// It answers probes, but not yet the sentinel: ever fewer attempts.
		for range 600 {
			g.Answered("db1:3306")
			pass(time.Second)
		}
		if n := g.dials["db1:3306"]; n < 10 || n > 20 {
			t.Errorf("%d connections were tried in ten minutes", n)
		}
		g.mu.Lock()
		g.down = false
		g.mu.Unlock()
		for range 120 {
			g.Answered("db1:3306")
			pass(time.Second)
		}
		if n := g.Connections(); n != 2 {
			t.Errorf("%d connections after its return", n)
		}
		if falls := g.fallen(); len(falls) != 0 {
			t.Errorf("connections that were never made have fallen: %v", falls)
		}
		g.crash("db1:3306", false)
		if falls := g.fallen(); len(falls) != 1 {
			t.Errorf("the new connection fell: %v", falls)
		}
	})
}

func TestSentinelTakesBytesForAFall(t *testing.T) {
	underGuard(t, func(t *testing.T, g *guarded) {
		g.Watch([]topology.InstanceID{"db1:3306"})
		synctest.Wait()
		g.mu.Lock()
		conn := g.conns["db1:3306"][0]
		g.mu.Unlock()
		go func() { _, _ = conn.Write([]byte{20, 0, 0, 0, 0xff}) }() // why the server is about to close
		synctest.Wait()
		if falls := g.fallen(); len(falls) != 1 || g.Connections() != 0 {
			t.Errorf("fell: %v, %d connections", falls, g.Connections())
		}
	})
}

func TestSentinelLends(t *testing.T) {
	underGuard(t, func(t *testing.T, g *guarded) {
		if _, ok := g.Lend("db1:3306"); ok {
			t.Error("lent what it did not have")
		}
		g.Watch([]topology.InstanceID{"db1:3306"})
		synctest.Wait()
		conn, ok := g.Lend("db1:3306")
		if !ok {
			t.Fatal("nothing to lend")
		}
		if _, ok := g.Lend("db1:3306"); ok {
			t.Error("lent twice")
		}
		pass(time.Hour) // no deadline is left on it
		if _, err := conn.(driver.ExecerContext).ExecContext(t.Context(), "SET SESSION wait_timeout = 1", nil); err != nil {
			t.Errorf("the borrowed connection is of no use: %v", err)
		}
		g.crash("db1:3306", false)
		if falls := g.fallen(); len(falls) != 0 {
			t.Errorf("what is lent is watched: %v", falls)
		}
		_ = conn.Close()
		g.Answered("db1:3306")
		pass(2 * time.Second)
		if g.Connections() != 1 {
			t.Error("there is no new connection in its place")
		}
		if conn, ok = g.Lend("db1:3306"); !ok {
			t.Error("nothing to lend the second time")
		}
		_ = conn.Close()
	})
}
