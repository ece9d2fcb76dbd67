package collector

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/batondb/baton/topology"
)

func observationOf(id string) topology.Observation {
	o := typical()
	o.Instance = topology.InstanceID(id)
	return o
}

func TestCacheKeepsWhatWasPut(t *testing.T) {
	c := NewCache()
	if _, ok := c.Get("db1:3306"); ok || c.Stats().Misses != 0 {
		t.Errorf("an instance that was never put: known %v, misses %d", ok, c.Stats().Misses)
	}
	for _, o := range codecCases() {
		c.Put(&o)
		if got, ok := c.Get(o.Instance); !ok || !reflect.DeepEqual(got, o) {
			t.Errorf("got  %+v\nwant %+v", got, o)
		}
	}
	c.Drop("x:1")
	if _, ok := c.Get("x:1"); ok || c.Stats().Misses != 0 {
		t.Error("a dropped instance is still there, or a miss")
	}
	if s := c.Stats(); s.Gets != 6 {
		t.Errorf("%d gets", s.Gets)
	}
}

// TestCacheRemembersTheSilent is the first law's other half: an entry that nobody rewrites outlives any number of writes of its neighbours.
func TestCacheRemembersTheSilent(t *testing.T) {
	c := NewCache()
	silent := observationOf("primary:3306")
	c.Put(&silent)
	// A neighbour in the same ring, probed in a burst: enough writes to fill the ring hundreds of times.
	neighbour := observationOf("")
	for i := 0; ; i++ {
		if id := fmt.Sprintf("replica-%d:3306", i); ringOf(id) == ringOf("primary:3306") {
			neighbour.Instance = topology.InstanceID(id)
			break
		}
	}
	for i := range 50_000 {
		c.Put(&neighbour)
		if i%100 == 0 {
			if _, ok := c.Get("primary:3306"); !ok {
				t.Fatalf("forgotten after %d writes of its neighbour", i+1)
			}
		}
	}
	if s := c.Stats(); s.Misses != 0 || s.Capacity != MinCacheBytes {
		t.Errorf("misses %d, capacity %d", s.Misses, s.Capacity)
	}
}

// TestCacheCapacity is the second law: what is held never comes near what fits, whatever is put.
func TestCacheCapacity(t *testing.T) {
	c := NewCache()
	const n = 20_000
	o := typical()
	for i := range n {
		o.Instance = topology.InstanceID(fmt.Sprintf("mysql-%05d.db.example.net:3306", i))
		c.Put(&o)
		if s := c.Stats; i%1000 == 0 && s().Live*headroom > s().Capacity {
			t.Fatalf("after %d: %d bytes live in %d", i+1, s().Live, s().Capacity)
		}
	}
	if s := c.Stats(); s.Live*headroom > s.Capacity || s.Capacity > 32*s.Live {
		t.Errorf("%d bytes live in %d", s.Live, s.Capacity)
	} else {
		t.Logf("%d instances: %d bytes live in %d", n, s.Live, s.Capacity)
	}
	for i := range n {
		id := topology.InstanceID(fmt.Sprintf("mysql-%05d.db.example.net:3306", i))
		if _, ok := c.Get(id); !ok {
			t.Fatalf("%s is lost", id)
		}
	}
	if len(c.IDs()) != n {
		t.Errorf("%d ids", len(c.IDs()))
	}
}

// TestCacheCountsMisses is the third law: what is lost is not known, and counted.
func TestCacheCountsMisses(t *testing.T) {
	c := NewCache()
	o := observationOf("db1:3306")
	c.Put(&o)
	c.store.Reset()
	got, ok := c.Get("db1:3306")
	if ok || got.Reach != topology.ReachUnknown || got.Instance != "db1:3306" || got.Failures != 0 {
		t.Errorf("a lost entry: %v %+v", ok, got)
	}
	if s := c.Stats(); s.Misses != 1 {
		t.Errorf("%d misses", s.Misses)
	}
	c.Put(&o)
	if _, ok := c.Get("db1:3306"); !ok {
		t.Error("it did not come back with the next attempt")
	}
}

// TestCacheOfGiants is about observations beyond the 64 KB that a fastcache takes without a word and does not store.
func TestCacheOfGiants(t *testing.T) {
	c := NewCache()
	giant := observationOf("giant:3306")
	var sets []string
	for i := range 10_000 {
		sets = append(sets, fmt.Sprintf("%08x-71ca-11e1-9e33-c80aa9429562:1-%d", i, 1000+i))
	}
	giant.Facts.Executed = topology.MustParseGTIDSet(strings.Join(sets, ","))
	if n := len(AppendObservation(nil, &giant)); n < 128<<10 {
		t.Fatalf("the giant has only %d bytes", n)
	}
	small := observationOf("giant:3306")
	for range 3 {
		for _, o := range []topology.Observation{giant, small} {
			c.Put(&o)
			if got, ok := c.Get("giant:3306"); !ok || !reflect.DeepEqual(got, o) {
				t.Fatal("it is not what was put")
			}
		}
	}
	if s := c.Stats(); s.Live > 2000 {
		t.Errorf("%d bytes are live: parts of the giant have stayed", s.Live)
	}
	c.Put(&giant)
	if ids := c.IDs(); len(ids) != 1 {
		t.Errorf("parts are listed as instances: %v", ids)
	}
	// One replaced part is no observation.
	c.store.Del([]byte(partKey("giant:3306", 3)))
	if _, ok := c.Get("giant:3306"); ok || c.Stats().Misses != 1 {
		t.Error("a torn observation was returned")
	}
	c.Drop("giant:3306")
	if s := c.Stats(); s.Live != 0 {
		t.Errorf("%d bytes are live in an empty cache", s.Live)
	}
}

func TestCacheIsConcurrent(t *testing.T) {
	c := NewCache()
	var jobs sync.WaitGroup
	for w := range 4 {
		jobs.Go(func() {
			for i := range 2000 {
				o := observationOf(fmt.Sprintf("db%d-%d:3306", w, i%500))
				o.Failures = i
				if i%7 == 0 {
					o.Error = strings.Repeat("x", 3*partSize)
				}
				c.Put(&o)
				if got, ok := c.Get(o.Instance); !ok || got.Failures != i {
					t.Errorf("%s: %v %d", o.Instance, ok, got.Failures)
					return
				}
				_ = c.Stats()
				if i%100 == 0 {
					_ = c.IDs()
				}
			}
		})
	}
	jobs.Wait()
}

func TestCacheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "observations")
	c := NewCache()
	for _, o := range codecCases() {
		if o.Instance != "" {
			c.Put(&o)
		}
	}
	giant := observationOf("giant:1")
	giant.Error = strings.Repeat("x", 100_000)
	c.Put(&giant)
	for range 2 { // over an older file, too
		if err := c.Save(path); err != nil {
			t.Fatal(err)
		}
	}
	warm := NewCache()
	if n, err := warm.Load(path); err != nil || n != len(c.IDs()) {
		t.Fatalf("%d of %d, %v", n, len(c.IDs()), err)
	}
	for _, id := range c.IDs() {
		want, _ := c.Get(id)
		if got, ok := warm.Get(id); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%s came back as another", id)
		}
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("files are left: %v", files)
	}
	if err := c.Save(filepath.Join(dir, "no", "such")); err == nil {
		t.Error("saved to a directory that does not exist")
	}

	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damage := func(at int) []byte {
		b := bytes.Clone(whole)
		b[at] ^= 0x40
		return b
	}
	for name, content := range map[string][]byte{
		"empty":           {},
		"something else":  []byte("hello, is this a file of observations?"),
		"another version": damage(len(fileMagic)),
		"cut short":       whole[:len(whole)/2],
		"without its sum": whole[:len(whole)-4],
		"a bit flipped":   damage(len(whole) / 2),
		"the sum flipped": damage(len(whole) - 1),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			cold := NewCache()
			if n, err := cold.Load(path); !errors.Is(err, ErrColdStart) || n != 0 || len(cold.IDs()) != 0 {
				t.Errorf("%d observations, %v", n, err)
			}
		})
	}
	if _, err := NewCache().Load(filepath.Join(dir, "none")); !errors.Is(err, ErrColdStart) {
		t.Errorf("a missing file: %v", err)
	}
}

func BenchmarkCachePut(b *testing.B) {
	c := NewCache()
	o := typical()
	b.ReportAllocs()
	for b.Loop() {
		c.Put(&o)
	}
}

func BenchmarkCacheGet(b *testing.B) {
	c := NewCache()
	o := typical()
	c.Put(&o)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.Get(o.Instance); !ok {
			b.Fatal("lost")
		}
	}
}
