package topology

import (
	"slices"
	"time"
)

// Input is all that Build looks at. It is also the content of a snapshot file, so that a judgement can be repeated anywhere.
type Input struct {
	At           time.Time     `json:"at"`
	Observations []Observation `json:"observations"`
	Votes        []Vote        `json:"votes,omitempty"`
	Nodes        int           `json:"nodes,omitempty"` // voters of Baton, this one included; 0 is 1
	Intents      Intents       `json:"intents,omitzero"`
	Patience     Patience      `json:"patience,omitzero"`
}

// Patience is how much evidence it takes. Zero fields take the defaults of DefaultPatience.
type Patience struct {
	DownAfter  int           `json:"down_after,omitempty"`  // attempts in a row that must be refused or time out
	StaleAfter time.Duration `json:"stale_after,omitempty"` // an attempt older than this tells nothing any more
	FreshFor   time.Duration `json:"fresh_for,omitempty"`   // a receiver that heard something within this time receives
	LostAfter  time.Duration `json:"lost_after,omitempty"`  // a receiver that has been connecting for this long has lost its source
	Slack      time.Duration `json:"slack,omitempty"`       // by how much a loss may precede the last sign of life of the source and still count
	Settle     time.Duration `json:"settle,omitempty"`      // how long after a source began to fail a receiver may still be emptying what was on its way
}

// DefaultPatience returns the defaults: two attempts, ten seconds of freshness.
func DefaultPatience() Patience {
	return Patience{DownAfter: 2, StaleAfter: 30 * time.Second, FreshFor: 10 * time.Second, LostAfter: 1500 * time.Millisecond, Slack: 5 * time.Second, Settle: 250 * time.Millisecond}
}

func (p Patience) withDefaults() Patience {
	d := DefaultPatience()
	if p.DownAfter > 0 {
		d.DownAfter = p.DownAfter
	}
	for _, f := range []struct{ to, from *time.Duration }{
		{&d.StaleAfter, &p.StaleAfter}, {&d.FreshFor, &p.FreshFor}, {&d.LostAfter, &p.LostAfter}, {&d.Slack, &p.Slack}, {&d.Settle, &p.Settle},
	} {
		if *f.from > 0 {
			*f.to = *f.from
		}
	}
	return d
}

// Instance is one server in a snapshot: what was observed of it, and its place among the others. It must not be changed.
type Instance struct {
	Observation
	Cluster string // stable name
	Agreed  Reach  // what the majority of Baton's nodes sees; the embedded Reach is this node's own view
	Down    bool   // refused or timed out often enough, for a majority
	Role    Role
	Depth   int          // replication hops from its root
	Source  InstanceID   // of the default channel; "" where there is none
	Direct  []InstanceID // direct replicas, in order

	PromotionRule PromotionRule
	Downtimed     bool
	InMaintenance bool
	Deposed       bool // and not yet known to follow
	Quarantined   bool

	source    *Instance
	followers []*Instance // as Direct
	stub      bool        // known only because somebody names it as a source
}

// Following returns the instance it follows on its default channel, or nil.
func (i *Instance) Following() *Instance { return i.source }

// Followers returns its direct replicas, as Direct names them. The slice must not be changed.
func (i *Instance) Followers() []*Instance { return i.followers }

// ID names the instance.
func (i *Instance) ID() InstanceID { return i.Instance }

// Up reports whether the newest probe was answered in full.
func (i *Instance) Up() bool { return i.Agreed == ReachUp }

// Known reports whether the instance has ever answered.
func (i *Instance) Known() bool { return !i.Facts.At.IsZero() }

// Writable reports whether the instance, as last seen, lets ordinary clients write.
func (i *Instance) Writable() bool { return i.Known() && !i.Facts.ReadOnly && !i.Facts.SuperReadOnly }

// Cluster is a set of instances under one stable name.
type Cluster struct {
	Name    string
	Alias   string
	Primary InstanceID // meant to take writes; "" where none can be told
	Epoch   uint64
	Named   bool        // the ledger knows the name; otherwise it is provisional
	Agreed  bool        // the ledger agreed on this primary
	Members []*Instance // roots first, each followed by its replicas, depth first

	DataCenter string // where the primary is, as it says itself
	Region     string
	Answering  int // members that answer this node, downtimed ones aside
	Failing    int // members that this node cannot reach, downtimed ones aside

	leader *Instance
	slots  []*Instance // the members by name
}

// Leader returns the primary, or nil where none can be told.
func (c *Cluster) Leader() *Instance { return c.leader }

// Snapshot is the immutable fleet at one moment. Readers share it freely.
type Snapshot struct {
	At       time.Time
	Clusters []*Cluster // by name
	Intents  Intents
	Patience Patience // with its defaults filled in
	Nodes    int

	votes    []Vote
	hosts    int
	tally    tally
	clusters map[string]int       // place in Clusters
	places   map[InstanceID]place // of every instance
}

// place is where an instance is: the cluster, and its slot there. It stays the same as long as the shape of the fleet does.
type place struct{ cluster, member int }

// Instance returns an instance, or nil where the snapshot has none of that name.
func (s *Snapshot) Instance(id InstanceID) *Instance {
	at, ok := s.places[id]
	if !ok {
		return nil
	}
	return s.Clusters[at.cluster].slots[at.member]
}

// Cluster returns a cluster by its name, or nil.
func (s *Snapshot) Cluster(name string) *Cluster {
	n, ok := s.clusters[name]
	if !ok {
		return nil
	}
	return s.Clusters[n]
}

// ClusterOf returns the cluster of an instance, or nil.
func (s *Snapshot) ClusterOf(id InstanceID) *Cluster {
	at, ok := s.places[id]
	if !ok {
		return nil
	}
	return s.Clusters[at.cluster]
}

// Len returns the number of instances.
func (s *Snapshot) Len() int { return len(s.places) }

// tally sums up clusters, so that whoever asks about the fleet need not look at all of it after every change of one.
type tally struct {
	clusters  int   // in which somebody answers or fails
	answering int   // instances
	failing   []int // clusters in which somebody fails, in order
}

func (t *tally) add(n int, c *Cluster) {
	t.answering += c.Answering
	if c.Answering+c.Failing > 0 {
		t.clusters++
	}
	if c.Failing > 0 {
		t.failing = append(t.failing, n)
	}
}

// replaced returns the tally after one cluster has taken the place of another.
func (t tally) replaced(n int, old, young *Cluster) tally {
	t.answering += young.Answering - old.Answering
	for c, by := range map[*Cluster]int{old: -1, young: 1} {
		if c.Answering+c.Failing > 0 {
			t.clusters += by
		}
	}
	if (old.Failing > 0) != (young.Failing > 0) {
		t.failing = slices.DeleteFunc(slices.Clone(t.failing), func(m int) bool { return m == n })
		if young.Failing > 0 {
			at, _ := slices.BinarySearch(t.failing, n)
			t.failing = slices.Insert(t.failing, at, n)
		}
		if len(t.failing) == 0 {
			t.failing = nil
		}
	}
	return t
}

// Answering returns the number of clusters in which an instance answers or fails that nobody asked to ignore, and of such instances that answer.
func (s *Snapshot) Answering() (clusters, instances int) { return s.tally.clusters, s.tally.answering }

// Failing returns the clusters, by name, in which this node cannot reach an instance that nobody asked to ignore.
func (s *Snapshot) Failing() []*Cluster {
	failing := make([]*Cluster, len(s.tally.failing))
	for n, at := range s.tally.failing {
		failing[n] = s.Clusters[at]
	}
	return failing
}

// Hosts returns the number of hosts that the instances are on.
func (s *Snapshot) Hosts() int { return s.hosts }

// Instances returns all instances in order of cluster and place.
func (s *Snapshot) Instances() []*Instance {
	all := make([]*Instance, 0, len(s.places))
	for _, c := range s.Clusters {
		all = append(all, c.Members...)
	}
	return all
}

// Input returns what this snapshot was built from, in a stable order: building it again gives the same snapshot.
func (s *Snapshot) Input() Input {
	in := Input{At: s.At, Votes: s.votes, Nodes: s.Nodes, Intents: s.Intents, Patience: s.Patience}
	for _, c := range s.Clusters {
		for _, i := range c.slots {
			if !i.stub {
				in.Observations = append(in.Observations, i.Observation)
			}
		}
	}
	slices.SortFunc(in.Observations, func(a, b Observation) int { return CompareIDs(a.Instance, b.Instance) })
	return in
}

// connectionErrors are the errors with which a receiver says that it cannot reach its source at all. Errors that prove a living source
// (1045 access denied, 1129 host blocked, 1130 host not allowed, 13117 fatal error) are left out: a replica that was turned away is no witness
// of a death.
var connectionErrors = map[int]bool{
	1158: true, 1159: true, 1160: true, 1161: true, // communication packets
	2002: true, 2003: true, 2005: true, 2006: true, 2013: true, 2026: true, // client library
}

// Testimony says what a replica knows of its source. It is judged by states, error numbers and times, never by error texts.
func (s *Snapshot) Testimony(replica *Instance) Testimony {
	if !replica.Up() {
		return TestimonyUnknown
	}
	c := replica.Facts.DefaultChannel()
	if c == nil {
		return TestimonyUnknown
	}
	source := replica.source
	broken := connectionErrors[c.ReceiverErrno]
	switch c.Receiver {
	case ReceiverUnknown:
		return TestimonyUnknown
	case ReceiverConnected:
		if s.receives(replica, c, source) {
			return TestimonyReceives
		}
		return TestimonySilent
	case ReceiverConnecting:
		if c.ReceiverErrno != 0 && !broken {
			return TestimonyMute
		}
		if !broken && s.At.Sub(c.ReceiverSince) < s.Patience.LostAfter {
			return TestimonySilent // still trying: it may succeed in a moment
		}
	case ReceiverStopped:
		if !broken {
			return TestimonyMute
		}
	}
	// It lost its source. A loss from before our own last sight of the living source is an old story and no witness of this one.
	if source != nil && c.ReceiverSince.Before(source.Facts.At.Add(-s.Patience.Slack)) {
		return TestimonyMute
	}
	return TestimonyLostIt
}

// CutOff reports whether an up replica cannot connect to its source, no matter since when. Unlike the testimony that it lost its source, this may
// be an old story: it says something of the replica's link, and nothing of the source.
func (s *Snapshot) CutOff(replica *Instance) bool {
	c := replica.Facts.DefaultChannel()
	if c == nil || !replica.Up() {
		return false
	}
	broken := connectionErrors[c.ReceiverErrno]
	switch c.Receiver {
	case ReceiverConnecting:
		return broken || c.ReceiverErrno == 0 && s.At.Sub(c.ReceiverSince) >= s.Patience.LostAfter
	case ReceiverStopped:
		return broken
	default:
		return false
	}
}

// receives reports whether a connected receiver has heard from its source recently enough. While the source fails to answer us, recently is
// after the failure began and a moment ago: what was on its way until then is no sign of life. A connection made since then is one, for as long
// as a silent one would be believed.
func (s *Snapshot) receives(replica *Instance, c *Channel, source *Instance) bool {
	fresh := s.freshness(replica)
	if source == nil || source.Failures == 0 {
		return s.At.Sub(c.HeardAt) <= fresh
	}
	streams := c.HeardAt.After(source.FailingSince.Add(s.Patience.Settle)) && s.At.Sub(c.HeardAt) <= 4*s.Patience.Settle
	reconnected := c.ReceiverSince.After(source.FailingSince) && s.At.Sub(c.ReceiverSince) <= fresh
	return streams || reconnected
}

// freshness is how long a connected receiver may hear nothing and still count as receiving.
func (s *Snapshot) freshness(replica *Instance) time.Duration {
	if t := replica.Facts.ReplicaNetTimeout; t > 0 && t < s.Patience.FreshFor {
		return t
	}
	return s.Patience.FreshFor
}
