package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// A Direction is one way through a Proxy, or both.
type Direction int

// The directions of a Proxy. The target is the server.
const (
	Both Direction = iota
	ToTarget
	FromTarget
)

// A Proxy passes TCP connections on to a server, and can be told to disturb
// them. Its methods disturb everybody; those of For, the connections of one
// account: Baton can be cut off from a server that its replicas still reach.
type Proxy struct {
	Link

	port   int
	target string

	mu       sync.Mutex
	listener net.Listener
	faults   map[string]fault // by account; "" is everybody
	changed  chan struct{}    // closed when faults change
	conns    map[*proxied]bool
	closed   bool
	running  sync.WaitGroup
}

// A Link is what passes through a Proxy, or the part of it that belongs to one
// account.
type Link struct {
	proxy *Proxy
	user  string
}

type fault struct {
	cut   bool
	hold  [2]bool
	delay [2]time.Duration
}

// way indexes the arrays of fault.
type way int

const (
	to way = iota
	from
)

// Proxy starts a Proxy in front of target. It ends with the Lab, or by Close.
func (l *Lab) Proxy(ctx context.Context, target string) (*Proxy, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	port, err := l.ports.next()
	if err != nil {
		return nil, fmt.Errorf("lab: proxy: %w", err)
	}
	p, err := newProxy(port, target)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	if err := l.onClose(p.Close); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	return p, nil
}

func newProxy(port int, target string) (*Proxy, error) {
	p := &Proxy{
		port:    port,
		target:  target,
		faults:  map[string]fault{},
		changed: make(chan struct{}),
		conns:   map[*proxied]bool{},
	}
	p.Link = Link{proxy: p}
	if err := p.listen(); err != nil {
		return nil, err
	}
	return p, nil
}

// Addr is where the Proxy listens.
func (p *Proxy) Addr() string { return loopback(p.port) }

// For returns the link of one account. An encrypted connection does not show
// whose it is, and belongs to everybody only.
func (p *Proxy) For(user string) *Link { return &Link{proxy: p, user: user} }

// Close ends the Proxy and every connection through it.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	p.unlisten()
	p.abort("")
	p.mu.Unlock()
	p.running.Wait()
	return nil
}

// Blackhole lets nothing through, as if every packet were lost: connections
// stay, ends are not noticed, and what is sent meanwhile arrives after Heal.
// A new connection is accepted, which lost packets would not do, and then it
// hears nothing.
func (l *Link) Blackhole(d Direction) {
	l.change(func(f *fault) {
		for _, w := range d.ways() {
			f.hold[w] = true
		}
	})
}

// Delay holds everything back for a while. Order and throughput are kept.
func (l *Link) Delay(d Direction, by time.Duration) {
	l.change(func(f *fault) {
		for _, w := range d.ways() {
			f.delay[w] = by
		}
	})
}

// Cut resets the connections and refuses new ones.
func (l *Link) Cut() {
	l.change(func(f *fault) { f.cut = true })
	p := l.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.user == "" {
		p.unlisten()
	}
	p.abort(l.user)
}

// Heal ends every disturbance of this link.
func (l *Link) Heal() error {
	l.change(func(f *fault) { *f = fault{} })
	if l.user != "" {
		return nil
	}
	return l.proxy.listen()
}

func (d Direction) ways() []way {
	switch d {
	case ToTarget:
		return []way{to}
	case FromTarget:
		return []way{from}
	default:
		return []way{to, from}
	}
}

func (l *Link) change(edit func(*fault)) {
	p := l.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.faults[l.user]
	edit(&f)
	p.faults[l.user] = f
	close(p.changed)
	p.changed = make(chan struct{})
}

// fault returns what a connection of user suffers, and a channel that is
// closed when that may have changed.
func (p *Proxy) fault(user string) (fault, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.faults[""]
	if user != "" {
		own := p.faults[user]
		f.cut = f.cut || own.cut
		for _, w := range Both.ways() {
			f.hold[w] = f.hold[w] || own.hold[w]
			f.delay[w] = max(f.delay[w], own.delay[w])
		}
	}
	return f, p.changed
}

// listen opens the port, unless it is open.
func (p *Proxy) listen() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil || p.closed {
		return nil
	}
	ln, err := net.Listen("tcp", p.Addr())
	if err != nil {
		return fmt.Errorf("proxy to %s: %w", p.target, err)
	}
	p.listener = ln
	p.running.Go(func() { p.accept(ln) })
	return nil
}

func (p *Proxy) unlisten() {
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
}

// abort resets the connections of user, or of everybody.
func (p *Proxy) abort(user string) {
	for c := range p.conns {
		if user == "" || c.account() == user {
			c.abort()
		}
	}
}

func (p *Proxy) accept(ln net.Listener) {
	for {
		client, err := ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue // out of descriptors, or the client was too quick
		}
		c := &proxied{proxy: p, client: client.(*net.TCPConn), done: make(chan struct{})}
		p.mu.Lock()
		if p.closed || p.faults[""].cut {
			p.mu.Unlock()
			c.abort()
			continue
		}
		p.conns[c] = true
		p.running.Go(c.serve)
		p.mu.Unlock()
	}
}
