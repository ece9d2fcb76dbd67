package service

import (
	"context"
	"errors"
	"fmt"

	"github.com/batondb/baton/ledger"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// ledgerActor carries out the steps that record a decision. One is made per recovery, because entries name it.
type ledgerActor struct {
	ledger   *ledger.Ledger
	goal     remediation.Goal
	snapshot func() *topology.Snapshot
}

var _ remediation.Actor = (*ledgerActor)(nil)

func (a *ledgerActor) Do(ctx context.Context, step remediation.Step) error {
	body, err := a.body(step)
	if err != nil {
		return err
	}
	entry, err := ledger.NewEntry("baton", clip(step.Why), body)
	if err != nil {
		return fmt.Errorf("record %s of %s: %w", step.Action, step.On, err)
	}
	err = a.ledger.Propose(ctx, entry)
	if gone := (ledger.ErrNotFound{}); errors.As(err, &gone) && step.Action != remediation.AgreePrimary {
		return nil // it was taken back already
	}
	if errors.As(err, new(ledger.ErrNotLeader)) {
		return fmt.Errorf("%w: record %s of %s: %w", remediation.ErrHalted, step.Action, step.On, err)
	}
	if err != nil {
		return fmt.Errorf("record %s of %s: %w", step.Action, step.On, err)
	}
	return nil
}

func (a *ledgerActor) body(step remediation.Step) (ledger.Body, error) {
	on := string(step.On)
	switch step.Action {
	case remediation.AgreePrimary:
		return ledger.AgreePrimary{
			Cluster: a.goal.Cluster, Instance: on, ServerUUID: a.uuid(step.On), Position: step.GTIDs.String(),
			Recovery: a.goal.ID, Deposes: string(step.Source), Epoch: a.ledger.State().Primaries[a.goal.Cluster].Epoch,
		}, nil
	case remediation.Quarantine:
		return ledger.SetQuarantine{Instance: on, Cluster: a.goal.Cluster, GTIDs: step.GTIDs.String()}, nil
	case remediation.Fenced:
		return ledger.MarkFenced{Instance: on}, nil
	case remediation.Rejoined:
		return ledger.Release{Instance: on}, nil
	}
	return nil, fmt.Errorf("%s is no step that the ledger records", step.Action)
}

func (a *ledgerActor) uuid(id topology.InstanceID) string {
	if i := a.snapshot().Instance(id); i != nil {
		return i.Facts.ServerUUID
	}
	return ""
}

// Done looks at the state: every record is there or not.
func (a *ledgerActor) Done(_ context.Context, step remediation.Step) (bool, error) {
	s, on := a.ledger.State(), string(step.On)
	switch step.Action {
	case remediation.AgreePrimary:
		p := s.Primaries[a.goal.Cluster]
		_, deposed := s.Deposed[string(step.Source)]
		return p.Instance == on && p.Recovery == a.goal.ID && (step.Source == "" || deposed), nil
	case remediation.Quarantine:
		_, ok := s.Quarantines[on]
		return ok, nil
	case remediation.Fenced:
		d, ok := s.Deposed[on]
		return !ok || d.Fenced(), nil
	case remediation.Rejoined:
		_, deposed := s.Deposed[on]
		return !deposed, nil
	}
	return false, nil
}
