package collector

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/batondb/baton/topology"
)

// Metrics are the families about observing: baton_discovery_*, baton_sentinel_* and baton_cache_*.
type Metrics struct {
	polls     prometheus.Counter
	failures  map[string]prometheus.Counter
	stages    map[string]prometheus.Observer
	queueWait prometheus.Histogram
	busy      prometheus.Gauge
	forgotten prometheus.Counter
	drops     prometheus.Counter

	registerer prometheus.Registerer
}

// The closed sets of label values.
var (
	failureReasons = []string{"resolve", "connect", "auth", "timeout", "query"}
	pollStages     = []string{"connect", "query", "store", "total"}
)

// NewMetrics registers the families. A nil Registerer registers nothing.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	failures := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "baton_discovery_poll_failures_total", Help: "Instance polls failed, by reason (resolve, connect, auth, timeout, query).",
	}, []string{"reason"})
	stages := prometheus.NewHistogramVec(histogram(
		"baton_discovery_poll_duration_seconds", "Poll duration by stage (connect, query, store, total)."), []string{"stage"})
	m := &Metrics{
		polls: prometheus.NewCounter(prometheus.CounterOpts{Name: "baton_discovery_polls_total", Help: "Instance polls attempted."}),
		queueWait: prometheus.NewHistogram(histogram(
			"baton_discovery_queue_wait_seconds", "Time an instance waited in the discovery queue.")),
		busy: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "baton_discovery_workers_busy", Help: "Discovery workers now polling.",
		}),
		forgotten: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "baton_discovery_forgotten_instances_total", Help: "Instances forgotten because unseen for too long.",
		}),
		drops: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "baton_sentinel_drops_total", Help: "Sentinel connections that fell.",
		}),
		failures:   make(map[string]prometheus.Counter),
		stages:     make(map[string]prometheus.Observer),
		registerer: reg,
	}
	for _, r := range failureReasons {
		m.failures[r] = failures.WithLabelValues(r)
	}
	for _, s := range pollStages {
		m.stages[s] = stages.WithLabelValues(s)
	}
	return m, m.register(m.polls, failures, stages, m.queueWait, m.busy, m.forgotten, m.drops)
}

func histogram(name, help string) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: name, Help: help,
		Buckets:                         []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
		NativeHistogramBucketFactor:     1.2,
		NativeHistogramMaxBucketNumber:  100,
		NativeHistogramMinResetDuration: time.Hour,
	}
}

func (m *Metrics) register(collectors ...prometheus.Collector) error {
	if m.registerer == nil {
		return nil
	}
	for _, c := range collectors {
		if err := m.registerer.Register(c); err != nil {
			return err
		}
	}
	return nil
}

func (m *Metrics) stage(stage string, took time.Duration) { m.stages[stage].Observe(took.Seconds()) }

// poll counts one attempt.
func (m *Metrics) poll(o *topology.Observation, err error) {
	m.polls.Inc()
	m.stage("total", o.Took)
	if o.Reach != topology.ReachUp {
		m.failures[failureReason(o, err)].Inc()
	}
}

func failureReason(o *topology.Observation, err error) string {
	switch {
	case o.Errno == errnoResolve:
		return "resolve"
	case o.Reach == topology.ReachDenied:
		return "auth"
	case o.Reach == topology.ReachTimeout, isTimeout(err):
		return "timeout"
	case o.Reach == topology.ReachPartial:
		return "query"
	}
	return "connect"
}

// watch registers what is read from the parts when it is scraped.
func (m *Metrics) watch(c *Collector) error {
	gauge := func(name, help string, f func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f)
	}
	counter := func(name, help string, f func() float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: name, Help: help, ConstLabels: prometheus.Labels{"cache": "observations"},
		}, f)
	}
	size := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "baton_cache_size_bytes", Help: "Bytes held by the cache.", ConstLabels: prometheus.Labels{"cache": "observations"},
	}, func() float64 { return float64(c.cache.Stats().Bytes) })
	return m.register(
		gauge("baton_discovery_queue_length", "Instances waiting in the discovery queue.", func() float64 { return float64(c.waiting(time.Now())) }),
		gauge("baton_discovery_workers", "Configured discovery workers.", func() float64 { return float64(c.workers()) }),
		counter("baton_cache_gets_total", "Cache lookups.", func() float64 { return float64(c.cache.Stats().Gets) }),
		counter("baton_cache_misses_total", "Cache lookups that missed: the instance is known, but the cache has lost it.",
			func() float64 { return float64(c.cache.Stats().Misses) }),
		size,
		&stateCollector{c},
	)
}

// stateCollector counts instances by state when it is scraped.
type stateCollector struct{ c *Collector }

var instancesDesc = prometheus.NewDesc("baton_discovery_instances", "Known instances by state (up, down, overdue).", []string{"state"}, nil)

// Describe implements prometheus.Collector.
func (s *stateCollector) Describe(ch chan<- *prometheus.Desc) { ch <- instancesDesc }

// Collect implements prometheus.Collector.
func (s *stateCollector) Collect(ch chan<- prometheus.Metric) {
	up, down, overdue := s.c.states(time.Now())
	for state, n := range map[string]int{"up": up, "down": down, "overdue": overdue} {
		ch <- prometheus.MustNewConstMetric(instancesDesc, prometheus.GaugeValue, float64(n), state)
	}
}

// watchSentinel registers what is read from a Sentinel when it is scraped.
func (m *Metrics) watchSentinel(s *Sentinel) error {
	return m.register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "baton_sentinel_connections", Help: "Idle connections held open on sources to notice their death at once.",
	}, func() float64 { return float64(s.Connections()) }))
}
