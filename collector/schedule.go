package collector

import (
	"container/heap"
	"hash/fnv"
	"time"

	"github.com/batondb/baton/topology"
)

// lane is a queue with its own slots, so that those who wait in one do not keep others waiting.
type lane uint8

// The lanes, the most pressing first.
const (
	urgent  lane = iota // under suspicion, or asked for by name
	steady              // answering
	failing             // not answering: every attempt may last as long as its deadline
	lanes
)

// stuckAfter is how long a probe may hold a slot of the urgent or the steady lane. Whatever takes longer waits for a server and not for a
// processor; it goes on in the failing lane, however full that is, and makes room for those that answer.
const stuckAfter = 100 * time.Millisecond

// The pauses of a suspicion, from the end of one probe to the start of the next; the last one repeats.
var burst = [...]time.Duration{
	0, 2 * time.Millisecond, 4 * time.Millisecond, 8 * time.Millisecond, 16 * time.Millisecond, 32 * time.Millisecond, 64 * time.Millisecond,
	100 * time.Millisecond,
}

// An instance that keeps failing is probed less and less often: at the full rate for the first minute, at a tenth of it after ten.
const (
	fullRateFor = time.Minute
	maxBackoff  = 10
)

// task is the schedule's part of an instance.
type task struct {
	due       time.Time
	phase     time.Duration // offset in the interval, so that not all are due at once
	lane      lane          // where it waits
	slot      lane          // whose slot it holds while it runs
	place     int           // in the queue of its lane, -1 when it is in none
	running   bool
	gone      bool // removed while it ran
	again     bool // wanted at once while it ran
	started   time.Time
	attempt   uint64    // number of the newest attempt that has begun
	suspicion time.Time // probe in bursts until then
	doubt     time.Time // the same, but a good answer ends it
	step      int       // in the burst
	badSince  time.Time // of the first of the attempts in a row that were not answered in full

	prev, next *member // in the list of running probes, by start
}

// schedule decides which instance is probed when. It is not safe for concurrent use, and time is an argument.
type schedule struct {
	interval     time.Duration
	suspicionFor time.Duration
	slots        [lanes]int
	used         [lanes]int
	queues       [lanes]queue
	oldest       *member // of the running probes that are not stuck
	newest       *member
}

// add schedules an instance for the first time: at once, or in its turn within the next interval.
func (s *schedule) add(m *member, now time.Time, atOnce bool) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(m.id))
	m.phase = time.Duration(h.Sum64() % uint64(s.interval))
	m.place, m.lane, m.due = -1, steady, now
	if !atOnce {
		m.due = s.turn(m, now, 1)
	}
	heap.Push(&s.queues[m.lane], m)
}

// remove takes an instance out. A probe that is running is not disturbed.
func (s *schedule) remove(m *member) {
	m.gone = true
	if m.place >= 0 {
		heap.Remove(&s.queues[m.lane], m.place)
	}
}

// turn returns the next moment that is the instance's own, every n intervals.
func (s *schedule) turn(m *member, now time.Time, n int) time.Time {
	// Not Truncate, which would tie the schedule to a clock that can be set.
	into := time.Duration(now.UnixNano() % int64(s.interval))
	start := now.Add(m.phase - into)
	if !start.After(now) {
		start = start.Add(s.interval)
	}
	return start.Add(time.Duration(n-1) * s.interval)
}

// take returns the instances that are to be probed now and for which there is a slot, and how long there will be nothing to do.
func (s *schedule) take(now time.Time, ready []*member) ([]*member, time.Duration) {
	s.unstick(now)
	for l := range lanes {
		q := &s.queues[l]
		for len(*q) > 0 && s.used[l] < s.slots[l] && !(*q)[0].due.After(now) {
			m := heap.Pop(q).(*member)
			m.running, m.started, m.slot = true, now, l
			m.attempt++
			s.used[l]++
			s.link(m)
			ready = append(ready, m)
		}
	}
	return ready, s.idle(now)
}

// idle returns the time until a probe is due, or until one that runs is stuck and gives its slot to one that is due.
func (s *schedule) idle(now time.Time) time.Duration {
	wait := time.Hour
	for l := range lanes {
		q := s.queues[l]
		switch {
		case len(q) == 0:
		case s.used[l] < s.slots[l]:
			least := time.Duration(0)
			if l != urgent {
				least = time.Millisecond // several at a time wake us less often
			}
			wait = min(wait, max(least, q[0].due.Sub(now)))
		case s.oldest != nil:
			wait = min(wait, max(time.Millisecond, s.oldest.started.Add(stuckAfter).Sub(now)))
		}
	}
	return wait
}

func (s *schedule) unstick(now time.Time) {
	for s.oldest != nil && now.Sub(s.oldest.started) >= stuckAfter {
		m := s.oldest
		s.unlink(m)
		s.used[m.slot]--
		m.slot = failing
		s.used[failing]++
	}
}

// finish takes back an instance whose probe has ended and schedules the next one.
func (s *schedule) finish(m *member, now time.Time, reach topology.Reach) {
	m.running = false
	s.used[m.slot]--
	s.unlink(m)
	if reach == topology.ReachUp {
		m.badSince = time.Time{}
	} else if m.badSince.IsZero() {
		m.badSince = now
	}
	if reach.Alive() && reach != topology.ReachPartial {
		m.doubt = time.Time{}
	}
	if m.gone {
		return
	}
	switch {
	case m.again:
		m.again, m.lane, m.due = false, urgent, now
	case now.Before(m.suspicion) || now.Before(m.doubt):
		m.step = min(m.step+1, len(burst)-1)
		m.lane, m.due = urgent, now.Add(burst[m.step])
	case reach == topology.ReachUp:
		m.lane, m.due = steady, s.turn(m, now, 1)
	default:
		m.lane, m.due = failing, s.turn(m, now, backoff(now.Sub(m.badSince)))
	}
	heap.Push(&s.queues[m.lane], m)
}

// backoff returns every how many intervals an instance is probed that has been failing for so long.
func backoff(failing time.Duration) int {
	return int(min(maxBackoff, max(1, failing/fullRateFor)))
}

// hurry makes an instance due now.
func (s *schedule) hurry(m *member, now time.Time) {
	if m.running {
		m.again = true
		return
	}
	if m.place >= 0 {
		heap.Remove(&s.queues[m.lane], m.place)
	}
	m.lane, m.due = urgent, now
	heap.Push(&s.queues[m.lane], m)
}

// suspect begins a burst of probes, or makes the one that is under way last longer. One that is under way keeps its pace: whoever suspects
// again at each answer must not turn the burst into a loop without pauses.
func (s *schedule) suspect(m *member, now time.Time) {
	busy := m.suspected(now)
	m.suspicion = now.Add(s.suspicionFor)
	if !busy {
		m.step = 0
		s.hurry(m, now)
	}
}

// doubtful is suspect, ended by a good answer.
func (s *schedule) doubtful(m *member, now time.Time) {
	busy := m.suspected(now)
	m.doubt = now.Add(s.suspicionFor)
	if !busy {
		m.step = 0
		s.hurry(m, now)
	}
}

func (t *task) suspected(now time.Time) bool { return now.Before(t.suspicion) || now.Before(t.doubt) }

// waiting returns how many instances are due and have no slot.
func (s *schedule) waiting(now time.Time) int {
	n := 0
	for _, q := range s.queues {
		for _, m := range q {
			if !m.due.After(now) {
				n++
			}
		}
	}
	return n
}

func (s *schedule) link(m *member) {
	if m.slot == failing {
		return
	}
	m.prev, m.next = s.newest, nil
	if s.newest != nil {
		s.newest.next = m
	} else {
		s.oldest = m
	}
	s.newest = m
}

// unlink is harmless for what is not in the list.
func (s *schedule) unlink(m *member) {
	switch {
	case m.prev != nil:
		m.prev.next = m.next
	case s.oldest == m:
		s.oldest = m.next
	default:
		return
	}
	if m.next != nil {
		m.next.prev = m.prev
	} else {
		s.newest = m.prev
	}
	m.prev, m.next = nil, nil
}

// queue is a heap of instances by the moment they are due.
type queue []*member

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

// Push implements heap.Interface.
func (q *queue) Push(x any) {
	m := x.(*member)
	m.place = len(*q)
	*q = append(*q, m)
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	old := *q
	m := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	m.place = -1
	return m
}
