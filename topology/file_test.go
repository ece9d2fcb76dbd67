package topology

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// fullInput has a value in every field that an input can have.
func fullInput(t *testing.T) Input {
	t.Helper()
	in := Input{}
	fill(t, reflect.ValueOf(&in).Elem(), 1)
	in.At = NotationTime.Add(123456789 * time.Nanosecond)
	return in
}

// fill gives every field a value that is not zero, so that a field which a codec forgets is missed.
func fill(t *testing.T, v reflect.Value, n int) {
	t.Helper()
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(NotationTime.Add(time.Duration(n) * 1234567)))
		return
	case GTIDSet:
		v.Set(reflect.ValueOf(MustParseGTIDSet("00000000-0000-0000-0000-000000000001:1-5")))
		return
	case Coordinates:
		v.Set(reflect.ValueOf(Coordinates{File: "bin.000001", Pos: uint64(n)}))
		return
	case Version:
		v.Set(reflect.ValueOf(Version{Flavor: FlavorPercona, Major: 8, Minor: 4, Patch: n, Suffix: "-28"}))
		return
	case InstanceID:
		v.SetString("db1:3306")
		return
	case Reach, Receiver, Applier, PromotionRule:
		v.SetUint(2)
		return
	case PauseScope:
		v.SetString(string(PauseRule))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for f := range v.NumField() {
			fill(t, v.Field(f), n+f+1)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0), n+1)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key, n)
		fill(t, value, n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString("a <text> with \"quotes\"")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(n))
	case reflect.Uint32, reflect.Uint64, reflect.Uint8:
		v.SetUint(uint64(n))
	default:
		t.Fatalf("no value for %s", v.Type())
	}
}

func TestFileKeepsEverything(t *testing.T) {
	in := fullInput(t)
	var b bytes.Buffer
	if err := Write(&b, in); err != nil {
		t.Fatal(err)
	}
	got, err := Read(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if d := firstDifference("", reflect.ValueOf(in), reflect.ValueOf(got)); d != "" {
		t.Errorf("%s", d)
	}
}

func TestFileRefuses(t *testing.T) {
	good := `{"format":"baton-snapshot/1","input":{"at":"2026-01-02T03:04:05Z","observations":[{"instance":"db1:3306","reach":"up","facts":{"sync_binlog":1,"innodb_flush_log_at_trx_commit":1}}]}}`
	if _, err := Read(strings.NewReader(good)); err != nil {
		t.Fatalf("the good file is refused: %v", err)
	}
	change := func(from, to string) string {
		if !strings.Contains(good, from) {
			t.Fatalf("the good file has no %s", from)
		}
		return strings.Replace(good, from, to, 1)
	}
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "read snapshot file: line 1: unexpected end of JSON input"},
		{"cut off", good[:len(good)-30], "read snapshot file: line 1: unexpected end of JSON input"},
		{"another file", `{"a":1}`, `read snapshot file: it is not a snapshot file: its format is "" instead of "baton-snapshot/1"`},
		{"a newer version", change("snapshot/1", "snapshot/2"), "read snapshot file: it is of version 2 and this program reads up to version 1: use a newer one"},
		{"version nought", change("snapshot/1", "snapshot/0"), "not a snapshot file"},
		{"a newer version with what is not known", change(`snapshot/1","input"`, `snapshot/7","inputs"`), "it is of version 7"},
		{"a field that is not known", change(`"reach"`, `"reech"`), `unknown field "reech"`},
		{"a word that is not known", change(`"up"`, `"sideways"`), `reach "sideways" is not one of`},
		{"a number for a text", change(`"db1:3306"`, `5`), "line 1: input.observations.instance must be topology.InstanceID, not number"},
		{"no time", change(`"at":"2026-01-02T03:04:05Z",`, ""), "input.at is missing"},
		{"no name", change(`"db1:3306"`, `""`), "input.observations[0].instance: instance is empty"},
		{"a name as nobody writes it", change(`"db1:3306"`, `"DB1"`), `instance "DB1" must be written "db1:3306"`},
		{"something behind", good + "{}", "after top-level value"},
		{"twice", change(`"observations":[`, `"observations":[{"instance":"db1:3306","reach":"up"},`), "db1:3306 is there twice"},
		{"fewer nodes than none", change(`"observations"`, `"nodes":-1,"observations"`), "input.nodes is -1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Read(strings.NewReader(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has several lines: %v", err)
			}
		})
	}
	if _, err := Read(iotest.ErrReader(iotest.ErrTimeout)); err == nil || !strings.Contains(err.Error(), "read snapshot file: ") {
		t.Errorf("got %v for a file that cannot be read", err)
	}
}

func FuzzRead(f *testing.F) {
	for _, text := range samples {
		in, err := Parse(text)
		if err != nil {
			f.Fatal(err)
		}
		var b bytes.Buffer
		if err := Write(&b, in); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		in, err := Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		var once, twice bytes.Buffer
		if err := Write(&once, in); err != nil {
			t.Fatal(err)
		}
		again, err := Read(bytes.NewReader(once.Bytes()))
		if err != nil {
			t.Fatalf("what was written does not read: %v\n%s", err, once.Bytes())
		}
		if err := Write(&twice, again); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(once.Bytes(), twice.Bytes()) {
			t.Errorf("written twice:\n%s\nand\n%s", once.Bytes(), twice.Bytes())
		}
		Build(in) // whatever was read can be built
	})
}
