package gen

import "github.com/batondb/baton/analysis"

// fleetDashboard is where one begins to look: which clusters are not well, and why.
func fleetDashboard(table []*analysis.Rule) dashboard {
	return newDashboard("fleet.json", uidFleet, "Fleet", "All clusters that Baton watches, the worst first.", "now-6h", ofJob, nil,
		fleetNumbers(),
		[]panel{clusterTable()},
		[]panel{findingTable(14), bySeverity(10)},
		heading("Over time"),
		[]panel{timeline("Cluster status", "One band for each cluster that was not healthy all the time.", 9, statusMeaning(),
			query(codes("mysql_cluster", "baton_cluster_status", "status", ofJob, statusCodes)+" > 0", "{{mysql_cluster}}"))},
		[]panel{
			graph("Replication lag, worst clusters", "The largest lag within each cluster, net of configured delays; the ten worst.", "s", 12,
				query(`topk(10, max by (mysql_cluster) (baton_replication_lag_seconds{`+ofJob+`}))`, "{{mysql_cluster}}")),
			graph("Instances", "Instances by what the last probe of the leader came to.", "short", 12,
				query(`sum(max by (mysql_cluster, mysql_instance) (baton_instance_up{`+ofJob+`}))`, "up"),
				query(`count(max by (mysql_cluster, mysql_instance) (baton_instance_up{`+ofJob+`}) == 0) or vector(0)`, "down")).
				colorOf("up", "green").colorOf("down", "red").stacked(),
		},
		heading("Failure models"),
		[]panel{ruleTable(table)},
	)
}

func fleetNumbers() []panel {
	clusters := stat("Clusters", "How many clusters are in each state.", 10,
		now(`sum by (status) (max by (mysql_cluster, status) (baton_cluster_status{`+ofJob+`}))`, "{{status}}"))
	clusters.Options["textMode"] = "value_and_name"
	for n, s := range statusCodes {
		clusters = clusters.colorOf(s, statusMeaning().Options[itoa(n)].Color)
	}
	return []panel{
		clusters,
		stat("Instances up", "Instances that answered the last probe, of all that are known.", 4,
			now(`sum(max by (mysql_cluster, mysql_instance) (baton_instance_up{`+ofJob+`}))`, "up"),
			now(`count(max by (mysql_cluster, mysql_instance) (baton_instance_role{`+ofJob+`}))`, "known")),
		stat("Critical findings", "Someone's writes fail, or data is at stake.", 3, now(activeCount("critical"), "critical")).limited(someAre("red")),
		stat("Warnings", "The next failure would hurt.", 3, now(activeCount("warning"), "warning")).limited(someAre("orange")),
		stat("Recoveries running", "Recoveries that Baton carries out at this moment.", 2,
			now(`count(max by (mysql_cluster) (baton_recovery_active{`+ofJob+`})) or vector(0)`, "running")).limited(someAre("purple")),
		stat("Automation", "Whether Baton may repair anything by itself. A cluster may be paused or held back all the same.", 2,
			now(`max(baton_recoveries_enabled{`+ofJob+`})`, "automation")).meaning(yesNo("on", "green", "paused", "orange")),
	}
}

func activeCount(severity string) string {
	return `count(max by (mysql_cluster, mysql_instance, rule) (baton_finding_active{` + with(ofJob, `severity="`+severity+`"`) + `})) or vector(0)`
}

// clusterTable has a row for each cluster and leads to its dashboard.
func clusterTable() panel {
	inCluster := func(severity string) string {
		return `count by (mysql_cluster) (max by (mysql_cluster, mysql_instance, rule) (baton_finding_active{` + with(ofJob, `severity="`+severity+`"`) + `}))`
	}
	return grid("Clusters", "The worst first. A click on a cluster leads to its dashboard.", 24, 12, []column{
		label("mysql_cluster", "Cluster", leadsToCluster()),
		value("A", "Status", meant(statusMeaning())...),
		label("primary", "Primary"),
		label("domain", ""),
		value("B", ""),
		value("C", "Instances"),
		value("D", "Critical", limits(someAre("red"))...),
		value("E", "Warnings", limits(someAre("orange"))...),
		value("F", "Lag", inUnit("s")),
		value("G", "Behind"),
		label("level", "Autonomy"),
		value("H", ""),
		value("I", "Unacknowledged"),
		value("J", "Last recovery", inUnit("dateTimeFromNow")),
	}, "Status",
		rows(codes("mysql_cluster", "baton_cluster_status", "status", ofJob, statusCodes)),
		rows(`max by (mysql_cluster, primary, domain) (baton_cluster_info{`+ofJob+`})`),
		rows(`max by (mysql_cluster) (baton_cluster_instances{`+ofJob+`})`),
		rows(inCluster("critical")),
		rows(inCluster("warning")),
		rows(`max by (mysql_cluster) (baton_replication_lag_seconds{`+ofJob+`})`),
		rows(`max by (mysql_cluster) (baton_replication_behind_transactions{`+ofJob+`})`),
		rows(`max by (mysql_cluster, level) (baton_cluster_autonomy{`+ofJob+`}) == 1`),
		rows(`max by (mysql_cluster) (baton_recovery_unacknowledged{`+ofJob+`})`),
		rows(`max by (mysql_cluster) (baton_recovery_last_end_timestamp_seconds{`+ofJob+`}) * 1000`),
	)
}

// findingTable lists what is wrong now.
func findingTable(w int) panel {
	return grid("What is wrong now", "Findings that are not explained by others, the newest first.", w, 9, []column{
		only("Since", inUnit("dateTimeFromNow")),
		label("severity", "Severity"),
		label("rule", "Failure model"),
		label("mysql_cluster", "Cluster", leadsToCluster()),
		label("mysql_instance", "Instance"),
	}, "Since", rows(`max by (mysql_cluster, mysql_instance, rule, severity) (baton_finding_since_timestamp_seconds{`+ofJob+`}) * 1000`))
}

func bySeverity(w int) panel {
	p := graph("Findings", "Active findings by severity.", "short", w,
		query(`count by (severity) (max by (mysql_cluster, mysql_instance, rule, severity) (baton_finding_active{`+ofJob+`}))`, "{{severity}}")).stacked()
	for _, s := range severities() {
		p = p.colorOf(s, severityColors[s])
	}
	p.GridPos.H = 9
	return p
}

// ruleTable has a row for every failure model, whether it was ever found or not.
func ruleTable(table []*analysis.Rule) panel {
	severe := make([]state, 0, len(table))
	for _, r := range table {
		severe = append(severe, state{r.Name, "", severityColors[r.Severity.String()]})
	}
	name := []property{
		{"mappings", []mapping{mapped(severe...)}},
		{"links", []link{{Title: "Read the runbook", URL: runbookURL + "#${__value.text}", TargetBlank: true}}},
	}
	return grid("What Baton looks for", "Every failure model, how often it holds now, and how often it began to within the time range. A click leads to the runbook.", 24, 14, []column{
		label("rule", "Failure model", append(name, inColor()...)...),
		label("severity", "Severity"),
		label("recovery", "Recovery"),
		value("A", ""),
		value("B", "Now", limits(someAre("red"))...),
		value("C", "Began", property{"decimals", 0}),
	}, "Began",
		rows(`max by (rule, severity, recovery) (baton_rule_info{`+ofJob+`})`),
		rows(`count by (rule) (max by (mysql_cluster, mysql_instance, rule) (baton_finding_active{`+ofJob+`}))`),
		rows(`sum by (rule) (increase(baton_findings_total{`+ofJob+`}[$__range]))`),
	)
}
