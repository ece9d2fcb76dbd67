package main

import (
	"strings"
	"testing"

	"github.com/batondb/baton/api"
)

// TestOutput shows what people see of every command that reads, and of dry runs.
func TestOutput(t *testing.T) {
	for _, c := range []struct {
		name     string
		scenario string
		args     string
		code     int
	}{
		{"clusters", shop + blog, "clusters", 0},
		{"clusters_yaml", shop, "clusters -o yaml", 0},
		{"instances", shop + blog, "instances", 0},
		{"instances_of_one", shop + blog, "instances shop", 0},
		{"topology", shop, "topology shop", 0},
		{"topology_all", shop + blog, "topology", 0},
		{"topology_json", shop, "topology shop -o json", 0},
		{"findings", shop + blog, "findings", 0},
		{"findings_all", shop + blog, "findings --all", 0},
		{"findings_none", "cluster calm\ncalm1\n  calm2\n", "findings calm", 0},
		{"rule_explain", shop, "rule explain DeadPrimary db1", 0},
		{"rule_explain_holds", blog, "rule explain DeadPrimary web1", 0},
		{"rule_explain_fleet", shop, "rule explain ObserverIsolated", 0},
		{"why_not", shop, "why-not shop", 0},
		{"why_not_down", blog, "why-not blog", 0},
		{"takeover_plan", shop, "takeover shop --dry-run", 0},
		{"takeover_refused", blog, "takeover blog --dry-run", api.ExitRefused},
		{"failover_plan", blog, "failover blog --dry-run", 0},
		{"relocate_plan", shop, "relocate db4 --below db1 --dry-run", 0},
		{"plan_json", shop, "recovery plan relocate db4 --below db1 -o json", 0},
		{"recovery_list_none", shop, "recovery list", 0},
		{"downtime_list_none", shop, "downtime list", 0},
		{"downtime_dry_run", shop, "downtime begin db3 --for 2h --reason disk --dry-run", 0},
		{"pause_dry_run_json", shop, "pause shop --rule DeadPrimary --reason drill --dry-run -o json", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, c.scenario)
			r := f.baton(strings.Fields(c.args)...).wantCode(t, c.code)
			if r.err != "" {
				t.Errorf("something was said besides: %s", r.err)
			}
			golden(t, c.name, r.out)
			if changed := f.service.Changed(); len(changed) > 0 {
				t.Errorf("it changed something: %q", changed)
			}
		})
	}
}
