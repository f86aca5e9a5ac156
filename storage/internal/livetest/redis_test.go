//go:build linux

package livetest

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/redisstore"
	"github.com/grantwell/grantwell/storage/storagetest"
)

// Redis keeps the promises of package storage. The flags of the kit set the
// size of a long run.
//
// Holds: house: any instance; house: expiry at use; house: one contract for stores;
// house: one winner; house: one write; house: revocation has no gap;
// house: sweeping; house: used once.
func TestRedis_KeepsContract(t *testing.T) {
	s := startRedis(t, durable...)
	client := s.client(t)
	var prefixes sync.Map // by test
	o := storagetest.Options{
		Rounds:  20,
		Objects: objects(),
		Second: func(t *testing.T, _ storage.Records) storage.Records {
			p, ok := prefixes.Load(t)
			require.True(t, ok)
			return redisStore(t, s.client(t), p.(string))
		},
	}
	storagetest.RunWith(t, o, func(t *testing.T) storage.Records {
		p := prefix()
		prefixes.Store(t, p)
		return redisStore(t, client, p)
	})
}

// A client library that sends every call twice, as it does after a lost answer,
// has the same results as one that sends it once. No write conflicts with
// itself, and none is done twice.
//
// Holds: house: one winner; house: one write; house: unknown outcome;
// house: used once.
func TestRedis_SentTwiceIsDoneOnce(t *testing.T) {
	client := startRedis(t, durable...).client(t)
	storagetest.RunWith(t, storagetest.Options{Rounds: 20, Objects: objects()}, func(t *testing.T) storage.Records {
		eval := evalOf(client)
		twice := func(ctx context.Context, script string, keys []string, args ...any) (any, error) {
			if _, err := eval(ctx, script, keys, args...); err != nil {
				return nil, err
			}
			return eval(ctx, script, keys, args...)
		}
		store, err := redisstore.New(twice, prefix(), settingsOf(t, client))
		require.NoError(t, err)
		return struct{ storage.Records }{store} // a second Sweep and a second DeleteClient find nothing left
	})
}

// freePort returns a loopback port that is not in use.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// In a cluster, a server refuses a script that uses keys of slots on another
// server. No script of this package does.
//
// Holds: house: one contract for stores; house: one write.
func TestRedisCluster_KeepsContract(t *testing.T) {
	ctx := t.Context()
	var nodes []*redis.Client
	var addrs []string
	slots := [][2]int{{0, 8191}, {8192, 16383}}
	for _, r := range slots {
		port, bus := freePort(t), freePort(t)
		node := startRedis(t, append([]string{"--bind", "127.0.0.1", "--port", port, "--cluster-port", bus, "--cluster-enabled", "yes"}, durable...)...).client(t)
		require.NoError(t, node.Do(ctx, "CLUSTER", "ADDSLOTSRANGE", r[0], r[1]).Err())
		if len(nodes) > 0 { // two of one epoch agree after a while, two of different epochs at once
			require.NoError(t, node.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", 2).Err())
			require.NoError(t, nodes[0].Do(ctx, "CLUSTER", "MEET", "127.0.0.1", port, bus).Err())
		}
		nodes, addrs = append(nodes, node), append(addrs, "127.0.0.1:"+port)
	}
	for _, node := range nodes {
		require.Eventually(t, func() bool {
			info, err := node.ClusterInfo(ctx).Result()
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_slots_ok:16384")
		}, deadline, poll, "the cluster is up")
	}
	cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = cluster.Close() })
	require.Error(t, cluster.Eval(ctx, `redis.call('GET', 'a') redis.call('GET', 'b') return redis.call('GET', 'c')`, []string{"a"}).Err(), "slots are looked at")
	settings := settingsOf(t, nodes[0])
	storagetest.RunWith(t, storagetest.Options{Rounds: 5, Objects: 50}, func(t *testing.T) storage.Records {
		store, err := redisstore.New(evalOf(cluster), prefix(), settings)
		require.NoError(t, err)
		return store
	})
}

// The indexes follow every change of a record. A record that no longer expires
// is not swept, and a sweep leaves no key behind.
//
// Holds: house: sweeping.
func TestRedis_IndexesFollowRecords(t *testing.T) {
	ctx := t.Context()
	client := startRedis(t, durable...).client(t)
	store := redisStore(t, client, "grantwell")
	r := record(storage.Consent, "r", "one")
	require.NoError(t, store.Insert(ctx, r))
	r.GrantID, r.Subject, r.ExpiresAt = "two", "bob", time.Time{}
	require.NoError(t, store.Advance(ctx, storage.Active, r))
	far := time.Now().Add(24 * time.Hour)
	n, err := store.Sweep(ctx, far, 10)
	require.NoError(t, err)
	require.Zero(t, n)
	for q, want := range map[storage.Query]int{
		{GrantID: "one"}: 0, {Subject: "alice"}: 0, {GrantID: "two"}: 1, {Subject: "bob"}: 1,
		{GrantID: "two", Subject: "bob"}: 1, {GrantID: "two", Subject: "alice"}: 0, {Subject: "bob", ClientID: "other"}: 0,
	} {
		page, _, err := store.List(ctx, q)
		require.NoError(t, err)
		require.Len(t, page, want, "%+v", q)
	}
	r.ExpiresAt = time.Now()
	require.NoError(t, store.Advance(ctx, storage.Active, r))
	n, err = store.Sweep(ctx, far, 10)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	left, err := client.Keys(ctx, "*").Result()
	require.NoError(t, err)
	require.Empty(t, left)
}

// A cursor is every instance's, and one that no instance made is an error. A
// caller cannot make one, because its code needs a key that only Redis keeps.
func TestRedis_ForgedCursorIsRefused(t *testing.T) {
	ctx := t.Context()
	client := startRedis(t, durable...).client(t)
	one, two := redisStore(t, client, "grantwell"), redisStore(t, client, "grantwell")
	foreign := redisStore(t, client, "another")
	for _, store := range []*redisstore.Store{one, foreign} {
		for i := range 4 {
			require.NoError(t, store.Insert(ctx, record(storage.Access, strconv.Itoa(i), "g")))
		}
	}
	page, next, err := one.List(ctx, storage.Query{Limit: 2})
	require.NoError(t, err)
	rest, _, err := two.List(ctx, storage.Query{After: next})
	require.NoError(t, err)
	require.Len(t, rest, 2)

	// The same member with the code of a reader who knows no key, another member
	// with a genuine code, and the cursor of another store.
	genuine, err := base64.RawURLEncoding.DecodeString(next)
	require.NoError(t, err)
	member := "access:" + page[1].Key
	sum := sha256.Sum256([]byte(member))
	_, other, err := foreign.List(ctx, storage.Query{Limit: 2})
	require.NoError(t, err)
	for _, forged := range []string{
		base64.RawURLEncoding.EncodeToString(append(sum[:6:6], member...)),
		base64.RawURLEncoding.EncodeToString(append(sum[:16:16], member...)),
		base64.RawURLEncoding.EncodeToString(append(genuine[:16:16], "access:"+page[0].Key...)),
		other,
	} {
		for _, store := range []*redisstore.Store{one, two, redisStore(t, client, "grantwell")} {
			_, _, err = store.List(ctx, storage.Query{After: forged})
			require.ErrorContains(t, err, "redisstore: not a cursor")
		}
	}
}

// A page of large records is read in several answers, and is complete.
//
// Holds: house: listed consents.
func TestRedis_LargePage(t *testing.T) {
	ctx := t.Context()
	store := redisStore(t, startRedis(t, durable...).client(t), "grantwell")
	const n = 11
	for i := range n {
		r := record(storage.Consent, strconv.Itoa(i), "g")
		r.Data = make([]byte, storage.MaxData)
		require.NoError(t, store.Insert(ctx, r))
	}
	page, next, err := store.List(ctx, storage.Query{})
	require.NoError(t, err)
	require.Empty(t, next)
	require.Len(t, page, n)
}

// An origin is found as long as a client that is not disabled has it.
//
// Holds: house: one contract for stores.
func TestRedis_OriginsFollowClients(t *testing.T) {
	ctx := t.Context()
	store := redisStore(t, startRedis(t, durable...).client(t), "grantwell")
	has := func(want bool) {
		t.Helper()
		got, err := store.HasOrigin(ctx, "https://app.example")
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	a := storage.Client{ID: "a", AuthMethod: storage.AuthNone, GrantTypes: []string{"password"}, Origins: []string{"https://app.example", "https://b.example", "https://app.example"}}
	b := a.Clone()
	b.ID = "b"
	has(false)
	require.NoError(t, store.PutClient(ctx, a))
	require.NoError(t, store.PutClient(ctx, a)) // counted once
	require.NoError(t, store.PutClient(ctx, b))
	has(true)
	require.NoError(t, store.DeleteClient(ctx, "b"))
	has(true)
	a.Disabled = true
	require.NoError(t, store.PutClient(ctx, a))
	has(false)
	a.Disabled = false
	require.NoError(t, store.PutClient(ctx, a))
	has(true)
	a.Origins = nil
	require.NoError(t, store.PutClient(ctx, a))
	has(false)
}
