package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/batondb/baton/api"
	"github.com/batondb/baton/remediation"
)

// changing is a command that changes something, called with everything it takes.
type changing struct {
	command  string
	plain    []string
	flags    [][]string // besides --dry-run and --yes
	scenario string
	before   []string // a command that must be run first
	method   string
	path     string
	query    string // of the request
	body     string
}

// changingCommands has every command that changes something; TestEveryChangingCommandIsHere keeps it complete.
func changingCommands() []changing {
	reason := []string{"--reason", "a drill"}
	signed := `"by":"operator","reason":"a drill"`
	query := url.Values{"by": {"operator"}, "reason": {"a drill"}}.Encode()
	return []changing{
		{
			command: "takeover", plain: []string{"shop"}, flags: [][]string{{"--to", "db2"}, {"--allow", "lag", "--allow=followers"}, reason}, scenario: shop,
			method: "POST", path: "/api/v1/recoveries", body: `{"kind":"takeover","cluster":"shop","to":"db2","allow":["lag","followers"],` + signed + `}`,
		},
		{
			command: "failover", plain: []string{"blog"}, flags: [][]string{{"--to=web2"}, {"--allow", "holds_everything"}, reason}, scenario: blog,
			method: "POST", path: "/api/v1/recoveries", body: `{"kind":"failover","cluster":"blog","to":"web2","allow":["holds_everything"],` + signed + `}`,
		},
		{
			command: "relocate", plain: []string{"db4"}, flags: [][]string{{"--below", "db1"}, reason}, scenario: shop,
			method: "POST", path: "/api/v1/recoveries", body: `{"kind":"relocate","instance":"db4","to":"db1",` + signed + `}`,
		},
		{
			command: "recovery ack", plain: []string{"20260102T030405.000Z-00000001"}, flags: [][]string{reason}, scenario: shop, before: []string{"takeover", "shop", "--yes"},
			method: "POST", path: "/api/v1/recoveries/20260102T030405.000Z-00000001/acknowledge", body: `{` + signed + `}`,
		},
		{
			command: "recovery ack", flags: [][]string{{"--cluster", "shop"}, reason}, scenario: shop, before: []string{"takeover", "shop", "--yes"},
			method: "POST", path: "/api/v1/clusters/shop/acknowledge", body: `{` + signed + `}`,
		},
		{
			command: "downtime begin", plain: []string{"db3"}, flags: [][]string{{"--for", "2h"}, reason}, scenario: shop,
			method: "POST", path: "/api/v1/downtimes", body: `{"instance":"db3","for":"2h0m0s",` + signed + `}`,
		},
		{
			command: "downtime end", plain: []string{"db3"}, flags: [][]string{reason}, scenario: shop, before: []string{"downtime", "begin", "db3", "--yes", "--reason", "disk"},
			method: "DELETE", path: "/api/v1/downtimes/db3", query: query,
		},
		{
			command: "pause", plain: []string{"shop"}, flags: [][]string{{"--rule", "DeadPrimary"}, {"--for=30m"}, reason}, scenario: shop,
			method: "POST", path: "/api/v1/pauses", body: `{"cluster":"shop","rule":"DeadPrimary","for":"30m0s",` + signed + `}`,
		},
		{
			command: "resume", plain: []string{"shop"}, flags: [][]string{reason}, scenario: shop, before: []string{"pause", "shop", "--yes", "--reason", "work"},
			method: "DELETE", path: "/api/v1/pauses", query: query + "&cluster=shop",
		},
		{
			command: "promotion", plain: []string{"db3", "prefer"}, flags: [][]string{{"--for", "24h"}, reason}, scenario: shop,
			method: "PUT", path: "/api/v1/instances/db3/promotion-rule", body: `{"rule":"prefer","for":"24h0m0s",` + signed + `}`,
		},
		{
			command: "discover", plain: []string{"db9"}, flags: [][]string{reason}, scenario: shop,
			method: "POST", path: "/api/v1/instances", body: `{"instance":"db9",` + signed + `}`,
		},
		{
			command: "forget", plain: []string{"db4"}, flags: [][]string{{"--for", "1h"}, reason}, scenario: shop,
			method: "DELETE", path: "/api/v1/instances/db4", query: query + "&for=1h0m0s",
		},
	}
}

// walkCommands calls f for every command that can be called.
func walkCommands(app *cli.App, f func(path string, c *cli.Command)) {
	var walk func(string, []*cli.Command)
	walk = func(path string, commands []*cli.Command) {
		for _, c := range commands {
			name := strings.TrimSpace(path + " " + c.Name)
			if len(c.Subcommands) == 0 {
				f(name, c)
			}
			walk(name, c.Subcommands)
		}
	}
	walk("", app.Commands)
}

func TestEveryChangingCommandIsHere(t *testing.T) {
	here := make(map[string]bool)
	for _, c := range changingCommands() {
		here[c.command] = true
	}
	walkCommands(newApp(&terminal{}), func(path string, c *cli.Command) {
		dry := slices.ContainsFunc(c.Flags, func(f cli.Flag) bool { return f.Names()[0] == "dry-run" })
		if dry != here[path] {
			t.Errorf("%s: has --dry-run: %v, is tested as a command that changes something: %v", path, dry, here[path])
		}
	})
}

// placements are the ways in which people mix flags and arguments.
func (c changing) placements(extra ...[]string) map[string][]string {
	words, flags := strings.Fields(c.command), append(slices.Clone(c.flags), extra...)
	flat := func(parts ...[]string) []string { return slices.Concat(parts...) }
	out := map[string][]string{
		"behind":             flat(words, c.plain, slices.Concat(flags...)),
		"before":             flat(words, slices.Concat(flags...), c.plain),
		"before the command": flat(slices.Concat(flags...), words, c.plain),
		"with two dashes":    flat(words, slices.Concat(flags...), []string{"--"}, c.plain),
		"global flag behind": flat(words, c.plain, slices.Concat(flags...), []string{"-o", "json"}),
		"global flag before": flat([]string{"-o=json", "--timeout", "20s"}, words, c.plain, slices.Concat(flags...)),
	}
	reversed := slices.Clone(flags)
	slices.Reverse(reversed)
	out["behind, in reverse"] = flat(words, c.plain, slices.Concat(reversed...))
	for n := range flags {
		split := flat(words, slices.Concat(flags[:n]...), c.plain, slices.Concat(flags[n:]...))
		out[fmt.Sprintf("split at %d", n)] = split
		if len(words) == 2 {
			out[fmt.Sprintf("within the command at %d", n)] = flat(words[:1], slices.Concat(flags[:n]...), words[1:], c.plain, slices.Concat(flags[n:]...))
		}
		if len(c.plain) == 2 {
			out[fmt.Sprintf("between the arguments at %d", n)] = flat(words, c.plain[:1], slices.Concat(flags[n:]...), c.plain[1:], slices.Concat(flags[:n]...))
		}
	}
	return out
}

func (c changing) fixture(t *testing.T) *fixture {
	f := newFixture(t, c.scenario)
	f.service.Policies = remediation.DefaultPolicy()
	if c.before != nil {
		f.baton(c.before...).wantCode(t, 0)
	}
	f.changes()
	return f
}

// TestDryRunAnywhere is the reason why arguments are permuted: wherever --dry-run stands, nothing is changed.
func TestDryRunAnywhere(t *testing.T) {
	for _, c := range changingCommands() {
		f := c.fixture(t)
		for where, args := range c.placements([]string{"--dry-run"}) {
			t.Run(c.command+" "+where, func(t *testing.T) {
				f.t = t
				changed := len(f.service.Changed())
				r := f.baton(args...).wantCode(t, 0)
				if got := f.changes(); len(got) != 0 {
					t.Errorf("baton %q sent %v", args, got)
				}
				if got := f.service.Changed()[changed:]; len(got) != 0 {
					t.Errorf("baton %q changed %q", args, got)
				}
				if r.out == "" {
					t.Errorf("baton %q says nothing", args)
				}
			})
		}
	}
}

// TestFlagsAnywhere demands the same request wherever the flags stand.
func TestFlagsAnywhere(t *testing.T) {
	for _, c := range changingCommands() {
		for where, args := range c.placements([]string{"--yes"}) {
			t.Run(c.command+" "+where, func(t *testing.T) {
				f := c.fixture(t)
				f.baton(args...).wantCode(t, 0)
				got := f.changes()
				if len(got) != 1 {
					t.Fatalf("baton %q sent %v, want one request", args, got)
				}
				if got[0].method != c.method || got[0].path != c.path {
					t.Errorf("baton %q sent %s %s, want %s %s", args, got[0].method, got[0].path, c.method, c.path)
				}
				gotQuery, _ := url.ParseQuery(got[0].query)
				if wantQuery, _ := url.ParseQuery(c.query); !reflect.DeepEqual(gotQuery, wantQuery) {
					t.Errorf("baton %q sent the query %v, want %v", args, gotQuery, wantQuery)
				}
				if c.body != got[0].body {
					t.Errorf("baton %q sent\n%s, want\n%s", args, got[0].body, c.body)
				}
			})
		}
	}
}

// TestConsent demands that nothing is changed unless somebody agrees.
func TestConsent(t *testing.T) {
	for _, c := range changingCommands() {
		args := c.placements()["behind"]
		yes := "y\n"
		if c.command == "failover" {
			yes = "blog\n"
		}
		for name, try := range map[string]struct {
			do   func(f *fixture) result
			code int
			sent int
		}{
			"nobody can be asked": {func(f *fixture) result { return f.baton(args...) }, api.ExitUsage, 0},
			"no":                  {func(f *fixture) result { return f.person("n\n", args...) }, api.ExitFailed, 0},
			"nothing is typed":    {func(f *fixture) result { return f.person("", args...) }, api.ExitFailed, 0},
			"yes":                 {func(f *fixture) result { return f.person(yes, args...) }, 0, 1},
		} {
			t.Run(c.command+" "+name, func(t *testing.T) {
				f := c.fixture(t)
				r := try.do(f).wantCode(t, try.code)
				if got := f.changes(); len(got) != try.sent {
					t.Errorf("sent %v, want %d requests", got, try.sent)
				}
				if name == "nobody can be asked" && !strings.Contains(r.err, "--yes") {
					t.Errorf("it does not say what to do: %s", r.err)
				}
			})
		}
	}
}

// TestFailoverWantsTheName lets no habit of typing y pass.
func TestFailoverWantsTheName(t *testing.T) {
	for typed, code := range map[string]int{"y\n": api.ExitFailed, "yes\n": api.ExitFailed, "shop\n": api.ExitFailed, "blog\n": 0, " blog \n": 0} {
		f := newFixture(t, blog)
		r := f.person(typed, "failover", "blog")
		if r.code != code || (code == 0) != (len(f.changes()) == 1) {
			t.Errorf("typed %q: exit code %d, want %d\n%s", typed, r.code, code, r.err)
		}
	}
}

// TestPlanIsShownBeforeTheQuestion lets a person see what they agree to, and does not ask about what is refused anyway.
func TestPlanIsShownBeforeTheQuestion(t *testing.T) {
	f := newFixture(t, shop+blog)
	r := f.person("n\n", "takeover", "shop").wantCode(t, api.ExitFailed)
	for _, want := range []string{"✓ candidate", "→  db2:3306", "[y/N]", "nothing was done"} {
		if !strings.Contains(r.err, want) {
			t.Errorf("%q is not said:\n%s", want, r.err)
		}
	}
	if r = f.person("y\n", "takeover", "blog").wantCode(t, api.ExitRefused); strings.Contains(r.err, "[y/N]") {
		t.Errorf("it asks about a plan that is refused:\n%s", r.err)
	}
	if got := f.changes(); len(got) != 0 {
		t.Errorf("sent %v", got)
	}
}

func TestReasonIsDemanded(t *testing.T) {
	for _, args := range []string{"downtime begin db3", "pause shop", "pause", "recovery ack --cluster shop"} {
		f := newFixture(t, shop)
		r := f.baton(append(strings.Fields(args), "--yes")...).wantCode(t, api.ExitUsage)
		if !strings.Contains(r.err, "--reason") || len(f.changes()) != 0 {
			t.Errorf("%s: %s", args, r.err)
		}
	}
}

// TestDryRunFindsWrongNames: a rehearsal that does not find the typing error is none.
func TestDryRunFindsWrongNames(t *testing.T) {
	for args, hint := range map[string]string{
		"takeover shpo":                   "nearest: shop",
		"relocate db44 --below db1":       "nearest: db4:3306",
		"relocate db4 --below db11":       "nearest: db1:3306",
		"downtime begin dbb3 --reason x":  "nearest: db3:3306",
		"downtime end dbb3":               "nearest: db3:3306",
		"pause shop2 --reason x":          "nearest: shop",
		"resume shop2":                    "nearest: shop",
		"promotion dbb3 prefer":           "nearest: db3:3306",
		"forget dbb3":                     "nearest: db3:3306",
		"recovery ack nope --reason x":    "baton recovery list",
		"takeover shop --allow candidate": "",
		"takeover shop --allow laag":      "nearest: lag",
		"takeover shop --to db33":         "nearest: db3:3306",
	} {
		f := newFixture(t, shop)
		r := f.baton(append(strings.Fields(args), "--dry-run")...)
		if r.code != api.ExitUsage || !strings.Contains(r.err, hint) {
			t.Errorf("%s: exit code %d, want %d with %q\n%s", args, r.code, api.ExitUsage, hint, r.err)
		}
	}
}

// TestJSONOfChanges gives scripts the answer as it came.
func TestJSONOfChanges(t *testing.T) {
	f := newFixture(t, shop)
	r := f.baton("takeover", "shop", "--yes", "-o", "json").wantCode(t, 0)
	var rec api.RecoveryView
	if err := json.Unmarshal([]byte(r.out), &rec); err != nil || rec.Outcome != api.OutcomeSuccess || rec.Successor != "db2:3306" {
		t.Errorf("%v: %s", err, r.out)
	}
	if !strings.Contains(r.err, "✓ let db3:3306 replicate from db2:3306") {
		t.Errorf("the steps are not told on the other stream: %s", r.err)
	}
	r = f.baton("downtime", "begin", "db3", "--reason", "disk", "--yes", "-o", "json").wantCode(t, 0)
	var d api.Downtime
	if err := json.Unmarshal([]byte(r.out), &d); err != nil || d.End.Sub(d.Begin).Hours() != 1 || d.Note == "" {
		t.Errorf("%v: %s", err, r.out)
	}
	if !strings.Contains(r.err, "default of 1h0m0s") {
		t.Errorf("it does not say that the default was taken: %s", r.err)
	}
	if f.requests[0].method != http.MethodPost {
		t.Errorf("with --yes there is nothing to look at first: %v", f.requests[0])
	}
}
