package collector

import (
	"syscall"
	"testing"
	"time"

	"github.com/batondb/baton/internal/lab"
	"github.com/batondb/baton/topology"
)

// BenchmarkAttempt is one attempt on a real replica from the question to the cache: what a fleet costs, per instance and second. The time is
// mostly the server's; cpu-us is what this process used.
func BenchmarkAttempt(b *testing.B) {
	l, err := lab.New(b.Context(), lab.Options{})
	if err != nil {
		b.Skip(err)
	}
	defer func() { _ = l.Close() }()
	for _, flavor := range []lab.Flavor{lab.MySQL, lab.MariaDB} {
		top, err := l.Start(b.Context(), lab.Spec{Flavor: flavor, Replicas: 1})
		if err != nil {
			b.Skip(err)
		}
		id := idOf(top.Replicas()[0])
		b.Run(string(flavor), func(b *testing.B) {
			prober, err := NewSQLProber(SQLOptions{Access: access(), Timeout: 5 * time.Second})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = prober.Close() }()
			cache := NewCache()
			cache.Put(&topology.Observation{Instance: id})
			attempt := func() {
				started := time.Now()
				facts, err := prober.Probe(b.Context(), id)
				if err != nil {
					b.Fatal(err)
				}
				prev, _ := cache.Get(id)
				o := Fold(prev, facts, err, started, time.Now())
				cache.Put(&o)
			}
			for range 2 * HistoryLength {
				attempt()
			}
			b.ReportAllocs()
			used := processorTime(b)
			n := 0
			for b.Loop() {
				attempt()
				n++
			}
			b.ReportMetric(float64((processorTime(b)-used).Microseconds())/float64(n), "cpu-us/op")
		})
		_ = top.Close()
	}
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
