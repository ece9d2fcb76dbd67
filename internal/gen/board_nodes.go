package gen

// nodesDashboard shows Baton itself: whether its nodes see, judge, agree and serve.
func nodesDashboard() dashboard {
	return newDashboard("baton.json", uidNodes, "Nodes", "Baton itself: whether its nodes see, judge, agree and serve.", "now-3h", ofJob, nil,
		nodeNumbers(),
		[]panel{nodeTable()},
		heading("Seeing"),
		[]panel{
			graph("Probes", "Probes that each node makes, and those that fail, by reason.", "ops", 12,
				query(`sum by (instance) (rate(baton_discovery_polls_total{`+ofJob+`}[$__rate_interval]))`, "{{instance}}"),
				query(`sum by (instance, reason) (rate(baton_discovery_poll_failures_total{`+ofJob+`}[$__rate_interval])) > 0`, "{{instance}} {{reason}}")),
			graph("Duration of probes", "99 of 100 probes take no longer, by stage.", "s", 12, query(within("0.99", "stage", "baton_discovery_poll_duration_seconds"), "{{stage}}")),
		},
		[]panel{
			graph("Waiting", "Instances that wait to be probed, and how long 99 of 100 have waited.", "short", 8,
				query(`max by (instance) (baton_discovery_queue_length{`+ofJob+`})`, "{{instance}} instances"),
				query(within("0.99", "instance", "baton_discovery_queue_wait_seconds"), "{{instance}} seconds")),
			graph("Workers", "Probes under way, of as many as there may be.", "short", 8,
				query(`max by (instance) (baton_discovery_workers_busy{`+ofJob+`})`, "{{instance}} busy"),
				query(`max by (instance) (baton_discovery_workers{`+ofJob+`})`, "{{instance}} in all")),
			graph("Sentinels", "Connections that are held open to notice a death at once, and those that fell within a minute.", "short", 8,
				query(`max by (instance) (baton_sentinel_connections{`+ofJob+`})`, "{{instance}} open"),
				query(`sum by (instance) (increase(baton_sentinel_drops_total{`+ofJob+`}[$__rate_interval]))`, "{{instance}} fell")),
		},
		[]panel{
			graph("Known instances", "Instances by state, as each node sees them.", "short", 8,
				query(`max by (instance, state) (baton_discovery_instances{`+ofJob+`})`, "{{instance}} {{state}}")),
			graph("Cache", "Lookups of observations, and those that found nothing although the instance is known.", "ops", 8,
				query(`sum by (instance) (rate(baton_cache_gets_total{`+ofJob+`}[$__rate_interval]))`, "{{instance}} lookups"),
				query(`sum by (instance) (rate(baton_cache_misses_total{`+ofJob+`}[$__rate_interval]))`, "{{instance}} misses")),
			graph("Size of the cache", "Bytes that observations take.", "bytes", 8, query(`max by (instance, cache) (baton_cache_size_bytes{`+ofJob+`})`, "{{instance}} {{cache}}")),
		},
		heading("Judging"),
		[]panel{
			graph("Duration of a judgement", "How long it takes to judge the whole fleet.", "s", 12,
				query(within("0.5", "instance", "baton_evaluation_duration_seconds"), "{{instance}} median"),
				query(within("0.99", "instance", "baton_evaluation_duration_seconds"), "{{instance}} 99 of 100")),
			graph("Judgements", "How often the whole fleet is judged. Changed clusters are judged in between.", "ops", 12,
				query(`sum by (instance) (rate(baton_evaluation_duration_seconds_count{`+ofJob+`}[$__rate_interval]))`, "{{instance}}")),
		},
		heading("Agreeing"),
		[]panel{timeline("Leadership", "Which node leads.", 6, mapped(state{"0", "shut down", "text"}, state{"1", "follower", "blue"}, state{"2", "candidate", "orange"}, state{"3", "leader", "green"}),
			query(codes("instance", "baton_raft_state", "state", ofJob, []string{"shutdown", "follower", "candidate", "leader"}), "{{instance}}"))},
		agreeing(),
		heading("Serving"),
		serving(),
	)
}

// within is a quantile over the interval that suits the scrapes.
func within(q, by, metric string) string { return quantile(q, by, metric, "$__rate_interval") }

func nodeNumbers() []panel {
	leader := stat("Leader", "The node that decides and acts.", 6, now(`max by (instance) (baton_raft_state{`+with(ofJob, `state="leader"`)+`}) == 1`, "{{instance}}")).names()
	return []panel{
		leader,
		stat("Nodes", "Nodes that are scraped, and nodes that vote.", 5,
			now(`count(max by (instance) (baton_build_info{`+ofJob+`}))`, "scraped"), now(`max(baton_raft_peers{`+ofJob+`})`, "vote")),
		stat("Instances", "Instances that the nodes know, by state; the largest number of any node.", 7,
			now(`max by (state) (baton_discovery_instances{`+ofJob+`})`, "{{state}}")),
		stat("Configuration", "Whether every node runs with the configuration in its file.", 3,
			now(`min(baton_config_last_reload_successful{`+ofJob+`})`, "configuration")).meaning(yesNo("loaded", "green", "reload failed", "red")),
		stat("Decisions not written", "Entries of the ledger that failed within the time range.", 3,
			now(`sum(increase(baton_raft_apply_failures_total{`+ofJob+`}[$__range]))`, "failed")).limited(someAre("orange")),
	}
}

func nodeTable() panel {
	return grid("Nodes", "One row for each node of Baton.", 24, 6, []column{
		label("instance", "Node"), label("version", "Version"), label("revision", "Revision"), label("goversion", "Go"), value("A", ""),
		value("B", "Term"), value("C", "Agreed"), value("D", "Applied"), value("E", "Configuration read", inUnit("dateTimeFromNow")),
	}, "",
		rows(`max by (instance, version, revision, goversion) (baton_build_info{`+ofJob+`})`),
		rows(`max by (instance) (baton_raft_term{`+ofJob+`})`),
		rows(`max by (instance) (baton_raft_commit_index{`+ofJob+`})`),
		rows(`max by (instance) (baton_raft_applied_index{`+ofJob+`})`),
		rows(`max by (instance) (baton_config_last_reload_success_timestamp_seconds{`+ofJob+`}) * 1000`))
}

func agreeing() []panel {
	return []panel{
		graph("Duration of agreement", "How long an entry of the ledger takes.", "s", 8,
			query(within("0.5", "instance", "baton_raft_apply_duration_seconds"), "{{instance}} median"),
			query(within("0.99", "instance", "baton_raft_apply_duration_seconds"), "{{instance}} 99 of 100")),
		graph("Silence of the leader", "How long ago each follower heard the leader.", "s", 8, query(`max by (instance) (baton_raft_leader_last_contact_seconds{`+ofJob+`})`, "{{instance}}")),
		graph("Changes of leadership", "As each node saw them, within an hour.", "short", 8,
			query(`max by (instance) (increase(baton_raft_leadership_changes_total{`+ofJob+`}[1h]))`, "{{instance}}")),
	}
}

func serving() []panel {
	return []panel{
		graph("Requests", "Requests to the API, by what they were answered with.", "reqps", 8,
			query(`sum by (code) (rate(baton_http_requests_total{`+ofJob+`}[$__rate_interval]))`, "{{code}}")).stacked(),
		graph("Duration of requests", "99 of 100 requests take no longer, by handler.", "s", 8, query(within("0.99", "handler", "baton_http_request_duration_seconds"), "{{handler}}")),
		graph("Memory", "Memory of each node: in all, and on the heap.", "bytes", 8,
			query(`max by (instance) (process_resident_memory_bytes{`+ofJob+`})`, "{{instance}} resident"),
			query(`max by (instance) (go_memstats_heap_inuse_bytes{`+ofJob+`})`, "{{instance}} heap")),
	}
}
