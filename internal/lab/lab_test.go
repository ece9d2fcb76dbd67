package lab

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// newLab returns a Lab with the programs of the shared cache.
func newLab(t *testing.T) *Lab {
	t.Helper()
	l, err := New(t.Context(), Options{Progress: func(s string) { t.Log(s) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return l
}

func start(t *testing.T, l *Lab, spec Spec) *Topology {
	t.Helper()
	begin := time.Now()
	top, err := l.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %d servers in %s", spec.Flavor, len(top.Servers), time.Since(begin).Round(time.Millisecond))
	return top
}

func eachFlavor(t *testing.T, f func(*testing.T, Flavor)) {
	for _, flavor := range []Flavor{MySQL, MariaDB} {
		t.Run(string(flavor), func(t *testing.T) { f(t, flavor) })
	}
}

func connect(t *testing.T, s *Server, user string) *sql.DB {
	t.Helper()
	config, err := mysql.ParseDSN(s.DSN(user))
	if err != nil {
		t.Fatal(err)
	}
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	return db
}

func mustExec(t *testing.T, s *Server, statements ...string) {
	t.Helper()
	if err := s.Exec(t.Context(), statements...); err != nil {
		t.Fatal(err)
	}
}

func wantValue(t *testing.T, s *Server, query, want string) {
	t.Helper()
	got, err := s.Value(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("%s: %s = %q, want %q", s, query, got, want)
	}
}

// eventually waits until a query returns what is wanted.
func eventually(t *testing.T, s *Server, query, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var got string
	err := poll(ctx, func() (bool, error) {
		var err error
		got, err = s.Value(ctx, query)
		return got == want, err
	})
	if err != nil {
		t.Fatalf("%s: %s = %q, want %q: %v\n%s", s, query, got, want, err, s.Log())
	}
}

func TestStart(t *testing.T) {
	l := newLab(t)
	eachFlavor(t, func(t *testing.T, flavor Flavor) {
		top := start(t, l, Spec{Flavor: flavor, Replicas: 2, SemiSync: 1})
		defer top.Close()
		primary, replicas := top.Primary(), top.Replicas()
		if len(replicas) != 2 {
			t.Fatalf("%d replicas, want 2", len(replicas))
		}
		app := connect(t, primary, AppUser)
		if _, err := app.Exec("INSERT INTO app.writes (run, seq) VALUES (1, 1)"); err != nil {
			t.Fatal(err)
		}
		wantValue(t, primary, "SELECT @@global.read_only", "0")
		source, replica := "Rpl_semi_sync_source", "Rpl_semi_sync_replica"
		if flavor == MariaDB {
			source, replica = "Rpl_semi_sync_master", "Rpl_semi_sync_slave"
		}
		status := func(name string) string {
			return "SELECT variable_value FROM information_schema.global_status WHERE variable_name = '" + name + "'"
		}
		if flavor == MySQL {
			status = func(name string) string {
				return "SELECT variable_value FROM performance_schema.global_status WHERE variable_name = '" + name + "'"
			}
		}
		wantValue(t, primary, status(source+"_status"), "ON")
		wantValue(t, primary, status(source+"_clients"), "2")
		wantValue(t, primary, status(source+"_yes_tx"), "1")
		for _, r := range replicas {
			wantValue(t, r, "SELECT @@global.read_only", "1")
			wantValue(t, r, status(replica+"_status"), "ON")
			eventually(t, r, "SELECT COUNT(*) FROM app.writes", "1")
			rep, is, err := r.Replication(t.Context())
			if err != nil || !is || rep.Source != primary.Addr() {
				t.Errorf("%s replicates from %q (%t, %v), want %s", r, rep.Source, is, err, primary.Addr())
			}
			_, err = connect(t, r, AppUser).Exec("INSERT INTO app.writes (run, seq) VALUES (1, 2)")
			if !refused(err) {
				t.Errorf("%s: a write of the application: %v, want a refusal because of read_only", r, err)
			}
		}
		hosts, err := primary.Row(t.Context(), primary.sql("SHOW REPLICA HOSTS"))
		if flavor == MySQL {
			hosts, err = primary.Row(t.Context(), "SHOW REPLICAS")
		}
		if err != nil || hosts["Host"] != "127.0.0.1" || !strings.Contains(fmt.Sprint(top.Addrs()), ":"+hosts["Port"]) {
			t.Errorf("the primary knows its replicas as %v, %v", hosts, err)
		}
	})
}

func TestShapes(t *testing.T) {
	l := newLab(t)
	tests := []struct {
		name    string
		flavors []Flavor
		spec    Spec
		sources []int // by server, whom it must follow; -1 for none
	}{
		{"alone", []Flavor{MySQL, MariaDB}, Spec{}, []int{-1}},
		{"chain", []Flavor{MySQL, MariaDB}, Spec{Sources: []int{-1, 0, 1}}, []int{-1, 0, 1}},
		{"co-primaries", []Flavor{MySQL, MariaDB}, Spec{Sources: []int{-1, 0, 1}, CoPrimaries: true}, []int{1, 0, 1}},
		{"file and position", []Flavor{MySQL, MariaDB}, Spec{Replicas: 1, FilePosition: true}, []int{-1, 0}},
		{"proxied", []Flavor{MySQL, MariaDB}, Spec{Replicas: 1, Proxied: true}, []int{-1, 0}},
		{"two acknowledgements", []Flavor{MySQL}, Spec{Replicas: 2, SemiSync: 2}, []int{-1, 0, 0}},
	}
	for _, test := range tests {
		for _, flavor := range test.flavors {
			t.Run(test.name+"/"+string(flavor), func(t *testing.T) {
				test.spec.Flavor = flavor
				top := start(t, l, test.spec)
				defer top.Close()
				for i, s := range top.Servers {
					r, is, err := s.Replication(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					want := ""
					if test.sources[i] >= 0 {
						want = top.Servers[test.sources[i]].Addr()
					}
					if is != (want != "") || r.Source != want {
						t.Errorf("server %d follows %q, want %q", i, r.Source, want)
					}
				}
				mustExec(t, top.Primary(), "INSERT INTO app.writes (run, seq) VALUES (1, 1)")
				for _, s := range top.Servers {
					eventually(t, s, "SELECT COUNT(*) FROM app.writes", "1")
				}
			})
		}
	}
}

func TestSpecIsChecked(t *testing.T) {
	tests := []struct {
		name string
		spec Spec
		want string
	}{
		{"no flavour", Spec{}, "unknown flavour"},
		{"no primary", Spec{Flavor: MySQL, Sources: []int{1, 0}}, "circle"},
		{"two primaries", Spec{Flavor: MySQL, Sources: []int{-1, -1}}, "2 servers have no source"},
		{"source out of range", Spec{Flavor: MySQL, Sources: []int{-1, 2}}, "can not replicate from 2"},
		{"a source's source out of range", Spec{Flavor: MySQL, Sources: []int{1, 5, -1}}, "can not replicate from 5"},
		{"no servers", Spec{Flavor: MySQL, Sources: []int{}}, "0 servers have no source"},
		{"fewer than no replicas", Spec{Flavor: MySQL, Replicas: -2}, "-2 replicas"},
		{"its own source", Spec{Flavor: MySQL, Sources: []int{-1, 1}}, "can not replicate from 1"},
		{"co-primaries without a second", Spec{Flavor: MySQL, CoPrimaries: true}, "co-primaries"},
		{"MariaDB waits for one", Spec{Flavor: MariaDB, SemiSync: 2}, "one acknowledgement"},
		{"ports", Spec{Flavor: MySQL, Replicas: 1, Ports: []int{3306}}, "1 ports for 2 servers"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := test.spec.complete()
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}
