//go:build linux

package livetest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/sqlstore"
)

// BenchmarkDatabases measures the calls of a code exchange, a refresh and an
// introspection, and compares them with the driver alone, which runs the same
// statements, prepared by hand, on the same tables. The two take turns, so that
// other load on the machine affects both. "ratio" is the time of the store
// divided by that of the driver, "driver-ns/op" that of the driver.
func BenchmarkDatabases(b *testing.B) {
	for _, d := range databases {
		b.Run(d.name, func(b *testing.B) {
			name, dsn := d.open(b)
			db := open(b, name, dsn, 4)
			p := prefix()
			s, err := sqlstore.New(b.Context(), db, d.dialect, sqlstore.Options{Prefix: p})
			require.NoError(b, err)
			bare := newBare(b, db, d.dialect, p)
			exchange := func(records storage.Records) func() func() error {
				return func() func() error {
					n := rand.Text()
					code := record(storage.Code, "code"+n, n)
					require.NoError(b, s.Insert(b.Context(), code))
					access, refresh := record(storage.Access, "access"+n, n), record(storage.Refresh, "refresh"+n, n)
					return func() error { return records.Advance(b.Context(), storage.Active, spent(code), access, refresh) }
				}
			}
			rotation := func(records storage.Records) func() func() error {
				return func() func() error {
					n := rand.Text()
					old := record(storage.Refresh, "old"+n, n)
					require.NoError(b, s.Insert(b.Context(), old, record(storage.Access, "oldaccess"+n, n)))
					access, refresh := record(storage.Access, "access"+n, n), record(storage.Refresh, "refresh"+n, n)
					return func() error { return records.Advance(b.Context(), storage.Active, spent(old), access, refresh) }
				}
			}
			token := record(storage.Access, "token", "g")
			require.NoError(b, s.Insert(b.Context(), token))
			introspection := func(records storage.Records) func() func() error {
				return func() func() error {
					return func() error { _, err := records.Get(b.Context(), token.Kind, token.Key); return err }
				}
			}
			b.Run("CodeExchange", func(b *testing.B) { beside(b, exchange(s), exchange(bare)) })
			b.Run("Refresh", func(b *testing.B) { beside(b, rotation(s), rotation(bare)) })
			b.Run("Get", func(b *testing.B) { beside(b, introspection(s), introspection(bare)) })
		})
	}
}

// beside measures two ways to do the same work, in turns. Each of them prepares
// an operation first and returns the time of the operation alone.
func beside(b *testing.B, store, driver func() func() error) {
	var ours, theirs time.Duration
	turn := func(prepare func() func() error, total *time.Duration) {
		run := prepare()
		start := time.Now()
		err := run()
		*total += time.Since(start)
		require.NoError(b, err)
	}
	for range 20 { // statements are prepared, pages are there
		turn(store, new(time.Duration))
		turn(driver, new(time.Duration))
	}
	n := 0
	for b.Loop() {
		turn(store, &ours)
		turn(driver, &theirs)
		n++
	}
	b.ReportMetric(0, "ns/op") // of both together: says nothing
	b.ReportMetric(float64(ours.Nanoseconds())/float64(n), "store-ns/op")
	b.ReportMetric(float64(theirs.Nanoseconds())/float64(n), "driver-ns/op")
	b.ReportMetric(float64(ours)/float64(theirs), "ratio")
}

// bare runs the statements that the store runs for a Get, and for an Advance
// with two inserts.
type bare struct {
	storage.Records
	dialect              sqlstore.Dialect
	db                   *sql.DB
	get, advance, insert *sql.Stmt
}

func newBare(b *testing.B, db *sql.DB, d sqlstore.Dialect, prefix string) *bare {
	b.Helper()
	table := prefix + "records"
	prepare := func(query string) *sql.Stmt {
		if d == sqlstore.PostgreSQL {
			for n := 1; strings.Contains(query, "?"); n++ {
				query = strings.Replace(query, "?", fmt.Sprint("$", n), 1)
			}
		}
		stmt, err := db.PrepareContext(b.Context(), query)
		require.NoError(b, err)
		b.Cleanup(func() { _ = stmt.Close() })
		return stmt
	}
	update := "UPDATE " + table + " SET state = ?, data = ?, write_id = ? WHERE kind = ? AND record_key = ? AND state = ?"
	row := "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	insert := "INSERT INTO " + table + " (kind, record_key, state, grant_id, client_id, subject, scope, audience, issued_at, expires_at, data, write_id) "
	bare := &bare{dialect: d, db: db,
		get: prepare("SELECT state, grant_id, client_id, subject, scope, audience, issued_at, expires_at, data FROM " + table + " WHERE kind = ? AND record_key = ?")}
	if d == sqlstore.PostgreSQL {
		row = "(?::text, ?::text, ?::smallint, ?::text, ?::text, ?::text, ?::text, ?::text, ?::bigint, ?::bigint, ?::bytea, ?::bytea)"
		bare.advance = prepare("WITH moved AS (" + update + " RETURNING 1), added AS (" + insert + "SELECT * FROM (VALUES " + row + ", " + row + ") AS v WHERE EXISTS (SELECT 1 FROM moved)) " +
			"SELECT count(*) FROM moved")
		return bare
	}
	bare.advance, bare.insert = prepare(update), prepare(insert+"VALUES "+row+", "+row)
	return bare
}

func rowOf(r storage.Record, id []byte) []any {
	scope, _ := json.Marshal(r.Scope)
	audience, _ := json.Marshal(r.Audience)
	return []any{string(r.Kind), r.Key, int64(r.State), r.GrantID, r.ClientID, r.Subject, string(scope), string(audience),
		r.IssuedAt.UnixMicro(), r.ExpiresAt.UnixMicro(), r.Data, id}
}

func (b *bare) Get(ctx context.Context, kind storage.Kind, key string) (r storage.Record, err error) {
	var scope, audience []byte
	var issued int64
	var expires *int64
	err = b.get.QueryRowContext(ctx, string(kind), key).Scan(&r.State, &r.GrantID, &r.ClientID, &r.Subject, &scope, &audience, &issued, &expires, &r.Data)
	return r, err
}

func (b *bare) Advance(ctx context.Context, from storage.State, next storage.Record, inserts ...storage.Record) error {
	id := make([]byte, 16)
	_, _ = rand.Read(id)
	move := []any{int64(next.State), next.Data, id, string(next.Kind), next.Key, int64(from)}
	add := append(rowOf(inserts[0], id), rowOf(inserts[1], id)...)
	if b.dialect == sqlstore.PostgreSQL {
		var n int64
		return b.advance.QueryRowContext(ctx, append(move, add...)...).Scan(&n)
	}
	tx, err := b.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.StmtContext(ctx, b.advance).ExecContext(ctx, move...); err != nil {
		return err
	}
	if _, err := tx.StmtContext(ctx, b.insert).ExecContext(ctx, add...); err != nil {
		return err
	}
	return tx.Commit()
}
