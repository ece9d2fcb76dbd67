package collector

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/batondb/baton/topology"
)

// sweepEvery is how often the inventory is looked through for what is to be forgotten.
const sweepEvery = time.Minute

// hearsayFor is how long an instance that only a list of replicas speaks of may take to answer for the first time. Such lists hold ports that
// were guessed, and hosts that are called so somewhere else.
const hearsayFor = 10 * time.Minute

// add makes an instance a member, if it is not one. The caller holds the lock.
func (c *Collector) add(id topology.InstanceID, now time.Time, atOnce bool) *member {
	if m := c.member(id); m != nil {
		return m
	}
	m := &member{id: id, since: now}
	c.members[id] = m
	delete(c.forgotten, id)
	c.schedule.add(m, now, atOnce)
	c.rouse(m.due)
	return m
}

// Add makes instances members whether they answer or not, as seeds are: somebody knows that they belong.
func (c *Collector) Add(ids ...topology.InstanceID) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		if id = c.opts.Names.Canonical(id); !c.ignored(id) {
			c.add(id, now, true)
		}
	}
}

// remove ends the membership of an instance. The caller holds the lock, and drops what is cached.
func (c *Collector) remove(m *member) {
	delete(c.members, m.id)
	c.schedule.remove(m)
	if !m.running {
		m.dismiss()
	}
	c.unfollow(m, nil)
	if c.identities[m.identity] == m.id {
		delete(c.identities, m.identity)
	}
	for alias, to := range c.aliases {
		if to == m.id {
			delete(c.aliases, alias)
		}
	}
	c.rewatch = c.rewatch || c.sources[m.id] > 0
}

// drop forgets what is kept for an instance that is no member any more, unless it has become one again.
func (c *Collector) drop(id topology.InstanceID) {
	c.mu.RLock()
	again := c.members[id] != nil
	c.mu.RUnlock()
	if !again {
		c.cache.Drop(id)
		c.opts.Prober.Drop(id)
	}
}

func (c *Collector) ignored(id topology.InstanceID) bool {
	return c.opts.Ignore != nil && c.opts.Ignore(id)
}

// recognise finds out whether the server behind a member is one that is known by another name already. The first name stays, unless nobody
// answers to it any more. It returns false where the member is not one any longer. The caller holds the lock.
func (c *Collector) recognise(m *member, f *topology.Facts) bool {
	now := identity{f.ServerUUID, f.Hostname, m.id.Port()}
	if now.uuid == "" || now == m.identity {
		return true
	}
	if c.identities[m.identity] == m.id {
		delete(c.identities, m.identity)
	}
	m.identity = now
	first := c.members[c.identities[now]]
	if first == nil || first == m {
		c.identities[now] = m.id
		return true
	}
	stays, goes := first, m
	if !first.reach.Alive() {
		stays, goes = m, first
	}
	c.remove(goes)
	c.identities[now] = stays.id
	c.aliases[goes.id] = stays.id
	stays.pinned = stays.pinned || goes.pinned
	c.log.Info("one server has two names", "component", "collector", "instance", string(stays.id), "alias", string(goes.id))
	if goes != m && !goes.running { // one that is running is dropped when its attempt ends
		c.cache.Drop(goes.id)
		c.opts.Prober.Drop(goes.id)
	}
	return goes != m
}

// rename gives everybody a replica names the name under which they are known here.
func (c *Collector) rename(f *topology.Facts) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if len(c.aliases) == 0 {
		return
	}
	for i := range f.Channels {
		if to, ok := c.aliases[f.Channels[i].Source]; ok {
			f.Channels = slices.Clone(f.Channels)
			f.Channels[i].Source = to
		}
	}
	for i := range f.Replicas {
		if to, ok := c.aliases[f.Replicas[i]]; ok {
			f.Replicas = slices.Clone(f.Replicas)
			f.Replicas[i] = to
		}
	}
}

// follow goes along the links of a member, both ways, and keeps count of who is a source. The caller holds the lock.
func (c *Collector) follow(m *member, f *topology.Facts) {
	same := len(f.Channels) == len(m.follows)
	for i := range f.Channels {
		same = same && f.Channels[i].Source == m.follows[i]
		c.meet(m, f.Channels[i].Source, false)
	}
	for _, id := range f.Replicas {
		c.meet(m, id, true)
	}
	if !same {
		c.unfollow(m, f.Channels)
	}
}

// unfollow replaces the sources of a member.
func (c *Collector) unfollow(m *member, channels []topology.Channel) {
	var next []topology.InstanceID
	for i := range channels {
		next = append(next, channels[i].Source)
		if c.sources[channels[i].Source]++; c.sources[channels[i].Source] == 1 {
			c.rewatch = true
		}
	}
	for _, id := range m.follows {
		if c.sources[id]--; c.sources[id] <= 0 {
			delete(c.sources, id)
			c.rewatch = true
		}
	}
	m.follows = next
}

// meet makes a member of an instance that another one names.
func (c *Collector) meet(by *member, id topology.InstanceID, hearsay bool) {
	if id == "" || id == by.id {
		return
	}
	if m := c.member(id); m != nil {
		if !hearsay {
			m.hearsay = false // a source is somebody's even while it is dead
		}
		return
	}
	now := time.Now()
	if until, ok := c.forgotten[id]; ok && now.Before(until) || c.ignored(id) || loopback(id) && !loopback(by.id) {
		return
	}
	m := c.add(id, now, true)
	m.hearsay = hearsay
	c.log.Info("instance discovered", "component", "collector", "instance", string(id), "through", string(by.id))
}

// loopback reports whether a name leads back to whoever uses it: a replica that calls its source 127.0.0.1 does not mean ours.
func loopback(id topology.InstanceID) bool {
	host := id.Host()
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// watchList returns who is worth a sentinel, when that has changed. The caller holds the lock.
func (c *Collector) watchList() (ids []topology.InstanceID, changed bool) {
	if !c.rewatch {
		return nil, false
	}
	c.rewatch = false
	for id := range c.sources {
		if c.members[id] != nil {
			ids = append(ids, id)
		}
	}
	return ids, true
}

// Discover probes an instance and makes it a member. The error is a sentence that says why it could not: then it is no member, unless it was
// one before. Run must be running.
func (c *Collector) Discover(ctx context.Context, id topology.InstanceID) (topology.Observation, error) {
	if id = c.opts.Names.Canonical(id); id == "" {
		return topology.Observation{}, errors.New("discover: the instance has no name")
	}
	if c.ignored(id) {
		return topology.Observation{}, fmt.Errorf("discover %s: the configuration says to ignore it", id)
	}
	c.mu.Lock()
	m := c.member(id)
	if m == nil {
		m = c.add(id, time.Now(), true)
		m.hearsay = true
	}
	c.mu.Unlock()
	seen, err := c.Refresh(ctx, m.id)
	if err != nil {
		c.unlessSeen(m)
		return topology.Observation{}, fmt.Errorf("discover %s: %w", id, err)
	}
	o := seen[0]
	if o.Facts.At.IsZero() || o.Reach == topology.ReachUnknown {
		c.unlessSeen(m)
		return o, fmt.Errorf("discover %s", o.Error)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if m = c.member(id); m != nil {
		m.pinned = true
		if m.id != o.Instance {
			if known, ok := c.cache.Get(m.id); ok {
				o = known
			}
		}
	}
	return o, nil
}

// unlessSeen removes an instance that has never answered and that nobody else speaks of.
func (c *Collector) unlessSeen(m *member) {
	c.mu.Lock()
	mistake := m.hearsay && m.seen.IsZero() && c.members[m.id] == m
	if mistake {
		c.remove(m)
	}
	c.mu.Unlock()
	if mistake {
		c.drop(m.id)
	}
}

// Refresh asks instances everything, at once, and returns what came of attempts that began after the call. An instance that is not known is an
// error, and so is the end of ctx. Run must be running.
func (c *Collector) Refresh(ctx context.Context, ids ...topology.InstanceID) ([]topology.Observation, error) {
	c.mu.RLock()
	for _, id := range ids {
		if m := c.member(id); m != nil {
			c.opts.Prober.Refresh(m.id)
		}
	}
	c.mu.RUnlock()
	return c.Ask(ctx, ids...)
}

// Ask is Refresh with only the questions of an ordinary probe: one round trip.
func (c *Collector) Ask(ctx context.Context, ids ...topology.InstanceID) ([]topology.Observation, error) {
	replies := make([]chan topology.Observation, len(ids))
	now := time.Now()
	c.mu.Lock()
	for i, id := range ids {
		m := c.member(id)
		if m == nil {
			c.mu.Unlock()
			return nil, fmt.Errorf("ask %s: the instance is not known", id)
		}
		replies[i] = make(chan topology.Observation, 1)
		m.waiters = append(m.waiters, waiter{after: m.attempt, reply: replies[i]})
		c.schedule.hurry(m, now)
		c.rouse(m.due)
	}
	c.mu.Unlock()
	out := make([]topology.Observation, len(ids))
	for i, reply := range replies {
		select {
		case o, ok := <-reply:
			if !ok {
				return nil, fmt.Errorf("ask %s: it is not observed any more", ids[i])
			}
			out[i] = o
		case <-ctx.Done():
			return nil, fmt.Errorf("ask %s: %w", ids[i], ctx.Err())
		}
	}
	return out, nil
}

// Forget removes an instance. Links do not bring it back for a while; a seed and Discover do. It reports whether there was such an instance.
func (c *Collector) Forget(id topology.InstanceID) bool {
	c.mu.Lock()
	m := c.member(id)
	if m != nil {
		c.remove(m)
		c.forgotten[m.id] = time.Now().Add(c.opts.ForgetFor)
	}
	c.mu.Unlock()
	if m == nil {
		return false
	}
	c.drop(m.id)
	return true
}

// sweep forgets who has not been seen for long, unless somebody alive replicates from them.
func (c *Collector) sweep(now time.Time) {
	var gone []topology.InstanceID
	c.mu.Lock()
	alive := make(map[topology.InstanceID]bool)
	for _, m := range c.members {
		if m.reach.Alive() {
			for _, id := range m.follows {
				alive[id] = true
			}
		}
	}
	for id, m := range c.members {
		last := m.since
		if m.seen.After(last) {
			last = m.seen
		}
		patience := c.opts.ForgetAfter
		if m.hearsay {
			patience = hearsayFor
		}
		if m.pinned && m.seen.IsZero() || alive[id] || now.Sub(last) < patience {
			continue
		}
		c.remove(m)
		if m.hearsay {
			c.forgotten[id] = now.Add(c.opts.ForgetFor)
		} else {
			c.metrics.forgotten.Inc()
			c.log.Warn("instance forgotten: unseen for too long", "component", "collector", "instance", string(id))
		}
		gone = append(gone, id)
	}
	for id, until := range c.forgotten {
		if !now.Before(until) {
			delete(c.forgotten, id)
		}
	}
	c.mu.Unlock()
	for _, id := range gone {
		c.drop(id)
	}
}

// Observation returns what is known of an instance, by any of its names. False means that it is not a member, or that nothing is known of it.
func (c *Collector) Observation(id topology.InstanceID) (topology.Observation, bool) {
	c.mu.RLock()
	m := c.member(id)
	c.mu.RUnlock()
	if m == nil {
		return topology.Observation{Instance: id}, false
	}
	return c.cache.Get(m.id)
}

// Observations returns what is known of every instance, in order. Those that the cache has lost are there with nothing known, and those that
// only a list of replicas speaks of are left out.
func (c *Collector) Observations() []topology.Observation {
	ids := c.Inventory()
	all := make([]topology.Observation, 0, len(ids))
	for _, id := range ids {
		o, _ := c.cache.Get(id)
		all = append(all, o)
	}
	return all
}

// Inventory returns the instances that are observed, in order.
func (c *Collector) Inventory() []topology.InstanceID {
	c.mu.RLock()
	ids := make([]topology.InstanceID, 0, len(c.members))
	for id, m := range c.members {
		if !m.hearsay {
			ids = append(ids, id)
		}
	}
	c.mu.RUnlock()
	slices.SortFunc(ids, topology.CompareIDs)
	return ids
}
