package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/batondb/baton/topology"
)

// Prober asks one server everything that is due. An error is classified by Classify. The prober of the simulation answers from its model.
type Prober interface {
	// Probe asks and waits for the answers. It is never called twice at once for one instance.
	Probe(ctx context.Context, id topology.InstanceID) (topology.Facts, error)
	// Refresh makes the next probe ask everything, also what hardly ever changes.
	Refresh(id topology.InstanceID)
	// Drop forgets what is kept for an instance, such as a connection.
	Drop(id topology.InstanceID)
}

// Detect holds queries of the operator's, each with one row of one column. An empty query is not asked.
type Detect struct {
	DataCenter   string
	Region       string
	ClusterAlias string
	Lag          string // seconds, asked at each probe; it replaces what the server itself says of its lag
}

// SQLOptions configure a SQLProber.
type SQLOptions struct {
	Access Access

	// Timeout bounds one exchange of questions and answers; connecting has the bound of Access. The default is 500 ms.
	Timeout time.Duration

	// SlowEvery is how many probes pass between two that ask what hardly ever changes. The default is 30.
	SlowEvery int

	Detect  Detect
	Names   *Names   // canonical names of sources and replicas; nil leaves them as the servers say
	Metrics *Metrics // nil counts nothing
	Logger  *slog.Logger
}

// SQLProber is the Prober of real servers. It keeps one connection to each.
type SQLProber struct {
	opts SQLOptions

	mu    sync.RWMutex
	slots map[topology.InstanceID]*slot
}

// slot is the place of one instance.
type slot struct {
	turn    chan struct{} // held by whoever uses the session
	demand  atomic.Bool   // ask everything, next time
	session *session      // nil without a connection
}

// NewSQLProber checks the options. It connects to nothing.
func NewSQLProber(opts SQLOptions) (*SQLProber, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Access.Logger == nil {
		opts.Access.Logger = opts.Logger
	}
	var err error
	if opts.Access, err = opts.Access.withDefaults(); err != nil {
		return nil, fmt.Errorf("prober: %w", err)
	}
	if opts.Timeout <= 0 {
		opts.Timeout = defaultTimeout
	}
	if opts.SlowEvery <= 0 {
		opts.SlowEvery = 30
	}
	for _, q := range []struct {
		name string
		sql  *string
	}{
		{"data center", &opts.Detect.DataCenter},
		{"region", &opts.Detect.Region},
		{"cluster alias", &opts.Detect.ClusterAlias},
		{"lag", &opts.Detect.Lag},
	} {
		if *q.sql, err = oneQuery(*q.sql); err != nil {
			return nil, fmt.Errorf("prober: %s query: %w", q.name, err)
		}
	}
	return &SQLProber{opts: opts, slots: make(map[topology.InstanceID]*slot)}, nil
}

// oneQuery checks that a query fits into a batch: one statement, with one result.
func oneQuery(sql string) (string, error) {
	sql = strings.TrimRight(strings.TrimSpace(sql), "; \t\r\n")
	if sql == "" {
		return "", nil
	}
	if strings.Contains(sql, ";") {
		return "", errors.New("it must be a single statement, without a semicolon inside")
	}
	if strings.Contains(sql, "--") || strings.Contains(sql, "#") {
		return "", errors.New("it must not contain a comment: other questions follow it on the same line")
	}
	verb, _, _ := strings.Cut(strings.ToUpper(sql), " ")
	switch strings.TrimLeft(verb, "(") {
	case "SELECT", "WITH", "SHOW", "VALUES", "TABLE":
		return sql, nil
	}
	return "", fmt.Errorf("it must begin with SELECT, WITH or SHOW, not with %s", verb)
}

// Probe implements Prober. A connection that has broken since the last probe is replaced within the same attempt, and only what the new one
// says counts.
func (p *SQLProber) Probe(ctx context.Context, id topology.InstanceID) (topology.Facts, error) {
	sl := p.slot(id)
	select {
	case sl.turn <- struct{}{}:
	case <-ctx.Done():
		return topology.Facts{}, &Error{Instance: id, Err: ctx.Err()}
	}
	old := sl.session != nil
	facts, err := p.attempt(ctx, id, sl)
	if err != nil && old && worthAnother(err) {
		facts, err = p.attempt(ctx, id, sl)
	}
	<-sl.turn
	if p.abandoned(id, sl) {
		sl.endIfFree()
	}
	return facts, err
}

// attempt probes through the session, or a new one where there is none. A session that failed is ended.
func (p *SQLProber) attempt(ctx context.Context, id topology.InstanceID, sl *slot) (topology.Facts, error) {
	if sl.session == nil {
		s, err := openSession(ctx, id, &p.opts)
		if err != nil {
			return topology.Facts{}, err
		}
		sl.session = s
	}
	began := time.Now()
	facts, err := sl.session.probe(ctx, sl.demand.Swap(false))
	p.opts.observe("query", time.Since(began))
	if err != nil {
		sl.end(false)
	}
	return facts, err
}

func (sl *slot) end(politely bool) {
	if sl.session != nil {
		sl.session.close(politely)
		sl.session = nil
	}
}

// endIfFree ends the session of an abandoned slot, unless somebody has the turn: they look again once they have given it back.
func (sl *slot) endIfFree() {
	select {
	case sl.turn <- struct{}{}:
		sl.end(true)
		<-sl.turn
	default:
	}
}

// Refresh implements Prober.
func (p *SQLProber) Refresh(id topology.InstanceID) { p.slot(id).demand.Store(true) }

// Drop implements Prober. A probe that is under way ends by itself.
func (p *SQLProber) Drop(id topology.InstanceID) {
	p.mu.Lock()
	sl := p.slots[id]
	delete(p.slots, id)
	p.mu.Unlock()
	if sl != nil {
		sl.endIfFree()
	}
}

// Close drops every connection. It waits for probes under way, all of which have a deadline.
func (p *SQLProber) Close() error {
	p.mu.Lock()
	slots := p.slots
	p.slots = make(map[topology.InstanceID]*slot)
	p.mu.Unlock()
	for _, sl := range slots {
		sl.turn <- struct{}{}
		sl.end(true)
		<-sl.turn
	}
	return nil
}

func (p *SQLProber) slot(id topology.InstanceID) *slot {
	p.mu.RLock()
	sl := p.slots[id]
	p.mu.RUnlock()
	if sl != nil {
		return sl
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if sl = p.slots[id]; sl == nil {
		sl = &slot{turn: make(chan struct{}, 1)}
		p.slots[id] = sl
	}
	return sl
}

// abandoned reports whether Drop or Close has taken the slot away.
func (p *SQLProber) abandoned(id topology.InstanceID, sl *slot) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.slots[id] != sl
}

func (o *SQLOptions) observe(stage string, took time.Duration) {
	if o.Metrics != nil {
		o.Metrics.stage(stage, took)
	}
}
