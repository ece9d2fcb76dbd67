package lab

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// needs is what Baton does on a server, in an order that works on a replica
// with semi-sync. $victim is a connection of the application.
func needs(flavor Flavor) []string {
	if flavor == MariaDB {
		return []string{
			"SHOW GRANTS", "SHOW PROCESSLIST", "SHOW MASTER STATUS", "SHOW BINARY LOGS", "SHOW SLAVE HOSTS",
			"SHOW ALL SLAVES STATUS", "SHOW SLAVE STATUS", "SHOW RELAYLOG EVENTS LIMIT 1", "SHOW BINLOG EVENTS LIMIT 1",
			"SELECT @@global.gtid_slave_pos, @@global.gtid_current_pos, @@global.gtid_binlog_state",
			"SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync%'", "SHOW GLOBAL VARIABLES LIKE 'rpl_semi_sync%'",
			"SELECT 1/COUNT(*) FROM information_schema.processlist WHERE user = 'app'",
			"SET GLOBAL sync_binlog=1000", "SET GLOBAL innodb_flush_log_at_trx_commit=2",
			"STOP SLAVE IO_THREAD", "STOP SLAVE SQL_THREAD",
			"CHANGE MASTER TO MASTER_CONNECT_RETRY=1", "START SLAVE SQL_THREAD", "START SLAVE IO_THREAD", "STOP SLAVE",
			"RESET SLAVE ALL", "SET GLOBAL gtid_slave_pos=@@global.gtid_current_pos",
			"SET GLOBAL rpl_semi_sync_slave_enabled=1", "SET GLOBAL rpl_semi_sync_master_timeout=1000",
			"SET GLOBAL rpl_semi_sync_master_enabled=0", "SET GLOBAL rpl_semi_sync_master_wait_point='AFTER_SYNC'",
			"SET GLOBAL read_only=0", "SET GLOBAL read_only=1", "KILL CONNECTION $victim",
			"SET GLOBAL sync_binlog=0", "SET GLOBAL innodb_flush_log_at_trx_commit=1",
		}
	}
	return []string{
		"SHOW GRANTS", "SHOW PROCESSLIST", "SHOW BINARY LOG STATUS", "SHOW BINARY LOGS", "SHOW REPLICAS",
		"SHOW REPLICA STATUS", "SHOW RELAYLOG EVENTS LIMIT 1", "SHOW BINLOG EVENTS LIMIT 1",
		"SELECT @@global.gtid_executed, @@global.gtid_purged",
		"SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync%'", "SHOW GLOBAL VARIABLES LIKE 'rpl_semi_sync%'",
		"SELECT * FROM performance_schema.replication_connection_status", "SELECT * FROM performance_schema.replication_applier_status_by_worker",
		"SELECT * FROM performance_schema.replication_group_members",
		"SELECT 1/COUNT(*) FROM performance_schema.processlist WHERE user = 'app'",
		"SELECT User_name, User_password FROM mysql.slave_master_info",
		"SET GLOBAL sync_binlog=1000", "SET GLOBAL innodb_flush_log_at_trx_commit=2",
		"STOP REPLICA IO_THREAD", "STOP REPLICA SQL_THREAD",
		"CHANGE REPLICATION SOURCE TO SOURCE_CONNECT_RETRY=1", "START REPLICA SQL_THREAD", "START REPLICA IO_THREAD", "STOP REPLICA",
		"RESET REPLICA ALL",
		"SET GLOBAL rpl_semi_sync_replica_enabled=1", "SET GLOBAL rpl_semi_sync_source_timeout=1000",
		"SET GLOBAL rpl_semi_sync_source_wait_for_replica_count=1", "SET GLOBAL rpl_semi_sync_source_enabled=0",
		// An empty transaction in the place of an errant one.
		"SET GTID_NEXT='3e11fa47-71ca-11e1-9e33-c80aa9429562:1'", "BEGIN", "COMMIT", "SET GTID_NEXT=AUTOMATIC",
		"SET GLOBAL super_read_only=0", "SET GLOBAL read_only=0", "SET GLOBAL super_read_only=1", "KILL CONNECTION $victim",
		"SET GLOBAL sync_binlog=1", "SET GLOBAL innodb_flush_log_at_trx_commit=1",
	}
}

func TestGrantsAreEnough(t *testing.T) {
	l := newLab(t)
	eachFlavor(t, func(t *testing.T, flavor Flavor) {
		top := start(t, l, Spec{Flavor: flavor, Replicas: 1, SemiSync: 1})
		defer top.Close()
		if failed := tryNeeds(t, top.Replicas()[0], BatonUser); len(failed) > 0 {
			t.Errorf("the account of Baton can not: %s", strings.Join(failed, "\n"))
		}
	})
}

// TestGrantsAreNeeded takes each privilege away and expects that something is
// refused which was not before.
func TestGrantsAreNeeded(t *testing.T) {
	l := newLab(t)
	eachFlavor(t, func(t *testing.T, flavor Flavor) {
		top := start(t, l, Spec{Flavor: flavor, Replicas: 1, SemiSync: 1})
		defer top.Close()
		s := top.Replicas()[0]
		// MariaDB's SUPER still stands in for some of the others, and an
		// operator may leave it out: so it is left out here.
		const super = "SUPER ON *.*"
		anyway := map[string]bool{}
		for i, without := range append([]string{super}, privileges(flavor)...) {
			user := fmt.Sprintf("user%d", i)
			mustExec(t, s, s.sql("STOP REPLICA"), "SET GLOBAL read_only=0",
				fmt.Sprintf("CREATE USER '%s'@'%%' IDENTIFIED BY '%s'", user, Password))
			for _, privilege := range privileges(flavor) {
				if privilege != without && privilege != super {
					mustExec(t, s, "GRANT "+privilege+" TO '"+user+"'@'%'")
				}
			}
			if err := s.Follow(t.Context(), top.Primary().Addr()); err != nil {
				t.Fatal(err)
			}
			failed := tryNeeds(t, s, user)
			if i == 0 {
				for _, f := range failed {
					if !strings.Contains(f, "innodb_flush_log_at_trx_commit") {
						t.Errorf("without SUPER: %s", f)
					}
					anyway[f] = true
				}
				continue
			}
			if slices.IndexFunc(failed, func(f string) bool { return !anyway[f] }) < 0 && without != super {
				t.Errorf("nothing is refused without %q", without)
			}
		}
		if flavor == MariaDB && len(anyway) == 0 {
			t.Error("nothing is refused without SUPER")
		}
	})
}

// privileges splits the grants into one privilege each.
func privileges(flavor Flavor) []string {
	var out []string
	for _, grant := range Grants(flavor, "x") {
		list, on, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(grant, "GRANT "), " TO x"), " ON ")
		for privilege := range strings.SplitSeq(list, ", ") {
			out = append(out, privilege+" ON "+on)
		}
	}
	return out
}

// tryNeeds runs all of needs as user, and returns what failed.
func tryNeeds(t *testing.T, s *Server, user string) []string {
	t.Helper()
	ctx := t.Context()
	conn, err := connect(t, s, user).Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	victim, err := connect(t, s, AppUser).Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var id string
	if err := victim.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		t.Fatal(err)
	}
	var failed []string
	for _, statement := range needs(s.Flavor()) {
		statement = strings.ReplaceAll(statement, "$victim", id)
		if err := run(ctx, conn, statement); err != nil {
			failed = append(failed, statement+": "+err.Error())
		}
	}
	return failed
}

// run returns an error for a NULL, which is what a query about something
// invisible results in.
func run(ctx context.Context, conn *sql.Conn, statement string) error {
	if !strings.HasPrefix(statement, "SELECT 1/") {
		_, err := conn.ExecContext(ctx, statement)
		return err
	}
	var v sql.NullString
	if err := conn.QueryRowContext(ctx, statement).Scan(&v); err != nil {
		return err
	}
	if !v.Valid {
		return fmt.Errorf("NULL: other accounts' connections are invisible")
	}
	return nil
}
