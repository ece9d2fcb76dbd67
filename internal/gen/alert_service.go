package gen

import (
	"time"

	"github.com/batondb/baton/analysis"
)

// serviceAlerts ring when a node of Baton does not serve as it should.
func serviceAlerts() []alert {
	return []alert{
		{
			name: "ConfigReloadFailed", severity: analysis.Warning, expr: `baton_config_last_reload_successful == 0`, hold: time.Minute,
			summary: "The configuration file of a node of Baton was not taken over.", about: aboutNode,
			advice:   "The node goes on with the configuration it had, and would not start with this one. Its log names every key that is wrong; correct them and reload.",
			commands: []string{"baton check config FILE"},
			fires: []example{{
				name: "when the last reload failed", after: 2 * time.Minute, series: []series{of("baton-1", "baton_config_last_reload_successful", "1 0x12")},
				want: []map[string]string{node("baton-1")},
			}},
			quiet: []example{{name: "when it was tried again", after: 2 * time.Minute, series: []series{of("baton-1", "baton_config_last_reload_successful", "1 0 0 1x12")}}},
		},
		{
			name: "ServesErrors", severity: analysis.Warning, expr: `sum by (job, instance, handler) (rate(baton_http_requests_total{code="500"}[5m])) > 0`, hold: 5 * time.Minute,
			summary: "A node of Baton answers requests with internal errors.", about: aboutNode + " at {{ $labels.handler }}",
			advice:   "This is a fault of Baton and not of the request. Its log says which; report it.",
			commands: []string{"baton version"},
			fires: []example{{
				name: "when it goes on", after: 11 * time.Minute, want: []map[string]string{labels("instance", "baton-1:8306", "job", "baton", "handler", "/api/v1/clusters")},
				series: []series{of("baton-1", "baton_http_requests_total", "0+1x60", "code", "500", "handler", "/api/v1/clusters", "method", "GET")},
			}},
			quiet: []example{{
				name: "when others are refused", after: 11 * time.Minute,
				series: []series{of("baton-1", "baton_http_requests_total", "0+1x60", "code", "503", "handler", "/-/leader", "method", "GET")},
			}},
		},
		{
			name: "VersionsDiffer", severity: analysis.Info, expr: `count by (job) (count by (job, version) (baton_build_info)) > 1`, hold: time.Hour,
			summary: "The nodes of Baton run different versions.", about: "There are {{ $value }} versions",
			advice:   "That is well during an upgrade and not afterwards: who leads decides which version decides. Finish the upgrade.",
			commands: []string{"baton version"},
			fires: []example{{
				name: "when an upgrade was left half done", after: 70 * time.Minute, value: "2", want: []map[string]string{labels("job", "baton")},
				series: []series{of("baton-1", "baton_build_info", "1x300", "version", "1.0.0"), of("baton-2", "baton_build_info", "1x300", "version", "1.1.0")},
			}},
			quiet: []example{{
				name: "when all run the same", after: 70 * time.Minute,
				series: []series{of("baton-1", "baton_build_info", "1x300", "version", "1.1.0"), of("baton-2", "baton_build_info", "1x300", "version", "1.1.0")},
			}},
		},
	}
}
