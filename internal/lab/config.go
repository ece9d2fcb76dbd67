package lab

import (
	"fmt"
	"path/filepath"
	"strings"
)

// A Flavor is a family of servers.
type Flavor string

// The flavours a Lab can start.
const (
	MySQL   Flavor = "mysql"
	MariaDB Flavor = "mariadb"
)

// layout is what the files of a data directory must agree with: the template
// is made with it and every copy runs with it.
func layout(flavor Flavor) []string {
	if flavor == MariaDB {
		return []string{"innodb_log_file_size=32M"}
	}
	return []string{"loose_innodb_redo_log_capacity=32M"}
}

// frugal makes a server small. Nothing here changes how it replicates: what a
// drill measures must be true of a server with default settings.
func frugal(flavor Flavor) []string {
	if flavor == MariaDB {
		return []string{
			"innodb_buffer_pool_size=32M",
			"innodb_buffer_pool_dump_at_shutdown=OFF",
			"innodb_buffer_pool_load_at_startup=OFF",
			"aria_pagecache_buffer_size=8M",
			"key_buffer_size=1M",
		}
	}
	return []string{
		"innodb_buffer_pool_size=32M",
		"innodb_buffer_pool_dump_at_shutdown=OFF",
		"innodb_buffer_pool_load_at_startup=OFF",
		"innodb_log_buffer_size=4M",
		"key_buffer_size=1M",
		"table_open_cache=400",
		"table_definition_cache=400",
		"mysqlx=OFF",
		// Packages name a directory that only they make.
		"secure_file_priv=NULL",
		// The replication tables of performance_schema are wanted, and they
		// need none of its instruments.
		"performance_schema=ON",
		"performance_schema_instrument='%=OFF'",
		"performance_schema_max_thread_instances=400",
		"performance_schema_max_memory_classes=0",
		"loose_performance_schema_max_metric_classes=0",
		"loose_performance_schema_max_meter_classes=0",
		"performance_schema_max_program_instances=10",
		"performance_schema_max_table_instances=500",
		"performance_schema_max_index_stat=500",
		"performance_schema_hosts_size=20",
		"performance_schema_users_size=20",
		"performance_schema_accounts_size=20",
		"performance_schema_max_digest_length=0",
		"performance_schema_max_sql_text_length=0",
		"performance_schema_digests_size=0",
		"performance_schema_error_size=0",
	}
}

// place tells a program of an unpacked root where the rest of it is; an
// installed one knows.
func place(flavor Flavor, p *program) []string {
	if p.root == "" {
		return nil
	}
	usr := filepath.Join(p.root, "usr")
	lines := []string{
		"basedir=" + usr,
		"lc_messages_dir=" + filepath.Join(usr, "share", "mysql"),
	}
	if dir := filepath.Join(usr, "lib", "mysql", "plugin"); isDir(dir) {
		lines = append(lines, "plugin_dir="+dir)
	}
	if flavor == MySQL {
		lines = append(lines, "character_sets_dir="+filepath.Join(usr, "share", "mysql", "charsets"))
	}
	return lines
}

// identity is what differs between the servers of a Lab.
func identity(flavor Flavor, s *Server) []string {
	lines := []string{
		"datadir=" + s.dataDir(),
		// Relative to the data directory: a socket's path may not be long.
		"socket=sock",
		"pid_file=pid",
		"bind_address=127.0.0.1",
		fmt.Sprintf("port=%d", s.port),
		fmt.Sprintf("server_id=%d", s.id),
		"report_host=127.0.0.1",
		fmt.Sprintf("report_port=%d", s.Port()),
		"skip_name_resolve=ON",
		"log_bin=binlog",
		"relay_log=relay",
	}
	if flavor == MariaDB {
		lines = append(lines, "log_slave_updates=ON", "binlog_format=ROW", "gtid_domain_id=0")
	}
	return lines
}

// duty is what a server comes up as, each time it comes up: so a deposed
// primary that is restarted is writable.
func duty(flavor Flavor, spec Spec, primary bool) []string {
	onOff := map[bool]string{true: "ON", false: "OFF"}
	var lines []string
	if flavor == MariaDB {
		lines = append(lines,
			"read_only="+onOff[!primary],
			"gtid_strict_mode="+onOff[!spec.FilePosition])
		if spec.SemiSync > 0 {
			lines = append(lines,
				"rpl_semi_sync_master_enabled="+onOff[primary],
				"rpl_semi_sync_master_timeout=3600000",
				"rpl_semi_sync_master_wait_point=AFTER_SYNC",
				"rpl_semi_sync_slave_enabled="+onOff[!primary])
		}
		return lines
	}
	lines = append(lines,
		"read_only="+onOff[!primary],
		"super_read_only="+onOff[!primary],
		"gtid_mode="+onOff[!spec.FilePosition],
		"enforce_gtid_consistency="+onOff[!spec.FilePosition],
		"plugin_load_add=semisync_source.so",
		"plugin_load_add=semisync_replica.so")
	if spec.SemiSync > 0 {
		lines = append(lines,
			"loose_rpl_semi_sync_source_enabled="+onOff[primary],
			"loose_rpl_semi_sync_source_timeout=3600000",
			fmt.Sprintf("loose_rpl_semi_sync_source_wait_for_replica_count=%d", spec.SemiSync),
			"loose_rpl_semi_sync_replica_enabled="+onOff[!primary])
	}
	return lines
}

func configFile(parts ...[]string) string {
	var b strings.Builder
	b.WriteString("[mysqld]\n")
	for _, part := range parts {
		for _, line := range part {
			b.WriteString(line)
			b.WriteByte('\n')
		}
	}
	return b.String()
}
