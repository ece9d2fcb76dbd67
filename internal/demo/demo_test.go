package demo

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/internal/lab"
	"github.com/batondb/baton/topology"
)

var flavors = []lab.Flavor{lab.MySQL, lab.MariaDB}

// Every drill holds on real servers: nothing acknowledged is lost, the siblings follow, and the old primary takes no writes.
func TestDrills(t *testing.T) {
	for _, flavor := range flavors {
		for _, name := range Drills() {
			t.Run(fmt.Sprintf("%s/%s", flavor, name), func(t *testing.T) {
				report, err := Once(t.Context(), Options{Flavor: flavor, Backlog: 3000}, name)
				if err != nil {
					t.Fatal(err)
				}
				var text bytes.Buffer
				report.Print(&text)
				t.Log(text.String())
				if !report.Held || report.Lost != 0 || report.Acknowledged < settledRows {
					t.Errorf("it did not hold: %v", report.Violations)
				}
			})
		}
	}
}

// A deposed primary that is started again comes up open, as its own configuration says. It is closed, and when it holds nothing that the new
// primary lacks it follows; otherwise it is quarantined with the very transactions.
func TestDeposedPrimaryReturns(t *testing.T) {
	for _, flavor := range flavors {
		t.Run(string(flavor), func(t *testing.T) {
			ctx := t.Context()
			f, err := Start(ctx, Options{Flavor: flavor})
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			report, err := f.Run(ctx, "failover")
			if err != nil || !report.Held {
				t.Fatal(err, report)
			}
			old := f.server(report.OldPrimary)
			if err := old.Restart(ctx); err != nil {
				t.Fatal(err)
			}
			err = f.until(ctx, time.Minute, "the old primary to follow or to be quarantined", func(ctx context.Context) (bool, error) {
				i, err := f.Client.Instance(ctx, report.OldPrimary)
				if err != nil || i.ReadOnly == nil || !*i.ReadOnly {
					return false, nil //nolint:nilerr // not yet
				}
				follows := i.Source == report.NewPrimary && i.Receiver == "connected" && !i.Deposed
				return follows || i.Quarantined, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if closed, err := old.Value(ctx, "SELECT @@global.read_only"); err != nil || closed != "1" {
				t.Errorf("it takes writes: read_only is %s, %v", closed, err)
			}
		})
	}
}

// What the service judges, its snapshot file judges the same anywhere.
func TestSnapshotIsJudgedTheSameElsewhere(t *testing.T) {
	ctx := t.Context()
	f, err := Start(ctx, Options{Flavor: lab.MariaDB})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	replica := f.Servers.Replicas()[0]
	if err := replica.Exec(ctx, "STOP SLAVE SQL_THREAD"); err != nil {
		t.Fatal(err)
	}
	err = f.until(ctx, readyPatience, "the stopped applier to be found", func(ctx context.Context) (bool, error) {
		found, err := f.Client.Findings(ctx, clusterName)
		return len(found) > 0, err
	})
	if err != nil {
		t.Fatal(err)
	}
	found, err := f.Client.Findings(ctx, clusterName)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := f.Client.Snapshot(ctx, &file); err != nil {
		t.Fatal(err)
	}
	in, err := topology.Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	want, got := make(map[string]bool), make(map[string]bool)
	for _, x := range found {
		want[x.Rule+" "+x.Instance] = true
	}
	for _, x := range analysis.Evaluate(topology.Build(in), analysis.Table, analysis.DefaultPolicy()) {
		got[x.Rule+" "+string(x.Instance)] = true
	}
	if len(got) == 0 || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the file says %v, the service said %v", got, want)
	}
}

// The metrics of a living fleet are there, and no password is in them.
func TestMetricsOfAFleet(t *testing.T) {
	ctx := t.Context()
	f, err := Start(ctx, Options{Flavor: lab.MariaDB})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := f.Client.Metrics(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`baton_cluster_status{mysql_cluster="shop",status="healthy"} 1`,
		`baton_cluster_autonomy{level="auto",mysql_cluster="shop"} 1`,
		`baton_raft_state{state="leader"} 1`,
		"baton_instance_up{", "baton_topology_edge{", "baton_replication_lag_seconds{", "baton_semi_sync_source_active{", "baton_discovery_polls_total ",
		"baton_sentinel_connections 1", "baton_build_info{", "baton_config_last_reload_successful 1",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if strings.Contains(text, lab.Password) {
		t.Error("a password is in the metrics")
	}
	if resp, err := http.Get(f.URL + "/-/ready"); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("/-/ready: %v, %v", resp, err)
	}
}
