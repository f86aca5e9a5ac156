package grants

import (
	"context"
	"errors"

	"github.com/grantwell/grantwell/storage"
)

// AuthorizationCode redeems authorization codes (RFC 6749 section 4.1.3) with PKCE (RFC 7636).
// The zero value demands PKCE with S256 of public clients.
type AuthorizationCode struct {
	// RequirePKCE demands a code_challenge of every client, as OAuth 2.1 does. A client's own setting can only add to it.
	RequirePKCE bool
	// AllowPlainPKCE accepts the method plain, which protects against less (RFC 7636 section 7.2).
	AllowPlainPKCE bool
	// PublicWithoutPKCE lets public clients go without a challenge. A stolen code is then enough to
	// take an account: only for clients that cannot be changed.
	PublicWithoutPKCE bool
}

// GrantType returns "authorization_code".
func (AuthorizationCode) GrantType() string { return "authorization_code" }

// ResponseType returns "code".
func (AuthorizationCode) ResponseType() string { return "code" }

// Handle checks a code: whose it is, its state, age, redirect URI and PKCE verifier. A code is spent by
// every attempt that fails after it was found Active, but for a wrong redirect_uri; a second use by its own client ends the family.
func (g AuthorizationCode) Handle(ctx context.Context, r *Request) (*Grant, error) {
	code := r.Form.Get("code")
	if code == "" {
		return nil, InvalidRequest("The parameter code is missing.")
	}
	if _, err := r.Codes.Verify(ctx, code); err != nil {
		return nil, InvalidGrant("not one of our codes: %w", err)
	}
	rec, err := r.Records.Get(ctx, storage.Code, storage.Key(code))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, InvalidGrant("unknown code")
	} else if err != nil {
		return nil, Unavailable(err)
	}
	if rec.ClientID != r.Client.ID {
		// Somebody else has it: it is of no more use to anybody. What its owner already got stays.
		return nil, burn(ctx, r, rec, InvalidGrant("code of client %q", rec.ClientID))
	}
	switch {
	case rec.State == storage.Spent:
		if err := r.Records.Revoke(ctx, rec.GrantID); err != nil {
			return nil, Unavailable(err)
		}
		return nil, InvalidGrant("code was redeemed before; its family is revoked")
	case rec.State != storage.Active:
		return nil, InvalidGrant("code is revoked")
	case rec.Expired(r.Now):
		return nil, InvalidGrant("code has expired")
	}
	d, err := DecodeData(rec)
	if err != nil {
		return nil, err
	}
	if uri := r.Form.Get("redirect_uri"); uri != d.RedirectURI && (uri != "" || d.RedirectURIGiven) {
		return nil, InvalidGrant("redirect_uri differs from the authorization request's")
	}
	if err := g.verify(d, r); err != nil {
		return nil, burn(ctx, r, rec, err)
	}
	out := &Grant{ID: rec.GrantID, Subject: rec.Subject, Scope: notNil(rec.Scope), Audience: rec.Audience, Refresh: true, Spend: &rec}
	d.carry(out)
	rec.State = storage.Spent
	return out, nil
}

// verify checks the verifier, and that the code was bound as the settings demand now, whoever issued it.
func (g AuthorizationCode) verify(d Data, r *Request) error {
	switch {
	case d.Challenge == "" && (g.RequirePKCE || r.Client.RequirePKCE || r.Client.Public() && !g.PublicWithoutPKCE):
		return InvalidGrant("the code is bound to no challenge")
	case d.ChallengeMethod == "plain" && !g.AllowPlainPKCE:
		return InvalidGrant("the code is bound by the method plain")
	}
	return verifyPKCE(d.Challenge, d.ChallengeMethod, r.Form.Get("code_verifier"))
}

// burn spends a code that somebody tried to redeem and must not try again. It returns refusal,
// or, if the store failed, that: a code that could not be burnt must not look burnt.
func burn(ctx context.Context, r *Request, rec storage.Record, refusal error) error {
	if rec.State != storage.Active {
		return refusal
	}
	rec.State = storage.Spent
	if err := r.Records.Advance(ctx, storage.Active, rec); err != nil && !errors.Is(err, storage.ErrConflict) {
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
