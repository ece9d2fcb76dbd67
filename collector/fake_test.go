package collector

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/batondb/baton/topology"
)

// fakeServer speaks as much of the protocol as a probe needs, over connections in memory. It answers by the beginning of a statement; what is
// not in the script is an error 1064.
type fakeServer struct {
	mu     sync.Mutex
	script map[string]result
	asked  []string                          // statements, in order
	trick  func(conn net.Conn, greet func()) // instead of the handshake
	conns  sync.WaitGroup
}

// result is the answer to a statement: rows, or an error, or silence.
type result struct {
	columns []string
	rows    [][]string // "NULL" is NULL
	errno   uint16
	hang    bool // never answer
	hangUp  bool // close the connection
}

func one(pairs ...string) result {
	r := result{rows: [][]string{nil}}
	for i := 0; i < len(pairs); i += 2 {
		r.columns = append(r.columns, pairs[i])
		r.rows[0] = append(r.rows[0], pairs[i+1])
	}
	return r
}

func named(pairs ...string) result {
	r := result{columns: []string{"Variable_name", "Value"}}
	for i := 0; i < len(pairs); i += 2 {
		r.rows = append(r.rows, pairs[i:i+2])
	}
	return r
}

func (s *fakeServer) set(statement string, r result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script[statement] = r
}

func (s *fakeServer) statements() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

// dial is an Access.Dial that leads to the server.
func (s *fakeServer) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	s.conns.Go(func() {
		defer server.Close()
		s.serve(server)
	})
	return client, nil
}

func (s *fakeServer) prober(t testing.TB, change func(*SQLOptions)) *SQLProber {
	t.Helper()
	opts := SQLOptions{
		Access:  Access{Credentials: func() (string, string) { return "baton", "secret" }, Dial: s.dial, Timeout: 5 * time.Second},
		Timeout: 5 * time.Second,
	}
	if change != nil {
		change(&opts)
	}
	p, err := NewSQLProber(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Close()
		s.conns.Wait()
	})
	return p
}

func (s *fakeServer) serve(conn net.Conn) {
	w := &packets{w: bufio.NewWriter(conn)}
	greet := func() {
		g := append([]byte{10}, "8.0.0\x00\x01\x00\x00\x00saltsalt\x00"...)
		const capabilities = 1<<9 | 1<<15 | 1<<16 | 1<<17 | 1<<19 // 4.1, secure, multi statements, multi results, plugins
		g = append(g, byte(capabilities&0xff), byte(capabilities>>8&0xff), 33, 2, 0, byte(capabilities>>16), byte(capabilities>>24), 21)
		g = append(g, make([]byte, 10)...)
		g = append(g, "saltsaltsalt\x00mysql_native_password\x00"...)
		w.send(g)
		_ = w.w.Flush()
	}
	if s.trick != nil {
		s.trick(conn, greet)
		return
	}
	greet()
	r := bufio.NewReader(conn)
	if _, ok := readPacket(r, w); !ok {
		return
	}
	w.ok(0)
	for {
		_ = w.w.Flush()
		p, ok := readPacket(r, w)
		if !ok || len(p) == 0 || p[0] == 1 {
			return
		}
		if p[0] != 3 {
			w.fail(1047)
			continue
		}
		statements := strings.Split(string(p[1:]), ";")
		for i, sql := range statements {
			if !s.answer(w, sql, i+1 < len(statements), conn) {
				break
			}
		}
	}
}

func (s *fakeServer) answer(w *packets, sql string, more bool, conn net.Conn) bool {
	s.mu.Lock()
	s.asked = append(s.asked, sql)
	var found result
	best := ""
	known := false
	for begin, r := range s.script {
		if strings.HasPrefix(sql, begin) && len(begin) >= len(best) {
			found, best, known = r, begin, true
		}
	}
	s.mu.Unlock()
	switch {
	case !known:
		w.fail(1064)
		return false
	case found.hang:
		_ = w.w.Flush()
		_, _ = io.Copy(io.Discard, conn)
		return false
	case found.hangUp:
		_ = w.w.Flush()
		_ = conn.Close()
		return false
	case found.errno != 0:
		w.fail(found.errno)
		return false
	}
	w.rows(found, more)
	return true
}

func readPacket(r *bufio.Reader, w *packets) ([]byte, bool) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, false
	}
	w.seq = head[3] + 1
	body := make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16)
	_, err := io.ReadFull(r, body)
	return body, err == nil
}

// packets writes the server's side of the protocol.
type packets struct {
	w   *bufio.Writer
	seq byte
}

func (p *packets) send(b []byte) {
	_, _ = p.w.Write([]byte{byte(len(b)), byte(len(b) >> 8), byte(len(b) >> 16), p.seq})
	_, _ = p.w.Write(b)
	p.seq++
}

func (p *packets) ok(status uint16) { p.send([]byte{0, 0, 0, byte(status), byte(status >> 8), 0, 0}) }

func (p *packets) fail(number uint16) {
	p.send(append(binary.LittleEndian.AppendUint16([]byte{0xff}, number), "#HY000it fails"...))
}

func (p *packets) eof(more bool) {
	status := byte(2)
	if more {
		status |= 8
	}
	p.send([]byte{0xfe, 0, 0, status, 0})
}

func lenenc(b []byte, s string) []byte {
	if len(s) < 251 {
		b = append(b, byte(len(s)))
	} else {
		b = append(b, 0xfc, byte(len(s)), byte(len(s)>>8))
	}
	return append(b, s...)
}

func (p *packets) rows(r result, more bool) {
	if len(r.columns) == 0 {
		p.ok(2)
		return
	}
	p.send([]byte{byte(len(r.columns))})
	for _, c := range r.columns {
		b := lenenc(nil, "def")
		b = append(b, 0, 0, 0)
		b = lenenc(b, c)
		b = append(b, 0, 12, 33, 0, 0, 1, 0, 0, 253, 0, 0, 0, 0, 0)
		p.send(b)
	}
	p.eof(more)
	for _, row := range r.rows {
		var b []byte
		for _, v := range row {
			if v == "NULL" {
				b = append(b, 0xfb)
			} else {
				b = lenenc(b, v)
			}
		}
		p.send(b)
	}
	p.eof(more)
}

// fakeMySQL80 is a replica of a version between the old words and the new ones.
func fakeMySQL80() *fakeServer {
	return &fakeServer{script: map[string]result{
		"SHOW GLOBAL VARIABLES": named("version", "8.0.22", "version_comment", "MySQL Community Server - GPL", "server_id", "7",
			"server_uuid", "3e11fa47-71ca-11e1-9e33-c80aa9429562", "hostname", "box7", "report_host", "db7", "log_bin", "ON",
			"log_slave_updates", "ON", "binlog_format", "ROW", "slave_net_timeout", "60", "performance_schema", "ON", "read_only", "ON",
			"super_read_only", "ON", "gtid_mode", "ON", "gtid_executed", "cut short", "gtid_purged", "", "sync_binlog", "1",
			"innodb_flush_log_at_trx_commit", "1", "rpl_semi_sync_slave_enabled", "OFF"),
		"SELECT CURRENT_USER()": one("account", "baton@%"),
		"SHOW GRANTS": {columns: []string{"Grants for baton@%"}, rows: [][]string{
			{"GRANT RELOAD, PROCESS, SUPER, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `baton`@`%`"},
			{"GRANT SELECT ON `performance_schema`.* TO `baton`@`%`"},
			{"GRANT SELECT ON `mysql`.`slave_master_info` TO `baton`@`%`"},
		}},
		"SELECT @@global.read_only": one("read_only", "1", "super_read_only", "1", "gtid_mode", "ON",
			"gtid_executed", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5,\n4e11fa47-71ca-11e1-9e33-c80aa9429562:1-900", "gtid_purged", "",
			"sync_binlog", "1", "innodb_flush_log_at_trx_commit", "2", "rpl_semi_sync_slave_enabled", "0"),
		"SHOW REPLICA STATUS": one("Source_Host", "DB1", "Source_Port", "3306", "Replica_IO_Running", "Yes", "Replica_SQL_Running", "Yes",
			"Source_Log_File", "binlog.000009", "Read_Source_Log_Pos", "1000", "Relay_Source_Log_File", "binlog.000009",
			"Exec_Source_Log_Pos", "900", "Seconds_Behind_Source", "12", "SQL_Delay", "10", "Auto_Position", "1",
			"Retrieved_Gtid_Set", "4e11fa47-71ca-11e1-9e33-c80aa9429562:800-901", "Channel_Name", "", "Replicate_Do_DB", "",
			"Last_IO_Errno", "0", "Last_IO_Error", "", "Last_SQL_Errno", "0", "Last_SQL_Error", "",
			"Source_UUID", "4e11fa47-71ca-11e1-9e33-c80aa9429562"),
		"SHOW MASTER STATUS": one("File", "log.000003", "Position", "4711", "Binlog_Do_DB", "", "Binlog_Ignore_DB", "", "Executed_Gtid_Set", ""),
		"SHOW REPLICAS":      {columns: []string{"Server_Id", "Host", "Port", "Source_Id", "Replica_UUID"}},
		"SELECT CHANNEL_NAME AS Channel_Name, COUNT": one("Channel_Name", "", "Beats", "17"),
		"SELECT CHANNEL_NAME AS Channel_Name, HEART": one("Channel_Name", "", "Heartbeat", "30.000"),
	}}
}

const fakeID = topology.InstanceID("db7:3306")
