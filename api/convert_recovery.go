package api

import (
	"errors"
	"time"

	"github.com/batondb/baton/ledger"
	"github.com/batondb/baton/remediation"
)

// planOf converts a plan and the refusal, if any, that came with it.
func planOf(p remediation.Plan, err error) Plan {
	out := Plan{
		Kind: string(p.Goal.Kind), Cluster: p.Goal.Cluster, Instance: string(p.Goal.Failed), To: string(p.Goal.To), Successor: string(p.Successor),
		Gates: gatesOf(p.Gates), Complete: p.Complete, Waiting: p.Waiting, AtRisk: p.AtRisk.String(), Next: p.Next,
	}
	for _, c := range p.Candidates {
		out.Candidates = append(out.Candidates, Candidate{
			Instance: string(c.Instance), PromotionRule: c.Rule.String(), Behind: c.Behind.Count(), BehindGTIDs: c.Behind.String(), Unapplied: c.Unapplied,
			Refused: c.Refused, Chosen: c.Chosen, Donor: c.Donor,
		})
	}
	for _, st := range p.Stages {
		stage := Stage{Phase: string(st.Phase), Background: st.Background, Steps: []Step{}}
		for _, step := range st.Steps {
			stage.Steps = append(stage.Steps, Step{
				Action: string(step.Action), On: string(step.On), Source: string(step.Source), Text: step.String(), Why: step.Why, MayFail: step.MayFail,
			})
		}
		out.Stages = append(out.Stages, stage)
	}
	if refusal, ok := errors.AsType[*remediation.Refusal](err); ok {
		r := refusalOf(refusal)
		if len(out.Gates) == 0 {
			out.Gates = r.Gates
		}
		r.Gates = nil // they are those of the plan
		out.Refusal = &r
	}
	return out
}

func refusalOf(r *remediation.Refusal) Refusal {
	return Refusal{Reason: string(r.Reason), Text: r.Text, Hint: r.Hint, Gates: gatesOf(r.Gates)}
}

func gatesOf(gates []remediation.Gate) []Gate {
	out := []Gate{}
	for _, g := range gates {
		out = append(out, Gate{Name: string(g.Name), Verdict: g.Verdict.String(), Evidence: g.Evidence, AgeSeconds: g.Age.Seconds(), Overruled: g.Overruled})
	}
	return out
}

// recoveryOf converts a recovery without its plan and steps.
func recoveryOf(r *ledger.Recovery) RecoveryView {
	out := RecoveryView{
		ID: r.ID, Cluster: r.Cluster, Kind: r.Kind, Rule: r.Rule, Instance: r.Instance, Trigger: r.Trigger, By: r.By, Reason: r.Reason,
		Open: r.Open(), Opened: r.Opened, Closed: r.Closed, Outcome: r.Outcome, Message: r.Message, Successor: r.Successor,
		LostReplicas: r.LostReplicas, LostTransactions: r.LostTransactions,
	}
	if !r.Open() {
		out.TookSeconds = new(r.Closed.Sub(r.Opened).Seconds())
	}
	for _, p := range r.Phases {
		out.Phases = append(out.Phases, PhaseTime{Phase: p.Name, Seconds: p.Took.Seconds()})
	}
	if a := r.Acknowledged; a != nil {
		out.Acknowledged = &Acknowledgement{By: a.By, Comment: a.Comment, At: a.At}
	}
	return out
}

// fullRecovery converts a recovery with its plan and steps.
func fullRecovery(r *ledger.Recovery) RecoveryView {
	out := recoveryOf(r)
	out.Plan = r.Plan
	for _, s := range r.Steps {
		out.Steps = append(out.Steps, JournalStep{Phase: s.Stage, Step: s.Step, On: s.On, At: s.At, TookSeconds: s.Took.Seconds(), Error: s.Err})
	}
	return out
}

// replay tells an ended recovery from its journal, for those whose events are no longer kept in any process.
func replay(r *ledger.Recovery) []Progress {
	var out []Progress
	for _, s := range r.Steps {
		p := Progress{
			Recovery: r.ID, At: s.At, Phase: s.Stage, Step: s.Step, Text: stepText(s), On: s.On, State: StateDone, Error: s.Err, TookSeconds: s.Took.Seconds(),
		}
		if s.Err != "" {
			p.State = StateFailed
		}
		out = append(out, p)
	}
	if !r.Open() {
		out = append(out, Progress{Recovery: r.ID, At: r.Closed, Outcome: r.Outcome, Text: r.Message, Successor: r.Successor})
	}
	return out
}

// stepText says a step of the journal in words. The journal keeps no source, so an action that names one is told without it.
func stepText(s ledger.Step) string {
	if _, known := remediation.Action(s.Step).Verb(); known && remediation.Action(s.Step) != remediation.PointAt && remediation.Action(s.Step) != remediation.RestartReceiver {
		return remediation.Step{Action: remediation.Action(s.Step), On: topologyID(s.On)}.String()
	}
	return s.Step + " " + s.On
}

// timer fills in how long steps took, from when they started in the same stream.
type timer map[[3]string]time.Time

func (t timer) note(p *Progress) {
	key := [3]string{p.Phase, p.Step, p.On}
	switch p.State {
	case StateStarted:
		t[key] = p.At
	case StateDone, StateSkipped, StateFailed:
		if began, ok := t[key]; ok && p.TookSeconds == 0 {
			p.TookSeconds = p.At.Sub(began).Seconds()
		}
	}
}
