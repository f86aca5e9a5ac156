package fositegrant

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ory/fosite"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

// grantRequested grants what was asked for, as far as the client is registered for it.
func grantRequested(ar *fosite.AccessRequest, asked []string) {
	for _, s := range asked {
		if slices.Contains(ar.Client.GetScopes(), s) {
			ar.GrantScope(s)
		}
	}
	for _, a := range ar.RequestedAudience {
		if slices.Contains(ar.Client.GetAudience(), a) {
			ar.GrantAudience(a)
		}
	}
}

// read takes over what the handler wrote into the session, and the audience that it granted.
func (g *grant) read(r *grants.Request, ar *fosite.AccessRequest, out *grants.Grant) error {
	session := ar.GetSession()
	if session == nil {
		return fmt.Errorf("fositegrant: %T left the request without a session", g.handler)
	}
	if out.Subject = session.GetSubject(); out.Subject == "" && g.GrantType() == "client_credentials" && r.Authenticated {
		out.Subject = r.Client.ID
	}
	switch {
	case out.Subject == "":
		return fmt.Errorf("fositegrant: %T left the session without a subject", g.handler)
	case out.Subject == r.Client.ID && (g.GrantType() == "password" || !r.Authenticated && g.Options.Identify == nil):
		return grants.InvalidGrant("the user's subject is the client's ID") // RFC 9700 section 4.15
	}
	if out.NotAfter = session.GetExpiresAt(fosite.AccessToken); !out.NotAfter.IsZero() && !out.NotAfter.After(r.Now) {
		return grants.InvalidGrant("the session's access token would have expired at %v", out.NotAfter)
	}
	out.FamilyNotAfter = session.GetExpiresAt(fosite.RefreshToken)
	out.Refresh = out.Refresh && (out.FamilyNotAfter.IsZero() || out.FamilyNotAfter.After(r.Now))
	if s, ok := session.(fosite.ExtraClaimsSession); ok {
		out.Claims = maps.Clone(s.GetExtraClaims())
	}
	if g.GrantType() == "password" {
		out.AuthTime = r.Now
	}
	for _, a := range ar.GetGrantedAudience() {
		switch {
		case slices.Contains(r.Client.Audience, a):
			out.Audience = append(out.Audience, a)
		case a == r.TokenEndpoint || a == r.Issuer: // fosite copies an assertion's audience, which is this server
		default:
			return &grants.Error{Code: "invalid_target", Description: extensions["invalid_target"],
				Err: fmt.Errorf("fositegrant: the client is not registered for the audience %q", a)}
		}
	}
	return nil
}

// scope says which scopes the server's rules decide on. They never give more than the client is registered for.
func (g *grant) scope(r *grants.Request, asked, granted []string, out *grants.Grant) {
	if !g.GrantRequested {
		if len(granted) > 0 {
			r.Scope = slices.Clone(granted)
		}
		out.Limit = append([]string{}, granted...) // not nil: a handler that grants nothing grants nothing
		return
	}
	for _, s := range granted { // those that the handler granted of itself
		if !slices.Contains(asked, s) {
			asked = append(slices.Clip(asked), s)
			r.Scope = asked
		}
	}
}

// grantClient shows a registered client to a handler, without its secrets.
type grantClient struct{ storage.Client }

func (c grantClient) GetID() string                      { return c.ID }
func (c grantClient) GetHashedSecret() []byte            { return nil }
func (c grantClient) GetRedirectURIs() []string          { return c.RedirectURIs }
func (c grantClient) GetGrantTypes() fosite.Arguments    { return c.GrantTypes }
func (c grantClient) GetResponseTypes() fosite.Arguments { return c.ResponseTypes }
func (c grantClient) GetScopes() fosite.Arguments        { return c.Scope }
func (c grantClient) IsPublic() bool                     { return c.Public() }
func (c grantClient) GetAudience() fosite.Arguments      { return c.Audience }
