package config

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/ledger"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

func TestDefaultIsWhatAnEmptyFileMeans(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "a comment": "# later\n", "an empty document": "---\n", "null": "null\n", "empty sections": "mysql:\ndiscovery: ~\nclusters:\nlog: null\n",
		"a key without a value": "listen:\ndetection:\n  down_after:\n",
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Parse([]byte(text), "baton.yaml")
			if err != nil {
				t.Fatal(err)
			}
			if want := Default(); !reflect.DeepEqual(*f, want) {
				t.Errorf("read as %+v", *f)
			}
		})
	}
}

func TestEveryKeyIsRead(t *testing.T) {
	f, err := Parse([]byte(`
listen: '[::1]:9000'
advertise_url: https://baton.example.com/
data_dir: data
node: b1
pprof: true
log: {level: debug, format: json}
mysql:
  user: watcher
  password: 0123
  replication_user: repl
  replication_password_env: REPL
  connect_timeout: 2s
  timeout: 250ms
  tls: {mode: verify, ca_file: ca.pem, cert_file: c.pem, key_file: k.pem, server_name: mysql}
discovery:
  seeds: [DB1, 'db2:3307', '[2001:db8::1]:3306']
  interval: 2s
  ignore: ['db9:.*']
  resolve: cname
  names: {a: b, 'c:1': 'd:2'}
  forget_after: 10d12h
  cluster_alias_query: select 1;
  data_center_query: SELECT 2
  region_query: (SELECT 3)
  lag_query: with x as (select 4) select * from x
  workers: 7
detection:
  down_after: 3
  stale_after: 31s
  fresh_for: 11s
  lost_after: 501ms
  slack: 6s
  settle: 251ms
  suspicion_for: 7s
  lag_threshold: 12s
  half_answers: 4
  together: 2m
  isolated_at_least: 5
  storm_primaries: 6
  storm_share: 0.5
  storm_at_least: 8
  multi_writer: true
  expect_replicas: true
  open_primary: true
  set_read_only: true
  fence_second_writer: true
recovery:
  autonomy: auto
  cooldown: 0s
  max_lag: 1s
  write_block: 2s
  drain_stall: 3s
  relax_above: 0
  same_region: true
  same_data_center: true
  rejoin_deposed: false
  allow: [lag, geography]
clusters:
  - name: shop
    match: ['shop-.*']
    lag_threshold: 1m
    autonomy: observe
    allow: []
ledger:
  listen: :8307
  heartbeat: 2s
  election: 3s
  lease: 1s
  peers:
    - {id: b1, address: 'b1:8307', api: 'http://b1:8306'}
`), "baton.yaml")
	if err != nil {
		t.Fatal(err)
	}
	// Everything differs from the default, so nothing was overlooked.
	var same func(path string, got, unset reflect.Value)
	same = func(path string, got, unset reflect.Value) {
		for _, k := range keysOf(got.Type()) {
			a, b := got.FieldByIndex(k.index), unset.FieldByIndex(k.index)
			if a.Kind() == reflect.Struct && !isPlain(a.Type()) {
				same(join(path, k.name), a, b)
				continue
			}
			if reflect.DeepEqual(a.Interface(), b.Interface()) && k.name != "password_file" && k.name != "replication_password_file" &&
				k.name != "password_env" && k.name != "replication_password" {
				t.Errorf("%s is still %v", join(path, k.name), b)
			}
		}
	}
	same("", reflect.ValueOf(*f), reflect.ValueOf(Default()))

	if got, want := f.Discovery.Seeds, []topology.InstanceID{"db1:3306", "db2:3307", "[2001:db8::1]:3306"}; !slices.Equal(got, want) {
		t.Errorf("seeds are %v, want %v", got, want)
	}
	if got := f.Discovery.ForgetAfter; got != 252*time.Hour {
		t.Errorf("10d12h is read as %s", got)
	}
	if got := f.MySQL.Password.Reveal(); got != "0123" {
		t.Errorf("a password of digits is read as %q", got)
	}
	if got := f.URL(); got != "https://baton.example.com" {
		t.Errorf("URL is %q", got)
	}
	shop := f.Clusters[0]
	if shop.Autonomy != remediation.Observe || shop.Allow != nil || shop.MaxLag != time.Second || shop.Cooldown != 0 || shop.RejoinDeposed {
		t.Errorf("the entry for shop does not combine what it says with what recovery says: %+v", shop)
	}
}

func TestExample(t *testing.T) {
	f, err := Parse([]byte(exampleYAML), "baton.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Policy("", []topology.InstanceID{"shop-db-2.example.com:3306"}); got.Autonomy != remediation.Auto || !got.SameRegion {
		t.Errorf("the policy of shop is %+v", got)
	}
}

// TestOrderOfKeys has clusters stand before what they take their values from.
func TestOrderOfKeys(t *testing.T) {
	f, err := Parse([]byte("clusters: [{name: shop}]\ndetection: {lag_threshold: 3s}\nrecovery: {autonomy: auto}\n"), "baton.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if c := f.Clusters[0]; c.Autonomy != remediation.Auto || c.LagThreshold != 3*time.Second {
		t.Errorf("the entry is %+v", c)
	}
}

func TestAliases(t *testing.T) {
	f, err := Parse([]byte("discovery: {ignore: &spare ['spare-.*']}\nclusters: [{name: spares, match: *spare}]\n"), "baton.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if got := f.ClusterName("spare-1:3306"); got != "spares" {
		t.Errorf("the cluster is %q", got)
	}
	list := "[" + strings.Repeat("lag,", 1000) + "]"
	entries := strings.Repeat("{name: a, allow: *l},", 1000)
	_, err = Parse([]byte("recovery: {allow: &l "+list+"}\nclusters: ["+entries+"]\n"), "baton.yaml")
	if err == nil || !strings.Contains(err.Error(), "its aliases multiply too much") {
		t.Errorf("a million values are accepted: %.200v", err)
	}
}

func TestWhoseDefaults(t *testing.T) {
	f, err := Parse(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := f.Patience(), topology.DefaultPatience(); got != want {
		t.Errorf("patience is %+v, want %+v", got, want)
	}
	if got, want := f.AnalysisPolicy(), analysis.DefaultPolicy(); !reflect.DeepEqual(got, want) {
		t.Errorf("the policy of analysis is %+v, want %+v", got, want)
	}
	if got, want := f.Policy("any", nil), remediation.DefaultPolicy(); !reflect.DeepEqual(got, want) {
		t.Errorf("the policy of remediation is %+v, want %+v", got, want)
	}
}

// TestYieldsEverything fills every field of a file, and expects every field of what is made from it to be filled: a field that is added to one of
// those types must not be forgotten here.
func TestYieldsEverything(t *testing.T) {
	var f File
	fill(reflect.ValueOf(&f).Elem())
	f.Clusters = []Cluster{{Name: "c", LagThreshold: time.Hour}}
	for name, c := range map[string]struct {
		value any
		not   []string
	}{
		"Patience":       {f.Patience(), nil},
		"AnalysisPolicy": {f.AnalysisPolicy(), nil},
		"Policy":         {f.Policy("another", nil), []string{"Breaker"}},
		"LedgerOptions":  {f.LedgerOptions(nil), []string{"SnapshotInterval", "SnapshotEntries", "Logger"}},
	} {
		v := reflect.ValueOf(c.value)
		for field := range v.Type().Fields() {
			if field.IsExported() && v.FieldByIndex(field.Index).IsZero() && !slices.Contains(c.not, field.Name) {
				t.Errorf("%s leaves %s empty", name, field.Name)
			}
		}
	}
}

// fill sets every field to something.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for f := range v.Type().Fields() {
			if f.IsExported() {
				fill(v.FieldByIndex(f.Index))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint64:
		v.SetUint(1)
	case reflect.Float64:
		v.SetFloat(1)
	default:
	}
}

func TestPolicyOfCluster(t *testing.T) {
	f, err := Parse([]byte(`
recovery: {cooldown: 1m}
detection: {lag_threshold: 10s}
clusters:
  - {name: everything, match: ['.*'], cooldown: 2m}
  - {name: shop, match: ['shop-.*:3306'], cooldown: 3m, lag_threshold: 1h}
  - {name: named, cooldown: 4m}
`), "baton.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		cluster string
		members []topology.InstanceID
		want    time.Duration
	}{
		{"the name decides", "named", []topology.InstanceID{"shop-1:3306"}, 4 * time.Minute},
		{"then the first that matches as many members as any", "", []topology.InstanceID{"shop-1:3306"}, 2 * time.Minute},
		{"no members and no name", "other", nil, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := f.Policy(c.cluster, c.members).Cooldown; got != c.want {
				t.Errorf("cooldown is %s, want %s", got, c.want)
			}
		})
	}
	if got := f.AnalysisPolicy().ClusterLag; !reflect.DeepEqual(got, map[string]time.Duration{"shop": time.Hour}) {
		t.Errorf("lag thresholds by cluster are %v", got)
	}
}

func TestStrayMemberDoesNotBringItsPolicy(t *testing.T) {
	f, err := Parse([]byte("clusters:\n- {name: a, match: ['a-.*'], autonomy: auto}\n- {name: b, match: ['b-.*'], autonomy: observe}\n"), "baton.yaml")
	if err != nil {
		t.Fatal(err)
	}
	members := []topology.InstanceID{"a-1:3306", "b-1:3306", "b-2:3306"}
	if got := f.Policy("", members).Autonomy; got != remediation.Observe {
		t.Errorf("one server of a among those of b makes the autonomy %s", got)
	}
}

func TestPolicyIsACopy(t *testing.T) {
	f, err := Parse([]byte("recovery: {allow: [lag]}"), "baton.yaml")
	if err != nil {
		t.Fatal(err)
	}
	f.Policy("", nil).Allow[0] = remediation.GateErrant
	if got := f.Policy("", nil).Allow[0]; got != remediation.GateLag {
		t.Errorf("a reader has changed the configuration to %s", got)
	}
}

func TestIgnoredMatchesTheWhole(t *testing.T) {
	f, err := Parse([]byte("discovery: {ignore: ['db1:3306', '.*-spare:.*']}"), "baton.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[topology.InstanceID]bool{
		"db1:3306": true, "mydb1:3306": false, "db1:33060": false, "db2-spare:3307": true, "db2:3306": false,
	} {
		if got := f.Discovery.Ignored(id); got != want {
			t.Errorf("Ignored(%s) is %v", id, got)
		}
	}
}

func TestURL(t *testing.T) {
	for listen, want := range map[string]string{"127.0.0.1:8306": `^http://127\.0\.0\.1:8306$`, "[::1]:1": `^http://\[::1\]:1$`, ":8306": `^http://[^:/]+:8306$`, "0.0.0.0:8306": `^http://[^0][^:]*:8306$`} {
		f := Default()
		f.Listen = listen
		if got := f.URL(); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("listening on %s, the URL is %s", listen, got)
		}
	}
}

// TestLedgerOptionsAreAccepted lets the ledger itself judge what was checked here.
func TestLedgerOptionsAreAccepted(t *testing.T) {
	f, err := Parse([]byte("node: b1\nledger: {listen: '127.0.0.1:0', peers: [{id: b1, address: '127.0.0.1:8307', api: 'http://b1:8306'}]}"), "baton.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*File{f, new(File{DataDir: f.DataDir, Ledger: Default().Ledger})} {
		o := f.LedgerOptions(nil)
		o.Dir = filepath.Join(t.TempDir(), "not", "\x00") // what is wrong with the directory is found after the options were accepted
		_, err := ledger.New(o)
		if _, refused := errors.AsType[ledger.ErrOption](err); refused {
			t.Errorf("the ledger refuses the options: %v", err)
		}
	}
}

// TestAllGatesAreKnown compares the list of gates with the constants of remediation.
func TestAllGatesAreKnown(t *testing.T) {
	source, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "..", "remediation", "gate.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(source, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "GateName" {
			return true
		}
		name, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		if found++; !slices.Contains(gates, remediation.GateName(name)) {
			t.Errorf("gate %s is missing in gates", name)
		}
		return true
	})
	if found != len(gates) {
		t.Errorf("remediation has %d gates, and gates lists %d", found, len(gates))
	}
}

func TestAllGatesThatCanBeAllowedAreDocumented(t *testing.T) {
	text := readComments(t)["Recovery"]["Allow"]
	for _, g := range gates {
		if remediation.Overridable(g) != strings.Contains(text, "`"+string(g)+"`") {
			t.Errorf("the comment on allow is wrong about %s", g)
		}
	}
}

func TestWarnings(t *testing.T) {
	quiet := "mysql: {password_env: P, replication_user: r, replication_password_env: R}\ndiscovery: {seeds: [db1]}\n"
	for _, c := range []struct{ name, text, want string }{
		{"nothing", quiet, ""},
		{"open to others", quiet + "listen: ':8306'", "listen: whoever can reach :8306 can command Baton"},
		{"localhost", quiet + "listen: 'localhost:8306'", ""},
		{"plain password", "mysql: {password: x, replication_user: r, replication_password_env: R}\ndiscovery: {seeds: [db1]}", "mysql.password: the password stands in the file"},
		{"plain replication password", "mysql: {password_env: P, replication_user: r, replication_password: R}\ndiscovery: {seeds: [db1]}", "mysql.replication_password: the password stands in the file"},
		{"no password", "mysql: {replication_user: r}\ndiscovery: {seeds: [db1]}", "mysql: no password is given for baton"},
		{"no replication account", "mysql: {password_env: P}\ndiscovery: {seeds: [db1]}", "mysql.replication_user: is not given"},
		{"no seeds", "mysql: {password_env: P, replication_user: r}", "discovery.seeds: is empty"},
		{"lossy", quiet + "recovery: {autonomy: auto, allow: [holds_everything]}\nclusters: [{name: a}]", "recovery.allow: with holds_everything"},
		{"lossy where asked", quiet + "recovery: {allow: [holds_everything]}", ""},
		{"lossy by autonomy", quiet + "recovery: {allow: [primary_position]}\nclusters: [{name: a, autonomy: auto}]", "clusters[0].allow: with primary_position"},
		{"even", quiet + "node: a\nledger: {listen: ':1', peers: [{id: a, address: 'a:1', api: 'http://a'}, {id: b, address: 'b:1', api: 'http://b'}]}", "ledger.peers: 2 nodes survive"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := Parse([]byte(c.text), "baton.yaml")
			if err != nil {
				t.Fatal(err)
			}
			got := f.Warnings()
			if c.want == "" && len(got) == 0 {
				return
			}
			if len(got) != 1 || c.want == "" || !strings.HasPrefix(got[0], c.want) {
				t.Errorf("warnings are %q, want one that begins with %q", got, c.want)
			}
		})
	}
}

func TestCheckOfWhatAProgramMade(t *testing.T) {
	f := Default()
	f.Discovery.Seeds = []topology.InstanceID{"DB1"}
	if err := f.Check(); err != nil || f.Discovery.Seeds[0] != "db1:3306" {
		t.Errorf("the defaults with seed %s are refused: %v", f.Discovery.Seeds[0], err)
	}
	f.Listen, f.Log.Level = "here", "loud"
	want := `listen: "here" is not an address; write host:port, with the brackets of an IPv6 host, such as 127.0.0.1:8306` + "\n" +
		`log.level: "loud" is not one of debug, info, warn, error`
	if err := f.Check(); err == nil || err.Error() != want {
		t.Errorf("says\n%v\nand not\n%s", err, want)
	}
}

// TestPrintedConfiguration prints a configuration and reads it again.
func TestPrintedConfiguration(t *testing.T) {
	f, err := Parse([]byte(exampleYAML), "baton.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := yaml.NewEncoder(&text).Encode(f); err != nil {
		t.Fatal(err)
	}
	again, err := Parse(text.Bytes(), "printed.yaml")
	if err != nil {
		t.Fatalf("%v\n%s", err, text.String())
	}
	if !reflect.DeepEqual(f, again) {
		t.Errorf("printed\n%s\nand read as %+v", text.String(), again)
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{"0s": 0, "1.5s": 1500 * time.Millisecond, "1d": 24 * time.Hour, "2d1m": 48*time.Hour + time.Minute, " 1h ": time.Hour} {
		got, err := parseDuration(text)
		if err != nil || got != want {
			t.Errorf("parseDuration(%q) is %s, %v", text, got, err)
		}
		again, err := parseDuration(formatDuration(got))
		if err != nil || again != got {
			t.Errorf("%s is written %s and read as %s, %v", got, formatDuration(got), again, err)
		}
	}
	for d, want := range map[time.Duration]string{240 * time.Hour: "240h", 5 * time.Minute: "5m", time.Hour + time.Second: "1h0m1s", 10 * time.Second: "10s", 0: "0s"} {
		if got := formatDuration(d); got != want {
			t.Errorf("%s is written %s", want, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(exampleYAML))
	f.Add([]byte(Reference()))
	for _, c := range faults() {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse(data, "fuzz.yaml")
		if (file == nil) == (err == nil) {
			t.Fatalf("Parse returns %v and %v", file, err)
		}
		if err != nil {
			for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
				if p := new(Problem); !errors.As(e, &p) || p.Text == "" {
					t.Fatalf("%v is not a problem", e)
				}
			}
			return
		}
		_, _, _, _ = file.Policy("a", []topology.InstanceID{"a:1"}), file.AnalysisPolicy(), file.Warnings(), file.URL()
	})
}
