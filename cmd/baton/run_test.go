package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/urfave/cli/v2"
	"go.yaml.in/yaml/v3"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/api"
	"github.com/batondb/baton/ledger"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// TestExitCodes is the table of the help text.
func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		name  string
		args  string
		alter func(f *fixture)
		code  int
		says  string // on either stream
	}{
		{"done", "clusters", nil, 0, "shop"},
		{"help", "--help", nil, 0, "EXIT CODES"},
		{"no command", "", nil, 0, "COMMANDS"},
		{"failed", "takeover shop --yes", func(f *fixture) { f.service.Outcome = api.OutcomeFailed }, api.ExitFailed, "failed"},
		{"partly done", "takeover shop --yes", func(f *fixture) { f.service.Outcome = api.OutcomePartial }, 0, "partial"},
		{"nothing to end", "resume --yes", nil, api.ExitFailed, `no pause of "the fleet"`},
		{"unreadable instance", "discover db9 --yes", func(f *fixture) { f.service.Blind = errors.New("db9:3306 refuses connections") }, api.ExitFailed, "refuses connections"},
		{"unknown command", "failovr shop", nil, api.ExitUsage, "did you mean failover"},
		{"unknown flag", "clusters --all", nil, api.ExitUsage, "no flag --all"},
		{"unknown format", "clusters -o xml", nil, api.ExitUsage, "xml"},
		{"unknown cluster", "topology shp", nil, api.ExitUsage, "nearest: shop"},
		{"unknown kind", "recovery plan reboot shop", nil, api.ExitUsage, "kind"},
		{"a group without a command", "downtime", nil, api.ExitUsage, "begin, end, list"},
		{"argument missing", "takeover", nil, api.ExitUsage, "CLUSTER is missing"},
		{"argument too many", "takeover shop blog", nil, api.ExitUsage, `"blog" is one argument too many`},
		{"not a duration", "downtime begin db3 --for soon --reason x --yes", nil, api.ExitUsage, "soon"},
		{"a duration that has passed", "downtime begin db3 --for -1h --reason x --yes", nil, api.ExitUsage, "--for"},
		{"a duration of nothing", "downtime begin db3 --for=0s --reason x --yes", nil, api.ExitUsage, "--for"},
		{"not an address", "clusters --url ftp://x", nil, api.ExitUsage, "--url"},
		{"unknown shell", "completion csh", nil, api.ExitUsage, "bash, zsh, fish"},
		{"findings are no failure", "findings", nil, 0, "LaggingReplica"},
		{"refused in a dry run", "failover shop --dry-run", nil, api.ExitRefused, "db1:3306 is alive"},
		{"refused", "failover shop --yes", nil, api.ExitRefused, "✗ finding"},
		{"refused on the way", "takeover shop --yes", func(f *fixture) { f.service.Outcome = api.OutcomeAborted }, api.ExitRefused, "aborted"},
		{"plan refused", "recovery plan failover shop", nil, api.ExitRefused, "It would be refused"},
		{"no leader", "takeover shop --yes", func(f *fixture) { f.service.Leading, f.service.Leads = false, ledger.Peer{} }, api.ExitUnreachable, "no leader"},
		{"unreachable", "clusters --url http://127.0.0.1:1", nil, api.ExitUnreachable, "baton serve"},
		{"lost sight", "takeover shop --yes", func(f *fixture) { f.service.Outcome = api.OutcomeHalted }, api.ExitUnreachable, "baton recovery show"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, shop)
			if c.alter != nil {
				c.alter(f)
			}
			args := strings.Fields(c.args)
			if slices.Contains(args, "--url") {
				f.url = "http://127.0.0.1:2"
				r := f.on(&terminal{in: strings.NewReader("")}, args...).wantCode(t, c.code)
				if !strings.Contains(r.out+r.err, c.says) {
					t.Errorf("%q is not said:\n%s%s", c.says, r.out, r.err)
				}
				return
			}
			r := f.baton(args...).wantCode(t, c.code)
			if !strings.Contains(r.out+r.err, c.says) {
				t.Errorf("%q is not said:\n%s%s", c.says, r.out, r.err)
			}
			if c.code == api.ExitUsage && r.out != "" {
				t.Errorf("an error is talk, not data: %s", r.out)
			}
		})
	}
}

// TestHelp demands an example and a word about the default of every command.
func TestHelp(t *testing.T) {
	f := newFixture(t, shop)
	walkCommands(newApp(&terminal{}), func(path string, c *cli.Command) {
		if c.Hidden {
			return
		}
		r := f.baton(append(strings.Fields(path), "--help")...).wantCode(t, 0)
		for _, want := range []string{"Example:", "baton " + path, "default", "--url URL"} {
			if !strings.Contains(r.out, want) {
				t.Errorf("baton %s --help does not say %q:\n%s", path, want, r.out)
			}
		}
		if other := f.baton(append([]string{"help"}, strings.Fields(path)...)...); other.out != r.out {
			t.Errorf("baton help %s says something else than baton %s --help", path, path)
		}
	})
	if got := f.changes(); len(got) != 0 {
		t.Errorf("asking for help sent %v", got)
	}
}

// TestHelpIsNeverAnOrder: whoever asks for help in the middle of a command does not want it carried out.
func TestHelpIsNeverAnOrder(t *testing.T) {
	for _, c := range changingCommands() {
		f := c.fixture(t)
		f.baton(append(c.placements([]string{"--yes"})["behind"], "--help")...).wantCode(t, 0)
		if got := f.changes(); len(got) != 0 {
			t.Errorf("%s --help sent %v", c.command, got)
		}
	}
}

// TestJSONIsTheWire: -o json is what the server sent, and -o yaml the same by another notation.
func TestJSONIsTheWire(t *testing.T) {
	for args, path := range map[string]string{
		"clusters": "/api/v1/clusters", "instances": "/api/v1/instances", "instances shop": "/api/v1/instances?cluster=shop",
		"topology shop": "/api/v1/clusters/shop/topology", "findings": "/api/v1/findings", "rule list": "/api/v1/rules",
		"rule explain DeadPrimary db1": "/api/v1/rules/DeadPrimary/explain?instance=db1", "recovery list": "/api/v1/recoveries",
		"recovery show 20260102T030405.000Z-00000001": "/api/v1/recoveries/20260102T030405.000Z-00000001",
		"downtime list": "/api/v1/downtimes", "why-not shop": "/api/v1/clusters/shop/why-not",
	} {
		t.Run(args, func(t *testing.T) {
			f := newFixture(t, shop)
			f.baton("takeover", "shop", "--yes").wantCode(t, 0)
			f.baton("downtime", "begin", "db3", "--yes", "--reason", "no").wantCode(t, 0)
			resp, err := http.Get(f.url + path)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			var want, fromJSON, fromYAML any
			if err := json.NewDecoder(resp.Body).Decode(&want); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(f.baton(append(strings.Fields(args), "-o", "json")...).wantCode(t, 0).out), &fromJSON); err != nil {
				t.Fatal(err)
			}
			if err := yaml.Unmarshal([]byte(f.baton(append(strings.Fields(args), "-o", "yaml")...).wantCode(t, 0).out), &fromYAML); err != nil {
				t.Fatal(err)
			}
			same := func(a, b any) bool {
				x, _ := json.Marshal(a)
				y, _ := json.Marshal(b)
				return string(x) == string(y)
			}
			if !same(want, fromJSON) {
				t.Errorf("-o json differs from the wire:\n%v\n%v", fromJSON, want)
			}
			if !same(want, fromYAML) {
				t.Errorf("-o yaml differs from the wire:\n%v\n%v", fromYAML, want)
			}
		})
	}
}

// TestYAMLKeepsStrings: what looks like something else in YAML stays a string.
func TestYAMLKeepsStrings(t *testing.T) {
	var out strings.Builder
	in := map[string]any{"a": []any{"yes", "no", "null", "~", "1", "1.5", "0x1F", "12:30", "2026-01-02", "", " x", "a: b", "#", "- a", "line\nbreak", "true"}, "n": 1.5, "b": true}
	term := &terminal{out: &out}
	if err := term.printYAML(in); err != nil {
		t.Fatal(err)
	}
	var back map[string]any
	if err := yaml.Unmarshal([]byte(out.String()), &back); err != nil {
		t.Fatal(err)
	}
	x, _ := json.Marshal(in)
	y, _ := json.Marshal(back)
	if string(x) != string(y) {
		t.Errorf("%s became %s by way of\n%s", x, y, out.String())
	}
}

func TestAnalyze(t *testing.T) {
	f := newFixture(t, blog)
	file := filepath.Join(t.TempDir(), "fleet.json")
	if err := os.WriteFile(file, []byte(f.baton("snapshot").wantCode(t, 0).out), 0o600); err != nil {
		t.Fatal(err)
	}
	fromFile := f.baton("analyze", file).wantCode(t, api.ExitProblems)
	if !strings.Contains(fromFile.out, "DeadPrimary") {
		t.Errorf("the file does not say what is wrong: %s", fromFile.out)
	}
	fromScenario := f.on(&terminal{in: strings.NewReader(blog)}, "analyze", "-").wantCode(t, api.ExitProblems)
	if fromScenario.out != fromFile.out {
		t.Errorf("the scenario says\n%s, the snapshot of it\n%s", fromScenario.out, fromFile.out)
	}
	f.on(&terminal{in: strings.NewReader("cluster calm\ncalm1\n  calm2\n")}, "analyze", "-").wantCode(t, 0)
	f.on(&terminal{in: strings.NewReader("cluster calm\n  calm1 upp\n")}, "analyze", "-").wantCode(t, api.ExitFailed)
	f.on(&terminal{in: strings.NewReader(`{"format":"baton-snapshot/99"}`)}, "analyze", "-").wantCode(t, api.ExitFailed)
	f.baton("analyze", filepath.Join(t.TempDir(), "nothing")).wantCode(t, api.ExitFailed)
	var findings []api.Finding
	if err := json.Unmarshal([]byte(f.baton("analyze", file, "-o", "json").wantCode(t, api.ExitProblems).out), &findings); err != nil || len(findings) == 0 {
		t.Errorf("%v: %v", err, findings)
	}
}

func TestCheckConfig(t *testing.T) {
	f := newFixture(t, shop)
	file := filepath.Join(t.TempDir(), "baton.yaml")
	if err := os.WriteFile(file, []byte("no_such_key: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := f.baton("check", "config", file).wantCode(t, api.ExitProblems); !strings.Contains(r.err, "no_such_key") {
		t.Errorf("it does not name the key: %s", r.err)
	}
}

func TestRuleListHasAll(t *testing.T) {
	out := newFixture(t, shop).baton("rule", "list").wantCode(t, 0).out
	for _, r := range analysis.Table {
		if !strings.Contains(out, r.Name+" ") {
			t.Errorf("%s is not listed", r.Name)
		}
	}
}

// TestRecoveryIsShown follows one from its start to its acknowledgement.
func TestRecoveryIsShown(t *testing.T) {
	f := newFixture(t, shop)
	golden(t, "takeover", f.baton("takeover", "shop", "--yes", "--reason", "a drill").wantCode(t, 0).out)
	golden(t, "recovery_list", f.baton("recovery", "list").wantCode(t, 0).out)
	f.baton("recovery", "ack", "20260102T030405.000Z-00000001", "--reason", "seen", "--yes").wantCode(t, 0)
	golden(t, "recovery_show", f.baton("recovery", "show", "20260102T030405.000Z-00000001").wantCode(t, 0).out)
	again := f.baton("recovery", "show", "20260102T030405.000Z-00000001", "--follow").wantCode(t, 0).out
	f.service.Lose()
	replayed := f.baton("recovery", "show", "20260102T030405.000Z-00000001", "--follow").wantCode(t, 0).out
	for _, out := range []string{again, replayed} {
		if !strings.Contains(out, "success") || !strings.Contains(out, "✓") {
			t.Errorf("following an ended recovery tells %s", out)
		}
	}
	golden(t, "downtime_begin", f.baton("downtime", "begin", "db3", "--reason", "disk", "--yes", "--for", "2h").wantCode(t, 0).out)
	golden(t, "downtime_list", f.baton("downtime", "list").wantCode(t, 0).out)
	f.baton("pause", "shop", "--reason", "work", "--yes").wantCode(t, 0)
	golden(t, "clusters_notes", f.baton("clusters").wantCode(t, 0).out)
	if got := f.baton("clusters", "-o", "json").wantCode(t, 0).out; !strings.Contains(got, `"reason": "work"`) {
		t.Errorf("the pause is not in %s", got)
	}
}

// TestDrainIsTold: a long step has a moving line on a screen, and a few lines elsewhere.
func TestDrainIsTold(t *testing.T) {
	tell := func(live, color bool) string {
		var out strings.Builder
		teller := &teller{terminal: &terminal{out: &out, live: live, color: color}, began: make(map[string]api.Progress)}
		p := api.Progress{Phase: "drain", Step: "wait_applied", Text: "wait until db2 has applied what it received", On: "db2", State: api.StateStarted}
		teller.tell(p)
		p.State, p.Total = api.StateProgress, 30_000
		for _, sofar := range []uint64{0, 10, 2_000, 14_000, 15_500, 30_000} {
			p.Sofar = sofar
			teller.tell(p)
		}
		p.State, p.TookSeconds = api.StateDone, 1.62
		teller.tell(p)
		teller.tell(api.Progress{Step: "point_at", Text: "let db3 replicate from db2", State: api.StateFailed, Error: "access denied", TookSeconds: 0.02})
		teller.tell(api.Progress{Step: "fence", Text: "make db1 refuse writes", State: api.StateSkipped})
		return out.String()
	}
	golden(t, "drain_plain", tell(false, false))
	golden(t, "drain_live", strings.ReplaceAll(tell(true, true), "\r", "\n\\r"))
}

func TestColorIsForScreens(t *testing.T) {
	f := newFixture(t, shop+blog)
	colored := f.on(&terminal{in: strings.NewReader(""), color: true}, "--url", f.url, "topology")
	golden(t, "topology_color", colored.out)
	if !strings.Contains(colored.out, "\x1b[31m") || !strings.Contains(colored.out, "\x1b[33m") {
		t.Error("the dead are not red, or the lagging not yellow")
	}
	t.Setenv("NO_COLOR", "1")
	file, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	if code := run([]string{"baton", "--url", f.url, "topology"}, strings.NewReader(""), file, file); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if raw, _ := os.ReadFile(file.Name()); strings.Contains(string(raw), "\x1b") || !strings.Contains(string(raw), "web1:3306") {
		t.Errorf("a file gets %q", raw)
	}
}

// TestWatchDrawsAgain draws until it is interrupted, also over a moment without an answer.
func TestWatchDrawsAgain(t *testing.T) {
	f := newFixture(t, shop)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var asked atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch asked.Add(1) {
		case 2:
			w.WriteHeader(http.StatusBadGateway)
			return
		case 4:
			cancel()
		}
		resp, err := http.Get(f.url + r.URL.String())
		if err != nil {
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	}))
	defer proxy.Close()
	var out, errOut strings.Builder
	term := &terminal{in: strings.NewReader(""), out: &out, err: &errOut, now: time.Now, live: true}
	if code := term.run(ctx, []string{"baton", "topology", "--watch", "--every", "1ms", "--url", proxy.URL, "shop"}); code != 0 {
		t.Fatalf("exit code %d: %s", code, errOut.String())
	}
	if n := strings.Count(out.String(), "\x1b[H\x1b[2J"); n < 2 {
		t.Errorf("drawn %d times:\n%s", n, out.String())
	}
	if !strings.Contains(errOut.String(), "502") {
		t.Errorf("the missing answer is not told: %s", errOut.String())
	}
}

// TestInterruptedFollower says that the recovery goes on.
func TestInterruptedFollower(t *testing.T) {
	f := newFixture(t, shop)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f.service.Held = make(chan struct{}, 1)
	f.service.Held <- struct{}{}
	f.service.OnWatch = func(n int) {
		if n == 1 {
			cancel()
		}
	}
	var out, errOut strings.Builder
	term := &terminal{in: strings.NewReader(""), out: &out, err: &errOut, now: time.Now}
	if code := term.run(ctx, []string{"baton", "takeover", "shop", "--yes", "--url", f.url}); code != api.ExitUnreachable {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(errOut.String(), "it goes on: baton recovery show") {
		t.Errorf("it is not said that the recovery goes on: %s", errOut.String())
	}
}

func TestCompletion(t *testing.T) {
	f := newFixture(t, shop+blog)
	for line, want := range map[string]string{
		"":                              "serve demo clusters",
		"fail":                          "failover",
		"failover ":                     "blog shop",
		"failover s":                    "shop",
		"failover shop ":                "",
		"failover --dry-run b":          "blog",
		"takeover shop --to d":          "db1:3306 db2:3306 db4:3306 db3:3306",
		"takeover shop --to=db2 --r":    "--reason",
		"relocate db4 --below db1":      "db1:3306",
		"downtime ":                     "begin end list",
		"downtime begin db3":            "db3:3306",
		"rule explain DeadPrimaryAndS":  "DeadPrimaryAndSomeReplicas",
		"rule explain DeadPrimary web1": "web1:3306",
		"promotion db3 prefer_":         "prefer_not",
		"topology -o j":                 "json",
		"takeover shop --allow la":      "lag",
		"recovery plan re":              "relocate",
		"recovery plan takeover sh":     "shop",
		"completion z":                  "zsh",
		"analyze fleet":                 "",
		"topology --w":                  "--watch",
	} {
		words := append([]string{"__complete"}, strings.Split(line, " ")...)
		r := f.on(&terminal{in: strings.NewReader("")}, slices.Insert(words, 1, "--url="+f.url)...).wantCode(t, 0)
		got := strings.Join(strings.Fields(r.out), " ")
		if line == "" && strings.HasPrefix(got, want) {
			continue
		}
		if got != want {
			t.Errorf("%q completes to %q, want %q", line, got, want)
		}
	}
	f.on(&terminal{in: strings.NewReader("")}, "__complete", "--url=http://127.0.0.1:1", "failover", "").wantCode(t, 0)
}

// TestCompletionScripts has each shell that is there read its script.
func TestCompletionScripts(t *testing.T) {
	f := newFixture(t, shop)
	for _, shell := range []string{"bash", "zsh", "fish"} {
		script := f.baton("completion", shell).wantCode(t, 0).out
		path, err := exec.LookPath(shell)
		if err != nil {
			continue
		}
		check := exec.Command(path, "-n")
		check.Stdin = strings.NewReader(script)
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s does not read its script: %v: %s", shell, err, out)
		}
	}
}

func TestVersion(t *testing.T) {
	r := newFixture(t, shop).baton("version", "-o", "json").wantCode(t, 0)
	var b build
	if err := json.Unmarshal([]byte(r.out), &b); err != nil || b.Go == "" {
		t.Errorf("%v: %s", err, r.out)
	}
}

// TestURLSecretsStaySecret: an address may hold a password, and no error shows it.
func TestURLSecretsStaySecret(t *testing.T) {
	f := newFixture(t, shop)
	r := f.on(&terminal{in: strings.NewReader("")}, "clusters", "--url", "http://admin:s3cret@127.0.0.1:1").wantCode(t, api.ExitUnreachable)
	if strings.Contains(r.err, "s3cret") {
		t.Errorf("the password is told: %s", r.err)
	}
}

func TestShort(t *testing.T) {
	for in, want := range map[time.Duration]string{
		0: "0s", 300 * time.Microsecond: "<1 ms", 6 * time.Millisecond: "6 ms", 1300 * time.Millisecond: "1.3s", 12 * time.Second: "12s",
		90 * time.Second: "1m30s", 10 * time.Minute: "10m", 90 * time.Minute: "1h30m", 2 * time.Hour: "2h",
	} {
		if got := short(in.Seconds()); got != want {
			t.Errorf("short(%s) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := many(in); got != want {
			t.Errorf("many(%d) = %q, want %q", in, got, want)
		}
	}
}

// TestPolicyDecides: the program has no opinion of its own about who may be promoted.
func TestPolicyDecides(t *testing.T) {
	f := newFixture(t, shop)
	f.service.Policies.Autonomy = remediation.Recommend
	r := f.baton("why-not", "shop").wantCode(t, 0)
	if !strings.Contains(r.out, "would not act by itself: autonomy") || !strings.Contains(r.out, "✗ autonomy") {
		t.Errorf("it does not say what is missing:\n%s", r.out)
	}
	if _, err := topology.Parse(shop); err != nil {
		t.Fatal(err)
	}
}
