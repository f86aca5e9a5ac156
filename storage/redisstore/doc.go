// Package redisstore keeps records and clients in Redis 5 or later. It is tested
// with Redis 7.
//
// The package imports no client library. An [Eval] over one of them has three
// lines, here with github.com/redis/go-redis/v9:
//
//	eval := func(ctx context.Context, script string, keys []string, args ...any) (any, error) {
//		return redis.NewScript(script).Run(ctx, client, keys, args...).Result()
//	}
//
// [New] checks the settings of the Redis server, which the host reads:
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
// Set ContextTimeoutEnabled in the options of the client, so that it obeys the
// deadlines of the server. If a hosted Redis refuses CONFIG, write the values
// that its console shows into the map.
//
// # Atomicity
//
// Every call is one Lua script, and Redis runs one script at a time. The check of
// a state, the change and everything that is stored with it happen in one step. A
// revocation cannot run in the middle of an Advance.
//
// A client library may send Insert and Advance twice if it lost an answer. Each
// write carries a nonce, by which the script recognises its own work and returns
// what it returned the first time.
//
// # Durability
//
// With appendonly yes and appendfsync always, Redis answers when the write is on
// disk. With everysec it loses acknowledged writes when the process is killed,
// and not only when the power fails: a spent code would be active again. New
// refuses that setting, and every eviction policy but noeviction. When such a
// server reaches its memory limit, it refuses new records and still revokes.
//
// Replication is asynchronous: a promoted replica may lack acknowledged writes. If
// replicas are promoted without an operator, let Eval run WAIT after every script
// and return an error if too few replicas answered, or keep codes and tokens in a
// SQL database. Eval must never read from a replica.
//
// # Cluster
//
// All keys of a store begin with {prefix}: and are in one hash slot. In a Redis
// Cluster, a store is on one master: the cluster provides failover and does not
// spread the load. The reason is that a token is found by nothing but its key,
// and is written in one step with its code and its grant.
//
// To spread the load, give kinds that are never written together (Used, Pushed,
// Consent) stores with prefixes of their own, by storage.Route.
//
// # Expiry
//
// No key has an expiry of Redis. A spent code must stay until the last token of
// its family has expired, which is what the record's ExpiresAt says. Call
// [Store.Sweep] regularly, from one instance or from several.
//
// # Encoding
//
// The keys, after {prefix}: are
//
//	r:kind:key   a record, with a version as its first byte
//	g:grant      the records of a grant, a sorted set of kind:key
//	s:subject    the records of a subject
//	i            all records
//	x            records by expiry
//	c            clients, a hash of ID to version and JSON
//	n            client IDs in byte order
//	o, p         origins of enabled clients, with their counts, and by client
//	k            the key of cursors, from the first listing of several pages on
//
// A record or client of another version is refused with an error and never read.
// Register such a client again with PutClient, which replaces it.
package redisstore
