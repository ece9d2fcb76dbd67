package collector

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/batondb/baton/topology"
)

// session is one connection and what was learnt through it. Nothing of it outlives the connection: behind the same name there may be another
// server the next time. One goroutine uses it at a time.
type session struct {
	id   topology.InstanceID
	opts *SQLOptions
	conn driver.Conn
	wire *wire
	left int // probes until the seldom questions are asked again; 0 on a new connection

	dialect           dialect
	known             map[string]bool // variables that the server has
	variables         string          // the statement that reads those which change
	account           string          // 'user'@'host' as the server sees us
	held              privileges
	version, comment  string
	performanceSchema bool
	nameless          []int // ports of replicas that did not register a host

	facts, draft topology.Facts   // of the last probe that succeeded, and of the one under way
	fromSource   topology.GTIDSet // what a MariaDB replica has applied of its source's
	answered     int              // questions answered in this attempt

	// What saves allocations.
	layouts                   map[string]layout
	executed, purged, current memorised
	replicated                memorised
	received                  map[string]*memorised // by channel
	lastHost                  string
	lastPort                  int
	lastSource                topology.InstanceID
	values                    []driver.Value
	batch                     batch
}

// layout is what the columns of an answer mean; it is kept because it is the same at each probe.
type layout struct {
	columns []string
	words   []word
}

func (s *session) layout(question string, columns []string, words map[string]word) []word {
	if l, ok := s.layouts[question]; ok && slices.Equal(l.columns, columns) {
		return l.words
	}
	l := layout{columns: columns, words: make([]word, len(columns))}
	for i, c := range columns {
		l.words[i] = words[c]
	}
	if s.layouts == nil {
		s.layouts = make(map[string]layout)
	}
	s.layouts[question] = l
	return l.words
}

// openSession connects.
func openSession(ctx context.Context, id topology.InstanceID, opts *SQLOptions) (*session, error) {
	began := time.Now()
	conn, w, err := opts.Access.connect(ctx, id)
	opts.observe("connect", time.Since(began))
	if err != nil {
		return nil, err
	}
	return &session{id: id, opts: opts, conn: conn, wire: w}, nil
}

// close ends the connection. Nothing is said to the server where the connection may be stuck.
func (s *session) close(politely bool) {
	if !politely {
		_ = s.wire.Close()
	}
	_ = s.conn.Close()
}

// probe asks everything that is due, in one round trip, or two when the connection is new. A question that only an answer has made
// meaningful, such as the heartbeats of a server that has just become a replica, costs one more, once.
func (s *session) probe(ctx context.Context, everything bool) (topology.Facts, error) {
	fresh := s.left == 0
	s.answered = 0
	if err := s.wire.SetDeadline(time.Now().Add(s.opts.Timeout)); err != nil {
		return topology.Facts{}, s.failed(ctx, "", err)
	}
	stop := s.wire.interrupt(ctx)
	defer stop()
	s.draft = s.facts
	s.draft.SemiSync.SourceActive, s.draft.SemiSync.ReplicaActive = false, false
	s.draft.SemiSync.SourceClients, s.draft.SemiSync.WaitSessions = 0, 0
	s.left--
	rounds := [][]question{often}
	switch {
	case fresh:
		rounds, s.left = [][]question{first, table}, 1+rand.IntN(s.opts.SlowEvery) // spread what began at the same moment
	case everything || s.left == 0:
		rounds, s.left = [][]question{all}, s.opts.SlowEvery
	}
	for _, questions := range rounds {
		if err := s.ask(ctx, questions, nil); err != nil {
			return topology.Facts{}, err
		}
	}
	if s.dialect.mariadb && len(s.draft.Channels) > 0 {
		// What was written on a replica itself counts in its binary log like what it replicated, and would make it look further than it is.
		s.draft.Executed = s.fromSource
	}
	s.facts = s.draft
	return s.facts, nil
}

// learn takes what the settings say about the server into what it will be asked.
func (s *session) learn() {
	if v, err := topology.ParseVersion(s.version, s.comment); err == nil {
		s.draft.Version = v
	}
	s.dialect = dialectOf(s.draft.Version)
	if s.dialect.mariadb {
		s.draft.SemiSync.WaitFor = 1 // it knows no other number
	}
	s.variables = variablesText(s.known)
}

func (s *session) readsReplTables() bool {
	return s.dialect.hasReplTables && s.performanceSchema && s.held.has("SELECT", "performance_schema")
}

func (s *session) canonical(id topology.InstanceID) topology.InstanceID {
	if s.opts.Names == nil || id == "" {
		return id
	}
	return s.opts.Names.Canonical(id)
}

func (s *session) addReplica(id topology.InstanceID) {
	if id = s.canonical(id); id != "" && id != s.id && !slices.Contains(s.draft.Replicas, id) {
		s.draft.Replicas = append(s.draft.Replicas, id)
	}
}

// failed wraps what went wrong at a question.
func (s *session) failed(ctx context.Context, question string, err error) error {
	e := &Error{Instance: s.id, Stage: StageQuestions, Heard: s.answered > 0, Answered: s.answered, Question: question, Err: s.wire.cause(err)}
	if ctx.Err() != nil {
		e.Err = ctx.Err()
	}
	if server, ok := errors.AsType[*mysql.MySQLError](err); ok && serverSays[server.Number] == topology.ReachDenied {
		e.MissingGrants = s.grantFor(question)
	}
	return e
}

// worthAnother reports whether a failure may only be that of an old connection: then a new one decides.
func worthAnother(err error) bool {
	if server, ok := errors.AsType[*mysql.MySQLError](err); ok {
		switch server.Number {
		case 1053, 1152, 1158, 1159, 1160, 1161, 1317, 1927, 3169, 4031: // the server ended this connection or this statement
			return true
		case errnoUnknownVariable: // a plugin was removed: look again at what there is
			return true
		}
		return false
	}
	return !isTimeout(err) && !errors.Is(err, context.Canceled)
}

// batch is the text of several questions, kept because it is nearly always the same.
type batch struct {
	parts []string
	text  string
}

func (b *batch) join(parts []string) string {
	if !slices.Equal(parts, b.parts) {
		b.parts = slices.Clone(parts)
		b.text = strings.Join(parts, ";")
	}
	return b.text
}

// asking is a question with its text for this server.
type asking struct {
	*question
	text string
}

// ask asks those of the questions that make sense for this server, all in one round trip. Where an optional one fails, which ends the batch,
// the rest is asked again without it. Questions that have come to make sense meanwhile are asked at last.
func (s *session) ask(ctx context.Context, questions []question, asked map[string]bool) error {
	var room [16]asking
	todo := room[:0]
	for i := range questions {
		q := &questions[i]
		if text := q.sql(s); text != "" && !asked[q.name] {
			todo = append(todo, asking{q, text})
		}
	}
	if len(todo) == 0 {
		return nil
	}
	begun := todo
	for len(todo) > 0 {
		done, err := s.exchange(todo)
		if err == nil {
			break
		}
		if !s.mayFail(todo[done], err) {
			return s.failed(ctx, todo[done].name, err)
		}
		todo = todo[done+1:]
	}
	if s.settled(questions, begun) {
		return nil
	}
	if asked == nil {
		asked = make(map[string]bool, len(begun))
	}
	for _, a := range begun {
		asked[a.name] = true
	}
	return s.ask(ctx, questions, asked)
}

// settled reports whether every question that makes sense now was among those asked.
func (s *session) settled(questions []question, asked []asking) bool {
	n := 0
	for i := range questions {
		if n < len(asked) && asked[n].question == &questions[i] {
			n++
		} else if questions[i].sql(s) != "" {
			return false
		}
	}
	return true
}

// mayFail deals with the failure of an optional question. Only an error of the server's counts: after any other the connection is of no use.
func (s *session) mayFail(a asking, err error) bool {
	server, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok || !a.optional || worthAnother(err) {
		return false
	}
	s.opts.Access.Logger.Debug("an optional question failed", "instance", string(s.id), "question", a.name, "err", server)
	if a.name == askLag {
		s.setLag(false, 0)
	}
	return true
}

// exchange sends one batch and reads the answers. It returns how many were read in full, and the error of the next one.
func (s *session) exchange(todo []asking) (done int, err error) {
	var room [16]string
	parts := room[:0]
	for _, a := range todo {
		parts = append(parts, a.text)
	}
	// The wire has the deadline and fails when ctx ends. A context that can end would cost two handovers to a goroutine of the driver's.
	rows, err := s.conn.(driver.QueryerContext).QueryContext(context.Background(), s.batch.join(parts), nil)
	if err != nil {
		return 0, err
	}
	for done < len(todo) {
		a := answer{rows: rows, columns: rows.Columns()}
		s.values = slices.Grow(s.values[:0], len(a.columns))
		a.values = s.values[:len(a.columns)]
		if err := todo[done].scan(s, &a); err != nil {
			return done, err
		}
		for a.next() { // a scan may stop early
		}
		if a.err != nil {
			return done, a.err
		}
		done++
		s.answered++
		switch err := rows.(driver.RowsNextResultSet).NextResultSet(); {
		case err == nil && done == len(todo), errors.Is(err, io.EOF) && done < len(todo):
			return min(done, len(todo)-1), errAnswers
		case err != nil && !errors.Is(err, io.EOF):
			return done, err
		}
	}
	return done, rows.Close()
}

// errAnswers is a broken promise: each question has one result set.
var errAnswers = errors.New("the server did not give one answer to each question")
