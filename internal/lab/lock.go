package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// errLocked says that another Lab holds a lock.
var errLocked = errors.New("locked by another process")

// pollEvery is how often a condition that nothing announces is looked at.
const pollEvery = 10 * time.Millisecond

// A fileLock is held until unlock, or until the process that holds it ends.
type fileLock struct{ file *os.File }

func tryLockFile(path string) (*fileLock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errLocked
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &fileLock{f}, nil
}

func lockFile(ctx context.Context, path string) (*fileLock, error) {
	var lock *fileLock
	err := poll(ctx, func() (bool, error) {
		var err error
		lock, err = tryLockFile(path)
		if errors.Is(err, errLocked) {
			return false, nil
		}
		return err == nil, err
	})
	return lock, err
}

func (l *fileLock) unlock() error {
	if l == nil {
		return nil
	}
	return l.file.Close()
}

// poll looks until the condition holds, fails, or ctx ends.
func poll(ctx context.Context, holds func() (bool, error)) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if ok, err := holds(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// pause waits, or returns early when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// isModuleRoot reports whether dir holds the go.mod of Baton.
func isModuleRoot(dir string) bool {
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	return err == nil && bytes.HasPrefix(mod, []byte("module github.com/batondb/baton\n"))
}
