package archtest

import (
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// report notes a violation.
type report func(file string, line int, format string, args ...any)

// rule is one thing to look at, in packages or in texts.
type rule struct {
	name string
	pkg  func(*pkg, report)
	text func(text, report)
}

// rules lists all rules. Each has an example in the tests that breaks it.
func rules() []rule {
	return []rule{
		{name: "place", pkg: place},
		{name: "imports", pkg: imports},
		{name: "modules", pkg: modules},
		{name: "purity", pkg: purity},
		{name: "init", pkg: noInit},
		{name: "state", pkg: noState},
		{name: "size", pkg: size},
		{name: "comment", pkg: comment},
		{name: "text", text: clean},
	}
}

// place wants every package in the plan, under a name that says what is in it.
func place(p *pkg, report report) {
	f := p.files[0]
	if _, ok := p.plan.Layers[p.dir]; !ok {
		report(f.name, 1, "package %s is not in the plan of internal/archtest; give it a place there, or remove it", p.dir)
	}
	switch path.Base(p.dir) {
	case "util", "utils", "common", "helper", "helpers", "manager", "base", "misc":
		report(f.name, 1, "%q does not say what is in the package; name it for that", path.Base(p.dir))
	}
}

// imported calls f for every import of a package.
func (p *pkg) imported(f func(file *goFile, line int, target string)) {
	for _, file := range p.files {
		for _, spec := range file.Imports {
			if target, err := strconv.Unquote(spec.Path.Value); err == nil {
				f(file, p.line(spec.Pos()), target)
			}
		}
	}
}

// imports wants imports among our packages to go down, and only where the plan says so.
func imports(p *pkg, report report) {
	layer, known := p.plan.Layers[p.dir]
	if !known {
		return
	}
	p.imported(func(file *goFile, line int, target string) {
		dir, ours := strings.CutPrefix(target, p.plan.Module+"/")
		if !ours || dir == p.dir || file.test && slices.Contains(p.plan.Helpers, dir) {
			return
		}
		below, known := p.plan.Layers[dir]
		switch {
		case !known:
			report(file.name, line, "%s is not in the plan", dir)
		case below.Level >= layer.Level:
			report(file.name, line, "%s (level %d) must not import %s (level %d): imports go down", p.dir, layer.Level, dir, below.Level)
		case !file.test && !slices.Equal(layer.Ours, Any) && !slices.Contains(layer.Ours, dir):
			report(file.name, line, "%s must not import %s; of ours it may import %s", p.dir, dir, orNothing(layer.Ours))
		}
	})
}

// modules wants other people's modules where the plan puts them, so that each can be replaced in one place.
func modules(p *pkg, report report) {
	p.imported(func(file *goFile, line int, target string) {
		if file.test || !strings.Contains(strings.SplitN(target, "/", 2)[0], ".") || strings.HasPrefix(target, p.plan.Module+"/") {
			return
		}
		for module, owners := range p.plan.Modules {
			if target != module && !strings.HasPrefix(target, module+"/") {
				continue
			}
			if !slices.Contains(owners, p.dir) {
				report(file.name, line, "%s must not import %s; only %s may", p.dir, target, strings.Join(owners, ", "))
			}
			return
		}
		report(file.name, line, "nobody may import %s; the plan does not know its module", target)
	})
}

func orNothing(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

// clock is what reads the time or waits for it.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// purity wants nothing in pure packages that depends on the world, and neither a clock.
func purity(p *pkg, report report) {
	allowed := p.plan.Layers[p.dir].Pure
	if allowed == nil {
		return
	}
	p.imported(func(file *goFile, line int, target string) {
		if !file.test && !strings.Contains(target, ".") && !slices.Contains(allowed, target) {
			report(file.name, line, "%s is pure and must not import %s", p.dir, target)
		}
	})
	for _, file := range p.files {
		if file.test {
			continue
		}
		ast.Inspect(file.File, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ImportSpec:
				if n.Name != nil && n.Name.Name == "." {
					report(file.name, p.line(n.Pos()), "%s is pure and must not import %s under the name ., which hides the clock", p.dir, n.Path.Value)
				}
			case *ast.SelectorExpr:
				if p.isPackage(n.X, "time") && slices.Contains(clock, n.Sel.Name) {
					report(file.name, p.line(n.Pos()), "%s is pure and must not use time.%s; take the time as an argument", p.dir, n.Sel.Name)
				}
			}
			return true
		})
	}
}

// noInit wants no code that runs because of an import.
func noInit(p *pkg, report report) {
	for _, file := range p.files {
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				report(file.name, p.line(f.Pos()), "init runs behind everybody's back; make it a function that is called")
			}
		}
	}
}

// The largest pieces of code that a reader takes in at once.
const (
	maxFile     = 400
	maxTest     = 600 // tests are tables
	maxFunction = 70
	excuse      = "long because "
)

// size wants small files and functions, or a comment that says why not. Functions of tests may be of any length.
func size(p *pkg, report report) {
	for _, file := range p.files {
		most := maxFile
		if file.test {
			most = maxTest
		}
		if file.lines > most && !excused(before(file)...) {
			report(file.name, 1, "the file has %d lines and may have %d; divide it, or say why not in a comment above its first declaration that begins %q",
				file.lines, most, "// "+excuse+"...")
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || file.test {
				continue
			}
			if n := p.line(f.End()) - p.line(f.Pos()) + 1; n > maxFunction && !excused(f.Doc) {
				report(file.name, p.line(f.Pos()), "%s has %d lines and may have %d; divide it, or say why not in a comment above it that begins %q",
					f.Name.Name, n, maxFunction, "// "+excuse+"...")
			}
		}
	}
}

// before returns the comments above the first declaration that is not an import.
func before(file *goFile) []*ast.CommentGroup {
	end := file.FileEnd
	for _, d := range file.Decls {
		if g, ok := d.(*ast.GenDecl); ok && len(g.Specs) > 0 {
			if _, ok := g.Specs[0].(*ast.ImportSpec); ok {
				continue
			}
		}
		end = d.Pos()
		break
	}
	var above []*ast.CommentGroup
	for _, c := range file.Comments {
		if c.Pos() < end {
			above = append(above, c)
		}
	}
	return above
}

func excused(groups ...*ast.CommentGroup) bool {
	for _, g := range groups {
		if g == nil {
			continue
		}
		for _, c := range g.List {
			if strings.HasPrefix(strings.TrimSpace(strings.TrimPrefix(c.Text, "//")), excuse) {
				return true
			}
		}
	}
	return false
}

var sentenceEnd = regexp.MustCompile(`[.!?] [A-Z]`)

// comment wants each package to say in two sentences what it does and what it does not.
func comment(p *pkg, report report) {
	var first *goFile
	var docs []string
	for _, file := range p.files {
		if file.test {
			continue
		}
		if first == nil {
			first = file
		}
		if file.Doc != nil {
			docs = append(docs, strings.Join(strings.Fields(file.Doc.Text()), " "))
			first = file
		}
	}
	if first == nil {
		return
	}
	if len(docs) != 1 {
		report(first.name, 1, "%d files of %s have a package comment and one should", len(docs), p.dir)
		return
	}
	begin := "Package " + first.Name.Name + " "
	if first.Name.Name == "main" {
		begin = "Command " + path.Base(p.dir) + " "
	}
	if !strings.HasPrefix(docs[0], begin) {
		report(first.name, 1, "the package comment must begin %q", begin)
	}
	ends := sentenceEnd.FindAllStringIndex(docs[0], -1)
	if len(ends) != 1 || !strings.HasSuffix(docs[0], ".") || !strings.HasPrefix(docs[0][ends[0][0]+2:], "It does not ") {
		report(first.name, 1, "the package comment must be two sentences, and the second must begin \"It does not \"")
	}
}

var (
	machinePath = regexp.MustCompile(`(^|[^A-Za-z0-9_.$})-])/(work|root|tmp|home|Users)/`)
	unfinished  = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME)\b`)
)

// clean wants no traces of the machine it was written on, and nothing put off.
func clean(t text, report report) {
	for i, line := range t.lines {
		if machinePath.MatchString(line) {
			report(t.name, i+1, "names a path of one machine: %s", strings.TrimSpace(line))
		}
		if unfinished.MatchString(line) {
			report(t.name, i+1, "puts work off: %s", strings.TrimSpace(line))
		}
	}
}
