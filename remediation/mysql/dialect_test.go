package mysql

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	client "github.com/go-sql-driver/mysql"

	"github.com/batondb/baton/topology"
)

func TestDialects(t *testing.T) {
	for name, c := range map[string]struct {
		version string
		want    []string // in this order: stop the receiver, the status, change, fence
	}{
		"MySQL 5.7":       {"5.7.44-log", []string{"STOP SLAVE IO_THREAD", "SHOW SLAVE STATUS", "CHANGE MASTER TO MASTER_HOST='db1', MASTER_PORT=3306, MASTER_AUTO_POSITION=1", "SET GLOBAL super_read_only=1"}},
		"MySQL 8.0.22":    {"8.0.22", []string{"STOP SLAVE IO_THREAD", "SHOW SLAVE STATUS", "CHANGE MASTER TO MASTER_HOST='db1', MASTER_PORT=3306, MASTER_AUTO_POSITION=1", "SET GLOBAL super_read_only=1"}},
		"MySQL 8.0.23":    {"8.0.23", []string{"STOP REPLICA IO_THREAD", "SHOW REPLICA STATUS", "CHANGE REPLICATION SOURCE TO SOURCE_HOST='db1', SOURCE_PORT=3306, SOURCE_AUTO_POSITION=1", "SET GLOBAL super_read_only=1"}},
		"MySQL 9.7":       {"9.7.4", []string{"STOP REPLICA IO_THREAD", "SHOW REPLICA STATUS", "CHANGE REPLICATION SOURCE TO SOURCE_HOST='db1', SOURCE_PORT=3306, SOURCE_AUTO_POSITION=1", "SET GLOBAL super_read_only=1"}},
		"MariaDB 10.5":    {"10.5.29-MariaDB", []string{"STOP SLAVE IO_THREAD", "SHOW SLAVE STATUS", "CHANGE MASTER TO MASTER_HOST='db1', MASTER_PORT=3306, MASTER_USE_GTID=slave_pos", "SET GLOBAL read_only=1"}},
		"MariaDB 11.8":    {"11.8.2-MariaDB", []string{"STOP SLAVE IO_THREAD", "SHOW SLAVE STATUS", "CHANGE MASTER TO MASTER_HOST='db1', MASTER_PORT=3306, MASTER_USE_GTID=slave_pos", "SET GLOBAL read_only=1"}},
		"MySQL 5.6":       {"5.6.24", nil},
		"MySQL 5.7.7":     {"5.7.7", nil},
		"MariaDB 10.4.99": {"10.4.99-MariaDB", nil},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := topology.ParseVersion(c.version, "")
			if err != nil {
				t.Fatal(err)
			}
			d, err := dialectOf(v)
			if c.want == nil {
				if err == nil {
					t.Error("it is taken for a server that can be changed")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			s := session{dialect: d}
			got := []string{d.stopReceiver, d.status, s.options("db1:3306", d.autoPosition), d.fence}
			if !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestChannelsAreNamed(t *testing.T) {
	d, err := dialectOf(topology.Version{Flavor: topology.FlavorMySQL, Major: 8, Minor: 4})
	if err != nil {
		t.Fatal(err)
	}
	for channel, want := range map[string]string{
		"":      "STOP REPLICA FOR CHANNEL ''",
		"it's":  `STOP REPLICA FOR CHANNEL 'it\'s'`,
		"other": "STOP REPLICA FOR CHANNEL 'other'",
	} {
		s := session{dialect: d, channel: channel}
		if got := s.on(s.stop); got != want {
			t.Errorf("%q: %s, want %s", channel, got, want)
		}
	}
}

func TestWaitStatements(t *testing.T) {
	for name, c := range map[string]struct {
		flavor    topology.Flavor
		set, want string
	}{
		"MySQL":                       {topology.FlavorMySQL, "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7", "SELECT WAIT_FOR_EXECUTED_GTID_SET('3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7', 0.200) AS waited"},
		"MariaDB position":            {topology.FlavorMariaDB, "0-1-100,1-7-20", "SELECT MASTER_GTID_WAIT('0-1-100,1-7-20', 0.200) AS waited"},
		"MariaDB difference":          {topology.FlavorMariaDB, "0-1-101..150", "SELECT MASTER_GTID_WAIT('0-1-150', 0.200) AS waited"},
		"MariaDB writers of a domain": {topology.FlavorMariaDB, "0-1-100,0-2-150", "SELECT MASTER_GTID_WAIT('0-2-150', 0.200) AS waited"},
	} {
		t.Run(name, func(t *testing.T) {
			d := dialect{mariaDB: c.flavor == topology.FlavorMariaDB}
			if got := d.wait(topology.MustParseGTIDSet(c.set), 200*time.Millisecond); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestKeepPromise(t *testing.T) {
	modern := semiSyncOf(table{{"Variable_name": "rpl_semi_sync_source_enabled"}, {"Variable_name": "rpl_semi_sync_replica_enabled"}, {"Variable_name": "rpl_semi_sync_source_wait_for_replica_count"}})
	legacy := semiSyncOf(table{{"Variable_name": "rpl_semi_sync_master_enabled"}, {"Variable_name": "rpl_semi_sync_slave_enabled"}})
	for name, c := range map[string]struct {
		s       semiSync
		waitFor int
		want    string
		fails   bool
	}{
		"no promise":            {modern, 0, "", false},
		"two":                   {modern, 2, "SET GLOBAL rpl_semi_sync_source_wait_for_replica_count=2, GLOBAL rpl_semi_sync_source_enabled=1, GLOBAL rpl_semi_sync_replica_enabled=0", false},
		"one, MariaDB":          {legacy, 1, "SET GLOBAL rpl_semi_sync_master_enabled=1, GLOBAL rpl_semi_sync_slave_enabled=0", false},
		"two, MariaDB":          {legacy, 2, "", true},
		"no plugin":             {semiSync{}, 1, "", true},
		"no plugin, no promise": {semiSync{}, 0, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := c.s.keepPromise(c.waitFor)
			if got := assignments(list); got != c.want || (err != nil) != c.fails {
				t.Errorf("%q, %v; want %q, an error: %v", got, err, c.want, c.fails)
			}
		})
	}
}

func TestSecretsAreWithheld(t *testing.T) {
	const secret = `relay'race`
	for name, e := range map[string]*client.MySQLError{
		"part of the statement": {Number: 1064, Message: `You have an error in your SQL syntax near 'y\'race', FOO' at line 1`},
		"the value":             {Number: 1470, Message: `String 'relay'race' is too long for PASSWORD`},
		"its beginning":         {Number: 1470, Message: `String 'relay'ra...' is too long for PASSWORD`},
		"as it was written":     {Number: 1231, Message: `cannot be set to 'relay\'race'`},
	} {
		t.Run(name, func(t *testing.T) {
			err := withhold(e, secret)
			if text := err.Error(); strings.Contains(text, "rel") || strings.Contains(text, "race") || errno(err) != e.Number {
				t.Errorf("%v", err)
			}
		})
	}
	for _, err := range []error{errors.New("no answer"), &client.MySQLError{Number: 1198, Message: "This operation cannot be performed with a running replica"}} {
		if got := withhold(err, secret); got.Error() != err.Error() {
			t.Errorf("%v was withheld", err)
		}
	}
}

func TestPauses(t *testing.T) {
	set := topology.MustParseGTIDSet(uuid + ":1-5")
	for name, c := range map[string]struct {
		mariaDB    bool
		done, left uint64
		took       time.Duration
		want       string
	}{
		"nothing is known yet":  {false, 0, 5000, time.Second, "SELECT WAIT_FOR_EXECUTED_GTID_SET("},
		"far away":              {false, 5000, 5000, time.Second, "DO SLEEP(0.200)"},
		"nearer":                {false, 9000, 1000, time.Second, "DO SLEEP(0.056)"},
		"as good as there":      {false, 9999, 1, time.Second, "SELECT WAIT_FOR_EXECUTED_GTID_SET("},
		"MariaDB waits at ease": {true, 5000, 5000, time.Second, "SELECT MASTER_GTID_WAIT("},
	} {
		t.Run(name, func(t *testing.T) {
			s := session{dialect: dialect{mariaDB: c.mariaDB}}
			if got := s.pause(set, expected(c.done, c.left, c.took)); !strings.HasPrefix(got, c.want) {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}
