package collector

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/batondb/baton/topology"
)

// Options configure a Collector. Only Prober is required.
type Options struct {
	Prober Prober
	Sentry Sentry // nil: nobody watches between probes
	Cache  *Cache // nil: a new one. What it holds is where the collector starts from

	Seeds  []topology.InstanceID
	Ignore func(topology.InstanceID) bool // instances that are never probed; nil ignores nobody
	Names  *Names                         // canonical names of seeds; nil leaves them

	Interval time.Duration // between two probes of one instance; default 1 s

	// How many probes run at once: of instances that answer, under suspicion, and of those that do not answer. The defaults are 128, 256
	// and 1024. A probe that takes long moves to the last group, so that nobody who answers waits for somebody who does not.
	Workers, UrgentWorkers, FailingWorkers int

	SuspicionFor time.Duration // how long a suspicion lasts; default 5 s

	// Related names those who can tell more about a suspect, such as its replicas.
	Related func(topology.InstanceID) []topology.InstanceID

	// OnObserve is called after each attempt, from the goroutine that made it. Observations of one instance come in order: its next attempt
	// begins after the call, so the call must not wait for one.
	OnObserve func(topology.Observation)

	ForgetFor   time.Duration // how long a forgotten instance is not discovered again through links; default 1 h
	ForgetAfter time.Duration // unseen for so long, an instance is forgotten; default 240 h

	Metrics *Metrics // nil counts nothing that anybody sees
	Logger  *slog.Logger
}

// Collector probes every instance on time, follows links to new ones, and remembers what it saw.
type Collector struct {
	opts    Options
	cache   *Cache
	metrics *Metrics
	log     *slog.Logger

	wake chan struct{} // the loop has something to do before the time it is waiting for
	jobs sync.WaitGroup

	mu         sync.RWMutex
	schedule   schedule
	members    map[topology.InstanceID]*member
	aliases    map[topology.InstanceID]topology.InstanceID // other names of members
	identities map[identity]topology.InstanceID            // whose server is whose
	sources    map[topology.InstanceID]int                 // how many members replicate from it
	forgotten  map[topology.InstanceID]time.Time           // not to be discovered before
	rewatch    bool                                        // the set of sources has changed
	until      time.Time                                   // the loop sleeps until then
}

// member is one instance under observation. All of it but cell is guarded by the lock of the Collector.
type member struct {
	task
	id topology.InstanceID

	cell sync.Mutex // serialises changes of the cached observation

	hearsay  bool // only a list of replicas speaks of it, and it has never answered
	pinned   bool // a seed, or discovered by name: never forgotten for being unseen
	seen     time.Time
	since    time.Time // known since
	reach    topology.Reach
	identity identity
	follows  []topology.InstanceID
	waiters  []waiter
}

// waiter wants the outcome of an attempt later than one that has begun already.
type waiter struct {
	after uint64
	reply chan topology.Observation
}

// identity tells servers apart, whatever they are called. A server that was cloned with its UUID runs elsewhere, or on another port.
type identity struct {
	uuid, hostname string
	port           int
}

// New checks the options and takes over what the cache holds. It starts nothing.
func New(opts Options) (*Collector, error) {
	if opts.Prober == nil {
		return nil, errors.New("collector: Prober is missing")
	}
	opts.setDefaults()
	c := &Collector{
		opts: opts, cache: opts.Cache, metrics: opts.Metrics, log: opts.Logger,
		wake: make(chan struct{}, 1),
		schedule: schedule{
			interval: opts.Interval, suspicionFor: opts.SuspicionFor,
			slots: [lanes]int{urgent: opts.UrgentWorkers, steady: opts.Workers, failing: opts.FailingWorkers},
		},
		members:    make(map[topology.InstanceID]*member),
		aliases:    make(map[topology.InstanceID]topology.InstanceID),
		identities: make(map[identity]topology.InstanceID),
		sources:    make(map[topology.InstanceID]int),
		forgotten:  make(map[topology.InstanceID]time.Time),
	}
	if c.metrics == nil {
		var err error
		if c.metrics, err = NewMetrics(nil); err != nil {
			return nil, err
		}
	}
	if err := c.metrics.watch(c); err != nil {
		return nil, err
	}
	c.warmStart(time.Now())
	for _, id := range opts.Seeds {
		id = opts.Names.Canonical(id)
		c.mu.Lock()
		c.add(id, time.Now(), true).pinned = true
		c.mu.Unlock()
	}
	return c, nil
}

func (o *Options) setDefaults() {
	for _, d := range []struct {
		value    *time.Duration
		fallback time.Duration
	}{
		{&o.Interval, time.Second}, {&o.SuspicionFor, 5 * time.Second}, {&o.ForgetFor, time.Hour}, {&o.ForgetAfter, 240 * time.Hour},
	} {
		if *d.value <= 0 {
			*d.value = d.fallback
		}
	}
	for _, d := range []struct {
		value    *int
		fallback int
	}{
		{&o.Workers, 128}, {&o.UrgentWorkers, 256}, {&o.FailingWorkers, 1024},
	} {
		if *d.value <= 0 {
			*d.value = d.fallback
		}
	}
	if o.Cache == nil {
		o.Cache = NewCache()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// warmStart makes members of what the cache holds. Those observations are old, and the snapshot that is built from them knows it.
func (c *Collector) warmStart(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range c.cache.IDs() {
		o, ok := c.cache.Get(id)
		if !ok || c.ignored(id) {
			c.cache.Drop(id)
			continue
		}
		m := c.add(id, now, false)
		m.seen, m.reach = o.Facts.At, o.Reach
		if c.recognise(m, &o.Facts) {
			c.follow(m, &o.Facts)
		}
	}
}

// Run probes until ctx ends, and then waits for what it started.
func (c *Collector) Run(ctx context.Context) error {
	defer c.dismiss()
	defer c.jobs.Wait()
	if c.opts.Sentry != nil {
		c.jobs.Go(func() {
			if err := c.opts.Sentry.Run(ctx, c.fell); err != nil {
				c.log.Error("the sentinel ended", "component", "collector", "err", err)
			}
		})
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	var ready []*member
	swept := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-c.wake:
		}
		now := time.Now()
		if now.Sub(swept) >= sweepEvery {
			swept = now
			c.sweep(now)
		}
		c.mu.Lock()
		var wait time.Duration
		ready, wait = c.schedule.take(now, ready[:0])
		wait = min(wait, sweepEvery)
		c.until = now.Add(wait)
		watch, changed := c.watchList()
		c.mu.Unlock()
		for _, m := range ready {
			c.metrics.queueWait.Observe(now.Sub(m.due).Seconds())
			c.jobs.Go(func() { c.poll(ctx, m) })
		}
		if changed && c.opts.Sentry != nil {
			c.opts.Sentry.Watch(watch)
		}
		timer.Reset(wait)
	}
}

// rouse makes the loop look again where something is due before it would. The caller holds the lock.
func (c *Collector) rouse(due time.Time) {
	if due.Before(c.until) {
		c.until = due
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// dismiss tells those who wait for an attempt that there will be none.
func (c *Collector) dismiss() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.members {
		m.dismiss()
	}
}

func (m *member) dismiss() {
	for _, w := range m.waiters {
		close(w.reply)
	}
	m.waiters = nil
}

// poll makes one attempt.
func (c *Collector) poll(ctx context.Context, m *member) {
	c.metrics.busy.Inc()
	started := time.Now()
	facts, err := c.opts.Prober.Probe(ctx, m.id)
	ended := time.Now()
	c.metrics.busy.Dec()
	if ctx.Err() != nil {
		// We stopped asking; that says nothing about the server.
		c.mu.Lock()
		c.schedule.finish(m, ended, m.reach)
		m.dismiss()
		c.mu.Unlock()
		return
	}
	if err == nil {
		c.rename(&facts)
	}
	m.cell.Lock()
	prev, _ := c.cache.Get(m.id)
	o := Fold(prev, facts, err, started, ended)
	c.cache.Put(&o)
	m.cell.Unlock()
	c.metrics.poll(&o, err)
	c.metrics.stage("store", time.Since(ended))

	present, waiters := c.settle(m, &o, err == nil)
	for _, w := range waiters {
		w <- o
	}
	lost := lost(&prev, &o)
	if present {
		if err == nil && c.opts.Sentry != nil {
			c.opts.Sentry.Answered(m.id)
		}
		if lost && c.opts.Related != nil {
			c.Suspect(c.opts.Related(m.id)...)
		}
		c.report(&prev, &o)
		if c.opts.OnObserve != nil {
			c.opts.OnObserve(o) // before the next attempt can begin: observations of one instance come in order
		}
	} else {
		c.drop(m.id)
	}
	c.finish(m, &o, lost)
}

// settle takes the outcome of an attempt into the inventory. It reports whether the instance still is a member, and who waits for the outcome.
func (c *Collector) settle(m *member, o *topology.Observation, answered bool) (bool, []chan topology.Observation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m.reach = o.Reach
	if answered {
		m.seen, m.hearsay = o.Attempted, false
		if !m.gone && c.recognise(m, &o.Facts) {
			c.follow(m, &o.Facts)
		}
	}
	var ready []chan topology.Observation
	m.waiters = slices.DeleteFunc(m.waiters, func(w waiter) bool {
		served := w.after < m.attempt || m.gone
		if served {
			ready = append(ready, w.reply)
		}
		return served
	})
	return !m.gone, ready
}

// finish schedules the next attempt.
func (c *Collector) finish(m *member, o *topology.Observation, lost bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.schedule.finish(m, o.Attempted, o.Reach)
	if lost && !m.gone {
		c.schedule.doubtful(m, o.Attempted)
	}
	next := o.Attempted
	if !c.rewatch {
		next = next.Add(c.schedule.idle(next))
	}
	c.rouse(next)
}

// report logs what changed, and nothing else: a fleet is probed thousands of times a second.
func (c *Collector) report(prev, o *topology.Observation) {
	switch {
	case prev.Reach == o.Reach:
	case o.Reach == topology.ReachUp:
		c.log.Info("instance answers", "component", "collector", "instance", string(o.Instance), "took", o.Took)
	default:
		c.log.Warn("instance does not answer in full", "component", "collector", "instance", string(o.Instance), "reach", o.Reach.String(), "err", o.Error)
	}
}

// member returns the member of that name, whichever of its names it is. The caller holds the lock.
func (c *Collector) member(id topology.InstanceID) *member {
	if to, ok := c.aliases[id]; ok {
		id = to
	}
	return c.members[id]
}

func (c *Collector) waiting(now time.Time) int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.schedule.waiting(now)
}

func (c *Collector) workers() int {
	return c.opts.Workers + c.opts.UrgentWorkers + c.opts.FailingWorkers
}

func (c *Collector) states(now time.Time) (up, down, overdue int) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, m := range c.members {
		switch {
		case m.hearsay:
		case !m.running && now.Sub(m.due) > 2*c.opts.Interval, m.running && now.Sub(m.started) > 2*c.opts.Interval:
			overdue++
		case m.reach == topology.ReachUp:
			up++
		default:
			down++
		}
	}
	return up, down, overdue
}

// Aliases returns the other names of instances, each with the name under which the instance is observed.
func (c *Collector) Aliases() map[topology.InstanceID]topology.InstanceID {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := make(map[topology.InstanceID]topology.InstanceID, len(c.aliases))
	maps.Copy(out, c.aliases)
	return out
}
