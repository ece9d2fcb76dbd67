package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/batondb/baton/api"
)

// permute rewrites a command line so that every flag stands where urfave/cli looks for it: directly behind the command that has it. By itself
// urfave/cli v2 takes a flag behind the first argument for an argument, and "failover shop --dry-run" for an order to fail over. Whatever cannot be
// placed with certainty is an error. The arguments come out behind "--", so that none of them is taken for a flag any more.
func permute(app *cli.App, args []string) ([]string, error) {
	if len(args) == 0 {
		return args, nil
	}
	p := &permutation{args: args[1:], known: flagsOf(app), levels: []level{{flags: app.Flags, below: app.Commands}}}
	for len(p.args) > 0 {
		arg := p.args[0]
		p.args = p.args[1:]
		if err := p.take(arg); err != nil {
			return nil, err
		}
		if p.verbatim {
			return p.assemble(args[0])
		}
	}
	return p.assemble(args[0])
}

// level is a command on the way from the program to the command that is called.
type level struct {
	name  string
	flags []cli.Flag
	below []*cli.Command
	given []string // its flags, ready to be written
}

type permutation struct {
	args     []string // still to be read
	known    map[string]bool
	levels   []level
	found    []found
	plain    []string // arguments
	ended    bool     // "--" was read: no flags any more
	verbatim bool     // the command reads the rest itself
}

// found is a flag that was given.
type found struct{ name, written string }

// flagsOf says of every flag of every command whether it takes a value. The commands agree on that, so a flag can be read before its command is
// known; a test holds them to it.
func flagsOf(app *cli.App) map[string]bool {
	known := make(map[string]bool)
	add := func(flags []cli.Flag) {
		for _, f := range flags {
			for _, name := range f.Names() {
				known[name] = takesValue(f)
			}
		}
	}
	add(app.Flags)
	add([]cli.Flag{cli.HelpFlag})
	var walk func([]*cli.Command)
	walk = func(commands []*cli.Command) {
		for _, c := range commands {
			add(c.Flags)
			walk(c.Subcommands)
		}
	}
	walk(app.Commands)
	return known
}

func takesValue(f cli.Flag) bool {
	d, ok := f.(cli.DocGenerationFlag)
	return !ok || d.TakesValue()
}

func (p *permutation) take(arg string) error {
	switch {
	case !p.ended && arg == "--":
		p.ended = true
		return nil
	case !p.ended && strings.HasPrefix(arg, "-") && arg != "-":
		return p.flag(arg)
	case p.ended && strings.HasPrefix(arg, "-") && arg != "-":
		return usage("%q begins with a dash: no command takes that as an argument", arg).with("a file is written ./%s", arg)
	case len(p.plain) == 0 && len(p.last().below) > 0:
		return p.descend(arg)
	}
	p.plain = append(p.plain, arg)
	return nil
}

func (p *permutation) last() *level { return &p.levels[len(p.levels)-1] }

// descend goes to a command. "help failover" is "failover --help".
func (p *permutation) descend(name string) error {
	if len(p.levels) == 1 && name == "help" {
		p.found = append(p.found, found{"help", "--help"})
		return nil
	}
	var all []string
	for _, c := range p.last().below {
		if c.HasName(name) {
			p.levels = append(p.levels, level{name: c.Name, flags: c.Flags, below: c.Subcommands})
			p.verbatim = c.SkipFlagParsing
			return nil
		}
		if !c.Hidden {
			all = append(all, c.Name)
		}
	}
	e := usage("%s has no command %q", p.path(), name)
	if near := api.Nearest(name, all); len(near) > 0 {
		return e.with("did you mean %s?", strings.Join(near, ", "))
	}
	return e.with("%s --help lists its commands", p.path())
}

func (p *permutation) path() string {
	words := []string{"baton"}
	for _, l := range p.levels[1:] {
		words = append(words, l.name)
	}
	return strings.Join(words, " ")
}

// flag reads one flag, or several short ones in one word.
func (p *permutation) flag(arg string) error {
	name, value, hasValue := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
	if _, ok := p.known[name]; !ok && !strings.HasPrefix(arg, "--") && p.bundle(name) {
		for _, letter := range name[:len(name)-1] {
			p.found = append(p.found, found{string(letter), "--" + string(letter)})
		}
		name = name[len(name)-1:]
	}
	takes, ok := p.known[name]
	if !ok {
		p.found = append(p.found, found{name, arg}) // assemble says what the command has instead
		return nil
	}
	if takes && !hasValue {
		if len(p.args) == 0 || strings.HasPrefix(p.args[0], "-") && p.args[0] != "-" {
			e := usage("--%s needs a value", name)
			if len(p.args) > 0 {
				e = e.with("if %q is meant, write --%s=%s", p.args[0], name, p.args[0])
			}
			return e
		}
		value, hasValue = p.args[0], true
		p.args = p.args[1:]
	}
	written := "--" + name
	if hasValue {
		written += "=" + value
	}
	p.found = append(p.found, found{name, written})
	return nil
}

// bundle reports whether a word is made of short flags, of which only the last may take a value.
func (p *permutation) bundle(word string) bool {
	for n, letter := range word {
		takes, ok := p.known[string(letter)]
		if !ok || takes && n != len(word)-1 {
			return false
		}
	}
	return len(word) > 1
}

// assemble gives every flag to the innermost command that has it.
func (p *permutation) assemble(program string) ([]string, error) {
	given := make(map[cli.Flag]bool)
	for _, f := range p.found {
		if f.name == "help" || f.name == "h" {
			return p.help(program), nil
		}
		owner, flag := p.owner(f.name)
		if owner == nil {
			return nil, p.unknown(f)
		}
		if _, many := flag.(*cli.StringSliceFlag); given[flag] && !many {
			return nil, usage("--%s is given twice", flag.Names()[0])
		}
		given[flag] = true
		owner.given = append(owner.given, f.written)
	}
	out := []string{program}
	for n, l := range p.levels {
		if n > 0 {
			out = append(out, l.name)
		}
		out = append(out, l.given...)
	}
	if p.verbatim {
		return append(out, p.args...), nil
	}
	if len(p.plain) > 0 {
		out = append(append(out, "--"), p.plain...)
	}
	return out, nil
}

// help asks for help and for nothing else: urfave/cli would take an argument for a topic.
func (p *permutation) help(program string) []string {
	out := []string{program}
	for _, l := range p.levels[1:] {
		out = append(out, l.name)
	}
	return append(out, "--help")
}

func (p *permutation) owner(name string) (*level, cli.Flag) {
	for n := len(p.levels) - 1; n >= 0; n-- {
		for _, f := range p.levels[n].flags {
			if slices.Contains(f.Names(), name) {
				return &p.levels[n], f
			}
		}
	}
	return nil, nil
}

func (p *permutation) unknown(f found) error {
	var all []string
	for _, l := range p.levels {
		for _, flag := range l.flags {
			all = append(all, flag.Names()[0])
		}
	}
	e := usage("%s has no flag %s", p.path(), "--"+f.name)
	if near := api.Nearest(f.name, all); len(near) > 0 {
		return e.with("did you mean --%s?", strings.Join(near, ", --"))
	}
	return e.with("%s --help lists its flags", p.path())
}
