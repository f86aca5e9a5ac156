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
// # Failover
//
// Replication is asynchronous: a promoted replica may lack acknowledged writes. A
// spent code would be active again, and a revoked token valid. Where a replica may
// be promoted, by Sentinel, by a cluster, by a hosted Redis or by an operator, set
// min-replicas-to-write to 1 or more and give New the option [WaitReplicas]:
//
//	wait := func(ctx context.Context, replicas int, timeout time.Duration, script string, keys []string, args ...any) (any, int64, error) {
//		pipe := client.Pipeline()
//		answer := pipe.Eval(ctx, script, keys, args...)
//		wait := pipe.Do(ctx, "WAIT", replicas, timeout.Milliseconds())
//		if _, err := pipe.Exec(ctx); err != nil {
//			return nil, 0, err
//		}
//		acknowledged, err := wait.Int64()
//		return answer.Val(), acknowledged, err
//	}
//	store, err := redisstore.New(eval, "grantwell", settings, redisstore.WaitReplicas(1, 500*time.Millisecond, wait))
//
// A write that too few replicas acknowledged is then an error, never a success.
// Every replica that may be promoted has to be among those that acknowledged. With
// one replica the number is 1. With more, make the number that of all replicas, or
// set replica-priority 0 on those that are not counted. Sentinel prefers the
// replica that has received most, but chooses among those that it reaches. The
// replicas need the same settings of durability as the primary.
//
// New asks the settings once, at the start. It refuses
//
//   - a replica, by replicaof or by the field role, in any case,
//   - min-replicas-to-write above 0 without WaitReplicas,
//   - WaitReplicas with a lower min-replicas-to-write, and
//   - connected_slaves above 0 without WaitReplicas.
//
// The fields role and connected_slaves are those of INFO replication. The host adds
// them to the settings if it wants them judged:
//
//	info, err := client.InfoMap(ctx, "replication").Result()
//	if err != nil {
//		return err
//	}
//	maps.Copy(settings, info["Replication"])
//
// New cannot ask whether a replica will be added or promoted later, what a hosted
// Redis does behind its address, and whether the replicas sync to their disks. The
// store does not notice a failover either: Eval and EvalWait have to reach the new
// primary, and must never read from a replica. A read does not wait. It may see a
// write that failed for want of replicas, and that a failover then undoes. A primary
// that was replaced and does not know it answers reads until its clients leave it.
//
// # Cluster
//
// All keys of a store begin with {prefix}: and are in one hash slot. In a Redis
// Cluster, a store is on one master: the cluster provides failover and does not
// spread the load. The reason is that a token is found by nothing but its key,
// and is written in one step with its code and its grant.
//
// A cluster promotes replicas by itself, so a store on a master with replicas needs
// [WaitReplicas]. WAIT has no key: EvalWait has to send both commands to the master
// of the script's key, which MasterForKey of go-redis returns.
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
