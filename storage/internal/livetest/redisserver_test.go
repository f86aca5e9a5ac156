//go:build linux

package livetest

import (
	"context"
	"maps"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/dbserver"
	"github.com/grantwell/grantwell/storage/redisstore"
)

// redisServer is a private Redis on a Unix socket.
type redisServer struct{ *dbserver.Server }

// quiet discards the log of the client library, whose server the tests take
// down.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

func init() { redis.SetLogger(quiet{}) }

// durable are the settings that the store requires.
var durable = dbserver.RedisDurable

// startRedis starts a server with these settings and stops it when the test ends.
func startRedis(t testing.TB, settings ...string) *redisServer {
	t.Helper()
	s, err := dbserver.Redis(settings...)
	unneeded(t, err)
	t.Cleanup(s.Remove)
	own := &redisServer{s}
	require.NoError(t, own.start())
	return own
}

// start starts the server and waits until it answers.
func (s *redisServer) start() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: s.DSN, MaxRetries: -1})
	defer client.Close()
	return s.Start(ctx, func(ctx context.Context) error { return client.Ping(ctx).Err() })
}

// kill ends the process before it can write anything.
func (s *redisServer) kill() { s.Stop(syscall.SIGKILL) }

// client connects as the documentation of the package says.
func (s *redisServer) client(t testing.TB) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Network: "unix", Addr: s.DSN, ContextTimeoutEnabled: true, PoolSize: 32})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func evalOf(client redis.UniversalClient) redisstore.Eval {
	return func(ctx context.Context, script string, keys []string, args ...any) (any, error) {
		return redis.NewScript(script).Run(ctx, client, keys, args...).Result()
	}
}

func settingsOf(t testing.TB, client *redis.Client) map[string]string {
	t.Helper()
	settings := map[string]string{}
	for _, name := range redisstore.Settings() {
		found, err := client.ConfigGet(t.Context(), name).Result()
		require.NoError(t, err)
		maps.Copy(settings, found)
	}
	return settings
}

// redisStore opens a store. Stores with the same prefix share their data.
func redisStore(t testing.TB, client *redis.Client, prefix string) *redisstore.Store {
	t.Helper()
	store, err := redisstore.New(evalOf(client), prefix, settingsOf(t, client))
	require.NoError(t, err)
	return store
}
