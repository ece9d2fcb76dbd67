package service

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/version"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/api"
	"github.com/batondb/baton/internal/config"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// What the API asks of the service. See the interfaces in package api.
var (
	_ api.Fleet      = (*Service)(nil)
	_ api.Recoverer  = (*Service)(nil)
	_ api.Discoverer = (*Service)(nil)
	_ api.Lifecycle  = (*Service)(nil)
)

// Addr is where the API is served.
func (s *Service) Addr() string { return s.listener.Addr().String() }

// Snapshot returns the newest snapshot.
func (s *Service) Snapshot() *topology.Snapshot { return s.engine.newest.Load().snapshot }

func (s *Service) snapshot() *topology.Snapshot { return s.Snapshot() }

// snapshotIfLeading is an empty snapshot on followers: only the leader tells of instances, so that several nodes do not multiply them.
func (s *Service) snapshotIfLeading() *topology.Snapshot {
	if s.ledger.IsLeader() {
		return s.Snapshot()
	}
	return topology.Build(topology.Input{})
}

// Incidents returns what is found in the newest snapshot.
func (s *Service) Incidents() []analysis.Incident { return s.engine.newest.Load().incidents }

// Policy returns the policy of a cluster for a failover.
func (s *Service) Policy(cluster string) remediation.Policy {
	return s.policyFor(cluster, analysis.RecoveryFailover)
}

func (s *Service) policyFor(cluster string, kind analysis.RecoveryKind) remediation.Policy {
	var members []topology.InstanceID
	if c := s.Snapshot().Cluster(cluster); c != nil {
		for _, m := range c.Members {
			members = append(members, m.Instance)
		}
	}
	p := s.file.Load().Policy(cluster, members)
	p.Autonomy = autonomy(s.ledger.State(), cluster, string(kind), p.Autonomy)
	return p
}

// Plan makes the plan that Start would begin with, on a fresh look at the cluster.
func (s *Service) Plan(ctx context.Context, goal remediation.Goal) (remediation.Plan, error) {
	_, plan, err := s.plan(ctx, goal)
	return plan, err
}

func (s *Service) plan(ctx context.Context, goal remediation.Goal) (remediation.Goal, remediation.Plan, error) {
	if goal.Failed == "" {
		c := s.Snapshot().Cluster(goal.Cluster)
		if c == nil {
			return goal, remediation.Plan{}, fmt.Errorf("cluster %s is not known", goal.Cluster)
		}
		goal.Failed = c.Primary
	}
	goal = goal.Remember(s.Snapshot())
	snap, err := s.observe(ctx, goal)
	if err != nil {
		return goal, remediation.Plan{}, err
	}
	goal = s.recoveries.recall(goal.Remember(snap))
	plan, err := remediation.Make(goal, snap, s.policyFor(goal.Cluster, goal.Kind))
	return goal, plan, err
}

// Start opens a recovery that somebody asked for. A refusal is an error, and nothing has been changed.
func (s *Service) Start(ctx context.Context, goal remediation.Goal) (string, error) {
	term, err := s.leader.leading()
	if err != nil {
		return "", err
	}
	goal, plan, err := s.plan(ctx, goal)
	if err != nil {
		return "", err
	}
	if len(plan.Stages) == 0 && !plan.Complete {
		return "", &remediation.Refusal{Reason: remediation.GateTarget, Text: "nothing can be done now: " + plan.Waiting, Gates: plan.Gates}
	}
	return s.recoveries.start(term, goal, plan)
}

// Watch follows a recovery of this process.
func (s *Service) Watch(ctx context.Context, id string) (<-chan api.Progress, error) {
	return s.recoveries.hub.watch(ctx, id)
}

// observe asks everybody a goal is about, at once, and builds a snapshot of their cluster alone. An instance that fails to answer is not waited
// for again: its newest observation is as good.
func (s *Service) observe(ctx context.Context, goal remediation.Goal) (*topology.Snapshot, error) {
	newest := s.engine.newest.Load().snapshot
	c := newest.Cluster(goal.Cluster)
	if c == nil {
		c = newest.ClusterOf(goal.Failed)
	}
	if c == nil {
		return nil, fmt.Errorf("cluster %s is not known", goal.Cluster)
	}
	var ask []topology.InstanceID
	for _, m := range c.Members {
		if m.Failures == 0 && !m.Attempted.IsZero() {
			ask = append(ask, m.Instance)
		}
	}
	var asked sync.WaitGroup
	for _, id := range ask {
		asked.Go(func() {
			_, _ = s.collector.Ask(ctx, id) // who does not answer is seen as such below
		})
	}
	asked.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	at := time.Now()
	in := topology.Input{At: at, Intents: intents(s.ledger.State(), at), Patience: s.file.Load().Patience(), Nodes: s.nodes()}
	for _, m := range c.Members {
		o, ok := s.collector.Observation(m.Instance)
		if !ok {
			o = topology.Observation{Instance: m.Instance} // a member of whom nothing is known, not one who does not exist
		}
		in.Observations = append(in.Observations, o)
	}
	return topology.Build(in), nil
}

// Discover adds an instance.
func (s *Service) Discover(ctx context.Context, id topology.InstanceID) (topology.Observation, error) {
	return s.collector.Discover(ctx, id)
}

// Forget removes an instance.
func (s *Service) Forget(_ context.Context, id topology.InstanceID) error {
	s.collector.Forget(id)
	return nil
}

// blindAfter is how old the newest judgement may be before the service is not healthy.
const blindAfter = 30 * time.Second

// Healthy reports whether the loop runs.
func (s *Service) Healthy() error {
	if age := time.Since(s.Snapshot().At); age > blindAfter {
		return fmt.Errorf("nothing has been judged for %s", age.Round(time.Second))
	}
	return nil
}

// Ready reports whether this node knows what was agreed.
func (s *Service) Ready() error {
	if !s.ledger.Ready() {
		return errors.New("the ledger has no leader yet")
	}
	return s.Healthy()
}

// Reload reads the configuration file again. It takes effect whole or not at all: a file that is wrong, or that changes what only a restart can
// change, leaves everything as it was.
func (s *Service) Reload() error {
	err := s.reload()
	s.reloads.done(err, time.Now())
	if err != nil {
		return err
	}
	s.logger.Info("configuration reloaded", "component", "config")
	return nil
}

func (s *Service) reload() error {
	if s.opts.Path == "" {
		return errors.New("reload: the service was started without a configuration file")
	}
	next, err := config.Load(s.opts.Path)
	if err != nil {
		return err
	}
	old := s.file.Load()
	if fixed := needRestart(old, next); len(fixed) > 0 {
		return fmt.Errorf("reload: %s cannot change without a restart; nothing was reloaded", strings.Join(fixed, ", "))
	}
	s.file.Store(next)
	return nil
}

// needRestart names the keys that differ and that a running service cannot take over.
func needRestart(old, next *config.File) []string {
	var fixed []string
	differ := func(key string, a, b any) {
		if !reflect.DeepEqual(a, b) {
			fixed = append(fixed, key)
		}
	}
	differ("listen", old.Listen, next.Listen)
	differ("data_dir", old.DataDir, next.DataDir)
	differ("node", old.Node, next.Node)
	differ("log", old.Log, next.Log)
	differ("mysql.tls", old.MySQL.TLS, next.MySQL.TLS)
	differ("mysql.timeout", old.MySQL.Timeout, next.MySQL.Timeout)
	differ("mysql.connect_timeout", old.MySQL.ConnectTimeout, next.MySQL.ConnectTimeout)
	differ("discovery", old.Discovery, next.Discovery)
	differ("detection.suspicion_for", old.Detection.SuspicionFor, next.Detection.SuspicionFor)
	differ("ledger", old.Ledger, next.Ledger)
	return fixed
}

// reloadMetrics tell whether the running configuration is the one in the file.
type reloadMetrics struct {
	successful prometheus.Gauge
	at         prometheus.Gauge
}

func newReloadMetrics(reg prometheus.Registerer, now time.Time) *reloadMetrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	m := &reloadMetrics{
		successful: gauge("baton_config_last_reload_successful", "1 if the last configuration reload succeeded."),
		at:         gauge("baton_config_last_reload_success_timestamp_seconds", "Unix time of the last successful configuration reload."),
	}
	reg.MustRegister(m.successful, m.at)
	m.done(nil, now)
	return m
}

func (m *reloadMetrics) done(err error, at time.Time) {
	m.successful.Set(number(err == nil))
	if err == nil {
		m.at.Set(seconds(at))
	}
}

func buildInfo() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "baton_build_info", Help: "Constant 1; build of this binary.",
		ConstLabels: prometheus.Labels{
			"version": version.Version, "revision": version.GetRevision(), "branch": version.Branch, "goversion": version.GoVersion,
			"goos": version.GoOS, "goarch": version.GoArch, "tags": version.GetTags(),
		},
	}, func() float64 { return 1 })
}
