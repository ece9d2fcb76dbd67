package gen

// recoveryDashboard shows what Baton does: what runs, what was done, how long it took, and what it refused.
func recoveryDashboard() dashboard {
	chosen := queryVariable("mysql_cluster", "Cluster", sampleOne, true)
	return newDashboard("recovery.json", uidRecovery, "Recoveries", "What Baton repairs, how long it takes, and what it refuses to do.", "now-7d", ofSome, []variable{chosen},
		recoveryNumbers(),
		[]panel{
			grid("Running now", "Recoveries that are being carried out, with the phase they are in.", 12, 7, []column{
				label("mysql_cluster", "Cluster", leadsToCluster()), label("mysql_instance", "Instance"), label("rule", "Failure model"), label("phase", "Phase"), only(""),
			}, "", rows(`max by (mysql_cluster, mysql_instance, rule, phase) (baton_recovery_active{`+ofSome+`})`)),
			heldBack(12),
		},
		[]panel{lastRecoveries(ofSome, 24)},
		heading("How often"),
		[]panel{
			graph("Begun", "Recoveries that began within an hour, by what asked for them.", "short", 8,
				query(`sum by (trigger) (increase(baton_recoveries_started_total{`+ofSome+`}[1h]))`, "{{trigger}}")).stacked(),
			graph("Ended", "Recoveries that ended within an hour, by outcome.", "short", 8,
				query(`sum by (outcome) (increase(baton_recoveries_completed_total{`+ofSome+`}[1h]))`, "{{outcome}}")).stacked().
				colorOf("success", "green").colorOf("partial", "yellow").colorOf("failed", "red").colorOf("aborted", "orange"),
			graph("Refused", "Recoveries that a gate forbade within an hour, by gate.", "short", 8,
				query(`sum by (reason) (increase(baton_recoveries_skipped_total{`+ofSome+`}[1h]))`, "{{reason}}")).stacked(),
		},
		heading("How long"),
		[]panel{
			graph("Write outage", "From the last successful probe of a failed primary until its successor took writes. The dots are single recoveries.", "s", 12,
				quantiles("baton_recovery_write_outage_seconds", "", "1h")...).exemplars(),
			graph("Duration of recoveries", "From beginning to end, by outcome.", "s", 12,
				query(quantile("0.5", "outcome", "baton_recovery_duration_seconds", "1h"), "median, {{outcome}}"),
				query(quantile("0.99", "outcome", "baton_recovery_duration_seconds", "1h"), "99 of 100, {{outcome}}")).exemplars(),
		},
		[]panel{
			graph("Duration of phases", "The mean over the last hour: where the time went.", "s", 24,
				query("sum by (phase) (rate(baton_recovery_phase_duration_seconds_sum{"+ofJob+"}[1h]))\n/\nsum by (phase) (rate(baton_recovery_phase_duration_seconds_count{"+ofJob+"}[1h]))", "{{phase}}")),
		},
	)
}

func recoveryNumbers() []panel {
	return []panel{
		stat("Automation", "Whether Baton may repair anything by itself.", 4, now(`max(baton_recoveries_enabled{`+ofJob+`})`, "automation")).
			meaning(yesNo("on", "green", "paused", "orange")),
		stat("Running", "Clusters with a recovery at this moment.", 4,
			now(`count(max by (mysql_cluster) (baton_recovery_active{`+ofSome+`})) or vector(0)`, "running")).limited(someAre("purple")),
		stat("To acknowledge", "Recoveries that nobody has acknowledged.", 4,
			now(`sum(max by (mysql_cluster) (baton_recovery_unacknowledged{`+ofSome+`})) or vector(0)`, "recoveries")).limited(someAre("orange")),
		stat("Ended", "Recoveries that ended within the time range, by outcome.", 8,
			now(`sum by (outcome) (increase(baton_recoveries_completed_total{`+ofSome+`}[$__range]))`, "{{outcome}}")),
		stat("Write outage", "The median of the time range.", 4, now(quantile("0.5", "", "baton_recovery_write_outage_seconds", "$__range"), "median")).unit("s"),
	}
}

// quantile estimates one from a histogram of Baton itself. Recoveries are rare, so that the window is long.
func quantile(q, by, metric, window string) string {
	le := "le"
	if by != "" {
		le = by + ", le"
	}
	return "histogram_quantile(" + q + ", sum by (" + le + ") (rate(" + metric + "_bucket{" + ofJob + "}[" + window + "])))"
}

func quantiles(metric, by, window string) []target {
	legend := ""
	if by != "" {
		legend = ", {{" + by + "}}"
	}
	return []target{query(quantile("0.5", by, metric, window), "median"+legend), query(quantile("0.99", by, metric, window), "99 of 100"+legend)}
}

// heldBack lists the instances that a recovery left with something to be done.
func heldBack(w int) panel {
	return grid("To be repaired", "Primaries that were replaced and not fenced yet, and instances that are quarantined.", w, 7, []column{
		label("mysql_cluster", "Cluster", leadsToCluster()), label("mysql_instance", "Instance"),
		value("A", "Fence", meant(yesNo("pending", "red", "", "text"))...), value("B", "Quarantine", meant(yesNo("quarantined", "orange", "", "text"))...),
	}, "", rows(`max by (mysql_cluster, mysql_instance) (baton_fence_pending{`+ofSome+`})`), rows(`max by (mysql_cluster, mysql_instance) (baton_quarantined{`+ofSome+`})`))
}

// lastRecoveries has a row for the newest recovery of each cluster.
func lastRecoveries(matchers string, w int) panel {
	return grid("Last recovery of each cluster", "baton recovery show tells the steps of one.", w, 8, []column{
		value("B", "Ended", inUnit("dateTimeFromNow")), label("mysql_cluster", "Cluster", leadsToCluster()), label("rule", "Failure model"), label("outcome", "Outcome"),
		label("failed_instance", "Failed"), label("promoted_instance", "Promoted"), value("C", "Left behind", limits(someAre("orange"))...), label("recovery_id", "Recovery"), value("A", ""),
	}, "Ended",
		rows(`max by (mysql_cluster, recovery_id, failed_instance, promoted_instance, rule, outcome) (baton_recovery_last_info{`+matchers+`})`),
		rows(`max by (mysql_cluster) (baton_recovery_last_end_timestamp_seconds{`+matchers+`}) * 1000`),
		rows(`max by (mysql_cluster) (baton_recovery_last_lost_replicas{`+matchers+`})`))
}
