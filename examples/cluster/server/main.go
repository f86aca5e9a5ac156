// Command server is the example server (examples/server) with stores that need a driver:
//
//	go run ./server -store sqlite:grantwell.db
//	go run ./server -store "postgres:host=/var/run/postgresql dbname=app"
//	go run ./server -store "mysql:user:password@tcp(127.0.0.1:3306)/app"
//	go run ./server -store redis:127.0.0.1:6379
//
// Any number of servers may share a store, if they share -issuer and -secrets as well.
package main

import (
	"github.com/grantwell/grantwell/examples/cluster/internal/stores"
	"github.com/grantwell/grantwell/examples/internal/server"
)

func main() { server.Main(stores.All) }
