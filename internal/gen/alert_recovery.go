package gen

import (
	"time"

	"github.com/batondb/baton/analysis"
)

const (
	aboutCluster  = "Cluster {{ $labels.mysql_cluster }}"
	aboutInstance = "{{ $labels.mysql_instance }} in cluster {{ $labels.mysql_cluster }}"
)

// unseen selects the clusters with a recovery that nobody has acknowledged.
const unseen = "and on (mysql_cluster)\nmax by (mysql_cluster) (baton_recovery_unacknowledged) > 0"

// shop makes a series about the cluster of the examples.
func shop(name, values string, more ...string) series {
	return of("baton-1", name, values, append([]string{"mysql_cluster", "shop"}, more...)...)
}

// last is the newest recovery of the cluster of the examples.
func last(outcome, values string) series {
	return shop("baton_recovery_last_info", values, "recovery_id", "r1", "failed_instance", "db1:3306", "promoted_instance", "", "rule", "DeadPrimary", "outcome", outcome)
}

// recoveryAlerts ring when a recovery does not go as it should, or does not begin. Acknowledging a recovery ends what rings about it.
func recoveryAlerts() []alert {
	return append(endedAlerts(), append([]alert{longAlert(), refusedAlert(), pausedAlert()}, leftoverAlerts()...)...)
}

// endedAlerts ring about how the last recovery of a cluster ended.
func endedAlerts() []alert {
	return []alert{
		{
			name: "RecoveryFailed", severity: analysis.Critical,
			expr:    "max by (mysql_cluster, recovery_id, rule, failed_instance, outcome) (baton_recovery_last_info{outcome=~\"failed|aborted|refused\"}) == 1\n" + unseen,
			summary: "The last recovery of a cluster did not reach its goal.", about: aboutCluster + ", recovery {{ $labels.recovery_id }} of {{ $labels.failed_instance }} ({{ $labels.outcome }})",
			advice: "What it had changed was put back as far as that could be done. Read what stopped it; if the finding is still there, plan the same recovery and see which gate refuses. " +
				"Acknowledging what was done in the cluster ends this alert.",
			commands: []string{
				"baton recovery show RECOVERY", "baton findings CLUSTER", "baton topology CLUSTER", "baton recovery plan failover CLUSTER",
				"baton recovery ack --cluster CLUSTER --reason 'seen'",
			},
			fires: []example{{
				name: "until somebody acknowledges it", after: time.Minute, series: []series{last("failed", "1x8"), shop("baton_recovery_unacknowledged", "1x8")},
				want: []map[string]string{labels("mysql_cluster", "shop", "recovery_id", "r1", "rule", "DeadPrimary", "failed_instance", "db1:3306", "outcome", "failed")},
			}},
			quiet: []example{
				{name: "when it was acknowledged", after: time.Minute, series: []series{last("failed", "1x8"), shop("baton_recovery_unacknowledged", "1 1 0x8")}},
				{name: "when it succeeded", after: time.Minute, series: []series{last("success", "1x8"), shop("baton_recovery_unacknowledged", "1x8")}},
			},
		},
		{
			name: "RecoveryLeftReplicas", severity: analysis.Warning, expr: "max by (mysql_cluster) (baton_recovery_last_lost_replicas) > 0\n" + unseen,
			summary: "The last recovery of a cluster could not bring all replicas along.", about: aboutCluster + " lacks {{ $value }}",
			advice: "They are quarantined, each with a reason, and no candidates. Compare their transactions with the primary's, and rebuild those that hold more. " +
				"Acknowledging what was done in the cluster ends this alert.",
			commands: []string{"baton recovery list --cluster CLUSTER", "baton recovery show RECOVERY", "baton topology CLUSTER", "baton recovery ack --cluster CLUSTER --reason 'seen'"},
			fires: []example{{
				name: "when one was left", after: time.Minute, value: "1", want: []map[string]string{labels("mysql_cluster", "shop")},
				series: []series{shop("baton_recovery_last_lost_replicas", "1x8"), shop("baton_recovery_unacknowledged", "1x8")},
			}},
			quiet: []example{
				{name: "when none was", after: time.Minute, series: []series{shop("baton_recovery_last_lost_replicas", "0x8"), shop("baton_recovery_unacknowledged", "1x8")}},
				{name: "when it was acknowledged", after: time.Minute, series: []series{shop("baton_recovery_last_lost_replicas", "1x8"), shop("baton_recovery_unacknowledged", "0x8")}},
			},
		},
	}
}

// longAlert leaves the phase out, so that a recovery which goes from phase to phase goes on.
func longAlert() alert {
	return alert{
		name: "RecoveryRunsLong", severity: analysis.Critical, expr: `max by (mysql_cluster, mysql_instance, rule) (baton_recovery_active) == 1`, hold: 10 * time.Minute,
		summary: "A recovery has been running for ten minutes.", about: aboutInstance,
		advice:   "It waits for something, most often for a candidate that applies what it has received. Follow it and see in which step it is; nothing else is repaired in the cluster meanwhile.",
		commands: []string{"baton recovery list --open", "baton recovery show RECOVERY --follow", "baton topology CLUSTER"},
		fires: []example{{
			name: "whatever phase it is in", after: 12 * time.Minute, want: []map[string]string{labels("mysql_cluster", "shop", "mysql_instance", "db1:3306", "rule", "DeadPrimary")},
			series: []series{
				shop("baton_recovery_active", "1x20 stale", "mysql_instance", "db1:3306", "rule", "DeadPrimary", "phase", "freeze"),
				shop("baton_recovery_active", "_x20 1x40", "mysql_instance", "db1:3306", "rule", "DeadPrimary", "phase", "drain"),
			},
		}},
		quiet: []example{{
			name: "when it has ended", after: 12 * time.Minute,
			series: []series{shop("baton_recovery_active", "1x20 stale", "mysql_instance", "db1:3306", "rule", "DeadPrimary", "phase", "freeze")},
		}},
	}
}

// pausedAlert reminds of a pause of the whole fleet.
func pausedAlert() alert {
	return alert{
		name: "AutomationPaused", severity: analysis.Warning, expr: `max by (job) (baton_recoveries_enabled) == 0`, hold: 15 * time.Minute,
		summary: "Automatic recoveries have been paused in the whole fleet for a quarter of an hour.",
		advice:  "Nothing is repaired unless a person asks for it. Whoever paused it said why; resume it when that is over.",
		commands: []string{
			"baton why-not CLUSTER", "baton resume --reason 'the work is done'",
		},
		fires: []example{{name: "when it is forgotten", after: 20 * time.Minute, series: []series{of("baton-1", "baton_recoveries_enabled", "1 0x90")}, want: []map[string]string{labels("job", "baton")}}},
		quiet: []example{{name: "when it is resumed", after: 20 * time.Minute, series: []series{of("baton-1", "baton_recoveries_enabled", "1 0x40 1x50")}}},
	}
}

// leftoverAlerts ring about what a recovery leaves for people to do.
func leftoverAlerts() []alert {
	return []alert{
		{
			name: "FencePending", severity: analysis.Warning, expr: `max by (mysql_cluster, mysql_instance) (baton_fence_pending) == 1`, hold: time.Minute,
			summary: "A primary that was replaced has not been made read-only yet.", about: aboutInstance,
			advice: "Baton cannot reach it, and fences it as soon as it can. Clients that still reach it write to the wrong server: make sure that it is down, or cut it off. " +
				"If it never returns, silence this alert for it.",
			commands: []string{"baton topology CLUSTER", "baton recovery list --cluster CLUSTER", "baton discover INSTANCE --reason 'is it back?'"},
			fires: []example{{
				name: "while it waits", after: 2 * time.Minute, series: []series{shop("baton_fence_pending", "1x12", "mysql_instance", "db1:3306")},
				want: []map[string]string{labels("mysql_cluster", "shop", "mysql_instance", "db1:3306")},
			}},
			quiet: []example{{name: "when it was fenced at once", after: 2 * time.Minute, series: []series{shop("baton_fence_pending", "1 1 stale", "mysql_instance", "db1:3306")}}},
		},
		{
			name: "Quarantined", severity: analysis.Warning, expr: `max by (mysql_cluster, mysql_instance) (baton_quarantined) == 1`, hold: 10 * time.Minute,
			summary: "A server is held out of the topology and waits to be repaired.", about: aboutInstance,
			advice:   "A recovery could not let it follow the primary, or it would have lost what it holds. See the reason; compare its transactions with the primary's, and rebuild it.",
			commands: []string{"baton instances CLUSTER", "baton rule explain ReplicaLostInRecovery INSTANCE", "baton relocate INSTANCE --below SOURCE --dry-run"},
			fires: []example{{
				name: "while it is held out", after: 12 * time.Minute, series: []series{shop("baton_quarantined", "1x60", "mysql_instance", "db3:3306")},
				want: []map[string]string{labels("mysql_cluster", "shop", "mysql_instance", "db3:3306")},
			}},
			quiet: []example{{name: "when it has rejoined", after: 12 * time.Minute, series: []series{shop("baton_quarantined", "1x20 stale", "mysql_instance", "db3:3306")}}},
		},
		{
			name: "RecoveryUnacknowledged", severity: analysis.Info, expr: `max by (mysql_cluster) (baton_recovery_unacknowledged) > 0`, hold: time.Hour,
			summary: "Nobody has acknowledged a recovery.", about: aboutCluster + " has {{ $value }}",
			advice:   "Until its cooldown is over, or somebody has seen what was done, Baton does not do the same in this cluster again.",
			commands: []string{"baton recovery list --cluster CLUSTER", "baton recovery ack --cluster CLUSTER --reason 'seen'"},
			fires:    []example{{name: "after an hour", after: 70 * time.Minute, value: "2", series: []series{shop("baton_recovery_unacknowledged", "2x300")}, want: []map[string]string{labels("mysql_cluster", "shop")}}},
			quiet:    []example{{name: "when somebody has", after: 70 * time.Minute, series: []series{shop("baton_recovery_unacknowledged", "1x200 0x100")}}},
		},
		{
			name: "PrimaryPromoted", severity: analysis.Info,
			expr: "max by (mysql_cluster) (baton_cluster_promotion_epoch)\n" +
				">\n" +
				"max by (mysql_cluster) (baton_cluster_promotion_epoch offset 15m)",
			summary: "A cluster was given another primary within the last quarter of an hour.", about: aboutCluster,
			advice:   "Nothing is to be done if somebody asked for it. Otherwise see why, and what became of the old primary.",
			commands: []string{"baton recovery list --cluster CLUSTER", "baton topology CLUSTER"},
			fires:    []example{{name: "afterwards", after: 20 * time.Minute, series: []series{shop("baton_cluster_promotion_epoch", "1x60 2x60")}, want: []map[string]string{labels("mysql_cluster", "shop")}}},
			quiet: []example{
				{name: "long afterwards", after: 40 * time.Minute, series: []series{shop("baton_cluster_promotion_epoch", "1x60 2x120")}},
				{name: "of a cluster that is new", after: 5 * time.Minute, series: []series{shop("baton_cluster_promotion_epoch", "_x4 1x60")}},
			},
		},
	}
}

// refusedAlert compares with an hour ago instead of taking an increase, because a counter of one cluster appears with its first event, and an
// increase does not see it.
func refusedAlert() alert {
	const refused = "sum by (mysql_cluster, rule, reason) (baton_recoveries_skipped_total"
	finding := shop("baton_finding_active", "1x40", "mysql_instance", "db1:3306", "rule", "DeadPrimary", "severity", "critical")
	skipped := func(values string) series {
		return shop("baton_recoveries_skipped_total", values, "rule", "DeadPrimary", "reason", "autonomy")
	}
	return alert{
		name: "RecoveryRefused", severity: analysis.Warning,
		expr: "(\n  " + refused + ")\n  > (" + refused + " offset 1h) or 0 * " + refused + "))\n)\n" +
			"and on (mysql_cluster, rule)\n" +
			"max by (mysql_cluster, rule) (baton_finding_active) == 1",
		summary: "Something is wrong that Baton could repair, and a gate forbids it.", about: aboutCluster + ", rule {{ $labels.rule }}, gate {{ $labels.reason }}",
		advice:   "Nothing is done until the gate passes or a person asks for it. The plan shows every gate with its evidence; where the gate is autonomy, the policy of the cluster wants a person to decide.",
		commands: []string{"baton why-not CLUSTER", "baton recovery plan failover CLUSTER", "baton failover CLUSTER --dry-run"},
		fires: []example{
			{
				name: "when it was refused for the first time", after: 5 * time.Minute, series: []series{finding, skipped("_x8 1x40")},
				want: []map[string]string{labels("mysql_cluster", "shop", "rule", "DeadPrimary", "reason", "autonomy")},
			},
			{
				name: "when it was refused again", after: 65 * time.Minute, want: []map[string]string{labels("mysql_cluster", "shop", "rule", "DeadPrimary", "reason", "autonomy")},
				series: []series{shop("baton_finding_active", "1x300", "mysql_instance", "db1:3306", "rule", "DeadPrimary", "severity", "critical"), skipped("1x200 2x100")},
			},
		},
		quiet: []example{
			{name: "when nothing is wrong any more", after: 5 * time.Minute, series: []series{skipped("_x8 1x40")}},
			{name: "when another rule was refused", after: 5 * time.Minute, series: []series{finding, shop("baton_recoveries_skipped_total", "_x8 1x40", "rule", "SplitBrain", "reason", "autonomy")}},
		},
	}
}
