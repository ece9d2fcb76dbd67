package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/ledger"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

func (s *Server) listRecoveries(r *http.Request) (any, error) {
	state := s.Record.State()
	open, filtered, err := queryBool(r, "open")
	if err != nil {
		return nil, err
	}
	cluster := r.URL.Query().Get("cluster")
	if c, err := findCluster(s.Fleet.Snapshot(), cluster); cluster != "" && err == nil {
		cluster = c.Name
	} else if cluster != "" && len(state.RecoveriesOf(cluster)) == 0 { // the history outlives its cluster
		return nil, err
	}
	out := []RecoveryView{}
	for _, rec := range state.RecoveriesOf(cluster) {
		if !filtered || rec.Open() == open {
			out = append(out, recoveryOf(rec))
		}
	}
	return out, nil
}

func (s *Server) findRecovery(id string) (*ledger.Recovery, error) {
	state := s.Record.State()
	if rec := state.Recoveries[id]; rec != nil {
		return rec, nil
	}
	var ids []string
	for _, rec := range state.RecoveriesOf("") {
		ids = append(ids, rec.ID)
	}
	e := fail(CodeUnknownRecovery, "there is no recovery %q", id)
	if near := Nearest(id, ids); len(near) > 0 {
		return nil, e.with("nearest: %s", strings.Join(near, ", "))
	}
	return nil, e.with("baton recovery list shows those there are")
}

func (s *Server) showRecovery(r *http.Request) (any, error) {
	rec, err := s.findRecovery(pathParam(r, "recovery"))
	if err != nil {
		return nil, err
	}
	return fullRecovery(rec), nil
}

// goal makes a goal of a request. Everything that only looking at the fleet can tell is checked here, in words of the request.
func (s *Server) goal(r *http.Request, req RecoveryRequest) (remediation.Goal, error) {
	goal := remediation.Goal{Kind: analysis.RecoveryKind(req.Kind), Trigger: remediation.TriggerOperator, By: req.By, Reason: req.Reason}
	for _, name := range req.Allow {
		if err := mayAllow(name); err != nil {
			return goal, err
		}
		goal.Allow = append(goal.Allow, remediation.GateName(name))
	}
	snap, failed, err := s.failed(r, req)
	if err != nil {
		return goal, err
	}
	d := deedOf(r.Context())
	d.cluster, d.instance = failed.Cluster, string(failed.Instance)
	if req.To != "" {
		to, err := findInstance(snap, "to", req.To)
		if err != nil {
			return goal, err
		}
		goal.To = to.Instance
	}
	return goalOf(failed, goal), nil
}

// failed finds whom the request is about.
func (s *Server) failed(r *http.Request, req RecoveryRequest) (*topology.Snapshot, *topology.Instance, error) {
	switch req.Kind {
	case KindFailover, KindTakeover:
		if req.Instance != "" {
			return nil, nil, badField("instance", "a %s is of a cluster; the successor is named by \"to\"", req.Kind)
		}
		snap, c, err := s.cluster(r, req.Cluster)
		if err != nil {
			return nil, nil, err
		}
		primary := snap.Instance(c.Primary)
		if primary == nil {
			return nil, nil, fail(CodeConflict, "which instance is the primary of %s cannot be told", c.Name)
		}
		return snap, primary, nil
	case KindRelocate:
		if req.To == "" {
			return nil, nil, badField("to", "name the source to go below")
		}
		snap, i, err := s.instance(r, req.Instance)
		return snap, i, err
	}
	return nil, nil, badField("kind", "%q is not one of %s, %s, %s", req.Kind, KindFailover, KindTakeover, KindRelocate)
}

// Overridable lists the gates that may be allowed not to pass.
func Overridable() []string {
	var names []string
	for _, g := range []remediation.GateName{
		remediation.GateCooldown, remediation.GateUnacked, remediation.GateHoldsAll, remediation.GatePrimaryPos, remediation.GateSemiSync,
		remediation.GateLag, remediation.GateGeography, remediation.GateErrant, remediation.GateFollow,
	} {
		if remediation.Overridable(g) {
			names = append(names, string(g))
		}
	}
	return names
}

func mayAllow(name string) error {
	if slices.Contains(Overridable(), name) {
		return nil
	}
	return withNearest(badField("allow", "%q is no gate that may be passed by name; those are %s", name, strings.Join(Overridable(), ", ")), name, Overridable())
}

// makePlan answers a dry run. Nothing is recorded and nothing is changed, so it needs no signature beyond who would ask.
func (s *Server) makePlan(r *http.Request) (any, error) {
	var req RecoveryRequest
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	if err := s.sign(r, req.Signature); err != nil {
		return nil, err
	}
	goal, err := s.goal(r, req)
	if err != nil {
		return nil, err
	}
	plan, err := s.Recoverer.Plan(r.Context(), goal)
	if err != nil && !errors.As(err, new(*remediation.Refusal)) {
		return nil, err
	}
	if plan.Goal.Kind == "" {
		plan.Goal = goal
	}
	return planOf(plan, err), nil
}

func (s *Server) startRecovery(r *http.Request) (any, error) {
	var req RecoveryRequest
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	if err := s.sign(r, req.Signature); err != nil {
		return nil, err
	}
	goal, err := s.goal(r, req)
	if err != nil {
		return nil, err
	}
	id, err := s.Recoverer.Start(r.Context(), goal)
	if err != nil {
		return nil, err
	}
	deedOf(r.Context()).recovery = id
	return Started{ID: id}, nil
}

func (s *Server) acknowledgeRecovery(r *http.Request) (any, error) {
	rec, err := s.findRecovery(pathParam(r, "recovery"))
	if err != nil {
		return nil, err
	}
	d := deedOf(r.Context())
	d.recovery, d.cluster = rec.ID, rec.Cluster
	return s.acknowledge(r, ledger.Acknowledge{Recovery: rec.ID}, "recovery "+rec.ID+" is acknowledged")
}

func (s *Server) acknowledgeCluster(r *http.Request) (any, error) {
	_, c, err := s.cluster(r, pathParam(r, "cluster"))
	if err != nil {
		return nil, err
	}
	return s.acknowledge(r, ledger.Acknowledge{Cluster: c.Name}, "the recoveries of "+c.Name+" are acknowledged")
}

func (s *Server) acknowledge(r *http.Request, body ledger.Acknowledge, text string) (any, error) {
	var sig Signature
	if err := decode(r, &sig); err != nil {
		return nil, err
	}
	if err := s.propose(r, sig, body); err != nil {
		return nil, err
	}
	return Done{Text: text}, nil
}

// streamProgress follows a recovery. The process that runs it knows most; an ended one is told from the ledger by every node.
func (s *Server) streamProgress(w http.ResponseWriter, r *http.Request) error {
	rec, err := s.findRecovery(pathParam(r, "recovery"))
	if err != nil {
		return err
	}
	leading := s.Leadership.IsLeader()
	if rec.Open() && !leading {
		return s.toLeader(w, r)
	}
	out := newStream(w)
	if leading {
		events, err := s.Recoverer.Watch(r.Context(), rec.ID)
		if err == nil {
			return s.follow(rec.ID, events, out)
		}
		if rec, err = s.findRecovery(rec.ID); err != nil {
			return err
		}
		if rec.Open() {
			return fail(CodeConflict, "recovery %s is open and cannot be followed on this node now", rec.ID).with("baton recovery show %s", rec.ID)
		}
	}
	for _, p := range replay(rec) {
		if err := out.send(p); err != nil {
			return err
		}
	}
	return nil
}

// follow passes events on until the last one. A stream that the recoverer ends early is ended from the ledger, if the recovery ended there.
func (s *Server) follow(id string, events <-chan Progress, out *stream) error {
	took := make(timer)
	for p := range events {
		took.note(&p)
		if err := out.send(p); err != nil || p.Outcome != "" {
			return err
		}
	}
	rec := s.Record.State().Recoveries[id]
	if rec == nil || rec.Open() {
		return nil // a stream without an outcome says that the end was not seen
	}
	all := replay(rec)
	return out.send(all[len(all)-1])
}

// stream writes one JSON object a line and flushes each.
type stream struct {
	w  http.ResponseWriter
	rc *http.ResponseController
	on bool
}

func newStream(w http.ResponseWriter) *stream {
	return &stream{w: w, rc: http.NewResponseController(w)}
}

func (s *stream) send(p Progress) error {
	if !s.on {
		s.w.Header().Set("Content-Type", "application/x-ndjson")
		s.w.Header().Set("X-Content-Type-Options", "nosniff")
		s.w.WriteHeader(http.StatusOK)
		s.on = true
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return err
	}
	_ = s.rc.SetWriteDeadline(time.Now().Add(streamPatience)) // where the connection has none there is none to set
	if _, err := s.w.Write(append(raw, '\n')); err != nil {
		return err
	}
	return s.rc.Flush()
}
