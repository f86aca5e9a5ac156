package inspect

import (
	"context"
	"errors"
	"net/http"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/later"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
)

// Revocation are the settings of the revocation endpoint.
type Revocation struct {
	// Foreign is the status for the token of another client: 400, 403 or 200.
	Foreign int
	// Unrecorded says that there are tokens of which the store knows nothing.
	Unrecorded bool
	// Before and After are the host's hooks; nil: none.
	Before func(ctx context.Context, t *introspect.Token) error
	After  func(ctx context.Context, t *introspect.Token) error
}

// RevocationEndpoint returns the revocation endpoint at a path.
func (r *Room) RevocationEndpoint(path string) seam.Endpoint {
	return seam.Endpoint{
		Name:         "revoke",
		Path:         path,
		Member:       "revocation_endpoint",
		Authenticate: true,
		Handle:       r.revoke,
	}
}

// revoke ends an access token alone, and a refresh token with its whole family
// (RFC 7009 section 2.1). The hint of the request is not needed: both look-ups are
// cheap.
func (r *Room) revoke(ctx context.Context, c *seam.Call) (seam.Reply, error) {
	var reply seam.Reply
	token, err := required(c, "token")
	if err != nil {
		return reply, err
	}
	rec, err := r.Live.Record(ctx, token)
	if errors.Is(err, storage.ErrNotFound) {
		return reply, r.revokeUnrecorded(ctx, c, token, &reply)
	} else if err != nil {
		return reply, grants.Unavailable(err)
	}

	reply.Event.Subject = rec.Subject
	reply.Event.GrantID = rec.GrantID
	switch {
	case rec.ClientID != c.Client.ID:
		return reply, r.foreign(rec.ClientID, &reply)
	case rec.State == storage.Revoked:
		return reply, nil
	}

	return reply, r.end(ctx, rec)
}

// end runs the host's hooks around the end of a token.
func (r *Room) end(ctx context.Context, rec storage.Record) error {
	if err := later.Of(ctx).Run(ctx); err != nil {
		return err
	}

	var shown *introspect.Token
	if r.Before != nil || r.After != nil {
		shown = &introspect.Token{
			ClientID:  rec.ClientID,
			Subject:   rec.Subject,
			Scope:     rec.Scope,
			Audience:  rec.Audience,
			ExpiresAt: rec.ExpiresAt,
			IssuedAt:  rec.IssuedAt,
		}
	}
	if r.Before != nil {
		if err := r.Before(ctx, shown); err != nil {
			return err
		}
	}

	var err error
	if rec.Kind == storage.Refresh {
		err = r.Live.Records.Revoke(ctx, rec.GrantID)
	} else {
		err = r.endOne(ctx, rec)
	}
	if err != nil {
		return grants.Unavailable(err)
	}

	if r.After != nil {
		return r.After(ctx, shown)
	}

	return nil
}

// endOne ends one access token. Another request can only have revoked it too.
func (r *Room) endOne(ctx context.Context, rec storage.Record) error {
	from := rec.State
	rec.State = storage.Revoked
	err := r.Live.Records.Advance(ctx, from, rec)
	if errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrNotFound) {
		return nil
	}

	return err
}

// foreign answers for a token of another client, which stays as it is.
func (r *Room) foreign(owner string, reply *seam.Reply) error {
	if r.Foreign == http.StatusOK {
		reply.Event.Reason = grants.ReasonTokenClient
		return nil
	}

	e := grants.InvalidGrant("token of client %q", owner).For(grants.ReasonTokenClient)
	e.Status = r.Foreign

	return e
}

// revokeUnrecorded answers for a token that the store does not know: with success,
// unless it is a live one, which cannot be revoked (RFC 7009 section 2.2.1).
func (r *Room) revokeUnrecorded(ctx context.Context, c *seam.Call, token string, reply *seam.Reply) error {
	if !r.Unrecorded {
		return nil
	}

	found, err := r.Live.Access(ctx, token, c.Client)
	switch {
	case err != nil:
		return grants.Unavailable(err)
	case !found.Token.Active:
		return nil
	case found.Token.ClientID != c.Client.ID:
		return r.foreign(found.Token.ClientID, reply)
	}

	return &grants.Error{
		Code:        "unsupported_token_type",
		Description: "This kind of token cannot be revoked; it ends by itself.",
		Status:      http.StatusBadRequest,
		Reason:      grants.ReasonTokenKind,
	}
}
