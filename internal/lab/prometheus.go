package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"go.yaml.in/yaml/v3"
)

// A PrometheusSpec describes a Prometheus server.
type PrometheusSpec struct {
	Targets       []string      // host:port of what is scraped, as job "baton"
	Every         time.Duration // between scrapes and rule evaluations; default 1 s
	RuleFiles     []string
	Alertmanagers []string // host:port

	// Config replaces all of the above by a whole configuration file.
	Config string

	// Port is the port to listen on; 0 means a free one.
	Port int
}

// A Service is a Prometheus or an Alertmanager that runs.
type Service struct {
	addr string
	dir  string
	proc *process
}

// Addr returns host:port.
func (s *Service) Addr() string { return s.addr }

// URL returns the address of the web interface.
func (s *Service) URL() string { return "http://" + s.addr }

// Log returns the end of what the service logged.
func (s *Service) Log() string { return tail(filepath.Join(s.dir, "log"), 4096) }

// Close kills the service and removes its data. Closing the Lab does it too.
func (s *Service) Close() error {
	s.proc.destroy()
	return os.RemoveAll(s.dir)
}

// StartPrometheus starts a Prometheus and waits until it is ready.
func (l *Lab) StartPrometheus(ctx context.Context, spec PrometheusSpec) (*Service, error) {
	config := []byte(spec.Config)
	if spec.Config == "" {
		var err error
		if config, err = spec.render(); err != nil {
			return nil, fmt.Errorf("lab: %w", err)
		}
	}
	s, err := l.startService(ctx, prometheusKind(), spec.Port, config, func(s *Service, file string) []string {
		return []string{
			"--config.file=" + file,
			"--storage.tsdb.path=" + filepath.Join(s.dir, "data"),
			"--web.listen-address=" + s.addr,
			"--web.enable-lifecycle",
		}
	})
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	return s, nil
}

// StartAlertmanager starts an Alertmanager with a configuration file, on a
// port or, when it is 0, on a free one, and waits until it is ready.
func (l *Lab) StartAlertmanager(ctx context.Context, config string, port int) (*Service, error) {
	s, err := l.startService(ctx, alertmanagerKind(), port, []byte(config), func(s *Service, file string) []string {
		return []string{
			"--config.file=" + file,
			"--storage.path=" + filepath.Join(s.dir, "data"),
			"--web.listen-address=" + s.addr,
			"--cluster.listen-address=",
		}
	})
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	return s, nil
}

// Promtool returns a command that runs promtool.
func (l *Lab) Promtool(ctx context.Context, args ...string) (*exec.Cmd, error) {
	p, err := l.find(ctx, promtoolKind())
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	return p.command(args...), nil
}

func (spec PrometheusSpec) render() ([]byte, error) {
	every := spec.Every
	if every == 0 {
		every = time.Second
	}
	type targets struct {
		Targets []string `yaml:"targets"`
	}
	static := func(addrs []string) map[string]any {
		return map[string]any{"static_configs": []targets{{addrs}}}
	}
	job := static(spec.Targets)
	job["job_name"] = "baton"
	config := map[string]any{
		"global":         map[string]any{"scrape_interval": every.String(), "evaluation_interval": every.String()},
		"scrape_configs": []any{job},
	}
	if len(spec.RuleFiles) > 0 {
		config["rule_files"] = spec.RuleFiles
	}
	if len(spec.Alertmanagers) > 0 {
		config["alerting"] = map[string]any{"alertmanagers": []any{static(spec.Alertmanagers)}}
	}
	return yaml.Marshal(config)
}

func (l *Lab) startService(ctx context.Context, kind programKind, port int, config []byte, args func(*Service, string) []string) (*Service, error) {
	if l.isClosed() {
		return nil, ErrClosed
	}
	p, err := l.find(ctx, kind)
	if err != nil {
		return nil, err
	}
	if port == 0 {
		if port, err = l.ports.next(); err != nil {
			return nil, err
		}
	}
	s := &Service{addr: loopback(port), dir: filepath.Join(l.dir, fmt.Sprintf("%s-%d", kind.name, l.newID()))}
	if err := os.MkdirAll(s.dir, 0o750); err != nil {
		return nil, err
	}
	file := filepath.Join(s.dir, kind.name+".yml")
	if err := os.WriteFile(file, config, 0o644); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := p.command(args(s, file)...)
	cmd.Stdout, cmd.Stderr = log, log
	if s.proc, err = l.spawner.start(cmd); err != nil {
		return nil, err
	}
	if err := l.onClose(s.Close); err != nil {
		return nil, err
	}
	if err := s.ready(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", kind.name, err), s.Close())
	}
	return s, nil
}

func (s *Service) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return poll(ctx, func() (bool, error) {
		if !s.proc.running() {
			return false, fmt.Errorf("it ended (%v): %s", s.proc.err, s.Log()) //nolint:errorlint // %w cannot print the nil of one that ended well
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+"/-/ready", nil)
		if err != nil {
			return false, err
		}
		resp, err := client.Do(req)
		if err != nil {
			return false, nil //nolint:nilerr // not yet: poll asks again
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK, nil
	})
}
