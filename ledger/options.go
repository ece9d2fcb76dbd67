package ledger

import (
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/hashicorp/raft"
)

// Options say where a ledger lives and with whom it agrees. Without Peers it is a group of one, which opens no port.
type Options struct {
	Dir    string // directory of its own, made when missing
	NodeID string // who this node is, for good; may be empty for a group of one
	Bind   string // address to listen on for the other nodes, with Peers only
	Peers  []Peer // all voters, this node among them, the same list on every node

	// Heartbeat is how long a follower waits for a word of the leader before it stands for election, Election how long
	// a candidate waits for votes, and Lease how long a leader goes on without a majority before it steps down.
	// Lease <= Heartbeat <= Election: the old leader must have stopped before there can be a new one.
	Heartbeat time.Duration
	Election  time.Duration
	Lease     time.Duration

	// A snapshot is taken when SnapshotInterval has passed and SnapshotEntries were agreed since the last one.
	SnapshotInterval time.Duration
	SnapshotEntries  uint64

	Logger *slog.Logger

	transport raft.Transport // tests connect nodes in memory
	listener  net.Listener   // tests know the port before the node starts
}

// Peer is one voter of the group.
type Peer struct {
	ID      string
	Address string // host:port that the other nodes dial; a name is resolved anew for each connection
	API     string // URL of its API, given to clients that asked a follower
}

// Defaults of Options. The leader of a lost node is replaced within two to three seconds.
const (
	DefaultHeartbeat        = time.Second
	DefaultElection         = time.Second
	DefaultLease            = 500 * time.Millisecond
	DefaultSnapshotInterval = 2 * time.Minute
	DefaultSnapshotEntries  = 1024
	DefaultNodeID           = "baton"
	minTimeout              = 5 * time.Millisecond
)

// withDefaults fills what is not set.
func (o Options) withDefaults() Options {
	if o.NodeID == "" && len(o.Peers) == 0 {
		o.NodeID = DefaultNodeID
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = DefaultHeartbeat
	}
	if o.Election == 0 {
		o.Election = max(DefaultElection, o.Heartbeat)
	}
	if o.Lease == 0 {
		o.Lease = min(DefaultLease, o.Heartbeat/2)
	}
	if o.SnapshotInterval == 0 {
		o.SnapshotInterval = DefaultSnapshotInterval
	}
	if o.SnapshotEntries == 0 {
		o.SnapshotEntries = DefaultSnapshotEntries
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// validate names the first field that is wrong.
func (o Options) validate() error {
	if o.Dir == "" {
		return ErrOption{Field: "Dir", Problem: "name a directory; what operators asked for must survive a restart"}
	}
	if err := mayName("NodeID", o.NodeID); err != nil || o.NodeID == "" {
		return ErrOption{Field: "NodeID", Problem: "give every node a name of its own, without blanks"}
	}
	for _, t := range []struct {
		field string
		value time.Duration
	}{{"Lease", o.Lease}, {"Heartbeat", o.Heartbeat}, {"Election", o.Election}, {"SnapshotInterval", o.SnapshotInterval}} {
		if t.value < minTimeout {
			return ErrOption{Field: t.field, Problem: fmt.Sprintf("%s is too short, %s is the least", t.value, minTimeout)}
		}
	}
	if o.Lease > o.Heartbeat {
		return ErrOption{Field: "Lease", Problem: fmt.Sprintf("%s is longer than Heartbeat (%s): two nodes could lead at once", o.Lease, o.Heartbeat)}
	}
	if o.Heartbeat > o.Election {
		return ErrOption{Field: "Election", Problem: fmt.Sprintf("%s is shorter than Heartbeat (%s)", o.Election, o.Heartbeat)}
	}
	return o.validatePeers()
}

func (o Options) validatePeers() error {
	if len(o.Peers) == 0 {
		if o.Bind != "" {
			return ErrOption{Field: "Peers", Problem: "name all nodes, this one included, where Bind is set; leave Bind empty for a single node"}
		}
		return nil
	}
	if o.Bind == "" && o.listener == nil && o.transport == nil {
		return ErrOption{Field: "Bind", Problem: "name the address to listen on where Peers are set"}
	}
	ids, addresses := make(map[string]bool), make(map[string]bool)
	for i, p := range o.Peers {
		field := fmt.Sprintf("Peers[%d]", i)
		switch {
		case mayName(field, p.ID) != nil || p.ID == "":
			return ErrOption{Field: field + ".ID", Problem: "give every node a name of its own, without blanks"}
		case p.Address == "":
			return ErrOption{Field: field + ".Address", Problem: "is missing"}
		case ids[p.ID]:
			return ErrOption{Field: field + ".ID", Problem: fmt.Sprintf("%q is there twice", p.ID)}
		case addresses[p.Address]:
			return ErrOption{Field: field + ".Address", Problem: fmt.Sprintf("%q is there twice", p.Address)}
		}
		ids[p.ID], addresses[p.Address] = true, true
	}
	if !ids[o.NodeID] {
		return ErrOption{Field: "Peers", Problem: fmt.Sprintf("this node, %q, is not among them", o.NodeID)}
	}
	return nil
}

// peer returns what is known of a node.
func (o Options) peer(id string) (Peer, bool) {
	for _, p := range o.Peers {
		if p.ID == id {
			return p, true
		}
	}
	return Peer{}, false
}

// alone reports whether this node is the whole group.
func (o Options) alone() bool { return len(o.Peers) <= 1 }

// voters is the configuration of a new group.
func (o Options) voters() raft.Configuration {
	if len(o.Peers) == 0 {
		return raft.Configuration{Servers: []raft.Server{{ID: raft.ServerID(o.NodeID), Address: raft.ServerAddress(o.NodeID)}}}
	}
	var c raft.Configuration
	for _, p := range o.Peers {
		c.Servers = append(c.Servers, raft.Server{ID: raft.ServerID(p.ID), Address: raft.ServerAddress(p.Address)})
	}
	return c
}

// raftConfig translates for raft.
func (o Options) raftConfig(notify chan<- bool) *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(o.NodeID)
	c.HeartbeatTimeout = o.Heartbeat
	c.ElectionTimeout = o.Election
	c.LeaderLeaseTimeout = o.Lease
	c.SnapshotInterval = o.SnapshotInterval
	c.SnapshotThreshold = o.SnapshotEntries
	c.TrailingLogs = o.SnapshotEntries
	c.ShutdownOnRemove = false // Run decides when a node stops
	c.BatchApplyCh = true      // entries that queue while the disk is busy share the next commit
	c.NotifyCh = notify
	c.NoLegacyTelemetry = true
	warn := slog.LevelWarn
	if o.alone() {
		warn = slog.LevelDebug                 // raft warns of every election, and a group of one begins with one
		c.HeartbeatTimeout += time.Millisecond // see hurry
		c.ElectionTimeout += time.Millisecond
	}
	c.Logger = raftLog{to: o.Logger, warn: warn}
	return c
}
