package mysql

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/batondb/baton/topology"
)

// state is what an instance says of its replication and of its willingness to write, at one moment.
type state struct {
	readOnly bool // nobody can commit; MariaDB lets some accounts
	semiSync row  // by variable

	executed topology.GTIDSet

	channel  bool // it has a channel; the rest is about that
	source   topology.InstanceID
	receiver topology.Receiver
	applier  topology.Applier

	applierErrno, applierError string

	byGTID        bool // it finds its place in the source's log by GTIDs
	usingGTID     string
	received      topology.GTIDSet // what the receiver has; without what was executed before the channel existed
	read, applied topology.Coordinates
	relayLog      topology.Coordinates // where the applier is in what was received
	delay         string
}

// questions are what readState asks; they can be part of a longer batch.
func (s *session) questions() []string {
	settings := []string{"@@GLOBAL.read_only AS read_only", s.position}
	for _, name := range []string{s.semiSync.source, s.semiSync.replica, s.semiSync.waitFor} {
		if name != "" {
			settings = append(settings, "@@GLOBAL."+name+" AS "+name)
		}
	}
	return []string{s.on(s.status), "SELECT " + strings.Join(settings, ", ")}
}

// readState asks how the server is, after it has carried out some statements in the same round trip.
func (s *session) readState(ctx context.Context, first ...string) (state, error) {
	answers, err := s.ask(ctx, append(first, s.questions()...)...)
	if err != nil {
		return state{}, err
	}
	return s.parseState(answers)
}

// changeState is readState where the first statements change something.
func (s *session) changeState(ctx context.Context, first ...string) (state, error) {
	answers, err := s.change(ctx, append(first, s.questions()...)...)
	if err != nil {
		return state{}, err
	}
	return s.parseState(answers)
}

// parseState reads the last two answers.
func (s *session) parseState(answers []table) (state, error) {
	if len(answers) < 2 {
		return state{}, fmt.Errorf("%d answers to two questions", len(answers))
	}
	channels, settings := answers[len(answers)-2], answers[len(answers)-1].first()
	st := state{semiSync: settings}
	st.readOnly = settings["read_only"] == "1"
	if super, ok := settings["super_read_only"]; ok {
		st.readOnly = super == "1"
	}
	for _, column := range []string{"executed_1", "executed_2"} {
		set, err := topology.ParseGTIDSet(settings[column])
		if err != nil {
			return st, err
		}
		st.executed = st.executed.Union(set)
	}
	if len(channels) == 0 {
		return st, nil
	}
	return st, st.parseChannel(channels.first())
}

func (st *state) parseChannel(r row) error {
	port, err := strconv.Atoi(r.get("Source_Port", "Master_Port"))
	if err != nil {
		return fmt.Errorf("port of the source: %w", err)
	}
	st.source = topology.NewInstanceID(r.get("Source_Host", "Master_Host"), port)
	if st.source == "" {
		return nil // what RESET without ALL leaves behind
	}
	st.channel = true
	switch r.get("Replica_IO_Running", "Slave_IO_Running") {
	case "Yes":
		st.receiver = topology.ReceiverConnected
	case "No":
		st.receiver = topology.ReceiverStopped
	default: // Connecting; MariaDB: also Preparing
		st.receiver = topology.ReceiverConnecting
	}
	st.applier = topology.ApplierStopped
	if r.get("Replica_SQL_Running", "Slave_SQL_Running") == "Yes" {
		st.applier = topology.ApplierRunning
	}
	st.applierErrno, st.applierError = r["Last_SQL_Errno"], r["Last_SQL_Error"]
	st.usingGTID = r["Using_Gtid"]
	st.byGTID = r["Auto_Position"] == "1" || st.usingGTID != "" && st.usingGTID != "No"
	st.delay = r["SQL_Delay"]
	if st.received, err = topology.ParseGTIDSet(r.get("Retrieved_Gtid_Set", "Gtid_IO_Pos")); err != nil {
		return err
	}
	st.read = place(r.get("Source_Log_File", "Master_Log_File"), r.get("Read_Source_Log_Pos", "Read_Master_Log_Pos"))
	st.applied = place(r.get("Relay_Source_Log_File", "Relay_Master_Log_File"), r.get("Exec_Source_Log_Pos", "Exec_Master_Log_Pos"))
	st.relayLog = place(r["Relay_Log_File"], r["Relay_Log_Pos"])
	return nil
}

func place(file, position string) topology.Coordinates {
	n, err := strconv.ParseUint(position, 10, 64)
	if err != nil || file == "" {
		return topology.Coordinates{}
	}
	return topology.Coordinates{File: file, Pos: n}
}

// unapplied returns what was received and not applied. Where GTIDs do not tell, it returns an error unless the positions in the source's log show
// that there is nothing.
func (st *state) unapplied() (topology.GTIDSet, error) {
	left := st.received.Subtract(st.executed)
	if !left.IsEmpty() || !st.channel || st.byGTID {
		return left, nil
	}
	if st.applied.IsZero() && st.read.IsZero() {
		return left, nil // its receiver has not been connected yet
	}
	if order, ok := st.applied.Compare(st.read); !ok || order < 0 {
		return left, fmt.Errorf("it has applied the log of %s up to %s and received it up to %s", st.source, st.applied, st.read)
	}
	return left, nil
}

// replicates reports whether both threads run. A receiver that looks for its source runs.
func (st *state) replicates() bool {
	return st.channel && st.receiver != topology.ReceiverStopped && st.applier == topology.ApplierRunning
}

// NotAppliedError refuses an action that would discard what was received and not applied.
type NotAppliedError struct {
	Missing topology.GTIDSet
	Reason  string // where GTIDs cannot tell
}

func (e *NotAppliedError) Error() string {
	if e.Missing.IsEmpty() {
		return fmt.Sprintf("what was received is not applied yet, and must not be discarded: %s", e.Reason)
	}
	return fmt.Sprintf("%d received transactions are not applied yet, and must not be discarded: %s", e.Missing.Count(), e.Missing)
}

// mustBeApplied refuses where something received is not applied.
func (st *state) mustBeApplied() error {
	left, err := st.unapplied()
	switch {
	case err != nil:
		return &NotAppliedError{Reason: err.Error()}
	case !left.IsEmpty():
		return &NotAppliedError{Missing: left}
	}
	return nil
}
