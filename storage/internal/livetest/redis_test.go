//go:build linux

package livetest

import (
	"context"
	"net"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/redisstore"
	"github.com/grantwell/grantwell/storage/storagetest"
)

// Redis keeps the contract. The long run is by the kit's flags.
//
// Holds S160, S164, S167, I1, I3, I5, I9, I11.
func TestRedis_KeepsContract(t *testing.T) {
	client := startRedis(t, durable...).client(t)
	storagetest.RunWith(t, storagetest.Options{Rounds: 20, Objects: objects()}, func(t *testing.T) storage.Records {
		return redisStore(t, client, prefix())
	})
}

// A client that sends every call twice, as one does that lost an answer, sees what one sees that sends it once: no write
// wins against itself, and none is done again.
//
// Holds I1, I3, I8, I11.
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

// freePort returns a loopback port that nobody listens on.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// In a cluster a server refuses a script that touches keys of several slots. None of ours does.
//
// Holds S160, I3.
func TestRedisCluster_KeepsContract(t *testing.T) {
	port := freePort(t)
	s := startRedis(t, append([]string{"--bind", "127.0.0.1", "--port", port, "--cluster-port", freePort(t), "--cluster-enabled", "yes"}, durable...)...)
	single := s.client(t)
	require.NoError(t, single.Do(t.Context(), "CLUSTER", "ADDSLOTSRANGE", 0, 16383).Err())
	settings := settingsOf(t, single)
	cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:" + port}, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = cluster.Close() })
	require.Eventually(t, func() bool {
		info, err := single.ClusterInfo(t.Context()).Result()
		return err == nil && len(info) > 16 && info[:16] == "cluster_state:ok"
	}, deadline, poll, "the cluster is up")
	require.Error(t, single.Eval(t.Context(), `return redis.call('MGET', 'a', 'b')`, []string{"a", "b"}).Err(), "slots are looked at")
	storagetest.RunWith(t, storagetest.Options{Rounds: 5, Objects: 50}, func(t *testing.T) storage.Records {
		store, err := redisstore.New(evalOf(cluster), prefix(), settings)
		require.NoError(t, err)
		return store
	})
}

// An origin is known while any enabled client has it.
//
// Holds S160.
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
