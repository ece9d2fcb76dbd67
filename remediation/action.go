package remediation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/batondb/baton/topology"
)

// Action is one verb that an Actor understands. The closed set is the table Actions.
type Action string

// The actions. Each is idempotent: doing it twice is doing it once.
const (
	StopReceiver      Action = "stop_receiver"
	StartReplication  Action = "start_replication"
	RestartReceiver   Action = "restart_receiver"
	WaitApplied       Action = "wait_applied"
	RelaxDurability   Action = "relax_durability"
	RestoreDurability Action = "restore_durability"
	Fence             Action = "fence"
	Unfence           Action = "unfence"
	AgreePrimary      Action = "agree_primary"
	MakePrimary       Action = "make_primary"
	PointAt           Action = "point_at"
	Quarantine        Action = "quarantine"
	Fenced            Action = "record_fenced"
	Rejoined          Action = "record_rejoined"
)

// Door says which part of Baton carries an action out.
type Door string

// The doors.
const (
	DoorServer Door = "server" // changes a MySQL or MariaDB server
	DoorLedger Door = "ledger" // records a decision
)

// Verb is what the table Actions says of one action.
type Verb struct {
	Action  Action
	Door    Door
	Doc     string        // completes "Baton will ..."; %[1]s is On, %[2]s is Source
	Timeout time.Duration // of a step that names none
}

// Actions lists every action once, in the order in which a failover meets them.
func Actions() []Verb { return slices.Clone(actions) }

var actions = []Verb{
	{StopReceiver, DoorServer, "stop the receiver of %[1]s; its applier runs on", 5 * time.Second},
	{StartReplication, DoorServer, "start the receiver and the applier of %[1]s", 5 * time.Second},
	{RestartReceiver, DoorServer, "restart the receiver of %[1]s, so that it tests its link to %[2]s", 5 * time.Second},
	{WaitApplied, DoorServer, "wait until %[1]s has applied what it received", time.Minute},
	{RelaxDurability, DoorServer, "relax the durability of %[1]s while it drains", 5 * time.Second},
	{RestoreDurability, DoorServer, "restore the durability of %[1]s and flush its logs", 10 * time.Second},
	{Fence, DoorServer, "make %[1]s refuse writes, and end the connections of its writers", 5 * time.Second},
	{Unfence, DoorServer, "open %[1]s for writes again", 5 * time.Second},
	{AgreePrimary, DoorLedger, "record that %[1]s is the primary from now on", 5 * time.Second},
	{MakePrimary, DoorServer, "make %[1]s the primary: end its replication, keep the semi-sync promise, open it for writes", 10 * time.Second},
	{PointAt, DoorServer, "let %[1]s replicate from %[2]s", 30 * time.Second},
	{Quarantine, DoorLedger, "quarantine %[1]s", 5 * time.Second},
	{Fenced, DoorLedger, "record that %[1]s is fenced", 5 * time.Second},
	{Rejoined, DoorLedger, "record that %[1]s is no longer deposed", 5 * time.Second},
}

// Verb returns the row of the action; ok is false for a word that is no action.
func (a Action) Verb() (v Verb, ok bool) {
	n := slices.IndexFunc(actions, func(v Verb) bool { return v.Action == a })
	if n < 0 {
		return Verb{}, false
	}
	return actions[n], true
}

// Step is one action on one instance.
type Step struct {
	Action   Action              `json:"action"`
	On       topology.InstanceID `json:"on"`
	Source   topology.InstanceID `json:"source,omitempty"`    // the other instance, where the action has one; AgreePrimary deposes it
	Flavor   topology.Flavor     `json:"flavor,omitempty"`    // of On, so that an actor needs no look-up
	GTIDs    topology.GTIDSet    `json:"gtids,omitzero"`      // what to wait for, or what is at stake
	WaitFor  int                 `json:"wait_for,omitempty"`  // semi-sync acknowledgements the new primary waits for; 0 leaves semi-sync off
	SemiSync bool                `json:"semi_sync,omitempty"` // On acknowledges as a semi-sync replica
	Settings *Durability         `json:"settings,omitempty"`  // what RestoreDurability restores
	Why      string              `json:"why"`
	MayFail  bool                `json:"may_fail,omitempty"` // a failure is noted and the plan goes on
	NoWait   bool                `json:"no_wait,omitempty"`  // the server hangs: send it and do not wait for the answer
	Timeout  time.Duration       `json:"timeout,omitempty"`  // 0 takes the action's own

	// KillClients ends the connections of clients once the server is fenced, so that their pools look for the new primary at once.
	KillClients bool `json:"kill_clients,omitempty"`
}

// Durability is what a server does at every commit.
type Durability struct {
	SyncBinlog          int `json:"sync_binlog"`
	FlushLogAtTrxCommit int `json:"innodb_flush_log_at_trx_commit"`
}

// String says the step in one sentence without the reason.
func (s Step) String() string {
	v, ok := s.Action.Verb()
	if !ok {
		return fmt.Sprintf("%s %s", s.Action, s.On)
	}
	if strings.Contains(v.Doc, "%[2]s") {
		return fmt.Sprintf(v.Doc, s.On, s.Source)
	}
	return fmt.Sprintf(v.Doc, s.On)
}

// deadline is how long the step may take.
func (s Step) deadline() time.Duration {
	if s.Timeout > 0 {
		return s.Timeout
	}
	if v, ok := s.Action.Verb(); ok {
		return v.Timeout
	}
	return 5 * time.Second
}

// Stage is a set of steps under one name. Steps on one instance run in order, steps on different instances run at the same time.
type Stage struct {
	Phase      Phase  `json:"phase"`
	Steps      []Step `json:"steps"`
	Background bool   `json:"background,omitempty"` // the next stage does not wait for it; the plan's end does
}

// Phase names a stage in progress lines, metrics and reports.
type Phase string

// The phases, in the order in which recoveries meet them.
const (
	PhaseRelocate Phase = "relocate"
	PhaseFreeze   Phase = "freeze"
	PhaseCatchUp  Phase = "catch_up"
	PhaseDrain    Phase = "drain"
	PhaseFence    Phase = "fence"
	PhaseDecide   Phase = "decide"
	PhasePromote  Phase = "promote"
	PhaseRepoint  Phase = "repoint"
	PhaseVerify   Phase = "verify"
	PhaseRestore  Phase = "restore"
)

// Plan is what to do next towards a goal, and why it may be done. It is data: it can be printed, compared, stored and dry-run.
type Plan struct {
	Goal       Goal                `json:"goal"`
	Successor  topology.InstanceID `json:"successor,omitempty"`
	Gates      []Gate              `json:"gates"`
	Candidates []Candidate         `json:"candidates,omitempty"`
	Stages     []Stage             `json:"stages,omitempty"`
	Complete   bool                `json:"complete,omitempty"`    // the goal holds; nothing is left to do
	Waiting    string              `json:"waiting,omitempty"`     // the goal does not hold yet, and all that can be done is to look again
	WaitingFor topology.InstanceID `json:"waiting_for,omitempty"` // whom, where it can be given up
	Patient    bool                `json:"patient,omitempty"`     // it is waited for longer: there is nothing better to do
	AtRisk     topology.GTIDSet    `json:"at_risk,omitzero"`      // known to the primary and held by nobody that can be reached
	Next       string              `json:"next,omitempty"`        // what is decided after these stages, once it can be told
}

// Steps returns all steps in order.
func (p *Plan) Steps() []Step {
	var all []Step
	for _, st := range p.Stages {
		all = append(all, st.Steps...)
	}
	return all
}
