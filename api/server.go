package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/ledger"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// Fleet is what is seen and found.
type Fleet interface {
	Snapshot() *topology.Snapshot
	Incidents() []analysis.Incident
	Policy(cluster string) remediation.Policy
}

// Recoverer plans and runs recoveries. Start returns when the recovery is open in the ledger; Watch replays what has happened of it and then
// follows, until a Progress with an outcome.
type Recoverer interface {
	Plan(ctx context.Context, goal remediation.Goal) (remediation.Plan, error)
	Start(ctx context.Context, goal remediation.Goal) (id string, err error)
	Watch(ctx context.Context, id string) (<-chan Progress, error)
}

// Discoverer begins and ends the watching of instances in this process. What outlives the process is in the Record.
type Discoverer interface {
	Discover(ctx context.Context, id topology.InstanceID) (topology.Observation, error)
	Forget(ctx context.Context, id topology.InstanceID) error
}

// Record is what operators asked for and what was done. *ledger.Ledger is one.
type Record interface {
	State() *ledger.State
	Propose(ctx context.Context, e ledger.Entry) error
}

// Leadership says who leads. *ledger.Ledger is one.
type Leadership interface {
	IsLeader() bool
	Leader() ledger.Peer
	Stats() ledger.Stats
}

// Lifecycle is the process. Healthy and Ready return why it is not.
type Lifecycle interface {
	Healthy() error
	Ready() error
	Reload() error
}

// Options are the parts a Server asks. Those without a word about a default must be set.
type Options struct {
	Fleet      Fleet
	Recoverer  Recoverer
	Discoverer Discoverer
	Record     Record
	Leadership Leadership
	Lifecycle  Lifecycle

	Node      string                 // id of this node
	Version   string                 // of this program
	Judgement func() analysis.Policy // how rules are asked; nil takes analysis.DefaultPolicy
	Metrics   http.Handler           // what /metrics serves; nil leaves the path out
	Pprof     bool                   // serve /debug/pprof
	Timeout   time.Duration          // of one request that is no stream; 0 is 30 seconds

	Registerer prometheus.Registerer // for the metrics of the surface itself; nil counts for nobody
	Logger     *slog.Logger          // nil is silent
	Now        func() time.Time      // nil is time.Now
}

const (
	defaultTimeout = 30 * time.Second
	maxBody        = 1 << 20
	streamPatience = 10 * time.Second // for a watcher that does not read
)

func (o Options) withDefaults() Options {
	if o.Judgement == nil {
		o.Judgement = analysis.DefaultPolicy
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func (o Options) validate() error {
	for _, part := range []struct {
		name    string
		missing bool
	}{
		{"Fleet", o.Fleet == nil},
		{"Recoverer", o.Recoverer == nil},
		{"Discoverer", o.Discoverer == nil},
		{"Record", o.Record == nil},
		{"Leadership", o.Leadership == nil},
		{"Lifecycle", o.Lifecycle == nil},
	} {
		if part.missing {
			return errors.New("api option " + part.name + ": must be set")
		}
	}
	if o.Timeout < 0 {
		return errors.New("api option Timeout: must not be negative")
	}
	return nil
}

// Server is the HTTP surface. It is an http.Handler; who listens is the caller's business.
type Server struct {
	Options
	routes  []Route
	handler http.Handler
	metrics *metrics
	log     *slog.Logger
}

// New checks the options and builds the routes.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	s := &Server{Options: o, metrics: newMetrics(o.Registerer), log: o.Logger.With("component", "api")}
	s.routes = s.table()
	s.handler = s.mux()
	return s, nil
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Routes returns the table, for documents and tests.
func (s *Server) Routes() []Route { return append([]Route(nil), s.routes...) }
