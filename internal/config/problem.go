package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	Path string // of the key, such as "clusters[0].match[1]"; "" for the file as a whole
	Text string // what is wrong, and what to do about it
	File string // "" where the configuration is not from a file
	Line int    // 0 where there is none, as for what is missing
}

// Error puts the key first: it is what a person looks for.
func (p *Problem) Error() string {
	where := p.File
	if p.Line > 0 {
		where = fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	switch {
	case p.File == "":
		return p.Path + ": " + p.Text
	case p.Path == "":
		return where + ": " + p.Text
	}
	return fmt.Sprintf("%s: %s (%s)", p.Path, p.Text, where)
}

// problems collects everything that is wrong, so that it can be mended in one go.
type problems struct {
	file  string
	lines map[string]int // of every key that was given, by its path
	said  map[string]bool
	list  []*Problem
}

// add notes a problem, the first one of each key: what is said of it later mostly follows from that.
func (p *problems) add(path, format string, args ...any) {
	if p.said[path] {
		return
	}
	if p.said == nil {
		p.said = make(map[string]bool)
	}
	p.said[path] = true
	p.list = append(p.list, &Problem{Path: path, Text: fmt.Sprintf(format, args...), File: p.file, Line: p.line(path)})
}

// line is that of the key, or else of the nearest one around it.
func (p *problems) line(path string) int {
	for path != "" {
		if n, ok := p.lines[path]; ok {
			return n
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 0
}

// err joins the problems in the order of the file.
func (p *problems) err() error {
	slices.SortStableFunc(p.list, func(a, b *Problem) int { return cmp.Compare(a.Line, b.Line) })
	errs := make([]error, len(p.list))
	for i, problem := range p.list {
		errs[i] = problem
	}
	return errors.Join(errs...)
}
