package grantwell

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// Introspect answers for an access token of this server, so that a resource in the same process needs no HTTP:
// introspect.Guard{Introspector: srv}. A dead token is an answer; an error means that the store failed.
func (s *Server) Introspect(ctx context.Context, token string) (*introspect.Token, error) {
	limited := &deadline{Context: ctx, at: time.Now().Add(s.cfg.Timeout)}
	defer limited.end()
	t, _, err := s.access(limited, token, nil)
	return t, err
}

func dead(why introspect.Reason) *introspect.Token { return &introspect.Token{Reason: why} }

// access looks an access token up and judges it. asker, the client that asks, was just looked up; it may be nil. The record is the zero one for a token that is not recorded.
func (s *Server) access(ctx context.Context, token string, asker *storage.Client) (*introspect.Token, storage.Record, error) {
	own := s.wellFormed(ctx, token)
	rec, err := grants.Find(ctx, s.cfg.Records, storage.Access, token, own, s.cfg.Imported)
	switch {
	case err == nil:
		t, err := s.judge(ctx, rec, asker)
		return t, rec, err
	case !errors.Is(err, storage.ErrNotFound):
		return nil, rec, err
	case !own || !s.cfg.Unrecorded:
		return dead(introspect.ReasonUnknown), rec, nil
	}
	strategy := s.cfg.Strategy
	if strategy == nil {
		strategy = s.jwt
	}
	c, err := strategy.Verify(ctx, token)
	if errors.Is(err, tokens.ErrInvalid) {
		return dead(introspect.ReasonUnknown), storage.Record{}, nil
	} else if err != nil {
		return nil, storage.Record{}, err
	}
	t := &introspect.Token{Active: true, Scope: c.Scope, ClientID: c.ClientID, TokenType: s.cfg.TokenType, Subject: c.Subject, Issuer: s.cfg.Issuer,
		ID: c.ID, Audience: c.Audience, ExpiresAt: c.ExpiresAt, IssuedAt: c.IssuedAt, NotBefore: c.NotBefore, Confirmation: c.Confirmation, Extra: c.Extra}
	t, err = s.alive(ctx, t, c.IssuedAt.Add(time.Second-1), 0, asker) // iat has whole seconds
	return t, storage.Record{}, err
}

// judge turns a record into an answer: state, time, client, user and consent, all now.
func (s *Server) judge(ctx context.Context, rec storage.Record, asker *storage.Client) (*introspect.Token, error) {
	switch {
	case rec.State != storage.Active:
		return dead(introspect.ReasonRevoked), nil
	case rec.Expired(nowUTC()):
		return dead(introspect.ReasonExpired), nil
	}
	d, err := grants.DecodeData(rec)
	if err != nil {
		return nil, err
	}
	t := &introspect.Token{Active: true, Scope: rec.Scope, ClientID: rec.ClientID, TokenType: s.cfg.TokenType, Subject: rec.Subject, Issuer: s.cfg.Issuer, ID: d.ID,
		Audience: rec.Audience, ExpiresAt: rec.ExpiresAt, IssuedAt: rec.IssuedAt, Confirmation: d.Confirmation, Extra: d.Claims}
	if rec.Kind == storage.Refresh {
		t.TokenType = "refresh_token"
	}
	return s.alive(ctx, t, rec.IssuedAt, d.Consent, asker)
}

// alive checks what may have ended since the token was issued, and lets the host have its say.
func (s *Server) alive(ctx context.Context, t *introspect.Token, issuedAt time.Time, consent int, asker *storage.Client) (*introspect.Token, error) {
	if asker == nil || asker.ID == "" || asker.ID != t.ClientID {
		c, err := s.known.Client(ctx, t.ClientID)
		if errors.Is(err, storage.ErrNotFound) {
			return dead(introspect.ReasonClient), nil
		} else if err != nil {
			return nil, err
		}
		asker = &c
	}
	if asker.Disabled || asker.Ended(issuedAt) {
		return dead(introspect.ReasonClient), nil
	}
	err := s.checkSubject(ctx, t.ClientID, t.Subject)
	if err == nil {
		err = s.checkConsent(ctx, t.ClientID, t.Subject, consent)
	}
	if err == nil && s.cfg.Hooks.Validate != nil {
		t.Extra = maps.Clone(t.Extra)
		if t.Extra == nil {
			t.Extra = make(map[string]any)
		}
		err = s.cfg.Hooks.Validate(ctx, t)
	}
	if err == nil {
		return t, nil
	}
	if e := protocol(err); e.Status >= 500 {
		return nil, err
	}
	return dead(introspect.ReasonRevoked), nil
}

// IntrospectHandler returns the introspection endpoint (RFC 7662). Callers authenticate as clients; a token that is none
// of the caller's business is answered {"active":false}, as one that does not exist.
func (s *Server) IntrospectHandler() http.Handler {
	return s.endpoint("introspect", false, func(ctx context.Context, c *call) error {
		if err := c.authenticate(ctx); err != nil {
			return err
		}
		token := c.req.Form.Get("token")
		if token == "" {
			return grants.InvalidRequest("The parameter token is missing.")
		}
		t, rec, err := s.lookup(ctx, token, c.req.Form.Get("token_type_hint"), &c.req.Client)
		if err != nil {
			return grants.Unavailable(err)
		}
		c.event.Reason = string(t.Reason)
		if t.Active && !s.entitled(ctx, c, t, rec.Kind) {
			c.event.Reason = "the caller is not entitled"
			t = dead(introspect.ReasonUnknown)
		}
		if !t.Active {
			c.json(http.StatusOK, []byte(`{"active":false}`))
			return nil
		}
		c.event.Subject, c.event.GrantID, c.event.Scope = t.Subject, rec.GrantID, t.Scope
		body, err := t.MarshalJSON()
		if err != nil {
			return err
		}
		c.json(http.StatusOK, body)
		return nil
	})
}

// lookup finds an access or a refresh token; a hint only says where to look first.
func (s *Server) lookup(ctx context.Context, token, hint string, asker *storage.Client) (*introspect.Token, storage.Record, error) {
	if hint != "refresh_token" {
		t, rec, err := s.access(ctx, token, asker)
		if err != nil || t.Active || rec.Kind != "" {
			return t, rec, err
		}
	}
	rec, err := s.refreshRecord(ctx, token)
	if err == nil {
		t, err := s.judge(ctx, rec, asker)
		return t, rec, err
	} else if !errors.Is(err, storage.ErrNotFound) {
		return nil, rec, err
	}
	if hint == "refresh_token" {
		return s.access(ctx, token, asker)
	}
	return dead(introspect.ReasonUnknown), storage.Record{}, nil
}

// refreshRecord finds the record of a refresh token.
func (s *Server) refreshRecord(ctx context.Context, token string) (storage.Record, error) {
	_, err := s.cfg.RefreshTokens.Verify(ctx, token)
	return grants.Find(ctx, s.cfg.Records, storage.Refresh, token, err == nil, s.cfg.Imported)
}

// entitled: a client may ask about its own tokens; a resource server about those that are meant for it, but not about
// refresh tokens, which are never meant for it. Who did not authenticate may ask about its own only.
func (s *Server) entitled(ctx context.Context, c *call, t *introspect.Token, kind storage.Kind) bool {
	if t.ClientID == c.req.Client.ID {
		return true
	}
	if !c.req.Authenticated || kind == storage.Refresh {
		return false
	}
	for _, a := range t.Audience {
		if a == c.req.Client.ID || slices.Contains(c.req.Client.Resources, a) {
			return true
		}
	}
	return s.cfg.MayIntrospect != nil && s.cfg.MayIntrospect(ctx, c.req.Client.Clone(), t)
}
