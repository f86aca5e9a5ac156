package issue

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/frame"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
)

// implicit is the grant type of a token from the authorization endpoint, which never
// has a refresh token (RFC 6749 section 4.2.2).
const implicit = "implicit"

// plan fixes what will be issued, as far as the host does not change it.
func (r *run) plan(context.Context) error {
	g := r.in.Grant
	if g.ID == "" {
		g.ID = r.Live.Families.New()
	}
	r.out.GrantID = g.ID

	life := r.Lifetimes.Access
	if own := r.in.Client.AccessTokenLifetime; own > 0 {
		life = own
		// A resource verifies a token for as long as its key is published.
		if kept := r.Lifetimes.Signed; kept > 0 && r.Live.Forms.Signs(r.in.Client) {
			life = min(life, kept)
		}
	}
	r.expires = r.in.Now.Add(life)
	for _, bound := range [...]time.Time{g.NotAfter, g.FamilyEnd} {
		if !bound.IsZero() && bound.Before(r.expires) {
			r.expires = bound
		}
	}

	r.audience = g.Audience
	if len(r.audience) == 0 {
		r.audience = r.DefaultAudience(r.in.Client)
	}
	r.claims = r.covered(r.scope)
	r.response = g.Response
	r.refresh = g.RefreshToken != "" || g.Refresh && r.in.GrantType != implicit && r.mayRefresh(r.in.Client)

	return nil
}

// covered returns the claims of the grant that a scope lets into a token.
func (r *run) covered(scope []string) map[string]any {
	out := maps.Clone(r.in.Grant.Claims)
	maps.DeleteFunc(out, func(name string, _ any) bool { return !r.Scopes.Covers(scope, name) })

	return out
}

// mayRefresh reports whether the client gets refresh tokens at all.
func (r *Room) mayRefresh(c *storage.Client) bool {
	return r.Refreshes && slices.Contains(c.GrantTypes, "refresh_token")
}

// DefaultAudience returns the audience of tokens for which no other was decided.
func (r *Room) DefaultAudience(c *storage.Client) []string {
	if len(c.Audience) > 0 {
		return []string{c.Audience[0]}
	}

	return r.Audience
}

// registered are the claims that say what a token is. No hook and no login may set
// them.
var registered = map[string]bool{
	"iss": true, "sub": true, "aud": true, "client_id": true, "jti": true, "scope": true,
	"iat": true, "nbf": true, "exp": true, "auth_time": true, "cnf": true, "active": true,
	"username": true, "token_type": true,
}

// Registered reports whether a claim says what a token is, so that no host may set
// it.
func Registered(name string) bool { return registered[strings.ToLower(name)] }

// askHost lets the host change the claims and the response.
func (r *run) askHost(ctx context.Context) error {
	if r.Before != nil {
		shown := r.issuance()
		if err := r.Before(ctx, &shown); err != nil {
			return err
		}
		r.claims = shown.Claims // and nothing else of it
		r.response = shown.Response
	}
	maps.DeleteFunc(r.claims, func(name string, _ any) bool { return Registered(name) })

	return nil
}

// issuance returns a copy of the plan, into which a hook may write.
func (r *run) issuance() seam.Issuance {
	out := seam.Issuance{
		Client:    r.in.Client.Clone(),
		GrantType: r.in.GrantType,
		GrantID:   r.in.Grant.ID,
		Subject:   r.in.Grant.Subject,
		Scope:     slices.Clone(r.scope),
		Audience:  slices.Clone(r.audience),
		ExpiresAt: r.expires,
		Claims:    maps.Clone(r.claims),
		Response:  maps.Clone(r.response),
		Refresh:   r.refresh,
	}
	if out.Claims == nil {
		out.Claims = make(map[string]any)
	}
	if out.Response == nil {
		out.Response = make(map[string]any)
	}

	return out
}

// stored runs the host's hook on tokens that are stored. If it refuses or panics,
// they are withdrawn.
func (r *run) stored(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = frame.Panicked(p)
		}
		if err == nil {
			return
		}
		// The request may be over by now, but the tokens must not stay.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.Timeout)
		defer cancel()
		if failed := r.Live.Records.Revoke(ctx, r.in.Grant.ID); failed != nil {
			err = grants.Unavailable(errors.Join(err, failed))
		}
	}()

	shown := r.issuance()

	return r.After(ctx, &shown)
}
