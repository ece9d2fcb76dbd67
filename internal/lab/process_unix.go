//go:build unix && !linux

package lab

import (
	"fmt"
	"os/exec"
	"syscall"
)

func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// guardOrphan starts a shell that waits on a pipe which only this process
// holds open: when this process dies the read returns, and the shell kills
// the child. Other kernels than Linux offer nothing better.
func guardOrphan(pid int) func() {
	cmd := exec.Command("/bin/sh", "-c", fmt.Sprintf("read forever; kill -KILL %d", pid))
	cmd.SysProcAttr = childAttributes()
	pipe, err := cmd.StdinPipe()
	if err != nil || cmd.Start() != nil {
		return func() {}
	}
	return func() {
		cmd.Process.Kill()
		cmd.Wait()
		pipe.Close()
	}
}

// stopped can not be asked here.
func stopped(int) bool { return true }
