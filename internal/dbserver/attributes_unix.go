//go:build unix && !linux

package dbserver

import "syscall"

// Attributes returns the attributes of a process that runs as owner, or as the user of this
// program if owner is nil.
//
// The process has its own process group, so that an interrupt from the terminal does not
// end it before its caller does. Only Linux can end it when this program dies.
func Attributes(owner *syscall.Credential, _ syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: owner, Setpgid: true}
}
