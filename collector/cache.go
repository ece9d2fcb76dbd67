package collector

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/VictoriaMetrics/fastcache"
	"github.com/cespare/xxhash/v2"

	"github.com/batondb/baton/topology"
)

// Cache holds the newest observation of every instance in a fastcache, outside the reach of the garbage collector.
//
// A fastcache is 512 rings. Each forgets what was written longest ago, and that is the silent server: the one that must not be forgotten. Three
// laws keep it from that. Every attempt, failed ones included, rewrites its entry. The capacity is four times what is live, and an entry that was
// not rewritten while a quarter of its ring was is rewritten by the Cache itself: a server that is probed rarely outlives a neighbour that is
// probed a thousand times a second. And what is lost all the same is unknown, never down, and counted.
type Cache struct {
	mu    sync.RWMutex // held for writing while the fastcache is replaced
	store *fastcache.Cache
	limit int // bytes of capacity
	rings [ringCount]ring

	live         atomic.Uint64 // bytes of all entries
	gets, misses atomic.Uint64
	stamp        atomic.Uint64
}

const (
	// MinCacheBytes is the least a fastcache takes.
	MinCacheBytes = 32 << 20

	// The shape of a fastcache, which its documentation does not promise. Were it to change, entries would be rewritten at other times than
	// they need to; a test that fills rings would fail.
	ringCount = 512
	chunkSize = 64 << 10

	// partSize is the longest value of one entry. Longer ones are split, or they would fill a ring; fastcache itself takes 64 KB.
	partSize = 8 << 10

	// The capacity of all rings over what they hold, and of one, for they are not filled evenly. An entry is rewritten before half of its
	// ring was, and one sweep rewrites no more than all live entries of the ring: together less than the ring.
	headroom     = 4
	ringHeadroom = 3

	partHeader = 8 + 2     // stamp, number of parts
	overhead   = 4         // what fastcache adds to an entry
	maxParts   = 1<<16 - 1 // 512 MB, which no observation has
	maxLimit   = 16 << 30  // where growth ends
)

// ring is what is known of one ring of the fastcache.
type ring struct {
	mu      sync.Mutex
	entries map[string]*entry // by key
	live    uint64            // bytes of its entries
	written uint64            // bytes ever written
	swept   uint64            // written at the last sweep
}

// entry is one part of one observation.
type entry struct {
	size uint64
	at   uint64 // written of the ring when it was last written
	part int
}

// CacheStats are the numbers of a Cache.
type CacheStats struct {
	Gets, Misses uint64
	Live         int // bytes of the newest observations
	Bytes        int // bytes held
	Capacity     int // bytes
}

// NewCache returns an empty cache that grows with what is put into it.
func NewCache() *Cache {
	c := &Cache{store: fastcache.New(MinCacheBytes), limit: MinCacheBytes}
	for i := range c.rings {
		c.rings[i].entries = make(map[string]*entry)
	}
	return c
}

// Put stores an observation in place of the one before.
func (c *Cache) Put(o *topology.Observation) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	var header [partHeader]byte
	*buf = AppendObservation(append((*buf)[:0], header[:]...), o)
	c.put(string(o.Instance), *buf)
}

// put splits what does not fit into one entry. The value begins with room for a header.
func (c *Cache) put(key string, value []byte) {
	parts := max(1, (len(value)-partHeader+partSize-1)/partSize)
	if parts > maxParts {
		return
	}
	stamp := c.stamp.Add(1)
	small := false
	for n := range parts {
		// The header of a later part goes over the end of the part before, which has been written.
		part := value[n*partSize : min(len(value), partHeader+(n+1)*partSize)]
		binary.BigEndian.PutUint64(part, stamp)
		binary.BigEndian.PutUint16(part[8:], uint16(parts))
		small = c.set(partKey(key, n), n, part) || small
	}
	c.dropParts(key, parts)
	if small {
		c.grow()
	}
}

// set writes one entry. It reports whether the ring has become too small.
func (c *Cache) set(key string, part int, value []byte) (tooSmall bool) {
	r := &c.rings[ringOf(key)]
	c.mu.RLock()
	defer c.mu.RUnlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	size := uint64(len(key) + len(value) + overhead)
	e := r.entries[key]
	if e == nil {
		e = &entry{part: part}
		r.entries[key] = e
	}
	r.live += size - e.size
	live := c.live.Add(size - e.size)
	e.size = size
	c.write(r, e, key, value)
	capacity := ringCapacity(c.limit)
	if r.written-r.swept >= capacity/headroom {
		c.sweep(r, capacity)
	}
	return c.limit < maxLimit && (r.live*ringHeadroom > capacity || live*headroom > ringCount*capacity)
}

func (c *Cache) write(r *ring, e *entry, key string, value []byte) {
	c.store.Set([]byte(key), value)
	r.written += e.size
	e.at = r.written
}

// sweep rewrites the entries that are getting old. It keeps what is in the store: what is not is lost already, and stays lost.
func (c *Cache) sweep(r *ring, capacity uint64) {
	for key, e := range r.entries {
		if r.written-e.at < capacity/headroom {
			continue
		}
		if value := c.store.Get(nil, []byte(key)); len(value) > 0 {
			c.write(r, e, key, value)
		}
	}
	r.swept = r.written
}

// grow doubles the capacity and takes everything along.
func (c *Cache) grow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	limit := c.limit
	for limit < maxLimit && c.live.Load()*headroom > ringCount*ringCapacity(limit) {
		limit *= 2
	}
	for i := range c.rings {
		for limit < maxLimit && c.rings[i].live*ringHeadroom > ringCapacity(limit) {
			limit *= 2
		}
	}
	if limit == c.limit {
		return // somebody else was first
	}
	next := fastcache.New(limit)
	for i := range c.rings {
		r := &c.rings[i]
		r.written, r.swept = 0, 0
		for key, e := range r.entries {
			if value := c.store.Get(nil, []byte(key)); len(value) > 0 {
				next.Set([]byte(key), value)
				r.written += e.size
			}
			e.at = r.written
		}
		r.swept = r.written
	}
	c.store.Reset()
	c.store, c.limit = next, limit
}

// Get returns the newest observation. False means that nothing is known: the instance was never put, or it was and has been lost, which is
// counted as a miss. Neither is a reason to believe that the server is down.
func (c *Cache) Get(id topology.InstanceID) (topology.Observation, bool) {
	c.gets.Add(1)
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for range 3 { // parts of two observations may mix while one replaces the other
		value, state := c.get(string(id), (*buf)[:0])
		switch state {
		case absent:
			return topology.Observation{Instance: id}, false
		case torn:
			continue
		}
		*buf = value
		o, err := DecodeObservation(value[partHeader:])
		if err != nil || o.Instance != id {
			break
		}
		return o, true
	}
	c.misses.Add(1)
	return topology.Observation{Instance: id}, false
}

type state int

const (
	whole  state = iota
	torn         // some parts are missing or belong to another observation
	absent       // not in the inventory
)

// get appends to buf a header, and the value after it.
func (c *Cache) get(key string, buf []byte) ([]byte, state) {
	if !c.has(key) {
		return buf, absent
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	all, ok := c.store.HasGet(buf, []byte(key))
	if !ok || len(all) < partHeader {
		return buf, torn
	}
	stamp, parts := binary.BigEndian.Uint64(all), int(binary.BigEndian.Uint16(all[8:]))
	var part []byte
	for n := 1; n < parts; n++ {
		part, ok = c.store.HasGet(part[:0], []byte(partKey(key, n)))
		if !ok || len(part) < partHeader || binary.BigEndian.Uint64(part) != stamp {
			return buf, torn
		}
		all = append(all, part[partHeader:]...)
	}
	return all, whole
}

func (c *Cache) has(key string) bool {
	r := &c.rings[ringOf(key)]
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.entries[key] != nil
}

// Drop removes an instance.
func (c *Cache) Drop(id topology.InstanceID) { c.dropParts(string(id), 0) }

// dropParts removes the parts of a key from one on.
func (c *Cache) dropParts(key string, from int) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for n := from; ; n++ {
		k := partKey(key, n)
		r := &c.rings[ringOf(k)]
		r.mu.Lock()
		e := r.entries[k]
		if e != nil {
			r.live -= e.size
			c.live.Add(-e.size)
			delete(r.entries, k)
			c.store.Del([]byte(k))
		}
		r.mu.Unlock()
		if e == nil {
			return
		}
	}
}

// IDs returns the instances that were put, in no order.
func (c *Cache) IDs() []topology.InstanceID {
	var ids []topology.InstanceID
	for i := range c.rings {
		r := &c.rings[i]
		r.mu.Lock()
		for key, e := range r.entries {
			if e.part == 0 {
				ids = append(ids, topology.InstanceID(key))
			}
		}
		r.mu.Unlock()
	}
	return ids
}

// Stats returns the numbers of the cache.
func (c *Cache) Stats() CacheStats {
	s := CacheStats{Gets: c.gets.Load(), Misses: c.misses.Load()}
	c.mu.RLock()
	defer c.mu.RUnlock()
	var f fastcache.Stats
	c.store.UpdateStats(&f)
	s.Bytes, s.Capacity = int(f.BytesSize), int(f.MaxBytesSize)
	s.Live = int(c.live.Load())
	return s
}

// partKey names a part. The first one has the name of the instance itself; no instance has a NUL in its name.
func partKey(key string, n int) string {
	if n == 0 {
		return key
	}
	return key + string([]byte{0, byte(n >> 8), byte(n)})
}

func ringOf(key string) uint64 { return xxhash.Sum64String(key) % ringCount }

// ringCapacity is what one ring holds: whole chunks, each of which may end in a gap as long as an entry.
func ringCapacity(limit int) uint64 {
	chunks := (limit/ringCount + chunkSize - 1) / chunkSize
	return uint64(chunks) * (chunkSize - partSize)
}

// buffers are reused for encoding.
var buffers = sync.Pool{New: func() any { return new([]byte) }}
