// Package stores opens the store that a command line names.
package stores

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	_ "modernc.org/sqlite"

	"github.com/grantwell/grantwell/examples/internal/server"
	"github.com/grantwell/grantwell/storage/redisstore"
	"github.com/grantwell/grantwell/storage/sqlstore"
)

// All are the stores that the server of this module knows.
var All = server.Stores{
	Usage: "memory, sqlite:FILE, postgres:DSN, mysql:DSN or redis:ADDRESS",
	Open:  open,
}

// startup bounds the work on a store before the server starts: the connection, and
// making or renewing the tables.
const startup = 30 * time.Second

// connections bounds a pool. PostgreSQL admits 100 in all by default.
const connections = 16

func open(ctx context.Context, name string) (server.Store, func(), error) {
	ctx, cancel := context.WithTimeout(ctx, startup)
	defer cancel()

	kind, where, named := strings.Cut(name, ":")
	if !named || where == "" {
		return server.Memory.Open(ctx, name)
	}
	switch kind {
	case "sqlite":
		return openSQL(ctx, sqlstore.SQLite, "sqlite", SQLite(where))
	case "postgres":
		return openSQL(ctx, sqlstore.PostgreSQL, "pgx", where)
	case "mysql":
		return openSQL(ctx, sqlstore.MySQL, "mysql", where)
	case "redis":
		return openRedis(ctx, where)
	default:
		// The error leaves out the rest of the name, which may hold a password.
		return nil, nil, fmt.Errorf("-store %q is not known", kind)
	}
}

// SQLite returns the DSN of a file, with the settings that the store asks for.
func SQLite(file string) string {
	return "file:" + file + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)" +
		"&_pragma=synchronous(FULL)&_txlock=immediate"
}

func openSQL(ctx context.Context, d sqlstore.Dialect, driver, dsn string) (server.Store, func(), error) {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return nil, nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	store, err := sqlstore.New(ctx, db, d, sqlstore.Options{})
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}

	// Every write that was acknowledged is on disk already, so errors of closing lose
	// nothing.
	return store, func() {
		_ = store.Close()
		_ = db.Close()
	}, nil
}

// Redis returns a client for host:port, for the path of a socket, or for a URL as
// redis.ParseURL reads it, which may have a password.
func Redis(address string) (*redis.Client, error) {
	o := &redis.Options{Addr: address}
	if strings.Contains(address, "://") {
		var err error
		if o, err = redis.ParseURL(address); err != nil {
			return nil, errors.New("-store redis: the URL cannot be read")
		}
	} else if strings.HasPrefix(address, "/") {
		o.Network = "unix"
	}
	o.ContextTimeoutEnabled = true // so that the deadlines of the server hold

	return redis.NewClient(o), nil
}

func openRedis(ctx context.Context, address string) (server.Store, func(), error) {
	client, err := Redis(address)
	if err != nil {
		return nil, nil, err
	}
	closeClient := func() { _ = client.Close() }
	store, err := openScripts(ctx, client)
	if err != nil {
		closeClient()
		return nil, nil, err
	}

	return store, closeClient, nil
}

// openScripts connects the store with the client, as the package comment of redisstore
// describes it.
func openScripts(ctx context.Context, client *redis.Client) (*redisstore.Store, error) {
	settings := map[string]string{}
	for _, name := range redisstore.Settings() {
		found, err := client.ConfigGet(ctx, name).Result()
		if err != nil {
			return nil, fmt.Errorf("-store redis: CONFIG GET %s: %w", name, err)
		}
		maps.Copy(settings, found)
	}
	run := func(ctx context.Context, script string, keys []string, args ...any) (any, error) {
		return redis.NewScript(script).Run(ctx, client, keys, args...).Result()
	}

	return redisstore.New(run, "grantwell", settings)
}
