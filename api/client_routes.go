package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

func ofCluster(cluster string) url.Values {
	if cluster == "" {
		return nil
	}
	return url.Values{"cluster": {cluster}}
}

// values collects parameters that are set.
func values(pairs ...string) url.Values {
	q := make(url.Values)
	for n := 0; n+1 < len(pairs); n += 2 {
		if pairs[n+1] != "" {
			q.Set(pairs[n], pairs[n+1])
		}
	}
	return q
}

// Clusters lists the clusters.
func (c *Client) Clusters(ctx context.Context) ([]ClusterSummary, error) {
	return fetch[[]ClusterSummary](ctx, c, get("clusters"))
}

// Cluster shows one cluster by its name or alias.
func (c *Client) Cluster(ctx context.Context, name string) (ClusterView, error) {
	return fetch[ClusterView](ctx, c, get("clusters", name))
}

// Topology shows one cluster as a tree.
func (c *Client) Topology(ctx context.Context, cluster string) (Topology, error) {
	return fetch[Topology](ctx, c, get("clusters", cluster, "topology"))
}

// WhyNot says what stands in the way of an automatic recovery of a cluster.
func (c *Client) WhyNot(ctx context.Context, cluster string) (WhyNot, error) {
	return fetch[WhyNot](ctx, c, get("clusters", cluster, "why-not"))
}

// Instances lists the instances of one cluster, or all when it is empty.
func (c *Client) Instances(ctx context.Context, cluster string) ([]InstanceView, error) {
	return fetch[[]InstanceView](ctx, c, call{method: http.MethodGet, path: []string{"instances"}, query: ofCluster(cluster)})
}

// Instance shows one instance.
func (c *Client) Instance(ctx context.Context, id string) (InstanceView, error) {
	return fetch[InstanceView](ctx, c, get("instances", id))
}

// Findings lists what is wrong in one cluster, or anywhere when it is empty.
func (c *Client) Findings(ctx context.Context, cluster string) ([]Finding, error) {
	return fetch[[]Finding](ctx, c, call{method: http.MethodGet, path: []string{"findings"}, query: ofCluster(cluster)})
}

// Rules lists the failure models.
func (c *Client) Rules(ctx context.Context) ([]RuleDoc, error) {
	return fetch[[]RuleDoc](ctx, c, get("rules"))
}

// Explain says which conditions of a rule hold for an instance or, where the rule is about areas, for an area; an empty area is the fleet.
func (c *Client) Explain(ctx context.Context, rule, instance, area string) (Explanation, error) {
	return fetch[Explanation](ctx, c, call{method: http.MethodGet, path: []string{"rules", rule, "explain"}, query: values("instance", instance, "area", area)})
}

// Snapshot writes the snapshot file as the server sends it.
func (c *Client) Snapshot(ctx context.Context, w io.Writer) error {
	resp, err := c.send(ctx, get("snapshot"))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(w, resp.Body); err != nil {
		return c.unreachable(err)
	}
	return nil
}

// Recoveries lists recoveries of one cluster, or of all when it is empty: the open ones, the ended ones, or both where open is nil.
func (c *Client) Recoveries(ctx context.Context, cluster string, open *bool) ([]RecoveryView, error) {
	which := ""
	if open != nil {
		which = strconv.FormatBool(*open)
	}
	return fetch[[]RecoveryView](ctx, c, call{method: http.MethodGet, path: []string{"recoveries"}, query: values("cluster", cluster, "open", which)})
}

// Recovery shows one recovery with its plan and steps.
func (c *Client) Recovery(ctx context.Context, id string) (RecoveryView, error) {
	return fetch[RecoveryView](ctx, c, get("recoveries", id))
}

// Plan makes a dry run. A plan that would be refused is no error: it has a refusal.
func (c *Client) Plan(ctx context.Context, req RecoveryRequest) (Plan, error) {
	return fetch[Plan](ctx, c, call{method: http.MethodPost, path: []string{"plans"}, body: req})
}

// StartRecovery starts a recovery. A refusal is an *Error with CodeRefused.
func (c *Client) StartRecovery(ctx context.Context, req RecoveryRequest) (Started, error) {
	return fetch[Started](ctx, c, call{method: http.MethodPost, path: []string{"recoveries"}, body: req})
}

// Progress follows a recovery and calls each for every event until the one that has an outcome, or until each returns an error, which is returned.
// A stream that breaks off before is an *Error with CodeUnreachable: the recovery itself goes on.
func (c *Client) Progress(ctx context.Context, id string, each func(Progress) error) error {
	resp, err := c.send(ctx, get("recoveries", id, "progress"))
	if err != nil && ctx.Err() == nil {
		return err
	}
	if err != nil {
		return lostSight(id)
	}
	defer resp.Body.Close()
	for d := json.NewDecoder(resp.Body); ; {
		var p Progress
		switch err := d.Decode(&p); {
		case errors.Is(err, io.EOF), err != nil && ctx.Err() != nil:
			return lostSight(id)
		case err != nil:
			e := lostSight(id)
			e.Message += ": " + err.Error()
			return e
		}
		if err := each(p); err != nil {
			return err
		}
		if p.Outcome != "" {
			return nil
		}
	}
}

func lostSight(id string) *Error {
	return fail(CodeUnreachable, "lost sight of recovery %s before its end", id).with("it goes on: baton recovery show %s --follow", id)
}

// AcknowledgeRecovery signs one recovery as seen.
func (c *Client) AcknowledgeRecovery(ctx context.Context, id string, sig Signature) (Done, error) {
	return fetch[Done](ctx, c, call{method: http.MethodPost, path: []string{"recoveries", id, "acknowledge"}, body: sig})
}

// AcknowledgeCluster signs all recoveries of a cluster as seen.
func (c *Client) AcknowledgeCluster(ctx context.Context, cluster string, sig Signature) (Done, error) {
	return fetch[Done](ctx, c, call{method: http.MethodPost, path: []string{"clusters", cluster, "acknowledge"}, body: sig})
}

// Downtimes lists the downtimes in force.
func (c *Client) Downtimes(ctx context.Context) ([]Downtime, error) {
	return fetch[[]Downtime](ctx, c, get("downtimes"))
}

// BeginDowntime has the findings of an instance ignored.
func (c *Client) BeginDowntime(ctx context.Context, req DowntimeRequest) (Downtime, error) {
	return fetch[Downtime](ctx, c, call{method: http.MethodPost, path: []string{"downtimes"}, body: req})
}

// EndDowntime has the findings of an instance heeded again.
func (c *Client) EndDowntime(ctx context.Context, instance string, sig Signature) (Done, error) {
	return fetch[Done](ctx, c, call{method: http.MethodDelete, path: []string{"downtimes", instance}, query: values("by", sig.By, "reason", sig.Reason)})
}

// Pauses lists the pauses in force.
func (c *Client) Pauses(ctx context.Context) ([]Pause, error) {
	return fetch[[]Pause](ctx, c, get("pauses"))
}

// Pause stops automation.
func (c *Client) Pause(ctx context.Context, req PauseRequest) (Pause, error) {
	return fetch[Pause](ctx, c, call{method: http.MethodPost, path: []string{"pauses"}, body: req})
}

// Resume ends the pause of exactly this scope; both empty is the fleet.
func (c *Client) Resume(ctx context.Context, cluster, rule string, sig Signature) (Done, error) {
	return fetch[Done](ctx, c, call{method: http.MethodDelete, path: []string{"pauses"}, query: values("cluster", cluster, "rule", rule, "by", sig.By, "reason", sig.Reason)})
}

// Maintenance lists what is in maintenance.
func (c *Client) Maintenance(ctx context.Context) ([]Maintenance, error) {
	return fetch[[]Maintenance](ctx, c, get("maintenance"))
}

// BeginMaintenance reserves an instance or a cluster.
func (c *Client) BeginMaintenance(ctx context.Context, req MaintenanceRequest) (Maintenance, error) {
	return fetch[Maintenance](ctx, c, call{method: http.MethodPost, path: []string{"maintenance"}, body: req})
}

// EndMaintenance ends a maintenance of an instance or of a cluster; the other one is empty.
func (c *Client) EndMaintenance(ctx context.Context, instance, cluster string, sig Signature) (Done, error) {
	return fetch[Done](ctx, c, call{method: http.MethodDelete, path: []string{"maintenance"}, query: values("instance", instance, "cluster", cluster, "by", sig.By, "reason", sig.Reason)})
}

// Discover has an instance probed now and watched from then on.
func (c *Client) Discover(ctx context.Context, req DiscoverRequest) (InstanceView, error) {
	return fetch[InstanceView](ctx, c, call{method: http.MethodPost, path: []string{"instances"}, body: req})
}

// Forget has an instance no longer watched; for how long it is not discovered again is the server's default where d is zero.
func (c *Client) Forget(ctx context.Context, instance string, d Duration, sig Signature) (Done, error) {
	length := ""
	if d != 0 {
		length = d.String()
	}
	return fetch[Done](ctx, c, call{method: http.MethodDelete, path: []string{"instances", instance}, query: values("for", length, "by", sig.By, "reason", sig.Reason)})
}

// SetPromotionRule says how welcome an instance is as a primary.
func (c *Client) SetPromotionRule(ctx context.Context, instance string, req PromotionRuleRequest) (Done, error) {
	return fetch[Done](ctx, c, call{method: http.MethodPut, path: []string{"instances", instance, "promotion-rule"}, body: req})
}

// Status shows the state of the node that answers.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return fetch[Status](ctx, c, get("status"))
}

// OpenAPI returns the description of the API.
func (c *Client) OpenAPI(ctx context.Context) (map[string]any, error) {
	return fetch[map[string]any](ctx, c, get("openapi.json"))
}

// Healthy returns nil while the process is alive.
func (c *Client) Healthy(ctx context.Context) error { return c.ask(ctx, "healthy") }

// Ready returns nil while the node can serve, and why it cannot otherwise.
func (c *Client) Ready(ctx context.Context) error { return c.ask(ctx, "ready") }

// Leads returns nil where the node leads.
func (c *Client) Leads(ctx context.Context) error { return c.ask(ctx, "leader") }

func (c *Client) ask(ctx context.Context, what string) error {
	_, err := c.text(ctx, getRoot("-", what))
	return err
}

// Reload has the configuration read again.
func (c *Client) Reload(ctx context.Context) (Done, error) {
	return fetch[Done](ctx, c, call{method: http.MethodPost, path: []string{"-", "reload"}, root: true})
}

// Metrics returns the metrics of the node as text.
func (c *Client) Metrics(ctx context.Context) (string, error) {
	return c.text(ctx, getRoot("metrics"))
}
