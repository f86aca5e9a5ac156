//go:build unix && !linux

package dbserver

import "syscall"

// Attributes start a process in a group of its own, so that a terminal's interrupt does not reach it before its owner
// has let go of it. Only Linux can end it when this program dies.
func Attributes(owner *syscall.Credential, _ syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: owner, Setpgid: true}
}
