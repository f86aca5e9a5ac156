package grants

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/grantwell/grantwell/internal/record"
	"github.com/grantwell/grantwell/storage"
)

// Mode says what becomes of a refresh token that is used.
type Mode uint8

// The modes of [RefreshToken].
const (
	// Rotate spends the token and answers with a new one. A second use ends the
	// family (RFC 9700 section 4.14.2), but for a retry: see RefreshToken.RetryWindow.
	Rotate Mode = iota
	// Preserve answers with the same token, which lives until its own expiry. It is
	// for confidential clients and sender-constrained tokens; the token of a public
	// client is rotated all the same.
	Preserve
	// Once spends the token and answers with an access token only.
	Once
)

// DefaultRetryWindow is the retry window of a [RefreshToken] that sets none.
const DefaultRetryWindow = 60 * time.Second

// RefreshToken exchanges a refresh token for a new access token (RFC 6749 section
// 6). The zero value rotates, and forgives a client that lost the answer.
type RefreshToken struct {
	Mode Mode

	// RetryWindow lets a client whose answer was lost ask again: within this time of
	// the first use, the same request with the same token gets the same successor, as
	// long as the successor was not used itself. A retry does not extend the window.
	// Zero: DefaultRetryWindow; at most 5 minutes.
	RetryWindow time.Duration
	// MaxRetries bounds the retries in the window. Zero: 128; at most 1000.
	MaxRetries int
	// Strict turns retries off: every second use ends the family. It contradicts a
	// RetryWindow.
	Strict bool

	// EndAccess revokes the family's earlier access tokens at each refresh. By
	// default they live until they expire.
	EndAccess bool
}

// GrantType returns "refresh_token".
func (RefreshToken) GrantType() string { return "refresh_token" }

// Check returns which field is out of its range. The server calls it when it is
// built.
func (g RefreshToken) Check() error {
	switch {
	case g.Mode > Once:
		return errors.New("grants: RefreshToken.Mode is unknown")
	case g.RetryWindow < 0 || g.RetryWindow > 5*time.Minute:
		return errors.New("grants: RefreshToken.RetryWindow is negative or above 5 minutes")
	case g.Strict && g.RetryWindow > 0:
		return errors.New("grants: RefreshToken.Strict contradicts RetryWindow")
	case g.MaxRetries < 0 || g.MaxRetries > 1000:
		return errors.New("grants: RefreshToken.MaxRetries is not between 0 and 1000")
	}

	return nil
}

// window returns the time in which a retry is answered; 0: not at all.
func (g RefreshToken) window(c *storage.Client) time.Duration {
	switch {
	case g.Strict:
		return 0
	case c.RefreshRetryWindow > 0:
		return c.RefreshRetryWindow
	case g.RetryWindow > 0:
		return g.RetryWindow
	}

	return DefaultRetryWindow
}

// Handle checks a refresh token: its client, state and age, and that the request
// does not widen the scope.
func (g RefreshToken) Handle(ctx context.Context, r *Request) (*Grant, error) {
	token := r.Form.Get("refresh_token")
	if token == "" {
		return nil, InvalidRequest("The parameter refresh_token is missing.")
	}
	rec, err := findRefreshToken(ctx, r, token)
	if err != nil {
		return nil, err
	}
	d, err := record.Decode(rec)
	if err != nil {
		return nil, err
	}
	if rec.State == storage.Spent {
		return g.retry(ctx, r, token, rec, d)
	}
	if err := checkRefreshToken(r, &rec, &d); err != nil {
		return nil, err
	}

	out := &Grant{Subject: rec.Subject, Audience: rec.Audience}
	out.ID = rec.GrantID
	out.Scope = notNil(rec.Scope)
	out.EndAccess = g.EndAccess
	out.Spend = &rec
	carry(&d, out)
	if out.FamilyEnd.IsZero() {
		out.FamilyEnd = rec.ExpiresAt // an imported token names no end of its family
	}
	if len(r.Scope) > 0 {
		out.Narrow = r.Scope
	}

	if g.Mode == Preserve && r.Authenticated {
		// The record moves from Active to Active, so that a revocation at the same
		// moment still wins.
		out.RefreshToken = token
		return out, nil
	}

	rec.State = storage.Spent
	out.Refresh = g.Mode != Once
	if window := g.window(r.Client); window > 0 {
		kept := d // a copy, so that d stays on the stack where no retry is kept
		out.Prepare = func(_ context.Context, res *Response) error {
			return seal(r, window, token, out.Spend, &kept, res)
		}
	}

	return out, nil
}

// findRefreshToken returns the record of a refresh token of this client.
func findRefreshToken(ctx context.Context, r *Request, token string) (storage.Record, error) {
	_, form := r.RefreshTokens.Verify(ctx, token)
	if form != nil && len(r.Imported) == 0 {
		return storage.Record{}, InvalidGrant("not one of our refresh tokens: %w", form).For(ReasonRefreshUnknown)
	}

	rec, err := record.Find(ctx, r.Records, storage.Refresh, token, form == nil, r.Imported)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return rec, InvalidGrant("unknown refresh token").For(ReasonRefreshUnknown)
	case err != nil:
		return rec, Unavailable(err)
	case rec.ClientID != r.Client.ID:
		return rec, InvalidGrant("refresh token of client %q", rec.ClientID).For(ReasonRefreshClient)
	}

	return rec, nil
}

// checkRefreshToken judges a refresh token that was not spent.
func checkRefreshToken(r *Request, rec *storage.Record, d *record.Data) error {
	end := record.Time(d.FamilyEnd)
	switch {
	case rec.State != storage.Active:
		return InvalidGrant("refresh token is revoked").For(ReasonRefreshRevoked)
	case rec.Expired(r.Now), !end.IsZero() && !r.Now.Before(end):
		return InvalidGrant("refresh token has expired").For(ReasonRefreshExpired)
	case len(d.Confirmation) > 0 && !maps.Equal(d.Confirmation, r.Confirmation) && !r.Authenticated:
		return InvalidGrant("refresh token is bound to another key").For(ReasonKey)
	}
	for _, s := range r.Scope {
		if !slices.Contains(rec.Scope, s) {
			return InvalidScope("The scope exceeds what was granted.")
		}
	}

	return nil
}
