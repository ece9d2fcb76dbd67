package lab

import (
	"fmt"
	"strings"
)

// Accounts that every server of a Lab has, all with the same Password.
const (
	AdminUser       = "lab"   // may do everything; the Lab works through it
	BatonUser       = "baton" // may do exactly what Grants says
	ReplicationUser = "repl"  // replicas connect with it
	AppUser         = "app"   // writes to the database "app"; read_only stops it

	Password = "relay-race"
)

// Grants returns the statements that give an account what Baton needs on
// servers of a flavour, and no more. They are also its documentation.
func Grants(flavor Flavor, account string) []string {
	if flavor == MariaDB {
		return grants(account,
			// See: connections and transactions, the binary log, replication,
			// and who replicates from here.
			"PROCESS, BINLOG MONITOR, SLAVE MONITOR ON *.*",
			// Start, stop and change replication; semi-sync of a source.
			"REPLICATION SLAVE ADMIN, REPLICATION MASTER ADMIN ON *.*",
			// RESET SLAVE ALL.
			"RELOAD ON *.*",
			// Open and close for writes; end the connections of writers, and
			// get in when there are too many of them.
			"READ_ONLY ADMIN, CONNECTION ADMIN ON *.*",
			// sync_binlog, which is relaxed while a candidate catches up.
			"BINLOG ADMIN ON *.*",
			// The same for innodb_flush_log_at_trx_commit, and for nothing
			// else: without it a candidate with a backlog catches up slower.
			"SUPER ON *.*",
		)
	}
	return grants(account,
		// See: connections and transactions, replication, the binary log, and
		// who replicates from here.
		"PROCESS, REPLICATION CLIENT, REPLICATION SLAVE ON *.*",
		"SELECT ON performance_schema.*",
		// The credentials of a channel, to give a new replica the same.
		"SELECT ON mysql.slave_master_info",
		// Start, stop and change replication.
		"REPLICATION_SLAVE_ADMIN ON *.*",
		// RESET REPLICA ALL.
		"RELOAD ON *.*",
		// Open and close for writes; semi-sync; durability, which is relaxed
		// while a candidate catches up.
		"SYSTEM_VARIABLES_ADMIN ON *.*",
		// End the connections of writers, and get in when there are too many.
		"CONNECTION_ADMIN ON *.*",
	)
}

func grants(account string, privileges ...string) []string {
	var out []string
	for _, p := range privileges {
		out = append(out, fmt.Sprintf("GRANT %s TO %s", p, account))
	}
	return out
}

// accounts returns the statements that make the accounts and the database of
// the application. They run without binary log, so that every copy of the
// template starts with the same content and an empty history.
func accounts(flavor Flavor) []string {
	var out []string
	for _, user := range []string{AdminUser, BatonUser, ReplicationUser, AppUser} {
		out = append(out, fmt.Sprintf("CREATE USER '%s'@'%%' IDENTIFIED BY '%s'", user, Password))
	}
	out = append(out, "GRANT ALL PRIVILEGES ON *.* TO 'lab'@'%' WITH GRANT OPTION")
	out = append(out, Grants(flavor, "'baton'@'%'")...)
	out = append(out,
		"GRANT REPLICATION SLAVE ON *.* TO 'repl'@'%'",
		"CREATE DATABASE app",
		"GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, INDEX, ALTER ON app.* TO 'app'@'%'",
		strings.Join(strings.Fields(`CREATE TABLE app.writes (
			run BIGINT UNSIGNED NOT NULL,
			seq BIGINT UNSIGNED NOT NULL,
			at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
			PRIMARY KEY (run, seq)
		) ENGINE=InnoDB`), " "),
	)
	return out
}
