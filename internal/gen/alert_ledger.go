package gen

import (
	"time"

	"github.com/batondb/baton/analysis"
)

// raft is one state of the state set of one node.
func raft(node, state, values string) series {
	return of(node, "baton_raft_state", values, "state", state)
}

// ledgerAlerts ring when the nodes of Baton do not agree, or cannot.
func ledgerAlerts() []alert { return append(groupAlerts(), entryAlerts()...) }

// listOpen shows what waits for the ledger.
const listOpen = "baton recovery list --open"

// groupAlerts ring when the nodes are too few, or do not hear each other.
func groupAlerts() []alert {
	return []alert{
		{
			name: "NoLeader", severity: analysis.Critical, expr: `max by (job) (baton_raft_state{state="leader"}) == 0`, hold: 30 * time.Second,
			summary: "No node of Baton leads.",
			advice: "Every node still observes and finds, but nothing is repaired, and nothing can be asked for, until a majority elects a leader. " +
				"Start the nodes that are missing, and check that they reach each other on the port of the ledger.",
			commands: []string{"baton clusters", listOpen},
			fires: []example{{
				name: "when all follow", after: 2 * time.Minute, want: []map[string]string{labels("job", "baton")},
				series: []series{raft("baton-1", "leader", "1 0x8"), raft("baton-2", "leader", "0x8"), raft("baton-1", "candidate", "1x8")},
			}},
			quiet: []example{{
				name: "while one leads, and while it changes", after: 2 * time.Minute,
				series: []series{raft("baton-1", "leader", "1 1 0x8"), raft("baton-2", "leader", "0 0 0 1x8")},
			}},
		},
		{
			name: "NodeMissing", severity: analysis.Warning, hold: 5 * time.Minute,
			expr: "count by (job) (baton_raft_state{state=\"leader\"})\n" +
				"<\n" +
				"max by (job) (baton_raft_peers)",
			summary: "Prometheus sees fewer nodes of Baton than vote.", about: "It sees {{ $value }}",
			advice: "A node is down, or it is not scraped. While one of three is missing, the loss of another ends all repairs. Start it; " +
				"if it runs, add it to the targets of Prometheus.",
			commands: []string{"baton clusters"},
			fires: []example{{
				name: "when one of three is gone", after: 8 * time.Minute, value: "2", want: []map[string]string{labels("job", "baton")},
				series: []series{raft("baton-1", "leader", "1x40"), raft("baton-2", "leader", "0x40"), raft("baton-3", "leader", "0x4 stale"), of("baton-1", "baton_raft_peers", "3x40")},
			}},
			quiet: []example{{
				name: "when all are there", after: 8 * time.Minute,
				series: []series{raft("baton-1", "leader", "1x40"), raft("baton-2", "leader", "0x40"), raft("baton-3", "leader", "0x40"), of("baton-1", "baton_raft_peers", "3x40")},
			}},
		},
		{
			name: "FollowerCutOff", severity: analysis.Warning, expr: `baton_raft_leader_last_contact_seconds > 10`, hold: 30 * time.Second,
			summary: "A node of Baton does not hear the leader.", about: aboutNode,
			advice:   "It still observes, but it neither votes nor knows what was decided since. Check the network between it and the other nodes.",
			commands: []string{"baton clusters"},
			fires: []example{{
				name: "when it has heard nothing", after: 2 * time.Minute, series: []series{of("baton-2", "baton_raft_leader_last_contact_seconds", "0.1 15+15x8")},
				want: []map[string]string{node("baton-2")},
			}},
			quiet: []example{{name: "while it hears", after: 2 * time.Minute, series: []series{of("baton-2", "baton_raft_leader_last_contact_seconds", "0.1x8")}}},
		},
		{
			name: "LeadershipUnsteady", severity: analysis.Warning, expr: `max by (job) (increase(baton_raft_leadership_changes_total[15m])) > 3`,
			summary: "The leadership among the nodes of Baton changes again and again.",
			advice: "Every change interrupts what is being repaired, until the next leader takes it up. Look for a slow disk below data_dir, a lack of processor time, " +
				"or a network between the nodes that loses packets; where nodes are far apart, raise the timeouts of the ledger.",
			commands: []string{listOpen},
			fires: []example{{
				name: "when it changes every minute", after: 10 * time.Minute, series: []series{of("baton-1", "baton_raft_leadership_changes_total", "0 0 0 1 1 1 1 2 2 2 2 3 3 3 3 4 4 4 4 5 5 5 5 6 6 6 6 7x20")},
				want: []map[string]string{labels("job", "baton")},
			}},
			quiet: []example{{name: "when it changed once", after: 10 * time.Minute, series: []series{of("baton-1", "baton_raft_leadership_changes_total", "1x8 2x40")}}},
		},
	}
}

// entryAlerts ring when decisions are not written, or late.
func entryAlerts() []alert {
	return []alert{
		{
			name: "LedgerFails", severity: analysis.Warning, expr: `increase(baton_raft_apply_failures_total[5m]) > 0`,
			summary: "A decision could not be written to the ledger of Baton.", about: aboutNode,
			advice: "What is not agreed on is not done: a recovery may wait or be given up. Look for a lost majority, a full disk below data_dir, or a leader that changed at that moment, " +
				"and read the log of the node.",
			commands: []string{listOpen},
			fires: []example{{
				name: "when one failed", after: 3 * time.Minute, series: []series{of("baton-1", "baton_raft_apply_failures_total", "0x4 1x12")},
				want: []map[string]string{node("baton-1")},
			}},
			quiet: []example{{name: "when one failed long ago", after: 10 * time.Minute, series: []series{of("baton-1", "baton_raft_apply_failures_total", "0x4 1x60")}}},
		},
		{
			name: "LedgerSlow", severity: analysis.Warning, hold: 5 * time.Minute,
			expr:    `histogram_quantile(0.99, sum by (job, instance, le) (rate(baton_raft_apply_duration_seconds_bucket[5m]))) > 1`,
			summary: "The nodes of Baton need more than a second to agree.", about: aboutNode,
			advice:   "Every recovery waits for the ledger when it begins and when it promotes. Look for a slow disk below data_dir, here or on another node, and for a slow network between them.",
			commands: []string{listOpen},
			fires:    []example{{name: "when it takes two seconds", after: 10 * time.Minute, series: agreed("0x60"), want: []map[string]string{node("baton-1")}}},
			quiet:    []example{{name: "when it takes milliseconds", after: 10 * time.Minute, series: agreed("0+15x60")}},
		},
	}
}

// agreed is the histogram of entries that take at most 10 ms, as many as quick says, or else up to 2.5 s.
func agreed(quick string) []series {
	return []series{
		of("baton-1", "baton_raft_apply_duration_seconds_bucket", quick, "le", "0.01"),
		of("baton-1", "baton_raft_apply_duration_seconds_bucket", quick, "le", "1"),
		of("baton-1", "baton_raft_apply_duration_seconds_bucket", "0+15x60", "le", "2.5"),
		of("baton-1", "baton_raft_apply_duration_seconds_bucket", "0+15x60", "le", "+Inf"),
	}
}
