package main

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func TestPermute(t *testing.T) {
	app := newApp(&terminal{})
	for _, c := range []struct{ name, in, out string }{
		{"nothing", "", ""},
		{"a command", "clusters", "clusters"},
		{"arguments are fenced off", "topology shop", "topology -- shop"},
		{"a flag behind the argument", "failover shop --dry-run", "failover --dry-run -- shop"},
		{"a flag with a value behind the argument", "takeover shop --to db2", "takeover --to=db2 -- shop"},
		{"a flag between the arguments", "promotion db3 --yes prefer", "promotion --yes -- db3 prefer"},
		{"a flag before the command", "--dry-run failover shop", "failover --dry-run -- shop"},
		{"a flag within the command", "downtime --for 2h begin db3", "downtime begin --for=2h -- db3"},
		{"a global flag behind", "topology shop -o json", "--o=json topology -- shop"},
		{"a global flag with =", "topology shop -o=json --url=http://x", "--o=json --url=http://x topology -- shop"},
		{"one dash will do", "failover shop -dry-run", "failover --dry-run -- shop"},
		{"short flags in one word", "takeover shop -yo json", "--o=json takeover --y -- shop"},
		{"a flag that repeats", "takeover shop --allow lag --allow errant", "takeover --allow=lag --allow=errant -- shop"},
		{"a boolean with a value", "failover --dry-run=false shop", "failover --dry-run=false -- shop"},
		{"a value that begins with a dash", "pause --reason=-x", "pause --reason=-x"},
		{"two dashes", "topology -- shop", "topology -- shop"},
		{"the standard input", "analyze -", "analyze -- -"},
		{"help of a command", "help failover", "failover --help"},
		{"help of a command below", "help downtime begin", "downtime begin --help"},
		{"help alone", "help", "--help"},
		{"help behind", "failover shop --yes -h", "failover --help"},
		{"words for completion stay as they are", "__complete failover --dry-run sh", "__complete failover --dry-run sh"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := permute(app, append([]string{"baton"}, strings.Fields(c.in)...))
			if err != nil {
				t.Fatal(err)
			}
			if text := strings.Join(got[1:], " "); text != c.out {
				t.Errorf("permute(%q) = %q, want %q", c.in, text, c.out)
			}
		})
	}
}

func TestPermuteRefuses(t *testing.T) {
	app := newApp(&terminal{})
	for _, c := range []struct{ name, in, text, hint string }{
		{"an unknown command", "failovr shop", `has no command "failovr"`, "failover"},
		{"an unknown command below", "downtime strat db3", `baton downtime has no command "strat"`, "lists its commands"},
		{"an unknown flag", "failover shop --dryrun", "baton failover has no flag --dryrun", "--dry-run"},
		{"a flag of another command", "topology shop --dry-run", "baton topology has no flag --dry-run", ""},
		{"a value that is missing", "takeover shop --to", "--to needs a value", ""},
		{"a flag taken for a value", "failover shop --reason --dry-run", "--reason needs a value", "--reason=--dry-run"},
		{"a flag given twice", "takeover shop --to db2 --to db3", "--to is given twice", ""},
		{"a flag and its short form", "takeover shop --yes -y", "--yes is given twice", ""},
		{"a dash behind two dashes", "failover -- shop --dry-run", `"--dry-run" begins with a dash`, ""},
		{"short flags of which one is unknown", "takeover shop -yz", "baton takeover has no flag --yz", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := permute(app, append([]string{"baton"}, strings.Fields(c.in)...))
			var wrong *usageError
			if !errors.As(err, &wrong) {
				t.Fatalf("permute(%q) = %v, want a usageError", c.in, err)
			}
			if !strings.Contains(wrong.text, c.text) || !strings.Contains(wrong.hint, c.hint) {
				t.Errorf("permute(%q) says %q (%q), want %q (%q)", c.in, wrong.text, wrong.hint, c.text, c.hint)
			}
		})
	}
}

// TestFlagsAgree: permute reads a flag before it knows its command, so a name must take a value everywhere or nowhere.
func TestFlagsAgree(t *testing.T) {
	app := newApp(&terminal{})
	known := make(map[string]bool)
	check := func(where string, flags []cli.Flag) {
		for _, f := range flags {
			for _, name := range f.Names() {
				if takes, ok := known[name]; ok && takes != takesValue(f) {
					t.Errorf("%s: flag --%s takes a value here and not elsewhere, or the other way round", where, name)
				}
				known[name] = takesValue(f)
			}
		}
	}
	check("baton", app.Flags)
	walkCommands(app, func(path string, c *cli.Command) { check(path, c.Flags) })
}

// FuzzPermute: whatever is typed, a --dry-run that is there is found, and no argument is left that could be taken for a flag.
func FuzzPermute(f *testing.F) {
	f.Add("failover shop --dry-run")
	f.Add("takeover --to db2 shop -- --dry-run")
	f.Add("-yo=json downtime begin --for 2h db3 --dry-run --reason=x")
	app := newApp(&terminal{})
	f.Fuzz(func(t *testing.T, line string) {
		in := strings.Fields(line)
		out, err := permute(app, append([]string{"baton"}, in...))
		if err != nil || slices.Contains(in, "__complete") {
			return
		}
		fence := slices.Index(out, "--")
		if fence < 0 {
			fence = len(out)
		}
		if slices.Contains(in, "--dry-run") && !slices.Contains(out, "--help") && !slices.Contains(out[:fence], "--dry-run") {
			t.Errorf("permute(%q) = %q loses --dry-run", in, out)
		}
		for n, arg := range out[fence:] {
			if n > 0 && strings.HasPrefix(arg, "-") && arg != "-" {
				t.Errorf("permute(%q) = %q keeps %q as an argument", in, out, arg)
			}
		}
	})
}
