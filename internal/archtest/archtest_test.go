package archtest

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestModule is what this package is for.
func TestModule(t *testing.T) {
	found, err := Check(os.DirFS(filepath.Join("..", "..")), Baton())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range found {
		t.Error(v)
	}
}

// TestPlan holds the plan itself to the order it demands.
func TestPlan(t *testing.T) {
	plan := Baton()
	for _, dir := range slices.Sorted(maps.Keys(plan.Layers)) {
		layer := plan.Layers[dir]
		for _, below := range layer.Ours {
			if target, ok := plan.Layers[below]; below != "*" && (!ok || target.Level >= layer.Level) {
				t.Errorf("%s (level %d) is allowed to import %s, which is not below it", dir, layer.Level, below)
			}
		}
	}
	for module, owners := range plan.Modules {
		for _, dir := range owners {
			if layer, ok := plan.Layers[dir]; !ok || layer.Pure != nil {
				t.Errorf("%s is allowed to import %s, and it is unknown or pure", dir, module)
			}
		}
	}
	for _, dir := range plan.Helpers {
		if _, ok := plan.Layers[dir]; !ok {
			t.Errorf("%s helps tests and is not in the plan", dir)
		}
	}
}

// small is a plan for the examples.
func small() Plan {
	return Plan{
		Module: "example.com/m",
		Layers: map[string]Layer{
			"noun":  {Level: 0, Pure: []string{"fmt", "time"}},
			"verb":  {Level: 1, Ours: []string{"noun"}},
			"aside": {Level: 1},
			"tool":  {Level: 1},
			"util":  {Level: 1},
			"top":   {Level: 2, Ours: Any},
			"cmd/m": {Level: 3, Ours: Any},
		},
		Modules: map[string][]string{"example.com/driver": {"verb"}, "example.com/other/v2": {"top"}},
		Helpers: []string{"tool"},
	}
}

// head is a good beginning of a file of package noun.
const head = "// Package noun holds nouns. It does not hold verbs.\npackage noun\n\n"

func lines(n int, line string) string { return strings.Repeat(line+"\n", n) }

// TestRules shows to each rule what it must not let pass, and what looks like it and must pass.
func TestRules(t *testing.T) {
	broken := make(map[string]bool)
	for _, c := range examples() {
		t.Run(c.name, func(t *testing.T) {
			root := fstest.MapFS{}
			for name, src := range c.files {
				root[name] = &fstest.MapFile{Data: []byte(src)}
			}
			found, err := Check(root, small())
			if err != nil {
				t.Fatal(err)
			}
			if c.want == "" {
				if len(found) > 0 {
					t.Fatalf("finds %v in what is right", found)
				}
				return
			}
			if len(found) != 1 || !strings.HasPrefix(found[0].String(), c.want) {
				t.Fatalf("finds %v, want only one, which begins %q", found, c.want)
			}
			broken[found[0].Rule] = true
		})
	}
	for _, r := range rules() {
		if !broken[r.name] {
			t.Errorf("no example breaks the rule %q", r.name)
		}
	}
}

type example struct {
	name  string
	files map[string]string
	want  string // the beginning of the only violation; "" where there is none
}

func one(name, src string) map[string]string { return map[string]string{name: src} }

func examples() []example {
	const verb = "// Package verb does. It does not hold nouns.\npackage verb\n"
	const top = "// Package top is above. It does not lie below.\npackage top\n"
	todo, fixme, tmp := "TO"+"DO", "FIX"+"ME", "/t"+"mp/x"
	return []example{
		{"a good package", one("noun/a.go", head+"import (\n\t\"fmt\"\n\t\"time\"\n)\n\nvar table = map[string]int{\"a\": 1}\n\nvar F = fmt.Sprint(table, time.Second)\n"), ""},
		{"a good command", one("cmd/m/main.go", "// Command m runs. It does not walk.\npackage main\n\nfunc main() {}\n"), ""},
		{"no parse", one("noun/a.go", "package noun\n\nfunc {"), "noun/a.go:1: parse: "},

		{"not in the plan", one("new/a.go", "// Package new is new. It does not ask.\npackage new\n"), "new/a.go:1: place: package new is not in the plan"},
		{"a name that says nothing", one("util/a.go", "// Package util is useful. It does not say for what.\npackage util\n"), "util/a.go:1: place: \"util\" does not say what is in the package"},

		{"up", one("noun/a.go", head+"import _ \"example.com/m/verb\"\n"), "noun/a.go:4: imports: noun (level 0) must not import verb (level 1)"},
		{"across", one("verb/a.go", verb+"import _ \"example.com/m/aside\"\n"), "verb/a.go:3: imports: verb (level 1) must not import aside (level 1)"},
		{"down, not allowed", one("aside/a.go", "// Package aside is aside. It does not look.\npackage aside\n\nimport _ \"example.com/m/noun\"\n"), "aside/a.go:4: imports: aside must not import noun; of ours it may import nothing"},
		{"down, unknown", one("top/a.go", top+"import _ \"example.com/m/gone\"\n"), "top/a.go:3: imports: gone is not in the plan"},
		{"down, allowed", one("verb/a.go", verb+"import _ \"example.com/m/noun\"\n"), ""},
		{"down, any", one("top/a.go", top+"import _ \"example.com/m/aside\"\n"), ""},
		{"a test uses a helper", one("verb/a_test.go", "package verb\n\nimport _ \"example.com/m/tool\"\n"), ""},
		{"a test imports up", one("verb/a_test.go", "package verb\n\nimport _ \"example.com/m/top\"\n"), "verb/a_test.go:3: imports: verb (level 1) must not import top (level 2)"},
		{"a test of the outside imports its own package", one("verb/a_test.go", "package verb_test\n\nimport _ \"example.com/m/verb\"\n"), ""},

		{"a module at its place", one("verb/a.go", verb+"import _ \"example.com/driver/sub\"\n"), ""},
		{"a module elsewhere", one("top/a.go", top+"import _ \"example.com/driver\"\n"), "top/a.go:3: modules: top must not import example.com/driver; only verb may"},
		{"a module of a similar name", one("verb/a.go", verb+"import _ \"example.com/driverless\"\n"), "verb/a.go:3: modules: nobody may import example.com/driverless"},
		{"a module in a test", one("top/a_test.go", "package top\n\nimport _ \"example.com/driver\"\n"), ""},

		{"a pure package and the network", one("noun/a.go", head+"import _ \"net\"\n"), "noun/a.go:4: purity: noun is pure and must not import net"},
		{"a pure package and the clock", one("noun/a.go", head+"import \"time\"\n\nfunc f() time.Time { return time.Now() }\n"), "noun/a.go:6: purity: noun is pure and must not use time.Now"},
		{"the clock as a value", one("noun/a.go", head+"import clock \"time\"\n\nvar f = clock.Since\n"), "noun/a.go:6: purity: noun is pure and must not use time.Since"},
		{"the clock without its name", one("noun/a.go", head+"import . \"time\"\n\nvar f = Now\n"), "noun/a.go:4: purity: noun is pure and must not import \"time\" under the name ."},
		{"something else that is called time", one("noun/a.go", head+"import _ \"time\"\n\ntype c struct{ Now int }\n\nfunc f(time c) int { return time.Now }\n"), ""},
		{"the clock in another package", one("verb/a.go", verb+"import \"time\"\n\nvar f = time.Now\n"), ""},
		{"the clock in a test", map[string]string{"noun/a.go": head, "noun/a_test.go": "package noun\n\nimport (\n\t\"os\"\n\t\"time\"\n)\n\nvar f, g = time.Now, os.Exit\n"}, ""},

		{"init", one("noun/a.go", head+"func init() {}\n"), "noun/a.go:4: init: init runs"},
		{"init of a test", one("noun/a_test.go", "package noun\n\nfunc init() {}\n"), "noun/a_test.go:3: init: init runs"},
		{"a method init", one("noun/a.go", head+"type t int\n\nfunc (t) init() {}\n"), ""},

		{"a variable that is set", one("noun/a.go", head+"var x int\n\nfunc f() { x = 1 }\n"), "noun/a.go:6: state: x is a package-level variable and is assigned to here"},
		{"a variable that is set in another file", map[string]string{"noun/a.go": head + "var x int\n", "noun/b.go": "package noun\n\nfunc f() { x++ }\n"}, "noun/b.go:3: state: x is a package-level variable and is counted here"},
		{"a map that is filled", one("noun/a.go", head+"var x = map[int]int{}\n\nfunc f() { x[1] = 2 }\n"), "noun/a.go:6: state: x "},
		{"a part of a part", one("noun/a.go", head+"var x struct{ a []struct{ b int } }\n\nfunc f() { (x.a[0]).b = 1 }\n"), "noun/a.go:6: state: x "},
		{"what it points at", one("noun/a.go", head+"var x = new(int)\n\nfunc f() { *x = 1 }\n"), "noun/a.go:6: state: x "},
		{"a map from which is deleted", one("noun/a.go", head+"var x = map[int]int{}\n\nfunc f() { delete(x, 1) }\n"), "noun/a.go:6: state: x is a package-level variable and is changed by delete here"},
		{"a function called delete", one("noun/a.go", head+"var x int\n\nfunc f(delete func(int)) { delete(x) }\n"), ""},
		{"a loop that sets it", one("noun/a.go", head+"var x int\n\nfunc f() {\n\tfor x = range 3 {\n\t}\n}\n"), "noun/a.go:7: state: x "},
		{"a variable that others may set", one("noun/a.go", head+"var x int\n\nfunc f(g func(*int)) { g(&x) }\n"), "noun/a.go:6: state: x is a package-level variable and is given away here"},
		{"a variable that is shared", one("noun/a.go", head+"var x int\n\nfunc f() *int { return &x }\n"), ""},
		{"a local variable of that name", one("noun/a.go", head+"var x int\n\nfunc f() int {\n\tx := x\n\tx++\n\treturn x\n}\n"), ""},
		{"a parameter of that name", one("noun/a.go", head+"var x int\n\nfunc f(x int, g func(*int)) { x = 1; g(&x) }\n"), ""},
		{"a field of that name", one("noun/a.go", head+"var x int\n\ntype t struct{ x int }\n\nfunc f(v *t) { v.x = 1 }\n"), ""},
		{"a lock", one("verb/a.go", verb+"import \"sync\"\n\nvar mu sync.Mutex\n"), "verb/a.go:5: state: mu is a package-level variable that exists to be changed"},
		{"an atomic value", one("verb/a.go", verb+"import \"sync/atomic\"\n\nvar n atomic.Pointer[int]\n"), "verb/a.go:5: state: n "},
		{"a channel", one("verb/a.go", verb+"var c = make(chan int)\n"), "verb/a.go:3: state: c "},
		{"a pool", one("verb/a.go", verb+"import \"sync\"\n\nvar pool = sync.Pool{New: func() any { return new(int) }}\n"), ""},
		{"a value made once", one("verb/a.go", verb+"import \"sync\"\n\nvar once = sync.OnceValue(func() int { return 1 })\n"), ""},
		{"state of a test", one("verb/a_test.go", "package verb\n\nvar x int\n\nfunc f() { x = 1 }\n"), ""},

		{"a long file", one("noun/a.go", head+lines(maxFile-2, "//")), "noun/a.go:1: size: the file has 401 lines and may have 400"},
		{"a file that is not too long", one("noun/a.go", head+lines(maxFile-3, "//")), ""},
		{"a long file with a reason", one("noun/a.go", head+"import _ \"fmt\"\n\n// long because it is one table.\n\nvar x int\n"+lines(maxFile, "//")), ""},
		{"a reason too late", one("noun/a.go", head+"var x int\n\n// long because it is one table.\n"+lines(maxFile, "//")), "noun/a.go:1: size: the file has 406 lines"},
		{"a long test file", one("noun/a_test.go", "package noun\n"+lines(maxTest, "//")), "noun/a_test.go:1: size: the file has 601 lines and may have 600"},
		{"a test file that is not too long", one("noun/a_test.go", "package noun\n"+lines(maxTest-1, "//")), ""},
		{"a generated file", map[string]string{"noun/a.go": head, "noun/b.go": "// Code generated by hand. DO NOT EDIT.\n\npackage noun\n" + lines(maxFile, "//")}, ""},
		{"a long function", one("noun/a.go", head+"func f() {\n"+lines(maxFunction-1, "//")+"}\n"), "noun/a.go:4: size: f has 71 lines and may have 70"},
		{"a function that is not too long", one("noun/a.go", head+"func f() {\n"+lines(maxFunction-2, "//")+"}\n"), ""},
		{"a long function with a reason", one("noun/a.go", head+"// f is flat.\n//\n// long because it is flat.\nfunc f() {\n"+lines(maxFunction, "//")+"}\n"), ""},
		{"a long test", one("noun/a_test.go", "package noun\n\nfunc f() {\n"+lines(maxFunction, "//")+"}\n"), ""},

		{"no comment", one("noun/a.go", "package noun\n"), "noun/a.go:1: comment: 0 files of noun have a package comment"},
		{"two comments", map[string]string{"noun/a.go": head, "noun/b.go": head}, "noun/b.go:1: comment: 2 files of noun have a package comment"},
		{"one sentence", one("noun/a.go", "// Package noun holds nouns.\npackage noun\n"), "noun/a.go:1: comment: the package comment must be two sentences"},
		{"three sentences", one("noun/a.go", "// Package noun holds nouns. It does not hold verbs. Nor adverbs.\npackage noun\n"), "noun/a.go:1: comment: the package comment must be two sentences"},
		{"another second sentence", one("noun/a.go", "// Package noun holds nouns. It holds no verbs.\npackage noun\n"), "noun/a.go:1: comment: the package comment must be two sentences"},
		{"the comment of another package", one("noun/a.go", "// Package nouns holds nouns. It does not hold verbs.\npackage noun\n"), "noun/a.go:1: comment: the package comment must begin \"Package noun \""},
		{"a command that is called a package", one("cmd/m/main.go", "// Package main runs. It does not walk.\npackage main\n"), "cmd/m/main.go:1: comment: the package comment must begin \"Command m \""},
		{"only tests", one("noun/a_test.go", "package noun\n"), ""},

		{"a path of a machine", one("noun/a.go", head+"const dir = \""+tmp+"\"\n"), "noun/a.go:4: text: names a path of one machine"},
		{"a path of a machine in a document", one("docs/a.md", "See "+tmp+".\n"), "docs/a.md:1: text: names a path of one machine"},
		{"a path below another", one("docs/a.md", "See https://example.com"+tmp+" and $HOME"+tmp+".\n"), ""},
		{"work put off", one("Makefile", "# "+todo+": more\n"), "Makefile:1: text: puts work off"},
		{"work put off in code", one("noun/a.go", head+"// "+fixme+" later\n"), "noun/a.go:4: text: puts work off"},
		{"a word that contains it", one("noun/a.go", head+"const "+todo+"S = 1\n"), ""},
		{"what is not ours", map[string]string{".cache/a.go": "nonsense", "noun/testdata/a.go": "nonsense", "demo/a.yaml": tmp, "noun/a.txt": todo}, ""},
	}
}
