package topology

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

// everything uses each word of the notation with a value that is not its default.
const everything = `# a comment
baton nodes=3 down_after=3 stale_after=1m fresh_for=5s lost_after=1s slack=2s settle=100ms
pause fleet by=ana reason="a night of peace" since=1h for=2h
pause cluster shop
pause rule DeadPrimary reason=testing
maintenance shop by=bo reason="new rack" since=5m for=1h
vote n2 db1 down failures=4 ago=1s
vote n3 [::1]:3307 saturated ago=2s
db0 no_gtid

cluster shop named alias="the shop" primary=db1 primary_uuid=u1 epoch=7 since=24h members=db1,db2,db3
open failover id=r2 failed=db1 since=3s
past failover id=r1 outcome=partial failed=db0 successor=db1 closed=10m acknowledged
past takeover
db1 refused failures=4 errno=2003 error="connection refused" took=3ms attempted=1s since=40s sentinel_fell=41s seen=42s version=8.0.36-28/percona server_id=7 uuid=u1 hostname=box report_host=db1.example super_read_only no_log_bin no_log_replica_updates format=MIXED binlog=bin.000007:120 no_gtid executed=u1:1-100,u2:5 purged=u1:1-9 sync_binlog=0 flush_log=2 net_timeout=10s connected=db2,db3:3307 dc=eu-1 region=eu cluster_alias=old missing_grants="GRANT A ON *.* TO b; GRANT C ON *.* TO b" semisync_source=fallen semisync_clients=2 semisync_wait_for=1 semisync_sessions=3 semisync_timeout=10s semisync_replica=off promotion=must_not downtime=1h maintenance deposed=5m deposed_from=other fenced quarantined="ahead of the primary" quarantined_gtids=u9:1-3
  db2 partial partials=4 writable source_uuid=u1 receiver=stopped receiver_errno=1236 receiver_error="purged binary logs" receiver_since=20s heard=25s applier=stopped applier_errno=1062 applier_error="duplicate entry" no_auto_position retrieved=u1:1-101 read=bin.000007:100 applied=bin.000006:5 lag=3s delay=1h filtered heartbeat=5s beats=99 channel=extra source=db0 receiver=connecting lag=unknown
    [::1]:3307 version=10.11.6-MariaDB executed=0-1-100 deposed
  db3 unknown attempted=1m seen=1m
cluster pair
a source=b writable
  b writable
cluster db9:3306
db9 timeout sentinel_fell quarantined downtime
db8 unknown
`

var samples = []string{"", everything, "cluster shop\ndb1 down since=40s\n  db2 receiver=connecting\n  db3 receiver=connecting promotion=prefer\n"}

// identical demands that a text, once read, is written so that it reads the same.
func identical(t *testing.T, text string) {
	t.Helper()
	in, err := Parse(text)
	if err != nil {
		return
	}
	written := FormatInput(in)
	again, err := Parse(written)
	if err != nil {
		t.Fatalf("%s\nwas written as\n%s\nwhich does not read: %v", text, written, err)
	}
	if !reflect.DeepEqual(again, in) {
		t.Fatalf("%s\nwas written as\n%s\nwhich reads differently: %s", text, written, firstDifference("", reflect.ValueOf(in), reflect.ValueOf(again)))
	}
	if twice := FormatInput(again); twice != written {
		t.Fatalf("written twice:\n%s\nand\n%s", written, twice)
	}
	if built := FormatInput(Build(in).Input()); built != written {
		t.Fatalf("a snapshot of it is written as\n%s\ninstead of\n%s", built, written)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range samples {
		f.Add(text)
	}
	f.Fuzz(identical)
}

// FuzzWords makes texts of words that exist, where FuzzParse mostly makes texts of words that do not.
func FuzzWords(f *testing.F) {
	for seed := range uint64(300) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { identical(t, randomText(rand.New(rand.NewPCG(seed, 0)))) })
}

func TestRandomTextsRead(t *testing.T) {
	read := 0
	for seed := range uint64(200) {
		if _, err := Parse(randomText(rand.New(rand.NewPCG(seed, 0)))); err == nil {
			read++
		}
	}
	if read < 100 {
		t.Errorf("only %d of 200 random texts read, so that the fuzz test proves little", read)
	}
}

var randomValues = []string{
	"none", "never", "unknown", "0s", "1ms", "3s", "45s", "1h", "u1:1-5", "u7", "u1:1-3,u2:7-9", "0-1-9", "bin.000001:4", "0", "1", "5", "99", "db1", "db2:3307",
	"db1,[::1]:3306", "connected", "connecting", "stopped", "running", "on", "off", "fallen", `"x  y"`, `"none"`, "ROW", "8.0.36/percona", "11.8.2-MariaDB", "prefer", "must_not", "c1",
	`"tab\tquote\""`, "a=b", "#", "ü",
}

func randomText(r *rand.Rand) string {
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	randomWords := func(prefix string, vocabulary []string, most int) string {
		line := prefix
		for range r.IntN(most + 1) {
			word := pick(vocabulary)
			if strings.HasSuffix(word, "=") {
				word += pick(randomValues)
			}
			if _, err := Parse("db1\ndb2:3307\nc1\n" + line + " " + word); err == nil || r.IntN(2000) == 0 {
				line += " " + word
			}
		}
		return line + "\n"
	}
	var b strings.Builder
	names := []string{"c1", "c2", "h2:3306", `"a b"`, "db1:3306"}
	hosts := []string{"db1", "db2:3307", "c1"}
	for n := range 8 {
		hosts = append(hosts, "h"+strconv.Itoa(n))
	}
	r.Shuffle(len(hosts), func(i, j int) { hosts[i], hosts[j] = hosts[j], hosts[i] })
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	server := append(append(vocabulary(serverWords), vocabulary(linkWords)...), "channel=")
	for range r.IntN(3) {
		b.WriteString(randomWords("vote n"+strconv.Itoa(r.IntN(3))+" db1", vocabulary(voteWords), 2))
		b.WriteString(randomWords("pause cluster "+pick(names), vocabulary(pauseWords), 3))
	}
	b.WriteString(randomWords("maintenance "+pick(names), vocabulary(holdWords), 3))
	b.WriteString(randomWords("baton", vocabulary(setupWords), 3))
	for depth := 0; len(hosts) > 0; hosts = hosts[1:] {
		if len(names) > 0 && r.IntN(4) == 0 {
			head := "cluster " + names[0]
			b.WriteString(head + strings.TrimPrefix(randomWords("cluster other", vocabulary(headWords), 3), "cluster other"))
			if r.IntN(2) == 0 {
				b.WriteString(strings.TrimPrefix(randomWords("cluster other\nopen failover", vocabulary(openWords), 2), "cluster other\n"))
				b.WriteString(strings.TrimPrefix(randomWords("cluster other\npast takeover", vocabulary(pastWords), 3), "cluster other\n"))
			}
			names, depth = names[1:], 0
		}
		line := randomWords("x9 seen=1s", server, 6)
		if depth > 0 {
			line = strings.TrimPrefix(randomWords("x8 seen=1s\n  x9 seen=1s", server, 6), "x8 seen=1s\n  ")
		}
		b.WriteString(strings.Repeat("  ", depth) + hosts[0] + strings.TrimPrefix(line, "x9 seen=1s"))
		depth = r.IntN(min(depth+2, 4))
	}
	return b.String()
}

// firstDifference names the first field in which two values differ.
func firstDifference(path string, a, b reflect.Value) string {
	switch {
	case reflect.DeepEqual(a.Interface(), b.Interface()):
		return ""
	case a.Type() == reflect.TypeFor[time.Time](), a.Kind() != reflect.Struct && a.Kind() != reflect.Slice, a.Kind() == reflect.Slice && a.Len() != b.Len():
		return fmt.Sprintf("%s is %v and was %v", path, b, a)
	case a.Kind() == reflect.Slice:
		for n := range a.Len() {
			if d := firstDifference(fmt.Sprintf("%s[%d]", path, n), a.Index(n), b.Index(n)); d != "" {
				return d
			}
		}
	default:
		for n := range a.NumField() {
			if !a.Type().Field(n).IsExported() {
				return fmt.Sprintf("%s is %v and was %v", path, b, a)
			}
			if d := firstDifference(path+"."+a.Type().Field(n).Name, a.Field(n), b.Field(n)); d != "" {
				return d
			}
		}
	}
	return path
}
