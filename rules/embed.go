// Package rules holds what Prometheus needs to watch Baton and what Baton watches: alerts, recording rules, and the runbook that the alerts lead to.
// It does not evaluate them, and all of it but this file is generated.
package rules

import "embed"

// FS holds alerts.yaml, recording.yaml and RUNBOOK.md. The unit tests beside them are not deployed.
//
//go:embed alerts.yaml recording.yaml RUNBOOK.md
var FS embed.FS
