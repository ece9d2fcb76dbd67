package gen

import (
	"time"

	"github.com/batondb/baton/analysis"
)

// status is one state of the state set of the cluster of the examples.
func status(state, values string) series {
	return shop("baton_cluster_status", values, "status", state)
}

// clusterAlerts ring about the state that a cluster is in, whichever rule found the reason, and also where none does.
func clusterAlerts() []alert {
	in := func(state string) string {
		return `max by (mysql_cluster) (baton_cluster_status{status="` + state + `"}) == 1`
	}
	want := []map[string]string{labels("mysql_cluster", "shop")}
	return []alert{
		{
			name: "PrimaryStillDown", severity: analysis.Critical, expr: in("primary_down"), hold: 5 * time.Minute,
			summary: "A cluster has been without its primary for five minutes.", about: aboutCluster,
			advice:   "Nobody has repaired it: automation is held back, or a gate refuses. See which, and decide.",
			commands: []string{"baton findings CLUSTER --all", "baton recovery plan failover CLUSTER", "baton failover CLUSTER"},
			fires:    []example{{name: "when nobody repairs it", after: 6 * time.Minute, series: []series{status("primary_down", "1x30"), status("healthy", "0x30")}, want: want}},
			quiet:    []example{{name: "when somebody has", after: 6 * time.Minute, series: []series{status("primary_down", "1x10 0x20"), status("healthy", "0x10 1x20")}}},
		},
		{
			name: "Unprotected", severity: analysis.Warning, expr: in("unprotected"), hold: 2 * time.Minute,
			summary: "If the primary of a cluster died now, nobody could take its place.", about: aboutCluster,
			advice: "It works, and rings before the outage. The plan of a failover says of every replica why it is no candidate: it is down, too far behind, holds transactions of its own, " +
				"logs nothing, must not be promoted, or is too new.",
			commands: []string{"baton why-not CLUSTER", "baton topology CLUSTER", "baton findings CLUSTER"},
			fires:    []example{{name: "while no replica could", after: 3 * time.Minute, series: []series{status("unprotected", "1x20"), status("healthy", "0x20")}, want: want}},
			quiet:    []example{{name: "when one can again", after: 3 * time.Minute, series: []series{status("unprotected", "1x6 0x14"), status("healthy", "0x6 1x14")}}},
		},
		{
			name: "ClusterUnknown", severity: analysis.Warning, expr: in("unknown"), hold: 5 * time.Minute,
			summary: "Baton cannot tell how a cluster is.", about: aboutCluster,
			advice: "Its primary is not known, or it has not been asked. Servers that were never reached, an account without grants, or a cluster whose servers have all gone leave it so; " +
				"forget the instances that are gone for good.",
			commands: []string{"baton topology CLUSTER", "baton instances CLUSTER", "baton discover INSTANCE"},
			fires:    []example{{name: "while it is so", after: 6 * time.Minute, series: []series{status("unknown", "1x30"), status("healthy", "0x30")}, want: want}},
			quiet:    []example{{name: "when it has been seen", after: 6 * time.Minute, series: []series{status("unknown", "1x8 0x22"), status("healthy", "0x8 1x22")}}},
		},
	}
}
