package gen

import "strings"

// clusterDashboard shows one cluster: who replicates from whom, how far behind, what is wrong, and what was done.
func clusterDashboard() dashboard {
	return newDashboard("cluster.json", uidCluster, "Cluster", "One cluster: its topology, its replication, what is wrong with it and what was done about it.", "now-3h", ofCluster,
		[]variable{queryVariable("mysql_cluster", "Cluster", sampleOne, false)},
		clusterNumbers(),
		[]panel{nodeGraph()},
		[]panel{instanceTable()},
		heading("Over time"),
		[]panel{timeline("Cluster status", "What Baton says of the cluster.", 4, statusMeaning(),
			query(codes("mysql_cluster", "baton_cluster_status", "status", ofCluster, statusCodes), "{{mysql_cluster}}"))},
		[]panel{timeline("Findings", "One band for each finding that nothing explains away, while it held.", 7, severityMeaning(),
			query(activeBySeverity("mysql_instance, rule", ofCluster), "{{rule}} {{mysql_instance}}"))},
		[]panel{timeline("Roles", "Who was what.", 7, roleMeaning(), query(codes("mysql_instance", "baton_instance_role", "role", ofCluster, roles), "{{mysql_instance}}"))},
		[]panel{timeline("Answers", "Whether the last probe succeeded.", 6, upOrDown(),
			query(`max by (mysql_instance) (baton_instance_up{`+ofCluster+`})`, "{{mysql_instance}}"))},
		heading("Replication"),
		[]panel{
			graph("Lag", "Lag of each replica, net of the configured delay. A gap means that it is not known.", "s", 12,
				query(`max by (mysql_instance, channel) (baton_replication_lag_seconds{`+ofCluster+`})`, "{{mysql_instance}} {{channel}}")),
			graph("Transactions behind the primary", "What the primary had executed when it was seen last, and the replica had not.", "short", 12,
				query(`max by (mysql_instance) (baton_replication_behind_transactions{`+ofCluster+`})`, "{{mysql_instance}}")),
		},
		[]panel{
			graph("Broken links", "Links of which a receiver or an applier does not work.", "short", 12,
				query(`max by (source, target, channel) (baton_topology_edge{`+ofCluster+`}) == bool 0`, "{{source}} → {{target}} {{channel}}")),
			graph("Duration of probes", "How long the last probe of each instance took.", "s", 12,
				query(`max by (mysql_instance) (baton_instance_poll_duration_seconds{`+ofCluster+`})`, "{{mysql_instance}}")),
		},
		heading("Semi-synchronous replication"),
		semiSync(),
		heading("Recoveries"),
		[]panel{timeline("Phases of recoveries", "What a recovery was doing.", 6, yesNo("running", "purple", "", "transparent"),
			query(`max by (rule, phase) (baton_recovery_active{`+ofCluster+`})`, "{{rule}} {{phase}}"))},
		[]panel{lastRecoveries(ofCluster, 24)},
	)
}

func clusterNumbers() []panel {
	return []panel{
		stat("Status", "What Baton says of the cluster.", 4, now(codes("mysql_cluster", "baton_cluster_status", "status", ofCluster, statusCodes), "status")).meaning(statusMeaning()),
		stat("Primary", "The instance that takes the writes.", 6, now(`max by (primary) (baton_cluster_info{`+ofCluster+`})`, "{{primary}}")).names(),
		stat("Autonomy", "What Baton may do by itself.", 3, now(`max by (level) (baton_cluster_autonomy{`+ofCluster+`}) == 1`, "{{level}}")).names(),
		stat("Instances", "Instances of the cluster.", 2, now(`max(baton_cluster_instances{`+ofCluster+`})`, "instances")),
		stat("Findings", "What is wrong now.", 2,
			now(`count(max by (mysql_instance, rule) (baton_finding_active{`+ofCluster+`})) or vector(0)`, "findings")).limited(someAre("red")),
		stat("Lag", "The largest lag of a replica.", 3, now(`max(baton_replication_lag_seconds{`+ofCluster+`})`, "lag")).unit("s").limited(steps("green", from(10, "orange"), from(60, "red"))),
		stat("Promotions", "How many times a primary was agreed on.", 2, now(`max(baton_cluster_promotion_epoch{`+ofCluster+`})`, "promotions")),
		stat("To acknowledge", "Recoveries that nobody has acknowledged.", 2,
			now(`max(baton_recovery_unacknowledged{`+ofCluster+`}) or vector(0)`, "recoveries")).limited(someAre("orange")),
	}
}

// The colours of the node graph. The panel takes colours of HTML.
const (
	htmlGreen  = "#73BF69"
	htmlOrange = "#FF9830"
	htmlRed    = "#F2495C"
	htmlGrey   = "#8E8E8E"
)

// nodeGraph draws the topology with what every Grafana has. The panel reads the names of fields, and these are labels: id, title, subtitle, mainstat
// and color. A transformation that renames would not be seen by it. The queries must be called nodes and edges.
func nodeGraph() panel {
	nodes, edges := rows(nodeQuery(ofCluster)), rows(edgeQuery(ofCluster))
	nodes.RefID, edges.RefID = "nodes", "edges"
	p := newPanel("nodeGraph", "Topology", "Who replicates from whom: an arrow leads from a source to its replica. Green is well, orange has a finding, red is down or has a critical one. "+
		"Below the name stand the lag and the role. Where the panel is empty, the table below tells the same.", 24, 20, nodes, edges)
	p.Options = map[string]any{"nodes": map[string]any{}, "edges": map[string]any{}}
	return p
}

const byInstance = "mysql_cluster, mysql_instance"

// roleOf has one series for each instance, with its role as a label. While two nodes of Baton disagree, for as long as a scrape, one is taken:
// two nodes of one id would break the panel.
func roleOf(selector string) string {
	return "topk by (" + byInstance + ") (1, max by (" + byInstance + ", role) (baton_instance_role{" + selector + "}))"
}

func nodeQuery(selector string) string {
	healthy := func(color, expr string) string {
		return `label_replace(max by (` + byInstance + `) (` + expr + `), "color", "` + color + `", "", "")`
	}
	lines := []string{
		`label_replace(label_replace(label_replace(`,
		`  (`,
		`    label_replace(`,
		`      ` + roleOf(selector),
		`      * on (` + byInstance + `) group_left (lag)`,
		`      count_values by (` + byInstance + `) ("lag", round(max by (` + byInstance + `) (baton_replication_lag_seconds{` + selector + `}), 0.1))`,
		`    , "mainstat", "$1 s", "lag", "(.+)")`,
		`    or on (` + byInstance + `)`,
		`    ` + roleOf(selector),
		`  )`,
		`  * on (` + byInstance + `) group_left (color)`,
		`  (`,
		`    ` + healthy(htmlRed, `baton_instance_up{`+selector+`} == 0 or baton_finding_active{`+with(selector, `severity="critical"`)+`}`),
		`    or on (` + byInstance + `)`,
		`    ` + healthy(htmlOrange, `baton_finding_active{`+selector+`}`),
		`    or on (` + byInstance + `)`,
		`    ` + healthy(htmlGreen, `baton_instance_role{`+selector+`}`),
		`  )`,
		`, "id", "$1", "mysql_instance", "(.*)"), "title", "$1", "mysql_instance", "(.*)"), "subtitle", "$1", "role", "(.*)")`,
	}
	return strings.Join(lines, "\n")
}

// edgeQuery leaves out links to instances that are not among the nodes: one such link, and the panel draws nothing at all. What a replica said of its
// link before it fell silent is not shown as what is.
func edgeQuery(selector string) string {
	is := func(end, instances string) string {
		return `label_replace(max by (` + byInstance + `) (` + instances + `), "` + end + `", "$1", "mysql_instance", "(.*)")`
	}
	drawn := func(expr, text, color string) string {
		return `label_replace(label_replace(` + expr + `, "mainstat", "` + text + `", "", ""), "color", "` + color + `", "", "")`
	}
	edge, known := `max by (mysql_cluster, source, target) (baton_topology_edge{`+selector+`})`, `baton_instance_role{`+selector+`}`
	silent := is("target", `baton_instance_up{`+selector+`} == 0`)
	lines := []string{
		`label_join(`,
		`  (`,
		`    ` + drawn(edge+` and on (mysql_cluster, target) `+silent, "last seen", htmlGrey),
		`    or on (mysql_cluster, source, target)`,
		`    ` + drawn(edge+` == 0`, "broken", htmlRed),
		`    or on (mysql_cluster, source, target)`,
		`    ` + edge,
		`  )`,
		`  and on (mysql_cluster, source)`,
		`  ` + is("source", known),
		`  and on (mysql_cluster, target)`,
		`  ` + is("target", known),
		`, "id", " -> ", "source", "target")`,
	}
	return strings.Join(lines, "\n")
}

// roles are the roles of instances. The number of a role is its place.
var roles = []string{"unknown", "replica", "intermediate", "detached", "co_primary", "primary"}

func roleMeaning() mapping {
	return mapped(state{"0", "unknown", "purple"}, state{"1", "replica", "blue"}, state{"2", "intermediate source", "semi-dark-blue"},
		state{"3", "detached", "orange"}, state{"4", "co-primary", "light-green"}, state{"5", "primary", "green"})
}

// instanceTable is the topology for those who cannot see the graph: one row for each instance, in the order of depth.
func instanceTable() panel {
	each := func(metric string) string { return `max by (mysql_instance) (` + metric + `{` + ofCluster + `})` }
	p := grid("Instances", "The same as a table, from the primary down.", 24, 9, []column{
		value("A", "Depth"),
		label("mysql_instance", "Instance"),
		value("B", "Role", meant(roleMeaning())...),
		value("C", "State", meant(upOrDown())...),
		value("D", "Writes", meant(yesNo("read-only", "blue", "writable", "green"))...),
		value("E", "Lag", inUnit("s")),
		value("F", "Behind"),
		value("G", "Replicas"),
		value("H", "Findings", limits(someAre("red"))...),
		value("I", "Downtime", meant(yesNo("downtimed", "orange", "", "text"))...),
		label("version", "Version"),
		label("flavor", "Flavor"),
		label("datacenter", "Data center"),
		label("region", "Region"),
		label("promotion_rule", "Promotion"),
		value("J", ""),
		value("K", "Seen", inUnit("dateTimeFromNow")),
	}, "Depth",
		rows(each("baton_instance_replication_depth")),
		rows(codes("mysql_instance", "baton_instance_role", "role", ofCluster, roles)),
		rows(each("baton_instance_up")),
		rows(each("baton_instance_read_only")),
		rows(each("baton_replication_lag_seconds")),
		rows(each("baton_replication_behind_transactions")),
		rows(each("baton_instance_replicas")),
		rows(`count by (mysql_instance) (max by (mysql_instance, rule) (baton_finding_active{`+ofCluster+`}))`),
		rows(each("baton_instance_downtimed")),
		rows(`max by (mysql_instance, version, flavor, datacenter, region, promotion_rule) (baton_instance_info{`+ofCluster+`})`),
		rows(each("baton_instance_last_seen_timestamp_seconds")+` * 1000`),
	)
	p.Options["sortBy"] = []map[string]any{{"displayName": "Depth", "desc": false}}
	return p
}

func semiSync() []panel {
	return []panel{
		graph("Acknowledging replicas", "Replicas that are connected for semi-sync to each source, and how many of them a commit waits for. Below that number commits wait, or semi-sync is given up.", "short", 12,
			query(`max by (mysql_instance) (baton_semi_sync_source_clients{`+ofCluster+`})`, "{{mysql_instance}} connected"),
			query(`max by (mysql_instance) (baton_semi_sync_source_wait_for_replicas{`+ofCluster+`})`, "{{mysql_instance}} waited for")),
		graph("Semi-sync is on", "Where semi-sync is active, as a source or as a replica.", "short", 12,
			query(`max by (mysql_instance) (baton_semi_sync_source_active{`+ofCluster+`})`, "{{mysql_instance}} as a source"),
			query(`max by (mysql_instance) (baton_semi_sync_replica_active{`+ofCluster+`})`, "{{mysql_instance}} as a replica")),
	}
}
