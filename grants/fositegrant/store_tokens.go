package fositegrant

import (
	"context"
	"errors"

	"github.com/ory/fosite"

	"github.com/grantwell/grantwell/storage"
)

// CreateAccessTokenSession implements oauth2.AccessTokenStorage.
func (s *Storage) CreateAccessTokenSession(
	ctx context.Context,
	signature string,
	r fosite.Requester,
) error {
	return s.create(ctx, storage.Access, fosite.AccessToken, signature, r)
}

// CreateRefreshTokenSession implements oauth2.RefreshTokenStorage.
func (s *Storage) CreateRefreshTokenSession(
	ctx context.Context,
	signature, _ string,
	r fosite.Requester,
) error {
	return s.create(ctx, storage.Refresh, fosite.RefreshToken, signature, r)
}

// create stores a token in its family.
func (s *Storage) create(
	ctx context.Context,
	kind storage.Kind,
	of fosite.TokenType,
	signature string,
	r fosite.Requester,
) error {
	until, err := expiry(r, of)
	if err != nil {
		return err
	}
	rec, d, err := recordOf(kind, key(kind, signature), r, until)
	if err != nil {
		return err
	}

	// Grantwell's own refresh grant does not extend a family beyond its end.
	if kind == storage.Refresh {
		d.FamilyEnd = until.Unix()
	}
	if rec, err = encode(rec, d); err != nil {
		return err
	}
	return s.join(ctx, rec)
}

// GetAccessTokenSession implements oauth2.AccessTokenStorage.
func (s *Storage) GetAccessTokenSession(
	ctx context.Context,
	signature string,
	into fosite.Session,
) (fosite.Requester, error) {
	rec, _, r, err := s.find(ctx, storage.Access, signature, into)
	if err != nil {
		return nil, err
	}

	// A revoked token does not exist for fosite.
	if rec.State != storage.Active {
		return nil, fosite.ErrNotFound
	}
	return r, nil
}

// DeleteAccessTokenSession implements oauth2.AccessTokenStorage. The token is revoked, and
// its record stays until it is swept.
func (s *Storage) DeleteAccessTokenSession(ctx context.Context, signature string) error {
	rec, err := s.records.Get(ctx, storage.Access, key(storage.Access, signature))
	if err != nil {
		return notFound(err)
	}
	if rec.State != storage.Active {
		return nil
	}

	// On a conflict another caller has ended the token, which is the purpose of this call.
	rec.State = storage.Revoked
	if err = s.records.Advance(ctx, storage.Active, rec); errors.Is(err, storage.ErrConflict) {
		return nil
	}
	return err
}

// GetRefreshTokenSession implements oauth2.RefreshTokenStorage.
func (s *Storage) GetRefreshTokenSession(
	ctx context.Context,
	signature string,
	into fosite.Session,
) (fosite.Requester, error) {
	rec, _, r, err := s.find(ctx, storage.Refresh, signature, into)
	if err != nil {
		return nil, err
	}

	// fosite needs the request of a spent token to revoke its family.
	if rec.State != storage.Active {
		return r, fosite.ErrInactiveToken
	}
	return r, nil
}

// DeleteRefreshTokenSession implements oauth2.RefreshTokenStorage and does nothing. fosite
// calls it at the second use of a token, and must recognize a third use too.
func (s *Storage) DeleteRefreshTokenSession(context.Context, string) error {
	return nil
}

// RotateRefreshToken implements oauth2.RefreshTokenStorage. One caller spends the token,
// and the access tokens of the family end. Every other caller ends the family.
func (s *Storage) RotateRefreshToken(ctx context.Context, requestID, signature string) error {
	if err := s.spend(ctx, storage.Refresh, key(storage.Refresh, signature)); err != nil {
		return err
	}
	return s.records.Revoke(ctx, requestID, storage.Access)
}

// RevokeRefreshToken implements oauth2.TokenRevocationStorage. The whole family ends, and
// no token joins it later.
func (s *Storage) RevokeRefreshToken(ctx context.Context, requestID string) error {
	return s.records.Revoke(ctx, requestID)
}

// RevokeAccessToken implements oauth2.TokenRevocationStorage. The access tokens of the
// family end.
func (s *Storage) RevokeAccessToken(ctx context.Context, requestID string) error {
	return s.records.Revoke(ctx, requestID, storage.Access)
}
