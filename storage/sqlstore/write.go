package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/grantwell/grantwell/storage"
)

// writeAttempts is how often a write is tried that the database undoes again and
// again.
const writeAttempts = 100

// errCommit marks the error of a COMMIT, whose outcome is unknown.
var errCommit = errors.New("commit failed")

// write runs attempt. If the database has undone the write because of another
// one, it runs it again. If the outcome is unknown, it asks settled whether the
// write is there. The errors of package storage are returned unchanged.
func (s *Store) write(ctx context.Context, call string, attempt func() error, settled func() bool) error {
	for n := 1; ; n++ {
		err := attempt()
		switch {
		case err == nil, errors.Is(err, storage.ErrConflict), errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrExists):
			return err
		case s.lang.retryable(err) && !errors.Is(err, errCommit) && n < writeAttempts && pause(ctx, n):
			continue
		case ctx.Err() == nil && settled != nil && settled():
			return nil
		}
		return fmt.Errorf("sqlstore: %s: %w", call, err)
	}
}

// pause waits before the next attempt, longer each time. The time is random, so
// that the writes which met do not meet again. It returns false if the context
// has ended.
func pause(ctx context.Context, n int) bool {
	most := min(time.Millisecond<<min(n, 6), 50*time.Millisecond)
	timer := time.NewTimer(rand.N(most) + time.Millisecond/4)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false // the call's time is over
	case <-timer.C:
		return true
	}
}

// alone runs f while no other call of this store writes, if the database has one
// writer at a time. Waiting here is cheaper and fairer than in SQLite, which
// polls.
func (s *Store) alone(ctx context.Context, f func() error) error {
	if s.writer == nil {
		return f()
	}
	select {
	case s.writer <- struct{}{}:
		defer func() { <-s.writer }()
		return f()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// transaction is one attempt at a write of several statements.
type transaction struct {
	ctx   context.Context
	store *Store
	tx    *sql.Tx

	// missed are the queries that were not prepared.
	missed []string
}

// tx runs f in a transaction and commits it. The first statement of f has to be
// a write: SQLite then waits for its turn. If a transaction reads first, SQLite
// may refuse its first write.
func (s *Store) tx(ctx context.Context, f func(*transaction) error) error {
	return s.txAt(ctx, sql.LevelDefault, f)
}

// txAt is tx at an isolation level.
func (s *Store) txAt(ctx context.Context, level sql.IsolationLevel, f func(*transaction) error) error {
	t := &transaction{ctx: ctx, store: s}
	err := s.alone(ctx, func() error { return t.run(level, f) })
	for _, query := range t.missed {
		_, _ = s.stmt(ctx, query) // prepared for the next transaction
	}
	return err
}

// run works on one connection. If its COMMIT or ROLLBACK fails, the connection
// may still be inside the transaction. It is closed then, so that no later call
// reads on it what was never committed.
func (t *transaction) run(level sql.IsolationLevel, f func(*transaction) error) error {
	conn, err := t.store.db.Conn(t.ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if t.tx, err = conn.BeginTx(t.ctx, &sql.TxOptions{Isolation: level}); err != nil {
		return err
	}
	if err := f(t); err != nil {
		if undo := t.tx.Rollback(); undo != nil && !errors.Is(undo, sql.ErrTxDone) {
			discard(conn)
		}
		return err
	}
	if err := t.tx.Commit(); err != nil {
		discard(conn)
		return fmt.Errorf("%w: %w", errCommit, err)
	}
	return nil
}

// stmt returns the prepared statement of a query, or nil if there is none.
// Preparing it here would need a second connection. If there are as many
// transactions as the pool has connections, none of them would get it.
func (t *transaction) stmt(query string) *sql.Stmt {
	t.store.mu.RLock()
	stmt := t.store.prepared[query]
	t.store.mu.RUnlock()
	if stmt == nil {
		t.missed = append(t.missed, query)
		return nil
	}
	return t.tx.StmtContext(t.ctx, stmt)
}

// exec runs one statement and returns the number of rows that it changed.
func (t *transaction) exec(ctx context.Context, query string, args ...any) (int64, error) {
	var res sql.Result
	var err error
	if stmt := t.stmt(query); stmt != nil {
		res, err = stmt.ExecContext(ctx, args...)
	} else {
		res, err = t.tx.ExecContext(ctx, t.store.lang.placeholders(query), args...)
	}
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// row reads one row.
func (t *transaction) row(query string, args []any, dest ...any) error {
	if stmt := t.stmt(query); stmt != nil {
		return stmt.QueryRowContext(t.ctx, args...).Scan(dest...)
	}
	return t.tx.QueryRowContext(t.ctx, t.store.lang.placeholders(query), args...).Scan(dest...)
}

// taken reports whether an error means that a key is taken.
func (t *transaction) taken(err error) bool { return t.store.lang.taken(err) }

// advance is [storage.Records] Advance in two statements.
func (t *transaction) advance(from storage.State, next storage.Record, inserts []storage.Record, write []byte) error {
	args, err := advanceArgs(from, &next, write)
	if err != nil {
		return err
	}
	table := t.store.table("records")
	n, err := t.exec(t.ctx, "UPDATE "+table+advanceSet, args...)
	if err != nil {
		return err
	}
	// No row changed: the record is not there, or in another state.
	if n == 0 {
		var stored []byte
		err := t.row("SELECT write_id FROM "+table+" WHERE kind = ? AND record_key = ?", []any{string(next.Kind), next.Key}, &stored)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		return refusal(stored, write)
	}
	return t.insert(inserts, write)
}

// insert is [storage.Records] Insert, in statements of at most maxRows records.
func (t *transaction) insert(recs []storage.Record, write []byte) error {
	for len(recs) > 0 {
		n := min(len(recs), maxRows)
		if err := insert(t.ctx, t, t.store.insertQuery(n), recs[:n], write); err != nil {
			return err
		}
		recs = recs[n:]
	}
	return nil
}
