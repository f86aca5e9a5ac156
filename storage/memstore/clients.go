package memstore

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/grantwell/grantwell/storage"
)

var errClients = errors.New("memstore: full: as many clients are registered as Options.MaxClients allows")

// registry keeps the clients. A client is cloned on the way in and on the way
// out. A client in the registry is never written to: a change replaces it.
type registry struct {
	max int

	mu      sync.RWMutex
	clients map[string]*storage.Client
	ids     []string       // sorted, for ListClients
	origins map[string]int // how many enabled clients have the origin
}

// Client implements [storage.Clients].
func (s *Store) Client(ctx context.Context, id string) (storage.Client, error) {
	c, err := s.registry.client(ctx, id)
	if err != nil {
		return storage.Client{}, err
	}
	return c.Clone(), nil
}

// ClientView reads a store's clients without a copy: see [View].
type ClientView struct{ registry *registry }

// View returns a reader of the store's clients that copies nothing.
//
// A client that it returns shares its memory with the store. The caller only
// reads it, and calls [storage.Client.Clone] before it changes the client or
// passes it to code that might. The server reads clients this way, and clones
// one for each hook, handler and login page of the host.
//
// View is a function, not a method of [Store]. A host may embed a Store in a
// type with a Client method of its own, for example one that filters by tenant.
// A method would be promoted by the embedding, and the server would then read
// past the host's Client. View takes the store itself, so that it can only be
// called by code that holds a *Store.
func View(s *Store) ClientView { return ClientView{&s.registry} }

// Client returns the stored client with this ID, or [storage.ErrNotFound]. The
// client is never written to: a change replaces it in the store.
func (v ClientView) Client(ctx context.Context, id string) (*storage.Client, error) {
	return v.registry.client(ctx, id)
}

// client returns the client with this ID, to be read only.
func (r *registry) client(ctx context.Context, id string) (*storage.Client, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r.mu.RLock()
	c := r.clients[id]
	r.mu.RUnlock()
	if c == nil {
		return nil, storage.ErrNotFound
	}
	return c, nil
}

// PutClient implements [storage.Registrar]. It fails for a new client if there
// are [Options].MaxClients already. A stored client can always be replaced.
func (s *Store) PutClient(ctx context.Context, c storage.Client) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.registry.put(c, func(*storage.Client) bool { return true })
}

// SwapClient implements [storage.Swapper]. It fails for a new client as PutClient
// does.
func (s *Store) SwapClient(ctx context.Context, old *storage.Client, next storage.Client) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.registry.put(next, func(stored *storage.Client) bool {
		return (stored == nil) == (old == nil) && (old == nil || stored.Equal(old))
	})
}

// put stores a client if may reports that the stored one, or nil, may be
// replaced. It asks under the lock.
func (r *registry) put(c storage.Client, may func(stored *storage.Client) bool) error {
	if err := c.Validate(); err != nil {
		return err
	}
	c = c.Clone()
	r.mu.Lock()
	defer r.mu.Unlock()
	stored := r.clients[c.ID]
	switch {
	case !may(stored):
		return storage.ErrConflict
	case stored == nil && len(r.ids) >= r.max:
		return errClients
	case stored == nil:
		i, _ := slices.BinarySearch(r.ids, c.ID)
		r.ids = slices.Insert(r.ids, i, c.ID)
	default:
		r.count(stored, -1)
	}
	r.clients[c.ID] = &c
	r.count(&c, 1)
	return nil
}

// count adds n to the counts of the client's origins. Those of a disabled client
// do not count.
func (r *registry) count(c *storage.Client, n int) {
	if c.Disabled {
		return
	}
	for _, origin := range c.Origins {
		if r.origins[origin] += n; r.origins[origin] == 0 {
			delete(r.origins, origin)
		}
	}
}

// DeleteClient implements [storage.Registrar].
func (s *Store) DeleteClient(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r := &s.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	i, found := slices.BinarySearch(r.ids, id)
	if !found {
		return storage.ErrNotFound
	}
	r.count(r.clients[id], -1)
	r.ids = slices.Delete(r.ids, i, i+1)
	delete(r.clients, id)
	return nil
}

// ListClients implements [storage.Registrar].
func (s *Store) ListClients(ctx context.Context, after string, limit int) ([]storage.Client, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if limit < 1 || limit > 1000 {
		limit = 100
	}
	r := &s.registry
	r.mu.RLock()
	defer r.mu.RUnlock()
	i, found := slices.BinarySearch(r.ids, after)
	if found {
		i++
	}
	page := r.ids[i:min(i+limit, len(r.ids))]
	list := make([]storage.Client, len(page))
	for j, id := range page {
		list[j] = r.clients[id].Clone()
	}
	return list, nil
}

// HasOrigin implements [storage.OriginFinder].
func (s *Store) HasOrigin(ctx context.Context, origin string) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s.registry.mu.RLock()
	defer s.registry.mu.RUnlock()
	return s.registry.origins[origin] > 0, nil
}
