// Package sqlstore keeps records and clients in PostgreSQL, MySQL or MariaDB, or SQLite, through any driver of database/sql.
//
//	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL"))
//	...
//	store, err := sqlstore.New(ctx, db, sqlstore.PostgreSQL, sqlstore.Options{})
//
// The package imports no driver: the host chooses one, opens the database and sizes its pool. Set SetMaxOpenConns:
// a pool without a bound turns a slow database into a crowd of connections. Statements are prepared, so a pooler between the
// host and PostgreSQL that hands out a connection for each transaction has to support prepared statements (PgBouncer 1.21).
//
// # Schema
//
// The tables are in schema/DIALECT/*.sql, and [New] creates them. Steps are numbered and applied once; instances that
// start together wait for each other; a start that is killed midway is taken up by the next one.
//
// A client is stored as one JSON document, the one of [storage.Client], with the version of the document as its first member
// "v". A document of another version is refused with an error, never read: register the client again with PutClient,
// which replaces it.
//
// # Durability
//
// What a server has answered must outlive a crash: a used code that is fresh again is an attacker's second
// chance. New therefore refuses, unless [Options].AllowDataLoss says so,
//
//   - PostgreSQL with synchronous_commit, fsync or full_page_writes off,
//   - MySQL with innodb_flush_log_at_trx_commit other than 1,
//   - SQLite with synchronous below FULL or a journal other than WAL.
//
// # SQLite's DSN
//
// SQLite's settings belong to a connection, so the DSN carries them to each one that the pool opens. With modernc.org/sqlite:
//
//	file:/var/lib/app/oauth.db?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate
//
// With github.com/mattn/go-sqlite3:
//
//	file:/var/lib/app/oauth.db?_busy_timeout=5000&_journal_mode=WAL&_synchronous=FULL&_txlock=immediate
//
// # When the database undoes a write
//
// A write that the database undid for another's sake (serialization failure, deadlock, busy file) is tried again, as long
// as its COMMIT was not sent. When the connection breaks and nobody knows whether a write happened, the store looks: each write
// leaves an identifier of its own in its rows. If it finds it, the call has succeeded; otherwise it fails. It is never tried again.
package sqlstore
