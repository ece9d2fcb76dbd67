package gen

import (
	"strings"
	"time"

	"github.com/batondb/baton/analysis"
)

// The shapes of the files that Prometheus reads.
type (
	ruleFile struct {
		Groups []ruleGroup `yaml:"groups"`
	}
	ruleGroup struct {
		Name  string     `yaml:"name"`
		Rules []promRule `yaml:"rules"`
	}
	promRule struct {
		Record      string            `yaml:"record,omitempty"`
		Alert       string            `yaml:"alert,omitempty"`
		Expr        string            `yaml:"expr"`
		For         string            `yaml:"for,omitempty"`
		Labels      map[string]string `yaml:"labels,omitempty"`
		Annotations map[string]string `yaml:"annotations,omitempty"`
	}
)

const alertsComment = `
One alert for every failure model, and one for everything that would keep Baton from seeing, deciding or acting.

A finding is exported only after it has held for as long as its failure model demands: the alerts of group baton-findings do not wait again.
Every node of Baton may be scraped, and only the leader tells of the fleet: the expressions take the maximum, so that it does not matter who answered.
The label recovery says what Baton may do about a finding. RUNBOOK.md says what people can.`

func alertRules(groups []alertGroup) ([]byte, error) {
	var file ruleFile
	for _, g := range groups {
		group := ruleGroup{Name: g.name}
		for _, a := range g.alerts {
			group.Rules = append(group.Rules, promRule{
				Alert: prefix + a.name, Expr: a.expr, For: duration(a.hold), Labels: a.fixed(), Annotations: a.annotations(),
			})
		}
		file.Groups = append(file.Groups, group)
	}
	return encode(alertsComment, file)
}

// recording is one recording rule.
type recording struct {
	name  string
	expr  string
	gives example // value is of the only sample, want its labels
}

const recordingComment = `
What is asked for again and again: one value for each cluster, and the arithmetic of service levels. The dashboards do without.`

func recordingRules(all []recording) ([]byte, error) {
	group := ruleGroup{Name: "baton-recording"}
	for _, r := range all {
		group.Rules = append(group.Rules, promRule{Record: r.name, Expr: r.expr})
	}
	return encode(recordingComment, ruleFile{Groups: []ruleGroup{group}})
}

// statusCodes are the states of a cluster from good to bad. The number of a state is its place.
var statusCodes = []string{"healthy", "degraded", "unprotected", "unknown", "primary_down"}

// codes turns a state set into a number: the place of the state that holds. While two nodes of Baton disagree, the worse counts.
func codes(by, metric, label, selector string, states []string) string {
	terms := make([]string, len(states))
	for n, s := range states {
		terms[n] = itoa(n) + " * " + metric + "{" + with(selector, label+`="`+s+`"`) + "}"
	}
	return "max by (" + by + ") (\n  " + strings.Join(terms, "\n  or ") + "\n)"
}

// severityCodes number the severities from low to high.
var severityCodes = []string{analysis.Info.String(), analysis.Warning.String(), analysis.Critical.String()}

func recordings() []recording {
	lag := func(instance, channel, values string) series {
		return shop("baton_replication_lag_seconds", values, "mysql_instance", instance, "channel", channel)
	}
	ofShop, behind := labels("mysql_cluster", "shop"), "baton_replication_behind_transactions"
	finding := func(instance, rule, severity string) series {
		return shop("baton_finding_active", "1x8", "mysql_instance", instance, "rule", rule, "severity", severity)
	}
	return []recording{
		{
			name: "mysql_cluster_mysql_instance:baton_replication_lag_seconds:max", expr: `max by (mysql_cluster, mysql_instance) (baton_replication_lag_seconds)`,
			gives: gives("9", labels("mysql_cluster", "shop", "mysql_instance", "db2:3306"), lag("db2:3306", "", "1x8"), lag("db2:3306", "other", "9x8")),
		},
		{
			name: "mysql_cluster:baton_replication_lag_seconds:max", expr: `max by (mysql_cluster) (baton_replication_lag_seconds)`,
			gives: gives("9", ofShop, lag("db2:3306", "", "1x8"), lag("db3:3306", "", "9x8")),
		},
		{ // what the freshest replica had not yet applied when it was seen last
			name: "mysql_cluster:baton_replication_behind_transactions:min", expr: `min by (mysql_cluster) (` + behind + `)`,
			gives: gives("3", ofShop, shop(behind, "7x8", "mysql_instance", "db2:3306", "channel", ""), shop(behind, "3x8", "mysql_instance", "db3:3306", "channel", "")),
		},
		{
			name: "mysql_cluster:baton_instance_up:ratio", expr: "avg by (mysql_cluster) (\n  max by (mysql_cluster, mysql_instance) (baton_instance_up)\n)",
			gives: gives("0.5", ofShop, shop("baton_instance_up", "1x8", "mysql_instance", "db1:3306"), shop("baton_instance_up", "0x8", "mysql_instance", "db2:3306")),
		},
		{
			name: "mysql_cluster:baton_cluster_status:code", expr: codes("mysql_cluster", "baton_cluster_status", "status", "", statusCodes),
			gives: gives("2", ofShop, status("healthy", "0x8"), status("unprotected", "1x8"), status("primary_down", "0x8")),
		},
		{
			name: "mysql_cluster_severity:baton_finding_active:count",
			expr: "count by (mysql_cluster, severity) (\n  max by (mysql_cluster, mysql_instance, rule, severity) (baton_finding_active)\n)",
			gives: gives("2", labels("mysql_cluster", "shop", "severity", "warning"),
				finding("db2:3306", "LaggingReplica", "warning"), finding("db3:3306", "LaggingReplica", "warning")),
		},
		{
			name: "job:baton_discovery_poll_failures:ratio_rate5m",
			expr: "sum by (job) (rate(baton_discovery_poll_failures_total[5m]))\n" +
				"/\n" +
				"sum by (job) (rate(baton_discovery_polls_total[5m]))",
			gives: gives("0.25", labels("job", "baton"), polls("0+60x60", "0+15x60")...),
		},
		{
			name: "job:baton_recovery_write_outage_seconds:p99_increase30d",
			expr: `histogram_quantile(0.99, sum by (job, le) (increase(baton_recovery_write_outage_seconds_bucket[30d])))`,
			gives: gives("0.99", labels("job", "baton"), of("baton-1", "baton_recovery_write_outage_seconds_bucket", "0+1x60", "le", "1"),
				of("baton-1", "baton_recovery_write_outage_seconds_bucket", "0+1x60", "le", "+Inf")),
		},
	}
}

func gives(value string, want map[string]string, in ...series) example {
	return example{series: in, value: value, want: []map[string]string{want}, after: recordedAfter}
}

// recordedAfter is when the results of recording rules are looked at.
const recordedAfter = 2 * time.Minute
