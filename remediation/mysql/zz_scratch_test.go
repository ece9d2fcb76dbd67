package mysql

import (
"context"
"database/sql"
client "github.com/go-sql-driver/mysql"
	"fmt"
	"testing"
	"time"

	"github.com/batondb/baton/internal/lab"
)

func TestScratchX(t *testing.T) {
	for _, fl := range []lab.Flavor{lab.MySQL, lab.MariaDB} {
		for _, semi := range []int{0, 1} {
			f := newFleet(t, lab.Spec{Flavor: fl, Replicas: 2, SemiSync: semi}, Options{})
			r := f.Servers[1]
			c := sdb(t, r, "baton")
			tm := func(q string) {
				b := time.Now()
				_, err := c.ExecContext(t.Context(), words(r, q))
				t.Log(fl, semi, q, time.Since(b), err)
			}
			for _, d := range []time.Duration{0, 5 * time.Millisecond, 300 * time.Millisecond} {
				fmt.Println(d)
				time.Sleep(d)
				tm("STOP REPLICA IO_THREAD")
				tm("START REPLICA IO_THREAD")
				r.WaitReplicating(t.Context())
				time.Sleep(d)
				tm("STOP REPLICA IO_THREAD; START REPLICA IO_THREAD")
				r.WaitReplicating(t.Context())
				time.Sleep(d)
				tm("STOP REPLICA; START REPLICA")
				r.WaitReplicating(t.Context())
			}
			f.Close()
		}
	}
}
func sdb(t *testing.T, s *lab.Server, user string) *sql.Conn {
	cfg, err := client.ParseDSN(s.DSN(user))
	if err != nil {
		t.Fatal(err)
	}
	cfg.MultiStatements = true
	cfg.Logger = &client.NopLogger{}
	c, _ := client.NewConnector(cfg)
	db := sql.OpenDB(c)
	t.Cleanup(func() { db.Close() })
	conn, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return conn
}
