package topology

import (
	"fmt"
	"slices"
	"strings"
)

// Parse reads the notation that Format describes and returns the input of a snapshot at NotationTime. An error names the line and the word, and the
// word that may have been meant.
func Parse(text string) (Input, error) {
	p := parser{in: Input{At: NotationTime}, seen: make(map[InstanceID]int), sections: []*section{{}}}
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		if err := p.line(number, strings.TrimRight(line, " \t\r")); err != nil {
			return Input{}, fmt.Errorf("line %d: %w", number, err)
		}
	}
	for _, s := range p.sections {
		if err := p.section(s); err != nil {
			return Input{}, err
		}
	}
	for _, use := range p.sources {
		if p.seen[use.source] == 0 {
			return Input{}, fmt.Errorf("line %d: source %s has no line of its own", use.line, use.source)
		}
	}
	slices.SortFunc(p.in.Observations, func(a, b Observation) int { return CompareIDs(a.Instance, b.Instance) })
	return p.in, nil
}

// parser reads in two passes, because what a cluster line means depends on the lines below it.
type parser struct {
	in       Input
	seen     map[InstanceID]int // line by instance
	sections []*section         // the first holds what stands before any cluster line
	setup    bool
	sources  []use
}

type use struct {
	line   int
	source InstanceID
}

// section is a cluster line and the lines below it.
type section struct {
	number    int
	name      string
	tokens    []token
	instances []*written
	open      []directive
	past      []directive
	stack     []*written // the line above and those it hangs from
}

// written is the line of an instance.
type written struct {
	number int
	indent int
	id     InstanceID
	parent InstanceID
	tokens []token
}

// directive is a line that is not an instance.
type directive struct {
	number int
	tokens []token
}

func (p *parser) line(number int, line string) error {
	body := strings.TrimLeft(line, " ")
	indent := len(line) - len(body)
	switch {
	case body == "" || body[0] == '#':
		return nil
	case body[0] == '\t':
		return fmt.Errorf("indent with spaces, not with tabs")
	}
	tokens, err := splitWords(body)
	if err != nil {
		return err
	}
	s := p.sections[len(p.sections)-1]
	if indent == 0 && !strings.HasPrefix(body, `"`) {
		switch d := (directive{number, tokens[1:]}); tokens[0].text {
		case "baton":
			return p.baton(d)
		case "pause":
			return p.pause(d)
		case "downtime", "maintenance":
			return p.hold(tokens[0].text, d)
		case "vote":
			return p.vote(d)
		case "cluster":
			return p.cluster(d)
		case "open":
			s.open = append(s.open, d)
			return nil
		case "past":
			s.past = append(s.past, d)
			return nil
		}
	}
	return p.instance(s, number, indent, tokens)
}

// instance places a line in the tree.
func (p *parser) instance(s *section, number, indent int, tokens []token) error {
	id, err := readID(tokens[0].text)
	if err != nil {
		return err
	}
	if p.seen[id] > 0 {
		return fmt.Errorf("%s stands in line %d already", id, p.seen[id])
	}
	p.seen[id] = number
	w := &written{number: number, indent: indent, id: id, tokens: tokens[1:]}
	level := -1
	for len(s.stack) > 0 && s.stack[len(s.stack)-1].indent >= indent {
		level = s.stack[len(s.stack)-1].indent
		s.stack = s.stack[:len(s.stack)-1]
	}
	switch {
	case level > indent:
		return fmt.Errorf("%s is indented like no line above it", id)
	case len(s.stack) > 0:
		w.parent = s.stack[len(s.stack)-1].id
	case indent > 0:
		return fmt.Errorf("%s is indented, but there is no line above that it could replicate from", id)
	}
	s.stack = append(s.stack, w)
	s.instances = append(s.instances, w)
	return nil
}

// section applies the words of a cluster and of all its lines.
func (p *parser) section(s *section) error {
	h := &heading{at: p.in.At}
	for _, w := range s.instances {
		h.listed = append(h.listed, w.id)
	}
	if err := readWords(headWords, h, s.tokens); err != nil {
		return fmt.Errorf("line %d: %w", s.number, err)
	}
	if h.named || len(s.tokens) > 0 { // whoever says more of a cluster than its name says that the ledger knows it
		h.named = true
		if err := put(&p.in.Intents.Clusters, s.name, h.kept, "cluster %s"); err != nil {
			return fmt.Errorf("line %d: %w", s.number, err)
		}
	}
	for _, d := range s.open {
		if err := p.recovery(s, d, p.open); err != nil {
			return err
		}
	}
	for _, d := range s.past {
		if err := p.recovery(s, d, p.past); err != nil {
			return err
		}
	}
	for _, w := range s.instances {
		if err := p.server(s, h.named, w); err != nil {
			return fmt.Errorf("line %d: %s: %w", w.number, w.id, err)
		}
	}
	return nil
}

// server applies the words of an instance.
func (p *parser) server(s *section, named bool, w *written) error {
	own, channels := splitChannels(w.tokens)
	var link []token
	own, link = partition(own, func(t token) bool { return isOf(linkWords, t) })
	for _, t := range own {
		if !isOf(serverWords, t) {
			return unknownWord(t, append(append(vocabulary(serverWords), vocabulary(linkWords)...), "channel="))
		}
	}
	hasSource := w.parent != "" || slices.ContainsFunc(link, func(t token) bool { return t.key == "source" })
	srv := &server{at: p.in.At, heading: s.name, named: named, follows: hasSource || len(channels) > 0}
	srv.o.Instance = w.id
	if err := readWords(serverWords, srv, own); err != nil {
		return err
	}
	if srv.follows && !srv.answered() {
		return fmt.Errorf("it has never answered, so nobody knows whom it follows; say when it did with seen=")
	}
	if !hasSource && len(link) > 0 {
		return fmt.Errorf("%q: it follows nobody; indent it or say source=", link[0].text)
	}
	if hasSource {
		if err := p.link(w, srv, "", link); err != nil {
			return err
		}
	}
	for _, c := range channels {
		if c[0].value == "" {
			return fmt.Errorf("%q: the name of the channel is empty", c[0].text)
		}
		if err := p.link(w, srv, c[0].value, c[1:]); err != nil {
			return err
		}
	}
	p.in.Observations = append(p.in.Observations, srv.o)
	return p.wishes(srv)
}

// splitChannels cuts the words of a line before each channel=.
func splitChannels(tokens []token) (own []token, channels [][]token) {
	for n, t := range tokens {
		if t.key == "channel" && t.hasValue {
			channels = append(channels, nil)
		}
		if len(channels) == 0 {
			own = tokens[:n+1]
			continue
		}
		last := len(channels) - 1
		channels[last] = append(channels[last], t)
	}
	return own, channels
}

func partition(tokens []token, second func(token) bool) (a, b []token) {
	for _, t := range tokens {
		if second(t) {
			b = append(b, t)
		} else {
			a = append(a, t)
		}
	}
	return a, b
}

// isOf reports whether a token is one of the words, rightly used or not.
func isOf[T any](words []phrase[T], t token) bool {
	return slices.ContainsFunc(words, func(w phrase[T]) bool {
		return w.key != "" && w.key == t.key || w.key == "" && !t.hasValue && slices.Contains(w.values, t.text)
	})
}

func (p *parser) link(w *written, srv *server, name string, tokens []token) error {
	l := &link{srv, &Channel{Name: name}}
	if name == "" {
		l.c.Source = w.parent
	}
	for _, t := range tokens {
		if name == "" && w.parent != "" && t.key == "source" {
			return fmt.Errorf("%q: indentation says already that it follows %s", t.text, w.parent)
		}
	}
	if slices.ContainsFunc(srv.o.Facts.Channels, func(c Channel) bool { return c.Name == name }) {
		return fmt.Errorf("channel %q is there twice", name)
	}
	if err := readWords(linkWords, l, tokens); err != nil {
		return err
	}
	if l.c.Source == "" {
		return fmt.Errorf("channel %q needs a source=", name)
	}
	p.sources = append(p.sources, use{w.number, l.c.Source})
	srv.o.Facts.Channels = append(srv.o.Facts.Channels, *l.c)
	return nil
}

// wishes moves what a line says of people and the ledger to where the input keeps it.
func (p *parser) wishes(s *server) error {
	in, id := &p.in.Intents, s.o.Instance
	var err error
	if s.promotion != PromoteNeutral {
		err = put(&in.PromotionRules, id, s.promotion, "promotion rule of %s")
	}
	if s.downtime != nil && err == nil {
		err = put(&in.Downtimes, id, *s.downtime, "downtime of %s")
	}
	if s.maintenance != nil && err == nil {
		err = put(&in.Maintenance, string(id), *s.maintenance, "maintenance of %s")
	}
	if s.deposed != nil && err == nil {
		err = put(&in.Deposed, id, *s.deposed, "deposition of %s")
	}
	if s.quarantined != nil && err == nil {
		err = put(&in.Quarantined, id, *s.quarantined, "quarantine of %s")
	}
	return err
}
