package server

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// Store is what the server needs of a database: codes and tokens, the clients, and somebody who tidies up.
type Store interface {
	storage.Records
	storage.Registrar
	storage.Sweeper
}

// Stores are what a command's -store may name.
type Stores struct {
	Usage string // lists them
	// Open connects to the one of this name, and returns a function that lets go of it.
	Open func(ctx context.Context, name string) (Store, func(), error)
}

// Memory knows the memory of the process alone, and so needs no driver.
var Memory = Stores{Usage: "memory", Open: func(_ context.Context, name string) (Store, func(), error) {
	kind, _, _ := strings.Cut(name, ":")
	if slices.Contains([]string{"sqlite", "postgres", "mysql", "redis"}, kind) {
		return nil, nil, fmt.Errorf("-store %s: needs a driver, and this module requires none; the same server with drivers is: go -C examples/cluster run ./server -store %s:…",
			kind, kind)
	}
	if name != "memory" {
		return nil, nil, fmt.Errorf("-store %q is not known: memory", name)
	}
	return memstore.New(), func() {}, nil
}}
