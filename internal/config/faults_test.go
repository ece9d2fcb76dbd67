package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fault is a configuration and everything that is to be said about it.
type fault struct {
	name string
	text string
	want []string
}

// long because it is the specification of what people are told: one table, a line for each sentence.
func faults() []fault {
	return []fault{
		{"unknown key", "log: {}\ndiscovery:\n  intervall: 1s\n", []string{`discovery.intervall: there is no such key; the nearest is "interval" (baton.yaml:3)`}},
		{"unknown key with letters swapped", "lgo: {}\n", []string{`lgo: there is no such key; the nearest is "log" (baton.yaml:1)`}},
		{"unknown key in another case", "MySQL: {}\n", []string{`MySQL: there is no such key; the nearest is "mysql" (baton.yaml:1)`}},
		{"key at the wrong place", "seeds: [db1]\n", []string{`seeds: there is no such key here; there is discovery.seeds (baton.yaml:1)`}},
		{"key at the wrong place of two", "lag_threshold: 1s\n", []string{`lag_threshold: there is no such key here; there is detection.lag_threshold and clusters[].lag_threshold (baton.yaml:1)`}},
		{"key far from any", "ledger:\n  raft_protocol: 3\n", []string{`ledger.raft_protocol: there is no such key; the keys here are election, heartbeat, lease, listen, peers (baton.yaml:2)`}},
		{"unknown key in a cluster", "clusters:\n- name: a\n  autonmy: auto\n", []string{`clusters[0].autonmy: there is no such key; the nearest is "autonomy" (baton.yaml:3)`}},
		{"merge key", "mysql:\n  <<: {user: a}\n", []string{`mysql.<<: merge keys are not read here; write the keys out (baton.yaml:2)`}},
		{"key twice", "listen: ':1'\nlisten: ':2'\n", []string{`listen: is given a second time on line 2; remove one of the two (baton.yaml:1)`}},
		{"key that is a list", "[a]: b\n", []string{`baton.yaml: has a key that is not a plain word, on line 1; remove it`}},
		{"not a mapping", "- a\n", []string{`baton.yaml: must be a set of keys, each on a line of its own, as in the reference`}},
		{"section that is a word", "log: debug\n", []string{`log: must be a set of keys, each on a line of its own, as in the reference (baton.yaml:1)`}},
		{"not YAML", "listen: ':1'\nmysql: user: a\n", []string{`baton.yaml:2: is not YAML: mapping values are not allowed in this context`}},
		{"tab", "mysql:\n\tuser: a\n", []string{`baton.yaml:2: is not YAML: found character that cannot start any token`}},
		{"two documents", "listen: ':1'\n---\nlisten: ':2'\n", []string{`---: begins a second document; one file holds one configuration (baton.yaml:2)`}},
		{"list instead of a text", "node: [a]\n", []string{`node: is a list and must be a text; if it begins with one of { [ & * ! put it in quotes (baton.yaml:1)`}},
		{"keys instead of a number", "detection: {down_after: {a: 1}}\n", []string{`detection.down_after: is a set of keys and must be a number; if it begins with one of { [ & * ! put it in quotes (baton.yaml:1)`}},
		{"text instead of a list", "discovery: {seeds: db1}\n", []string{`discovery.seeds: must be a list; write [a, b], or one "- a" to a line (baton.yaml:1)`}},
		{"not a number", "detection: {down_after: two}\n", []string{`detection.down_after: "two" is not a whole number of moderate size; write one like 3 (baton.yaml:1)`}},
		{"not a count", "recovery: {relax_above: -1}\n", []string{`recovery.relax_above: "-1" is not a whole number from 0 upwards; write one like 500 (baton.yaml:1)`}},
		{"not a share", "detection: {storm_share: many}\n", []string{`detection.storm_share: "many" is not a number; write one like 0.3 (baton.yaml:1)`}},
		{"not true", "pprof: yes\n", []string{`pprof: "yes" is neither true nor false (baton.yaml:1)`}},

		{"no unit", "discovery: {interval: 5}\n", []string{`discovery.interval: "5" has no unit; write 5s, or whichever unit is meant (baton.yaml:1)`}},
		{"no duration", "discovery: {interval: often}\n", []string{`discovery.interval: "often" is not a duration; write one like 500ms, 10s, 5m, 240h or 10d (baton.yaml:1)`}},
		{"days of something", "discovery: {forget_after: tend}\n", []string{`discovery.forget_after: "tend" is not a duration; write one like 500ms, 10s, 5m, 240h or 10d (baton.yaml:1)`}},
		{"negative duration", "recovery: {cooldown: -5m}\n", []string{`recovery.cooldown: "-5m" is negative; a duration must not be (baton.yaml:1)`}},
		{"negative days", "recovery: {cooldown: -5d}\n", []string{`recovery.cooldown: "-5d" is negative; a duration must not be (baton.yaml:1)`}},
		{"endless duration", "discovery: {forget_after: 99999d}\n", []string{`discovery.forget_after: "99999d" is longer than a century; write less (baton.yaml:1)`}},
		{"zero", "mysql: {timeout: 0s}\n", []string{`mysql.timeout: is 0s and must be more than 0 (baton.yaml:1)`}},
		{"flood", "discovery: {interval: 1ms}\n", []string{`discovery.interval: is 1ms and must be at least 10ms (baton.yaml:1)`}},

		{"listen without a port", "listen: localhost\n", []string{`listen: "localhost" is not an address; write host:port, with the brackets of an IPv6 host, such as 127.0.0.1:8306 (baton.yaml:1)`}},
		{"listen on a URL", "listen: http://localhost:8306\n", []string{`listen: "http://localhost:8306" is not an address; write host:port, with the brackets of an IPv6 host, such as 127.0.0.1:8306 (baton.yaml:1)`}},
		{"listen on a named port", "listen: localhost:http\n", []string{`listen: the port of "localhost:http" is not a number from 1 to 65535 (baton.yaml:1)`}},
		{"advertise no URL", "advertise_url: baton:8306\n", []string{`advertise_url: "baton:8306" is not a URL that others can open; write it like http://baton-1.example.com:8306 (baton.yaml:1)`}},
		{"advertise a user", "advertise_url: http://me:hush@baton\n", []string{`advertise_url: holds a user; remove it, because the URL is shown to everybody (baton.yaml:1)`}},
		{"advertise a query", "advertise_url: http://baton/?a=b\n", []string{`advertise_url: "http://baton/?a=b" holds a query or a fragment; remove it, because paths are appended (baton.yaml:1)`}},
		{"no directory", "data_dir: ''\n", []string{`data_dir: is empty; name a directory, because what operators asked for must survive a restart (baton.yaml:1)`}},
		{"node of two words", "node: a b\n", []string{`node: "a b" holds a blank or a character that cannot be printed; names are single words (baton.yaml:1)`}},
		{"log level", "log: {level: warning, format: logfmt}\n", []string{
			`log.level: "warning" is not one of debug, info, warn, error (baton.yaml:1)`,
			`log.format: "logfmt" is not one of text, json (baton.yaml:1)`,
		}},

		{"no user", "mysql: {user: ''}\n", []string{`mysql.user: is empty; name the account with which Baton logs in (baton.yaml:1)`}},
		{"two passwords", "mysql:\n  password: hush\n  password_file: a\n", []string{`mysql.password_file: is given beside mysql.password; keep one of them (baton.yaml:3)`}},
		{"password without its user", "mysql:\n  replication_password: hush\n", []string{`mysql.replication_user: is missing although mysql.replication_password is given; name the account it belongs to (baton.yaml:1)`}},
		{"password from a printed configuration", "mysql: {password: <secret>}\n", []string{`mysql.password: this is the placeholder of a printed configuration; write the password, or name a file that holds it (baton.yaml:1)`}},
		{"password that looks like a list", "mysql: {password: [hush]}\n", []string{`mysql.password: is a list and must be a text; if it begins with one of { [ & * ! put it in quotes (baton.yaml:1)`}},
		{"password that looks like an alias", "mysql:\n  password: *hush\n", []string{`baton.yaml: is not YAML: an alias names an anchor that is not there; a text that begins with * or & must be in quotes`}},
		{"TLS mode", "mysql: {tls: {mode: verfy}}\n", []string{`mysql.tls.mode: "verfy" is not one of disabled, preferred, verify; the nearest is verify (baton.yaml:1)`}},
		{"authority that is not asked", "mysql: {tls: {ca_file: ca.pem}}\n", []string{`mysql.tls.ca_file: has no effect with mode: preferred; set mode: verify, or remove it (baton.yaml:1)`}},
		{"half a pair", "mysql: {tls: {mode: verify, key_file: k.pem}}\n", []string{`mysql.tls.key_file: needs cert_file beside it (baton.yaml:1)`}},

		{"empty seed", "discovery:\n  seeds:\n  - db1\n  -\n", []string{`discovery.seeds[1]: is empty; write a value, or remove the line (baton.yaml:4)`}},
		{"seed of nothing", "discovery: {seeds: ['']}\n", []string{`discovery.seeds[0]: instance is empty: give it as host:port (baton.yaml:1)`}},
		{"seed with a user", "discovery: {seeds: ['me:hush@db1']}\n", []string{`discovery.seeds[0]: holds a user; write host:port alone, and the account under mysql (baton.yaml:1)`}},
		{"seed with a scheme", "discovery: {seeds: ['mysql://db1']}\n", []string{`discovery.seeds[0]: instance "mysql://db1": give it as host:port, without spaces, slashes, commas or a user (baton.yaml:1)`}},
		{"seed with a wrong port", "discovery: {seeds: ['db1:x']}\n", []string{`discovery.seeds[0]: instance "db1:x": port "x" is not a number from 1 to 65535 (baton.yaml:1)`}},
		{"seed twice", "discovery:\n  seeds:\n  - db1\n  - DB1:3306\n", []string{`discovery.seeds[1]: db1:3306 is there already, as discovery.seeds[0]; remove one of them (baton.yaml:4)`}},
		{"no expression", "discovery: {ignore: ['db(']}\n", []string{`discovery.ignore[0]: "db(" is not a regular expression: missing closing ) (baton.yaml:1)`}},
		{"empty expression", "clusters: [{name: a, match: ['']}]\n", []string{`clusters[0].match[0]: the expression is empty and would match nothing; write one, or remove it (baton.yaml:1)`}},
		{"resolve", "discovery: {resolve: dns}\n", []string{`discovery.resolve: "dns" is not one of none, ip, cname (baton.yaml:1)`}},
		{"half a renaming", "discovery: {names: {'a:1': b}}\n", []string{`discovery.names.a:1: "a:1" and "b" must both have a port, or neither (baton.yaml:1)`}},
		{"renaming to nothing", "discovery: {names: {a: }}\n", []string{`discovery.names.a: instance is empty: give it as host:port (baton.yaml:1)`}},
		{"query that writes", "discovery: {lag_query: DELETE FROM t}\n", []string{`discovery.lag_query: must begin with SELECT, WITH or SHOW, not with DELETE; Baton only reads with it (baton.yaml:1)`}},
		{"two queries", "discovery: {lag_query: 'SELECT 1; SELECT 2'}\n", []string{`discovery.lag_query: must be a single statement, without a semicolon inside (baton.yaml:1)`}},
		{"query with a comment", "discovery: {region_query: 'SELECT 1 -- one'}\n", []string{`discovery.region_query: must not contain a comment; remove it (baton.yaml:1)`}},
		{"workers", "discovery: {workers: -1}\n", []string{`discovery.workers: is -1 and must be from 0 to 10000 (baton.yaml:1)`}},
		{"forgotten at once", "discovery: {forget_after: 1s}\n", []string{`discovery.forget_after: is 1s, not more than discovery.interval (1s); raise it to hours or days (baton.yaml:1)`}},

		{"never down", "detection: {down_after: 0}\n", []string{`detection.down_after: is 0 and must be 1 or more (baton.yaml:1)`}},
		{"share", "detection: {storm_share: 30}\n", []string{`detection.storm_share: is 30 and must be more than 0 and at most 1 (baton.yaml:1)`}},
		{"share that is no number", "detection: {storm_share: NaN}\n", []string{`detection.storm_share: is NaN and must be more than 0 and at most 1 (baton.yaml:1)`}},
		{"always stale", "discovery:\n  interval: 15s\n", []string{
			`detection.stale_after: is 30s, less than three times discovery.interval (15s), so that servers would be unknown between two probes; raise it to at least 45s (baton.yaml)`,
			`detection.fresh_for: is 10s, not more than discovery.interval (15s), so that every replica would seem to hear nothing; raise it (baton.yaml)`,
		}},

		{"autonomy", "recovery: {autonomy: automatic}\n", []string{`recovery.autonomy: "automatic" is not one of observe, recommend, approve, auto (baton.yaml:1)`}},
		{"autonomy misspelt", "clusters: [{name: a, autonomy: aprove}]\n", []string{`clusters[0].autonomy: "aprove" is not one of observe, recommend, approve, auto; the nearest is approve (baton.yaml:1)`}},
		{"gate misspelt", "recovery: {allow: [cooldwon]}\n", []string{`recovery.allow[0]: there is no gate "cooldwon"; the nearest is "cooldown" (baton.yaml:1)`}},
		{"gate that does not exist", "recovery: {allow: [everything_else]}\n", []string{`recovery.allow[0]: there is no gate "everything_else"; those that can be allowed to fail are cooldown, errant, followers, geography, holds_everything, lag, primary_position, semi_sync_promise, unacknowledged (baton.yaml:1)`}},
		{"gate that must pass", "recovery: {allow: [quorum]}\n", []string{`recovery.allow[0]: gate "quorum" cannot be allowed to fail; those that can are cooldown, errant, followers, geography, holds_everything, lag, primary_position, semi_sync_promise, unacknowledged (baton.yaml:1)`}},
		{"takeover without time", "recovery: {write_block: 0s}\n", []string{`recovery.write_block: is 0s and must be more than 0 (baton.yaml:1)`}},
		{"cluster without a name", "clusters:\n- match: [a]\n", []string{`clusters[0].name: is missing; give the cluster a name (baton.yaml:2)`}},
		{"cluster twice", "clusters:\n- name: a\n- name: a\n", []string{`clusters[1].name: "a" is there already, as clusters[0]; make one entry of the two (baton.yaml:3)`}},
		{"empty cluster", "clusters:\n- name: a\n-\n", []string{
			`clusters[1]: is empty; write a value, or remove the line (baton.yaml:3)`,
			`clusters[1].name: is missing; give the cluster a name (baton.yaml:3)`,
		}},

		{"lease", "ledger: {lease: 2s}\n", []string{`ledger.lease: is 2s, longer than heartbeat (1s), so that two nodes could lead at once; lower it to at most 1s (baton.yaml:1)`}},
		{"election", "ledger: {heartbeat: 2s}\n", []string{`ledger.election: is 1s, shorter than heartbeat (2s); raise it to at least that (baton.yaml:1)`}},
		{"hectic", "ledger: {lease: 1ms}\n", []string{`ledger.lease: is 1ms and must be at least 5ms (baton.yaml:1)`}},
		{"listen for nobody", "ledger: {listen: ':8307'}\n", []string{`ledger.listen: is given without peers; list all nodes, this one among them, or remove it (baton.yaml:1)`}},
		{"peers", "ledger:\n  peers:\n  - id: a\n    address: a\n  - id: a\n    address: :8307\n    api: a:8306\n", []string{
			`node: is missing; where there are peers, say which of them this node is (baton.yaml)`,
			`ledger.listen: is missing; where there are peers, give the address to listen on for them, such as 0.0.0.0:8307 (baton.yaml:1)`,
			`ledger.peers[0].api: is missing; give the URL of its API, such as http://host:8306, so that clients find the leader (baton.yaml:3)`,
			`ledger.peers[0].address: "a" is not an address; write host:port, with the brackets of an IPv6 host, such as 127.0.0.1:8306 (baton.yaml:4)`,
			`ledger.peers[1].id: "a" is there twice; every node has a name of its own (baton.yaml:5)`,
			`ledger.peers[1].address: ":8307" has no host; write the one by which the others reach the node (baton.yaml:6)`,
			`ledger.peers[1].api: "a:8306" is not a URL that others can open; write it like http://baton-1.example.com:8306 (baton.yaml:7)`,
		}},
		{"not among the peers", "node: b\nledger: {listen: ':8307', peers: [{id: a, address: 'a:8307', api: 'http://a:8306'}]}\n", []string{
			`node: "b" is not among ledger.peers; add it there, or correct the name (baton.yaml:1)`,
		}},

		{"everything at once", "listn: ':1'\nlog:\n  level: loud\nmysql:\n  timeout: 5\nclusters:\n- autonomy: auto\n", []string{
			`listn: there is no such key; the nearest is "listen" (baton.yaml:1)`,
			`log.level: "loud" is not one of debug, info, warn, error (baton.yaml:3)`,
			`mysql.timeout: "5" has no unit; write 5s, or whichever unit is meant (baton.yaml:5)`,
			`clusters[0].name: is missing; give the cluster a name (baton.yaml:7)`,
		}},
	}
}

func TestFaults(t *testing.T) {
	for _, c := range faults() {
		t.Run(c.name, func(t *testing.T) {
			f, err := Parse([]byte(c.text), "baton.yaml")
			if err == nil {
				t.Fatalf("accepted as %+v", f)
			}
			if got, want := err.Error(), strings.Join(c.want, "\n"); got != want {
				t.Errorf("says\n%s\nand not\n%s", got, want)
			}
			if strings.Contains(err.Error(), "hush") {
				t.Error("the password is shown")
			}
		})
	}
}

func TestLoadFaults(t *testing.T) {
	t.Setenv("BATON_TEST_EMPTY", "")
	for _, c := range []struct {
		name  string
		text  string
		files map[string]string
		want  string // DIR is the directory of the file
	}{
		{
			"password file that is missing", "mysql:\n  password_file: secret\n", nil,
			`mysql.password_file: the password cannot be read: open DIR/secret: no such file or directory (DIR/baton.yaml:2)`,
		},
		{
			"password file that is empty", "mysql: {password_file: secret}",
			map[string]string{"secret": "\n"},
			`mysql.password_file: the password file DIR/secret is empty (DIR/baton.yaml:1)`,
		},
		{
			"password file that holds more", "mysql: {password_file: secret}",
			map[string]string{"secret": "hush\nhush\n"},
			`mysql.password_file: the password file DIR/secret has more than one line; it must hold the password and nothing else (DIR/baton.yaml:1)`,
		},
		{
			"environment that is not set", "mysql: {replication_user: r, replication_password_env: BATON_TEST_EMPTY}", nil,
			`mysql.replication_password_env: the environment variable BATON_TEST_EMPTY, which is to hold the password, is not set (DIR/baton.yaml:1)`,
		},
		{
			"authorities that are none", "mysql: {tls: {mode: verify, ca_file: ca.pem}}",
			map[string]string{"ca.pem": "hello"},
			`mysql.tls: ca_file DIR/ca.pem holds no certificate in PEM (DIR/baton.yaml:1)`,
		},
		{
			"certificate that is missing", "mysql: {tls: {cert_file: c.pem, key_file: k.pem}}", nil,
			`mysql.tls: cert_file and key_file do not make a pair: open DIR/c.pem: no such file or directory (DIR/baton.yaml:1)`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "baton.yaml"), c.text)
			for name, text := range c.files {
				write(t, filepath.Join(dir, name), text)
			}
			_, err := Load(filepath.Join(dir, "baton.yaml"))
			if err == nil {
				t.Fatal("accepted")
			}
			if got, want := err.Error(), strings.ReplaceAll(c.want, "DIR", dir); got != want {
				t.Errorf("says\n%s\nand not\n%s", got, want)
			}
		})
	}
}

func TestLoadWithoutAFile(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "baton.yaml"))
	if !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "read configuration: open ") {
		t.Errorf("says %v", err)
	}
}

func TestLoadTooLarge(t *testing.T) {
	name := filepath.Join(t.TempDir(), "baton.yaml")
	write(t, name, strings.Repeat("#", maxSize+1))
	_, err := Load(name)
	if err == nil || !strings.Contains(err.Error(), "is larger than 4 MiB") {
		t.Errorf("says %v", err)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
