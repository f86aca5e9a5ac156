// Package redisstore keeps records and clients in Redis 5 or later. It is tested with Redis 7.
//
// It knows no client library. [Eval] is three lines over any of them, here github.com/redis/go-redis/v9:
//
//	eval := func(ctx context.Context, script string, keys []string, args ...any) (any, error) {
//		return redis.NewScript(script).Run(ctx, client, keys, args...).Result()
//	}
//
// and the settings, which [New] looks at before it lets a server start, are a map:
//
//	settings := map[string]string{}
//	for _, name := range redisstore.Settings() {
//		found, err := client.ConfigGet(ctx, name).Result()
//		if err != nil {
//			return err
//		}
//		maps.Copy(settings, found)
//	}
//	store, err := redisstore.New(eval, "grantwell", settings)
//
// Give the client ContextTimeoutEnabled, so that it keeps the server's deadlines. Where a hosted Redis refuses
// CONFIG, write down in the map what its console says.
//
// # Atomicity
//
// Every call is one Lua script, and Redis runs one script at a time: the check of a state, the mark and all that is
// stored with it happen in one step, and a revocation cannot meet an Advance that is half done. Insert and
// Advance may be sent twice, as clients do that lost an answer: each write carries a nonce, by which the script knows
// its own work and answers as it did the first time.
//
// # Durability
//
// With appendonly yes and appendfsync always, Redis answers when the write is on disk. Everysec loses
// acknowledged writes when the process is killed, not only when the power fails, and a used code would be fresh again. New
// refuses it, and every eviction policy but noeviction. At its memory limit such a server refuses new records,
// while revocations still go through.
//
// Replication is asynchronous: a replica that is promoted may lack acknowledged writes. Where that happens
// without an operator, let Eval follow every script with WAIT and return an error when too few replicas have
// answered, or keep codes and tokens in SQL. Never let Eval read from a replica.
//
// # Cluster
//
// All keys of a store begin with {prefix}: and so share one hash slot. In Redis Cluster a store therefore lives on one
// master: the cluster fails over for it, and does not spread it. It cannot be otherwise, since a token is found by
// nothing but its own key, and must be written in one step with its code and its grant. To spread the load, give kinds that
// are never written together (Used, Pushed, Consent) stores with prefixes of their own by storage.Route.
//
// # Expiry
//
// No key has a Redis expiry: that a code was spent must outlive every token of its family, which the record's
// own ExpiresAt says. Call [Store.Sweep] regularly, from any instance, or from several.
//
// # Encoding
//
// A record is a string with a version as its first byte; its key is {prefix}:r:kind:key. Grants (g:), subjects (s:), all
// records (i) and expiries (x) are sorted sets of kind:key. Clients are JSON in a hash (c), with a version
// of their own as the first byte. A client of another version is refused with an error, never read: register it again with
// PutClient, which replaces it.
package redisstore
