package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/batondb/baton/ledger"
	"github.com/batondb/baton/topology"
)

// What is taken where a request leaves a duration out.
const (
	defaultDowntime    = time.Hour
	defaultMaintenance = time.Hour
	defaultForget      = 24 * time.Hour
)

// propose signs what an operator asks for and has it agreed on.
func (s *Server) propose(r *http.Request, sig Signature, body ledger.Body) error {
	if err := s.sign(r, sig); err != nil {
		return err
	}
	entry, err := ledger.NewEntry(sig.By, sig.Reason, body)
	if err != nil {
		return err
	}
	entry.At = s.Now()
	return s.Record.Propose(r.Context(), entry)
}

// until is the end of something that begins now, and what was assumed about it.
func (s *Server) until(d Duration, otherwise time.Duration) (end time.Time, note string) {
	if d == 0 {
		return s.Now().Add(otherwise), fmt.Sprintf("no duration was given: it ends after the default of %s", otherwise)
	}
	return s.Now().Add(time.Duration(d)), ""
}

func (s *Server) listDowntimes(*http.Request) (any, error) {
	state, now, out := s.Record.State(), s.Now(), []Downtime{}
	for id, d := range state.Downtimes {
		if now.Before(d.End) {
			out = append(out, downtimeOf(id, d))
		}
	}
	slices.SortFunc(out, func(a, b Downtime) int { return strings.Compare(a.Instance, b.Instance) })
	return out, nil
}

func (s *Server) beginDowntime(r *http.Request) (any, error) {
	var req DowntimeRequest
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	_, i, err := s.instance(r, req.Instance)
	if err != nil {
		return nil, err
	}
	end, note := s.until(req.For, defaultDowntime)
	if err := s.propose(r, req.Signature, ledger.BeginDowntime{Instance: string(i.Instance), End: end}); err != nil {
		return nil, err
	}
	return Downtime{Instance: string(i.Instance), Owner: req.By, Reason: req.Reason, Begin: s.Now(), End: end, Note: note}, nil
}

// endDowntime takes any instance: one that was forgotten meanwhile may still be in downtime.
func (s *Server) endDowntime(r *http.Request) (any, error) {
	id, err := topology.ParseInstanceID(pathParam(r, "instance"), topology.DefaultPort)
	if err != nil {
		return nil, badField("instance", "%s", err)
	}
	deedOf(r.Context()).instance = string(id)
	if err := s.propose(r, querySignature(r), ledger.EndDowntime{Instance: string(id)}); err != nil {
		return nil, err
	}
	return Done{Text: fmt.Sprintf("the downtime of %s is over", id)}, nil
}

func (s *Server) listPauses(*http.Request) (any, error) {
	return s.pauses(), nil
}

func (s *Server) pauses() []Pause {
	state, now, out := s.Record.State(), s.Now(), []Pause{}
	for _, p := range state.Pauses {
		if p.Until.IsZero() || now.Before(p.Until) {
			out = append(out, pauseOf(p))
		}
	}
	slices.SortFunc(out, func(a, b Pause) int { return strings.Compare(a.Scope, b.Scope) })
	return out
}

func (s *Server) pause(r *http.Request) (any, error) {
	var req PauseRequest
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	body := ledger.PauseAutomation{Rule: req.Rule}
	if req.Cluster != "" {
		_, c, err := s.cluster(r, req.Cluster)
		if err != nil {
			return nil, err
		}
		body.Cluster = c.Name
	}
	if err := s.rule(r, req.Rule); err != nil {
		return nil, err
	}
	if req.For != 0 {
		body.Until = s.Now().Add(time.Duration(req.For))
	}
	if err := s.propose(r, req.Signature, body); err != nil {
		return nil, err
	}
	return pauseOf(ledger.Pause{Cluster: body.Cluster, Rule: body.Rule, By: req.By, Reason: req.Reason, At: s.Now(), Until: body.Until}), nil
}

// resume names the scope as the pause did; a cluster that is gone by now can still be resumed.
func (s *Server) resume(r *http.Request) (any, error) {
	q := r.URL.Query()
	body := ledger.ResumeAutomation{Cluster: q.Get("cluster"), Rule: q.Get("rule")}
	if c, err := findCluster(s.Fleet.Snapshot(), body.Cluster); body.Cluster != "" && err == nil {
		body.Cluster = c.Name
	}
	d := deedOf(r.Context())
	d.cluster, d.rule = body.Cluster, body.Rule
	if err := s.propose(r, querySignature(r), body); err != nil {
		return nil, err
	}
	return Done{Text: "automation is resumed for " + ledger.Pause{Cluster: body.Cluster, Rule: body.Rule}.Scope()}, nil
}

func (s *Server) listMaintenance(*http.Request) (any, error) {
	state, now, out := s.Record.State(), s.Now(), []Maintenance{}
	for _, m := range state.Maintenance {
		if now.Before(m.Until) {
			out = append(out, maintenanceOf(m))
		}
	}
	slices.SortFunc(out, func(a, b Maintenance) int { return strings.Compare(a.Cluster+a.Instance, b.Cluster+b.Instance) })
	return out, nil
}

func (s *Server) beginMaintenance(r *http.Request) (any, error) {
	var req MaintenanceRequest
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	end, note := s.until(req.For, defaultMaintenance)
	body := ledger.BeginMaintenance{Until: end}
	switch {
	case (req.Instance == "") == (req.Cluster == ""):
		return nil, badField("instance", "name an instance or a cluster, and not both")
	case req.Instance != "":
		_, i, err := s.instance(r, req.Instance)
		if err != nil {
			return nil, err
		}
		body.Instance = string(i.Instance)
	default:
		_, c, err := s.cluster(r, req.Cluster)
		if err != nil {
			return nil, err
		}
		body.Cluster = c.Name
	}
	if err := s.propose(r, req.Signature, body); err != nil {
		return nil, err
	}
	return Maintenance{Instance: body.Instance, Cluster: body.Cluster, Owner: req.By, Reason: req.Reason, Since: s.Now(), Until: end, Note: note}, nil
}

func (s *Server) endMaintenance(r *http.Request) (any, error) {
	q := r.URL.Query()
	body := ledger.EndMaintenance{Instance: q.Get("instance"), Cluster: q.Get("cluster")}
	if body.Instance != "" {
		id, err := topology.ParseInstanceID(body.Instance, topology.DefaultPort)
		if err != nil {
			return nil, badField("instance", "%s", err)
		}
		body.Instance = string(id)
	}
	if c, err := findCluster(s.Fleet.Snapshot(), body.Cluster); body.Cluster != "" && err == nil {
		body.Cluster = c.Name
	}
	d := deedOf(r.Context())
	d.instance, d.cluster = body.Instance, body.Cluster
	if err := s.propose(r, querySignature(r), body); err != nil {
		return nil, err
	}
	return Done{Text: "the maintenance of " + ledger.Maintenance{Instance: body.Instance, Cluster: body.Cluster}.Scope() + " is over"}, nil
}

// discover probes before it records: an instance that cannot be read is told to whoever asked, and leaves nothing behind.
func (s *Server) discover(r *http.Request) (any, error) {
	var req DiscoverRequest
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	if err := s.sign(r, req.Signature); err != nil {
		return nil, err
	}
	id, err := topology.ParseInstanceID(req.Instance, topology.DefaultPort)
	if err != nil {
		return nil, badField("instance", "%s", err)
	}
	deedOf(r.Context()).instance = string(id)
	seen, err := s.Discoverer.Discover(r.Context(), id)
	if err != nil {
		return nil, fail(CodeInstanceUnreadable, "%s", err)
	}
	if err := s.propose(r, req.Signature, ledger.AddSeed{Instance: string(id)}); err != nil {
		return nil, err
	}
	v := s.view()
	if i := v.snap.Instance(seen.Instance); i != nil && i.Known() {
		return v.instanceView(i), nil
	}
	// The snapshot does not have it yet: what the probe saw is placed by itself.
	alone := topology.Build(topology.Input{At: s.Now(), Observations: []topology.Observation{seen}, Intents: v.snap.Intents, Patience: v.snap.Patience})
	v.snap = alone
	return v.instanceView(alone.Instance(seen.Instance)), nil
}

// forget records before it forgets, so that no node brings the instance back. One that is only a seed can be forgotten too.
func (s *Server) forget(r *http.Request) (any, error) {
	id, err := topology.ParseInstanceID(pathParam(r, "instance"), topology.DefaultPort)
	if err != nil {
		return nil, badField("instance", "%s", err)
	}
	d := defaultForget
	if text := r.URL.Query().Get("for"); text != "" {
		var given Duration
		if err := given.UnmarshalText([]byte(text)); err != nil {
			return nil, badField("for", "%s", err)
		}
		d = time.Duration(given)
	}
	if _, seed := s.Record.State().Seeds[string(id)]; !seed {
		if _, _, err := s.instance(r, string(id)); err != nil {
			return nil, err
		}
	}
	deedOf(r.Context()).instance = string(id)
	if err := s.propose(r, querySignature(r), ledger.Forget{Instance: string(id), Until: s.Now().Add(d)}); err != nil {
		return nil, err
	}
	if err := s.Discoverer.Forget(r.Context(), id); err != nil {
		return nil, err
	}
	return Done{Text: fmt.Sprintf("%s is forgotten, and not discovered again for %s", id, d)}, nil
}

func (s *Server) setPromotionRule(r *http.Request) (any, error) {
	var req PromotionRuleRequest
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	_, i, err := s.instance(r, pathParam(r, "instance"))
	if err != nil {
		return nil, err
	}
	body := ledger.SetPromotionRule{Instance: string(i.Instance), Rule: req.Rule}
	if req.For != 0 {
		body.Until = s.Now().Add(time.Duration(req.For))
	}
	if err := s.propose(r, req.Signature, body); err != nil {
		return nil, err
	}
	if req.Rule == "" {
		return Done{Text: fmt.Sprintf("the promotion rule of %s is the configured one again", i.Instance)}, nil
	}
	return Done{Text: fmt.Sprintf("the promotion rule of %s is %s", i.Instance, req.Rule)}, nil
}
