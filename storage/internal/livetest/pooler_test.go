//go:build linux

package livetest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/sqlstore"
)

// startPooler starts a PgBouncer before the shared PostgreSQL and returns its DSN.
func startPooler(t *testing.T, mode string) string {
	t.Helper()
	binary, err := exec.LookPath("pgbouncer")
	if err != nil {
		binary = "/usr/sbin/pgbouncer"
	}
	if _, err := os.Stat(binary); err != nil {
		t.Skip("skipped: pgbouncer is not installed")
	}

	_, dsn := postgresql.open(t)
	dir, err := os.MkdirTemp("", "pooler")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o777))
	target := strings.NewReplacer(" sslmode=disable", "").Replace(dsn)
	ini := "[databases]\npostgres = " + target + "\n[pgbouncer]\nlisten_addr =\nlisten_port = 6432\nauth_type = any\n" +
		"unix_socket_dir = " + dir + "\npool_mode = " + mode + "\nignore_startup_parameters = extra_float_digits\n"
	file := filepath.Join(dir, "pooler.ini")
	require.NoError(t, os.WriteFile(file, []byte(ini), 0o644))

	cmd := exec.Command(binary, file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Getuid() == 0 { // PgBouncer refuses to run as root; PostgreSQL's user may use its socket
		_, rest, _ := strings.Cut(dsn, "host=")
		info, err := os.Stat(filepath.Join(strings.Fields(rest)[0], "data"))
		require.NoError(t, err)
		owner := info.Sys().(*syscall.Stat_t)
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: owner.Uid, Gid: owner.Gid}
	}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})

	own := "host=" + dir + " port=6432 user=grantwell dbname=postgres sslmode=disable"
	db := open(t, "pgx", own, 1)
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		return db.PingContext(ctx) == nil
	}, deadline, 20*poll)
	require.NoError(t, db.Close())
	return own
}

// New refuses a pooler that loses prepared statements between two transactions, and
// names the setting. One that keeps a connection for a session is suitable.
func TestPooler_RefusedIfItLosesStatements(t *testing.T) {
	t.Parallel()
	for mode, refused := range map[string]bool{"transaction": true, "session": false} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			db := open(t, "pgx", startPooler(t, mode), 4)
			s, err := sqlstore.New(t.Context(), db, sqlstore.PostgreSQL, sqlstore.Options{Prefix: prefix()})
			if refused && err == nil {
				// A later PgBouncer carries the statements over.
				require.NoError(t, s.Insert(t.Context(), record(storage.Access, "a", "g")))
				t.Skip("skipped: this pgbouncer supports prepared statements")
			}
			if refused {
				require.ErrorContains(t, err, "sqlstore: ")
				require.ErrorContains(t, err, "max_prepared_statements")
				require.ErrorContains(t, err, "pool_mode")
				return
			}
			require.NoError(t, err)
			require.NoError(t, s.Insert(t.Context(), record(storage.Access, "a", "g")))
		})
	}
}
