package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// maxValues bounds what aliases can multiply a small file into.
const maxValues = 100_000

// decoder fills a File from a document. The yaml package would do it too, but it names neither the path of a value nor the key that was meant,
// and it stops being strict where a type decodes itself.
type decoder struct {
	*problems
	values int

	// cluster is what an entry of clusters begins as. It is asked after everything that stands before clusters in File was decoded.
	cluster func() Cluster
}

// key is one key of a struct.
type key struct {
	name  string
	index []int
}

// keysOf lists the keys of a struct type in order, those of inlined structs among them.
func keysOf(t reflect.Type) []key {
	var keys []key
	for f := range t.Fields() {
		tag := f.Tag.Get("yaml")
		if tag == ",inline" {
			for _, k := range keysOf(f.Type) {
				keys = append(keys, key{k.name, append(append([]int(nil), f.Index...), k.index...)})
			}
			continue
		}
		keys = append(keys, key{tag, f.Index})
	}
	return keys
}

// value sets v from n. What is wrong is collected and leaves v as it was; so does null.
func (d *decoder) value(path string, n *yaml.Node, v reflect.Value) {
	if d.values++; d.values > maxValues {
		if d.values == maxValues+1 {
			d.add("", "holds more than %d values; its aliases multiply too much", maxValues)
		}
		return
	}
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return
	}
	if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
		if text, ok := d.scalar(path, n, "a text"); ok {
			d.complain(path, u.UnmarshalText([]byte(text)))
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(path, n, v)
	case reflect.Slice:
		d.list(path, n, v)
	case reflect.Map:
		d.table(path, n, v)
	default:
		d.plain(path, n, v)
	}
}

// scalar returns the text of a single value.
func (d *decoder) scalar(path string, n *yaml.Node, wanted string) (string, bool) {
	if n.Kind == yaml.ScalarNode {
		return n.Value, true
	}
	is := "a list"
	if n.Kind == yaml.MappingNode {
		is = "a set of keys"
	}
	d.add(path, "is %s and must be %s; if it begins with one of { [ & * ! put it in quotes", is, wanted)
	return "", false
}

func (d *decoder) structure(path string, n *yaml.Node, v reflect.Value) {
	keys := keysOf(v.Type())
	given := d.pairs(path, n, func(name string) bool {
		for _, k := range keys {
			if k.name == name {
				return true
			}
		}
		return false
	}, func(path, name string) { d.add(path, "%s", d.unknown(name, keys)) })
	for _, k := range keys {
		if value, ok := given[k.name]; ok {
			d.value(join(path, k.name), value, v.FieldByIndex(k.index))
		}
	}
}

// pairs reads the keys of a mapping. A key that is not known is reported and left out.
func (d *decoder) pairs(path string, n *yaml.Node, known func(string) bool, unknown func(path, name string)) map[string]*yaml.Node {
	if n.Kind != yaml.MappingNode {
		d.add(path, "must be a set of keys, each on a line of its own, as in the reference")
		return nil
	}
	given := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, value := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			d.add(path, "has a key that is not a plain word, on line %d; remove it", k.Line)
			continue
		}
		at := join(path, k.Value)
		if _, twice := given[k.Value]; twice {
			d.add(at, "is given a second time on line %d; remove one of the two", k.Line)
			continue
		}
		if _, ok := d.lines[at]; !ok {
			d.lines[at] = k.Line
		}
		if !known(k.Value) {
			unknown(at, k.Value)
			continue
		}
		given[k.Value] = value
	}
	return given
}

// list replaces a slice. Nothing is appended to a default: what is written is all there is.
func (d *decoder) list(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		d.add(path, "must be a list; write [a, b], or one \"- a\" to a line")
		return
	}
	out := reflect.MakeSlice(v.Type(), 0, min(len(n.Content), maxValues))
	for i, item := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.lines[at] = item.Line
		element := reflect.New(v.Type().Elem()).Elem()
		if c, ok := reflect.TypeAssert[*Cluster](element.Addr()); ok {
			*c = d.cluster()
		}
		if item.Kind == yaml.ScalarNode && item.ShortTag() == "!!null" {
			d.add(at, "is empty; write a value, or remove the line")
		}
		d.value(at, item, element)
		out = reflect.Append(out, element)
		if d.values > maxValues {
			break
		}
	}
	if out.Len() == 0 {
		out = reflect.Zero(v.Type())
	}
	v.Set(out)
}

// table replaces a map from text to text.
func (d *decoder) table(path string, n *yaml.Node, v reflect.Value) {
	given := d.pairs(path, n, func(string) bool { return true }, nil)
	var out map[string]string
	if len(given) > 0 {
		out = make(map[string]string, len(given))
	}
	for name, value := range given {
		var text string
		d.value(join(path, name), value, reflect.ValueOf(&text).Elem())
		out[name] = text
	}
	v.Set(reflect.ValueOf(out))
}

// plain sets a single value of a basic kind.
func (d *decoder) plain(path string, n *yaml.Node, v reflect.Value) {
	if v.Type() == reflect.TypeFor[time.Duration]() {
		if text, ok := d.scalar(path, n, "a duration"); ok {
			value, err := parseDuration(text)
			d.complain(path, err)
			if err == nil {
				v.SetInt(int64(value))
			}
		}
		return
	}
	text, ok := d.scalar(path, n, map[reflect.Kind]string{
		reflect.String: "a text", reflect.Bool: "true or false", reflect.Int: "a number", reflect.Uint64: "a number", reflect.Float64: "a number",
	}[v.Kind()])
	if !ok {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		switch text {
		case "true", "false":
			v.SetBool(text == "true")
		default:
			d.add(path, "%q is neither true nor false", text)
		}
	case reflect.Int:
		value, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			d.add(path, "%q is not a whole number of moderate size; write one like 3", text)
			return
		}
		v.SetInt(value)
	case reflect.Uint64:
		value, err := strconv.ParseUint(text, 10, 63)
		if err != nil {
			d.add(path, "%q is not a whole number from 0 upwards; write one like 500", text)
			return
		}
		v.SetUint(value)
	case reflect.Float64:
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			d.add(path, "%q is not a number; write one like 0.3", text)
			return
		}
		v.SetFloat(value)
	default:
		panic("config: no way to decode a " + v.Type().String() + " at " + path)
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
