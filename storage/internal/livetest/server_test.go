//go:build linux

package livetest

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"
)

// server is a private database server.
type server struct {
	name    string
	driver  string
	dsn     string
	dir     string
	command []string
	owner   *syscall.Credential // nil: who runs the test
	signal  syscall.Signal      // ends the server when the test's process has died

	mu      sync.Mutex
	process *exec.Cmd
	exited  chan struct{}
	output  bytes.Buffer
}

// unneeded skips the test, or fails it where everything has to be there.
func unneeded(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("GRANTWELL_REQUIRE_ALL") != "" {
		t.Fatalf("GRANTWELL_REQUIRE_ALL is set: "+format, args...)
	}
	t.Skipf("skipped: "+format, args...)
}

// program finds an installed binary, the newest of several.
func program(t testing.TB, name, pack string, patterns ...string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	var found []string
	for _, p := range patterns {
		paths, err := filepath.Glob(filepath.Join(p, name))
		require.NoError(t, err)
		found = append(found, paths...)
	}
	if len(found) == 0 {
		unneeded(t, "%s is not installed (Debian package %s)", name, pack)
	}
	return slices.Max(found)
}

// unprivileged returns whom a server runs as: the first of these users if the test is root's, which servers refuse.
func unprivileged(t testing.TB, names ...string) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	for _, n := range append(names, "nobody") {
		u, err := user.Lookup(n)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		require.NoError(t, err)
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		require.NoError(t, err)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	unneeded(t, "root's tests need one of the users %v or nobody", names)
	return nil
}

// ownDir makes a directory of the server's user with a name short enough for a socket.
func ownDir(t testing.TB, owner *syscall.Credential) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gwlive")
	require.NoError(t, err)
	if owner != nil {
		require.NoError(t, os.Chown(dir, int(owner.Uid), int(owner.Gid)))
	}
	return dir
}

func (s *server) run(t testing.TB, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s: %s", name, out)
}

// start starts the server and waits until it answers.
func (s *server) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	cmd := exec.Command(s.command[0], s.command[1:]...)
	cmd.Dir = s.dir
	cmd.Stdout, cmd.Stderr = &s.output, &s.output
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner, Pdeathsig: s.signal, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	s.process, s.exited = cmd, exited
	db, err := sql.Open(s.driver, s.dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		if err = db.PingContext(ctx); err == nil {
			return nil
		}
		select {
		case <-exited:
			return fmt.Errorf("%s ended at its start: %s", s.name, s.output.String())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", s.name, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// stop sends the signal and waits for the end.
func (s *server) stop(signal syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return
	}
	_ = s.process.Process.Signal(signal)
	<-s.exited
	s.process = nil
}

// remove stops the server for good.
func (s *server) remove() {
	s.stop(s.signal)
	_ = os.RemoveAll(s.dir)
}

// startPostgres starts a server of its own with further settings.
func startPostgres(t testing.TB, settings ...string) *server {
	t.Helper()
	initdb := program(t, "initdb", "postgresql", "/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
	owner := unprivileged(t, "postgres")
	s := &server{name: "PostgreSQL", driver: "pgx", owner: owner, dir: ownDir(t, owner), signal: syscall.SIGQUIT}
	data := filepath.Join(s.dir, "data")
	s.run(t, initdb, "-D", data, "-U", "grantwell", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	s.command = []string{filepath.Join(filepath.Dir(initdb), "postgres"), "-D", data, "-k", s.dir, "-c", "listen_addresses=", "-c", "max_connections=200"}
	for _, setting := range settings {
		s.command = append(s.command, "-c", setting)
	}
	s.dsn = "host=" + s.dir + " port=5432 user=grantwell dbname=postgres sslmode=disable"
	require.NoError(t, s.start())
	return s
}

// startMariaDB starts a server of its own.
func startMariaDB(t testing.TB, settings ...string) *server {
	t.Helper()
	mariadbd := program(t, "mariadbd", "mariadb-server", "/usr/sbin", "/usr/libexec")
	install := program(t, "mariadb-install-db", "mariadb-server", "/usr/bin")
	owner := unprivileged(t, "mysql")
	s := &server{name: "MariaDB", driver: "mysql", owner: owner, dir: ownDir(t, owner), signal: syscall.SIGKILL}
	data, socket := filepath.Join(s.dir, "data"), filepath.Join(s.dir, "sock")
	s.run(t, install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db")
	s.command = append([]string{mariadbd, "--no-defaults", "--datadir=" + data, "--socket=" + socket, "--pid-file=" + filepath.Join(s.dir, "pid"),
		"--skip-networking", "--max-connections=200", "--tmpdir=" + s.dir}, settings...)
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr, c.DBName = "root", "unix", socket, "mysql"
	s.dsn = c.FormatDSN()
	require.NoError(t, s.start())
	db, err := sql.Open(s.driver, s.dsn)
	require.NoError(t, err)
	defer db.Close()
	_, err = db.Exec("CREATE DATABASE grantwell CHARACTER SET latin1") // whatever a host has
	require.NoError(t, err)
	c.DBName = "grantwell"
	s.dsn = c.FormatDSN()
	return s
}

// sqliteDSN is how the documentation says that a file is opened.
func sqliteDSN(file string) string {
	return "file:" + file + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate"
}

// open opens a pool that the test closes.
func open(t testing.TB, driver, dsn string, conns int) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Servers that tests share, each with tables of its own.
var shared struct {
	sync.Mutex
	servers map[string]*server
}

func sharedServer(t testing.TB, name string, start func(testing.TB, ...string) *server) *server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if s := shared.servers[name]; s != nil {
		return s
	}
	if shared.servers == nil {
		shared.servers = map[string]*server{}
	}
	s := start(t)
	shared.servers[name] = s
	return s
}

func TestMain(m *testing.M) {
	_ = mysql.SetLogger(&mysql.NopLogger{}) // servers are killed here all the time
	code := m.Run()
	for _, s := range shared.servers {
		s.remove()
	}
	os.Exit(code)
}
