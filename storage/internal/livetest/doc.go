// Package livetest holds the stores to their contract on real databases: PostgreSQL, MariaDB and SQLite.
// It is a module of its own, so that drivers are no requirement of the library, and is never released.
//
// The tests start private servers from installed binaries, on Unix sockets in temporary directories and as an unprivileged user,
// and stop them at the end; they need no service that runs already. A test whose server is not installed
// skips and says so, or fails when GRANTWELL_REQUIRE_ALL is set. Linux only.
//
// Long runs:
//
//	go test -run 'TestPostgreSQL/SingleUse' -storagetest.objects=120000 -v
//	go test -run TestKill -kills=20 -v
//	go test -run '^$' -bench .
package livetest
