//go:build !linux

package quorum

import "syscall"

// ownGroup keeps signals meant for the parent's process group from the child.
// That the parent died the child learns by the end of its standard input.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
