package gen

import (
	"time"

	"github.com/batondb/baton/analysis"
)

const aboutNode = "Node {{ $labels.instance }}"

// node is the labels of what one node of Baton tells of itself.
func node(name string) map[string]string { return labels("instance", name+":8306", "job", "baton") }

// polls are the series about probing of one node: how many probes end in each step, and how many of them fail.
func polls(attempted, failed string) []series {
	return []series{
		of("baton-1", "baton_discovery_polls_total", attempted),
		of("baton-1", "baton_discovery_poll_failures_total", failed, "reason", "timeout"),
		of("baton-1", "baton_discovery_poll_failures_total", "0x60", "reason", "auth"),
	}
}

// states are how many instances one node knows in each state.
func states(up, down, overdue string) []series {
	return []series{
		of("baton-1", "baton_discovery_instances", up, "state", "up"),
		of("baton-1", "baton_discovery_instances", down, "state", "down"),
		of("baton-1", "baton_discovery_instances", overdue, "state", "overdue"),
	}
}

// observingAlerts ring when Baton cannot see, or does not look.
func observingAlerts() []alert { return append(blindAlerts(), slowAlerts()...) }

// blindAlerts ring when what Baton shows is not what is.
func blindAlerts() []alert {
	return []alert{
		{
			name: "Absent", severity: analysis.Critical, expr: `absent(baton_build_info)`, hold: 2 * time.Minute,
			summary: "Prometheus sees no node of Baton.",
			advice: "Nobody watches the fleet, and nobody would repair it. Either no node runs, or none is scraped: look at the process and its log, " +
				"then at the targets of Prometheus.",
			commands: []string{"baton clusters", "baton version"},
			fires: []example{{
				name: "when nothing is there", after: 3 * time.Minute, series: []series{{`up{job="other"}`, "1x12"}},
				want: []map[string]string{{}},
			}},
			quiet: []example{{name: "while a node is there", after: 3 * time.Minute, series: []series{of("baton-1", "baton_build_info", "1x12", "version", "1.0.0")}}},
		},
		{
			name: "JudgesNothing", severity: analysis.Critical, expr: `rate(baton_evaluation_duration_seconds_count[2m]) == 0`, hold: time.Minute,
			summary: "A node of Baton answers, but its loop stands still.", about: aboutNode,
			advice: "What it shows is old, and it finds nothing new. Read its log, take a profile from /debug/pprof/goroutine where that is switched on, and restart it; " +
				"another node leads meanwhile.",
			commands: []string{"baton clusters"},
			fires: []example{{
				name: "when nothing is judged", after: 4 * time.Minute,
				series: []series{of("baton-1", "baton_evaluation_duration_seconds_count", "7x20")}, want: []map[string]string{node("baton-1")},
			}},
			quiet: []example{{
				name: "while it judges", after: 4 * time.Minute,
				series: []series{of("baton-1", "baton_evaluation_duration_seconds_count", "7+15x20")},
			}},
		},
		{
			name: "Blind", severity: analysis.Critical, hold: time.Minute,
			expr: "sum without (state) (baton_discovery_instances{state=\"up\"}) == 0\n" +
				"and\n" +
				"sum without (state) (baton_discovery_instances) > 0",
			summary: "A node of Baton knows servers, and not one of them answers it.", about: aboutNode,
			advice: "It repairs nothing on such evidence alone. Check the network of the node, the names that it resolves, and the account that it logs in with.",
			commands: []string{
				"baton instances", "baton findings --all", "baton rule explain ObserverIsolated",
			},
			fires: []example{{name: "when none is up", after: 2 * time.Minute, series: states("0x12", "4x12", "1x12"), want: []map[string]string{node("baton-1")}}},
			quiet: []example{
				{name: "while one is up", after: 2 * time.Minute, series: states("1x12", "3x12", "0x12")},
				{name: "when none is known yet", after: 2 * time.Minute, series: states("0x12", "0x12", "0x12")},
			},
		},
		{
			name: "ProbesFail", severity: analysis.Warning, hold: 5 * time.Minute,
			expr: "sum without (reason) (rate(baton_discovery_poll_failures_total[5m]))\n" +
				"/\n" +
				"rate(baton_discovery_polls_total[5m]) > 0.5",
			summary: "More than half of the probes of a node of Baton fail.", about: aboutNode,
			advice: "Servers that do not answer are found one by one; so many at once have a common cause. " +
				"baton_discovery_poll_failures_total says in its label reason which: resolve and connect are the network, auth is the account, timeout and query are the servers.",
			commands: []string{"baton findings --all", "baton instances"},
			fires:    []example{{name: "when three of four fail", after: 10 * time.Minute, series: polls("0+60x60", "0+45x60"), want: []map[string]string{node("baton-1")}}},
			quiet:    []example{{name: "when one of four fails", after: 10 * time.Minute, series: polls("0+60x60", "0+15x60")}},
		},
	}
}

// slowAlerts ring when Baton sees, but later than it should.
func slowAlerts() []alert {
	return []alert{
		{
			name: "ProbesLate", severity: analysis.Warning, expr: `sum without (state) (baton_discovery_instances{state="overdue"}) > 0`, hold: 2 * time.Minute,
			summary: "A node of Baton does not get to probe every server in time.", about: aboutNode + " is late with {{ $value }} servers",
			advice: "What is known of them is old, and what is too old is unknown. The node has too little processor time or too few workers: see baton_discovery_workers_busy, " +
				"and raise discovery.workers or discovery.interval in the configuration.",
			commands: []string{"baton instances"},
			fires: []example{{
				name: "when some are overdue", after: 3 * time.Minute, series: states("9x20", "0x20", "3x20"), value: "3",
				want: []map[string]string{node("baton-1")},
			}},
			quiet: []example{{name: "when they were for a moment", after: 3 * time.Minute, series: states("9x20", "0x20", "3x4 0x16")}},
		},
		{
			name: "CacheForgets", severity: analysis.Warning, expr: `rate(baton_cache_misses_total[5m]) > 0`, hold: 5 * time.Minute,
			summary: "The cache of a node of Baton loses servers that are known.", about: aboutNode,
			advice:   "What it loses is unknown until the next probe, never down. The fleet has outgrown the cache: give the node more memory, and report it, for the cache should have grown.",
			commands: []string{"baton instances"},
			fires: []example{{
				name: "when it goes on", after: 10 * time.Minute, series: []series{of("baton-1", "baton_cache_misses_total", "0+1x60", "cache", "observations")},
				want: []map[string]string{labels("instance", "baton-1:8306", "job", "baton", "cache", "observations")},
			}},
			quiet: []example{{name: "when it was once", after: 10 * time.Minute, series: []series{of("baton-1", "baton_cache_misses_total", "0 0 3x58", "cache", "observations")}}},
		},
		{
			name: "JudgesSlowly", severity: analysis.Warning, hold: 5 * time.Minute,
			expr:    `histogram_quantile(0.99, sum by (job, instance, le) (rate(baton_evaluation_duration_seconds_bucket[5m]))) > 0.5`,
			summary: "A node of Baton needs more than half a second to judge the fleet.", about: aboutNode,
			advice:   "Every finding and every recovery comes later by as much. The node has too little processor time for a fleet of this size.",
			commands: []string{"baton clusters"},
			fires:    []example{{name: "when it takes two seconds", after: 10 * time.Minute, series: judged("0x60"), want: []map[string]string{node("baton-1")}}},
			quiet:    []example{{name: "when it takes milliseconds", after: 10 * time.Minute, series: judged("0+15x60")}},
		},
	}
}

// judged is the histogram of judgements that take at most 5 ms, as many as quick says, or else up to 2.5 s.
func judged(quick string) []series {
	return []series{
		of("baton-1", "baton_evaluation_duration_seconds_bucket", quick, "le", "0.005"),
		of("baton-1", "baton_evaluation_duration_seconds_bucket", quick, "le", "1"),
		of("baton-1", "baton_evaluation_duration_seconds_bucket", "0+15x60", "le", "2.5"),
		of("baton-1", "baton_evaluation_duration_seconds_bucket", "0+15x60", "le", "+Inf"),
	}
}
