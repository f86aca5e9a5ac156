//go:build unix

package dbserver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// PostgreSQL makes a PostgreSQL server with these settings, each as "name=value". Its
// database is postgres and its user grantwell. The server does not run yet.
func PostgreSQL(settings ...string) (*Server, error) {
	s, initdb, err := prepare("PostgreSQL", "initdb", "postgresql", []string{"postgres"},
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")
	if err != nil {
		return nil, err
	}

	// The files need not survive a crash of the machine.
	data := filepath.Join(s.Dir, "data")
	err = s.run(initdb, "-D", data, "-U", "grantwell", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if err != nil {
		return nil, err
	}

	// initdb is in the PATH of many systems, and postgres beside it is not.
	postgres := filepath.Join(filepath.Dir(initdb), "postgres")
	s.command = []string{
		postgres,
		"-D", data,
		"-k", s.Dir,
		"-c", "listen_addresses=",
		"-c", "max_connections=200",
	}
	for _, setting := range settings {
		s.command = append(s.command, "-c", setting)
	}
	s.signal = syscall.SIGQUIT
	s.DSN = "host=" + s.Dir + " port=5432 user=grantwell dbname=postgres sslmode=disable"
	return s, nil
}

// MariaDB makes a MariaDB server with these further options. Its database is grantwell and
// its user root. The database's character set is latin1, as on old installations, so that a
// table without its own character set fails a test. The server does not run yet.
func MariaDB(options ...string) (*Server, error) {
	const install = "mariadb-install-db"
	if _, err := exec.LookPath(install); err != nil {
		return nil, &NotInstalledError{install, "mariadb-server"}
	}
	s, mariadbd, err := prepare("MariaDB", "mariadbd", "mariadb-server", []string{"mysql"},
		"/usr/sbin", "/usr/libexec", "/opt/homebrew/bin")
	if err != nil {
		return nil, err
	}

	const create = "CREATE DATABASE IF NOT EXISTS grantwell CHARACTER SET latin1;\n"
	data := filepath.Join(s.Dir, "data")
	socket := filepath.Join(s.Dir, "sock")
	initFile := filepath.Join(s.Dir, "first.sql")
	if err := os.WriteFile(initFile, []byte(create), 0o644); err != nil {
		s.Remove()
		return nil, fmt.Errorf("dbserver: %w", err)
	}
	err = s.run(install, "--no-defaults", "--datadir="+data,
		"--auth-root-authentication-method=normal", "--skip-test-db")
	if err != nil {
		return nil, err
	}

	s.command = []string{
		mariadbd,
		"--no-defaults",
		"--datadir=" + data,
		"--socket=" + socket,
		"--pid-file=" + filepath.Join(s.Dir, "pid"),
		"--skip-networking",
		"--max-connections=200",
		"--tmpdir=" + s.Dir,
		"--init-file=" + initFile,
	}
	s.command = append(s.command, options...)
	s.signal = syscall.SIGKILL
	s.DSN = "root@unix(" + socket + ")/grantwell"
	return s, nil
}

// RedisDurable are the options with which Redis writes to the disk before it acknowledges
// a write.
var RedisDurable = []string{"--appendonly", "yes", "--appendfsync", "always", "--save", ""}

// Redis makes a Redis server with these further options. The server does not run yet.
func Redis(options ...string) (*Server, error) {
	s, redis, err := prepare("Redis", "redis-server", "redis-server", []string{"redis"},
		"/usr/bin", "/usr/local/bin", "/opt/homebrew/bin")
	if err != nil {
		return nil, err
	}
	s.DSN = filepath.Join(s.Dir, "redis.sock")
	s.command = []string{
		redis,
		"--port", "0",
		"--unixsocket", s.DSN,
		"--dir", s.Dir,
		"--daemonize", "no",
	}
	s.command = append(s.command, options...)
	s.signal = syscall.SIGKILL
	return s, nil
}
