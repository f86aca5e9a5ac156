package fositegrant

import (
	"context"

	"github.com/ory/fosite"

	"github.com/grantwell/grantwell/storage"
)

// CreateAuthorizeCodeSession implements oauth2.AuthorizeCodeStorage.
func (s *Storage) CreateAuthorizeCodeSession(
	ctx context.Context,
	signature string,
	r fosite.Requester,
) error {
	until, err := expiry(r, fosite.AuthorizeCode)
	if err != nil {
		return err
	}
	rec, d, err := recordOf(storage.Code, key(storage.Code, signature), r, until)
	if err != nil {
		return err
	}

	// Grantwell's own endpoint reads the redirect URI and the challenge there.
	form := r.GetRequestForm()
	d.RedirectURI = form.Get("redirect_uri")
	d.Challenge = form.Get("code_challenge")
	d.ChallengeMethod = form.Get("code_challenge_method")
	d.Fosite.Form = withoutSecrets(form)
	if rec, err = encode(rec, d); err != nil {
		return err
	}
	return s.join(ctx, rec)
}

// GetAuthorizeCodeSession implements oauth2.AuthorizeCodeStorage.
func (s *Storage) GetAuthorizeCodeSession(
	ctx context.Context,
	signature string,
	into fosite.Session,
) (fosite.Requester, error) {
	rec, _, r, err := s.find(ctx, storage.Code, signature, into)
	if err != nil {
		return nil, err
	}

	// fosite needs the request of a spent code to revoke what the code bought.
	if rec.State != storage.Active {
		return r, fosite.ErrInvalidatedAuthorizeCode
	}
	return r, nil
}

// InvalidateAuthorizeCodeSession implements oauth2.AuthorizeCodeStorage. It succeeds for
// one caller, whatever the number of callers and instances.
func (s *Storage) InvalidateAuthorizeCodeSession(ctx context.Context, signature string) error {
	return s.spend(ctx, storage.Code, key(storage.Code, signature))
}

// CreatePKCERequestSession implements pkce.PKCERequestStorage. The challenge is already in
// the code's record, unless the configuration's SanitationWhiteList removed it from the
// form that fosite stores with the code.
func (s *Storage) CreatePKCERequestSession(
	ctx context.Context,
	signature string,
	r fosite.Requester,
) error {
	rec, d, _, err := s.find(ctx, storage.Code, signature, nil)
	if err != nil {
		return err
	}

	// In the usual case there is nothing to write.
	challenge := r.GetRequestForm().Get("code_challenge")
	method := r.GetRequestForm().Get("code_challenge_method")
	if d.Challenge == challenge && d.ChallengeMethod == method {
		return nil
	}
	d.Challenge = challenge
	d.ChallengeMethod = method
	if rec, err = encode(rec, d); err != nil {
		return err
	}
	return s.records.Advance(ctx, storage.Active, rec)
}

// GetPKCERequestSession implements pkce.PKCERequestStorage. It does not fill the session,
// which is that of the token request.
func (s *Storage) GetPKCERequestSession(
	ctx context.Context,
	signature string,
	_ fosite.Session,
) (fosite.Requester, error) {
	_, d, r, err := s.find(ctx, storage.Code, signature, nil)
	if err != nil {
		return nil, err
	}

	// For fosite a missing session means that the code has no challenge.
	if d.Challenge == "" {
		return nil, fosite.ErrNotFound
	}
	r.Form.Set("code_challenge", d.Challenge)
	r.Form.Set("code_challenge_method", d.ChallengeMethod)
	return r, nil
}

// DeletePKCERequestSession implements pkce.PKCERequestStorage and does nothing. fosite
// calls it before it has compared the verifier, and a second request with the same code
// would then find no challenge.
func (s *Storage) DeletePKCERequestSession(context.Context, string) error {
	return nil
}
