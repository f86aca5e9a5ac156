//go:build unix

package dbserver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// PostgreSQL makes a server with these settings ("name=value"). Its database is postgres, its one user grantwell.
// It does not run yet.
func PostgreSQL(settings ...string) (*Server, error) {
	s, initdb, err := prepare("PostgreSQL", "initdb", "postgresql", []string{"postgres"},
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")
	if err != nil {
		return nil, err
	}
	data := filepath.Join(s.Dir, "data")
	if err := s.run(initdb, "-D", data, "-U", "grantwell", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"); err != nil {
		return nil, err
	}
	s.command = []string{filepath.Join(filepath.Dir(initdb), "postgres"), "-D", data, "-k", s.Dir, "-c", "listen_addresses=", "-c", "max_connections=200"}
	for _, setting := range settings {
		s.command = append(s.command, "-c", setting)
	}
	s.signal = syscall.SIGQUIT
	s.DSN = "host=" + s.Dir + " port=5432 user=grantwell dbname=postgres sslmode=disable"
	return s, nil
}

// MariaDB makes a server with these further options. Its database is grantwell, its user root, and the character set is not
// UTF-8 unless a table asks for it, as on a host of long ago. It does not run yet.
func MariaDB(options ...string) (*Server, error) {
	const install = "mariadb-install-db"
	if _, err := exec.LookPath(install); err != nil {
		return nil, &NotInstalledError{install, "mariadb-server"}
	}
	s, mariadbd, err := prepare("MariaDB", "mariadbd", "mariadb-server", []string{"mysql"}, "/usr/sbin", "/usr/libexec", "/opt/homebrew/bin")
	if err != nil {
		return nil, err
	}
	data, socket, first := filepath.Join(s.Dir, "data"), filepath.Join(s.Dir, "sock"), filepath.Join(s.Dir, "first.sql")
	if err := os.WriteFile(first, []byte("CREATE DATABASE IF NOT EXISTS grantwell CHARACTER SET latin1;\n"), 0o644); err != nil {
		s.Remove()
		return nil, fmt.Errorf("dbserver: %w", err)
	}
	if err := s.run(install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db"); err != nil {
		return nil, err
	}
	s.command = append([]string{mariadbd, "--no-defaults", "--datadir=" + data, "--socket=" + socket, "--pid-file=" + filepath.Join(s.Dir, "pid"),
		"--skip-networking", "--max-connections=200", "--tmpdir=" + s.Dir, "--init-file=" + first}, options...)
	s.signal = syscall.SIGKILL
	s.DSN = "root@unix(" + socket + ")/grantwell"
	return s, nil
}

// RedisDurable are the settings with which Redis keeps what it has acknowledged.
var RedisDurable = []string{"--appendonly", "yes", "--appendfsync", "always", "--save", ""}

// Redis makes a server with these further options. It does not run yet.
func Redis(options ...string) (*Server, error) {
	s, binary, err := prepare("Redis", "redis-server", "redis-server", []string{"redis"}, "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin")
	if err != nil {
		return nil, err
	}
	s.DSN = filepath.Join(s.Dir, "redis.sock")
	s.command = append([]string{binary, "--port", "0", "--unixsocket", s.DSN, "--dir", s.Dir, "--daemonize", "no"}, options...)
	s.signal = syscall.SIGKILL
	return s, nil
}
