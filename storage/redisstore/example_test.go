package redisstore_test

import (
	"context"
	"fmt"
	"time"

	"github.com/grantwell/grantwell/storage/redisstore"
)

// client stands for the host's Redis client.
type client struct{}

// config returns a setting of the server, as CONFIG GET does.
func (client) config(context.Context, string) (string, error) { return "yes", nil }

// eval runs a script: EVALSHA, and EVAL if the server does not have it yet.
func (client) eval(context.Context, string, []string, ...any) (any, error) { return int64(1), nil }

// evalWait sends a script and WAIT on one connection, and returns both answers.
func (client) evalWait(context.Context, int, time.Duration, string, []string, ...any) (answer any, acknowledged int64, err error) {
	return int64(1), 1, nil
}

// The store needs one function of the host's Redis client, and the settings that say
// whether the server may lose what it acknowledges.
func ExampleNew() {
	ctx := context.Background()
	var redis client
	settings := map[string]string{}
	for _, name := range redisstore.Settings() {
		value, err := redis.config(ctx, name)
		if err != nil {
			fmt.Println(err)
			return
		}
		settings[name] = value
	}

	store, err := redisstore.New(redis.eval, "oauth", settings)
	if err != nil {
		fmt.Println(err) // it names each setting that could lose data
		return
	}
	_ = store // Config.Clients and Config.Records of the server
}

// Where a replica may be promoted, each write waits until a replica has it.
func ExampleWaitReplicas() {
	var redis client
	settings := map[string]string{ // as CONFIG GET reports them
		"appendonly":                "yes",
		"appendfsync":               "always",
		"no-appendfsync-on-rewrite": "no",
		"maxmemory-policy":          "noeviction",
		"min-replicas-to-write":     "1",
		"replicaof":                 "",
	}

	_, err := redisstore.New(redis.eval, "oauth", settings)
	fmt.Println(err)
	_, err = redisstore.New(redis.eval, "oauth", settings, redisstore.WaitReplicas(1, 500*time.Millisecond, redis.evalWait))
	fmt.Println(err)
	// Output:
	// redisstore: min-replicas-to-write is 1, so the server has replicas: a promoted one may lack acknowledged writes, unless New has the option WaitReplicas
	// <nil>
}
