package lab

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// guardOrphan has nothing to do: the kernel kills the child with its parent.
func guardOrphan(int) func() { return func() {} }

// stopped reports whether every thread has stopped: the signal reaches them
// one after the other, and a busy one may answer a query meanwhile.
func stopped(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, path := range threads {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		// The state follows the name, which is in parentheses and may hold some.
		end := bytes.LastIndex(stat, []byte(") "))
		if end < 0 || len(stat) < end+3 || stat[end+2] != 'T' {
			return false
		}
	}
	return true
}
