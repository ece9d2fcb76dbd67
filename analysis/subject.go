package analysis

import (
	"github.com/batondb/baton/topology"
)

// Subject is what conditions are asked about: one instance among the others, or one area of the fleet. It is a handful of pointers, because it is
// passed by value some hundred thousand times in one evaluation; nothing behind them may be changed.
type Subject struct {
	Snapshot *topology.Snapshot
	Policy   *Policy

	Cluster  *topology.Cluster  // nil for an area
	Instance *topology.Instance // nil for an area
	Channel  *topology.Channel  // the default replication channel of the instance, nil where it follows nobody
	Replicas *Counts            // of the instance, never nil

	Area *Area // nil for an instance
}

// Counts are taken over the direct replicas of one instance that are not downtimed.
type Counts struct {
	Total     int // replicas
	Up        int // answered the newest probe in full; the sum of Receiving, Lost, Silent and Mute
	Dead      int // down
	Receiving int // up, connected, and heard from the source of late
	Lost      int // up, and lost the source when it failed: a witness
	Silent    int // up, connected, and heard nothing of late
	Mute      int // up, and cannot tell: stopped on purpose, turned away, lost it long ago, or the state is not known
	CutOff    int // up, and cannot connect, no matter since when
	Applying  int // up, with a running applier
	Idle      int // up, and known not to replicate: the receiver is not connected or the applier is stopped
	Lagging   int // up, with a known lag over the threshold, configured delay subtracted
	Delayed   int // up, with a configured delay
	Logging   int // up, and logs what it applies: others could follow it
}

// noReplicas is shared by the many subjects that have none.
var noReplicas Counts

// SubjectOf returns the subject of one instance.
func SubjectOf(s *topology.Snapshot, id topology.InstanceID, p Policy) (Subject, bool) {
	i := s.Instance(id)
	if i == nil {
		return Subject{}, false
	}
	p = p.withDefaults()
	return subjectOf(s, s.Cluster(i.Cluster), i, &p), true
}

func subjectOf(s *topology.Snapshot, c *topology.Cluster, i *topology.Instance, p *Policy) Subject {
	sub := Subject{Snapshot: s, Policy: p, Cluster: c, Instance: i, Channel: i.Facts.DefaultChannel(), Replicas: &noReplicas}
	if len(i.Direct) > 0 {
		sub.Replicas = count(s, c, i, p)
	}
	return sub
}

func count(s *topology.Snapshot, c *topology.Cluster, i *topology.Instance, p *Policy) *Counts {
	n := &Counts{}
	threshold := p.lagThreshold(c.Name)
	for _, r := range i.Followers() {
		if r.Downtimed {
			continue
		}
		n.Total++
		if r.Down {
			n.Dead++
		}
		if !r.Up() {
			continue
		}
		n.Up++
		n.testify(s.Testimony(r))
		n.Logging += truth(r.Facts.LogBin && r.Facts.LogReplicaUpdates)
		ch := r.Facts.DefaultChannel()
		if ch == nil {
			continue
		}
		n.CutOff += truth(s.CutOff(r))
		n.Applying += truth(ch.Applier == topology.ApplierRunning)
		n.Idle += truth(idle(ch))
		n.Lagging += truth(ch.LagKnown && ch.Lag > threshold)
		n.Delayed += truth(ch.Delay > 0)
	}
	return n
}

// idle reports whether a channel is known not to replicate. What is not known is not held against it.
func idle(c *topology.Channel) bool {
	return c.Receiver == topology.ReceiverConnecting || c.Receiver == topology.ReceiverStopped || c.Applier == topology.ApplierStopped
}

// testify counts one testimony. Who is up and cannot be asked can tell as little as who stopped on purpose.
func (n *Counts) testify(t topology.Testimony) {
	switch t {
	case topology.TestimonyReceives:
		n.Receiving++
	case topology.TestimonyLostIt:
		n.Lost++
	case topology.TestimonySilent:
		n.Silent++
	default:
		n.Mute++
	}
}

// Connected is the number of replicas that may still have the source at the other end.
func (n *Counts) Connected() int { return n.Receiving + n.Silent }

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}
