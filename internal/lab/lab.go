// Package lab starts and stops real MySQL, MariaDB, Prometheus and Alertmanager
// processes on this machine: for the demo, the end-to-end tests and the drills.
// It does not know Baton: it breaks things, and others look at what happens.
package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// Options says where a Lab keeps its things.
type Options struct {
	// Cache is where fetched programs and initialised data directories live,
	// shared by every Lab of this machine. Empty means DefaultCache.
	Cache string

	// Dir receives the data directories of this Lab, which are removed by
	// Close. Empty means a new directory in the cache, on the same file
	// system as the templates.
	Dir string

	// Progress receives a line whenever something slow begins. It may be
	// called from several goroutines at once.
	Progress func(string)
}

// Lab owns everything that is started through it. Nothing outlives it: not
// after Close, and not after this process is killed.
type Lab struct {
	cache    string
	dir      string
	progress func(string)
	spawner  *spawner
	ports    *ports
	dirLock  *fileLock
	end      func() error // what Close does, once

	mu       sync.Mutex
	nextID   int
	closed   bool
	closers  []func() error
	programs map[string]*program
}

// ErrClosed is returned by a Lab that was closed.
var ErrClosed = errors.New("lab is closed")

// New prepares a Lab. It starts nothing: programs are found or fetched when
// they are first needed.
func New(ctx context.Context, opts Options) (*Lab, error) {
	cache := opts.Cache
	if cache == "" {
		var err error
		if cache, err = DefaultCache(); err != nil {
			return nil, err
		}
	}
	cache, err := filepath.Abs(cache)
	if err != nil {
		return nil, fmt.Errorf("lab cache: %w", err)
	}
	for _, dir := range []string{cache, filepath.Join(cache, "run"), filepath.Join(cache, "ports")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("lab cache: %w", err)
		}
	}
	dir, lock, err := makeRunDir(ctx, cache, opts.Dir)
	if err != nil {
		return nil, err
	}
	progress := opts.Progress
	if progress == nil {
		progress = func(string) {}
	}
	l := &Lab{
		cache:    cache,
		dir:      dir,
		progress: progress,
		spawner:  newSpawner(),
		ports:    newPorts(filepath.Join(cache, "ports")),
		dirLock:  lock,
		programs: map[string]*program{},
	}
	l.end = sync.OnceValue(l.close)
	return l, nil
}

// DefaultCache is .cache/lab in the source tree of Baton when the working
// directory is inside it, and baton/lab in the user's cache directory otherwise.
func DefaultCache() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("lab cache: %w", err)
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		if isModuleRoot(dir) {
			return filepath.Join(dir, ".cache", "lab"), nil
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	user, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("lab cache: %w", err)
	}
	return filepath.Join(user, "baton", "lab"), nil
}

// Close kills whatever still runs and removes its data. It may be called twice.
func (l *Lab) Close() error { return l.end() }

func (l *Lab) close() error {
	l.mu.Lock()
	closers := l.closers
	l.closers, l.closed = nil, true
	l.mu.Unlock()

	var errs []error
	for _, closer := range slices.Backward(closers) {
		errs = append(errs, closer())
	}
	l.spawner.close()
	l.ports.close()
	errs = append(errs, os.RemoveAll(l.dir), l.dirLock.unlock())
	return errors.Join(errs...)
}

// onClose registers what Close must undo, or undoes it at once when it is too
// late to register.
func (l *Lab) onClose(undo func() error) error {
	l.mu.Lock()
	if !l.closed {
		l.closers = append(l.closers, undo)
		l.mu.Unlock()
		return nil
	}
	l.mu.Unlock()
	return errors.Join(ErrClosed, undo())
}

func (l *Lab) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// newID numbers the things of a Lab: it is a server_id and a directory name.
func (l *Lab) newID() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nextID++
	return l.nextID
}

// makeRunDir makes the directory of one Lab, and removes what Labs that were
// killed left behind: a directory whose lock is free has no owner.
func makeRunDir(ctx context.Context, cache, parent string) (string, *fileLock, error) {
	if parent == "" {
		parent = filepath.Join(cache, "run")
	}
	parent, err := filepath.Abs(parent)
	if err != nil {
		return "", nil, fmt.Errorf("lab directory: %w", err)
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", nil, fmt.Errorf("lab directory: %w", err)
	}
	// One guard for sweeping and making, or a sweep could take a directory
	// that was made but not locked yet.
	guard, err := lockFile(ctx, filepath.Join(parent, "lock"))
	if err != nil {
		return "", nil, fmt.Errorf("lab directory: %w", err)
	}
	defer func() { _ = guard.unlock() }()
	left, _ := filepath.Glob(filepath.Join(parent, "lab-*"))
	for _, dir := range left {
		if lock, err := tryLockFile(filepath.Join(dir, "lock")); err == nil {
			os.RemoveAll(dir)
			_ = lock.unlock()
		}
	}
	dir, err := os.MkdirTemp(parent, "lab-")
	if err != nil {
		return "", nil, fmt.Errorf("lab directory: %w", err)
	}
	lock, err := tryLockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return "", nil, fmt.Errorf("lab directory: %w", err)
	}
	return dir, lock, nil
}
