package lab

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// A proxied is one connection through a Proxy.
type proxied struct {
	proxy  *Proxy
	client *net.TCPConn

	mu     sync.Mutex
	target *net.TCPConn
	user   string
	once   sync.Once
	done   chan struct{} // closed by abort
}

// A parcel is what a pump carries: bytes, or the end of the stream.
type parcel struct {
	bytes []byte
	err   error
	at    time.Time
}

func (c *proxied) serve() {
	defer func() {
		c.proxy.mu.Lock()
		delete(c.proxy.conns, c)
		c.proxy.mu.Unlock()
	}()
	// Nothing reaches the server through a black hole, a connection neither.
	if !c.passable(to) {
		return
	}
	conn, err := net.DialTimeout("tcp", c.proxy.target, time.Second)
	if err != nil {
		c.abort()
		return
	}
	target := conn.(*net.TCPConn)
	c.mu.Lock()
	c.target = target
	c.mu.Unlock()
	select {
	case <-c.done: // abort did not see the target
		target.Close()
		return
	default:
	}
	var pumps sync.WaitGroup
	pumps.Go(func() { c.pump(to, c.client, target) })
	pumps.Go(func() { c.pump(from, target, c.client) })
	pumps.Wait()
	c.client.Close()
	target.Close()
}

// pump carries bytes one way. Reading and writing are apart, so that a delay
// does not lower the throughput.
func (c *proxied) pump(w way, src, dst *net.TCPConn) {
	queue := make(chan parcel, 256)
	var reader sync.WaitGroup
	reader.Go(func() { c.read(w, src, queue) })
	defer reader.Wait()
	for {
		var p parcel
		select {
		case p = <-queue:
		case <-c.done:
			return
		}
		if !c.due(w, p.at) || !c.passable(w) {
			return
		}
		switch {
		case errors.Is(p.err, io.EOF):
			_ = dst.CloseWrite()
			return
		case p.err != nil:
			c.abort()
			return
		}
		if _, err := dst.Write(p.bytes); err != nil {
			c.abort()
			return
		}
	}
}

func (c *proxied) read(w way, src *net.TCPConn, queue chan<- parcel) {
	buf := make([]byte, 16<<10)
	for first := true; ; first = false {
		n, err := src.Read(buf)
		p := parcel{err: err, at: time.Now()}
		if n > 0 {
			p = parcel{bytes: bytes.Clone(buf[:n]), at: p.at}
			if first && w == to {
				c.recognize(p.bytes)
			}
		}
		select {
		case queue <- p:
		case <-c.done:
			return
		}
		if p.err != nil {
			return
		}
	}
}

// passable waits until the way is free, and reports whether the connection
// still exists.
func (c *proxied) passable(w way) bool {
	for {
		f, changed := c.proxy.fault(c.account())
		if f.cut {
			c.abort()
		}
		if f.hold[w] {
			select {
			case <-changed:
				continue
			case <-c.done:
				return false
			}
		}
		select {
		case <-c.done:
			return false
		default:
			return true
		}
	}
}

// due waits until what was read at that time has been delayed enough.
func (c *proxied) due(w way, at time.Time) bool {
	f, _ := c.proxy.fault(c.account())
	wait := time.Until(at.Add(f.delay[w]))
	if wait <= 0 {
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.done:
		return false
	}
}

// abort resets both ends.
func (c *proxied) abort() {
	c.once.Do(func() { close(c.done) })
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range []*net.TCPConn{c.client, c.target} {
		if conn != nil {
			_ = conn.SetLinger(0)
			conn.Close()
		}
	}
}

func (c *proxied) account() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.user
}

func (c *proxied) recognize(packet []byte) {
	user := handshakeUser(packet)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.user = user
}

// handshakeUser returns the account in a client's first packet: a header of 4
// bytes, 32 bytes of capabilities and padding, the name and a NUL. It is empty
// when the packet is not one, or asks for encryption.
func handshakeUser(packet []byte) string {
	const fixed = 4 + 32
	if len(packet) <= fixed {
		return ""
	}
	name, _, ok := bytes.Cut(packet[fixed:], []byte{0})
	if !ok {
		return ""
	}
	return string(name)
}
