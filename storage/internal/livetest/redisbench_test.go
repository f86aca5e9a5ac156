//go:build linux

package livetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/redisstore"
)

// call is a script as the store sent it.
type call struct {
	script string
	keys   []string
	args   []any
}

// BenchmarkRedis measures a code exchange, a rotation and a look-up, and
// compares them with the client library alone, which sends the same scripts
// with the same arguments. The metric x/bare is the ratio of the two, measured
// in turns.
func BenchmarkRedis(b *testing.B) {
	s := startRedis(b, durable...)
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: s.DSN, ContextTimeoutEnabled: true, PoolSize: 32})
	b.Cleanup(func() { _ = client.Close() })
	eval := evalOf(client)
	settings := settingsOf(b, client)
	ctx := b.Context()
	runs := 0
	for _, name := range []string{"Exchange", "Rotate", "Get"} {
		b.Run(name, func(b *testing.B) {
			runs++
			var sent []call
			recording := func(ctx context.Context, script string, keys []string, args ...any) (any, error) {
				sent = append(sent, call{script, keys, args})
				return int64(1), nil
			}
			open := func(eval redisstore.Eval, prefix string) storage.Records {
				store, err := redisstore.New(eval, prefix, settings)
				require.NoError(b, err)
				return store
			}
			ours, bare := fmt.Sprint("ours", runs), fmt.Sprint("bare", runs)
			work := func(r storage.Records, n int) error {
				grant := fmt.Sprint("grant", n)
				code, refresh := record(storage.Code, fmt.Sprint("code", n), grant), record(storage.Refresh, fmt.Sprint("refresh", n), grant)
				access := record(storage.Access, fmt.Sprint("access", n), grant)
				switch name {
				case "Exchange":
					return r.Advance(ctx, storage.Active, spent(code), access, refresh)
				case "Rotate":
					return r.Advance(ctx, storage.Active, spent(code), refresh)
				}
				_, err := r.Get(ctx, storage.Code, code.Key)
				return err
			}
			live := open(eval, ours)
			for _, store := range []storage.Records{live, open(eval, bare)} {
				for n := range b.N {
					require.NoError(b, store.Insert(ctx, record(storage.Code, fmt.Sprint("code", n), fmt.Sprint("grant", n))))
				}
			}
			for n := range b.N {
				_ = work(open(recording, bare), n) // a recorded Get is not understood
			}
			scripts := map[string]*redis.Script{}
			for _, c := range sent {
				scripts[c.script] = redis.NewScript(c.script)
				require.NoError(b, scripts[c.script].Load(ctx, client).Err())
			}
			var took [2]time.Duration
			b.ReportAllocs()
			b.ResetTimer()
			for n := range b.N {
				began := time.Now()
				err := work(live, n)
				took[0] += time.Since(began)
				b.StopTimer()
				require.NoError(b, err)
				c := sent[n]
				began = time.Now()
				_, err = scripts[c.script].Run(ctx, client, c.keys, c.args...).Result()
				took[1] += time.Since(began)
				require.NoError(b, err)
				b.StartTimer()
			}
			b.StopTimer()
			b.ReportMetric(float64(took[0])/float64(took[1]), "x/bare")
			b.ReportMetric(float64(took[1].Nanoseconds())/float64(b.N), "bare-ns/op")
		})
	}
}
