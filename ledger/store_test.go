package ledger

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"
)

// Each case changes what a stopped ledger left behind.
func TestWhatCannotBeOpened(t *testing.T) {
	write := func(name, content string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	inLog := func(raw string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) { appendLog(t, dir, []byte(raw)) }
	}
	for _, tt := range []struct {
		name   string
		node   string
		damage func(t *testing.T, dir string)
		want   []string
	}{
		{"another node's directory", "other", nil, []string{`belongs to node "baton"`, "its own directory"}},
		{"no log", "", func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, logFile))) }, []string{"gone or empty", "backup"}},
		{"empty log", "", func(t *testing.T, dir string) { must(t, os.Truncate(filepath.Join(dir, logFile), 0)) }, []string{"gone or empty", "backup"}},
		{"log is not one", "", write(logFile, strings.Repeat("nonsense", 8192)), []string{"damaged", "backup"}},
		{"log was cut", "", func(t *testing.T, dir string) {
			must(t, os.Truncate(filepath.Join(dir, logFile), 3*int64(os.Getpagesize())))
		}, []string{"damaged", "backup"}},
		{"log lost its entries", "", emptyLog, []string{"empty, although", "backup"}},
		{"log lost an entry", "", holeInLog, []string{"entry 2 of", "backup"}},
		{"identity is not one", "", write(nodeFile, "{"), []string{"damaged", "backup"}},
		{"a newer kind", "", inLog(`{"kind":"invented","id":"e9","at":"2026-11-20T12:00:00Z","by":"ops","body":{}}`), []string{"invented", "upgrade"}},
		{"a newer field", "", inLog(`{"kind":"add_seed","id":"e9","at":"2026-11-20T12:00:00Z","by":"ops","body":{"instance":"a","invented":1}}`), []string{"invented", "upgrade"}},
		{"an entry that is not one", "", inLog(`{"kind":"add_seed"`), []string{"damaged", "backup"}},
		{"an entry nobody proposes", "", inLog(`{"kind":"add_seed","id":"e9","at":"2026-11-20T12:00:00Z","by":"ops","body":{"instance":""}}`), []string{"damaged", "backup"}},
		{"a newer snapshot", "", snapshotOf(`{"version":2,"state":{}}`), []string{"version 2", "upgrade"}},
		{"a newer field in a snapshot", "", snapshotOf(`{"version":1,"state":{"invented":1}}`), []string{"invented", "upgrade"}},
		{"a snapshot that is not one", "", snapshotOf(`{`), []string{"read snapshot"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			l, stop := start(t, Options{Dir: dir})
			lead(t, l)
			propose(t, l, AddSeed{Instance: "db1"})
			stop()
			if tt.damage != nil {
				tt.damage(t, dir)
			}
			_, err := New(Options{Dir: dir, NodeID: tt.node})
			if err == nil {
				t.Fatal("it opened")
			}
			for _, want := range append(tt.want, dir) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func appendLog(t *testing.T, dir string, raw []byte) {
	t.Helper()
	log, err := openLog(dir)
	must(t, err)
	last, err := log.LastIndex()
	must(t, err)
	must(t, log.StoreLog(&raft.Log{Index: last + 1, Term: 2, Type: raft.LogCommand, Data: raw}))
	must(t, log.Close())
}

func emptyLog(t *testing.T, dir string) {
	log, err := openLog(dir)
	must(t, err)
	must(t, log.DeleteRange(0, 1<<60))
	must(t, log.Close())
}

func holeInLog(t *testing.T, dir string) {
	log, err := openLog(dir)
	must(t, err)
	must(t, log.DeleteRange(2, 2))
	must(t, log.Close())
}

func snapshotOf(raw string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		files, err := raft.NewFileSnapshotStoreWithLogger(dir, 1, raftLog{to: slog.New(slog.DiscardHandler)})
		must(t, err)
		_, transport := raft.NewInmemTransport("")
		sink, err := files.Create(1, 3, 2, Options{NodeID: "baton"}.voters(), 1, transport)
		must(t, err)
		_, err = sink.Write([]byte(raw))
		must(t, err)
		must(t, sink.Close())
	}
}

func TestDirectoryInUse(t *testing.T) {
	dir := t.TempDir()
	start(t, Options{Dir: dir})
	_, err := New(Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "another process has it open") {
		t.Errorf("got %v", err)
	}
}

func TestDirectoryThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	_, err := New(Options{Dir: filepath.Join(file, "ledger")})
	if err == nil || !strings.Contains(err.Error(), "make its directory") {
		t.Errorf("got %v", err)
	}
}

func TestDirectoryThatCannotBeWritten(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write anywhere")
	}
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o500))
	_, err := New(Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "permission denied") || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
}

// However much of the file is missing, New says so, or nothing that was agreed is missing. It never panics.
func TestLogCutAnywhere(t *testing.T) {
	dir := t.TempDir()
	l, stop := start(t, Options{Dir: dir})
	lead(t, l)
	propose(t, l, OpenRecovery{ID: "r1", Cluster: "shop", Kind: "failover", Trigger: ByFinding, Plan: json.RawMessage(`"` + strings.Repeat("x", 20<<10) + `"`)})
	stop()
	path := filepath.Join(dir, logFile)
	whole, err := os.ReadFile(path)
	must(t, err)
	refused := 0
	for size := len(whole); size >= 0; size -= os.Getpagesize() {
		must(t, os.WriteFile(path, whole[:size], 0o600))
		l, err := New(Options{Dir: dir})
		if err != nil {
			refused++
			if !strings.Contains(err.Error(), "backup") {
				t.Errorf("cut to %d of %d bytes: %v", size, len(whole), err)
			}
			must(t, os.Remove(path)) // bolt does not let go of a file that made it panic
			continue
		}
		stop := run(t, l)
		lead(t, l)
		if l.State().OpenRecovery("shop") == nil {
			t.Errorf("cut to %d of %d bytes: opened without what was agreed", size, len(whole))
		}
		stop()
	}
	if refused == 0 {
		t.Error("no cut was refused")
	}
}

// A crash between the two writes that found a group must not leave a directory that never elects.
func TestFoundingIsFinishedAfterACrash(t *testing.T) {
	dir := t.TempDir()
	db, err := bbolt.Open(filepath.Join(dir, logFile), 0o600, nil)
	must(t, err)
	must(t, db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte("conf"))
		if err != nil {
			return err
		}
		return b.Put([]byte("CurrentTerm"), []byte{0, 0, 0, 0, 0, 0, 0, 1})
	}))
	must(t, db.Close())
	l, _ := start(t, Options{Dir: dir})
	lead(t, l)
}
