//go:build unix

// Package dbserver starts private database servers from installed programs, for tests and
// for the cluster example.
//
// A server has its files in a temporary directory, and listens on a Unix socket there and
// on no port. It runs as an unprivileged user, because databases refuse to run as root. The
// package needs no database driver: the caller connects.
package dbserver

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Server is a private database server. Its methods are safe for concurrent use.
type Server struct {
	// Name is the name of the database: PostgreSQL, MariaDB or Redis.
	Name string

	// Dir is the directory of all its files. Only the server's user may read it.
	Dir string

	// DSN is how a client connects: a connection string of pgx or of go-sql-driver/mysql,
	// or the path of Redis's socket.
	DSN string

	// command is the program and its arguments.
	command []string

	// owner is the user of the process. If nil, it is the user of this program.
	owner *syscall.Credential

	// signal ends the server and its workers at once.
	signal syscall.Signal

	mu      sync.Mutex
	process *exec.Cmd
	exited  chan struct{}
	output  bytes.Buffer
}

// NotInstalledError says that this machine lacks a program, or a user to run it as.
type NotInstalledError struct {
	// Program is the missing program, for example initdb.
	Program string

	// Package is the Debian package that has the program.
	Package string
}

// Error names the program and the package.
func (e *NotInstalledError) Error() string {
	return fmt.Sprintf("dbserver: %s is not installed (Debian package %s)", e.Program, e.Package)
}

// prepare finds a program and makes the server's directory. The program is in the PATH or
// in a directory that matches one of the patterns. The highest match is the newest version.
// If this program runs as root, the server runs as the first of the users that exists.
func prepare(name, program, pack string, users []string, patterns ...string) (*Server, string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		var found []string
		for _, p := range patterns {
			// Glob fails only for a malformed pattern.
			paths, _ := filepath.Glob(filepath.Join(p, program))
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

	// The path of a Unix socket has at most 104 bytes on some systems, so the name is short.
	dir, err := os.MkdirTemp("", "gwdb")
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

// exec returns a command of the server. Its temporary files are in the server's directory,
// because its user may not write to another.
func (s *Server) exec(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...) //nolint:noctx // Stop and Remove end the process
	cmd.Dir = s.Dir
	cmd.Env = append(os.Environ(), "TMPDIR="+s.Dir)
	return cmd
}

// run runs a program that prepares the directory. If it fails, the server is removed.
func (s *Server) run(program string, args ...string) error {
	cmd := s.exec(program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner, Setpgid: true}
	if out, err := cmd.CombinedOutput(); err != nil {
		s.Remove()
		return fmt.Errorf("dbserver: %s: %w: %s", program, err, out)
	}
	return nil
}

// Start starts the server and waits until ready returns nil. ready tries to connect. A
// server that was stopped may be started again, on the same files.
func (s *Server) Start(ctx context.Context, ready func(context.Context) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.output.Reset()
	cmd := s.exec(s.command[0], s.command[1:]...)
	cmd.Stdout = &s.output
	cmd.Stderr = &s.output
	cmd.SysProcAttr = Attributes(s.owner, s.signal)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("dbserver: %w", err)
	}

	// This goroutine ends with the process, for which Stop waits.
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	s.process = cmd
	s.exited = exited

	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-exited:
			return fmt.Errorf("dbserver: %s ended while it started: %s", s.Name, s.output.String())
		case <-ctx.Done():
			return fmt.Errorf("dbserver: %s does not answer: %w", s.Name, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Signal sends a signal to the server. It does nothing if the server does not run.
func (s *Server) Signal(signal syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		_ = s.process.Process.Signal(signal)
	}
}

// PID returns the process ID of the server, or 0 if it does not run.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return 0
	}
	return s.process.Process.Pid
}

// Stop sends a signal to the server and waits until it has ended.
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

// Remove ends the server and deletes its files.
func (s *Server) Remove() {
	s.Stop(s.signal)
	_ = os.RemoveAll(s.Dir)
}
