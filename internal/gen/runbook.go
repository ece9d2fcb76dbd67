package gen

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/remediation"
)

const runbookIntro = `# Runbook

Every alert of Baton, in the order of its groups, and what a person can do. The alert of a section is called %[1]s and the name of the section:
%[1]sDeadPrimary leads to [DeadPrimary](#deadprimary). Words in capitals stand for names of yours, and a command that changes something does nothing
with ` + "`--dry-run`" + `.

What Baton does by itself it does only where the policy of the cluster is ` + "`auto`" + `, nobody has paused it, and every gate passes.
` + "`baton why-not CLUSTER`" + ` says at any time what would happen if the primary died now.

`

// runbook renders a section for every alert, and the names that orchestrator has for them.
func runbook(table []*analysis.Rule, groups []alertGroup) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "<!-- %s -->\n\n", notByHand)
	fmt.Fprintf(&b, runbookIntro, prefix)
	b.WriteString("| alert | severity | recovery | meaning |\n|---|---|---|---|\n")
	for _, g := range groups {
		for _, a := range g.alerts {
			recovery := ""
			if a.rule != nil {
				recovery = string(a.rule.Recovery)
			}
			fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s |\n", a.name, anchor(a.name), a.severity, recovery, a.summary)
		}
	}
	for _, g := range groups {
		fmt.Fprintf(&b, "\n## %s\n", g.title)
		for _, a := range g.alerts {
			a.section(&b)
		}
	}
	translations(&b, table)
	return b.Bytes()
}

func (a *alert) section(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n### %s\n\n%s\n\n", a.name, a.summary)
	if a.rule != nil {
		ruleSection(b, a.rule)
	} else {
		fmt.Fprintf(b, "Severity: %s.\n\n", a.severity)
		fmt.Fprintf(b, "**It fires** %s\n\n```promql\n%s\n```\n\n", holding(a.hold, "as soon as this holds:", "when this has held for %s:"), a.expr)
	}
	fmt.Fprintf(b, "**What to know and to do.** %s\n\n```\n%s\n```\n", a.advice, strings.Join(a.commands, "\n"))
	if a.rule != nil {
		if hidden := hides(a.rule); hidden != "" {
			fmt.Fprintf(b, "\n%s\n", hidden)
		}
	}
}

// holding says how long something must last.
func holding(d time.Duration, at, after string) string {
	if d == 0 {
		return at
	}
	return fmt.Sprintf(after, duration(d))
}

func ruleSection(b *bytes.Buffer, r *analysis.Rule) {
	fmt.Fprintf(b, "Severity: %s. Recovery: %s.", r.Severity, r.Recovery)
	if r.Orchestrator != "" {
		fmt.Fprintf(b, " In orchestrator: %s.", r.Orchestrator)
	}
	fmt.Fprintf(b, " [An example](../analysis/testdata/%s.txt).\n\n", r.Name)
	fmt.Fprintf(b, "**It is found** %s the %s\n\n", holding(r.For, "as soon as all of this is true:", "when all of this has been true for %s:"), subjectOf(r))
	bullets(b, r.When)
	fmt.Fprintf(b, "\n**By itself** Baton %s.", what(r.Recovery).sentence())
	if len(r.Given) > 0 {
		fmt.Fprintf(b, " It does so only if, besides, the %s\n\n", subjectOf(r))
		bullets(b, r.Given)
	} else {
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
}

func subjectOf(r *analysis.Rule) string {
	switch r.Scope {
	case analysis.ScopeFleet:
		return "fleet"
	case analysis.ScopeArea:
		return "fleet, or a region or a data centre of it,"
	default:
		return "instance"
	}
}

func bullets(b *bytes.Buffer, conditions []analysis.Condition) {
	for _, c := range conditions {
		fmt.Fprintf(b, "- %s\n", c.Text)
	}
}

// hides says which findings a rule explains away.
func hides(r *analysis.Rule) string {
	var parts []string
	if len(r.Masks) > 0 {
		where := "on the same instance"
		if r.Scope != analysis.ScopeInstance {
			where = "in all clusters it is about"
		}
		parts = append(parts, where+" "+links(r.Masks))
	}
	if len(r.MasksBelow) > 0 {
		parts = append(parts, "on its direct replicas "+links(r.MasksBelow))
	}
	if len(parts) == 0 {
		return ""
	}
	return "While it is found it hides what it explains: " + strings.Join(parts, ", and ") + "."
}

func links(rules []*analysis.Rule) string {
	names := make([]string, len(rules))
	for n, r := range rules {
		names[n] = fmt.Sprintf("[%s](#%s)", r.Name, anchor(r.Name))
	}
	return strings.Join(names, ", ")
}

// deed is what a kind of recovery does.
type deed struct {
	kind     analysis.RecoveryKind
	does     string   // completes "Baton ..."
	commands []string // for people who do it themselves, or look at what was done
}

// missing reports whether this version cannot carry it out.
func (d deed) missing() bool { return d.does != "" && !remediation.Plans(d.kind) }

// sentence completes "By itself Baton ...", of this version.
func (d deed) sentence() string {
	switch {
	case d.does == "":
		return "does nothing about it"
	case d.missing():
		return fmt.Sprintf("does nothing about it in this version; that it %s is not carried out yet", d.does)
	}
	return d.does
}

// what describes a kind of recovery. One that is not listed does nothing.
func what(kind analysis.RecoveryKind) deed {
	all := deeds()
	if n := slices.IndexFunc(all, func(d deed) bool { return d.kind == kind }); n >= 0 {
		return all[n]
	}
	return deed{kind: kind, commands: []string{"baton downtime begin INSTANCE --for 2h --reason 'it is being repaired'"}}
}

func deeds() []deed {
	failover := []string{"baton why-not CLUSTER", "baton recovery plan failover CLUSTER", "baton failover CLUSTER"}
	done := []string{"baton recovery list --cluster CLUSTER", "baton recovery show RECOVERY"}
	probe := []string{"baton discover INSTANCE --reason 'probe it again'", "baton recovery plan failover CLUSTER"}
	relocate := func(which, where string) []string {
		move := "baton relocate " + which + " --below " + where
		return []string{move + " --dry-run", move}
	}
	return []deed{
		{analysis.RecoveryFailover, "promotes the replica that holds everything, and lets the others follow it", failover},
		{analysis.RecoveryPromotePeer, "makes the other co-primary the only primary", failover},
		{analysis.RecoveryReprobe, "probes everybody around it again, and restarts the receivers of replicas that are connected and hear nothing, so that each tests its link; " +
			"nobody is promoted on this evidence", probe},
		{analysis.RecoveryRestartReceivers, "restarts the receivers of replicas that are connected and hear nothing, so that each tests its link; " +
			"nobody is promoted on this evidence", probe},
		{analysis.RecoveryFence, "makes it read-only and disconnects its clients; then it follows the primary if it holds nothing that the primary lacks, " +
			"and is quarantined otherwise", done},
		{analysis.RecoveryRejoin, "lets it follow the primary if it holds nothing that the primary lacks, and leaves it quarantined otherwise", done},
		{analysis.RecoveryRelocate, "moves its replicas below other sources", relocate("REPLICA", "SOURCE")},
		{analysis.RecoveryRepoint, "points it at the primary", relocate("INSTANCE", "PRIMARY")},
		{analysis.RecoverySetReadOnly, "makes it read-only", nil},
		{analysis.RecoveryOpenPrimary, "opens it for writes", []string{"baton recovery list --cluster CLUSTER", "baton takeover CLUSTER --dry-run"}},
		{analysis.RecoveryRelockSemiSync, "switches semi-sync on at enough replicas for the promised number of acknowledgements", nil},
		{analysis.RecoveryAdjustSemiSync, "leaves semi-sync on at exactly the promised number of replicas", nil},
	}
}

// findingCommands are what to type about a finding: what is seen, why it is found, and what may be done.
func findingCommands(r *analysis.Rule) []string {
	switch r.Scope {
	case analysis.ScopeFleet:
		return []string{"baton findings --all", "baton rule explain " + r.Name, "baton clusters"}
	case analysis.ScopeArea:
		return []string{
			"baton findings --all", "baton rule explain " + r.Name + " --area AREA", "baton clusters", "baton recovery plan failover CLUSTER", "baton failover CLUSTER",
			"baton downtime begin INSTANCE --for 2h --reason 'lost with its site'",
		}
	default:
		return append([]string{"baton findings CLUSTER", "baton rule explain " + r.Name + " INSTANCE", "baton topology CLUSTER"}, what(r.Recovery).commands...)
	}
}

// translations lists the names of orchestrator.
func translations(b *bytes.Buffer, table []*analysis.Rule) {
	ours := make(map[string][]*analysis.Rule)
	for _, r := range table {
		if r.Orchestrator != "" {
			ours[r.Orchestrator] = append(ours[r.Orchestrator], r)
		}
	}
	b.WriteString("\n## For those who come from orchestrator\n\n| orchestrator | Baton |\n|---|---|\n")
	for _, theirs := range slices.Sorted(maps.Keys(ours)) {
		fmt.Fprintf(b, "| %s | %s |\n", theirs, links(ours[theirs]))
	}
}
