package lab

import "syscall"

func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// guardOrphan has nothing to do: the kernel kills the child with its parent.
func guardOrphan(int) func() { return func() {} }
