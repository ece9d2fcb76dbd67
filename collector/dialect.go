package collector

import "github.com/batondb/baton/topology"

// dialect is how one kind of server spells the statements that differ. All other text is common to all.
type dialect struct {
	replicaStatus  string // every channel
	binlogStatus   string
	replicaHosts   string
	hasReplTables  bool   // performance_schema.replication_connection_status with heartbeat counters
	dumpThreads    string // the hosts of connected replicas
	mariadb        bool
	mandatoryGrant map[string]string // question -> privilege without which it is refused
}

// dialectOf returns the spelling of a version. Versions that are not known are taken for the newest.
func dialectOf(v topology.Version) dialect {
	d := dialect{
		replicaStatus: "SHOW REPLICA STATUS",
		binlogStatus:  "SHOW BINARY LOG STATUS",
		replicaHosts:  "SHOW REPLICAS",
		hasReplTables: true,
		dumpThreads:   "SELECT HOST AS Host FROM performance_schema.processlist WHERE COMMAND LIKE 'Binlog Dump%'",
		mandatoryGrant: map[string]string{
			askReplication: "REPLICATION CLIENT", askBinlog: "REPLICATION CLIENT",
		},
	}
	const oldDumpThreads = "SELECT HOST AS Host FROM information_schema.processlist WHERE COMMAND LIKE 'Binlog Dump%'"
	if v.IsMariaDB() {
		d.mariadb, d.hasReplTables, d.dumpThreads = true, false, oldDumpThreads
		d.replicaStatus, d.binlogStatus, d.replicaHosts = "SHOW ALL SLAVES STATUS", "SHOW MASTER STATUS", "SHOW SLAVE HOSTS"
		if v.AtLeast(10, 5, 2) {
			d.mandatoryGrant = map[string]string{
				askReplication: "SLAVE MONITOR", askBinlog: "BINLOG MONITOR",
			}
		}
		return d
	}
	if v.IsZero() {
		return d
	}
	if !v.AtLeast(8, 2, 0) {
		d.binlogStatus = "SHOW MASTER STATUS"
	}
	if !v.AtLeast(8, 0, 22) {
		d.replicaStatus, d.replicaHosts, d.dumpThreads = "SHOW SLAVE STATUS", "SHOW SLAVE HOSTS", oldDumpThreads
	}
	d.hasReplTables = v.AtLeast(5, 7, 6)
	return d
}

// word is what a variable or a column means, whatever it is called.
type word uint8

// The words of variables.
const (
	noWord word = iota
	wReadOnly
	wSuperReadOnly
	wGTIDMode
	wGTIDExecuted
	wGTIDPurged
	wGTIDBinlogPos
	wGTIDCurrentPos
	wGTIDReplicaPos
	wSyncBinlog
	wFlushLog
	wSourceEnabled
	wSourceWaitFor
	wSourceTimeout
	wReplicaEnabled
	wSourceActive
	wSourceClients
	wWaitSessions
	wReplicaActive
	wVersion
	wVersionComment
	wServerID
	wServerUUID
	wHostname
	wReportHost
	wLogBin
	wLogReplicaUpdates
	wBinlogFormat
	wReplicaNetTimeout
	wPerformanceSchema
)

// variableWords are the names of variables in every dialect.
var variableWords = map[string]word{
	"read_only": wReadOnly, "super_read_only": wSuperReadOnly,
	"gtid_mode": wGTIDMode, "gtid_executed": wGTIDExecuted, "gtid_purged": wGTIDPurged,
	"gtid_binlog_pos": wGTIDBinlogPos, "gtid_current_pos": wGTIDCurrentPos, "gtid_slave_pos": wGTIDReplicaPos,
	"sync_binlog": wSyncBinlog, "innodb_flush_log_at_trx_commit": wFlushLog,

	"rpl_semi_sync_source_enabled": wSourceEnabled, "rpl_semi_sync_master_enabled": wSourceEnabled,
	"rpl_semi_sync_source_wait_for_replica_count": wSourceWaitFor, "rpl_semi_sync_master_wait_for_slave_count": wSourceWaitFor,
	"rpl_semi_sync_source_timeout": wSourceTimeout, "rpl_semi_sync_master_timeout": wSourceTimeout,
	"rpl_semi_sync_replica_enabled": wReplicaEnabled, "rpl_semi_sync_slave_enabled": wReplicaEnabled,

	"version": wVersion, "version_comment": wVersionComment, "server_id": wServerID, "server_uuid": wServerUUID,
	"hostname": wHostname, "report_host": wReportHost, "log_bin": wLogBin, "binlog_format": wBinlogFormat,
	"log_replica_updates": wLogReplicaUpdates, "log_slave_updates": wLogReplicaUpdates,
	"replica_net_timeout": wReplicaNetTimeout, "slave_net_timeout": wReplicaNetTimeout,
	"performance_schema": wPerformanceSchema,
}

// statusWords are the names of status variables in every dialect.
var statusWords = map[string]word{
	"Rpl_semi_sync_source_status": wSourceActive, "Rpl_semi_sync_master_status": wSourceActive,
	"Rpl_semi_sync_source_clients": wSourceClients, "Rpl_semi_sync_master_clients": wSourceClients,
	"Rpl_semi_sync_source_wait_sessions": wWaitSessions, "Rpl_semi_sync_master_wait_sessions": wWaitSessions,
	"Rpl_semi_sync_replica_status": wReplicaActive, "Rpl_semi_sync_slave_status": wReplicaActive,
}

// everyTime are the variables that are read at each probe, in order and each only where the server has it: naming a variable that a server
// lacks would fail the whole statement. They are the ones that change, or that a recovery changes.
var everyTime = []string{
	"read_only", "super_read_only", "gtid_mode", "gtid_executed", "gtid_purged", "gtid_binlog_pos", "gtid_current_pos", "gtid_slave_pos",
	"sync_binlog", "innodb_flush_log_at_trx_commit",
	"rpl_semi_sync_source_enabled", "rpl_semi_sync_master_enabled",
	"rpl_semi_sync_source_wait_for_replica_count", "rpl_semi_sync_master_wait_for_slave_count",
	"rpl_semi_sync_source_timeout", "rpl_semi_sync_master_timeout",
	"rpl_semi_sync_replica_enabled", "rpl_semi_sync_slave_enabled",
}

// The words of columns that describe a replication channel.
const (
	cChannel word = iota + 1
	cSourceHost
	cSourcePort
	cSourceUUID
	cReceiver
	cApplier
	cReceiverErrno
	cReceiverError
	cApplierErrno
	cApplierError
	cSourceLogFile
	cReadPos
	cRelaySourceLogFile
	cExecPos
	cBehind
	cDelay
	cAutoPosition
	cUsingGTID
	cRetrieved
	cGTIDIOPos
	cFilter
	cBeats
	cHeartbeat
)

// channelWords are the names of columns in every dialect.
var channelWords = map[string]word{
	"Channel_Name": cChannel, "Connection_name": cChannel,
	"Source_Host": cSourceHost, "Master_Host": cSourceHost,
	"Source_Port": cSourcePort, "Master_Port": cSourcePort,
	"Source_UUID": cSourceUUID, "Master_UUID": cSourceUUID,
	"Replica_IO_Running": cReceiver, "Slave_IO_Running": cReceiver,
	"Replica_SQL_Running": cApplier, "Slave_SQL_Running": cApplier,
	"Last_IO_Errno": cReceiverErrno, "Last_IO_Error": cReceiverError,
	"Last_SQL_Errno": cApplierErrno, "Last_SQL_Error": cApplierError,
	"Source_Log_File": cSourceLogFile, "Master_Log_File": cSourceLogFile,
	"Read_Source_Log_Pos": cReadPos, "Read_Master_Log_Pos": cReadPos,
	"Relay_Source_Log_File": cRelaySourceLogFile, "Relay_Master_Log_File": cRelaySourceLogFile,
	"Exec_Source_Log_Pos": cExecPos, "Exec_Master_Log_Pos": cExecPos,
	"Seconds_Behind_Source": cBehind, "Seconds_Behind_Master": cBehind,
	"SQL_Delay": cDelay, "Auto_Position": cAutoPosition, "Using_Gtid": cUsingGTID,
	"Retrieved_Gtid_Set": cRetrieved, "Gtid_IO_Pos": cGTIDIOPos,
	"Slave_received_heartbeats": cBeats, "Slave_heartbeat_period": cHeartbeat,

	"Replicate_Do_DB": cFilter, "Replicate_Ignore_DB": cFilter, "Replicate_Do_Table": cFilter, "Replicate_Ignore_Table": cFilter,
	"Replicate_Wild_Do_Table": cFilter, "Replicate_Wild_Ignore_Table": cFilter, "Replicate_Rewrite_DB": cFilter,
	"Replicate_Do_Domain_Ids": cFilter, "Replicate_Ignore_Domain_Ids": cFilter,
}
