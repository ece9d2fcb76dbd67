package collector

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/batondb/baton/topology"
)

// The names of the questions, as errors and grants speak of them.
const (
	askSettings    = "settings"
	askAccount     = "account"
	askGrants      = "grants"
	askVariables   = "variables"
	askReplication = "replication status"
	askBinlog      = "binary log status"
	askSemiSync    = "semi-sync status"
	askBeats       = "heartbeats"
	askLag         = "lag"
	askReplicas    = "replicas"
	askDumpThreads = "dump threads"
	askHeartbeat   = "heartbeat period"
	askDataCenter  = "data center"
	askRegion      = "region"
	askAlias       = "cluster alias"
)

// question is one thing that servers are asked. To ask for something more, add a line to the table below: its text in each dialect and where
// the answer goes.
type question struct {
	name string

	// sql is the text; "" where this server has no such thing, or where the answer would be empty.
	sql func(*session) string

	// seldom questions are asked on connect and every SlowEvery-th time.
	seldom bool

	// optional questions may fail: what was known before stays.
	optional bool

	// scan takes the answer into the draft of the session.
	scan func(*session, *answer) error
}

// first are the questions on which the text of all others depends.
var first = []question{
	{name: askSettings, sql: settingsSQL, seldom: true, scan: scanSettings},
	{name: askAccount, sql: text("SELECT CURRENT_USER() AS account"), seldom: true, scan: scanAccount},
	{name: askGrants, sql: text("SHOW GRANTS"), seldom: true, optional: true, scan: scanGrants},
}

// table is everything else, in the order of asking: a batch ends at its first error, so what may fail comes last.
var table = []question{
	{name: askVariables, sql: func(s *session) string { return s.variables }, scan: scanVariables},
	{name: askReplication, sql: func(s *session) string { return s.dialect.replicaStatus }, scan: scanChannels},
	{name: askBinlog, sql: binlogSQL, scan: scanBinlog},
	{name: askSemiSync, sql: semiSyncSQL, scan: scanSemiSync},
	{name: askReplicas, sql: replicasSQL, seldom: true, optional: true, scan: scanReplicas},
	{name: askBeats, sql: beatsSQL, optional: true, scan: scanBeats},
	{name: askLag, sql: lagSQL, optional: true, scan: scanLag},
	{name: askDumpThreads, sql: dumpThreadsSQL, seldom: true, optional: true, scan: scanDumpThreads},
	{name: askHeartbeat, sql: heartbeatSQL, seldom: true, optional: true, scan: scanHeartbeat},
	{name: askDataCenter, sql: func(s *session) string { return s.opts.Detect.DataCenter }, seldom: true, optional: true, scan: scanDataCenter},
	{name: askRegion, sql: func(s *session) string { return s.opts.Detect.Region }, seldom: true, optional: true, scan: scanRegion},
	{name: askAlias, sql: func(s *session) string { return s.opts.Detect.ClusterAlias }, seldom: true, optional: true, scan: scanAlias},
}

// often is what each probe asks, and all what the others ask.
var (
	often = slices.DeleteFunc(slices.Clone(table), func(q question) bool { return q.seldom })
	all   = slices.Concat(first, table)
)

func text(sql string) func(*session) string { return func(*session) string { return sql } }

// settingsSQL asks for variables by pattern, which never fails, whatever the server lacks.
func settingsSQL(*session) string { return settingsText }

var settingsText = func() string {
	var b strings.Builder
	b.WriteString("SHOW GLOBAL VARIABLES WHERE Variable_name IN (")
	for i, name := range slices.Sorted(maps.Keys(variableWords)) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("'" + name + "'")
	}
	b.WriteByte(')')
	return b.String()
}()

// variablesText is the statement that reads, at each probe, those of the variables that the server has.
func variablesText(known map[string]bool) string {
	var b strings.Builder
	for _, name := range everyTime {
		if known[name] {
			b.WriteString(", @@global." + name + " AS " + name)
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "SELECT" + b.String()[1:]
}

func binlogSQL(s *session) string {
	if !s.draft.LogBin {
		return ""
	}
	return s.dialect.binlogStatus
}

// semiSyncSQL is asked only where semi-sync is switched on: counting the status variables is most of what a probe costs the server, and where
// it is off they are all zero.
func semiSyncSQL(s *session) string {
	if !s.draft.SemiSync.SourceEnabled && !s.draft.SemiSync.ReplicaEnabled {
		return ""
	}
	return "SHOW GLOBAL STATUS WHERE Variable_name LIKE 'Rpl_semi_sync_%_status' OR " +
		"Variable_name LIKE 'Rpl_semi_sync_%_clients' OR Variable_name LIKE 'Rpl_semi_sync_%_wait_sessions'"
}

func beatsSQL(s *session) string {
	if !s.readsReplTables() || len(s.draft.Channels) == 0 {
		return ""
	}
	return "SELECT CHANNEL_NAME AS Channel_Name, COUNT_RECEIVED_HEARTBEATS AS Beats FROM performance_schema.replication_connection_status"
}

func heartbeatSQL(s *session) string {
	if !s.readsReplTables() || len(s.draft.Channels) == 0 {
		return ""
	}
	return "SELECT CHANNEL_NAME AS Channel_Name, HEARTBEAT_INTERVAL AS Heartbeat FROM performance_schema.replication_connection_configuration"
}

func lagSQL(s *session) string {
	if len(s.draft.Channels) == 0 {
		return ""
	}
	return s.opts.Detect.Lag
}

func replicasSQL(s *session) string {
	if !s.draft.LogBin {
		return ""
	}
	return s.dialect.replicaHosts
}

// dumpThreadsSQL is asked only where a replica did not say its host.
func dumpThreadsSQL(s *session) string {
	if len(s.nameless) == 0 {
		return ""
	}
	return s.dialect.dumpThreads
}

func scanAccount(s *session, a *answer) error {
	if a.next() {
		s.account = quoteAccount(a.text(0))
	}
	return a.err
}

func scanGrants(s *session, a *answer) error {
	var held privileges
	for a.next() {
		held.add(a.text(0))
	}
	if a.err != nil {
		return a.err
	}
	s.held = held
	s.draft.MissingGrants = s.missingGrants()
	return nil
}

// scanSettings takes what hardly changes, and learns which variables there are. Values of those that are read at each probe are left alone:
// this statement cuts long ones.
func scanSettings(s *session, a *answer) error {
	name, value := a.column("Variable_name"), a.column("Value")
	if name < 0 || value < 0 {
		return errors.New("the answer has no columns Variable_name and Value")
	}
	s.known = make(map[string]bool, len(variableWords))
	for a.next() {
		variable := strings.ToLower(a.text(name))
		s.known[variable] = true
		s.setting(variableWords[variable], a, value)
	}
	if a.err == nil {
		s.learn()
	}
	return a.err
}

// scanVariables takes one row with a column for each variable.
func scanVariables(s *session, a *answer) error {
	words := s.layout(askVariables, a.columns, variableWords)
	if a.next() {
		for i, w := range words {
			if err := s.variable(w, a, i); err != nil {
				return err
			}
		}
	}
	return a.err
}

// variable takes the value in column i for what the word means.
func (s *session) variable(w word, a *answer, i int) error {
	d := &s.draft
	switch w {
	case wReadOnly:
		d.ReadOnly = a.flag(i)
	case wSuperReadOnly:
		d.SuperReadOnly = a.flag(i)
	case wGTIDMode:
		d.GTID = a.is(i, "ON")
	case wGTIDExecuted:
		return s.executed.parse(a, i, &d.Executed)
	case wGTIDPurged:
		return s.purged.parse(a, i, &d.Purged)
	case wGTIDBinlogPos:
		d.GTID = true
		return s.executed.parse(a, i, &d.Executed)
	case wGTIDCurrentPos:
		var current topology.GTIDSet
		if err := s.current.parse(a, i, &current); err != nil {
			return err
		}
		d.Executed = d.Executed.Union(current) // its column follows that of gtid_binlog_pos
	case wGTIDReplicaPos:
		return s.replicated.parse(a, i, &s.fromSource)
	case wSyncBinlog:
		d.SyncBinlog = a.number(i)
	case wFlushLog:
		d.FlushLogAtTrxCommit = a.number(i)
	case wSourceEnabled:
		d.SemiSync.SourceInstalled, d.SemiSync.SourceEnabled = true, a.flag(i)
	case wSourceWaitFor:
		d.SemiSync.WaitFor = a.number(i)
	case wSourceTimeout:
		d.SemiSync.Timeout = time.Duration(a.number(i)) * time.Millisecond
	case wReplicaEnabled:
		d.SemiSync.ReplicaInstalled, d.SemiSync.ReplicaEnabled = true, a.flag(i)
	}
	return nil
}

// setting is variable for what is read seldom.
func (s *session) setting(w word, a *answer, i int) {
	d := &s.draft
	switch w {
	case wVersion:
		s.version = a.text(i)
	case wVersionComment:
		s.comment = a.text(i)
	case wServerID:
		d.ServerID = uint32(a.number(i))
	case wServerUUID:
		d.ServerUUID = a.text(i)
	case wHostname:
		d.Hostname = a.text(i)
	case wReportHost:
		d.ReportHost = a.text(i)
	case wLogBin:
		d.LogBin = a.flag(i)
	case wLogReplicaUpdates:
		d.LogReplicaUpdates = a.flag(i)
	case wBinlogFormat:
		d.BinlogFormat = strings.ToUpper(a.text(i))
	case wReplicaNetTimeout:
		d.ReplicaNetTimeout = time.Duration(a.number(i)) * time.Second
	case wPerformanceSchema:
		s.performanceSchema = a.flag(i)
	}
}

func scanBinlog(s *session, a *answer) error {
	file, position := a.column("File"), a.column("Position")
	if file < 0 || position < 0 {
		return errors.New("the answer has no columns File and Position")
	}
	s.draft.Binlog = topology.Coordinates{}
	if a.next() {
		s.draft.Binlog = topology.Coordinates{File: a.keep(file, s.facts.Binlog.File), Pos: uint64(a.number(position))}
	}
	return a.err
}

func scanSemiSync(s *session, a *answer) error {
	name, value := a.column("Variable_name"), a.column("Value")
	if name < 0 || value < 0 {
		return errors.New("the answer has no columns Variable_name and Value")
	}
	d := &s.draft.SemiSync
	for a.next() {
		switch statusWords[string(a.bytes(name))] {
		case wSourceActive:
			d.SourceActive = a.flag(value)
		case wSourceClients:
			d.SourceClients = a.number(value)
		case wWaitSessions:
			d.WaitSessions = a.number(value)
		case wReplicaActive:
			d.ReplicaActive = a.flag(value)
		}
	}
	return a.err
}

// scanReplicas takes the replicas that registered with a host. Those that did not are looked for among the connections.
func scanReplicas(s *session, a *answer) error {
	host, port := a.column("Host"), a.column("Port")
	if host < 0 || port < 0 {
		return errors.New("the answer has no columns Host and Port")
	}
	s.draft.Replicas, s.nameless = nil, nil
	for a.next() {
		p := a.number(port)
		if id := topology.NewInstanceID(a.text(host), p); id != "" {
			s.addReplica(id)
		} else if p > 0 {
			s.nameless = append(s.nameless, p)
		}
	}
	return a.err
}

// scanDumpThreads gives a host to the replicas that registered a port alone. With several ports it cannot be told which belongs to which host:
// then nothing is guessed.
func scanDumpThreads(s *session, a *answer) error {
	for a.next() {
		host := hostOfClient(a.text(0))
		if samePort(s.nameless) && host != "localhost" {
			s.addReplica(topology.NewInstanceID(host, s.nameless[0]))
		}
	}
	return a.err
}

func scanDataCenter(s *session, a *answer) error { return scanText(a, &s.draft.DataCenter) }
func scanRegion(s *session, a *answer) error     { return scanText(a, &s.draft.Region) }
func scanAlias(s *session, a *answer) error      { return scanText(a, &s.draft.ClusterAlias) }

func scanText(a *answer, into *string) error {
	value := ""
	if a.next() {
		value = strings.TrimSpace(a.text(0))
	}
	if a.err == nil {
		*into = value
	}
	return a.err
}
