//go:build linux

package livetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/redisstore"
)

const (
	deadline = 30 * time.Second // for what must happen at all
	poll     = 2 * time.Millisecond
)

// Writes that Redis has acknowledged survive its SIGKILL, with the settings
// that the store requires.
//
// Holds: house: durable before the answer; house: fault of Redis durability;
// house: one write; house: reuse is remembered; house: revocation has no gap;
// house: unknown outcome; house: used once.
func TestRedisKill_NothingAcknowledgedIsLost(t *testing.T) {
	t.Parallel()
	s := startRedis(t, durable...)
	stores := []storage.Records{redisStore(t, s.client(t), "grantwell"), redisStore(t, s.client(t), "grantwell")}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	l := &ledger{}
	for i := range 8 {
		wg.Go(func() { l.work(ctx, stores[i%2]) })
	}
	func() {
		defer wg.Wait()
		defer cancel()
		for range *kills {
			l.progress(t)
			s.kill()
			require.NoError(t, s.start())
			up := time.Now()
			l.progress(t)
			t.Logf("100 redemptions more within %v of the start", time.Since(up).Round(time.Millisecond))
		}
	}()
	for _, store := range stores {
		l.check(t, store)
	}
	t.Logf("%d kills", *kills)
}

// New refuses a server whose own settings allow the loss of acknowledged
// writes.
//
// Holds: house: durable before the answer; house: fault of Redis durability;
// house: fault of eviction.
func TestRedisSettings_ForgetfulServerIsRefused(t *testing.T) {
	t.Parallel()
	client := startRedis(t, durable...).client(t)
	open := func(options ...redisstore.Option) error {
		_, err := redisstore.New(evalOf(client), "grantwell", settingsOf(t, client), options...)
		return err
	}
	require.NoError(t, open())
	for _, c := range [][3]string{
		{"appendfsync", "everysec", "always"}, {"appendfsync", "no", "always"}, {"appendonly", "no", "yes"}, {"no-appendfsync-on-rewrite", "yes", "no"},
		{"maxmemory-policy", "allkeys-lru", "noeviction"}, {"maxmemory-policy", "volatile-lfu", "noeviction"},
	} {
		require.NoError(t, client.ConfigSet(t.Context(), c[0], c[1]).Err())
		require.ErrorContains(t, open(), c[0])
		var warned error
		require.NoError(t, open(redisstore.AllowLoss(func(err error) { warned = err })))
		require.ErrorContains(t, warned, c[0])
		require.NoError(t, client.ConfigSet(t.Context(), c[0], c[2]).Err())
	}
	require.NoError(t, open())
}

// notOurs requires an error that means a failure of the store, and is none of
// the errors of package storage.
func notOurs(t testing.TB, err error) {
	t.Helper()
	require.Error(t, err)
	for _, sentinel := range []error{storage.ErrNotFound, storage.ErrExists, storage.ErrConflict} {
		require.NotErrorIs(t, err, sentinel)
	}
}

// A full server refuses new records and keeps the others: a spent code stays
// spent, revocations succeed, and a sweep makes room.
//
// Holds: house: errors never grant; house: fault of eviction; house: one write;
// house: revocation has no gap.
func TestRedisFull_FailsClosed(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	client := startRedis(t, append([]string{"--maxmemory", "8mb", "--maxmemory-policy", "noeviction"}, durable...)...).client(t)
	store := redisStore(t, client, "grantwell")
	code, access := record(storage.Code, "code", "g"), record(storage.Access, "access", "g")
	fresh, old := record(storage.Code, "fresh", "h"), record(storage.Interaction, "old", "i")
	old.ExpiresAt, old.Data = time.Now().Add(-time.Hour), bytes.Repeat([]byte("x"), 1<<20)
	require.NoError(t, store.Insert(ctx, code, fresh, old))
	require.NoError(t, store.Advance(ctx, storage.Active, spent(code), access))
	var full error
	for n := 0; full == nil; n++ {
		require.Less(t, n, 10_000)
		r := record(storage.Interaction, fmt.Sprint(n), "filler")
		r.Data = bytes.Repeat([]byte("x"), 1<<14)
		full = store.Insert(ctx, r)
	}
	notOurs(t, full)
	require.ErrorContains(t, full, "OOM")
	used, err := client.InfoMap(ctx, "memory").Result() // with half a record less, so that a buffer that is let go makes no room
	require.NoError(t, err)
	bytesUsed, err := strconv.Atoi(used["Memory"]["used_memory"])
	require.NoError(t, err)
	require.NoError(t, client.ConfigSet(ctx, "maxmemory", strconv.Itoa(bytesUsed-1<<19)).Err())
	notOurs(t, store.Advance(ctx, storage.Active, spent(fresh), record(storage.Access, "never", "h")))
	_, err = store.Get(ctx, storage.Access, storage.Key("never"))
	require.ErrorIs(t, err, storage.ErrNotFound)
	got, err := store.Get(ctx, fresh.Kind, fresh.Key)
	require.NoError(t, err)
	require.Equal(t, storage.Active, got.State)
	require.ErrorIs(t, store.Advance(ctx, storage.Active, spent(code)), storage.ErrConflict)
	require.NoError(t, store.Revoke(ctx, "g"))
	for _, r := range []storage.Record{code, access} {
		got, err := store.Get(ctx, r.Kind, r.Key)
		require.NoError(t, err)
		require.Equal(t, storage.Revoked, got.State)
	}
	n, err := store.Sweep(ctx, time.Now(), 10)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.NoError(t, store.Advance(ctx, storage.Active, spent(fresh), record(storage.Access, "now", "h")))
}

// If an operator empties the server, every token is invalid and every user has
// to log in again. No token becomes valid, and the server continues to work.
//
// Holds: house: errors never grant; house: fault of an empty store.
func TestRedisFlushed_NothingIsValid(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	client := startRedis(t, durable...).client(t)
	store := redisStore(t, client, "grantwell")
	code, access := record(storage.Code, "code", "g"), record(storage.Access, "access", "g")
	require.NoError(t, store.Insert(ctx, code, access))
	require.NoError(t, store.PutClient(ctx, storage.Client{ID: "m", AuthMethod: storage.AuthNone, GrantTypes: []string{"password"}}))
	_, next, err := store.List(ctx, storage.Query{Limit: 1})
	require.NoError(t, err)
	require.NotEmpty(t, next)
	require.NoError(t, client.FlushAll(ctx).Err())
	require.NoError(t, client.ScriptFlush(ctx).Err())
	for _, r := range []storage.Record{code, access} {
		_, err := store.Get(ctx, r.Kind, r.Key)
		require.ErrorIs(t, err, storage.ErrNotFound)
		require.ErrorIs(t, store.Advance(ctx, storage.Active, spent(r), record(storage.Access, "more", "g")), storage.ErrNotFound)
	}
	require.NoError(t, store.Revoke(ctx, "g"))
	_, err = store.Client(ctx, "m")
	require.ErrorIs(t, err, storage.ErrNotFound)
	page, after, err := store.List(ctx, storage.Query{After: next})
	require.NoError(t, err)
	require.Empty(t, page)
	require.Empty(t, after)
	n, err := store.Sweep(ctx, time.Now().Add(24*time.Hour), 10)
	require.NoError(t, err)
	require.Zero(t, n)
	size, err := client.DBSize(ctx).Result()
	require.NoError(t, err)
	require.Zero(t, size, "nothing of it writes")
	require.NoError(t, store.Insert(ctx, code))
	require.NoError(t, store.Advance(ctx, storage.Active, spent(code), access))
}

// If the server is down or stopped, calls end at their deadline with an error.
// When it continues, so do they.
//
// Holds: house: errors never grant; house: one stuck store;
// house: store fails closed; house: unknown outcome.
func TestRedisDown_ErrorWithinDeadline(t *testing.T) {
	t.Parallel()
	s := startRedis(t, durable...)
	store := redisStore(t, s.client(t), "grantwell")
	code := record(storage.Code, "code", "g")
	require.NoError(t, store.Insert(t.Context(), code))
	every := func() {
		for name, call := range map[string]func(context.Context) error{
			"Insert":  func(ctx context.Context) error { return store.Insert(ctx, record(storage.Access, "a", "g")) },
			"Get":     func(ctx context.Context) error { _, err := store.Get(ctx, code.Kind, code.Key); return err },
			"Advance": func(ctx context.Context) error { return store.Advance(ctx, storage.Pending, code) },
			"Revoke":  func(ctx context.Context) error { return store.Revoke(ctx, "another") },
			"Sweep":   func(ctx context.Context) error { _, err := store.Sweep(ctx, time.Now(), 1); return err },
			"List":    func(ctx context.Context) error { _, _, err := store.List(ctx, storage.Query{}); return err },
			"Client":  func(ctx context.Context) error { _, err := store.Client(ctx, "m"); return err },
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			began := time.Now()
			err := call(ctx)
			cancel()
			notOurs(t, err)
			require.Less(t, time.Since(began), deadline/2, name+" hangs")
		}
	}
	back := func() {
		up := time.Now()
		require.Eventually(t, func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			got, err := store.Get(ctx, code.Kind, code.Key)
			return err == nil && got.State == storage.Active
		}, deadline, poll, "works again")
		t.Logf("answers again within %v", time.Since(up).Round(time.Millisecond))
	}
	s.Signal(syscall.SIGSTOP)
	every()
	s.Signal(syscall.SIGCONT)
	back()
	s.kill()
	every()
	require.NoError(t, s.start())
	back()
	require.NoError(t, store.Advance(t.Context(), storage.Active, spent(code)))
}

// A replica refuses writes, and the store does not read from it as if nothing
// had changed.
//
// Holds: house: errors never grant.
func TestRedisReplica_WritesFail(t *testing.T) {
	t.Parallel()
	client := startRedis(t, durable...).client(t)
	store := redisStore(t, client, "grantwell")
	code := record(storage.Code, "code", "g")
	require.NoError(t, store.Insert(t.Context(), code))
	require.NoError(t, client.Do(t.Context(), "REPLICAOF", "127.0.0.1", "1").Err())
	notOurs(t, store.Advance(t.Context(), storage.Active, spent(code)))
	notOurs(t, store.Revoke(t.Context(), "g"))
	err := store.Insert(t.Context(), record(storage.Access, "a", "g"))
	notOurs(t, err)
	var reply redis.Error
	require.True(t, errors.As(err, &reply), "the cause is kept: %v", err)
}
