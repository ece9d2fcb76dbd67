package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/batondb/baton/internal/lab"
	"github.com/batondb/baton/rules"
)

// Once starts a fleet, runs one drill on it and ends everything.
func Once(ctx context.Context, opts Options, name string) (report *Report, err error) {
	f, err := Start(ctx, opts)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return f.Run(ctx, name)
}

// Show starts a fleet with Prometheus and Alertmanager, tells what to look at and what to type, and waits until ctx ends.
func Show(ctx context.Context, opts Options, w io.Writer) (err error) {
	if opts.Listen == "" {
		opts.Listen = "127.0.0.1:8306"
	}
	f, err := Start(ctx, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	prometheus, alertmanager := f.monitoring(ctx)
	view, err := f.Client.Cluster(ctx, clusterName)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nCluster %s: primary %s with %d replicas, watched and repaired by Baton.\n\n", clusterName, view.Primary, len(view.Members)-1)
	for _, s := range f.Servers.Servers {
		fmt.Fprintf(w, "  %-22s pid %d\n", s.Addr(), s.PID())
	}
	fmt.Fprintf(w, "\n  Baton         %s  (metrics at /metrics, API at /api/v1)\n", f.URL)
	for _, line := range []struct{ name, url string }{{"Prometheus", prometheus}, {"Alertmanager", alertmanager}} {
		if line.url != "" {
			fmt.Fprintf(w, "  %-13s %s\n", line.name, line.url)
		}
	}
	fmt.Fprintf(w, `
In another terminal:
  %[1]sbaton topology %[2]s --watch     look at the cluster
  kill -9 %[3]d                       kill the primary
  %[1]sbaton recovery list              what was done about it
  %[1]sbaton takeover %[2]s --dry-run   what a planned takeover would do, and why it may
  %[1]sbaton why-not %[2]s              what would happen if the primary died now

Ctrl-C ends everything and leaves nothing behind.
`, f.prefix(), clusterName, f.server(view.Primary).PID())
	<-ctx.Done()
	return nil
}

// prefix is what a shell needs before the commands shown: where the API is, unless it is where the CLI looks by itself.
func (f *Fleet) prefix() string {
	if f.URL == "http://127.0.0.1:8306" {
		return "bin/"
	}
	return "BATON_URL=" + f.URL + " bin/"
}

func (f *Fleet) server(addr string) *lab.Server {
	for _, s := range f.Servers.Servers {
		if s.Addr() == addr {
			return s
		}
	}
	return nil
}

// monitoring starts Alertmanager and Prometheus. The demo goes on without them: Baton does not need them.
func (f *Fleet) monitoring(ctx context.Context) (prometheusURL, alertmanagerURL string) {
	alertmanager, err := f.Lab.StartAlertmanager(ctx, alertmanagerConfig, 0)
	if err != nil {
		f.say("Alertmanager is not there: %v", err)
	}
	spec := lab.PrometheusSpec{Targets: []string{strings.TrimPrefix(f.URL, "http://")}}
	if alertmanager != nil {
		spec.Alertmanagers, alertmanagerURL = []string{alertmanager.Addr()}, alertmanager.URL()
	}
	if spec.RuleFiles, err = f.ruleFiles(); err != nil {
		f.say("the rules are not there: %v", err)
	}
	prometheus, err := f.Lab.StartPrometheus(ctx, spec)
	if err != nil {
		f.say("Prometheus is not there: %v", err)
		return "", alertmanagerURL
	}
	return prometheus.URL(), alertmanagerURL
}

// ruleFiles writes the bundled rules where Prometheus can read them.
func (f *Fleet) ruleFiles() ([]string, error) {
	var paths []string
	for _, name := range []string{"alerts.yaml", "recording.yaml"} {
		data, err := rules.FS.ReadFile(name)
		if err != nil {
			return nil, err
		}
		path := filepath.Join(f.dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// alertmanagerConfig groups by cluster and sends to nobody.
const alertmanagerConfig = `route:
  receiver: nobody
  group_by: [mysql_cluster]
  group_wait: 1s
receivers:
  - name: nobody
`
