package fositegrant

import (
	"context"

	"github.com/ory/fosite"

	"github.com/grantwell/grantwell/storage"
)

// CreateOpenIDConnectSession implements openid.OpenIDConnectRequestStorage. fosite passes
// the code itself, of which only a digest is stored.
func (s *Storage) CreateOpenIDConnectSession(
	ctx context.Context,
	code string,
	r fosite.Requester,
) error {
	until, err := expiry(r, fosite.AuthorizeCode)
	if err != nil {
		return err
	}
	rec, d, err := recordOf(kindOpenID, key(kindOpenID, code), r, until)
	if err != nil {
		return err
	}
	d.Fosite.Form = withoutSecrets(r.GetRequestForm())
	if rec, err = encode(rec, d); err != nil {
		return err
	}
	return s.join(ctx, rec)
}

// GetOpenIDConnectSession implements openid.OpenIDConnectRequestStorage. An error of the
// store is not reported as a missing session, because fosite would then leave the ID token
// out and answer 200.
func (s *Storage) GetOpenIDConnectSession(
	ctx context.Context,
	code string,
	r fosite.Requester,
) (fosite.Requester, error) {
	var into fosite.Session
	if r != nil && r.GetSession() != nil {
		into = r.GetSession().Clone()
	}
	rec, _, got, err := s.find(ctx, kindOpenID, code, into)
	if err != nil {
		return nil, err
	}
	if rec.State != storage.Active {
		return nil, fosite.ErrNotFound
	}
	return got, nil
}

// DeleteOpenIDConnectSession implements openid.OpenIDConnectRequestStorage.
func (s *Storage) DeleteOpenIDConnectSession(ctx context.Context, code string) error {
	return s.spendAlone(ctx, kindOpenID, key(kindOpenID, code))
}
