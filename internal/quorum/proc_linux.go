package quorum

import "syscall"

// ownGroup keeps signals meant for the parent's process group from the child,
// and makes the kernel kill the child when the parent dies.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
