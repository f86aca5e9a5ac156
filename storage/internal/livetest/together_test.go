package livetest

import (
	"database/sql"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage/sqlstore"
)

// Servers that start at the same moment on a new file all get a store. One
// connection at a time can change to the write-ahead log, and SQLite does not
// wait for it.
func TestSQLite_OpensTogether(t *testing.T) {
	t.Parallel()
	for range 40 {
		file := filepath.Join(t.TempDir(), "together.db")
		var all sync.WaitGroup
		errs := make([]error, 6)
		for i := range errs {
			all.Go(func() {
				db, err := sql.Open("sqlite", sqliteDSN(file))
				if err == nil {
					defer db.Close()
					_, err = sqlstore.New(t.Context(), db, sqlstore.SQLite, sqlstore.Options{})
				}
				errs[i] = err
			})
		}
		all.Wait()
		for _, err := range errs {
			require.NoError(t, err)
		}
	}
}
