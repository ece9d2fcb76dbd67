package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Violation is one place where the sources are not as the plan wants them.
type Violation struct {
	File string
	Line int
	Rule string
	Text string
}

func (v Violation) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", v.File, v.Line, v.Rule, v.Text)
}

// goFile is one source file.
type goFile struct {
	*ast.File
	name  string // below the root
	test  bool
	lines int
}

// pkg is the package in one directory, with its tests.
type pkg struct {
	dir   string
	plan  *Plan
	fset  *token.FileSet
	files []*goFile

	vars map[types.Object]bool // declared at package level, outside of tests
	uses map[*ast.Ident]types.Object
}

// text is any file that people wrote.
type text struct {
	name  string
	lines []string
}

// Check compares a module with a plan and returns every violation in order of place.
func Check(root fs.FS, plan Plan) ([]Violation, error) {
	var found []Violation
	packages, texts, err := load(root, &plan, &found)
	if err != nil {
		return nil, err
	}
	for _, r := range rules() {
		report := func(file string, line int, format string, args ...any) {
			found = append(found, Violation{file, line, r.name, fmt.Sprintf(format, args...)})
		}
		for _, p := range packages {
			if r.pkg != nil {
				r.pkg(p, report)
			}
		}
		for _, t := range texts {
			if r.text != nil {
				r.text(t, report)
			}
		}
	}
	slices.SortStableFunc(found, func(a, b Violation) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		return a.Line - b.Line
	})
	return found, nil
}

// load parses all packages below root. What cannot be parsed is a violation, so that one broken file does not hide the others.
func load(root fs.FS, plan *Plan, found *[]Violation) ([]*pkg, []text, error) {
	var packages []*pkg
	var texts []text
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			switch path.Base(name) {
			case ".git", ".cache", "testdata", "vendor":
				return fs.SkipDir
			}
			if name == "bin" || name == "demo" { // made by make
				return fs.SkipDir
			}
			return nil
		}
		if !written(name) {
			return nil
		}
		src, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		texts = append(texts, text{name, strings.Split(string(src), "\n")})
		if path.Ext(name) != ".go" {
			return nil
		}
		dir := path.Dir(name)
		i := slices.IndexFunc(packages, func(p *pkg) bool { return p.dir == dir })
		if i < 0 {
			i = len(packages)
			packages = append(packages, &pkg{dir: dir, plan: plan, fset: token.NewFileSet()})
		}
		packages[i].parse(name, src, found)
		return nil
	})
	packages = slices.DeleteFunc(packages, func(p *pkg) bool { return len(p.files) == 0 })
	for _, p := range packages {
		p.resolve()
	}
	return packages, texts, err
}

// written reports whether a file is one that people write and others read.
func written(name string) bool {
	switch path.Ext(name) {
	case ".go", ".md", ".yml", ".yaml":
		return true
	}
	return path.Base(name) == "Makefile" || strings.HasPrefix(name, ".ci/")
}

func (p *pkg) parse(name string, src []byte, found *[]Violation) {
	file, err := parser.ParseFile(p.fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		*found = append(*found, Violation{name, 1, "parse", err.Error()})
		return
	}
	if ast.IsGenerated(file) {
		return
	}
	p.files = append(p.files, &goFile{
		File: file, name: name, test: strings.HasSuffix(name, "_test.go"), lines: p.fset.File(file.Pos()).LineCount(),
	})
}

// resolve finds out which names mean package-level variables and which mean imported packages. Types of other packages do not matter for that,
// so that it works without them, and while they are broken.
func (p *pkg) resolve() {
	var files []*ast.File
	for _, f := range p.files {
		if !f.test {
			files = append(files, f.File)
		}
	}
	info := &types.Info{Defs: make(map[*ast.Ident]types.Object), Uses: make(map[*ast.Ident]types.Object)}
	conf := types.Config{Importer: nobody{}, Error: func(error) {}, DisableUnusedImportCheck: true}
	checked, _ := conf.Check(p.dir, p.fset, files, info) // the errors are about what nobody knows
	p.vars, p.uses = make(map[types.Object]bool), info.Uses
	for _, o := range info.Defs {
		if v, ok := o.(*types.Var); ok && checked != nil && v.Parent() == checked.Scope() {
			p.vars[o] = true
		}
	}
}

// nobody is an importer of packages in which there is nothing.
type nobody struct{}

func (nobody) Import(importPath string) (*types.Package, error) {
	name := path.Base(importPath)
	if strings.HasPrefix(name, "v") && strings.Trim(name[1:], "0123456789") == "" {
		name = path.Base(path.Dir(importPath))
	}
	p := types.NewPackage(importPath, name)
	p.MarkComplete()
	return p, nil
}

func (p *pkg) line(n token.Pos) int { return p.fset.Position(n).Line }
