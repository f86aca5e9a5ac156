package observe

import (
	"context"

	"github.com/grantwell/grantwell/storage"
)

// Clients returns c with every call observed. The result is a [storage.Registrar] and a
// [storage.OriginFinder] if c is one, and has the method SwapClient if c has it beside those
// of a Registrar. If o is nil, it returns c itself.
func Clients(o Observer, c storage.Clients) storage.Clients {
	if o == nil || c == nil {
		return c
	}

	// The server finds a further interface by a type assertion, so the result must have
	// exactly those of c.
	all := clients{o, c}
	finder, finds := c.(storage.OriginFinder)
	registrar, registers := c.(storage.Registrar)
	swapper, swaps := c.(swapper)
	r := registering{all, registrar}
	f := finding{o, finder}
	s := swapping{o, swapper}
	switch {
	case registers && swaps && finds:
		return struct {
			registering
			swapping
			finding
		}{r, s, f}
	case registers && swaps:
		return struct {
			registering
			swapping
		}{r, s}
	case registers && finds:
		return struct {
			registering
			finding
		}{r, f}
	case registers:
		return r
	case finds:
		return struct {
			clients
			finding
		}{all, f}
	}
	return all
}

// clients observes a [storage.Clients].
type clients struct {
	o Observer
	c storage.Clients
}

// call observes one call about clients.
func (c clients) call(ctx context.Context, name string, do func(context.Context) error) error {
	return c.o.do(ctx, Call{Part: "clients", Name: name}, do)
}

// Client implements [storage.Clients].
func (c clients) Client(ctx context.Context, id string) (found storage.Client, err error) {
	err = c.call(ctx, "Client", func(ctx context.Context) error {
		found, err = c.c.Client(ctx, id)
		return err
	})
	return found, err
}

// registering observes a [storage.Registrar].
type registering struct {
	clients
	r storage.Registrar
}

// PutClient implements [storage.Registrar].
func (r registering) PutClient(ctx context.Context, c storage.Client) error {
	return r.call(ctx, "PutClient", func(ctx context.Context) error {
		return r.r.PutClient(ctx, c)
	})
}

// DeleteClient implements [storage.Registrar].
func (r registering) DeleteClient(ctx context.Context, id string) error {
	return r.call(ctx, "DeleteClient", func(ctx context.Context) error {
		return r.r.DeleteClient(ctx, id)
	})
}

// ListClients implements [storage.Registrar].
func (r registering) ListClients(ctx context.Context, after string, limit int) (list []storage.Client, err error) {
	err = r.call(ctx, "ListClients", func(ctx context.Context) error {
		list, err = r.r.ListClients(ctx, after, limit)
		return err
	})
	return list, err
}

// swapper is the method by which the administration changes a client that another
// instance may change at the same time.
type swapper interface {
	SwapClient(ctx context.Context, old *storage.Client, next storage.Client) error
}

// swapping observes a swapper.
type swapping struct {
	o Observer
	s swapper
}

// SwapClient stores a client if it is still stored as old.
func (s swapping) SwapClient(ctx context.Context, old *storage.Client, next storage.Client) error {
	call := Call{Part: "clients", Name: "SwapClient"}
	return s.o.do(ctx, call, func(ctx context.Context) error {
		return s.s.SwapClient(ctx, old, next)
	})
}

// finding observes a [storage.OriginFinder].
type finding struct {
	o Observer
	f storage.OriginFinder
}

// HasOrigin implements [storage.OriginFinder].
func (f finding) HasOrigin(ctx context.Context, origin string) (found bool, err error) {
	call := Call{Part: "clients", Name: "HasOrigin"}
	err = f.o.do(ctx, call, func(ctx context.Context) error {
		found, err = f.f.HasOrigin(ctx, origin)
		return err
	})
	return found, err
}
