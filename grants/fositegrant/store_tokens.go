package fositegrant

import (
	"context"
	"errors"

	"github.com/ory/fosite"

	"github.com/grantwell/grantwell/storage"
)

// CreateAuthorizeCodeSession implements oauth2.AuthorizeCodeStorage.
func (s *Storage) CreateAuthorizeCodeSession(ctx context.Context, signature string, r fosite.Requester) error {
	until, err := expiry(r, fosite.AuthorizeCode)
	if err != nil {
		return err
	}
	rec, d, err := recordOf(storage.Code, key(storage.Code, signature), r, until)
	if err != nil {
		return err
	}
	form := r.GetRequestForm()
	d.RedirectURI, d.Challenge, d.ChallengeMethod = form.Get("redirect_uri"), form.Get("code_challenge"), form.Get("code_challenge_method")
	d.Fosite.Form = harmless(form)
	if rec, err = encode(rec, d); err != nil {
		return err
	}
	return s.join(ctx, rec)
}

// GetAuthorizeCodeSession implements oauth2.AuthorizeCodeStorage.
func (s *Storage) GetAuthorizeCodeSession(ctx context.Context, signature string, into fosite.Session) (fosite.Requester, error) {
	if signature == "" {
		return nil, fosite.ErrNotFound
	}
	rec, _, r, err := s.find(ctx, storage.Code, key(storage.Code, signature), fosite.AuthorizeCode, into)
	if err != nil {
		return nil, err
	}
	if rec.State != storage.Active {
		return r, fosite.ErrInvalidatedAuthorizeCode
	}
	return r, nil
}

// InvalidateAuthorizeCodeSession implements oauth2.AuthorizeCodeStorage: of any number of callers, on any instance, one succeeds.
func (s *Storage) InvalidateAuthorizeCodeSession(ctx context.Context, signature string) error {
	return s.consume(ctx, storage.Code, key(storage.Code, signature))
}

// CreatePKCERequestSession implements pkce.PKCERequestStorage. The challenge is in the code's record already, unless the
// configuration's SanitationWhiteList kept it away from there.
func (s *Storage) CreatePKCERequestSession(ctx context.Context, signature string, r fosite.Requester) error {
	rec, d, _, err := s.find(ctx, storage.Code, key(storage.Code, signature), fosite.AuthorizeCode, nil)
	if err != nil {
		return err
	}
	challenge, method := r.GetRequestForm().Get("code_challenge"), r.GetRequestForm().Get("code_challenge_method")
	if d.Challenge == challenge && d.ChallengeMethod == method {
		return nil
	}
	d.Challenge, d.ChallengeMethod = challenge, method
	if rec, err = encode(rec, d); err != nil {
		return err
	}
	return s.records.Advance(ctx, storage.Active, rec)
}

// GetPKCERequestSession implements pkce.PKCERequestStorage. It leaves the session alone, which belongs to the token request.
func (s *Storage) GetPKCERequestSession(ctx context.Context, signature string, _ fosite.Session) (fosite.Requester, error) {
	if signature == "" {
		return nil, fosite.ErrNotFound
	}
	_, d, r, err := s.find(ctx, storage.Code, key(storage.Code, signature), fosite.AuthorizeCode, nil)
	if err != nil {
		return nil, err
	}
	if d.Challenge == "" {
		return nil, fosite.ErrNotFound
	}
	r.Form.Set("code_challenge", d.Challenge)
	r.Form.Set("code_challenge_method", d.ChallengeMethod)
	return r, nil
}

// DeletePKCERequestSession implements pkce.PKCERequestStorage. It does nothing: fosite deletes before it has compared, and a second
// request would find no challenge.
func (s *Storage) DeletePKCERequestSession(context.Context, string) error { return nil }

// CreateAccessTokenSession implements oauth2.AccessTokenStorage.
func (s *Storage) CreateAccessTokenSession(ctx context.Context, signature string, r fosite.Requester) error {
	return s.create(ctx, storage.Access, fosite.AccessToken, signature, r)
}

// CreateRefreshTokenSession implements oauth2.RefreshTokenStorage.
func (s *Storage) CreateRefreshTokenSession(ctx context.Context, signature, _ string, r fosite.Requester) error {
	return s.create(ctx, storage.Refresh, fosite.RefreshToken, signature, r)
}

func (s *Storage) create(ctx context.Context, kind storage.Kind, of fosite.TokenType, signature string, r fosite.Requester) error {
	until, err := expiry(r, of)
	if err != nil {
		return err
	}
	rec, d, err := recordOf(kind, key(kind, signature), r, until)
	if err != nil {
		return err
	}
	if kind == storage.Refresh {
		d.FamilyEnd = until.Unix()
	}
	if rec, err = encode(rec, d); err != nil {
		return err
	}
	return s.join(ctx, rec)
}

// GetAccessTokenSession implements oauth2.AccessTokenStorage.
func (s *Storage) GetAccessTokenSession(ctx context.Context, signature string, into fosite.Session) (fosite.Requester, error) {
	if signature == "" {
		return nil, fosite.ErrNotFound
	}
	rec, _, r, err := s.find(ctx, storage.Access, key(storage.Access, signature), fosite.AccessToken, into)
	if err != nil {
		return nil, err
	}
	if rec.State != storage.Active {
		return nil, fosite.ErrNotFound
	}
	return r, nil
}

// DeleteAccessTokenSession implements oauth2.AccessTokenStorage: the token ends, and its record stays until it is swept.
func (s *Storage) DeleteAccessTokenSession(ctx context.Context, signature string) error {
	rec, err := s.records.Get(ctx, storage.Access, key(storage.Access, signature))
	if err != nil {
		return notFound(err)
	}
	if rec.State != storage.Active {
		return nil
	}
	rec.State = storage.Revoked
	if err = s.records.Advance(ctx, storage.Active, rec); errors.Is(err, storage.ErrConflict) {
		return nil // who was quicker can only have ended it too
	}
	return err
}

// GetRefreshTokenSession implements oauth2.RefreshTokenStorage.
func (s *Storage) GetRefreshTokenSession(ctx context.Context, signature string, into fosite.Session) (fosite.Requester, error) {
	if signature == "" {
		return nil, fosite.ErrNotFound
	}
	rec, _, r, err := s.find(ctx, storage.Refresh, key(storage.Refresh, signature), fosite.RefreshToken, into)
	if err != nil {
		return nil, err
	}
	if rec.State != storage.Active {
		return r, fosite.ErrInactiveToken
	}
	return r, nil
}

// DeleteRefreshTokenSession implements oauth2.RefreshTokenStorage. It does nothing: fosite calls it when it has seen a second use,
// and a third must be seen too.
func (s *Storage) DeleteRefreshTokenSession(context.Context, string) error { return nil }

// RotateRefreshToken implements oauth2.RefreshTokenStorage: one caller spends the token that it presented, and the family's
// access tokens end. The others end the family.
func (s *Storage) RotateRefreshToken(ctx context.Context, requestID, signature string) error {
	if err := s.consume(ctx, storage.Refresh, key(storage.Refresh, signature)); err != nil {
		return err
	}
	return s.records.Revoke(ctx, requestID, storage.Access)
}

// RevokeRefreshToken implements oauth2.TokenRevocationStorage: the whole family ends, and nothing joins it any more.
func (s *Storage) RevokeRefreshToken(ctx context.Context, requestID string) error {
	return s.records.Revoke(ctx, requestID)
}

// RevokeAccessToken implements oauth2.TokenRevocationStorage: the family's access tokens end.
func (s *Storage) RevokeAccessToken(ctx context.Context, requestID string) error {
	return s.records.Revoke(ctx, requestID, storage.Access)
}
