package grantwell

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
)

// External answers for the access tokens of another authorization server, whose issuer identifier is given and whose tokens are
// looked up by from: an [introspect.LocalJWT] or [introspect.Remote] for that server. A live token resolves to the client that is
// registered here under the token's client ID (see AliasOf of [storage.Client]): it then has that client's ID, of its scope what the
// client is registered for, and the other server's ID as the member external_client_id. A token whose client is registered nowhere, or
// is disabled in either place, is not active. Subject remains a user of the other server's, and Issuer says so: never
// take it for one of yours. SubjectActive and the hooks of [Config] are not asked about it.
//
// It is safe for concurrent use. Tokens of this server are asked of the [Server] itself.
func (s *Server) External(issuer string, from introspect.Introspector) introspect.Introspector {
	return external{s, issuer, from}
}

type external struct {
	s      *Server
	issuer string
	from   introspect.Introspector
}

// Introspect implements [introspect.Introspector].
func (e external) Introspect(ctx context.Context, token string) (*introspect.Token, error) {
	t, err := e.from.Introspect(ctx, token)
	switch {
	case err != nil:
		return nil, err
	case t == nil:
		return nil, errors.New("grantwell: the external introspector answered nothing")
	case !t.Active:
		return t, nil
	case t.Issuer != "" && t.Issuer != e.issuer:
		return dead(introspect.ReasonIssuer), nil
	}
	limited := &deadline{Context: ctx, at: time.Now().Add(e.s.cfg.Timeout)}
	defer limited.end()
	alias, err := e.live(limited, storage.ExternalID(e.issuer, t.ClientID), t.IssuedAt)
	if err != nil {
		return nil, err
	}
	client, err := e.live(limited, alias.AliasOf, t.IssuedAt)
	if err != nil {
		return nil, err
	}
	if client.ID == "" || client.AliasOf != "" {
		return dead(introspect.ReasonClient), nil
	}
	if t.Extra == nil {
		t.Extra = make(map[string]any)
	}
	t.Extra["external_client_id"] = t.ClientID
	t.Issuer, t.ClientID = e.issuer, client.ID
	t.Scope = slices.DeleteFunc(t.Scope, func(v string) bool { return !slices.Contains(client.Scope, v) })
	return t, nil
}

// live returns the client, or the zero one if nothing that was issued to it at this time counts.
func (e external) live(ctx context.Context, id string, issuedAt time.Time) (storage.Client, error) {
	if id == "" {
		return storage.Client{}, nil
	}
	c, err := e.s.known.Client(ctx, id)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return storage.Client{}, nil
	case err != nil:
		return c, err
	case c.ID != id || c.Disabled || c.Ended(issuedAt):
		return storage.Client{}, nil
	}
	return c, nil
}
