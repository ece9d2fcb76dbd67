package lab

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// echo answers every line with the same line.
func echo(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				io.Copy(conn, conn)
			}()
		}
	}()
	return ln.Addr().String()
}

type lineConn struct {
	net.Conn
	lines *bufio.Reader
}

func dial(t *testing.T, addr string) *lineConn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &lineConn{conn, bufio.NewReader(conn)}
}

func (c *lineConn) say(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text+"\n"); err != nil {
		t.Fatal(err)
	}
}

// hear returns the next line, or an error after the patience.
func (c *lineConn) hear(patience time.Duration) (string, error) {
	c.SetReadDeadline(time.Now().Add(patience))
	line, err := c.lines.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err
}

func (c *lineConn) wantEcho(t *testing.T, text string) {
	t.Helper()
	if got, err := c.hear(5 * time.Second); err != nil || got != text {
		t.Errorf("heard %q, %v, want %q", got, err, text)
	}
}

func (c *lineConn) wantSilence(t *testing.T) {
	t.Helper()
	if got, err := c.hear(100 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("heard %q, %v, want nothing", got, err)
	}
}

func proxy(t *testing.T, target string) *Proxy {
	t.Helper()
	p, err := newLab(t).Proxy(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProxyBlackhole(t *testing.T) {
	for name, d := range map[string]Direction{"both": Both, "to target": ToTarget, "from target": FromTarget} {
		t.Run(name, func(t *testing.T) {
			p := proxy(t, echo(t))
			c := dial(t, p.Addr())
			c.say(t, "before")
			c.wantEcho(t, "before")

			p.Blackhole(d)
			c.say(t, "into the hole")
			c.wantSilence(t)
			newcomer := dial(t, p.Addr())
			newcomer.say(t, "anybody there")
			newcomer.wantSilence(t)

			// What was sent was only late, as with packets sent again.
			if err := p.Heal(); err != nil {
				t.Fatal(err)
			}
			c.wantEcho(t, "into the hole")
			newcomer.wantEcho(t, "anybody there")
		})
	}
}

func TestProxyBlackholeHidesTheEnd(t *testing.T) {
	p := proxy(t, echo(t))
	c := dial(t, p.Addr())
	c.say(t, "before")
	c.wantEcho(t, "before")
	p.Blackhole(FromTarget)
	c.Conn.(*net.TCPConn).CloseWrite() // the server closes in reply
	c.wantSilence(t)
	if err := p.Heal(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.hear(5 * time.Second); !errors.Is(err, io.EOF) {
		t.Errorf("after healing: %v, want the end", err)
	}
}

func TestProxyCut(t *testing.T) {
	p := proxy(t, echo(t))
	c := dial(t, p.Addr())
	c.say(t, "before")
	c.wantEcho(t, "before")
	p.Cut()
	if got, err := c.hear(5 * time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("heard %q, %v, want a reset", got, err)
	}
	if conn, err := net.Dial("tcp", p.Addr()); err == nil {
		conn.Close()
		t.Error("a cut proxy accepts connections")
	}
	if err := p.Heal(); err != nil {
		t.Fatal(err)
	}
	c = dial(t, p.Addr())
	c.say(t, "after")
	c.wantEcho(t, "after")
}

func TestProxyDelayKeepsOrderAndThroughput(t *testing.T) {
	p := proxy(t, echo(t))
	const delay = 50 * time.Millisecond
	p.Delay(Both, delay)
	c := dial(t, p.Addr())
	begin := time.Now()
	lines := strings.Split(strings.Repeat("a b c d ", 50), " ")
	for _, line := range lines {
		c.say(t, line)
	}
	for _, line := range lines {
		c.wantEcho(t, line)
	}
	if d := time.Since(begin); d < 2*delay {
		t.Errorf("it took %s, want at least %s", d, 2*delay)
	}
}

func TestProxyTargetIsDown(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	p := proxy(t, ln.Addr().String())
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		return // reset before the connection was complete
	}
	defer conn.Close()
	c := &lineConn{conn, bufio.NewReader(conn)}
	if got, err := c.hear(5 * time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("heard %q, %v, want a reset", got, err)
	}
}

func TestProxyForOneAccount(t *testing.T) {
	l := newLab(t)
	eachFlavor(t, func(t *testing.T, flavor Flavor) {
		top := start(t, l, Spec{Flavor: flavor, Replicas: 1, Proxied: true})
		defer top.Close()
		primary, replica := top.Primary(), top.Replicas()[0]
		baton, app := connect(t, primary, BatonUser), connect(t, primary, AppUser)
		// The connection exists before the fault.
		if err := baton.PingContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		ask := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			_, err := baton.ExecContext(ctx, "DO 1")
			return err
		}
		for name, link := range map[string]func(*Link){
			"blackhole": func(l *Link) { l.Blackhole(Both) },
			"cut":       func(l *Link) { l.Cut() },
		} {
			fault := primary.Proxy().For(BatonUser)
			link(fault)
			for range 2 { // an old connection, then a new one
				if err := ask(); err == nil {
					t.Errorf("%s: it still answers", name)
				}
			}
			if _, err := app.ExecContext(t.Context(), "INSERT INTO app.writes (run, seq) VALUES (7, (SELECT COUNT(*) FROM app.writes w))"); err != nil {
				t.Errorf("%s: the application is disturbed too: %v", name, err)
			}
			if r, _, err := replica.Replication(t.Context()); err != nil || r.Receiver != "Yes" {
				t.Errorf("%s: the replica is disturbed too: %+v, %v", name, r, err)
			}
			if err := fault.Heal(); err != nil {
				t.Fatal(err)
			}
			if _, err := baton.ExecContext(t.Context(), "DO 1"); err != nil {
				t.Errorf("%s: after healing: %v", name, err)
			}
		}
		eventually(t, replica, "SELECT COUNT(*) FROM app.writes", "2")

		// And the other way round: the replica loses its source, Baton does not.
		primary.Proxy().For(ReplicationUser).Cut()
		deadline, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if err := poll(deadline, func() (bool, error) {
			r, _, err := replica.Replication(deadline)
			return r.Receiver == "Connecting", err
		}); err != nil {
			t.Errorf("the replica still receives: %v", err)
		}
		if err := ask(); err != nil {
			t.Errorf("the cut of replication disturbs Baton: %v", err)
		}
	})
}

func FuzzHandshakeUser(f *testing.F) {
	head := strings.Repeat("\x01", 36)
	f.Add([]byte(head + "baton\x00rest"))
	f.Add([]byte(head))
	f.Add([]byte(head + "no end"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, packet []byte) {
		user := handshakeUser(packet)
		if user != "" && !strings.HasPrefix(string(packet[36:]), user+"\x00") {
			t.Errorf("%q is not in %q", user, packet)
		}
	})
}
