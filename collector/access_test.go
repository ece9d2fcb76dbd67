package collector

import (
	"context"
	"crypto/tls"
	"database/sql/driver"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/batondb/baton/internal/lab"
	"github.com/batondb/baton/topology"
)

func (f *fleet) grants(t *testing.T) {
	s := f.Primary()
	p := patient(t, nil)
	v := mustProbe(t, p, s).Version
	// An account that holds exactly what the collector says it needs lacks nothing.
	exec(t, s, "CREATE USER 'exact'@'%' IDENTIFIED BY 'relay-race'")
	t.Cleanup(func() { _ = s.Exec(context.Background(), "DROP USER 'exact'@'%'") })
	exact := patient(t, func(o *SQLOptions) {
		o.Access.Credentials = func() (string, string) { return "exact", "relay-race" }
	})
	_, err := exact.Probe(t.Context(), idOf(s))
	if reach, errno := Classify(err); reach != topology.ReachDenied || errno != 1227 {
		t.Errorf("without any grant: %v %d %v", reach, errno, err)
	}
	want := "GRANT REPLICATION CLIENT ON *.* TO 'exact'@'%'"
	if f.flavor == lab.MariaDB {
		want = "GRANT SLAVE MONITOR ON *.* TO 'exact'@'%'"
	}
	if missing := missingGrants(err); !slices.Equal(missing, []string{want}) {
		t.Errorf("the remedy is %v, not %s", missing, want)
	}
	grants := Grants(v, "'exact'@'%'")
	exec(t, s, grants...)
	if facts := mustProbe(t, exact, s); len(facts.MissingGrants) != 0 {
		t.Errorf("missing after %v: %v", grants, facts.MissingGrants)
	}
	exec(t, s, "REVOKE PROCESS, RELOAD ON *.* FROM 'exact'@'%'")
	exact.Refresh(idOf(s))
	facts := mustProbe(t, exact, s)
	if want := []string{"GRANT PROCESS, RELOAD ON *.* TO 'exact'@'%'"}; !slices.Equal(facts.MissingGrants, want) {
		t.Errorf("missing %v, want %v", facts.MissingGrants, want)
	}
}

// connections returns the server's ids of the connections of an account.
func connections(t *testing.T, s *lab.Server, user string) []string {
	t.Helper()
	ids := value(t, s, "SELECT COALESCE(GROUP_CONCAT(ID), '') FROM information_schema.processlist WHERE USER = '"+user+"'")
	if ids == "" {
		return nil
	}
	return strings.Split(ids, ",")
}

func (f *fleet) killedConnection(t *testing.T) {
	s := f.Primary()
	p := patient(t, nil)
	mustProbe(t, p, s)
	for _, id := range connections(t, s, lab.BatonUser) {
		exec(t, s, "KILL "+id)
	}
	mustProbe(t, p, s) // the same attempt goes on with a new connection
	p.Drop(idOf(s))
	until(t, "the dropped connection is gone", func() bool { return len(connections(t, s, lab.BatonUser)) == 0 })
}

func (f *fleet) denied(t *testing.T) {
	s := f.Primary()
	var password atomic.Value
	password.Store("wrong-secret")
	p := patient(t, func(o *SQLOptions) {
		o.Access.Credentials = func() (string, string) { return lab.BatonUser, password.Load().(string) }
	})
	_, err := p.Probe(t.Context(), idOf(s))
	if reach, errno := Classify(err); reach != topology.ReachDenied || errno != 1045 {
		t.Errorf("%v %d %v", reach, errno, err)
	}
	if err == nil || strings.Contains(err.Error(), "wrong-secret") {
		t.Errorf("the error %q", err)
	}
	password.Store(lab.Password) // rotated
	mustProbe(t, p, s)
}

func (f *fleet) saturated(t *testing.T) {
	s := f.Replicas()[0]
	exec(t, s, "SET GLOBAL max_connections = 10")
	defer exec(t, s, "SET GLOBAL max_connections = 151")
	ordinary := Access{Credentials: func() (string, string) { return lab.AppUser, lab.Password }, Timeout: 5 * time.Second}
	full, err := ordinary.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	var held []driver.Conn
	defer func() {
		for _, conn := range held {
			_ = conn.Close()
		}
	}()
	for err == nil && len(held) < 20 {
		var conn driver.Conn
		if conn, _, err = full.connect(t.Context(), idOf(s)); err == nil {
			held = append(held, conn)
		}
	}
	if reach, errno := Classify(err); reach != topology.ReachSaturated || errno != 1040 {
		t.Errorf("%v %d %v", reach, errno, err)
	}
	// The one place beyond the last is for Baton, once whoever was turned away there has left it.
	p := patient(t, nil)
	until(t, "CONNECTION_ADMIN gets in", func() bool {
		_, err := p.Probe(t.Context(), idOf(s))
		return err == nil
	})
}

func (f *fleet) encrypted(t *testing.T) {
	s := f.Primary()
	secure := access()
	secure.TLS = &tls.Config{InsecureSkipVerify: true}
	p := patient(t, func(o *SQLOptions) { o.Access = secure })
	_, err := p.Probe(t.Context(), idOf(s))
	if f.flavor == lab.MariaDB {
		// It has no certificate: alive, but not for those who want one.
		if reach, _ := Classify(err); reach != topology.ReachDenied {
			t.Errorf("%v: %v", reach, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	secure.TLS = &tls.Config{ServerName: "someone-else"}
	_, err = patient(t, func(o *SQLOptions) { o.Access = secure }).Probe(t.Context(), idOf(s))
	if reach, _ := Classify(err); reach != topology.ReachDenied {
		t.Errorf("a certificate that nobody signed: %v, %v", reach, err)
	}

	secure.TLS = &tls.Config{InsecureSkipVerify: true}
	w := f.watch(t, func(o *Options, sql *SQLOptions) { sql.Access = secure }, f.Servers...)
	until(t, "the sentinel is connected", func() bool { return w.sentinel.Connections() == 1 })
	until(t, "ten probes have been made", func() bool { return len(w.observations(s)) > 10 })
	conn, ok := w.sentinel.Lend(idOf(s))
	if !ok {
		t.Fatal("there is nothing to lend: what the encryption says of its own was taken for a fall")
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.(driver.ExecerContext).ExecContext(t.Context(), "DO 1", nil); err != nil {
		t.Error(err)
	}
}
