package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
)

// Role is who may use a route.
type Role string

// The roles, each allowed what the ones before it are.
const (
	RoleViewer   Role = "viewer"   // looks
	RoleOperator Role = "operator" // asks for changes of the fleet
	RoleAdmin    Role = "admin"    // changes Baton itself
)

// Handler serves one route. An error is turned into an answer by the caller, so a handler that returns one has written nothing.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Route is one row of the table that the router, the metric labels, the OpenAPI document and the tests are made from.
type Route struct {
	Method     string
	Path       string
	Doc        string // one sentence
	Role       Role
	LeaderOnly bool    // another node answers with the leader's address
	Action     string  // what the audit log calls it; empty where nothing changes
	Query      []Param // parameters besides those of the path
	Request    any     // zero value of the body's type; nil: no body
	Response   any     // zero value of the answer's type; nil: plain text
	Status     int     // of success; 0 is 200
	Stream     bool    // one JSON object a line, for as long as it takes
	Handler    Handler
}

// Param is one query parameter.
type Param struct {
	Name string
	Doc  string
}

// mux builds the router from the table.
func (s *Server) mux() http.Handler {
	m := chi.NewRouter()
	for _, route := range s.routes {
		m.Method(route.Method, route.Path, s.serve(route))
	}
	m.NotFound(s.serve(Route{Path: "unknown", Handler: func(_ http.ResponseWriter, r *http.Request) error {
		return fail(CodeUnknownPath, "there is no %s", r.URL.Path).with("GET /api/v1/openapi.json lists all paths")
	}}).ServeHTTP)
	m.MethodNotAllowed(s.serve(Route{Path: "unknown", Handler: func(w http.ResponseWriter, r *http.Request) error {
		var methods []string
		for _, route := range s.routes {
			if matches(route.Path, r.URL.EscapedPath()) {
				methods = append(methods, route.Method)
			}
		}
		w.Header().Set("Allow", strings.Join(methods, ", "))
		return fail(CodeMethodNotAllowed, "%s does not take %s", r.URL.Path, r.Method).with("it takes %s", strings.Join(methods, ", "))
	}}).ServeHTTP)
	return m
}

// matches reports whether a path has the shape of a route's pattern.
func matches(pattern, path string) bool {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return false
	}
	for n := range want {
		if !strings.HasPrefix(want[n], "{") && want[n] != have[n] {
			return false
		}
	}
	return true
}

// serve wraps the handler of a route with everything that is the same for all.
func (s *Server) serve(route Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		sw := &statusWriter{ResponseWriter: w}
		err := s.attempt(route, sw, r)
		if err != nil {
			s.writeError(sw, r, err)
		}
		took := time.Since(began)
		method := r.Method
		if route.Method == "" { // an unknown path must not make a series for every method somebody invents
			method = "any"
		}
		s.metrics.served(route.Path, method, sw.code(), took, route.Stream)
		s.log.Debug("request", "method", r.Method, "path", r.URL.Path, "code", sw.code(), "from", from(r), "took", took, "err", err)
	})
}

func (s *Server) attempt(route Route, w http.ResponseWriter, r *http.Request) error {
	if route.LeaderOnly && !s.Leadership.IsLeader() {
		return s.toLeader(w, r)
	}
	if strings.HasPrefix(route.Path, "/api/") {
		if err := checkQuery(r, route.Query); err != nil {
			return err
		}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	ctx := r.Context()
	if !route.Stream {
		limited, cancel := context.WithTimeout(ctx, s.Timeout)
		defer cancel()
		ctx = limited
		// A client that sends its body byte by byte must not hold a goroutine for ever. Where the connection has no deadlines there is none to set.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.Timeout))
	}
	if route.Action == "" {
		return route.Handler(w, r.WithContext(ctx))
	}
	d := &deed{action: route.Action}
	err := route.Handler(w, r.WithContext(context.WithValue(ctx, deedKey{}, d)))
	s.audit(r, d, err)
	return err
}

// toLeader sends a client to the node that leads.
func (s *Server) toLeader(w http.ResponseWriter, r *http.Request) error {
	leader := s.Leadership.Leader()
	if leader.ID == "" {
		return fail(CodeNoLeader, "there is no leader now").with("an election takes seconds; with a majority of the nodes down there is none")
	}
	if leader.ID == s.Node {
		return fail(CodeNoLeader, "this node was elected and does not lead yet").with("ask again in a moment")
	}
	base, err := url.Parse(leader.API)
	if leader.API == "" || err != nil {
		return fail(CodeNoLeader, "node %s leads, and the address of its API is not known here", leader.ID).with("ask it directly")
	}
	to := base.JoinPath(r.URL.EscapedPath())
	to.RawQuery = r.URL.RawQuery
	w.Header().Set("Location", to.String())
	return writeJSON(w, http.StatusTemporaryRedirect, Done{Text: fmt.Sprintf("node %s leads: %s", leader.ID, to)})
}

// deed is what a request changes, for the audit log. The handler fills it in as it learns it.
type deed struct {
	action, cluster, instance, rule, recovery string
	Signature
}

type deedKey struct{}

// deedOf returns the deed of a request that changes something; a handler may always write to it.
func deedOf(ctx context.Context) *deed {
	if d, ok := ctx.Value(deedKey{}).(*deed); ok {
		return d
	}
	return &deed{}
}

// audit tells who asked for what, why and from where, and what came of it.
func (s *Server) audit(r *http.Request, d *deed, err error) {
	level, attrs := slog.LevelInfo, []any{"action", d.action}
	for _, a := range []struct{ key, value string }{
		{"cluster", d.cluster}, {"instance", d.instance}, {"rule", d.rule}, {"recovery", d.recovery}, {"by", d.By}, {"reason", d.Reason},
	} {
		if a.value != "" {
			attrs = append(attrs, a.key, a.value)
		}
	}
	attrs = append(attrs, "from", from(r))
	if err != nil {
		level, attrs = slog.LevelWarn, append(attrs, "err", err)
	}
	s.log.Log(r.Context(), level, "asked for", attrs...)
}

// from is the address a request came from.
func from(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}

func (s *Server) writeError(w *statusWriter, r *http.Request, err error) {
	if w.status != 0 {
		return // the answer had begun: the client sees it end too early
	}
	e := errorOf(err)
	if e.Code == CodeInternal {
		s.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	_ = writeJSON(w, e.Code.row().Status, e) // the client has gone: nobody is left to be told
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, err = w.Write(append(raw, '\n'))
	return err
}

// answer makes a Handler of a function that returns what to send.
func answer(f func(r *http.Request) (any, error)) Handler {
	return answerWith(http.StatusOK, f)
}

func answerWith(status int, f func(r *http.Request) (any, error)) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		v, err := f(r)
		if err != nil {
			return err
		}
		return writeJSON(w, status, v)
	}
}

// pathParam returns a parameter of the path. The router matches escaped paths as they are, so what it cut out may still be escaped.
func pathParam(r *http.Request, name string) string {
	v := chi.URLParam(r, name)
	if r.URL.RawPath == "" {
		return v
	}
	if plain, err := url.PathUnescape(v); err == nil {
		return plain
	}
	return v
}

// checkQuery refuses parameters that the route does not have: a filter with a typing error must not answer with everything.
func checkQuery(r *http.Request, params []Param) error {
	for name := range r.URL.Query() {
		if !slices.ContainsFunc(params, func(p Param) bool { return p.Name == name }) {
			var names []string
			for _, p := range params {
				names = append(names, p.Name)
			}
			e := badField(name, "is no parameter of this path")
			if len(names) > 0 {
				e = e.with("it has %s", strings.Join(names, ", "))
			}
			return e
		}
	}
	return nil
}

// errTooLarge recognises a body that MaxBytesReader cut off.
func errTooLarge(err error) bool {
	var large *http.MaxBytesError
	return errors.As(err, &large)
}
