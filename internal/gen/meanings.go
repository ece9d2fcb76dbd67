package gen

import (
	"strings"

	"github.com/batondb/baton/analysis"
)

// What numbers mean on the dashboards, and in which colour.

func statusMeaning() mapping {
	colors := map[string]string{"healthy": "green", "degraded": "yellow", "unprotected": "orange", "unknown": "purple", "primary_down": "red"}
	states := make([]state, len(statusCodes))
	for n, s := range statusCodes {
		states[n] = state{itoa(n), strings.ReplaceAll(s, "_", " "), colors[s]}
	}
	return mapped(states...)
}

func severityMeaning() mapping {
	return mapped(state{"0", "info", "blue"}, state{"1", "warning", "orange"}, state{"2", "critical", "red"})
}

// The colours of severities and states.
var severityColors = map[string]string{"info": "blue", "warning": "orange", "critical": "red"}

func yesNo(yes, yesColor, no, noColor string) mapping {
	return mapped(state{"1", yes, yesColor}, state{"0", no, noColor})
}

func upOrDown() mapping { return yesNo("up", "green", "down", "red") }

// someAre is green at nothing and another colour at anything.
func someAre(color string) *thresholds { return steps("green", from(1, color)) }

// activeBySeverity is the number of a severity for each finding, over the instances and rules of a selection.
func activeBySeverity(by, selector string) string {
	return codes(by, "baton_finding_active", "severity", selector, severityCodes)
}

// severities names all severities, the worst first.
func severities() []string {
	return []string{analysis.Critical.String(), analysis.Warning.String(), analysis.Info.String()}
}
