package api

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/topology"
)

func (s *Server) showStatus(*http.Request) (any, error) {
	snap, state, stats, leader := s.Fleet.Snapshot(), s.Record.State(), s.Leadership.Stats(), s.Leadership.Leader()
	out := Status{
		Node: s.Node, Version: s.Version, Ready: true, Leading: s.Leadership.IsLeader(), Leader: leader.ID, LeaderURL: leader.API,
		SnapshotAt: snap.At, Clusters: len(snap.Clusters), Instances: snap.Len(), Paused: s.pauses(),
		Ledger: LedgerStatus{
			State: stats.State, Voters: stats.Voters, Term: stats.Term, CommitIndex: stats.CommitIndex, AppliedIndex: stats.AppliedIndex,
			Entries: stats.Entries, LastSnapshot: stats.LastSnapshot,
		},
	}
	if stats.LastContact >= 0 {
		out.Ledger.LastContactSeconds = new(stats.LastContact.Seconds())
	}
	if err := s.Lifecycle.Ready(); err != nil {
		out.Ready, out.NotReady = false, err.Error()
	}
	for _, i := range s.Fleet.Incidents() {
		if i.Finding.Active() {
			out.Findings++
		}
	}
	for _, r := range state.Recoveries {
		if r.Open() {
			out.Recoveries++
		}
	}
	return out, nil
}

// probe answers as Prometheus does: plain text, 200 or 503.
func (s *Server) probe(check func() error, ok string) Handler {
	return func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if err := check(); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, err = fmt.Fprintln(w, err)
			return err
		}
		_, err := fmt.Fprintln(w, ok)
		return err
	}
}

func (s *Server) leads() error {
	if s.Leadership.IsLeader() {
		return nil
	}
	if leader := s.Leadership.Leader().ID; leader != "" {
		return fmt.Errorf("node %s leads", leader)
	}
	return errors.New("there is no leader now")
}

func (s *Server) reload(w http.ResponseWriter, _ *http.Request) error {
	if err := s.Lifecycle.Reload(); err != nil {
		return fail(CodeBadRequest, "the configuration is not reloaded, and the old one stays in force: %s", err)
	}
	return writeJSON(w, http.StatusOK, Done{Text: "the configuration is reloaded"})
}

// rule refuses the name of a rule that does not exist: a pause with a typing error would stop nothing.
func (s *Server) rule(r *http.Request, name string) error {
	deedOf(r.Context()).rule = name
	if name == "" || analysis.Find(analysis.Table, name) != nil {
		return nil
	}
	var names []string
	for _, r := range analysis.Table {
		names = append(names, r.Name)
	}
	return withNearest(fail(CodeUnknownRule, "there is no rule %q", name), name, names)
}

func topologyID(s string) topology.InstanceID { return topology.InstanceID(s) }
