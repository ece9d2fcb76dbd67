package mysql

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	client "github.com/go-sql-driver/mysql"

	"github.com/batondb/baton/internal/lab"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// clients are connections of the application.
func (f *fleet) client(s *lab.Server) *sql.Conn {
	f.Helper()
	config, err := client.ParseDSN(s.DSN(lab.AppUser))
	if err != nil {
		f.Fatal(err)
	}
	config.Logger = &client.NopLogger{}
	connector, err := client.NewConnector(config)
	if err != nil {
		f.Fatal(err)
	}
	db := sql.OpenDB(connector)
	f.Cleanup(func() { db.Close() })
	c, err := db.Conn(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	return c
}

func killing(st *remediation.Step) { st.KillClients = true }
func noWait(st *remediation.Step)  { st.NoWait = true }

func TestFenceAndUnfence(t *testing.T) {
	eachFlavor(t, lab.Spec{Replicas: 1, SemiSync: 1}, func(f *fleet) {
		primary := f.Primary()
		idle := f.client(primary)
		fence := step(remediation.Fence, primary)
		f.wantDone(fence, false)
		f.doTwice(fence)
		if _, err := idle.ExecContext(f.Context(), "INSERT INTO app.writes (run, seq) VALUES (1, 1)"); err == nil {
			f.Error("a fenced server accepts writes")
		}
		f.exec(primary, words(primary, "SET GLOBAL rpl_semi_sync_source_enabled=0"))
		unfence := step(remediation.Unfence, primary, waitFor(1))
		f.wantDone(unfence, false)
		f.doTwice(unfence)
		f.want(primary, words(primary, "SELECT @@GLOBAL.rpl_semi_sync_source_enabled"), "1")
		if _, err := idle.ExecContext(f.Context(), "INSERT INTO app.writes (run, seq) VALUES (1, 1)"); err != nil {
			f.Error(err)
		}
		if f.state(f.Replicas()[0]).receiver != topology.ReceiverConnected {
			f.Error("the replica lost its connection")
		}

		f.doTwice(step(remediation.Fence, primary, killing))
		if err := idle.PingContext(f.Context()); err == nil {
			f.Error("the client is still connected")
		}
		if f.state(f.Replicas()[0]).receiver != topology.ReceiverConnected {
			f.Error("the replica was disconnected with the clients")
		}

		// One that may still arrive would close it again.
		f.actor.fences[id(primary)] = true
		f.refused(unfence, stepLimit, "has not been answered yet")

		f.actor = f.newActor(Options{Spare: []string{lab.AppUser}})
		kept := f.client(primary)
		f.do(step(remediation.Fence, primary, killing))
		if err := kept.PingContext(f.Context()); err != nil {
			f.Errorf("a user that is to be spared was disconnected: %v", err)
		}
	})
}

// Commits wait for acknowledgements that nobody gives. The fence comes through, and no client takes its commit for acknowledged.
func TestFenceReleasesStuckCommits(t *testing.T) {
	eachFlavor(t, lab.Spec{Replicas: 1, SemiSync: 1}, func(f *fleet) {
		primary, replica := f.Primary(), f.Replicas()[0]
		// A transaction that only has to commit.
		open := f.client(primary)
		for _, statement := range []string{"BEGIN", "INSERT INTO app.writes (run, seq) VALUES (2, 1)"} {
			if _, err := open.ExecContext(f.Context(), statement); err != nil {
				f.Fatal(err)
			}
		}
		f.exec(replica, words(replica, "STOP REPLICA IO_THREAD"))
		const stuck = 4
		outcomes := make(chan error, stuck)
		for n := range stuck {
			c := f.client(primary)
			go func() {
				_, err := c.ExecContext(f.Context(), fmt.Sprintf("INSERT INTO app.writes (run, seq) VALUES (1, %d)", n))
				outcomes <- err
			}()
		}
		f.eventually(primary, fmt.Sprintf("SELECT COUNT(*) = %d AND SUM(state LIKE 'Waiting for semi-sync ACK%%') >= 1 FROM information_schema.processlist WHERE info LIKE 'INSERT%%'", stuck), "1")
		f.do(step(remediation.Fence, primary))
		f.wantDone(step(remediation.Fence, primary), true)
		for range stuck {
			if err := <-outcomes; err == nil {
				f.Error("a client was told that a commit is safe which no replica has")
			}
		}
		if _, err := open.ExecContext(f.Context(), "COMMIT"); err == nil {
			f.Error("a transaction was committed behind the fence")
		}
		if f.value(primary, "SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE 'Waiting for%lock%'") != "0" {
			f.Error("somebody still waits for a lock")
		}
	})
}

// A fence that cannot come through says what is in its way, and leaves nothing behind that would close the server later.
func TestFenceThatIsHeldUp(t *testing.T) {
	eachFlavor(t, lab.Spec{}, func(f *fleet) {
		primary := f.Primary()
		c := f.client(primary)
		f.exec(primary, "GRANT LOCK TABLES ON app.* TO 'app'@'%'")
		holder := f.client(primary)
		if _, err := holder.ExecContext(f.Context(), "LOCK TABLES app.writes WRITE"); err != nil {
			f.Fatal(err)
		}
		fence := step(remediation.Fence, primary)
		f.refused(fence, 1200*time.Millisecond, "deadline exceeded")
		f.eventually(primary, "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SET GLOBAL%read_only%'", "0")
		if _, err := holder.ExecContext(f.Context(), "UNLOCK TABLES"); err != nil {
			f.Fatal(err)
		}
		if _, err := c.ExecContext(f.Context(), "INSERT INTO app.writes (run, seq) VALUES (1, 1)"); err != nil {
			f.Errorf("it was closed after the fence was given up: %v", err)
		}

		// Whoever is in its way can be ended with the other clients.
		if _, err := holder.ExecContext(f.Context(), "LOCK TABLES app.writes WRITE"); err != nil {
			f.Fatal(err)
		}
		f.doTwice(step(remediation.Fence, primary, killing))
	})
}

// lifeline returns a connection of somebody else, authenticated while the server was well.
func (f *fleet) lifeline(s *lab.Server) driver.Conn {
	f.Helper()
	config := client.NewConfig()
	config.User, config.Passwd, config.Net, config.Addr = lab.BatonUser, lab.Password, "tcp", s.Addr()
	config.Logger = &client.NopLogger{}
	connector, err := client.NewConnector(config)
	if err != nil {
		f.Fatal(err)
	}
	c, err := connector.Connect(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	return c
}

func TestFenceOfHungServer(t *testing.T) {
	eachFlavor(t, lab.Spec{Replicas: 2}, func(f *fleet) {
		byLifeline, byOwn, withNone := f.Servers[0], f.Servers[1], f.Servers[2]
		for _, s := range f.Servers[1:] {
			f.exec(s, words(s, "STOP REPLICA"), words(s, "RESET REPLICA ALL"), "SET GLOBAL read_only=0")
		}
		line := f.lifeline(byLifeline)
		f.actor = f.newActor(Options{Lifeline: func(of topology.InstanceID) (driver.Conn, bool) { return line, of == id(byLifeline) }})
		if err := f.actor.Warm(f.within(stepLimit), id(byOwn)); err != nil {
			f.Fatal(err)
		}
		for _, s := range f.Servers {
			if err := s.Freeze(); err != nil {
				f.Fatal(err)
			}
		}
		for _, s := range []*lab.Server{byLifeline, byOwn} {
			f.do(step(remediation.Fence, s, noWait))
			f.do(step(remediation.Fence, s, noWait)) // on its way already
		}
		err := f.actor.Do(f.within(stepLimit), step(remediation.Fence, withNone, noWait))
		if unreachable := (*NotConnectedError)(nil); !errors.As(err, &unreachable) || unreachable.Instance != id(withNone) {
			f.Errorf("%v, want that it could not be reached", err)
		}
		for _, s := range f.Servers {
			if err := s.Thaw(); err != nil {
				f.Fatal(err)
			}
		}
		for _, s := range []*lab.Server{byLifeline, byOwn} {
			f.eventually(s, words(s, "SELECT @@GLOBAL.super_read_only"), "1")
		}
		f.want(withNone, "SELECT @@GLOBAL.read_only", "0")
		for strings.Count(f.logs.String(), "the fence has been answered") < 2 && f.Context().Err() == nil {
			f.want(byOwn, "SELECT @@GLOBAL.read_only", "1")
		}
		f.do(step(remediation.Unfence, byOwn))
		f.do(step(remediation.Fence, withNone, noWait)) // it does not hang any more
		f.wantDone(step(remediation.Fence, withNone), true)
	})
}

func TestActorStopsWithFencesOnTheirWay(t *testing.T) {
	f := newFleet(t, lab.Spec{Flavor: lab.MariaDB}, Options{})
	a, err := New(Options{Credentials: func() (string, string) { return lab.BatonUser, lab.Password }})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Warm(f.within(stepLimit), id(f.Primary())); err != nil {
		t.Fatal(err)
	}
	if err := f.Primary().Freeze(); err != nil {
		t.Fatal(err)
	}
	if err := a.Do(f.within(stepLimit), step(remediation.Fence, f.Primary(), noWait)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Run(ctx); err != nil { // it returns although the server will never answer
		t.Fatal(err)
	}
	if err := f.Primary().Thaw(); err != nil {
		t.Fatal(err)
	}
	f.eventually(f.Primary(), "SELECT @@GLOBAL.read_only", "1") // what was sent is done all the same
	if err := a.Do(f.within(stepLimit), step(remediation.Unfence, f.Primary())); err == nil {
		t.Error("an actor that was stopped goes on")
	}
}

func TestConnectionsComeAndGo(t *testing.T) {
	eachFlavor(t, lab.Spec{}, func(f *fleet) {
		primary := f.Primary()
		if err := f.actor.Warm(f.within(stepLimit), id(primary)); err != nil {
			f.Fatal(err)
		}
		if trips := f.do(step(remediation.Fence, primary)); trips != 1 {
			f.Errorf("%d round trips on a warm connection", trips)
		}
		const connections = "SELECT COUNT(*) FROM information_schema.processlist WHERE user='baton'"
		f.want(primary, connections, "1")

		// It ends while nobody uses it, with a word of the server or without.
		f.exec(primary, "KILL "+f.value(primary, "SELECT id FROM information_schema.processlist WHERE user='baton'"))
		f.do(step(remediation.Unfence, primary))
		if err := primary.Restart(f.Context()); err != nil {
			f.Fatal(err)
		}
		f.do(step(remediation.Fence, primary))

		f.actor.drop(time.Now().Add(-Idle))
		f.want(primary, connections, "1")
		f.actor.drop(time.Now().Add(Idle))
		f.eventually(primary, connections, "0")

		// A server that hangs costs what the context allows, and no more.
		f.do(step(remediation.Unfence, primary))
		if err := primary.Freeze(); err != nil {
			f.Fatal(err)
		}
		err := f.actor.Do(f.within(100*time.Millisecond), step(remediation.Fence, primary))
		if err == nil || !strings.Contains(err.Error(), context.DeadlineExceeded.Error()) {
			f.Errorf("%v", err)
		}
		if err := primary.Thaw(); err != nil {
			f.Fatal(err)
		}
		f.do(step(remediation.Fence, primary))
		if err := primary.Kill(); err != nil {
			f.Fatal(err)
		}
		if err := primary.Wait(f.Context()); err != nil {
			f.Fatal(err)
		}
		var unreachable *NotConnectedError
		if err := f.actor.Do(f.within(stepLimit), step(remediation.Fence, primary)); !errors.As(err, &unreachable) {
			f.Errorf("%v, want that it could not be reached", err)
		}
	})
}

// A batch may have been carried out although the answer was lost: the action is begun again, and only once.
func TestAnswerThatIsLost(t *testing.T) {
	f := newFleet(t, lab.Spec{Flavor: lab.MariaDB, Replicas: 1}, Options{})
	cut := make(chan bool, 1)
	a, err := New(Options{
		Credentials: func() (string, string) { return lab.BatonUser, lab.Password },
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, network, address)
			return &deafConn{c, cut}, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	replica := f.Replicas()[0]
	if err := a.Warm(f.within(stepLimit), id(replica)); err != nil {
		t.Fatal(err)
	}
	cut <- true
	if err := a.Do(f.within(stepLimit), step(remediation.StopReceiver, replica)); err != nil {
		t.Error(err)
	}
	f.wantDone(step(remediation.StopReceiver, replica), true)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a.Run(ctx)
}

// deafConn loses the next answer, and its connection with it.
type deafConn struct {
	net.Conn
	cut chan bool
}

func (c *deafConn) Read(b []byte) (int, error) {
	select {
	case <-c.cut:
		c.Conn.Close()
		return 0, net.ErrClosed
	default:
		return c.Conn.Read(b)
	}
}

func TestConnectionsAreEncrypted(t *testing.T) {
	f := newFleet(t, lab.Spec{Flavor: lab.MySQL}, Options{TLS: &tls.Config{InsecureSkipVerify: true}})
	for range 2 {
		err := f.actor.with(f.within(stepLimit), id(f.Primary()), func(s *session) error {
			answers, err := s.ask(f.Context(), "SHOW SESSION STATUS LIKE 'Ssl_cipher'")
			if err == nil && answers[0].first()["Value"] == "" {
				err = errors.New("the connection is plain")
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	f.actor = f.newActor(Options{TLS: &tls.Config{}})
	if err := f.actor.Warm(f.within(stepLimit), id(f.Primary())); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("%v, want that the certificate is not trusted", err)
	}
}
