package observe

import (
	"context"

	"github.com/grantwell/grantwell/storage"
)

// Clients returns c with every call observed. It is a [storage.Registrar], one that swaps, and a [storage.OriginFinder], if c is.
// Without an observer it is c itself.
func Clients(o Observer, c storage.Clients) storage.Clients {
	if o == nil || c == nil {
		return c
	}
	all := clients{o, c}
	finder, finds := c.(storage.OriginFinder)
	registrar, registers := c.(storage.Registrar)
	swapper, swaps := c.(swapper)
	r, f, s := registering{all, registrar}, finding{o, finder}, swapping{o, swapper}
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

type clients struct {
	o Observer
	c storage.Clients
}

func (c clients) call(ctx context.Context, name string, do func(context.Context) error) error {
	return c.o.do(ctx, Call{Part: "clients", Name: name}, do)
}

// Client implements [storage.Clients].
func (c clients) Client(ctx context.Context, id string) (found storage.Client, err error) {
	err = c.call(ctx, "Client", func(ctx context.Context) error { found, err = c.c.Client(ctx, id); return err })
	return found, err
}

type registering struct {
	clients
	r storage.Registrar
}

// PutClient implements [storage.Registrar].
func (r registering) PutClient(ctx context.Context, c storage.Client) error {
	return r.call(ctx, "PutClient", func(ctx context.Context) error { return r.r.PutClient(ctx, c) })
}

// DeleteClient implements [storage.Registrar].
func (r registering) DeleteClient(ctx context.Context, id string) error {
	return r.call(ctx, "DeleteClient", func(ctx context.Context) error { return r.r.DeleteClient(ctx, id) })
}

// ListClients implements [storage.Registrar].
func (r registering) ListClients(ctx context.Context, after string, limit int) (list []storage.Client, err error) {
	err = r.call(ctx, "ListClients", func(ctx context.Context) error { list, err = r.r.ListClients(ctx, after, limit); return err })
	return list, err
}

type swapper interface {
	SwapClient(ctx context.Context, old *storage.Client, next storage.Client) error
}

type swapping struct {
	o Observer
	s swapper
}

// SwapClient stores a client unless somebody changed it.
func (s swapping) SwapClient(ctx context.Context, old *storage.Client, next storage.Client) error {
	return s.o.do(ctx, Call{Part: "clients", Name: "SwapClient"}, func(ctx context.Context) error { return s.s.SwapClient(ctx, old, next) })
}

type finding struct {
	o Observer
	f storage.OriginFinder
}

// HasOrigin implements [storage.OriginFinder].
func (f finding) HasOrigin(ctx context.Context, origin string) (found bool, err error) {
	err = f.o.do(ctx, Call{Part: "clients", Name: "HasOrigin"}, func(ctx context.Context) error { found, err = f.f.HasOrigin(ctx, origin); return err })
	return found, err
}
