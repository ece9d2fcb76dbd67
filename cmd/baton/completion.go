package main

import (
	"context"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/batondb/baton/api"
)

// completionTimeout is how long a person who pressed a key waits at most.
const completionTimeout = time.Second

// The scripts ask the hidden command for the candidates of the last word, which may be empty. Bash splits words at colons, so what stands before the
// last colon is taken off again.
const (
	bashScript = `_baton() {
  local line="${COMP_LINE:0:$COMP_POINT}" words cur cand
  read -ra words <<< "$line"
  [[ "$line" == *" " ]] && words+=("")
  cur="${words[${#words[@]}-1]}"
  COMPREPLY=()
  while IFS= read -r cand; do
    [[ -n "$cand" ]] && COMPREPLY+=("${cand#"${cur%"${cur##*:}"}"}")
  done < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
}
complete -o default -F _baton baton
`
	zshScript = `#compdef baton
_baton() {
  local -a found
  found=("${(@f)$(${words[1]} __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$found" ]]; then compadd -- $found; else _files; fi
}
compdef _baton baton
`
	fishScript = `function __baton_complete
  set -l words (commandline -opc) (commandline -ct | string collect --allow-empty)
  $words[1] __complete $words[2..-1] 2>/dev/null
end
complete -c baton -a '(__baton_complete)'
`
)

func completionCommand(t *terminal) *cli.Command {
	scripts := map[string]string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}
	return &cli.Command{
		Name: "completion", Usage: "print a script that completes commands and names", ArgsUsage: "SHELL",
		Description: example("Prints a script for bash, zsh or fish. It has no default. Names of clusters and instances come from the service.",
			"source <(baton completion bash)", "baton completion fish | source"),
		Action: t.offline(func(s *session) error {
			script, ok := scripts[s.Args().First()]
			if !ok {
				return usage("baton completion: %q is not one of bash, zsh, fish", s.Args().First())
			}
			s.printf("%s", script)
			return nil
		}),
	}
}

// completeCommand lists the candidates for the last of the words it is given. It fails silently: a person who completes a word does not want to read.
func completeCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "__complete", Hidden: true, SkipFlagParsing: true, Usage: "list candidates", Description: example("For completion scripts; it has no default.", "baton __complete top"),
		Action: func(c *cli.Context) error {
			words := c.Args().Slice()
			if len(words) == 0 {
				words = []string{""}
			}
			for _, candidate := range t.candidates(c, words) {
				if last := words[len(words)-1]; strings.HasPrefix(candidate, last) {
					t.printf("%s\n", candidate)
				}
			}
			return nil
		},
	}
}

// candidates are all words that could stand in the last place.
func (t *terminal) candidates(c *cli.Context, words []string) []string {
	last := words[len(words)-1]
	w := walk{commands: c.App.Commands, flags: append([]cli.Flag(nil), c.App.Flags...), url: c.String("url")}
	for _, word := range words[:len(words)-1] {
		w.over(word)
	}
	switch {
	case w.value != nil:
		return t.named(c.Context, w.url, placeholder(w.value))
	case strings.HasPrefix(last, "-"):
		var out []string
		for _, f := range w.flags {
			out = append(out, "--"+f.Names()[0])
		}
		return append(out, "--help")
	case len(w.commands) > 0:
		return names(w.commands)
	}
	kinds := strings.Fields(w.usage)
	if w.plain >= len(kinds) {
		return nil
	}
	return t.named(c.Context, w.url, strings.Trim(kinds[w.plain], "[]"))
}

// walk follows the words before the one to complete.
type walk struct {
	commands []*cli.Command // below the present one
	flags    []cli.Flag     // of the present one and those above it
	usage    string         // of its arguments
	plain    int            // arguments so far
	value    cli.Flag       // whose value the next word is
	url      string
}

func (w *walk) over(word string) {
	switch {
	case w.value != nil:
		if w.value.Names()[0] == "url" {
			w.url = word
		}
		w.value = nil
	case strings.HasPrefix(word, "-") && word != "-":
		name, value, given := strings.Cut(strings.TrimLeft(word, "-"), "=")
		if name == "url" && given {
			w.url = value
		}
		for _, f := range w.flags {
			for _, n := range f.Names() {
				if n == name && !given && takesValue(f) {
					w.value = f
				}
			}
		}
	case len(w.commands) > 0:
		for _, c := range w.commands {
			if c.HasName(word) {
				w.commands, w.flags, w.usage = c.Subcommands, append(w.flags, c.Flags...), c.ArgsUsage
				return
			}
		}
	default:
		w.plain++
	}
}

// placeholder is the word in back quotes in the usage of a flag: what kind of value it takes.
func placeholder(f cli.Flag) string {
	d, ok := f.(cli.DocGenerationFlag)
	if !ok {
		return ""
	}
	_, rest, _ := strings.Cut(d.GetUsage(), "`")
	word, _, _ := strings.Cut(rest, "`")
	return word
}

// named lists the names of one kind. Those of a fleet are asked of the service, which is not waited for long.
func (t *terminal) named(parent context.Context, url, kind string) []string {
	switch kind {
	case "FORMAT":
		return []string{outputTable, outputJSON, outputYAML}
	case "SHELL":
		return []string{"bash", "zsh", "fish"}
	case "PROMOTION":
		return []string{"prefer", "neutral", "prefer_not", "must_not", promotionConfigured}
	case "KIND":
		return []string{api.KindFailover, api.KindTakeover, api.KindRelocate}
	case "GATE":
		return api.Overridable()
	}
	client, err := api.NewClient(url, api.ClientOptions{})
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(parent, completionTimeout)
	defer cancel()
	return fleetNames(ctx, client, kind)
}

func fleetNames(ctx context.Context, client *api.Client, kind string) (out []string) {
	switch kind {
	case "CLUSTER", "SUBJECT":
		clusters, _ := client.Clusters(ctx)
		for _, c := range clusters {
			out = append(out, c.Name)
		}
		if kind == "SUBJECT" {
			return append(out, fleetNames(ctx, client, "INSTANCE")...)
		}
	case "INSTANCE":
		instances, _ := client.Instances(ctx, "")
		for _, i := range instances {
			out = append(out, i.ID)
		}
	case "RULE":
		rules, _ := client.Rules(ctx)
		for _, r := range rules {
			out = append(out, r.Name)
		}
	case "RECOVERY":
		recoveries, _ := client.Recoveries(ctx, "", nil)
		for _, r := range recoveries {
			out = append(out, r.ID)
		}
	}
	return out
}
