package lab

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strconv"
	"sync"
)

// Ports are taken from below the range that kernels use for outgoing
// connections. From inside it, a client that reconnects in a loop would sooner
// or later occupy the port of a server that is down.
const (
	firstPort = 20000
	lastPort  = 29999
)

// ports hands out loopback ports that no other Lab of this cache has.
type ports struct {
	dir    string
	mu     sync.Mutex
	locks  []*fileLock
	closed bool
}

func newPorts(dir string) *ports { return &ports{dir: dir} }

// next returns a free port, and keeps it from other Labs until close.
func (p *ports) next() (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, ErrClosed
	}
	n := lastPort - firstPort + 1
	start := rand.IntN(n)
	for i := range n {
		port := firstPort + (start+i)%n
		lock, err := tryLockFile(filepath.Join(p.dir, strconv.Itoa(port)))
		if errors.Is(err, errLocked) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("reserve port: %w", err)
		}
		if !portFree(port) {
			_ = lock.unlock()
			continue
		}
		p.locks = append(p.locks, lock)
		return port, nil
	}
	return 0, fmt.Errorf("reserve port: every port from %d to %d is taken", firstPort, lastPort)
}

func (p *ports) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, lock := range p.locks {
		_ = lock.unlock()
	}
	p.locks, p.closed = nil, true
}

func portFree(port int) bool {
	ln, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return false
	}
	ln.Close()
	return true
}

func loopback(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
