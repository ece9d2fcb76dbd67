package api

import (
	"net/http"
	"net/http/pprof"
	"slices"
)

// The parameters that several routes share.
var (
	clusterParam = Param{"cluster", "only of this cluster, by name or alias"}
	byParam      = Param{"by", "who asks"}
	reasonParam  = Param{"reason", "why"}
)

// table is all that the server serves. To add an endpoint: one row here, a wire type, a handler, a method of Client.
func (s *Server) table() []Route {
	return slices.Concat(s.fleetRoutes(), s.recoveryRoutes(), s.operatorRoutes(), s.processRoutes())
}

func (s *Server) fleetRoutes() []Route {
	return []Route{
		{
			Method: http.MethodGet, Path: "/api/v1/clusters", Role: RoleViewer, Response: []ClusterSummary{}, Handler: answer(s.listClusters),
			Doc: "List the clusters.",
		},
		{
			Method: http.MethodGet, Path: "/api/v1/clusters/{cluster}", Role: RoleViewer, Response: ClusterView{}, Handler: answer(s.showCluster),
			Doc: "Show one cluster with its instances and findings.",
		},
		{
			Method: http.MethodGet, Path: "/api/v1/clusters/{cluster}/topology", Role: RoleViewer, Response: Topology{}, Handler: answer(s.showTopology),
			Doc: "Show one cluster as a tree.",
		},
		{
			Method: http.MethodGet, Path: "/api/v1/clusters/{cluster}/why-not", Role: RoleViewer, Response: WhyNot{}, Handler: s.showWhyNot,
			Doc: "Say what would happen if the primary died now, and what stands in the way of a recovery that nobody asks for.",
		},
		{
			Method: http.MethodGet, Path: "/api/v1/instances", Role: RoleViewer, Response: []InstanceView{}, Handler: answer(s.listInstances),
			Query: []Param{clusterParam}, Doc: "List the instances.",
		},
		{
			Method: http.MethodGet, Path: "/api/v1/instances/{instance}", Role: RoleViewer, Response: InstanceView{}, Handler: answer(s.showInstance),
			Doc: "Show one instance.",
		},
		{
			Method: http.MethodGet, Path: "/api/v1/findings", Role: RoleViewer, Response: []Finding{}, Handler: answer(s.listFindings),
			Query: []Param{clusterParam}, Doc: "List what is wrong, those that another finding hides or somebody asked to ignore included.",
		},
		{
			Method: http.MethodGet, Path: "/api/v1/rules", Role: RoleViewer, Response: []RuleDoc{}, Handler: answer(s.listRules),
			Doc: "List the failure models in their order of precedence.",
		},
		{
			Method: http.MethodGet, Path: "/api/v1/rules/{rule}/explain", Role: RoleViewer, Response: Explanation{}, Handler: answer(s.explainRule),
			Query: []Param{{"instance", "of whom to ask a rule about instances"}, {"area", "of what to ask a rule about areas: fleet, or as findings name it"}},
			Doc:   "Say which conditions of a rule hold.",
		},
		{
			Method: http.MethodGet, Path: "/api/v1/snapshot", Role: RoleViewer, Response: map[string]any{}, Handler: s.showSnapshot,
			Doc: "Give everything that is seen as a snapshot file, which can be judged anywhere.",
		},
	}
}

func (s *Server) recoveryRoutes() []Route {
	return []Route{
		{
			Method: http.MethodGet, Path: "/api/v1/recoveries", Role: RoleViewer, Response: []RecoveryView{}, Handler: answer(s.listRecoveries),
			Query: []Param{clusterParam, {"open", "true: only those that have not ended; false: only those that have"}},
			Doc:   "List recoveries, the newest first, without their steps.",
		},
		{
			Method: http.MethodGet, Path: "/api/v1/recoveries/{recovery}", Role: RoleViewer, Response: RecoveryView{}, Handler: answer(s.showRecovery),
			Doc: "Show one recovery with its plan and steps.",
		},
		{
			Method: http.MethodGet, Path: "/api/v1/recoveries/{recovery}/progress", Role: RoleViewer, Response: Progress{}, Stream: true, Handler: s.streamProgress,
			Doc: "Follow a recovery: what happened so far, then what happens, one JSON object a line.",
		},
		{
			Method: http.MethodPost, Path: "/api/v1/plans", Role: RoleViewer, LeaderOnly: true, Request: RecoveryRequest{}, Response: Plan{}, Handler: answer(s.makePlan),
			Doc: "Plan a recovery without carrying it out. A plan that would be refused is an answer with a refusal, not an error.",
		},
		{
			Method: http.MethodPost, Path: "/api/v1/recoveries", Role: RoleOperator, LeaderOnly: true, Action: "start_recovery", Status: http.StatusAccepted,
			Request: RecoveryRequest{}, Response: Started{}, Handler: answerWith(http.StatusAccepted, s.startRecovery),
			Doc: "Start a recovery. It goes on after the answer; follow it by its progress.",
		},
		{
			Method: http.MethodPost, Path: "/api/v1/recoveries/{recovery}/acknowledge", Role: RoleOperator, LeaderOnly: true, Action: "acknowledge",
			Request: Signature{}, Response: Done{}, Handler: answer(s.acknowledgeRecovery), Doc: "Sign one recovery as seen.",
		},
		{
			Method: http.MethodPost, Path: "/api/v1/clusters/{cluster}/acknowledge", Role: RoleOperator, LeaderOnly: true, Action: "acknowledge",
			Request: Signature{}, Response: Done{}, Handler: answer(s.acknowledgeCluster), Doc: "Sign all recoveries of a cluster as seen.",
		},
	}
}

func (s *Server) operatorRoutes() []Route {
	get := func(path, doc string, response any, f func(*http.Request) (any, error)) Route {
		return Route{Method: http.MethodGet, Path: path, Role: RoleViewer, Response: response, Handler: answer(f), Doc: doc}
	}
	change := func(method, path, action, doc string, request, response any, f func(*http.Request) (any, error), query ...Param) Route {
		return Route{
			Method: method, Path: path, Role: RoleOperator, LeaderOnly: true, Action: action, Request: request, Response: response,
			Handler: answer(f), Query: query, Doc: doc,
		}
	}
	return []Route{
		get("/api/v1/downtimes", "List the downtimes in force.", []Downtime{}, s.listDowntimes),
		change(http.MethodPost, "/api/v1/downtimes", "begin_downtime", "Ignore the findings of an instance for a time.", DowntimeRequest{}, Downtime{}, s.beginDowntime),
		change(http.MethodDelete, "/api/v1/downtimes/{instance}", "end_downtime", "Heed the findings of an instance again.", nil, Done{}, s.endDowntime, byParam, reasonParam),
		get("/api/v1/pauses", "List the pauses in force.", []Pause{}, s.listPauses),
		change(http.MethodPost, "/api/v1/pauses", "pause", "Stop automatic recoveries of the fleet, a cluster, a rule, or a rule in a cluster.", PauseRequest{}, Pause{}, s.pause),
		change(http.MethodDelete, "/api/v1/pauses", "resume", "End the pause of exactly this scope.", nil, Done{}, s.resume,
			Param{"cluster", "of the pause; left out: of a rule or the fleet"}, Param{"rule", "of the pause"}, byParam, reasonParam),
		get("/api/v1/maintenance", "List what is in maintenance.", []Maintenance{}, s.listMaintenance),
		change(http.MethodPost, "/api/v1/maintenance", "begin_maintenance", "Reserve an instance or a cluster: nobody else moves it.", MaintenanceRequest{}, Maintenance{}, s.beginMaintenance),
		change(http.MethodDelete, "/api/v1/maintenance", "end_maintenance", "End a maintenance.", nil, Done{}, s.endMaintenance,
			Param{"instance", "that is in maintenance"}, Param{"cluster", "that is in maintenance"}, byParam, reasonParam),
		change(http.MethodPost, "/api/v1/instances", "discover", "Probe an instance now and watch it from then on.", DiscoverRequest{}, InstanceView{}, s.discover),
		change(http.MethodDelete, "/api/v1/instances/{instance}", "forget", "Stop watching an instance, and do not discover it again for a time.", nil, Done{}, s.forget,
			Param{"for", "how long, like 24h, which is the default"}, byParam, reasonParam),
		change(http.MethodPut, "/api/v1/instances/{instance}/promotion-rule", "set_promotion_rule", "Say how welcome an instance is as a primary.",
			PromotionRuleRequest{}, Done{}, s.setPromotionRule),
	}
}

func (s *Server) processRoutes() []Route {
	routes := []Route{
		{Method: http.MethodGet, Path: "/api/v1/status", Role: RoleViewer, Response: Status{}, Handler: answer(s.showStatus), Doc: "Show the state of the node that answers."},
		{Method: http.MethodGet, Path: "/api/v1/openapi.json", Role: RoleViewer, Response: map[string]any{}, Handler: answer(s.showOpenAPI), Doc: "Describe this API."},
		{Method: http.MethodGet, Path: "/-/healthy", Role: RoleViewer, Handler: s.probe(s.Lifecycle.Healthy, "Baton is healthy."), Doc: "Answer 200 while the process is alive."},
		{Method: http.MethodGet, Path: "/-/ready", Role: RoleViewer, Handler: s.probe(s.Lifecycle.Ready, "Baton is ready."), Doc: "Answer 200 while the node can serve."},
		{Method: http.MethodGet, Path: "/-/leader", Role: RoleViewer, Handler: s.probe(s.leads, "This node leads."), Doc: "Answer 200 on the node that leads."},
		{Method: http.MethodPost, Path: "/-/reload", Role: RoleAdmin, Action: "reload", Handler: s.reload, Doc: "Read the configuration again."},
		{Method: http.MethodPut, Path: "/-/reload", Role: RoleAdmin, Action: "reload", Handler: s.reload, Doc: "Read the configuration again."},
	}
	if s.Metrics != nil {
		routes = append(routes, Route{Method: http.MethodGet, Path: "/metrics", Role: RoleViewer, Handler: raw(s.Metrics.ServeHTTP), Doc: "Give the metrics of this node."})
	}
	if s.Pprof {
		// Profiles take as long as they are asked to: they are streams as far as time limits go.
		for _, p := range []struct {
			path  string
			serve http.HandlerFunc
		}{
			{"/debug/pprof/", pprof.Index},
			{"/debug/pprof/cmdline", pprof.Cmdline},
			{"/debug/pprof/profile", pprof.Profile},
			{"/debug/pprof/symbol", pprof.Symbol},
			{"/debug/pprof/trace", pprof.Trace},
			{"/debug/pprof/{profile}", pprof.Index},
		} {
			routes = append(routes, Route{Method: http.MethodGet, Path: p.path, Role: RoleAdmin, Stream: true, Handler: raw(p.serve), Doc: "Profile this process."})
		}
	}
	return routes
}

func raw(f http.HandlerFunc) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		f(w, r)
		return nil
	}
}
