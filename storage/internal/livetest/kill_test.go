//go:build linux

package livetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/sqlstore"
)

// children returns the processes that this one started.
func children(pid int) []int {
	var list []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		// pid (name) state ppid ...
		fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			child, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if err == nil {
				list = append(list, child)
			}
		}
	}
	return list
}

// kill ends the server and its workers at once, as a crash does.
func (s *server) kill() {
	pid := s.PID()
	_ = syscall.Kill(pid, syscall.SIGSTOP) // it starts no more of them
	workers := children(pid)
	_ = syscall.Kill(pid, syscall.SIGKILL)
	for _, w := range workers {
		_ = syscall.Kill(w, syscall.SIGKILL)
	}
	s.Stop(syscall.SIGKILL)
	_ = os.Remove(filepath.Join(s.Dir, "data", "postmaster.pid"))
}

// underLoad runs eight writers on two stores, which share the tables as two
// instances do, while fault runs. Then it checks the ledger on both.
func underLoad(t *testing.T, d sqlstore.Dialect, driver, dsn string, fault func(l *ledger)) {
	t.Helper()
	p := prefix()
	var stores []storage.Records
	for range 2 {
		s, err := sqlstore.New(t.Context(), open(t, driver, dsn, 8), d, sqlstore.Options{Prefix: p})
		require.NoError(t, err)
		stores = append(stores, s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	l := &ledger{early: d == sqlstore.MySQL}
	for i := range 8 {
		wg.Go(func() { l.work(ctx, stores[i%2]) })
	}
	func() {
		defer wg.Wait()
		defer cancel()
		l.progress(t)
		fault(l)
		l.progress(t)
	}()
	for _, s := range stores {
		l.check(t, s)
	}
}

// progress waits until many more redemptions have been acknowledged.
func (l *ledger) progress(t testing.TB) {
	t.Helper()
	want := l.acked.Load() + 100
	require.Eventually(t, func() bool { return l.acked.Load() >= want }, time.Minute, time.Millisecond, "redemptions go on")
}

// Writes that a database has acknowledged survive its SIGKILL, completely, and
// the others have happened completely or not at all.
//
// Holds: house: durable before the answer; house: fault of a killed database;
// house: one write; house: reuse is remembered; house: revocation has no gap;
// house: unknown outcome; house: used once.
func TestKill_NothingAcknowledgedIsLost(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...string) *server{"PostgreSQL": startPostgres, "MariaDB": startMariaDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			t.Cleanup(s.Remove)
			dialect := map[string]sqlstore.Dialect{"PostgreSQL": sqlstore.PostgreSQL, "MariaDB": sqlstore.MySQL}[name]
			underLoad(t, dialect, s.driver, s.DSN, func(l *ledger) {
				for range *kills {
					s.kill()
					require.NoError(t, s.start())
					l.progress(t)
				}
			})
			t.Logf("%d kills", *kills)
		})
	}
}

// During a restart of the database, orderly or not, calls fail. After it the
// pool recovers by itself.
//
// Holds: house: durable before the answer; house: errors never grant;
// house: fault of a restarted database; house: one write;
// house: revocation has no gap; house: used once.
func TestRestart_PoolHeals(t *testing.T) {
	for name, d := range map[string]struct {
		start   func(testing.TB, ...string) *server
		dialect sqlstore.Dialect
		signals []syscall.Signal
	}{
		"PostgreSQL": {startPostgres, sqlstore.PostgreSQL, []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT}}, // fast, immediate
		"MariaDB":    {startMariaDB, sqlstore.MySQL, []syscall.Signal{syscall.SIGTERM}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := d.start(t)
			t.Cleanup(s.Remove)
			underLoad(t, d.dialect, s.driver, s.DSN, func(l *ledger) {
				for _, signal := range d.signals {
					s.Stop(signal)
					require.NoError(t, s.start())
					up := time.Now()
					l.progress(t)
					t.Logf("100 redemptions more within %v of the start", time.Since(up).Round(time.Millisecond))
				}
			})
		})
	}
}

// A process that uses SQLite may be killed at any moment: the writes that it
// acknowledged are kept, and the others have happened completely or not at all.
//
// Holds: house: durable before the answer; house: fault of a killed server;
// house: one write; house: revocation has no gap; house: used once.
func TestKill_ProcessOnSQLite(t *testing.T) {
	if file := os.Getenv("GRANTWELL_LIVETEST_FILE"); file != "" {
		printRedemptions(t, file)
		return
	}
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "grantwell.db")
	printed, revoked := 0, 0
	for round := range 2 * *kills {
		var out strings.Builder
		cmd := exec.Command(self, "-test.run=^TestKill_ProcessOnSQLite$", "-test.v")
		cmd.Env = append(os.Environ(), "GRANTWELL_LIVETEST_FILE="+file, "GRANTWELL_LIVETEST_ROUND="+strconv.Itoa(round))
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		pipe, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		buf := make([]byte, 4096)
		for lines := 0; lines < 40+17*round; { // somewhere in the middle of the work
			n, err := pipe.Read(buf)
			require.NoError(t, err, out.String())
			out.Write(buf[:n])
			lines += strings.Count(string(buf[:n]), "\n")
		}
		require.NoError(t, cmd.Process.Kill())
		for {
			n, err := pipe.Read(buf)
			out.Write(buf[:n])
			if err != nil {
				break
			}
		}
		_ = cmd.Wait()
		a, b := checkPrinted(t, file, out.String())
		printed, revoked = printed+a, revoked+b
	}
	t.Logf("%d kills, %d redemptions and %d revocations printed: 0 lost, 0 half-issued", 2**kills, printed, revoked)
}

// printRedemptions runs in the child process. It redeems codes without end and
// writes a line for each answer.
func printRedemptions(t *testing.T, file string) {
	s, err := sqlstore.New(t.Context(), open(t, "sqlite", sqliteDSN(file), 4), sqlstore.SQLite, sqlstore.Options{})
	require.NoError(t, err)
	round := os.Getenv("GRANTWELL_LIVETEST_ROUND")
	for n := 0; ; n++ {
		name := fmt.Sprint(round, ".", n)
		code := record(storage.Code, "code"+name, name)
		require.NoError(t, s.Insert(t.Context(), code))
		fmt.Printf("begun %s\n", name)
		require.NoError(t, s.Advance(t.Context(), storage.Active, spent(code), record(storage.Access, "access"+name, name), record(storage.Refresh, "refresh"+name, name)))
		fmt.Printf("redeemed %s\n", name)
		if n%5 == 0 {
			require.NoError(t, s.Revoke(t.Context(), name))
			fmt.Printf("revoked %s\n", name)
		}
	}
}

// checkPrinted compares the output of the child with the file that it left.
func checkPrinted(t *testing.T, file, out string) (redeemed, revoked int) {
	t.Helper()
	s, err := sqlstore.New(t.Context(), open(t, "sqlite", sqliteDSN(file), 4), sqlstore.SQLite, sqlstore.Options{})
	require.NoError(t, err)
	state := func(kind storage.Kind, name string) storage.State {
		r, err := s.Get(t.Context(), kind, storage.Key(name))
		if err != nil {
			require.ErrorIs(t, err, storage.ErrNotFound)
		}
		return r.State
	}
	for line := range strings.Lines(out) {
		word, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.HasSuffix(line, "\n") {
			continue
		}
		code, access, refresh := storage.State(0), storage.State(0), storage.State(0)
		if word == "begun" || word == "redeemed" || word == "revoked" {
			code, access, refresh = state(storage.Code, "code"+name), state(storage.Access, "access"+name), state(storage.Refresh, "refresh"+name)
		}
		switch word {
		case "begun":
			require.NotZero(t, code, name)
			require.Equal(t, code != storage.Active, access != 0, "half of %s", name)
			require.Equal(t, access != 0, refresh != 0, "half of %s", name)
		case "redeemed":
			redeemed++
			require.NotEqual(t, storage.Active, code, "%s is fresh again", name)
			require.NotZero(t, access, name)
		case "revoked":
			revoked++
			require.Equal(t, []storage.State{storage.Revoked, storage.Revoked, storage.Revoked}, []storage.State{code, access, refresh}, name)
		}
	}
	return redeemed, revoked
}
