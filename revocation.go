package grantwell

import (
	"context"
	"errors"
	"net/http"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
)

// RevokeHandler returns the revocation endpoint (RFC 7009). An access token is revoked alone; a refresh token
// with its whole family. The answer 200 means that no instance accepts the token any more.
func (s *Server) RevokeHandler() http.Handler {
	return s.endpoint("revoke", false, func(ctx context.Context, c *call) error {
		if err := c.authenticate(ctx); err != nil {
			return err
		}
		token := c.req.Form.Get("token")
		if token == "" {
			return grants.InvalidRequest("The parameter token is missing.")
		}
		if err := c.revoke(ctx, token); err != nil {
			return err
		}
		c.w.Header()["Content-Type"] = contentTypes["json"] // there are clients that insist on a type, even of nothing
		c.w.WriteHeader(http.StatusOK)
		return nil
	})
}

func (c *call) revoke(ctx context.Context, token string) error {
	rec, err := c.s.find(ctx, token)
	if errors.Is(err, storage.ErrNotFound) {
		return c.revokeUnrecorded(ctx, token)
	} else if err != nil {
		return grants.Unavailable(err)
	}
	c.event.Subject, c.event.GrantID = rec.Subject, rec.GrantID
	if rec.ClientID != c.req.Client.ID {
		return c.foreign(rec.ClientID)
	}
	if rec.State == storage.Revoked {
		return nil
	}
	var shown *introspect.Token // to both hooks
	if c.s.cfg.Hooks.Revoke != nil || c.s.cfg.Hooks.Revoked != nil {
		shown = &introspect.Token{ClientID: rec.ClientID, Subject: rec.Subject, Scope: rec.Scope, Audience: rec.Audience, ExpiresAt: rec.ExpiresAt, IssuedAt: rec.IssuedAt}
	}
	if h := c.s.cfg.Hooks.Revoke; h != nil {
		if err := h(ctx, shown); err != nil {
			return err
		}
	}
	if rec.Kind == storage.Refresh {
		err = c.s.cfg.Records.Revoke(ctx, rec.GrantID)
	} else {
		err = c.s.revokeOne(ctx, rec)
	}
	if err != nil {
		return grants.Unavailable(err)
	}
	if h := c.s.cfg.Hooks.Revoked; h != nil {
		return h(ctx, shown)
	}
	return nil
}

// revokeOne ends one access token. Whoever else moved it meanwhile can only have revoked it too.
func (s *Server) revokeOne(ctx context.Context, rec storage.Record) error {
	from := rec.State
	rec.State = storage.Revoked
	err := s.cfg.Records.Advance(ctx, from, rec)
	if errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	return err
}

// find looks for an access or a refresh token. The hint of RFC 7009 is not needed: both looks are cheap.
func (s *Server) find(ctx context.Context, token string) (storage.Record, error) {
	rec, err := grants.Find(ctx, s.cfg.Records, storage.Access, token, s.wellFormed(ctx, token), s.cfg.Imported)
	if errors.Is(err, storage.ErrNotFound) {
		return s.refreshRecord(ctx, token)
	}
	return rec, err
}

// foreign answers for a token of another client, which lives on.
func (c *call) foreign(owner string) error {
	if c.s.cfg.Compat.ForeignRevocation == http.StatusOK {
		c.event.Reason = "token of another client"
		return nil
	}
	e := grants.InvalidGrant("token of client %q", owner)
	e.Status = c.s.cfg.Compat.ForeignRevocation
	return e
}

// revokeUnrecorded answers for a token that no store knows: 200, unless it is a live one that cannot be revoked.
func (c *call) revokeUnrecorded(ctx context.Context, token string) error {
	if !c.s.cfg.Unrecorded {
		return nil
	}
	t, _, err := c.s.access(ctx, token, &c.req.Client)
	switch {
	case err != nil:
		return grants.Unavailable(err)
	case !t.Active:
		return nil
	case t.ClientID != c.req.Client.ID:
		return c.foreign(t.ClientID)
	}
	return &grants.Error{Code: "unsupported_token_type", Description: "This kind of token cannot be revoked; it ends by itself.", Status: http.StatusBadRequest}
}
