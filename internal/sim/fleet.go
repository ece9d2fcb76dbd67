package sim

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/batondb/baton/topology"
)

// Party is one end of a link that can be cut: a server, or one of the two below.
type Party = topology.InstanceID

// The parties that are no servers.
const (
	Baton   Party = "baton"
	Clients Party = "clients"
)

// Server says how a server is set up. The zero value of everything but ID is a plain MySQL primary.
type Server struct {
	ID         topology.InstanceID
	Source     topology.InstanceID // whom it replicates from; "" is nobody
	Version    topology.Version    // zero takes that of the fleet
	DataCenter string
	Region     string
	SemiSync   bool          // acknowledges as a replica
	Delay      time.Duration // applies this much later on purpose
	Relaxed    bool          // is not durable at every commit, by choice of its owners

	ReadOnly       bool // set when the fleet begins; replicas always are
	StartsReadOnly bool // and after every restart; whoever begins as a replica does
	NoReplicaLog   bool // log_replica_updates is off
	Rule           topology.PromotionRule
}

// Options is a fleet and the world around it.
type Options struct {
	Seed    uint64
	Start   time.Time
	Cluster string
	MariaDB bool
	Servers []Server

	WaitFor    int           // semi-sync acknowledgements the primary waits for; 0 is asynchronous
	Loaded     int           // transactions that everybody has when the fleet begins
	WriteEvery time.Duration // clients write this often wherever they may; 0 is never
	Writes     int           // and no more often than this in all; 0 is without end
	Stream     int           // transactions a receiver gets in a millisecond, at most; 0 is 4
	Apply      int           // transactions an applier applies in a millisecond, at most; 0 is 4
	NetTimeout time.Duration // replica_net_timeout; 0 is 4s
	Bound      time.Duration // how long two primaries may be writable and within reach; 0 is 2s
}

// Fleet is the model. Its methods may be called from several goroutines; all of them take the time or use the one it was last moved to.
type Fleet struct {
	mu      sync.Mutex
	options Options
	rng     *rand.Rand
	at      time.Time
	servers []*server
	byID    map[topology.InstanceID]*server
	cuts    map[[2]Party]bool
	denied  map[[2]Party]bool // replica, source: the source turns the replica's account away
	all     []transaction
	ledger  book
	traffic time.Time // next write of the clients
	written int

	twoSince time.Time // since when two primaries take writes within reach
	broken   []string  // invariants that did not hold, in the order in which they were seen
	halted   bool
	steps    int
}

// transaction is one write. What it is can be told apart even where two MariaDB servers gave two of them the same number.
type transaction struct {
	source   *server
	number   uint64
	at       time.Time
	acked    bool // a client was told that it is committed
	promised bool // and as many semi-sync replicas had it by then as the source waits for
	late     bool // by a server that was deposed then: out of reach, it could not be told
	planted  bool // written on a replica by a person, not by anything under test
}

// New checks the options and builds a fleet at rest.
func New(o Options) (*Fleet, error) {
	setDefaults(&o)
	f := &Fleet{
		options: o, rng: rand.New(rand.NewPCG(o.Seed, 1)), at: o.Start, traffic: o.Start,
		byID: make(map[topology.InstanceID]*server), cuts: make(map[[2]Party]bool), denied: make(map[[2]Party]bool),
	}
	for n, s := range o.Servers {
		if f.byID[s.ID] != nil || s.ID == "" || s.ID == Baton || s.ID == Clients {
			return nil, fmt.Errorf("simulate %q: a server needs a name of its own", s.ID)
		}
		if s.Version.IsZero() {
			s.Version = versionOf(o.MariaDB)
		}
		m := newServer(f, s, n+1)
		f.servers, f.byID[s.ID] = append(f.servers, m), m
	}
	for _, s := range f.servers {
		if s.source != "" && f.byID[s.source] == nil {
			return nil, fmt.Errorf("simulate %s: its source %s is no server of the fleet", s.ID, s.source)
		}
	}
	f.load()
	f.ledger = newBook(f)
	return f, nil
}

func setDefaults(o *Options) {
	if o.Start.IsZero() {
		o.Start = topology.NotationTime
	}
	if o.Cluster == "" {
		o.Cluster = "shop"
	}
	for _, d := range []struct {
		to *int
		by int
	}{{&o.Stream, 4}, {&o.Apply, 4}} {
		if *d.to == 0 {
			*d.to = d.by
		}
	}
	if o.NetTimeout == 0 {
		o.NetTimeout = 4 * time.Second
	}
	if o.Bound == 0 {
		o.Bound = 2 * time.Second
	}
}

func versionOf(mariaDB bool) topology.Version {
	if mariaDB {
		return topology.Version{Flavor: topology.FlavorMariaDB, Major: 10, Minor: 11, Patch: 6}
	}
	return topology.Version{Flavor: topology.FlavorMySQL, Major: 9, Minor: 7, Patch: 4}
}

// load gives everybody the same past, written by the first root, and connects what is configured to replicate.
func (f *Fleet) load() {
	for _, s := range f.servers {
		if s.source == "" {
			for range f.options.Loaded {
				f.begin(s)
			}
			break
		}
	}
	for _, s := range f.servers {
		for t := range f.all {
			s.write(t)
			s.executed.add(t)
		}
	}
	for _, s := range f.servers {
		if src := f.byID[s.source]; src != nil {
			f.connect(s, src)
		}
	}
}

// begin makes a transaction with the next number of its source.
func (f *Fleet) begin(s *server) int {
	t := transaction{source: s, at: f.at}
	if s.mariaDB() {
		t.number = s.lastNumber() + 1
	} else {
		s.own++
		t.number = s.own
	}
	f.all = append(f.all, t)
	return len(f.all) - 1
}

// IDs lists the servers in the order in which they were set up.
func (f *Fleet) IDs() []topology.InstanceID {
	var ids []topology.InstanceID
	for _, s := range f.servers {
		ids = append(ids, s.ID)
	}
	return ids
}

// Now is the time the fleet was last moved to.
func (f *Fleet) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}

// set is a set of transactions by their place in Fleet.all.
type set []uint64

func (s set) has(t int) bool { return t>>6 < len(s) && s[t>>6]&(1<<(t&63)) != 0 }

func (s *set) add(t int) {
	for t>>6 >= len(*s) {
		*s = append(*s, 0)
	}
	(*s)[t>>6] |= 1 << (t & 63)
}

func (s set) remove(t int) {
	if t>>6 < len(s) {
		s[t>>6] &^= 1 << (t & 63)
	}
}
