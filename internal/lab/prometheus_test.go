package lab

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPrometheusAndAlertmanager follows a metric to an alert.
func TestPrometheusAndAlertmanager(t *testing.T) {
	ctx := t.Context()
	l := newLab(t)
	metrics := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "lab_broken 1\n")
	}))
	defer metrics.Close()
	rules := filepath.Join(t.TempDir(), "rules.yml")
	text := `groups:
- name: lab
  interval: 200ms
  rules:
  - alert: Broken
    expr: lab_broken == 1
`
	if err := os.WriteFile(rules, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	promtool, err := l.Promtool(ctx, "check", "rules", rules)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := promtool.CombinedOutput(); err != nil || !strings.Contains(string(out), "SUCCESS") {
		t.Errorf("promtool: %v: %s", err, out)
	}
	alertmanager, err := l.StartAlertmanager(ctx, "route: {receiver: none}\nreceivers: [{name: none}]\n", 0)
	if err != nil {
		t.Fatal(err)
	}
	prometheus, err := l.StartPrometheus(ctx, PrometheusSpec{
		Targets:       []string{strings.TrimPrefix(metrics.URL, "http://")},
		Every:         200_000_000,
		RuleFiles:     []string{rules},
		Alertmanagers: []string{alertmanager.Addr()},
	})
	if err != nil {
		t.Fatal(err)
	}
	err = poll(ctx, func() (bool, error) {
		resp, err := http.Get(alertmanager.URL() + "/api/v2/alerts")
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		var alerts []struct{ Labels map[string]string }
		if err := json.NewDecoder(resp.Body).Decode(&alerts); err != nil {
			return false, err
		}
		return len(alerts) == 1 && alerts[0].Labels["alertname"] == "Broken" && alerts[0].Labels["job"] == "baton", nil
	})
	if err != nil {
		t.Errorf("no alert arrived: %v\n%s\n%s", err, prometheus.Log(), alertmanager.Log())
	}
	if err := prometheus.Close(); err != nil {
		t.Error(err)
	}
	if _, err := http.Get(prometheus.URL()); err == nil {
		t.Error("a closed Prometheus answers")
	}
}

func TestPrometheusWithBadConfigSaysWhy(t *testing.T) {
	_, err := newLab(t).StartPrometheus(t.Context(), PrometheusSpec{Config: "no_such_key: 1\n"})
	if err == nil || !strings.Contains(err.Error(), "no_such_key") {
		t.Errorf("error %v, want one that quotes the log", err)
	}
}
