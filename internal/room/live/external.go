package live

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/grantwell/grantwell/internal/base/deadline"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
)

// External answers for the access tokens of another authorization server, whose
// clients are attached to clients of this one.
type External struct {
	Room    *Room
	Issuer  string // of the other server
	From    introspect.Introspector
	Timeout time.Duration
}

var _ introspect.Introspector = (*External)(nil)

// Introspect implements [introspect.Introspector].
func (e *External) Introspect(ctx context.Context, token string) (*introspect.Token, error) {
	t, err := e.From.Introspect(ctx, token)
	switch {
	case err != nil:
		return nil, err
	case t == nil:
		return nil, errors.New("grantwell: the external introspector answered nothing")
	case !t.Active:
		return t, nil
	case t.Issuer != "" && t.Issuer != e.Issuer:
		return dead(introspect.ReasonIssuer), nil
	}

	limited := &deadline.Context{Parent: ctx, At: time.Now().Add(e.Timeout)}
	defer limited.End()
	alias, err := e.client(limited, storage.ExternalID(e.Issuer, t.ClientID), t.IssuedAt)
	if err != nil {
		return nil, err
	}
	if alias == nil {
		return dead(introspect.ReasonClient), nil
	}
	client, err := e.client(limited, alias.AliasOf, t.IssuedAt)
	if err != nil {
		return nil, err
	}
	if client == nil || client.AliasOf != "" {
		return dead(introspect.ReasonClient), nil
	}

	if t.Extra == nil {
		t.Extra = make(map[string]any)
	}
	t.Extra["external_client_id"] = t.ClientID
	t.Issuer = e.Issuer
	t.ClientID = client.ID
	t.Scope = slices.DeleteFunc(t.Scope, func(v string) bool { return !slices.Contains(client.Scope, v) })

	return t, nil
}

// client returns a client, or nil if nothing that was issued to it at this time
// counts.
func (e *External) client(ctx context.Context, id string, issuedAt time.Time) (*storage.Client, error) {
	if id == "" {
		return nil, nil
	}

	c, err := e.Room.Clients.Client(ctx, id)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case c.ID != id || c.Disabled || c.Ended(issuedAt):
		return nil, nil
	}

	return c, nil
}
