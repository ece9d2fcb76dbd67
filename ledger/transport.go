package ledger

import (
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// transportPool is how many idle connections are kept to each node.
const transportPool = 3

// listen opens the port for the other nodes, or nothing for a group of one.
func (o Options) listen() (net.Listener, error) {
	if o.listener != nil || o.Bind == "" {
		return o.listener, nil
	}
	l, err := net.Listen("tcp", o.Bind)
	if err != nil {
		return nil, fmt.Errorf("listen for the other nodes on %s: %w", o.Bind, err)
	}
	return l, nil
}

// connect makes the transport over a listener, which it owns from then on, and what closes it for good once raft is
// shut down. Without a listener it stays within the process.
func (o Options) connect(l net.Listener) (t raft.Transport, closeTransport func()) {
	if o.transport != nil {
		return o.transport, func() {}
	}
	if l == nil {
		_, t := raft.NewInmemTransport(raft.ServerAddress(o.NodeID))
		return t, func() {}
	}
	self, _ := o.peer(o.NodeID)
	s := &stream{Listener: l, advertise: address(self.Address), open: make(map[*inbound]bool)}
	network := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		ServerAddressProvider:   addresses{of: o},
		Stream:                  s,
		MaxPool:                 transportPool,
		Timeout:                 2 * o.Election, // Run waits as long for a call to a node that hangs
		Logger:                  o.raftConfig(nil).Logger,
		MsgpackUseNewTimeFormat: true,
	})
	return network, func() {
		_ = network.Close() // closed before, it has nothing to say
		network.CloseStreams()
		s.hangUp()
	}
}

// addresses looks a node up by its id, so that a node may move to another address: the one that raft wrote down when the
// group was founded is not asked.
type addresses struct{ of Options }

func (a addresses) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	p, ok := a.of.peer(string(id))
	if !ok {
		return "", fmt.Errorf("node %s is not among the configured peers", id)
	}
	return raft.ServerAddress(p.Address), nil
}

// stream is raft's view of TCP. It advertises the address the others know, which need not be one of this machine.
//
// Raft goes on serving the connections of the other nodes after it was shut down, and panics when the store is closed
// under it; so stream knows them all and ends them before.
type stream struct {
	net.Listener
	advertise address

	mu      sync.Mutex
	open    map[*inbound]bool
	serving sync.WaitGroup
}

// inbound is a connection from another node. Its server closes it last of all.
type inbound struct {
	net.Conn
	stream *stream
	once   sync.Once
}

func (s *stream) Addr() net.Addr { return s.advertise }

func (s *stream) Dial(to raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	return net.DialTimeout("tcp", string(to), timeout)
}

func (s *stream) Accept() (net.Conn, error) {
	conn, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &inbound{Conn: conn, stream: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[c] = true
	s.serving.Add(1)
	return c, nil
}

func (c *inbound) Close() error {
	c.once.Do(func() {
		c.stream.mu.Lock()
		defer c.stream.mu.Unlock()
		delete(c.stream.open, c)
		c.stream.serving.Done()
	})
	return c.Conn.Close()
}

// hangUp ends all connections from other nodes and waits for those who serve them. The listener is closed by then.
func (s *stream) hangUp() {
	s.mu.Lock()
	for c := range s.open {
		_ = c.Conn.Close()
	}
	s.mu.Unlock()
	s.serving.Wait()
}

type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }
