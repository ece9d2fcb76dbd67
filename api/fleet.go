package api

import (
	"net/http"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/topology"
)

func (s *Server) listClusters(*http.Request) (any, error) {
	v := s.view()
	out := []ClusterSummary{}
	for _, c := range v.snap.Clusters {
		out = append(out, s.summary(v, c))
	}
	return out, nil
}

func (s *Server) showCluster(r *http.Request) (any, error) {
	v := s.view()
	c, err := findCluster(v.snap, pathParam(r, "cluster"))
	if err != nil {
		return nil, err
	}
	out := ClusterView{ClusterSummary: s.summary(v, c), Members: v.members(c), Findings: v.findings(c.Name)}
	return out, nil
}

func (s *Server) showTopology(r *http.Request) (any, error) {
	v := s.view()
	c, err := findCluster(v.snap, pathParam(r, "cluster"))
	if err != nil {
		return nil, err
	}
	return Topology{At: v.snap.At, Cluster: s.summary(v, c), Roots: v.tree(c)}, nil
}

func (s *Server) listInstances(r *http.Request) (any, error) {
	v := s.view()
	out := []InstanceView{}
	name := r.URL.Query().Get("cluster")
	if name != "" {
		c, err := findCluster(v.snap, name)
		if err != nil {
			return nil, err
		}
		return v.members(c), nil
	}
	for _, c := range v.snap.Clusters {
		out = append(out, v.members(c)...)
	}
	return out, nil
}

func (s *Server) showInstance(r *http.Request) (any, error) {
	v := s.view()
	i, err := findInstance(v.snap, "instance", pathParam(r, "instance"))
	if err != nil {
		return nil, err
	}
	return v.instanceView(i), nil
}

func (s *Server) listFindings(r *http.Request) (any, error) {
	v := s.view()
	name := r.URL.Query().Get("cluster")
	if name == "" {
		return v.findings(""), nil
	}
	c, err := findCluster(v.snap, name)
	if err != nil {
		return nil, err
	}
	return v.findings(c.Name), nil
}

func (v *view) members(c *topology.Cluster) []InstanceView {
	out := []InstanceView{}
	for _, m := range c.Members {
		out = append(out, v.instanceView(m))
	}
	return out
}

// findings lists those of one cluster, or all when it is empty.
func (v *view) findings(cluster string) []Finding {
	out := []Finding{}
	for _, i := range v.incidents {
		if cluster == "" || i.Finding.Cluster == cluster {
			out = append(out, FindingOf(i))
		}
	}
	return out
}

func (s *Server) listRules(*http.Request) (any, error) {
	out := []RuleDoc{}
	for _, r := range analysis.Table {
		out = append(out, ruleOf(r))
	}
	return out, nil
}

// explainRule asks a rule about instances of one instance, and a rule about the fleet of the fleet where nothing else is named.
func (s *Server) explainRule(r *http.Request) (any, error) {
	name := pathParam(r, "rule")
	rule := analysis.Find(analysis.Table, name)
	if rule == nil {
		var names []string
		for _, r := range analysis.Table {
			names = append(names, r.Name)
		}
		return nil, withNearest(fail(CodeUnknownRule, "there is no rule %q", name), name, names)
	}
	subject, err := s.subject(r, rule)
	if err != nil {
		return nil, err
	}
	out := Explanation{Rule: rule.Name, Summary: rule.Summary, Holds: rule.Holds(subject), Conditions: []Condition{}}
	if subject.Instance != nil {
		out.Instance = string(subject.Instance.Instance)
	}
	if subject.Area != nil {
		out.Area = subject.Area.Name
	}
	for _, v := range analysis.Explain(rule, subject) {
		out.Conditions = append(out.Conditions, Condition{Text: v.Text, Holds: v.Holds, Given: v.Given})
	}
	return out, nil
}

func (s *Server) subject(r *http.Request, rule *analysis.Rule) (analysis.Subject, error) {
	instance, area := r.URL.Query().Get("instance"), r.URL.Query().Get("area")
	snap, policy := s.Fleet.Snapshot(), s.Judgement()
	if rule.Scope == analysis.ScopeInstance {
		if instance == "" {
			return analysis.Subject{}, badField("instance", "rule %s is about instances: name one", rule.Name)
		}
		i, err := findInstance(snap, "instance", instance)
		if err != nil {
			return analysis.Subject{}, err
		}
		subject, _ := analysis.SubjectOf(snap, i.Instance, policy)
		return subject, nil
	}
	if instance != "" {
		return analysis.Subject{}, badField("instance", "rule %s is about a whole %s: leave the instance out", rule.Name, rule.Scope)
	}
	if area == "" {
		area = "fleet"
	}
	var names []string
	for _, subject := range analysis.Areas(snap, policy) {
		if subject.Area.Name == area {
			return subject, nil
		}
		names = append(names, subject.Area.Name)
	}
	return analysis.Subject{}, withNearest(badField("area", "there is no area %q", area), area, names)
}
