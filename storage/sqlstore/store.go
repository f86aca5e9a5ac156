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

// Options are the settings of a store. The zero value is the default.
type Options struct {
	// Prefix begins the name of every table: 1 to 30 characters of [a-z0-9_],
	// the first one no digit. Empty means "grantwell_". Stores with different
	// prefixes are independent in one database.
	Prefix string

	// SkipMigrations leaves the schema as it is, for an account that may not
	// change it. New then fails unless all of [Migrations] have been applied,
	// by this package elsewhere or by hand.
	SkipMigrations bool

	// AllowDataLoss accepts a database that may lose writes which it has
	// acknowledged: see the package documentation. After a crash, a spent code
	// may be active again and a revoked token valid. It is for tests, and for
	// data that may be lost.
	AllowDataLoss bool
}

// Store implements [storage.Records], [storage.Sweeper], [storage.Lister],
// [storage.Registrar], [storage.Swapper] and [storage.OriginFinder] on a
// database. It is safe for concurrent use. The caller closes the database, after
// Close.
type Store struct {
	db     *sql.DB
	lang   *language
	prefix string

	// seal authenticates cursors. It is the same on every instance.
	seal []byte

	// writer has room for the one writer of SQLite. It is nil for other
	// databases.
	writer chan struct{}

	mu       sync.RWMutex
	prepared map[string]*sql.Stmt
}

// readAttempts is how often a query is tried. The pool drops a broken connection,
// so the next attempt gets another one.
const readAttempts = 3

// prefixPattern is what a prefix may be. It becomes a part of statements, so
// nothing may need quotes.
var prefixPattern = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,29}$`)

// New checks the settings of the database, brings its schema up to date and
// returns the store. Several instances may start at the same time. It fails if
// the database is of another dialect, is a standby, or may lose what it
// acknowledges.
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
	s := &Store{
		db:       db,
		lang:     lang,
		prefix:   o.Prefix,
		prepared: map[string]*sql.Stmt{},
	}
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

// Close releases the prepared statements. The database stays open. A later call
// fails or prepares its statement again.
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

// table returns the full name of a table.
func (s *Store) table(name string) string { return s.prefix + name }

// stmt returns the prepared statement of a query. It is prepared at its first use
// and serves every connection. There are few queries: their texts depend on the
// form of a call, never on its values.
func (s *Store) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.RLock()
	stmt := s.prepared[query]
	s.mu.RUnlock()
	if stmt != nil {
		return stmt, nil
	}

	// Prepared without the lock, because it is a round trip.
	stmt, err := s.db.PrepareContext(ctx, s.lang.placeholders(query))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if first := s.prepared[query]; first != nil { // another call was faster
		_ = stmt.Close()
		return first, nil
	}
	s.prepared[query] = stmt
	return stmt, nil
}

// exec runs one statement in a transaction of its own, and returns the number of
// rows that it changed.
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

// read is row with further attempts, for queries that change nothing. The pool
// may have a connection that broke when the database restarted.
func (s *Store) read(ctx context.Context, query string, args []any, dest ...any) error {
	for attempt := 0; ; attempt++ {
		err := s.row(ctx, query, args, dest...)
		if err == nil || errors.Is(err, sql.ErrNoRows) || ctx.Err() != nil || attempt == readAttempts-1 {
			return err
		}
	}
}
