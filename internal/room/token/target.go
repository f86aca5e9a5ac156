package token

import (
	"slices"

	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/grants"
)

// targeted are the grants whose requests the server itself judges by resource and
// audience. Other grants, such as token exchange, give these parameters a meaning of
// their own.
var targeted = []string{
	"client_credentials", "authorization_code", "refresh_token", "password",
	assertion.GrantJWT, assertion.GrantSAML2,
}

// checkTarget refuses a resource that the client is not registered for, before the
// grant looks at anything that is used once (RFC 8707 section 2).
func (x *exchange) checkTarget() error {
	if !slices.Contains(targeted, x.grantType) {
		return nil
	}

	for _, name := range [...]string{"resource", "audience"} {
		for _, target := range x.call.Form[name] {
			switch {
			case x.target != "" && x.target != target:
				return grants.InvalidTarget("A token is issued for one resource. Send one resource only.")
			case !slices.Contains(x.client.Audience, target):
				return grants.InvalidTarget("The resource is unknown, malformed or not registered for the client.")
			}
			x.target = target
		}
	}

	return nil
}

// applyTarget makes the resource of the request the audience of the grant. A grant
// that began earlier has its audience already, which must be the same.
func (x *exchange) applyTarget(g *grants.Grant) error {
	switch {
	case x.target == "" || g.Replay != nil: // a replayed answer is for the same request
		return nil
	case g.ID == "":
		g.Audience = []string{x.target}
		return nil
	}

	granted := g.Audience
	if len(granted) == 0 {
		granted = x.Issuer.DefaultAudience(x.client)
	}
	if len(granted) != 1 || granted[0] != x.target {
		return grants.InvalidTarget("The grant is for another resource.")
	}

	return nil
}
