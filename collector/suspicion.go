package collector

import (
	"time"

	"github.com/batondb/baton/topology"
)

// lost reports whether an attempt is the first bad news of an instance: it answered before, or its sentinel has just fallen.
func lost(prev, o *topology.Observation) bool {
	bad := !o.Reach.Alive() || o.Reach == topology.ReachPartial
	return bad && (prev.Reach == topology.ReachUp || !prev.SentinelFell.IsZero() && prev.Failures == 0)
}

// Suspect probes instances at once and keeps probing them in a burst. Instances that are not known are left out.
func (c *Collector) Suspect(ids ...topology.InstanceID) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		if m := c.member(id); m != nil {
			c.schedule.suspect(m, now)
			c.rouse(m.due)
		}
	}
}

// fell is called when the idle connection to an instance broke. Whether the instance is gone, the probe that follows will tell; when it is,
// those who are related are suspected too.
func (c *Collector) fell(id topology.InstanceID) {
	now := time.Now()
	c.mu.RLock()
	m := c.member(id)
	c.mu.RUnlock()
	if m == nil {
		return
	}
	m.cell.Lock()
	if o, ok := c.cache.Get(m.id); ok {
		o = Fell(o, now)
		c.cache.Put(&o)
	}
	m.cell.Unlock()
	c.mu.Lock()
	gone := m.gone
	if !gone {
		c.schedule.doubtful(m, now)
		c.rouse(m.due)
	}
	c.mu.Unlock()
	if gone {
		c.drop(id) // it was forgotten before its entry was written again
	}
}
