//go:build linux

package livetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/sqlstore"
)

// The two directions of a connection.
const (
	toServer = iota
	toClient
)

// wire forwards a Unix socket, and cuts the connection after a given number of
// bytes.
type wire struct {
	net.Listener
	target string

	mu      sync.Mutex
	conns   map[net.Conn]bool
	armed   bool
	way     int
	left    int
	keepCut bool // until arm or heal: all connections, and new ones
	down    bool
	wasCut  bool
}

// newWire listens in a directory of the test, under the name that clients of
// the database expect.
func newWire(t testing.TB, socket string) *wire {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), filepath.Base(socket)))
	require.NoError(t, err)
	w := &wire{Listener: l, target: socket, conns: map[net.Conn]bool{}}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("unix", w.target)
			if err != nil || !w.admit(client, server) {
				_ = client.Close()
				if err == nil {
					_ = server.Close()
				}
				continue
			}
			go w.relay(server, client, toServer)
			go w.relay(client, server, toClient)
		}
	}()
	return w
}

func (w *wire) admit(ends ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range ends {
		w.conns[c] = true
	}
	return !w.down
}

func (w *wire) relay(to, from net.Conn, way int) {
	defer func() {
		_, _ = to.Close(), from.Close()
		w.mu.Lock()
		delete(w.conns, to)
		delete(w.conns, from)
		w.mu.Unlock()
	}()
	buf := make([]byte, 1<<16)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		n, cut := w.count(way, n)
		if _, err := to.Write(buf[:n]); err != nil || cut {
			return
		}
	}
}

// count subtracts bytes from the number that may pass.
func (w *wire) count(way, n int) (pass int, cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.armed || way != w.way {
		return n, false
	}
	if n < w.left {
		w.left -= n
		return n, false
	}
	w.armed, w.wasCut, w.down = false, true, w.keepCut
	return w.left, true
}

// arm makes the wire cut after the next n bytes of a direction.
func (w *wire) arm(way, n int, keepCut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed, w.way, w.left, w.keepCut, w.down, w.wasCut = true, way, n, keepCut, false, false
}

// heal lets every byte pass again, and reports whether there was a cut.
func (w *wire) heal() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed, w.down = false, false
	return w.wasCut
}

// cutStores has, for each server, one store through a wire and another one
// without it.
func cutStores() map[string]func(t *testing.T, idle int) (*wire, storage.Records, storage.Records) {
	overSQL := func(d database, socket func(dsn string) string) func(t *testing.T, idle int) (*wire, storage.Records, storage.Records) {
		return func(t *testing.T, idle int) (*wire, storage.Records, storage.Records) {
			driver, dsn := d.open(t)
			w := newWire(t, socket(dsn))
			from, to := socket(dsn), w.Addr().String()
			if d.name == "PostgreSQL" {
				from, to = filepath.Dir(from), filepath.Dir(to)
			}
			p := prefix()
			var list []storage.Records
			for i, name := range []string{strings.Replace(dsn, from, to, 1), dsn} {
				db := open(t, driver, name, 4)
				if i == 0 {
					db.SetMaxIdleConns(idle)
				}
				s, err := sqlstore.New(t.Context(), db, d.dialect, sqlstore.Options{Prefix: p})
				require.NoError(t, err)
				list = append(list, s)
			}
			return w, list[0], list[1]
		}
	}
	between := func(s, before, after string) string {
		_, s, _ = strings.Cut(s, before)
		s, _, _ = strings.Cut(s, after)
		return s
	}
	return map[string]func(t *testing.T, idle int) (*wire, storage.Records, storage.Records){
		"PostgreSQL": overSQL(postgresql, func(dsn string) string { return filepath.Join(between(dsn, "host=", " "), ".s.PGSQL.5432") }),
		"MariaDB":    overSQL(mariadb, func(dsn string) string { return between(dsn, "unix(", ")") }),
		"Redis": func(t *testing.T, _ int) (*wire, storage.Records, storage.Records) {
			s := startRedis(t, durable...)
			w, p := newWire(t, s.DSN), prefix()
			direct := redisStore(t, s.client(t), p)
			// The client library retries by itself; the test shortens its
			// pauses.
			client := redis.NewClient(&redis.Options{Network: "unix", Addr: w.Addr().String(), ContextTimeoutEnabled: true,
				MinRetryBackoff: time.Millisecond, MaxRetryBackoff: time.Millisecond, DialerRetries: 1, PoolSize: 4})
			t.Cleanup(func() { _ = client.Close() })
			return w, redisStore(t, client, p), direct
		},
	}
}

// outcomes counts the writes whose connection was cut, by how they ended.
type outcomes struct{ cuts, succeeded, failed, failedYetDone, failedNotDone int }

// A connection is cut after each byte of the conversation, in both directions,
// for a moment or for good. A write that returned no error has happened
// completely. A write that failed has happened completely or not at all. No
// write is refused because of itself. Repeated with other tokens, it succeeds
// once in total.
//
// Holds: house: fault of a cut connection; house: one write;
// house: revocation has no gap; house: unknown outcome; house: used once.
func TestCut_BehindEveryByte(t *testing.T) {
	for name, find := range cutStores() {
		for _, warm := range []bool{true, false} {
			if name == "Redis" && !warm {
				continue // its client keeps its connections
			}
			t.Run(fmt.Sprintf("%s/warm=%v", name, warm), func(t *testing.T) {
				t.Parallel()
				idle := 0
				if warm {
					idle = 4
				}
				w, s, direct := find(t, idle)
				c := &cutter{t: t, w: w, cut: s, direct: direct}
				for _, op := range []struct {
					name string
					run  func(c *cutter, way, n int, keep bool) bool
				}{{"Advance", (*cutter).advance}, {"Revoke", (*cutter).revoke}, {"Insert", (*cutter).insert}} {
					c.outcomes = outcomes{}
					for _, keep := range []bool{false, true} {
						for way := range 2 {
							n := 0
							for op.run(c, way, n, keep) {
								n += *stride
								require.Less(t, n, 100_000)
							}
						}
					}
					t.Logf("%s: %+v", op.name, c.outcomes)
					require.NotZero(t, c.failed)
				}
			})
		}
	}
}

type cutter struct {
	t           testing.TB
	w           *wire
	cut, direct storage.Records
	n           int
	outcomes
}

// call runs a write through the wire, which cuts it. It returns how the write
// ended, and whether there was a cut.
func (c *cutter) call(way, n int, keep bool, write func(ctx context.Context) error) (error, bool) {
	c.t.Helper()
	// The pool keeps connections, so the write begins with a live one.
	require.Eventually(c.t, func() bool {
		_, err := c.cut.Get(c.t.Context(), storage.Code, "none")
		return errors.Is(err, storage.ErrNotFound)
	}, deadline, poll)
	ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Second)
	defer cancel()
	c.w.arm(way, n, keep)
	err := write(ctx)
	was := c.w.heal()
	if err != nil {
		notOurs(c.t, err)
		c.failed++
	} else {
		c.succeeded++
	}
	if was {
		c.cuts++
	} else {
		require.NoError(c.t, err)
	}
	return err, was
}

func (c *cutter) settle(err error, happened bool) {
	c.t.Helper()
	switch {
	case err == nil:
		require.True(c.t, happened, "said to have happened")
	case happened:
		c.failedYetDone++
	default:
		c.failedNotDone++
	}
}

func (c *cutter) state(r storage.Record) storage.State {
	c.t.Helper()
	got, err := c.direct.Get(c.t.Context(), r.Kind, r.Key)
	if !errors.Is(err, storage.ErrNotFound) {
		require.NoError(c.t, err)
	}
	return got.State
}

func (c *cutter) advance(way, n int, keep bool) bool {
	c.n++
	grant := fmt.Sprint("a", c.n)
	code := record(storage.Code, grant, grant)
	tokens := func(caller string) []storage.Record {
		return []storage.Record{record(storage.Access, grant+caller, grant), record(storage.Refresh, grant+caller, grant)}
	}
	require.NoError(c.t, c.direct.Insert(c.t.Context(), code))
	err, was := c.call(way, n, keep, func(ctx context.Context) error {
		return c.cut.Advance(ctx, storage.Active, spent(code), tokens("first")...)
	})
	again := c.direct.Advance(c.t.Context(), storage.Active, spent(code), tokens("again")...)
	if again != nil {
		require.ErrorIs(c.t, again, storage.ErrConflict)
	}
	require.ErrorIs(c.t, c.direct.Advance(c.t.Context(), storage.Active, spent(code)), storage.ErrConflict)
	for caller, there := range map[string]bool{"first": again != nil, "again": again == nil} {
		for _, r := range tokens(caller) {
			require.Equal(c.t, there, c.state(r) == storage.Active, "cut behind byte %d, way %d: %v, again %v: %s %s", n, way, err, again, r.Kind, caller)
		}
	}
	c.settle(err, again != nil)
	return was
}

func (c *cutter) revoke(way, n int, keep bool) bool {
	c.n++
	grant := fmt.Sprint("r", c.n)
	two := []storage.Record{record(storage.Access, grant, grant), record(storage.Refresh, grant, grant)}
	require.NoError(c.t, c.direct.Insert(c.t.Context(), two...))
	err, was := c.call(way, n, keep, func(ctx context.Context) error { return c.cut.Revoke(ctx, grant) })
	gone := c.state(two[0])
	if err == nil {
		require.Equal(c.t, storage.Revoked, c.state(two[1]))
	}
	c.settle(err, gone == storage.Revoked)
	require.NoError(c.t, c.direct.Revoke(c.t.Context(), grant))
	for _, r := range two {
		require.Equal(c.t, storage.Revoked, c.state(r))
	}
	return was
}

func (c *cutter) insert(way, n int, keep bool) bool {
	c.n++
	grant := fmt.Sprint("i", c.n)
	mark := record(storage.Used, grant, grant)
	err, was := c.call(way, n, keep, func(ctx context.Context) error { return c.cut.Insert(ctx, mark) })
	again := c.direct.Insert(c.t.Context(), mark)
	if again != nil {
		require.ErrorIs(c.t, again, storage.ErrExists)
	}
	c.settle(err, again != nil)
	return was
}
