package topology

import (
	"fmt"
	"strings"
)

// positional takes the words that a directive begins with.
func (d *directive) positional(what ...string) ([]string, error) {
	if len(d.tokens) < len(what) {
		return nil, fmt.Errorf("want %s next", strings.Join(what[len(d.tokens):], " and then "))
	}
	texts := make([]string, len(what))
	for n := range what {
		texts[n] = d.tokens[n].text
	}
	d.tokens = d.tokens[len(what):]
	return texts, nil
}

func (p *parser) baton(d directive) error {
	if p.setup {
		return fmt.Errorf("there is a line about baton already")
	}
	p.setup = true
	s := &setup{}
	if err := readWords(setupWords, s, d.tokens); err != nil {
		return err
	}
	p.in.Nodes, p.in.Patience = s.nodes, s.patience
	return nil
}

func (p *parser) pause(d directive) error {
	scope, err := d.positional("fleet, cluster or rule")
	if err != nil {
		return err
	}
	pause := Pause{Scope: PauseScope(scope[0])}
	switch pause.Scope {
	case PauseFleet:
	case PauseCluster, PauseRule:
		name, err := d.positional("the name of the " + scope[0])
		if err != nil {
			return err
		}
		pause.Name = name[0]
	default:
		scopes := []string{string(PauseFleet), string(PauseCluster), string(PauseRule)}
		return fmt.Errorf("%q cannot be paused; did you mean %q?", scope[0], nearest(scope[0], scopes))
	}
	at := &pausing{p.in.At, pause}
	if err := readWords(pauseWords, at, d.tokens); err != nil {
		return err
	}
	p.in.Intents.Pauses = append(p.in.Intents.Pauses, at.p)
	return nil
}

// hold reads a downtime of an instance or a maintenance of anything.
func (p *parser) hold(what string, d directive) error {
	subject := map[string]string{"downtime": "an instance", "maintenance": "a cluster or an instance"}[what]
	key, err := d.positional(subject)
	if err != nil {
		return err
	}
	h := &holding{at: p.in.At}
	if err := readWords(holdWords, h, d.tokens); err != nil {
		return err
	}
	if what == "maintenance" {
		return put(&p.in.Intents.Maintenance, key[0], h.h, "maintenance of %s")
	}
	id, err := readID(key[0])
	if err != nil {
		return err
	}
	return put(&p.in.Intents.Downtimes, id, h.h, "downtime of %s")
}

// put fills a map that is not there until it is needed, and finds what is said twice.
func put[K ~string, V any](m *map[K]V, key K, v V, what string) error {
	if *m == nil {
		*m = make(map[K]V)
	}
	if _, twice := (*m)[key]; twice {
		return fmt.Errorf("the "+what+" is there twice", key)
	}
	(*m)[key] = v
	return nil
}

func (p *parser) vote(d directive) error {
	texts, err := d.positional("a node", "an instance")
	if err != nil {
		return err
	}
	id, err := readID(texts[1])
	if err != nil {
		return err
	}
	v := &voting{p.in.At, Vote{Node: texts[0], Instance: id}}
	if err := readWords(voteWords, v, d.tokens); err != nil {
		return err
	}
	p.in.Votes = append(p.in.Votes, v.v)
	return nil
}

func (p *parser) cluster(d directive) error {
	name, err := d.positional("the name of the cluster")
	if err != nil {
		return err
	}
	for _, s := range p.sections {
		if s.number > 0 && s.name == name[0] {
			return fmt.Errorf("cluster %s stands in line %d already", name[0], s.number)
		}
	}
	if name[0] == "" {
		return fmt.Errorf("the name of the cluster is empty")
	}
	p.sections = append(p.sections, &section{number: d.number, name: name[0], tokens: d.tokens})
	return nil
}

func (p *parser) recovery(s *section, d directive, read func(cluster, kind string, tokens []token) error) error {
	err := fmt.Errorf("it must stand below the cluster it is about")
	if s.number > 0 {
		var kind []string
		if kind, err = d.positional("the kind of the recovery"); err == nil {
			err = read(s.name, kind[0], d.tokens)
		}
	}
	if err != nil {
		return fmt.Errorf("line %d: %w", d.number, err)
	}
	return nil
}

func (p *parser) open(cluster, kind string, tokens []token) error {
	o := &opening{p.in.At, OpenRecovery{Kind: kind}}
	if err := readWords(openWords, o, tokens); err != nil {
		return err
	}
	return put(&p.in.Intents.Open, cluster, o.o, "open recovery of %s")
}

func (p *parser) past(cluster, kind string, tokens []token) error {
	e := &ending{p.in.At, PastRecovery{Kind: kind}}
	if err := readWords(pastWords, e, tokens); err != nil {
		return err
	}
	if p.in.Intents.Past == nil {
		p.in.Intents.Past = make(map[string][]PastRecovery)
	}
	p.in.Intents.Past[cluster] = append(p.in.Intents.Past[cluster], e.p)
	return nil
}
