package server

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// Store is a database as the server needs it. It keeps codes and tokens and clients,
// and removes what has expired.
type Store interface {
	storage.Records
	storage.Registrar
	storage.Sweeper
}

// Stores are the stores that -store of a command may name.
type Stores struct {
	// Usage lists them for the usage text.
	Usage string
	// Open connects to the store of this name. The function that it returns closes the
	// connection.
	Open func(ctx context.Context, name string) (Store, func(), error)
}

// Memory has one store, the memory of the process, which needs no driver.
var Memory = Stores{Usage: "memory", Open: openMemory}

func openMemory(_ context.Context, name string) (Store, func(), error) {
	kind, _, _ := strings.Cut(name, ":")
	if slices.Contains([]string{"sqlite", "postgres", "mysql", "redis"}, kind) {
		return nil, nil, fmt.Errorf("-store %s: needs a driver, and this module requires none; "+
			"the same server with drivers is: go -C examples/cluster run ./server -store %s:…",
			kind, kind)
	}
	if name != "memory" {
		return nil, nil, fmt.Errorf("-store %q is not known: memory", name)
	}

	return memstore.New(), func() {}, nil
}
