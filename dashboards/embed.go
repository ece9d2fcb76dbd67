// Package dashboards holds the dashboards of Grafana for Baton and for what Baton watches, one JSON file each, ready to be provisioned. It does not
// talk to Grafana, and all of it but this file is generated.
package dashboards

import "embed"

// FS holds fleet.json, cluster.json, recovery.json and baton.json.
//
//go:embed fleet.json cluster.json recovery.json baton.json
var FS embed.FS
