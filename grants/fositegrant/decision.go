package fositegrant

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ory/fosite"

	"github.com/grantwell/grantwell/grants"
)

// grantRequested grants the requested scopes and audiences, as far as the client is
// registered for them.
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

// read copies the handler's decision from the session and the request into out.
func (g *grant) read(r *grants.Request, ar *fosite.AccessRequest, out *grants.Grant) error {
	session := ar.GetSession()
	if session == nil {
		return fmt.Errorf("fositegrant: %T left the request without a session", g.handler)
	}
	if err := g.readSubject(r, session, out); err != nil {
		return err
	}
	if err := readExpiry(r, session, out); err != nil {
		return err
	}

	// The claims are copied, because the server adds its own to them.
	if s, ok := session.(fosite.ExtraClaimsSession); ok {
		out.Claims = maps.Clone(s.GetExtraClaims())
	}
	// The user has just proved the password. Other grants do not show when that was.
	if g.GrantType() == "password" {
		out.AuthTime = r.Now
	}
	return readAudience(r, ar, out)
}

// readSubject copies the subject. A user's subject must not be the client's ID, because a
// resource server could take the user for the client (RFC 9700 section 4.15).
func (g *grant) readSubject(r *grants.Request, session fosite.Session, out *grants.Grant) error {
	out.Subject = session.GetSubject()
	if out.Subject == "" && g.GrantType() == "client_credentials" && r.Authenticated {
		out.Subject = r.Client.ID
	}

	// A client that nothing has identified cannot be the subject either.
	identified := r.Authenticated || g.Options.Identify != nil
	switch {
	case out.Subject == "":
		return fmt.Errorf("fositegrant: %T left the session without a subject", g.handler)
	case out.Subject == r.Client.ID && (g.GrantType() == "password" || !identified):
		return grants.InvalidGrant("the user's subject is the client's ID")
	}
	return nil
}

// readExpiry copies the expiry of the access token and of the refresh token's family. They
// only shorten the server's lifetimes. An access token that has already expired is refused,
// and so is a refresh token, by leaving it out.
func readExpiry(r *grants.Request, session fosite.Session, out *grants.Grant) error {
	out.NotAfter = session.GetExpiresAt(fosite.AccessToken)
	if !out.NotAfter.IsZero() && !out.NotAfter.After(r.Now) {
		return grants.InvalidGrant(
			"the session's access token would have expired at %v",
			out.NotAfter,
		)
	}

	out.FamilyNotAfter = session.GetExpiresAt(fosite.RefreshToken)
	if !out.FamilyNotAfter.IsZero() && !out.FamilyNotAfter.After(r.Now) {
		out.Refresh = false
	}
	return nil
}

// readAudience copies the granted audiences. Each must be registered for the client.
func readAudience(r *grants.Request, ar *fosite.AccessRequest, out *grants.Grant) error {
	for _, a := range ar.GetGrantedAudience() {
		switch {
		case slices.Contains(r.Client.Audience, a):
			out.Audience = append(out.Audience, a)
		case a == r.TokenEndpoint || a == r.Issuer:
			// fosite copies the audience of an assertion, which is this server. The
			// token is not for this server, so the audience is left out.
		default:
			return &grants.Error{
				Code:        "invalid_target",
				Description: extensions["invalid_target"],
				Err:         fmt.Errorf("fositegrant: the client is not registered for the audience %q", a),
			}
		}
	}
	return nil
}

// scope sets the scopes that the server's rules decide on: the requested scopes in
// r.Scope, and the upper limit in out.Limit. The rules never give more than the client is
// registered for.
func (g *grant) scope(r *grants.Request, asked, granted []string, out *grants.Grant) {
	if !g.GrantRequested {
		if len(granted) > 0 {
			r.Scope = slices.Clone(granted)
		}

		// A limit that is empty and not nil allows no scope: the handler granted none.
		out.Limit = append([]string{}, granted...)
		return
	}

	// Scopes that the handler granted beyond the requested ones are added.
	for _, s := range granted {
		if !slices.Contains(asked, s) {
			asked = append(slices.Clip(asked), s)
			r.Scope = asked
		}
	}
}
