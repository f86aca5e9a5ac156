//go:build unix

// Package dbserver starts private database servers from installed programs, for tests and for the cluster example: each
// has its files in a temporary directory, listens on a Unix socket there and on no port, and
// runs as an unprivileged user, since a server refuses to run as root.
//
// It knows how to start a server and not how to talk to one, and so needs no driver.
package dbserver

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Server is a private database server. Its methods are safe for concurrent use.
type Server struct {
	// Name is what people call it: PostgreSQL, MariaDB, Redis.
	Name string
	// Dir has everything that it writes. Only its owner may look inside.
	Dir string
	// DSN is how a client reaches it: a connection string of pgx or go-sql-driver/mysql, or the path of Redis's socket.
	DSN string

	command []string
	owner   *syscall.Credential // nil: who runs this program
	signal  syscall.Signal      // ends it at once, its workers too; also when this program has died

	mu      sync.Mutex
	process *exec.Cmd
	exited  chan struct{}
	output  bytes.Buffer
}

// NotInstalledError says that a program is missing on this machine, or a user to run it as.
type NotInstalledError struct {
	Program string // for example initdb
	Package string // the Debian package that has it
}

// Error names both.
func (e *NotInstalledError) Error() string {
	return fmt.Sprintf("dbserver: %s is not installed (Debian package %s)", e.Program, e.Package)
}

// prepare finds a program, the newest of several versions, and makes a server's directory. The server runs as the first of these
// users if this program is root's.
func prepare(name, program, pack string, users []string, patterns ...string) (*Server, string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		var found []string
		for _, p := range patterns {
			paths, _ := filepath.Glob(filepath.Join(p, program)) // the patterns are right
			found = append(found, paths...)
		}
		if len(found) == 0 {
			return nil, "", &NotInstalledError{program, pack}
		}
		path = slices.Max(found)
	}
	owner, err := unprivileged(users)
	if err != nil {
		return nil, "", err
	}
	dir, err := os.MkdirTemp("", "gwdb") // short enough for a socket's path
	if err != nil {
		return nil, "", fmt.Errorf("dbserver: %w", err)
	}
	if owner != nil {
		if err := os.Chown(dir, int(owner.Uid), int(owner.Gid)); err != nil {
			_ = os.RemoveAll(dir)
			return nil, "", fmt.Errorf("dbserver: %w", err)
		}
	}
	return &Server{Name: name, Dir: dir, owner: owner}, path, nil
}

// unprivileged returns whom a server runs as: nil for the caller itself, unless that is root.
func unprivileged(users []string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range append(slices.Clone(users), "nobody") {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("dbserver: user %s: %w", name, err)
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("dbserver: user %s: %w", name, err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, &NotInstalledError{"a user that is not root", "base-passwd"}
}

// exec is a command that has its temporary files in the server's directory too: its user may write nowhere else.
func (s *Server) exec(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = s.Dir
	cmd.Env = append(os.Environ(), "TMPDIR="+s.Dir)
	return cmd
}

// run runs a program that prepares the directory.
func (s *Server) run(program string, args ...string) error {
	cmd := s.exec(program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner, Setpgid: true}
	if out, err := cmd.CombinedOutput(); err != nil {
		s.Remove()
		return fmt.Errorf("dbserver: %s: %w: %s", program, err, out)
	}
	return nil
}

// Start starts the server and waits until answers, which asks it something, returns nil. A server that was stopped can be
// started again, on the same files.
func (s *Server) Start(ctx context.Context, answers func(context.Context) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.output.Reset()
	cmd := s.exec(s.command[0], s.command[1:]...)
	cmd.Stdout, cmd.Stderr = &s.output, &s.output
	cmd.SysProcAttr = Attributes(s.owner, s.signal)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("dbserver: %w", err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	s.process, s.exited = cmd, exited
	for {
		err := answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-exited:
			return fmt.Errorf("dbserver: %s ended at its start: %s", s.Name, s.output.String())
		case <-ctx.Done():
			return fmt.Errorf("dbserver: %s does not answer: %w", s.Name, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Signal sends the server's process a signal; one that does not run gets none.
func (s *Server) Signal(signal syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		_ = s.process.Process.Signal(signal)
	}
}

// PID is the server's process, or 0 when it does not run.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return 0
	}
	return s.process.Process.Pid
}

// Stop sends the signal and waits for the end.
func (s *Server) Stop(signal syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return
	}
	_ = s.process.Process.Signal(signal)
	<-s.exited
	s.process = nil
}

// Remove stops the server for good, with all that it has kept.
func (s *Server) Remove() {
	s.Stop(s.signal)
	_ = os.RemoveAll(s.Dir)
}
