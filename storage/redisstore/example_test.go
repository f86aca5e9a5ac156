package redisstore_test

import (
	"context"
	"fmt"

	"github.com/grantwell/grantwell/storage/redisstore"
)

// client stands for the host's Redis client.
type client struct{}

// config returns a setting of the server, as CONFIG GET does.
func (client) config(context.Context, string) (string, error) { return "yes", nil }

// eval runs a script: EVALSHA, and EVAL if the server does not have it yet.
func (client) eval(context.Context, string, []string, ...any) (any, error) { return int64(1), nil }

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
