package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// snapshotVersion is raised when a state is written that older versions would misread.
const snapshotVersion = 1

// snapshotFile is what a snapshot holds.
type snapshotFile struct {
	Version int    `json:"version"`
	State   *State `json:"state"`
}

// fsm is the state machine raft drives. Readers take the state without a lock.
type fsm struct {
	state atomic.Pointer[State]

	mu         sync.Mutex
	changed    chan struct{} // closed and replaced when state changes
	snapshotAt time.Time
}

func newFSM(s *State) *fsm {
	f := &fsm{changed: make(chan struct{})}
	f.state.Store(s)
	return f
}

// Apply decodes, reduces and swaps. The error of a refused entry is its result, alike on every node.
func (f *fsm) Apply(l *raft.Log) any {
	e, err := DecodeEntry(l.Data)
	if err == nil {
		var next State
		if next, err = Apply(*f.state.Load(), e); err == nil {
			f.swap(&next)
			return nil
		}
	}
	if newer, ok := errors.AsType[ErrNewer](err); ok {
		panic(fmt.Sprintf("ledger: log index %d: %s", l.Index, newer))
	}
	return err
}

// Snapshot captures the state, which is immutable.
func (f *fsm) Snapshot() (raft.FSMSnapshot, error) {
	return &fsmSnapshot{state: f.state.Load(), written: f.snapshotWritten}, nil
}

// Restore replaces the state by that of a snapshot.
func (f *fsm) Restore(r io.ReadCloser) error {
	s, err := readSnapshot(r)
	if err != nil {
		return err
	}
	f.swap(s)
	return nil
}

func (f *fsm) swap(s *State) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state.Store(s)
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *fsm) changes() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

func (f *fsm) snapshotWritten(at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.snapshotAt = at
}

func (f *fsm) lastSnapshot() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.snapshotAt
}

// readSnapshot reads a state, and refuses one that this version would misread.
func readSnapshot(r io.Reader) (*State, error) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	var version struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(raw, &version); err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	if version.Version != snapshotVersion {
		return nil, fmt.Errorf("read snapshot: %w", ErrNewer{What: fmt.Sprintf("version %d", version.Version)})
	}
	file := snapshotFile{State: &State{}}
	if err := strict(raw, &file); err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	if file.State == nil {
		file.State = &State{}
	}
	return file.State, nil
}

type fsmSnapshot struct {
	state   *State
	written func(time.Time)
}

// Persist writes the state as JSON, so that an operator can read what a node keeps.
func (s *fsmSnapshot) Persist(sink raft.SnapshotSink) error {
	err := json.NewEncoder(sink).Encode(snapshotFile{Version: snapshotVersion, State: s.state})
	if err != nil {
		return fmt.Errorf("write snapshot: %w", joinCancel(err, sink))
	}
	if err := sink.Close(); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	s.written(time.Now())
	return nil
}

func joinCancel(err error, sink raft.SnapshotSink) error {
	if cancelled := sink.Cancel(); cancelled != nil {
		return fmt.Errorf("%w (and %w)", err, cancelled)
	}
	return err
}

// Release has nothing to let go of.
func (s *fsmSnapshot) Release() {}
