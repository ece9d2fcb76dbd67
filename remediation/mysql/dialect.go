package mysql

import (
	"fmt"
	"strings"
	"time"

	"github.com/batondb/baton/topology"
)

// dialect is how one line of servers spells what the actions need; every difference in terminology is here. Statements about a channel are
// completed by session.on.
type dialect struct {
	mariaDB bool

	stopReceiver, startReceiver, startApplier string
	stop, start, resetAll, status             string

	changeSource string // followed by options
	option       string // what the options about the source begin with
	autoPosition string // the option that makes replication find its place by GTIDs

	fence, open string // refuse writes, accept them
	netTimeout  string // the variable that bounds how long a receiver waits for its source, when it connects and later
	position    string // the columns executed_1 and executed_2: what has been executed is their union
}

// dialectOf returns the dialect of a version, or why there is none.
func dialectOf(v topology.Version) (dialect, error) {
	switch {
	case v.IsMariaDB() && v.AtLeast(10, 5, 0):
		d := replicationWords("SLAVE", "MASTER", "CHANGE MASTER TO")
		d.mariaDB = true
		d.autoPosition = "MASTER_USE_GTID=slave_pos"
		d.fence, d.open = "SET GLOBAL read_only=1", "read_only=0"
		d.netTimeout = "slave_net_timeout"
		d.position = "@@GLOBAL.gtid_slave_pos AS executed_1, @@GLOBAL.gtid_binlog_pos AS executed_2"
		return d, nil
	case v.IsMariaDB():
		return dialect{}, fmt.Errorf("MariaDB %s is older than 10.5", v)
	case !v.AtLeast(5, 7, 8):
		return dialect{}, fmt.Errorf("MySQL %s is older than 5.7.8, which brought super_read_only", v)
	}
	d := replicationWords("REPLICA", "SOURCE", "CHANGE REPLICATION SOURCE TO")
	if !v.AtLeast(8, 0, 23) {
		d = replicationWords("SLAVE", "MASTER", "CHANGE MASTER TO")
	}
	d.netTimeout = "replica_net_timeout"
	if !v.AtLeast(8, 0, 26) {
		d.netTimeout = "slave_net_timeout"
	}
	d.autoPosition = d.option + "AUTO_POSITION=1"
	// Each of the two moves the other one along: super_read_only cannot be on without read_only.
	d.fence, d.open = "SET GLOBAL super_read_only=1", "read_only=0"
	d.position = "@@GLOBAL.gtid_executed AS executed_1, '' AS executed_2, @@GLOBAL.super_read_only AS super_read_only"
	return d, nil
}

func replicationWords(replica, source, change string) dialect {
	return dialect{
		stopReceiver:  "STOP " + replica + " IO_THREAD",
		startReceiver: "START " + replica + " IO_THREAD",
		startApplier:  "START " + replica + " SQL_THREAD",
		stop:          "STOP " + replica,
		start:         "START " + replica,
		resetAll:      "RESET " + replica + " ALL",
		status:        "SHOW " + replica + " STATUS",
		changeSource:  change,
		option:        source + "_",
	}
}

// wait returns a SELECT that returns when the set is applied, or when the time is over.
func (d *dialect) wait(set topology.GTIDSet, patience time.Duration) string {
	if d.mariaDB {
		return fmt.Sprintf("SELECT MASTER_GTID_WAIT(%s, %.3f) AS waited", quote(lastOfEachDomain(set)), patience.Seconds())
	}
	return fmt.Sprintf("SELECT WAIT_FOR_EXECUTED_GTID_SET(%s, %.3f) AS waited", quote(set.String()), patience.Seconds())
}

// lastOfEachDomain writes a set as MariaDB wants a position, with one transaction for each domain.
func lastOfEachDomain(set topology.GTIDSet) string {
	set = set.Position()
	var last []string
	for _, source := range set.Sources() {
		last = append(last, fmt.Sprintf("%s-%d", source, set.Last(source)))
	}
	return strings.Join(last, ",")
}

// drained is a SELECT that fails, and so ends the batch that it is part of, unless the channel has applied all that it received. It exists
// so that the check costs no round trip of its own. The channel's receiver must have stopped. A channel that does not exist has received nothing.
// MySQL only.
func drained(channel string) string {
	return `SELECT IF(@@GLOBAL.gtid_mode = 'ON' AND GTID_SUBSET(RECEIVED_TRANSACTION_SET, @@GLOBAL.gtid_executed), 1, GTID_SUBSET('not applied', '')) AS drained` +
		` FROM performance_schema.replication_connection_status WHERE CHANNEL_NAME = ` + quote(channel)
}

// executes is a SELECT that fails unless a set is executed. MySQL only.
func executes(set topology.GTIDSet) string {
	return "SELECT IF(GTID_SUBSET(" + quote(set.String()) + ", @@GLOBAL.gtid_executed), 1, GTID_SUBSET('not executed', '')) AS executes"
}

// keepsRelayLogs is a SELECT that fails unless a CHANGE keeps what has been received and not applied: its applier runs or has nothing left to
// apply. MySQL only.
func keepsRelayLogs(channel string) string {
	return `SELECT IF(a.SERVICE_STATE = 'ON' OR @@GLOBAL.gtid_mode = 'ON' AND GTID_SUBSET(c.RECEIVED_TRANSACTION_SET, @@GLOBAL.gtid_executed), 1, GTID_SUBSET('not applied', '')) AS kept` +
		` FROM performance_schema.replication_connection_status c JOIN performance_schema.replication_applier_status a USING (CHANNEL_NAME)` +
		` WHERE CHANNEL_NAME = ` + quote(channel)
}

// semiSync names the variables of semi-synchronous replication on one server. They depend on the plugins that are installed, not on the
// version, and are empty where there is no plugin.
type semiSync struct {
	source, replica string // switch it on and off
	waitFor         string // how many acknowledgements a commit waits for; MariaDB knows one only
}

func semiSyncOf(variables table) semiSync {
	var s semiSync
	for _, row := range variables {
		switch name := strings.ToLower(row["Variable_name"]); name {
		case "rpl_semi_sync_source_enabled", "rpl_semi_sync_master_enabled":
			s.source = name
		case "rpl_semi_sync_replica_enabled", "rpl_semi_sync_slave_enabled":
			s.replica = name
		case "rpl_semi_sync_source_wait_for_replica_count", "rpl_semi_sync_master_wait_for_slave_count":
			s.waitFor = name
		}
	}
	return s
}

// assignments joins what one SET does. The server carries it out from left to right.
func assignments(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return "SET GLOBAL " + strings.Join(list, ", GLOBAL ")
}

// keepPromise returns the assignments that make a server wait for acknowledgements, to be made before it is opened.
func (s semiSync) keepPromise(waitFor int) ([]string, error) {
	switch {
	case waitFor <= 0:
		return nil, nil
	case s.source == "":
		return nil, fmt.Errorf("commits must wait for %d acknowledgements, and the plugin for semi-synchronous sources is not installed", waitFor)
	case s.waitFor == "" && waitFor > 1:
		return nil, fmt.Errorf("commits must wait for %d acknowledgements, and this server can wait for one only", waitFor)
	}
	var list []string
	if s.waitFor != "" {
		list = append(list, fmt.Sprintf("%s=%d", s.waitFor, waitFor))
	}
	list = append(list, s.source+"=1")
	if s.replica != "" {
		list = append(list, s.replica+"=0")
	}
	return list, nil
}
