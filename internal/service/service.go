package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/api"
	"github.com/batondb/baton/collector"
	"github.com/batondb/baton/internal/config"
	"github.com/batondb/baton/ledger"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/remediation/mysql"
	"github.com/batondb/baton/topology"
)

// Options are what a Service needs besides its configuration.
type Options struct {
	Config   *config.File
	Path     string // of the configuration file, for reloads; empty where there is none
	Version  string
	Logger   *slog.Logger
	Listener net.Listener // nil listens on Config.Listen
}

// Service is one node of Baton.
type Service struct {
	opts       Options
	file       atomic.Pointer[config.File]
	logger     *slog.Logger
	listener   net.Listener
	registry   *prometheus.Registry
	ledger     *ledger.Ledger
	cache      *collector.Cache
	prober     *collector.SQLProber
	sentinel   *collector.Sentinel
	collector  *collector.Collector
	actor      *mysql.Actor
	engine     *engine
	leader     *leader
	recoveries *recoveries
	suspected  chan []topology.InstanceID
	keep       chan struct{} // what is known of a source that begins to fail is saved before anything can happen to this process
	handler    http.Handler
	reloads    *reloadMetrics
}

// New checks and wires everything. It opens the ledger and the listener, and starts nothing; whoever has a Service runs it.
func New(opts Options) (*Service, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Service{opts: opts, logger: opts.Logger, registry: prometheus.NewRegistry(), suspected: make(chan []topology.InstanceID, 16), keep: make(chan struct{}, 1)}
	s.file.Store(opts.Config)
	for _, part := range []func() error{s.listen, s.openLedger, s.buildObservers, s.buildActor, s.buildLoop, s.buildAPI} {
		if err := part(); err != nil {
			return nil, errors.Join(err, s.abandon())
		}
	}
	return s, nil
}

// abandon gives back what New had taken before it failed.
func (s *Service) abandon() error {
	var errs []error
	if s.listener != nil {
		errs = append(errs, s.listener.Close())
	}
	if s.ledger != nil {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		errs = append(errs, s.ledger.Run(ended))
	}
	return errors.Join(errs...)
}

func (s *Service) listen() error {
	s.listener = s.opts.Listener
	if s.listener != nil {
		return nil
	}
	l, err := net.Listen("tcp", s.opts.Config.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w; choose another address with the key listen", err)
	}
	s.listener = l
	return nil
}

func (s *Service) openLedger() (err error) {
	s.ledger, err = ledger.New(s.opts.Config.LedgerOptions(s.logger.With("component", "ledger")))
	return err
}

// cacheFile is where observations survive a restart, so that a primary that died meanwhile is still known.
func (s *Service) cacheFile() string { return filepath.Join(s.opts.Config.DataDir, "observations") }

func (s *Service) buildObservers() error {
	f := s.opts.Config
	metrics, err := collector.NewMetrics(s.registry)
	if err != nil {
		return err
	}
	access, err := s.access()
	if err != nil {
		return err
	}
	names, err := collector.NewNames(collector.NamesOptions{Mode: collector.ResolveMode(f.Discovery.Resolve), Map: f.Discovery.Names})
	if err != nil {
		return err
	}
	log := s.logger // the collector names itself
	d := f.Discovery
	s.prober, err = collector.NewSQLProber(collector.SQLOptions{
		Access: access, Timeout: f.MySQL.Timeout, Names: names, Metrics: metrics, Logger: log,
		Detect: collector.Detect{DataCenter: d.DataCenterQuery, Region: d.RegionQuery, ClusterAlias: d.ClusterAliasQuery, Lag: d.LagQuery},
	})
	if err != nil {
		return err
	}
	if s.sentinel, err = collector.NewSentinel(collector.SentinelOptions{Access: access, Metrics: metrics, Logger: log}); err != nil {
		return err
	}
	s.cache = collector.NewCache()
	if n, err := s.cache.Load(s.cacheFile()); err == nil {
		log.Info("observations of the last run were read", "instances", n)
	} else {
		log.Info("observations begin anew", "err", err)
	}
	s.collector, err = collector.New(collector.Options{
		Prober: s.prober, Sentry: s.sentinel, Cache: s.cache, Names: names, Metrics: metrics, Logger: log,
		Seeds: d.Seeds, Ignore: d.Ignored, Interval: d.Interval, UrgentWorkers: d.Workers, Workers: d.Workers,
		SuspicionFor: f.Detection.SuspicionFor, ForgetAfter: d.ForgetAfter,
		Related:   func(id topology.InstanceID) []topology.InstanceID { return s.related(id) },
		OnObserve: func(o topology.Observation) { s.engine.observed(o) },
	})
	return err
}

// related names who can testify about an instance: its replicas. Their connections are opened, and what is known is saved, ahead of need.
func (s *Service) related(id topology.InstanceID) []topology.InstanceID {
	i := s.engine.newest.Load().snapshot.Instance(id)
	if i == nil {
		return nil
	}
	select {
	case s.keep <- struct{}{}:
	default:
	}
	select {
	case s.suspected <- i.Direct: // whoever may be promoted in a moment gets its connection now
	default:
	}
	return i.Direct
}

// warm opens the actor's connections to those who may have to act soon. It is a head start and no more: an error is met again where it matters.
func (s *Service) warm(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case ids := <-s.suspected:
			if err := s.actor.Warm(ctx, ids...); err != nil {
				s.logger.Debug("not every connection could be opened ahead of need", "component", "actor", "err", err)
			}
		}
	}
}

func (s *Service) access() (collector.Access, error) {
	tls, err := s.opts.Config.MySQL.TLS.Config()
	if err != nil {
		return collector.Access{}, err
	}
	return collector.Access{
		Credentials: s.credentials(func(m *config.MySQL) config.Account { return m.Account() }),
		TLS:         tls, PlaintextAllowed: s.opts.Config.MySQL.TLS.Optional(), Timeout: s.opts.Config.MySQL.ConnectTimeout,
		Logger: s.logger.With("component", "driver"),
	}, nil
}

// credentials reads an account anew for every connection, so that a password can be changed without a restart. While it cannot be read, because
// it is being changed just now, the last one that could is used.
func (s *Service) credentials(which func(*config.MySQL) config.Account) func() (string, string) {
	var last atomic.Pointer[string]
	return func() (string, string) {
		account := which(&s.file.Load().MySQL)
		password, err := account.Password()
		switch {
		case err == nil:
			last.Store(&password)
		case last.Load() != nil:
			password = *last.Load()
			s.logger.Warn("a password could not be read; the last one is used", "component", "config", "err", err)
		default:
			s.logger.Error("a password could not be read", "component", "config", "err", err)
		}
		return account.User, password
	}
}

// replicationAccount is with which account a server replicates that has none of its own yet, such as an old primary.
func (s *Service) replicationAccount(topology.InstanceID) (mysql.Account, bool) {
	user, password := s.credentials(func(m *config.MySQL) config.Account { return m.Replication() })()
	return mysql.Account{User: user, Password: password}, user != ""
}

func (s *Service) buildActor() error {
	tls, err := s.opts.Config.MySQL.TLS.Config()
	if err != nil {
		return err
	}
	s.actor, err = mysql.New(mysql.Options{
		Credentials: s.credentials(func(m *config.MySQL) config.Account { return m.Account() }),
		Replication: s.replicationAccount,
		TLS:         tls, PlaintextAllowed: s.opts.Config.MySQL.TLS.Optional(), DialTimeout: s.opts.Config.MySQL.ConnectTimeout, DrainStall: s.opts.Config.Recovery.DrainStall,
		Lifeline: s.sentinel.Lend, Logger: s.logger,
	})
	return err
}

func (s *Service) buildLoop() error {
	metrics := newRecoveryMetrics(s.registry)
	s.engine = (&engine{
		observations: s.collector.Observations, ledger: s.ledger, interval: s.opts.Config.Discovery.Interval,
		policy:   func() analysis.Policy { return s.file.Load().AnalysisPolicy() },
		patience: func() topology.Patience { return s.file.Load().Patience() }, nodes: s.nodes(),
		metrics: newEngineMetrics(s.registry), logger: s.logger.With("component", "engine"),
	}).ready()
	s.recoveries = &recoveries{
		ledger: s.ledger, servers: s.actor, observe: s.observe, newest: s.snapshot, policy: s.policyFor, metrics: metrics,
		logger: s.logger.With("component", "recovery"), hub: newHub(), running: make(map[string]string),
	}
	s.leader = &leader{
		engine: s.engine, ledger: s.ledger, collector: s.collector, recoveries: s.recoveries, metrics: metrics, logger: s.logger.With("component", "leader"),
		names: newNames(s.ledger, func(id topology.InstanceID) string { return s.file.Load().ClusterName(id) }, s.logger),
	}
	s.reloads = newReloadMetrics(s.registry, time.Now())
	s.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo(),
		collector.NewExporter(s.snapshotIfLeading),
		&exporter{
			newest: s.engine.newest.Load, state: s.ledger.State, stats: s.ledger.Stats, active: metrics.active, leading: s.ledger.IsLeader,
			autonomy: func(cluster string) remediation.Autonomy { return s.Policy(cluster).Autonomy },
		})
	return nil
}

// nodes is how many nodes of Baton there are. Where there are several, nothing is down before they vote, which they cannot do yet.
func (s *Service) nodes() int { return max(len(s.opts.Config.Ledger.Peers), 1) }

func (s *Service) buildAPI() error {
	handler, err := api.New(api.Options{
		Fleet: s, Recoverer: s, Discoverer: s, Record: s.ledger, Leadership: s.ledger, Lifecycle: s,
		Node: cmp.Or(s.opts.Config.Node, ledger.DefaultNodeID), Version: s.opts.Version, Judgement: func() analysis.Policy { return s.file.Load().AnalysisPolicy() },
		Metrics: promhttp.InstrumentMetricHandler(s.registry, promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{EnableOpenMetrics: true, Registry: s.registry})),
		Pprof:   s.opts.Config.Pprof, Registerer: s.registry, Logger: s.logger,
	})
	s.handler = handler
	return err
}

// shutdownPatience is how long requests under way may take to end when the service does.
const shutdownPatience = 2 * time.Second

// Run serves until ctx ends or a part fails. Everything it started has ended when it returns.
func (s *Service) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	server := &http.Server{Handler: s.handler, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	var group sync.WaitGroup
	part := func(name string, run func(context.Context) error) {
		group.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	part("ledger", s.ledger.Run)
	part("collector", s.collector.Run)
	part("actor", s.actor.Run)
	part("warm", s.warm)
	part("engine", s.engine.run)
	part("leader", func(ctx context.Context) error { return s.ledger.WhileLeader(ctx, s.leader.lead) })
	part("cache", s.saveCache)
	part("http", func(context.Context) error {
		if err := server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	s.logger.Info("listening", "component", "service", "address", s.listener.Addr().String())
	<-ctx.Done()
	ending, done := context.WithTimeout(context.WithoutCancel(ctx), shutdownPatience)
	defer done()
	err := server.Shutdown(ending)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	group.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	return errors.Join(err, s.prober.Close())
}

// saveEvery is how old the file of observations may be after a crash. What a dead primary was last seen with is then older by as much, and its
// age is shown wherever a decision rests on it.
const saveEvery = 5 * time.Second

func (s *Service) saveCache(ctx context.Context) error {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-s.keep:
		}
		if err := s.cache.Save(s.cacheFile()); err != nil {
			s.logger.Warn("observations could not be saved", "component", "service", "err", err)
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}
