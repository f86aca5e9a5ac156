// Package livetest tests the stores on real databases: PostgreSQL, MariaDB,
// SQLite and Redis.
//
// It is a module of its own, so that the library does not require the drivers. It
// is never released.
//
// The tests start private servers from installed programs, on Unix sockets in
// temporary directories, as an unprivileged user, and stop them at the end. They
// need no service that runs already. A test whose server is not installed is
// skipped and logs that, or fails if GRANTWELL_REQUIRE_ALL is set. Linux only.
//
// Long runs:
//
//	go test -run 'TestPostgreSQL/SingleUse' -storagetest.objects=120000 -v
//	go test -run TestKill -kills=20 -v
//	go test -run TestPowerCut -cuts=1000 -v
//	go test -run '^$' -bench .
package livetest
