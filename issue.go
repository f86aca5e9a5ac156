package grantwell

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// issuing is one decision on its way to tokens.
type issuing struct {
	client    *storage.Client
	grant     *grants.Grant
	grantType string
	requested []string
	now       time.Time
	public    bool // the client did not authenticate
}

// issue is the one place where tokens are made: for every grant, ours and the host's, at the token endpoint and in the
// implicit flow. It checks what no grant may skip, mints, and stores everything in one write.
func (s *Server) issue(ctx context.Context, e *Event, i issuing) (*grants.Response, error) {
	g := i.grant
	if g.Subject == "" {
		return nil, errors.New("grantwell: the grant names no subject")
	}
	e.Subject, e.GrantID = g.Subject, g.ID
	if err := s.checkSubject(ctx, i.client.ID, g.Subject); err != nil {
		return nil, err
	}
	if g.ID == "" && g.Subject != i.client.ID { // a family that begins with a user
		if err := s.notAClient(ctx, g.Subject); err != nil {
			return nil, err
		}
	}
	full, scope, err := s.scopeOf(ctx, i)
	if err != nil {
		return nil, err
	}
	if err := s.checkConsent(ctx, i.client.ID, g.Subject, g.Consent); err != nil {
		return nil, err
	}
	if g.Spend != nil && i.client.Ended(g.Spend.IssuedAt) {
		return nil, grants.InvalidGrant("what the client had before %v has ended", i.client.TokensNotBefore)
	}
	if g.Replay != nil {
		return g.Replay, nil
	}
	if g.ID == "" {
		g.ID = newID()
		e.GrantID = g.ID
	}
	is := s.plan(i, scope)
	if h := s.cfg.Hooks.Issue; h != nil {
		shown := is.clone(i.client)
		if err := h(ctx, &shown); err != nil {
			return nil, err
		}
		is.Claims, is.Response = shown.Claims, shown.Response // and nothing else of it
	}
	maps.DeleteFunc(is.Claims, func(name string, _ any) bool { return registered[strings.ToLower(name)] })
	res, recs, err := s.mint(ctx, i, &is, full)
	if err != nil {
		return nil, err
	}
	if g.Prepare != nil {
		if err := g.Prepare(res); err != nil {
			return nil, err
		}
	}
	if err := s.store(ctx, g, recs); err != nil {
		return nil, err
	}
	if h := s.cfg.Hooks.Issued; h != nil {
		if err := s.issued(ctx, h, is.clone(i.client)); err != nil {
			return nil, err
		}
	}
	return res, nil
}

// registered are the claims that say what a token is. No hook and no login may set them.
var registered = map[string]bool{"iss": true, "sub": true, "aud": true, "client_id": true, "jti": true, "scope": true, "iat": true, "nbf": true,
	"exp": true, "auth_time": true, "cnf": true, "active": true, "username": true, "token_type": true}

// plan is what a hook sees and may change, but for the client, which clone adds.
func (s *Server) plan(i issuing, scope []string) Issue {
	g := i.grant
	life := s.cfg.AccessTokenLifetime
	if i.client.AccessTokenLifetime > 0 {
		life = i.client.AccessTokenLifetime
	}
	expires := i.now.Add(life)
	for _, bound := range []time.Time{g.NotAfter, g.FamilyEnd} {
		if !bound.IsZero() && bound.Before(expires) {
			expires = bound
		}
	}
	audience := g.Audience
	if len(audience) == 0 {
		audience = s.defaultAudience(i.client)
	}
	return Issue{GrantType: i.grantType, GrantID: g.ID, Subject: g.Subject, Scope: scope, Audience: audience,
		ExpiresAt: expires, Claims: maps.Clone(g.Claims), Response: g.Response,
		Refresh: g.RefreshToken != "" || g.Refresh && i.grantType != "implicit" && s.mayRefresh(i.client)}
}

// clone is what a hook may write into.
func (is *Issue) clone(client *storage.Client) Issue {
	c := *is
	c.Client, c.Scope, c.Audience = client.Clone(), slices.Clone(is.Scope), slices.Clone(is.Audience)
	c.Claims, c.Response = maps.Clone(is.Claims), maps.Clone(is.Response)
	if c.Claims == nil {
		c.Claims = make(map[string]any)
	}
	if c.Response == nil {
		c.Response = make(map[string]any)
	}
	return c
}

func (s *Server) defaultAudience(c *storage.Client) []string {
	if len(c.Audience) > 0 {
		return []string{c.Audience[0]}
	}
	return s.cfg.Audience
}

// mint makes the tokens and the records that stand for them.
func (s *Server) mint(ctx context.Context, i issuing, is *Issue, full []string) (*grants.Response, []storage.Record, error) {
	g := i.grant
	family := g.FamilyEnd
	if is.Refresh && family.IsZero() {
		life := s.cfg.RefreshTokenLifetime
		if i.client.RefreshTokenLifetime > 0 {
			life = i.client.RefreshTokenLifetime
		}
		family = i.now.Add(life)
		if bound := g.FamilyNotAfter; !bound.IsZero() && bound.Before(family) {
			family = bound
		}
	}
	d := grants.Data{GrantType: i.grantType, Claims: is.Claims, Confirmation: g.Confirmation, Consent: g.Consent}
	if !g.AuthTime.IsZero() {
		d.AuthTime = g.AuthTime.Unix()
	}
	// The common case, a plain bearer token, stores no data at all.
	if i.grantType == "client_credentials" && len(d.Claims) == 0 && len(d.Confirmation) == 0 {
		d = grants.Data{}
	}
	strategy, recorded := s.strategy(i.client)
	if strategy == nil {
		return nil, nil, fmt.Errorf("grantwell: client %q is registered for jwt access tokens, and the server has no Keys", i.client.ID)
	}
	claims := tokens.Claims{Subject: g.Subject, ClientID: i.client.ID, Audience: is.Audience, Scope: is.Scope,
		IssuedAt: i.now, ExpiresAt: is.ExpiresAt, AuthTime: g.AuthTime, Confirmation: g.Confirmation, Extra: is.Claims}
	if _, opaque := strategy.(tokens.Opaque); !opaque {
		claims.Issuer, claims.ID = s.cfg.Issuer, newID()
		d.ID = claims.ID
	}
	data, err := d.Encode()
	if err != nil {
		return nil, nil, err
	}
	d.ID = "" // the refresh token has none
	access, err := strategy.Mint(ctx, claims)
	if err != nil {
		return nil, nil, fmt.Errorf("grantwell: access token: %w", err)
	}
	rec := storage.Record{Kind: storage.Access, Key: storage.Key(access), State: storage.Active, GrantID: g.ID, ClientID: i.client.ID, Subject: g.Subject,
		Scope: is.Scope, Audience: is.Audience, IssuedAt: i.now, ExpiresAt: is.ExpiresAt, Data: data}
	n := 1
	if is.Refresh {
		n = 2
	}
	recs := make([]storage.Record, 0, n)
	if recorded {
		recs = append(recs, rec)
	}
	res := &grants.Response{AccessToken: access, TokenType: s.cfg.TokenType, ExpiresAt: is.ExpiresAt, Scope: is.Scope, RefreshToken: g.RefreshToken, Extra: is.Response}
	if is.Refresh && g.RefreshToken == "" {
		d.FamilyEnd = family.Unix()
		refresh, err := s.cfg.RefreshTokens.Mint(ctx, tokens.Claims{})
		if err != nil {
			return nil, nil, fmt.Errorf("grantwell: refresh token: %w", err)
		}
		rec.Kind, rec.Key, rec.Scope, rec.ExpiresAt = storage.Refresh, storage.Key(refresh), full, s.idle(i.now, family)
		if rec.Data, err = d.Encode(); err != nil {
			return nil, nil, err
		}
		recs = append(recs, rec)
		res.RefreshToken = refresh
	}
	if g.Spend != nil {
		s.keepFindable(g, i.now, family, is.ExpiresAt)
	}
	return res, recs, nil
}

// idle is when a refresh token that is not used expires: never after its family.
func (s *Server) idle(now, family time.Time) time.Time {
	if s.cfg.RefreshTokenIdle > 0 {
		if t := now.Add(s.cfg.RefreshTokenIdle); t.Before(family) {
			return t
		}
	}
	return family
}

// keepFindable lets a spent record outlive all that it bought, so that a second use is told from garbage.
// A refresh token that is kept lives on by its idle time.
func (s *Server) keepFindable(g *grants.Grant, now, family, access time.Time) {
	end := family
	if end.Before(access) {
		end = access
	}
	if g.Spend.State == storage.Active {
		end = s.idle(now, family)
	}
	if g.Spend.State == storage.Active || end.After(g.Spend.ExpiresAt) {
		g.Spend.ExpiresAt = end
	}
}

// store writes all of it or none: what is spent and what it buys.
func (s *Server) store(ctx context.Context, g *grants.Grant, recs []storage.Record) error {
	if g.EndAccess {
		if err := s.cfg.Records.Revoke(ctx, g.ID, storage.Access); err != nil {
			return grants.Unavailable(err)
		}
	}
	var err error
	switch {
	case g.Spend != nil:
		err = s.cfg.Records.Advance(ctx, storage.Active, *g.Spend, recs...)
	case len(recs) > 0:
		err = s.cfg.Records.Insert(ctx, recs...)
	}
	if err != nil {
		return grants.Unavailable(err)
	}
	return nil
}

// issued runs the host's hook on tokens that are stored; if it refuses or panics they are withdrawn.
func (s *Server) issued(ctx context.Context, hook func(context.Context, Issue) error, is Issue) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
		if err == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Timeout)
		defer cancel()
		if rerr := s.cfg.Records.Revoke(ctx, is.GrantID); rerr != nil {
			err = grants.Unavailable(errors.Join(err, rerr))
		}
	}()
	return hook(ctx, is)
}

// scopeOf decides the scope of the grant and that of its access token.
func (s *Server) scopeOf(ctx context.Context, i issuing) (full, access []string, err error) {
	g := i.grant
	req := asked{grantType: i.grantType, client: i.client, subject: g.Subject, requested: i.requested}
	if g.Scope == nil {
		full, err = s.cfg.Scopes.decide(ctx, req, g.Limit)
		return full, full, err
	}
	req.requested = g.Scope
	if access, err = s.cfg.Scopes.confirm(ctx, req); err != nil {
		return nil, nil, err
	}
	if len(g.Narrow) > 0 {
		access = slices.DeleteFunc(slices.Clone(access), func(v string) bool { return !slices.Contains(g.Narrow, v) })
		if len(access) == 0 {
			return nil, nil, grants.InvalidScope("None of the requested scopes may be granted now.")
		}
	}
	return g.Scope, access, nil
}

// notAClient refuses a user whose subject is a client's ID: a resource could not tell a token of that user from one that
// the client got for itself (RFC 9700 section 4.15).
func (s *Server) notAClient(ctx context.Context, subject string) error {
	_, err := s.known.Client(ctx, subject)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil
	case err != nil:
		return grants.Unavailable(err)
	}
	return grants.InvalidGrant("the user's subject %q is the ID of a client", subject)
}

// checkSubject refuses users that the host has disabled. A client that acts for itself is checked as a client.
func (s *Server) checkSubject(ctx context.Context, clientID, subject string) error {
	if s.cfg.SubjectActive == nil || subject == clientID {
		return nil
	}
	active, err := s.cfg.SubjectActive(ctx, subject)
	if err != nil {
		return grants.Unavailable(err)
	}
	if !active {
		return grants.InvalidGrant("the user is disabled")
	}
	return nil
}

// newID returns 128 random bits as 22 characters.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	var id [22]byte
	base64.RawURLEncoding.Encode(id[:], b[:])
	return string(id[:])
}
