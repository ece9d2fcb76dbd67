package ledger

import (
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// Stats is the health of this node's part in the group, for metrics.
type Stats struct {
	State             string        // leader, follower, candidate or shutdown
	Leader            string        // id of the leader, empty when there is none
	Ready             bool          // see Ledger.Ready
	Voters            int           // of the group, this node included
	Term              uint64        //
	LastLogIndex      uint64        // written here
	CommitIndex       uint64        // agreed, as far as this node knows
	AppliedIndex      uint64        // in State
	Entries           uint64        // accepted since the group was founded
	LastContact       time.Duration // since this follower heard from the leader; 0 on the leader, negative before the first time
	LeadershipChanges uint64        // seen by this node since it started
	LastSnapshot      time.Time     // zero: none yet
	Proposals         Histogram     // how long proposals took that the group agreed on, here
	Refused           uint64        // of these, how many State refused
	Failures          uint64        // proposals that were not agreed on, or whose fate is not known
}

// Histogram counts durations in seconds, as a Prometheus histogram does.
type Histogram struct {
	Bounds []float64 // upper bounds
	Counts []uint64  // how many were at most the bound of the same index
	Count  uint64
	Sum    float64
}

// Stats returns the present numbers.
func (l *Ledger) Stats() Stats {
	s := l.stats.read()
	s.Entries = l.State().Entries
	s.LastSnapshot = l.fsm.lastSnapshot()
	r := l.raft.Load()
	if r == nil {
		s.State, s.LastContact = stateName(raft.Shutdown), -1
		return s
	}
	state := r.State()
	s.State = stateName(state)
	s.Leader = l.Leader().ID
	s.Ready = l.Ready()
	s.Term = r.CurrentTerm()
	s.LastLogIndex = r.LastIndex()
	s.CommitIndex = r.CommitIndex()
	s.AppliedIndex = r.AppliedIndex()
	for _, server := range r.GetConfiguration().Configuration().Servers {
		if server.Suffrage == raft.Voter {
			s.Voters++
		}
	}
	if last := r.LastContact(); state != raft.Leader {
		s.LastContact = time.Since(last)
		if last.IsZero() {
			s.LastContact = -1
		}
	}
	return s
}

// proposalBounds suit a commit: one disk write with one node, two and a round trip with several.
func proposalBounds() []float64 {
	return []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5}
}

// meter collects what raft does not count.
type meter struct {
	mu       sync.Mutex
	leader   string
	changes  uint64
	took     []uint64 // per bound, not cumulative
	count    uint64
	sum      time.Duration
	refused  uint64
	failures uint64
}

// leaderSeen reports whether there is a leader now who was not just before; none in between makes the same one new.
func (m *meter) leaderSeen(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	changed := id != "" && id != m.leader
	m.leader = id
	if changed {
		m.changes++
	}
	return changed
}

func (m *meter) answered(took time.Duration, refused bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	bounds := proposalBounds()
	if m.took == nil {
		m.took = make([]uint64, len(bounds))
	}
	if i, _ := slices.BinarySearch(bounds, took.Seconds()); i < len(bounds) {
		m.took[i]++
	}
	m.count++
	m.sum += took
	if refused {
		m.refused++
	}
}

func (m *meter) failed() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failures++
}

func (m *meter) read() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := Histogram{Bounds: proposalBounds(), Count: m.count, Sum: m.sum.Seconds()}
	h.Counts = make([]uint64, len(h.Bounds))
	var below uint64
	for i := range h.Counts {
		if m.took != nil {
			below += m.took[i]
		}
		h.Counts[i] = below
	}
	return Stats{LeadershipChanges: m.changes, Proposals: h, Refused: m.refused, Failures: m.failures}
}

// calls counts the calls that wait for raft.
type calls struct {
	mu      sync.Mutex
	running int
	closed  bool
	idle    chan struct{} // closed when the last one is gone, once closed
}

func (c *calls) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.running++
	return true
}

func (c *calls) exit() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running--; c.closed && c.running == 0 {
		close(c.idle)
	}
}

// drain lets no more calls in and waits for the running ones, but not for ever.
func (c *calls) drain(atMost time.Duration) {
	c.mu.Lock()
	c.closed, c.idle = true, make(chan struct{})
	if c.running == 0 {
		close(c.idle)
	}
	idle := c.idle
	c.mu.Unlock()
	timeout := time.NewTimer(atMost)
	defer timeout.Stop()
	select {
	case <-idle:
	case <-timeout.C:
	}
}
