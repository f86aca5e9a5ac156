// Package sqlstore keeps records and clients in PostgreSQL, MySQL or MariaDB, or
// SQLite, through any driver of database/sql.
//
//	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL"))
//	...
//	store, err := sqlstore.New(ctx, db, sqlstore.PostgreSQL, sqlstore.Options{})
//
// The package imports no driver. The host chooses one, opens the database and
// sets the size of its pool. Set SetMaxOpenConns: without a bound, a slow
// database gets more and more connections, which makes it slower.
//
// Statements are prepared. A pooler between the host and PostgreSQL that assigns
// a connection for each transaction has to support prepared statements, as
// PgBouncer 1.21 does with max_prepared_statements above 0. [New] refuses another
// one, if the pool of the host has more than one connection. With an older
// PgBouncer, set pool_mode = session.
//
// # Schema
//
// The tables are in schema/DIALECT/*.sql, and [New] creates them. Migrations are
// numbered, and each is applied once. Instances that start at the same time wait
// for each other. If a start is killed during a migration, the next start
// completes it.
//
// # Clients
//
// A client is stored as one JSON document, that of [storage.Client], with the
// version of the document as its first member "v". A document of another version
// is refused with an error and never read: register the client again with
// PutClient, which replaces the document.
//
// # Durability
//
// A crash must not undo what the server has answered: an attacker could use a
// spent code again. New therefore refuses
//
//   - PostgreSQL with synchronous_commit, fsync or full_page_writes off,
//   - PostgreSQL with zero_damaged_pages, ignore_checksum_failure or data_sync_retry
//     on,
//   - PostgreSQL with synchronous_commit = local and synchronous_standby_names,
//   - MySQL with innodb_flush_log_at_trx_commit other than 1, with innodb_doublewrite
//     off, with an innodb_flush_method that does not sync, or with
//     innodb_force_recovery above 0,
//   - MySQL with a binary log and sync_binlog other than 1, or sql_log_bin off,
//   - SQLite with synchronous below FULL or a journal other than WAL,
//
// unless [Options].AllowDataLoss is set. It refuses in any case
//
//   - a server that is read-only,
//   - MySQL with autocommit off, a completion_type other than NO_CHAIN, the isolation
//     READ-UNCOMMITTED, an sql_mode that is not strict, unique_checks off, or an
//     sql_select_limit, and
//   - SQLite with read_uncommitted or query_only on.
//
// These are the settings of a session, so that a DSN can set them. New asks one
// connection: every connection of the pool has to have the same.
//
// New cannot ask whether a replica will be promoted. One that receives writes
// asynchronously may lack some that were acknowledged. Where replicas are promoted,
// set synchronous_standby_names of PostgreSQL, or semisynchronous replication of
// MySQL with AFTER_SYNC.
//
// # The DSN of SQLite
//
// Settings of SQLite belong to one connection. They have to be in the DSN, so
// that every connection of the pool has them. With modernc.org/sqlite:
//
//	file:/var/lib/app/oauth.db?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate
//
// On macOS a sync leaves data in the cache of the drive: add _pragma=fullfsync(1).
//
// With github.com/mattn/go-sqlite3:
//
//	file:/var/lib/app/oauth.db?_busy_timeout=5000&_journal_mode=WAL&_synchronous=FULL&_txlock=immediate
//
// # Retries
//
// The database may undo a write because of another one: a serialization failure,
// a deadlock, or a busy file. The store tries such a write again, as long as its
// COMMIT was not sent.
//
// If the connection breaks and it is unknown whether a write happened, the store
// looks: every write leaves an identifier of its own in its rows. If the store
// finds it, the call succeeds. Otherwise the call fails. Such a write is never
// tried again.
package sqlstore
