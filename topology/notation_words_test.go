package topology

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestEveryFieldHasAWord changes every field of an observation, one at a time, and demands that the notation says so and gives it back.
func TestEveryFieldHasAWord(t *testing.T) {
	base := func() Input {
		return mustParse(t, `
cluster shop
db1
  db2 refused seen=10s sentinel_fell=1s partials=1 errno=5 error=x took=1ms server_id=5 hostname=h report_host=r dc=d region=e binlog=b.000001:4 executed=u1:1-5 purged=u1:1 semisync_source=fallen semisync_replica=fallen semisync_timeout=1s connected=db3 missing_grants=G source_uuid=u1 receiver=stopped receiver_errno=5 receiver_error=x applier=stopped applier_errno=5 applier_error=x retrieved=u1:1-5 read=b.000001:4 applied=b.000001:4 lag=1s delay=1s heartbeat=1s
db3
`)
	}
	// What cannot be said, and why.
	silent := map[string]string{
		".History":                         "the flight recorder is for snapshot files",
		".Instance":                        "it is who it is",
		".Facts.Channels[0].Name":          "then it is another channel",
		".Facts.Channels[0].Source":        "then it stands elsewhere",
		".Facts.ReadOnly":                  "super_read_only implies it; the other way around is tested",
		".Facts.SemiSync.SourceInstalled":  "what is enabled is installed",
		".Facts.SemiSync.ReplicaInstalled": "what is enabled is installed",
	}
	var visit func(path string, v reflect.Value, of func(in *Input) reflect.Value)
	visit = func(path string, v reflect.Value, of func(in *Input) reflect.Value) {
		if silent[path] != "" {
			return
		}
		if v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]() && v.Type() != reflect.TypeFor[GTIDSet]() && v.Type() != reflect.TypeFor[Version]() && v.Type() != reflect.TypeFor[Coordinates]() {
			for n := range v.NumField() {
				visit(path+"."+v.Type().Field(n).Name, v.Field(n), func(in *Input) reflect.Value { return of(in).Field(n) })
			}
			return
		}
		if v.Kind() == reflect.Slice && v.Type() == reflect.TypeFor[[]Channel]() {
			visit(path+"[0]", v.Index(0), func(in *Input) reflect.Value { return of(in).Index(0) })
			return
		}
		t.Run(path, func(t *testing.T) {
			in := base()
			change(t, of(&in))
			text := FormatInput(in)
			if text == FormatInput(base()) {
				t.Fatalf("nothing says that it is %v", of(&in))
			}
			again := mustParse(t, text)
			if !reflect.DeepEqual(of(&again).Interface(), of(&in).Interface()) {
				t.Errorf("%s\nreads %v for %v", text, of(&again), of(&in))
			}
		})
	}
	in := base()
	at := func(in *Input) reflect.Value { return reflect.ValueOf(in).Elem().FieldByName("Observations").Index(1) }
	visit("", at(&in), at)
}

// change gives a field another value.
func change(t *testing.T, v reflect.Value) {
	t.Helper()
	switch old := v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(NotationTime.Add(-7 * time.Second)))
	case time.Duration:
		v.Set(reflect.ValueOf(old + 7*time.Second))
	case GTIDSet:
		v.Set(reflect.ValueOf(MustParseGTIDSet("00000000-0000-0000-0000-000000000007:1-9")))
	case Coordinates:
		v.Set(reflect.ValueOf(Coordinates{File: "other.000009", Pos: 9}))
	case Version:
		v.Set(reflect.ValueOf(Version{Flavor: FlavorPercona, Major: 8, Minor: 4, Patch: 1, Suffix: "-9"}))
	case []InstanceID:
		v.Set(reflect.ValueOf([]InstanceID{"db1:3306", "db9:3306"}))
	case []string:
		v.Set(reflect.ValueOf([]string{"GRANT A ON *.* TO b", "GRANT C ON *.* TO b"}))
	case Reach:
		v.Set(reflect.ValueOf(ReachTimeout))
	case Receiver:
		v.Set(reflect.ValueOf(ReceiverConnecting))
	case Applier:
		v.Set(reflect.ValueOf(ApplierRunning))
	case bool:
		v.SetBool(!old)
	case string:
		v.SetString("another \"text\"")
	default:
		switch v.Kind() {
		case reflect.Int:
			v.SetInt(v.Int() + 7)
		case reflect.Uint32, reflect.Uint64:
			v.SetUint(v.Uint() + 7)
		default:
			t.Fatalf("no other value for %s", v.Type())
		}
	}
}

func TestDefaults(t *testing.T) {
	in := mustParse(t, "cluster shop\ndb1\n  db2\n")
	source, replica := in.Observations[0], in.Observations[1]
	if source.Reach != ReachUp || source.Attempted != in.At || source.Facts.At != in.At || source.Facts.ReadOnly || !replica.Facts.ReadOnly || replica.Facts.SuperReadOnly {
		t.Errorf("source %+v, replica %+v", source, replica)
	}
	f := source.Facts
	if f.Version.Series() != "9.7" || !f.LogBin || !f.LogReplicaUpdates || !f.GTID || f.BinlogFormat != "ROW" || f.ServerID == 0 || f.ServerID == replica.Facts.ServerID || f.ServerUUID == replica.Facts.ServerUUID || f.ClusterAlias != "shop" {
		t.Errorf("%+v", f)
	}
	c, ok := replica.Facts.Default()
	if !ok || c.Source != "db1:3306" || c.Receiver != ReceiverConnected || c.HeardAt != in.At || c.Applier != ApplierRunning || c.Lag != 0 || !c.LagKnown || !c.AutoPosition {
		t.Errorf("%+v", c)
	}
	s := Build(in)
	if s.Testimony(s.Instance("db2:3306")) != TestimonyReceives {
		t.Error("a replica of which nothing is said does not receive")
	}
}

func TestShortUUIDs(t *testing.T) {
	for short, long := range map[string]string{
		"u1:1-5":         "00000000-0000-0000-0000-000000000001:1-5",
		"u1:1-5,u23:7":   "00000000-0000-0000-0000-000000000001:1-5,00000000-0000-0000-0000-000000000023:7",
		"u1:1-5:u1:3":    "00000000-0000-0000-0000-000000000001:1-5:u1:3", // a tag is no UUID
		"u999999999999":  "00000000-0000-0000-0000-999999999999",
		"u1000000000000": "u1000000000000",
		"u01":            "u01",
		"u":              "u",
		"0-1-5":          "0-1-5",
		"":               "",
	} {
		if got := longUUIDs(short); got != long {
			t.Errorf("%q is long for %q", got, short)
		}
		if got := shortUUIDs(long); got != short {
			t.Errorf("%q is short for %q", got, long)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a word that is nearly right", "cluster shop\ndb1\n  db2 recever=connecting", `line 3: db2:3306: "recever=connecting" is not a word here; did you mean "receiver="?`},
		{"a bare word that is nearly right", "db1 writeable", `line 1: db1:3306: "writeable" is not a word here; did you mean "writable"?`},
		{"a value that is nearly right", "db1\n  db2 receiver=stoped", `line 2: db2:3306: "receiver=stoped": want one of unknown, connected, connecting, stopped; did you mean "stopped"?`},
		{"a promotion rule", "db1 promotion=never", `line 1: db1:3306: "promotion=never": want one of neutral, prefer, prefer_not, must_not; did you mean`},
		{"a cluster word", "cluster shop namd", `line 1: "namd" is not a word here; did you mean "named"?`},
		{"a pause", "pause fleat", `line 1: "fleat" cannot be paused; did you mean "fleet"?`},
		{"a vote", "vote n2 db1 dwn", `line 1: "dwn" is not a word here; did you mean "down"?`},
		{"a flavour", "db1 version=8.0.1/perkona", `"perkona" is no flavour of servers; did you mean "percona"?`},
		{"no value", "db1 since", `line 1: db1:3306: "since" needs a value, as in since=VALUE`},
		{"a number", "db1 failures=many", `"failures=many": want a number`},
		{"a number too large", "db1 server_id=4294967296", `want a number, not negative and not too large`},
		{"a duration", "db1 down since=40", `"since=40": want a duration such as 500ms, 40s or 1h30m`},
		{"a negative duration", "db1 down since=-1s", `want a duration from 0s`},
		{"a duration too fine", "db1 down since=1us", `want whole milliseconds`},
		{"GTIDs", "db1 executed=u1:5-1", `"executed=u1:5-1": `},
		{"coordinates", "db1 binlog=here", `"binlog=here": `},
		{"twice the same", "db1 up down", `"up" and "down" say the same thing twice`},
		{"twice the same key", "db1 since=1s since=2s", `"since=1s" and "since=2s" say the same thing twice`},
		{"twice the same instance", "db1\ndb1:3306", "line 2: db1:3306 stands in line 1 already"},
		{"twice the same cluster", "cluster a\ncluster a", "line 2: cluster a stands in line 1 already"},
		{"twice the same hold", "maintenance db1:3306\ndb1 maintenance", "line 2: db1:3306: the maintenance of db1:3306 is there twice"},
		{"twice about Baton", "baton nodes=3\nbaton nodes=5", "line 2: there is a line about baton already"},
		{"two open recoveries", "cluster a\nopen failover\nopen failover", "line 3: the open recovery of a is there twice"},
		{"a recovery of nothing", "past failover", "line 1: it must stand below the cluster it is about"},
		{"a recovery of no kind", "cluster a\nopen", "line 2: want the kind of the recovery next"},
		{"a nameless cluster", "cluster", "line 1: want the name of the cluster next"},
		{"a cluster with an empty name", `cluster ""`, "line 1: the name of the cluster is empty"},
		{"a vote of nobody", "vote", "line 1: want a node and then an instance next"},
		{"tabs", "db1\n\tdb2", "line 2: indent with spaces, not with tabs"},
		{"indented below nothing", "  db1", "line 1: db1:3306 is indented, but there is no line above"},
		{"indented below the cluster", "db1\ncluster shop\n  db2", "line 3: db2:3306 is indented, but there is no line above"},
		{"indented like nothing above", "db1\n    db2\n  db3", "line 3: db3:3306 is indented like no line above it"},
		{"a source without a line", "db1 source=db9", "line 1: source db9:3306 has no line of its own"},
		{"two sources", "db1\ndb9\n  db2 source=db1", `line 3: db2:3306: "source=db1": indentation says already that it follows db9:3306`},
		{"a receiver of nobody", "db1 receiver=stopped", `line 1: db1:3306: "receiver=stopped": it follows nobody; indent it or say source=`},
		{"a channel of nobody", "db1 channel=x receiver=stopped", `line 1: db1:3306: channel "x" needs a source=`},
		{"a channel twice", "db1\ndb2 channel=x source=db1 channel=x source=db1", `line 2: db2:3306: channel "x" is there twice`},
		{"a channel without a name", "db1\ndb2 channel= source=db1", `line 2: db2:3306: "channel=": the name of the channel is empty`},
		{"a word about the server after a channel", "db1\ndb2 channel=x source=db1 writable", `line 2: db2:3306: "writable" is not a word here`},
		{"facts without an answer", "db1 seen=never read_only", `line 1: db1:3306: "read_only": nothing is known of an instance that has never answered`},
		{"a source without an answer", "db1\n  db2 unknown", "line 2: db2:3306: it has never answered, so nobody knows whom it follows"},
		{"a fallen sentinel without a failure", "db1 sentinel_fell", `it does not fail, so say how long ago`},
		{"fenced and not deposed", "db1 fenced", `line 1: db1:3306: "fenced": it is not deposed`},
		{"gtids and not quarantined", "db1 quarantined_gtids=u1:1", `it is not quarantined`},
		{"an open quote", `db1 error="x`, "line 1: "},
		{"a quote inside a word", `db1 err"or"=x`, "a quote may only begin a word"},
		{"a word behind a quote", `db1 error="x"y`, "after a closing quote a space must follow"},
		{"a host that is none", "db1!", `line 1: instance "db1!": '!' does not belong into host:port`},
		{"a port that is none", "db1:port", `line 1: instance "db1:port": port "port" is not a number`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse(c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s\ngot  %v\nwant %s", c.text, err, c.want)
			}
		})
	}
}

// TestFormatIsStable pins what people and files see.
func TestFormatIsStable(t *testing.T) {
	const want = `baton nodes=3
pause cluster shop by=ana reason="index build" for=1h
vote n2 db1:3306 down

cluster pair
a:3306 writable source=b:3306
  b:3306

cluster shop named primary=db1:3306 epoch=2
past failover id=r1 failed=db3:3306 successor=db1:3306 closed=10m
db1:3306 down since=40s executed=u1:1-100
  db2:3306 promotion=prefer receiver=connecting receiver_errno=2003
    db4:3306 version=10.11.6-MariaDB executed=0-1-100 lag=3s
db3:3306 read_only deposed=10m fenced
`
	in := mustParse(t, want)
	if got := FormatInput(in); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestParseReadsCarriageReturnsAndComments(t *testing.T) {
	in := mustParse(t, "# a fleet\r\ncluster shop\r\n\r\ndb1\r\n  # its replica\r\n  db2\r\n")
	if got := shape(Build(in)); got != "shop (db1:3306)\n  db1:3306 primary\n    db2:3306 replica\n" {
		t.Errorf("%s", got)
	}
}

// ExampleParse is the text that documents and tests begin with.
func ExampleParse() {
	in, err := Parse(`
cluster shop
db1:3306 down since=40s
  db2:3306 up receiver=connecting executed=u1:1-100 read_only
  db3:3306 up receiver=connecting executed=u1:1-98 read_only promotion=prefer
`)
	if err != nil {
		fmt.Println(err)
		return
	}
	s := Build(in)
	for _, i := range s.Cluster("shop").Members {
		fmt.Println(i.Instance, i.Role, i.Agreed, i.Down, s.Testimony(i))
	}
	// Output:
	// db1:3306 primary timeout true unknown
	// db2:3306 replica up false lost it
	// db3:3306 replica up false lost it
}
