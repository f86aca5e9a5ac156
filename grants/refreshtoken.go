package grants

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/grantwell/grantwell/storage"
)

// Mode says what becomes of a refresh token that is used.
type Mode uint8

// The modes of [RefreshToken].
const (
	// Rotate spends it and answers with a new one. A second use ends the family (RFC 9700 section 4.14.2).
	Rotate Mode = iota
	// Preserve answers with the same token, which lives until its own expiry. For confidential clients
	// and sender-constrained tokens; a public client's token is rotated all the same.
	Preserve
	// Once spends it and answers with an access token only.
	Once
)

// RefreshToken exchanges a refresh token for a new access token (RFC 6749 section 6).
// The zero value rotates, strictly.
type RefreshToken struct {
	Mode Mode

	// RetryWindow lets a client whose answer was lost ask again: within this time of its use, the same request
	// with the same token gets the same successor, as long as the successor was not used itself. Use
	// does not renew the window. Zero, the default: every second use ends the family. At most 5 minutes.
	RetryWindow time.Duration
	// MaxRetries bounds the retries in the window. Zero: 128.
	MaxRetries int

	// EndAccess revokes the family's earlier access tokens at each refresh. By default they live until they expire.
	EndAccess bool
}

// GrantType returns "refresh_token".
func (RefreshToken) GrantType() string { return "refresh_token" }

// Check tells which field is out of its range. The server calls it when it is built.
func (g RefreshToken) Check() error {
	switch {
	case g.Mode > Once:
		return errors.New("grants: RefreshToken.Mode is unknown")
	case g.RetryWindow < 0 || g.RetryWindow > 5*time.Minute:
		return errors.New("grants: RefreshToken.RetryWindow is negative or above 5 minutes")
	case g.MaxRetries < 0 || g.MaxRetries > 1000:
		return errors.New("grants: RefreshToken.MaxRetries is not between 0 and 1000")
	}
	return nil
}

// Handle checks a refresh token: whose it is, its state and age, and that the scope is not widened.
func (g RefreshToken) Handle(ctx context.Context, r *Request) (*Grant, error) {
	token := r.Form.Get("refresh_token")
	if token == "" {
		return nil, InvalidRequest("The parameter refresh_token is missing.")
	}
	_, foreign := r.Refresh.Verify(ctx, token)
	if foreign != nil && len(r.Imported) == 0 {
		return nil, InvalidGrant("not one of our refresh tokens: %w", foreign)
	}
	rec, err := Find(ctx, r.Records, storage.Refresh, token, foreign == nil, r.Imported)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, InvalidGrant("unknown refresh token")
	} else if err != nil {
		return nil, Unavailable(err)
	}
	if rec.ClientID != r.Client.ID {
		return nil, InvalidGrant("refresh token of client %q", rec.ClientID)
	}
	d, err := DecodeData(rec)
	if err != nil {
		return nil, err
	}
	switch {
	case rec.State == storage.Spent:
		return g.retry(ctx, r, token, rec, d)
	case rec.State != storage.Active:
		return nil, InvalidGrant("refresh token is revoked")
	case rec.Expired(r.Now), !unix(d.FamilyEnd).IsZero() && !r.Now.Before(unix(d.FamilyEnd)):
		return nil, InvalidGrant("refresh token has expired")
	case len(d.Confirmation) > 0 && !maps.Equal(d.Confirmation, r.Confirmation) && !r.Authenticated:
		return nil, InvalidGrant("refresh token is bound to another key")
	}
	out := &Grant{ID: rec.GrantID, Subject: rec.Subject, Scope: notNil(rec.Scope), Audience: rec.Audience,
		EndAccess: g.EndAccess, Spend: &rec}
	d.carry(out)
	if out.FamilyEnd.IsZero() {
		out.FamilyEnd = rec.ExpiresAt // a record that came from elsewhere: its own end is its family's
	}
	if len(r.Scope) > 0 {
		for _, s := range r.Scope {
			if !slices.Contains(rec.Scope, s) {
				return nil, InvalidScope("The scope exceeds what was granted.")
			}
		}
		out.Narrow = r.Scope
	}
	if g.Mode == Preserve && r.Authenticated {
		out.RefreshToken = token // stays Active: Advance from Active to Active, so that a revocation at the same moment still wins
		return out, nil
	}
	rec.State = storage.Spent
	out.Refresh = g.Mode != Once
	if g.RetryWindow > 0 {
		sealed := d // so that d need not outlive this call where nobody retries
		out.Prepare = func(res *Response) error { return g.seal(r, token, out.Spend, sealed, res) }
	}
	return out, nil
}
