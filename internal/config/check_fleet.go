package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// leastInterval keeps a slip of the pen from becoming a flood of probes.
const leastInterval = 10 * time.Millisecond

func (d *Discovery) check(p *problems) {
	d.checkSeeds(p)
	if d.Interval < leastInterval {
		p.add("discovery.interval", "is %s and must be at least %s", formatDuration(d.Interval), formatDuration(leastInterval))
	}
	if d.ForgetAfter <= d.Interval {
		p.add("discovery.forget_after", "is %s, not more than discovery.interval (%s); raise it to hours or days",
			formatDuration(d.ForgetAfter), formatDuration(d.Interval))
	}
	p.oneOf("discovery.resolve", d.Resolve, "none", "ip", "cname")
	for _, from := range slices.Sorted(maps.Keys(d.Names)) {
		p.complain(join("discovery.names", from), isRenaming(from, d.Names[from]))
	}
	for _, q := range []struct{ key, query string }{
		{"cluster_alias_query", d.ClusterAliasQuery}, {"data_center_query", d.DataCenterQuery}, {"region_query", d.RegionQuery}, {"lag_query", d.LagQuery},
	} {
		p.complain("discovery."+q.key, isQuery(q.query))
	}
	if d.Workers < 0 || d.Workers > 10_000 {
		p.add("discovery.workers", "is %d and must be from 0 to 10000", d.Workers)
	}
}

// checkSeeds also brings the seeds into the form in which instances are named.
func (d *Discovery) checkSeeds(p *problems) {
	seen := make(map[topology.InstanceID]int)
	for i, seed := range d.Seeds {
		at := fmt.Sprintf("discovery.seeds[%d]", i)
		id, err := instanceID(string(seed))
		if err != nil {
			p.add(at, "%s", err)
			continue
		}
		if before, twice := seen[id]; twice {
			p.add(at, "%s is there already, as discovery.seeds[%d]; remove one of them", id, before)
		}
		seen[id] = i
		d.Seeds[i] = id
	}
}

// instanceID reads a server's name. A user in it is not repeated, because a password may stand beside it.
func instanceID(text string) (topology.InstanceID, error) {
	if strings.Contains(text, "@") {
		return "", errors.New("holds a user; write host:port alone, and the account under mysql")
	}
	id, err := topology.ParseInstanceID(text, topology.DefaultPort)
	if err != nil {
		return "", err
	}
	return id, nil
}

// isRenaming checks that both names are of hosts, or both of instances.
func isRenaming(from, to string) error {
	for _, name := range []string{from, to} {
		if _, err := instanceID(name); err != nil {
			return err
		}
	}
	if hasPort(from) != hasPort(to) {
		return fmt.Errorf("%q and %q must both have a port, or neither", from, to)
	}
	return nil
}

// hasPort tells by asking with two different defaults.
func hasPort(name string) bool {
	a, _ := topology.ParseInstanceID(name, 1)
	b, _ := topology.ParseInstanceID(name, 2)
	return a == b
}

// isQuery checks that a query can be asked together with others: one statement that reads, without a comment that would swallow the next.
func isQuery(sql string) error {
	sql = strings.TrimRight(sql, "; \t\r\n")
	switch {
	case strings.Contains(sql, ";"):
		return errors.New("must be a single statement, without a semicolon inside")
	case strings.Contains(sql, "--") || strings.Contains(sql, "#"):
		return errors.New("must not contain a comment; remove it")
	}
	words := strings.Fields(sql)
	if len(words) == 0 {
		return nil
	}
	verb := strings.TrimLeft(strings.ToUpper(words[0]), "(")
	if !slices.Contains([]string{"SELECT", "WITH", "SHOW", "VALUES", "TABLE"}, verb) {
		return fmt.Errorf("must begin with SELECT, WITH or SHOW, not with %s; Baton only reads with it", verb)
	}
	return nil
}

func (r *Recovery) check(p *problems, path string) {
	words := make([]string, len(levels))
	for i, level := range levels {
		words[i] = string(level)
	}
	p.oneOf(path+".autonomy", string(r.Autonomy), words...)
	p.positive(path+".max_lag", r.MaxLag)
	p.positive(path+".write_block", r.WriteBlock)
	p.positive(path+".drain_stall", r.DrainStall)
	for i, name := range r.Allow {
		p.complain(fmt.Sprintf("%s.allow[%d]", path, i), isAllowed(name))
	}
}

// levels are the levels of autonomy.
var levels = []remediation.Autonomy{remediation.Observe, remediation.Recommend, remediation.Approve, remediation.Auto}

// gates are all gates there are.
var gates = []remediation.GateName{
	remediation.GateTarget, remediation.GateAutomation, remediation.GateAutonomy, remediation.GateDowntime, remediation.GateMaintenance,
	remediation.GateOpen, remediation.GateCooldown, remediation.GateUnacked, remediation.GateFinding, remediation.GateQuorum,
	remediation.GateBreaker, remediation.GateCandidate, remediation.GateHoldsAll, remediation.GatePrimaryPos, remediation.GateSemiSync,
	remediation.GateLag, remediation.GateGeography, remediation.GateErrant, remediation.GateFollow,
}

// isAllowed checks that a gate may be passed by name.
func isAllowed(name remediation.GateName) error {
	if remediation.Overridable(name) {
		return nil
	}
	var may []string
	for _, g := range gates {
		if remediation.Overridable(g) {
			may = append(may, string(g))
		}
	}
	slices.Sort(may)
	if slices.Contains(gates, name) {
		return fmt.Errorf("gate %q cannot be allowed to fail; those that can are %s", name, strings.Join(may, ", "))
	}
	if near := nearest(string(name), may); near != "" {
		return fmt.Errorf("there is no gate %q; the nearest is %q", name, near)
	}
	return fmt.Errorf("there is no gate %q; those that can be allowed to fail are %s", name, strings.Join(may, ", "))
}

func (f *File) checkClusters(p *problems) {
	seen := make(map[string]int)
	for i := range f.Clusters {
		c := &f.Clusters[i]
		at := fmt.Sprintf("clusters[%d]", i)
		if c.Name == "" {
			p.add(at+".name", "is missing; give the cluster a name")
		} else {
			p.complain(at+".name", isName(c.Name))
			if before, twice := seen[c.Name]; twice {
				p.add(at+".name", "%q is there already, as clusters[%d]; make one entry of the two", c.Name, before)
			}
			seen[c.Name] = i
		}
		p.positive(at+".lag_threshold", c.LagThreshold)
		c.Recovery.check(p, at)
	}
}
