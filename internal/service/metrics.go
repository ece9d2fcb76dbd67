package service

import (
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// latencies are the buckets of everything between a statement and a recovery, in seconds.
var latencies = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}

func histogram(name, help string) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: name, Help: help, Buckets: latencies,
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
	}
}

// engineMetrics count what the loop does.
type engineMetrics struct {
	evaluation prometheus.Histogram
	findings   *prometheus.CounterVec
}

func newEngineMetrics(reg prometheus.Registerer) *engineMetrics {
	m := &engineMetrics{
		evaluation: prometheus.NewHistogram(histogram("baton_evaluation_duration_seconds", "Duration of one evaluation of all clusters.")),
		findings: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "baton_findings_total", Help: "Number of times a finding became active.",
		}, []string{"mysql_cluster", "rule"}),
	}
	reg.MustRegister(m.evaluation, m.findings)
	return m
}

func (m *engineMetrics) evaluated(took time.Duration) { m.evaluation.Observe(took.Seconds()) }

func (m *engineMetrics) found(e analysis.Event) {
	f := e.Incident.Finding
	if e.Kind == analysis.EventFiring && f.Active() || e.Kind == analysis.EventUnmasked && e.Incident.State == analysis.Firing {
		m.findings.WithLabelValues(f.Cluster, f.Rule).Inc()
	}
}

// recoveryMetrics count and time recoveries.
type recoveryMetrics struct {
	begun     *prometheus.CounterVec
	completed *prometheus.CounterVec
	skips     *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	phase     *prometheus.HistogramVec
	outage    prometheus.Histogram
	mu        sync.Mutex
	began     map[string]time.Time
	phases    map[string]map[remediation.Phase]*span // by recovery
	now       map[string]activity                    // by cluster
}

// activity is a recovery that runs now.
type activity struct {
	instance topology.InstanceID
	rule     string
	phase    remediation.Phase
}

func newRecoveryMetrics(reg prometheus.Registerer) *recoveryMetrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &recoveryMetrics{
		begun: counter("baton_recoveries_started_total", "Recoveries started; trigger is finding, alert or operator.", "mysql_cluster", "rule", "trigger"),
		completed: counter("baton_recoveries_completed_total", "Recoveries ended; outcome is success, partial, failed or aborted.",
			"mysql_cluster", "rule", "trigger", "outcome"),
		skips:    counter("baton_recoveries_skipped_total", "Recoveries not started although requested, by reason.", "mysql_cluster", "rule", "reason"),
		duration: prometheus.NewHistogramVec(histogram("baton_recovery_duration_seconds", "Duration of recoveries from start to end."), []string{"trigger", "outcome"}),
		phase:    prometheus.NewHistogramVec(histogram("baton_recovery_phase_duration_seconds", "Duration of one phase of a recovery."), []string{"phase"}),
		outage: prometheus.NewHistogram(histogram("baton_recovery_write_outage_seconds",
			"Time from the last successful poll of the failed primary until the promoted primary accepted writes.")),
		began: make(map[string]time.Time), phases: make(map[string]map[remediation.Phase]*span), now: make(map[string]activity),
	}
	reg.MustRegister(m.begun, m.completed, m.skips, m.duration, m.phase, m.outage)
	return m
}

func (m *recoveryMetrics) skipped(cluster, rule, reason string) {
	m.skips.WithLabelValues(cluster, rule, reason).Inc()
}

func (m *recoveryMetrics) started(g remediation.Goal) {
	m.begun.WithLabelValues(g.Cluster, g.Rule, string(g.Trigger)).Inc()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.began[g.ID] = time.Now()
	m.now[g.Cluster] = activity{g.Failed, g.Rule, "open"}
}

// event notes when each phase had its first and its last step.
func (m *recoveryMetrics) event(g remediation.Goal, e remediation.Event, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.phases[g.ID] == nil {
		m.phases[g.ID] = make(map[remediation.Phase]*span)
	}
	if m.phases[g.ID][e.Phase] == nil {
		m.phases[g.ID][e.Phase] = &span{first: at}
	}
	m.phases[g.ID][e.Phase].last = at
	switch e.State {
	case remediation.StepStarted:
		m.now[g.Cluster] = activity{g.Failed, g.Rule, e.Phase}
	case remediation.StepDone:
		if e.Step.Action == remediation.MakePrimary && !g.LastSeen.IsZero() && g.Kind == analysis.RecoveryFailover {
			m.outage.Observe(at.Sub(g.LastSeen).Seconds())
		}
	case remediation.StepProgress, remediation.StepSkipped, remediation.StepFailed:
	}
}

func (m *recoveryMetrics) ended(g remediation.Goal, res remediation.Result) {
	m.mu.Lock()
	began, ok := m.began[g.ID]
	delete(m.began, g.ID)
	phases := m.phases[g.ID]
	delete(m.phases, g.ID)
	delete(m.now, g.Cluster)
	m.mu.Unlock()
	if res.Halted {
		return
	}
	for phase, s := range phases {
		m.phase.WithLabelValues(string(phase)).Observe(s.last.Sub(s.first).Seconds())
	}
	m.completed.WithLabelValues(g.Cluster, g.Rule, string(g.Trigger), res.Outcome).Inc()
	if ok {
		observe := m.duration.WithLabelValues(string(g.Trigger), res.Outcome)
		if ex, can := observe.(prometheus.ExemplarObserver); can {
			ex.ObserveWithExemplar(time.Since(began).Seconds(), prometheus.Labels{"recovery_id": g.ID})
		}
	}
}

// active lists the recoveries that run now, by cluster.
func (m *recoveryMetrics) active() map[string]activity {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.now)
}
