package frontchannel

import (
	"context"
	"errors"

	"github.com/grantwell/grantwell/storage"
)

// findClient sets r.Client. Unknown, disabled and malformed read the same to the outside.
func (f *FrontChannel) findClient(ctx context.Context, r *Request) *Error {
	unknown := func() *Error { return refuse(codeInvalidClient, "the client is not known here") }
	ids := r.Form["client_id"]
	if len(ids) == 0 || len(ids) == 1 && ids[0] == "" {
		return refuse(codeInvalidRequest, "client_id is missing")
	}
	if len(ids) > 1 {
		return refuse(codeInvalidRequest, "client_id is sent more than once")
	}
	id := ids[0]
	if !validClientID(id) {
		return unknown().because("client_id is malformed")
	}
	c, err := f.cfg.Clients.Client(ctx, id)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return unknown().because("client: %w", err)
	case err != nil:
		return refuse(codeTemporarilyUnavail, "the request cannot be served at the moment").because("client: %w", err)
	case c.ID != id:
		// A database that compares without regard to case finds more than was asked for.
		return unknown().because("the store returned another client")
	case c.Disabled:
		return unknown().because("the client is disabled")
	}
	r.Client = c
	return nil
}

// validClientID holds the bounds of registration: no other ID can be in a store.
func validClientID(id string) bool {
	if len(id) > 255 {
		return false
	}
	for i := range len(id) {
		if id[i] < 0x20 || id[i] > 0x7e {
			return false
		}
	}
	return true
}
