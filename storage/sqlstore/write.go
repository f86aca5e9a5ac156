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

// writeAttempts bounds how often a write is tried that the database keeps undoing.
const writeAttempts = 100

// errCommit marks a COMMIT whose outcome is not known.
var errCommit = errors.New("commit failed")

// write runs attempt, again when the database says that it has undone it for the sake of another, and asks settled when
// the outcome is not known. The contract's own errors pass unchanged.
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

// pause waits before the next attempt, longer each time and never as long as the others who try. It returns false when
// the call's time is over.
func pause(ctx context.Context, n int) bool {
	most := min(time.Millisecond<<min(n, 6), 50*time.Millisecond)
	timer := time.NewTimer(rand.N(most) + time.Millisecond/4)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// alone runs f while no other call of this store writes, where the database has one writer: waiting here is
// cheaper and fairer than in the database, which polls.
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

// transaction is one attempt at several statements.
type transaction struct {
	ctx    context.Context
	store  *Store
	tx     *sql.Tx
	missed []string // queries that were not prepared
}

// tx runs f in a transaction and commits it. The first statement of f has to be a write: SQLite then waits
// for its turn instead of failing at the step from reading to writing.
func (s *Store) tx(ctx context.Context, f func(*transaction) error) error {
	return s.txAt(ctx, sql.LevelDefault, f)
}

// txAt is tx at an isolation level.
func (s *Store) txAt(ctx context.Context, level sql.IsolationLevel, f func(*transaction) error) error {
	t := &transaction{ctx: ctx, store: s}
	err := s.alone(ctx, func() error { return t.run(level, f) })
	for _, query := range t.missed {
		_, _ = s.stmt(ctx, query) // for the next time
	}
	return err
}

// run works on one connection of its own. One whose COMMIT or ROLLBACK has failed may still be inside the
// transaction: it is closed, so that nobody reads there what was never committed.
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

// stmt returns a prepared statement if there is one. Preparing it here would take a second connection: with
// as many transactions as the pool has connections, none would ever get it.
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

func (t *transaction) row(query string, args []any, dest ...any) error {
	if stmt := t.stmt(query); stmt != nil {
		return stmt.QueryRowContext(t.ctx, args...).Scan(dest...)
	}
	return t.tx.QueryRowContext(t.ctx, t.store.lang.placeholders(query), args...).Scan(dest...)
}

func (t *transaction) lost(err error) bool { return t.store.lang.taken(err) }

// advance is the contract's Advance.
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
	if n == 0 {
		var stored []byte
		err := t.row("SELECT write_id FROM "+table+" WHERE kind = ? AND record_key = ?", []any{string(next.Kind), next.Key}, &stored)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		return refused(stored, write)
	}
	return t.insert(inserts, write)
}

// insert is the contract's Insert.
func (t *transaction) insert(recs []storage.Record, write []byte) error {
	for len(recs) > 0 {
		n := min(len(recs), most)
		if err := insert(t.ctx, t, t.store.insertQuery(n), recs[:n], write); err != nil {
			return err
		}
		recs = recs[n:]
	}
	return nil
}
