package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

const (
	logFile       = "raft.db"
	nodeFile      = "node.json"
	keepSnapshots = 2
	lockTimeout   = 500 * time.Millisecond
	remedy        = "restore the directory from a backup, or move it away to begin with an empty ledger"
)

// store is what a node keeps on disk: the log and raft's own memory in one bolt file, snapshots beside it.
type store struct {
	log       *raftboltdb.BoltStore
	snapshots raft.SnapshotStore
	state     *State // of the newest snapshot
	taken     time.Time
	last      uint64 // index of the last entry of the log
}

// nodeIdentity marks a directory as in use. It tells a new directory from one that lost its log.
type nodeIdentity struct {
	Node string `json:"node"`
}

// openStore opens or founds the store of a node, and reads all of it once: what is damaged or too new is said here, in
// words, rather than by a panic in the middle of raft.
func openStore(o Options) (*store, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open ledger: make its directory: %w", err)
	}
	used, err := checkIdentity(o)
	if err != nil {
		return nil, fmt.Errorf("open ledger in %s: %w", o.Dir, err)
	}
	s := &store{}
	if s.log, err = openLog(o.Dir); err != nil {
		return nil, fmt.Errorf("open ledger in %s: %w", o.Dir, err)
	}
	if err := guard(func() error { return s.load(o, used) }); err != nil {
		return nil, fmt.Errorf("open ledger in %s: %w", o.Dir, errors.Join(err, s.log.Close()))
	}
	return s, nil
}

// checkIdentity reports whether the directory was used before, and refuses one that another node used or that lost its log.
func checkIdentity(o Options) (used bool, err error) {
	raw, err := os.ReadFile(filepath.Join(o.Dir, nodeFile))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var n nodeIdentity
	if err := json.Unmarshal(raw, &n); err != nil {
		return false, damaged(nodeFile, err)
	}
	if n.Node != o.NodeID {
		return false, fmt.Errorf("it belongs to node %q, and this is node %q: give each node its own directory, or its name back", n.Node, o.NodeID)
	}
	if info, err := os.Stat(filepath.Join(o.Dir, logFile)); err != nil || info.Size() == 0 {
		return false, fmt.Errorf("%s is gone or empty, although the directory was used before: %s", logFile, remedy)
	}
	return true, nil
}

func openLog(dir string) (*raftboltdb.BoltStore, error) {
	var log *raftboltdb.BoltStore
	err := guard(func() (err error) {
		log, err = raftboltdb.New(raftboltdb.Options{
			Path: filepath.Join(dir, logFile),
			// No fsync is skipped. A gain of other options of bolt could not be told from noise; and a freelist that is not written is
			// rebuilt by a goroutine of bolt's, whose panic over a damaged page could not be caught.
			BoltOptions:             &bbolt.Options{Timeout: lockTimeout},
			MsgpackUseNewTimeFormat: true,
		})
		return err
	})
	switch {
	case err == nil:
		return log, nil
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, errors.New("another process has it open: stop that one, or give this one its own directory")
	case errors.As(err, new(*fs.PathError)), errors.As(err, new(syscall.Errno)), errors.Is(err, errDamaged):
		return nil, err // a file that cannot be reached or written is not damaged
	default:
		return nil, damaged(logFile, err)
	}
}

// errDamaged marks what an operator has to repair.
var errDamaged = errors.New(remedy)

func damaged(what string, err error) error {
	return fmt.Errorf("%s is damaged (%w): %w", what, err, errDamaged)
}

// guard turns a panic into an error. bolt panics on damaged pages, and a file shorter than it should be is a memory fault.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = damaged("the store", fmt.Errorf("%v", p))
		}
	}()
	return f()
}

// load reads what is there, or founds the group.
func (s *store) load(o Options, used bool) error {
	files, err := raft.NewFileSnapshotStoreWithLogger(o.Dir, keepSnapshots, o.raftConfig(nil).Logger)
	if err != nil {
		return err
	}
	s.snapshots = files
	index, err := s.loadSnapshot()
	if err != nil {
		return err
	}
	last, err := s.log.LastIndex()
	if err != nil {
		return err
	}
	s.last = max(index, last)
	switch {
	case s.last > 0:
		if err := s.checkLog(index, last); err != nil {
			return err
		}
		if err := s.checkVoters(o); err != nil {
			return err
		}
	case used:
		return fmt.Errorf("%s is empty, although the directory was used before: %s", logFile, remedy)
	default:
		if err := s.found(o); err != nil {
			return fmt.Errorf("found the group: %w", err)
		}
	}
	if used {
		return nil
	}
	return writeIdentity(o)
}

// found writes the first entry of a new group, the same on every node of it: who votes. It does what
// raft.BootstrapCluster does, which refuses to finish what a crash interrupted.
func (s *store) found(o Options) error {
	if err := s.log.SetUint64([]byte("CurrentTerm"), 1); err != nil {
		return err
	}
	return s.log.StoreLog(&raft.Log{Index: 1, Term: 1, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(o.voters())})
}

// loadSnapshot reads the newest snapshot and returns the index up to which it speaks. Raft would fall back to an older
// one when it cannot read it, and then miss the entries between.
func (s *store) loadSnapshot() (uint64, error) {
	s.state = &State{}
	all, err := s.snapshots.List()
	if err != nil || len(all) == 0 {
		return 0, err
	}
	meta, r, err := s.snapshots.Open(all[0].ID)
	if err != nil {
		return 0, damaged("snapshot "+all[0].ID, err)
	}
	defer r.Close()
	if s.state, err = readSnapshot(r); err != nil {
		return 0, err
	}
	if i := strings.LastIndexByte(meta.ID, '-'); i >= 0 {
		if ms, err := strconv.ParseInt(meta.ID[i+1:], 10, 64); err == nil {
			s.taken = time.UnixMilli(ms)
		}
	}
	return meta.Index, nil
}

// checkLog reads every entry that raft will replay.
func (s *store) checkLog(snapshot, last uint64) error {
	for i := snapshot + 1; i <= last; i++ {
		var l raft.Log
		if err := s.log.GetLog(i, &l); err != nil {
			return damaged(fmt.Sprintf("entry %d of %d", i, last), err)
		}
		if l.Type != raft.LogCommand {
			continue
		}
		e, err := DecodeEntry(l.Data)
		if err == nil {
			err = e.Check()
		}
		if newer, ok := errors.AsType[ErrNewer](err); ok {
			return newer
		}
		if err != nil { // no node proposes what does not pass, so it was not like this when it was written
			return damaged(fmt.Sprintf("entry %d of %d", i, last), err)
		}
	}
	return nil
}

// checkVoters refuses a list of peers that is not the one the group was founded with. A node that was alone and is told
// of two others, which begin empty, would be outvoted by them and lose all it knows.
func (s *store) checkVoters(o Options) error {
	_, t := raft.NewInmemTransport("")
	c, err := raft.GetConfiguration(o.raftConfig(nil), newFSM(&State{}), s.log, s.log, s.snapshots, t)
	if err != nil {
		return damaged("the list of voters", err)
	}
	if have, want := ids(c), ids(o.voters()); !slices.Equal(have, want) {
		return fmt.Errorf("it was written by the voters %s, and the configuration names %s: restore that list, or move the directory away to begin with an empty ledger",
			strings.Join(have, ", "), strings.Join(want, ", "))
	}
	return nil
}

func ids(c raft.Configuration) []string {
	var ids []string
	for _, s := range c.Servers {
		ids = append(ids, string(s.ID))
	}
	slices.Sort(ids)
	return ids
}

// writeIdentity marks the directory as used, once all that makes it so is safely there.
func writeIdentity(o Options) error {
	raw, err := json.Marshal(nodeIdentity{Node: o.NodeID})
	if err != nil {
		return err
	}
	path := filepath.Join(o.Dir, nodeFile)
	if err := writeSynced(path+".new", append(raw, '\n')); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return syncDir(o.Dir) // also makes the name of the bolt file durable, which bolt does not
}

func writeSynced(path string, raw []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
