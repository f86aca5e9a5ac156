package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"sync"

	"github.com/grantwell/grantwell/storage"
)

var (
	_ storage.Records      = (*Store)(nil)
	_ storage.Sweeper      = (*Store)(nil)
	_ storage.Lister       = (*Store)(nil)
	_ storage.Registrar    = (*Store)(nil)
	_ storage.Swapper      = (*Store)(nil)
	_ storage.OriginFinder = (*Store)(nil)
)

// Options of [New]. The zero value is the default.
type Options struct {
	// Prefix begins the name of every table: 1 to 30 characters of [a-z0-9_], not a digit first.
	// Empty: "grantwell_". Stores with different prefixes share a database and see nothing of each other.
	Prefix string
	// SkipMigrations leaves the schema alone, for an account that may not change it: New fails unless all of
	// [Migrations] has been applied, by this package elsewhere or by hand.
	SkipMigrations bool
	// AllowDataLoss takes a database that may forget what it has acknowledged (see the package documentation). After a
	// crash a used code can be fresh again and a revoked token valid: for tests, and for data that may be lost.
	AllowDataLoss bool
}

// Store implements [storage.Records], [storage.Sweeper], [storage.Lister], [storage.Registrar],
// [storage.Swapper] and [storage.OriginFinder] on a database. It is safe for concurrent use. The database stays the caller's to close,
// after Close.
type Store struct {
	db     *sql.DB
	lang   *language
	prefix string
	seal   []byte // authenticates cursors, the same on every instance

	writer chan struct{} // holds the one writer of SQLite; nil elsewhere

	mu       sync.RWMutex
	prepared map[string]*sql.Stmt
}

var prefixPattern = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,29}$`)

// New checks the database's settings, brings its schema up to date and returns the store. Instances may start at the
// same moment. It fails when the database is of another dialect, a standby, or may lose what it acknowledges.
func New(ctx context.Context, db *sql.DB, d Dialect, o Options) (*Store, error) {
	lang, ok := languages[d]
	if !ok {
		return nil, fmt.Errorf("sqlstore: %q is not a dialect", string(d))
	}
	if db == nil {
		return nil, errors.New("sqlstore: no database")
	}
	if o.Prefix == "" {
		o.Prefix = "grantwell_"
	}
	if !prefixPattern.MatchString(o.Prefix) {
		return nil, fmt.Errorf("sqlstore: prefix %q is not 1 to 30 characters of [a-z0-9_] without a digit first", o.Prefix)
	}
	s := &Store{db: db, lang: lang, prefix: o.Prefix, prepared: map[string]*sql.Stmt{}}
	if lang.singleWriter {
		s.writer = make(chan struct{}, 1)
	}
	if err := lang.check(ctx, db, o.AllowDataLoss); err != nil {
		return nil, err
	}
	if err := s.migrate(ctx, o.SkipMigrations); err != nil {
		return nil, err
	}
	if err := s.loadSeal(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Close releases the prepared statements. The database stays open. Calls that come later fail or prepare again.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for query, stmt := range s.prepared {
		errs = append(errs, stmt.Close())
		delete(s.prepared, query)
	}
	return errors.Join(errs...)
}

// table returns a table's name.
func (s *Store) table(name string) string { return s.prefix + name }

// stmt returns the query as a prepared statement, which is made at its first use and serves every connection.
// Queries are few: their texts depend on the shape of a call, never on its values.
func (s *Store) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.RLock()
	stmt := s.prepared[query]
	s.mu.RUnlock()
	if stmt != nil {
		return stmt, nil
	}
	stmt, err := s.db.PrepareContext(ctx, s.lang.placeholders(query))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if first := s.prepared[query]; first != nil { // somebody else was faster
		_ = stmt.Close()
		return first, nil
	}
	s.prepared[query] = stmt
	return stmt, nil
}

// exec runs one statement that commits by itself, and returns how many rows it changed.
func (s *Store) exec(ctx context.Context, query string, args ...any) (int64, error) {
	stmt, err := s.stmt(ctx, query)
	if err != nil {
		return 0, err
	}
	res, err := stmt.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// row reads one row.
func (s *Store) row(ctx context.Context, query string, args []any, dest ...any) error {
	stmt, err := s.stmt(ctx, query)
	if err != nil {
		return err
	}
	return stmt.QueryRowContext(ctx, args...).Scan(dest...)
}

// read is row for a question that may be asked twice: the pool may hold a connection that died with a restarted database.
func (s *Store) read(ctx context.Context, query string, args []any, dest ...any) error {
	for attempt := 0; ; attempt++ {
		err := s.row(ctx, query, args, dest...)
		if err == nil || errors.Is(err, sql.ErrNoRows) || ctx.Err() != nil || attempt == readAttempts-1 {
			return err
		}
	}
}

const readAttempts = 3
