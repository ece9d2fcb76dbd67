package config

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

//go:generate go test -run ^TestReference$ -update .

var update = flag.Bool("update", false, "write the generated files instead of comparing with them")

// TestReference compares the files that are generated from the comments and defaults of File, or writes them.
func TestReference(t *testing.T) {
	docs := readComments(t)
	for name, text := range map[string]string{
		"baton.yaml": docs.yaml(),
		filepath.Join("..", "..", "docs", "configuration.md"): docs.markdown(),
	} {
		if *update {
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		have, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if string(bytes.ReplaceAll(have, []byte("\r\n"), []byte("\n"))) != text {
			t.Errorf("%s does not match the comments and defaults in file.go; run make generate", filepath.Base(name))
		}
	}
}

// TestReferenceMeansNothing holds the reference to its word: it is what an empty file means.
func TestReferenceMeansNothing(t *testing.T) {
	f, err := Parse([]byte(Reference()), "baton.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if want := Default(); !reflect.DeepEqual(*f, want) {
		t.Errorf("the reference is read as\n%+v\nand an empty file means\n%+v", *f, want)
	}
}

// comments are the doc comments of the types that make up a File, by type and then by field; "" is the type itself.
type comments map[string]map[string]string

func readComments(t *testing.T) comments {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "file.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	docs := make(comments)
	for _, d := range file.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok || decl.Tok != token.TYPE {
			continue
		}
		for _, s := range decl.Specs {
			spec := s.(*ast.TypeSpec)
			fields := map[string]string{"": withoutName(oneLine(decl.Doc.Text()))}
			for _, f := range spec.Type.(*ast.StructType).Fields.List {
				for _, name := range f.Names {
					fields[name.Name] = oneLine(f.Doc.Text())
				}
			}
			docs[spec.Name.Name] = fields
		}
	}
	for _, section := range sections() {
		if docs[section.of.Name()][""] == "" {
			t.Errorf("type %s has no comment", section.of.Name())
		}
		for f := range section.of.Fields() {
			if isPlain(f.Type) && docs[section.of.Name()][f.Name] == "" {
				t.Errorf("%s.%s has no comment", section.of.Name(), f.Name)
			}
		}
	}
	return docs
}

// withoutName turns the comment of a type into one of what it configures: "Log says what is logged" into "What is logged".
func withoutName(text string) string {
	words := strings.SplitN(text, " ", 3)
	if len(words) < 3 || words[1] != "says" && words[1] != "is" {
		return text
	}
	return strings.ToUpper(words[2][:1]) + words[2][1:]
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// section is one struct of a File and where it stands.
type section struct {
	path     string
	of       reflect.Type
	defaults reflect.Value // invalid for an element of a list
}

// sections lists the structs of a File in the order of the reference.
func sections() []section {
	var all []section
	var walk func(path string, of reflect.Type, v reflect.Value)
	walk = func(path string, of reflect.Type, v reflect.Value) {
		all = append(all, section{path, of, v})
		for f := range of.Fields() {
			at, inner := join(path, f.Tag.Get("yaml")), f.Type
			switch {
			case f.Anonymous || isPlain(inner) && inner.Kind() != reflect.Slice:
			case inner.Kind() == reflect.Struct:
				walk(at, inner, v.FieldByIndex(f.Index))
			case inner.Elem().Kind() == reflect.Struct && !isPlain(inner.Elem()):
				walk(at+"[]", inner.Elem(), reflect.Value{})
			}
		}
	}
	walk("", reflect.TypeFor[File](), reflect.ValueOf(Default()))
	return all
}

// isPlain reports whether a field is a value and not a struct of further keys.
func isPlain(t reflect.Type) bool {
	return t.Kind() != reflect.Struct || t == reflect.TypeFor[Secret]() || t == reflect.TypeFor[Pattern]()
}

// written is a value as it stands in a file.
func written(v reflect.Value) string {
	if !v.IsValid() {
		return ""
	}
	if d, ok := reflect.TypeAssert[time.Duration](v); ok {
		return formatDuration(d)
	}
	switch v.Kind() {
	case reflect.String:
		if v.String() == "" {
			return `""`
		}
		return v.String()
	case reflect.Slice:
		return "[]"
	case reflect.Map:
		return "{}"
	case reflect.Struct:
		return `""`
	default:
		return fmt.Sprint(v.Interface())
	}
}

// yaml renders a file with every key.
func (c comments) yaml() string {
	var b strings.Builder
	b.WriteString("# Generated from internal/config; do not edit.\n")
	wrap(&b, "# ", c["File"][""]+" What stands here is what holds without it.")
	var render func(indent string, of reflect.Type, v reflect.Value)
	render = func(indent string, of reflect.Type, v reflect.Value) {
		for f := range of.Fields() {
			value := v.FieldByIndex(f.Index)
			b.WriteByte('\n')
			if isPlain(f.Type) {
				wrap(&b, indent+"# ", c[of.Name()][f.Name])
				fmt.Fprintf(&b, "%s%s: %s\n", indent, f.Tag.Get("yaml"), written(value))
				continue
			}
			wrap(&b, indent+"# ", c[f.Type.Name()][""])
			fmt.Fprintf(&b, "%s%s:", indent, f.Tag.Get("yaml"))
			render(indent+"  ", f.Type, value)
		}
	}
	render("", reflect.TypeFor[File](), reflect.ValueOf(Default()))
	return b.String()
}

// wrap writes a text in lines of moderate length.
func wrap(b *strings.Builder, prefix, text string) {
	line := prefix
	for word := range strings.FieldsSeq(text) {
		if len(line)+len(word) > 110 && line != prefix {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = prefix
		}
		line += word + " "
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}

// markdown renders one table for each struct.
func (c comments) markdown() string {
	var b strings.Builder
	b.WriteString("<!-- Generated from internal/config; do not edit. -->\n\n# Configuration\n\n")
	b.WriteString("One YAML file, given with `baton serve --config`. `baton check config FILE` says everything that is wrong with one. A key that does not exist " +
		"is an error.\n")
	for _, s := range sections() {
		if s.path != "" {
			fmt.Fprintf(&b, "\n## %s\n", s.path)
		}
		fmt.Fprintf(&b, "\n%s\n\n| key | default | meaning |\n|---|---|---|\n", c[s.of.Name()][""])
		for f := range s.of.Fields() {
			name, value, text := f.Tag.Get("yaml"), reflect.Value{}, c[s.of.Name()][f.Name]
			if s.defaults.IsValid() {
				value = s.defaults.FieldByIndex(f.Index)
			}
			switch {
			case f.Anonymous:
				name, text = "…", "Every key of [recovery](#recovery), for this cluster."
			case !isPlain(f.Type):
				text = fmt.Sprintf("See [%s](#%s).", join(s.path, name), strings.ReplaceAll(join(s.path, name), ".", ""))
				value = reflect.Value{}
			case f.Name == "LagThreshold" && !value.IsValid():
				text += " Without it, what stands there."
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, code(written(value)), strings.ReplaceAll(text, "|", "\\|"))
		}
	}
	b.WriteString(example)
	return b.String()
}

func code(text string) string {
	if text == "" || text == `""` {
		return ""
	}
	return "`" + text + "`"
}

// example is parsed by TestExample.
const example = "\n## An example\n\n```yaml\n" + exampleYAML + "```\n"

const exampleYAML = `listen: 0.0.0.0:8306
advertise_url: http://baton.example.com:8306
mysql:
  user: baton
  password_file: /etc/baton/password
  replication_user: repl
  replication_password_file: /etc/baton/replication-password
  tls:
    mode: verify
    ca_file: /etc/baton/ca.pem
discovery:
  seeds: [shop-db-1.example.com, users-db-1.example.com:3307]
  ignore: ['.*-backup\.example\.com:.*']
  data_center_query: SELECT value FROM meta.placement WHERE name = 'data_center'
recovery:
  autonomy: recommend
  same_region: true
clusters:
  - name: shop
    match: ['shop-db-.*']
    autonomy: auto
    cooldown: 15m
`
