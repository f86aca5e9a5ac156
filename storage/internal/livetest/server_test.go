//go:build linux

package livetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/grantwell/grantwell/internal/dbserver"
)

// server is a private database server, with what is needed to open it.
type server struct {
	*dbserver.Server
	driver string
}

// unneeded skips the test, or fails it if every server is required.
func unneeded(t testing.TB, err error) {
	t.Helper()
	if missing := new(dbserver.NotInstalledError); !errors.As(err, &missing) {
		require.NoError(t, err)
		return
	}
	if os.Getenv("GRANTWELL_REQUIRE_ALL") != "" {
		t.Fatalf("GRANTWELL_REQUIRE_ALL is set: %v", err)
	}
	skipped.Lock()
	skipped.tests[err.Error()]++
	skipped.Unlock()
	t.Skipf("skipped: %v", err)
}

// skipped collects the servers that are not installed. It is printed at the
// end, because go test shows skipped tests only with -v.
var skipped = struct {
	sync.Mutex
	tests map[string]int
}{tests: make(map[string]int)}

// start starts the server and waits until it answers.
func (s *server) start() error {
	db, err := sql.Open(s.driver, s.DSN)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return s.Start(ctx, db.PingContext)
}

// startPostgres starts a private server with further settings.
func startPostgres(t testing.TB, settings ...string) *server {
	t.Helper()
	s, err := dbserver.PostgreSQL(settings...)
	return started(t, s, "pgx", err)
}

// startMariaDB starts a private server.
func startMariaDB(t testing.TB, settings ...string) *server {
	t.Helper()
	s, err := dbserver.MariaDB(settings...)
	return started(t, s, "mysql", err)
}

func started(t testing.TB, s *dbserver.Server, driver string, err error) *server {
	t.Helper()
	unneeded(t, err)
	own := &server{s, driver}
	require.NoError(t, own.start())
	return own
}

// sqliteDSN returns a DSN as the documentation has it.
func sqliteDSN(file string) string {
	return "file:" + file + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate"
}

// open opens a pool, which is closed at the end of the test.
func open(t testing.TB, driver, dsn string, conns int) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// The servers that tests share. Each test has tables of its own.
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
		s.Remove()
	}
	for _, why := range slices.Sorted(maps.Keys(skipped.tests)) {
		fmt.Printf("skipped %d tests: %s\n", skipped.tests[why], why)
	}
	os.Exit(code)
}
