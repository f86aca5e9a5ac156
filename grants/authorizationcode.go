package grants

import (
	"context"
	"errors"

	"github.com/grantwell/grantwell/internal/record"
	"github.com/grantwell/grantwell/storage"
)

// AuthorizationCode redeems authorization codes (RFC 6749 section 4.1.3) with PKCE
// (RFC 7636). The zero value demands PKCE with S256 of public clients.
type AuthorizationCode struct {
	// RequirePKCE demands a code_challenge of every client, as OAuth 2.1 does. A
	// client's own setting can only add to it.
	RequirePKCE bool
	// AllowPlainPKCE accepts the method plain, which protects less (RFC 7636 section
	// 7.2).
	AllowPlainPKCE bool
	// PublicWithoutPKCE lets public clients send no challenge. A stolen code is then
	// enough to take over an account. It is only for clients that cannot be changed.
	PublicWithoutPKCE bool
}

var _ Responder = AuthorizationCode{}

// GrantType returns "authorization_code".
func (AuthorizationCode) GrantType() string { return "authorization_code" }

// ResponseType returns "code".
func (AuthorizationCode) ResponseType() string { return "code" }

// Handle checks a code: its client, state, age, redirect URI and PKCE verifier.
//
// Two refusals spend the code: another client presents it, or the verifier is
// wrong. A wrong redirect_uri does not. A second use by the code's own client ends
// the family (RFC 6749 section 4.1.2).
func (g AuthorizationCode) Handle(ctx context.Context, r *Request) (*Grant, error) {
	code := r.Form.Get("code")
	if code == "" {
		return nil, InvalidRequest("The parameter code is missing.")
	}
	rec, err := findCode(ctx, r, code)
	if err != nil {
		return nil, err
	}
	d, err := record.Decode(rec)
	if err != nil {
		return nil, err
	}

	if uri := r.Form.Get("redirect_uri"); uri != d.RedirectURI && (uri != "" || d.RedirectURIGiven) {
		return nil, InvalidGrant("redirect_uri differs from the authorization request's").For(ReasonRedirectURI)
	}
	if err := g.verify(&d, r); err != nil {
		return nil, burn(ctx, r, rec, err)
	}

	out := &Grant{Subject: rec.Subject, Audience: rec.Audience, Refresh: true}
	out.ID = rec.GrantID
	out.Scope = notNil(rec.Scope)
	carry(&d, out)
	out.Spend = &rec
	rec.State = storage.Spent

	return out, nil
}

// findCode returns the record of a code that the client may redeem now.
func findCode(ctx context.Context, r *Request, code string) (storage.Record, error) {
	if _, err := r.Codes.Verify(ctx, code); err != nil {
		return storage.Record{}, InvalidGrant("not one of our codes: %w", err).For(ReasonCodeUnknown)
	}
	rec, err := r.Records.Get(ctx, storage.Code, storage.Key(code))
	if errors.Is(err, storage.ErrNotFound) {
		return rec, InvalidGrant("unknown code").For(ReasonCodeUnknown)
	} else if err != nil {
		return rec, Unavailable(err)
	}

	if rec.ClientID != r.Client.ID {
		// The code has leaked, so it must not work any more. The tokens that its own
		// client may have already stay, or any client could end them.
		refusal := InvalidGrant("code of client %q", rec.ClientID).For(ReasonCodeClient)
		return rec, burn(ctx, r, rec, refusal)
	}
	switch {
	case rec.State == storage.Spent:
		if err := r.Records.Revoke(ctx, rec.GrantID); err != nil {
			return rec, Unavailable(err)
		}
		return rec, InvalidGrant("code was redeemed before; its family is revoked").For(ReasonCodeSpent)
	case rec.State != storage.Active:
		return rec, InvalidGrant("code is revoked").For(ReasonCodeRevoked)
	case rec.Expired(r.Now):
		return rec, InvalidGrant("code has expired").For(ReasonCodeExpired)
	}

	return rec, nil
}

// verify checks the verifier, and that the code is bound as the settings demand now:
// they may have changed since the code was issued, or another server issued it.
func (g AuthorizationCode) verify(d *record.Data, r *Request) error {
	switch {
	case d.Challenge == "" && g.required(r.Client):
		return badVerifier("the code is bound to no challenge")
	case d.ChallengeMethod == methodPlain && !g.AllowPlainPKCE:
		return badVerifier("the code is bound by the method plain")
	}

	return verifyPKCE(d.Challenge, d.ChallengeMethod, r.Form.Get("code_verifier"))
}

// burn spends a code that must not be tried again. It returns refusal or, if the
// store failed, that failure: the caller must not take a code for spent that is not.
func burn(ctx context.Context, r *Request, rec storage.Record, refusal error) error {
	if rec.State != storage.Active {
		return refusal
	}

	rec.State = storage.Spent
	err := r.Records.Advance(ctx, storage.Active, rec)
	if err != nil && !errors.Is(err, storage.ErrConflict) {
		return Unavailable(err)
	}

	return refusal
}

func notNil(s []string) []string {
	if s == nil {
		return []string{}
	}

	return s
}
