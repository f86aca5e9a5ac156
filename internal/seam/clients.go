package seam

import (
	"context"

	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// Clients finds registered clients.
type Clients interface {
	// Client returns the client with this ID or [storage.ErrNotFound]. The client is
	// to be read only: it may share its memory with the store.
	Client(ctx context.Context, id string) (*storage.Client, error)
}

// ByPointer returns the clients of a store. Those of a memory store are not copied.
// Code outside this module never sees one of them: it gets a copy.
func ByPointer(c storage.Clients) Clients {
	if s, ok := c.(*memstore.Store); ok && s != nil {
		return memstore.View(s)
	}

	return copied{c}
}

// copied are the clients of a store that returns values.
type copied struct{ clients storage.Clients }

// Client implements [Clients].
func (c copied) Client(ctx context.Context, id string) (*storage.Client, error) {
	client, err := c.clients.Client(ctx, id)
	if err != nil {
		return nil, err
	}

	return &client, nil
}
