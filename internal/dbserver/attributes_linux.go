package dbserver

import "syscall"

// Attributes start a process in a group of its own, so that a terminal's interrupt does not reach it before its owner
// has let go of it; the system ends it if this program dies.
func Attributes(owner *syscall.Credential, signal syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: owner, Pdeathsig: signal, Setpgid: true}
}
