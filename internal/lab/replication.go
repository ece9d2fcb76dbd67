package lab

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"strings"
)

// Replication is what a replica says of its only channel.
type Replication struct {
	Source        string // host:port, as it was told
	Receiver      string // Yes, No or Connecting
	Applier       string // Yes or No
	ReceiverError string
	ApplierError  string
	ReadPosition  string // file:position of the source that was read
	Received      string // GTIDs, or file:position, read from the source
	Executed      string // GTIDs, or file:position, applied
	Lag           string // seconds; empty when the server does not know
}

// Replication returns what the server says of its channel, and whether it
// replicates from anything at all.
func (s *Server) Replication(ctx context.Context) (Replication, bool, error) {
	query := "SHOW REPLICA STATUS"
	if s.flavor == MariaDB {
		query = "SHOW SLAVE STATUS"
	}
	row, err := s.Row(ctx, query)
	if err != nil || row == nil {
		return Replication{}, false, err
	}
	r := Replication{
		ReceiverError: row["Last_IO_Error"],
		ApplierError:  row["Last_SQL_Error"],
	}
	if s.flavor == MariaDB {
		r.Source = net.JoinHostPort(row["Master_Host"], row["Master_Port"])
		r.Receiver, r.Applier, r.Lag = row["Slave_IO_Running"], row["Slave_SQL_Running"], row["Seconds_Behind_Master"]
		r.ReadPosition = row["Master_Log_File"] + ":" + row["Read_Master_Log_Pos"]
		r.Received = r.ReadPosition
		r.Executed = row["Relay_Master_Log_File"] + ":" + row["Exec_Master_Log_Pos"]
		if s.gtid {
			r.Received = row["Gtid_IO_Pos"]
			if r.Executed, err = s.Value(ctx, "SELECT @@global.gtid_slave_pos"); err != nil {
				return Replication{}, false, err
			}
		}
		return r, true, nil
	}
	r.Source = net.JoinHostPort(row["Source_Host"], row["Source_Port"])
	r.Receiver, r.Applier, r.Lag = row["Replica_IO_Running"], row["Replica_SQL_Running"], row["Seconds_Behind_Source"]
	r.ReadPosition = row["Source_Log_File"] + ":" + row["Read_Source_Log_Pos"]
	r.Received = r.ReadPosition
	r.Executed = row["Relay_Source_Log_File"] + ":" + row["Exec_Source_Log_Pos"]
	if s.gtid {
		r.Received, r.Executed = row["Retrieved_Gtid_Set"], row["Executed_Gtid_Set"]
	}
	return r, true, nil
}

// Follow makes the server a replica of the one at addr, which may be a Proxy,
// and starts replication. It does not wait for the connection.
func (s *Server) Follow(ctx context.Context, addr string) error {
	if !s.gtid {
		return fmt.Errorf("%s: without GTIDs a position is needed: use FollowFrom", s)
	}
	return s.follow(ctx, addr, s.automatic())
}

// FollowFrom is Follow from a position of the source's binary log.
func (s *Server) FollowFrom(ctx context.Context, addr, file, position string) error {
	from := fmt.Sprintf("SOURCE_LOG_FILE='%s', SOURCE_LOG_POS=%s", file, position)
	if s.gtid && s.flavor == MySQL {
		from += ", SOURCE_AUTO_POSITION=0"
	}
	if s.flavor == MariaDB {
		from = fmt.Sprintf("MASTER_LOG_FILE='%s', MASTER_LOG_POS=%s, MASTER_USE_GTID=no", file, position)
	}
	return s.follow(ctx, addr, from)
}

func (s *Server) automatic() string {
	if s.flavor == MariaDB {
		return "MASTER_USE_GTID=slave_pos"
	}
	return "SOURCE_AUTO_POSITION=1"
}

func (s *Server) follow(ctx context.Context, addr, from string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%s: follow: %w", s, err)
	}
	change, prefix := "CHANGE REPLICATION SOURCE TO", "SOURCE"
	if s.flavor == MariaDB {
		change, prefix = "CHANGE MASTER TO", "MASTER"
	}
	options := []string{
		fmt.Sprintf("%s_HOST='%s'", prefix, host),
		fmt.Sprintf("%s_PORT=%s", prefix, port),
		fmt.Sprintf("%s_USER='%s'", prefix, ReplicationUser),
		fmt.Sprintf("%s_PASSWORD='%s'", prefix, Password),
		from,
	}
	if s.retry > 0 {
		options = append(options, fmt.Sprintf("%s_CONNECT_RETRY=%d", prefix, s.retry))
	}
	if s.flavor == MySQL {
		// Its default authentication wants either this or TLS.
		options = append(options, "GET_SOURCE_PUBLIC_KEY=1")
		if s.proxy != nil {
			// It would encrypt, and a Proxy could not tell whose it is.
			options = append(options, "SOURCE_SSL=0")
		}
	}
	return s.Exec(ctx, s.sql("STOP REPLICA"), change+" "+strings.Join(options, ", "), s.sql("START REPLICA"))
}

// sql spells a statement about replicas in the server's own words.
func (s *Server) sql(statement string) string {
	if s.flavor == MariaDB {
		return strings.ReplaceAll(statement, "REPLICA", "SLAVE")
	}
	return statement
}

// BinlogPosition returns the file and position that the server writes next.
func (s *Server) BinlogPosition(ctx context.Context) (file, position string, err error) {
	query := "SHOW BINARY LOG STATUS"
	// The word came with MySQL 8.2 and the old one went with 8.4.
	if s.flavor == MariaDB || s.program.version.before(version{8, 2, 0}) {
		query = "SHOW MASTER STATUS"
	}
	row, err := s.Row(ctx, query)
	if err != nil {
		return "", "", err
	}
	return row["File"], row["Position"], nil
}

var passwordClause = regexp.MustCompile(`(?i)(PASSWORD\s*=\s*|IDENTIFIED BY\s+)'[^']*'`)

// withoutPassword makes a statement fit for an error.
func withoutPassword(statement string) string {
	return passwordClause.ReplaceAllString(statement, "$1'...'")
}
