package mysql

import (
	"errors"
	"maps"
	"testing"

	"github.com/batondb/baton/topology"
)

const uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562"

func TestUnapplied(t *testing.T) {
	running, stopped := "Yes", "No"
	mysql := func(retrieved string, more row) row {
		r := row{"Source_Host": "db1", "Source_Port": "3306", "Auto_Position": "1", "Retrieved_Gtid_Set": retrieved, "Replica_IO_Running": stopped, "Replica_SQL_Running": running}
		maps.Copy(r, more)
		return r
	}
	maria := func(received, using string, more row) row {
		r := row{"Master_Host": "db1", "Master_Port": "3306", "Using_Gtid": using, "Gtid_IO_Pos": received, "Slave_IO_Running": stopped, "Slave_SQL_Running": stopped}
		maps.Copy(r, more)
		return r
	}
	behind := row{"Master_Log_File": "binlog.000010", "Read_Master_Log_Pos": "400", "Relay_Master_Log_File": "binlog.000009", "Exec_Master_Log_Pos": "900"}
	level := row{"Master_Log_File": "binlog.000010", "Read_Master_Log_Pos": "400", "Relay_Master_Log_File": "binlog.000010", "Exec_Master_Log_Pos": "400"}
	for name, c := range map[string]struct {
		channel            row
		executed           string
		missing            string
		refused, dropsNone bool
	}{
		"nothing left":                       {mysql(uuid+":1-5", nil), uuid + ":1-5", "", false, true},
		"something left":                     {mysql(uuid+":1-5", nil), uuid + ":1-3", uuid + ":4-5", true, true},
		"nothing received":                   {mysql("", nil), "", "", false, true},
		"by position, level":                 {maria("", "No", level), "0-1-5", "", false, true},
		"by position, behind":                {maria("", "No", behind), "0-1-5", "", true, true},
		"by position, never connected":       {maria("", "No", nil), "", "", false, true},
		"MariaDB, nothing left":              {maria("0-1-5", "Slave_Pos", nil), "0-1-5", "", false, true},
		"MariaDB, something left":            {maria("0-1-5", "Slave_Pos", nil), "0-1-3", "0-1-4..5", true, false},
		"MariaDB, left, the applier runs":    {maria("0-1-5", "Slave_Pos", row{"Slave_SQL_Running": running}), "0-1-3", "0-1-4..5", true, true},
		"MariaDB, left, the receiver runs":   {maria("0-1-5", "Slave_Pos", row{"Slave_IO_Running": "Preparing"}), "0-1-3", "0-1-4..5", true, true},
		"MariaDB, by position, GTIDs behind": {maria("0-1-5", "No", level), "0-1-3", "0-1-4..5", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			st := state{executed: topology.MustParseGTIDSet(c.executed)}
			if err := st.parseChannel(c.channel); err != nil {
				t.Fatal(err)
			}
			var refused *NotAppliedError
			err := st.mustBeApplied()
			if errors.As(err, &refused) != c.refused {
				t.Fatalf("refused: %v", err)
			}
			if refused != nil && refused.Missing.String() != c.missing {
				t.Errorf("missing %q, want %q", refused.Missing, c.missing)
			}
			if err := st.startDropsNothing(); (err == nil) != c.dropsNone {
				t.Errorf("starting a thread: %v", err)
			}
		})
	}
}

func TestStateWithoutChannel(t *testing.T) {
	var s session
	for name, c := range map[string]struct {
		answers  []table
		readOnly bool
		fails    bool
	}{
		"a MySQL primary":                  {[]table{{}, {{"read_only": "0", "super_read_only": "0", "executed_1": uuid + ":1-5"}}}, false, false},
		"read_only alone closes no MySQL":  {[]table{{}, {{"read_only": "1", "super_read_only": "0"}}}, false, false},
		"super_read_only does":             {[]table{{}, {{"read_only": "1", "super_read_only": "1"}}}, true, false},
		"read_only closes a MariaDB":       {[]table{{}, {{"read_only": "1", "executed_1": "0-1-5", "executed_2": "0-2-7"}}}, true, false},
		"RESET without ALL left a channel": {[]table{{{"Master_Host": "", "Master_Port": "3306"}}, {{"read_only": "0"}}}, false, false},
		"half an answer":                   {[]table{{}}, false, true},
		"damaged GTIDs":                    {[]table{{}, {{"read_only": "0", "executed_1": uuid + ":"}}}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			st, err := s.parseState(c.answers)
			if (err != nil) != c.fails {
				t.Fatal(err)
			}
			if st.channel || st.readOnly != c.readOnly {
				t.Errorf("%+v", st)
			}
		})
	}
}

func TestAccountsStayInTheirCluster(t *testing.T) {
	a, err := New(Options{Credentials: func() (string, string) { return "baton", "" }})
	if err != nil {
		t.Fatal(err)
	}
	a.accounts["db9:3306"] = channelAccount{source: "db8:3306", user: "of another cluster"}
	old := &session{instance: "db1:3306"}
	if account, err := a.accountFor(old, "db2:3306"); err == nil {
		t.Fatalf("it takes the account of %s", account.user)
	}
	for _, c := range []struct {
		of      topology.InstanceID
		account channelAccount
	}{
		{"db3:3306", channelAccount{source: "db1:3306", user: "a sibling's"}},
		{"db2:3306", channelAccount{source: "db1:3306", user: "the new source's"}},
		{"db1:3306", channelAccount{source: "db7:3306", user: "its own"}},
	} {
		a.accounts[c.of] = c.account
		if got, err := a.accountFor(old, "db2:3306"); err != nil || got.user != c.account.user {
			t.Errorf("%s, %v; want %s", got.user, err, c.account.user)
		}
	}
	a.opts.Replication = func(topology.InstanceID) (Account, bool) { return Account{User: "configured"}, true }
	if got, err := a.accountFor(old, "db2:3306"); err != nil || got.user != "configured" {
		t.Errorf("%s, %v; want the configured one", got.user, err)
	}
}
