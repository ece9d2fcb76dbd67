package ledger

import (
	"fmt"
	"net"
	"time"

	"github.com/hashicorp/raft"
)

const (
	transportPool    = 3
	transportTimeout = 10 * time.Second
)

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

// connect makes the transport over a listener, which it owns from then on. Without one it stays within the process.
func (o Options) connect(l net.Listener) raft.Transport {
	if o.transport != nil {
		return o.transport
	}
	if l == nil {
		_, t := raft.NewInmemTransport(raft.ServerAddress(o.NodeID))
		return t
	}
	self, _ := o.peer(o.NodeID)
	return raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		ServerAddressProvider:   addresses{of: o},
		Stream:                  &stream{Listener: l, advertise: address(self.Address)},
		MaxPool:                 transportPool,
		Timeout:                 transportTimeout,
		Logger:                  o.raftConfig(nil).Logger,
		MsgpackUseNewTimeFormat: true,
	})
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
type stream struct {
	net.Listener
	advertise address
}

func (s *stream) Addr() net.Addr { return s.advertise }

func (s *stream) Dial(to raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	return net.DialTimeout("tcp", string(to), timeout)
}

type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }
