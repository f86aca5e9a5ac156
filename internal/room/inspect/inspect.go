// Package inspect has the endpoints at which a caller asks about a token or ends it:
// introspection (RFC 7662), revocation (RFC 7009) and token information.
package inspect

import (
	"context"
	"errors"
	"slices"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/room/clientauth"
	"github.com/grantwell/grantwell/internal/room/live"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
)

// Room answers about tokens.
type Room struct {
	Live *live.Room
	Auth *clientauth.Room
	// MayIntrospect lets a client ask about a token beyond the rule; nil: never.
	MayIntrospect func(ctx context.Context, caller storage.Client, t *introspect.Token) bool

	Revocation
	TokenInfo
}

// Introspection returns the introspection endpoint at a path.
func (r *Room) Introspection(path string) seam.Endpoint {
	return seam.Endpoint{
		Name:         "introspect",
		Path:         path,
		Member:       "introspection_endpoint",
		Authenticate: true,
		Handle:       r.introspect,
	}
}

func (r *Room) introspect(ctx context.Context, c *seam.Call) (seam.Reply, error) {
	var reply seam.Reply
	// RFC 7662 section 2.1: a name alone is no authorization to ask.
	if !c.Authenticated {
		return reply, grants.InvalidClient("grantwell: a public client may not introspect").
			For(grants.ReasonNoCredentials)
	}
	token, err := required(c, "token")
	if err != nil {
		return reply, err
	}
	found, err := r.Live.Lookup(ctx, token, c.Form.Get("token_type_hint"), c.Client)
	if err != nil {
		return reply, grants.Unavailable(err)
	}

	t := found.Token
	switch {
	case !t.Active:
		reply.Event.Reason = grants.ReasonToken
		reply.Event.Cause = string(t.Reason)
	case !r.entitled(ctx, c, t, found.Record.Kind):
		reply.Event.Reason = grants.ReasonNotEntitled
		t = &introspect.Token{}
	default:
		reply.Event.Subject = t.Subject
		reply.Event.GrantID = found.Record.GrantID
		reply.Event.Scope = t.Scope
	}
	reply.JSON, err = t.MarshalJSON()

	return reply, err
}

// required returns a parameter that must be there.
func required(c *seam.Call, name string) (string, error) {
	value := c.Form.Get(name)
	if value == "" {
		return "", grants.InvalidRequest("The parameter " + name + " is missing.")
	}

	return value, nil
}

// entitled reports whether the caller may know about a token. A client may ask about
// its own tokens, and a resource server about those that are meant for it, but not
// about refresh tokens, which are never meant for it. A caller that did not
// authenticate may ask about its own tokens only.
func (r *Room) entitled(ctx context.Context, c *seam.Call, t *introspect.Token, kind storage.Kind) bool {
	if t.ClientID == c.Client.ID {
		return true
	}
	if !c.Authenticated || kind == storage.Refresh {
		return false
	}
	for _, audience := range t.Audience {
		if audience == c.Client.ID || slices.Contains(c.Client.Resources, audience) {
			return true
		}
	}

	return r.MayIntrospect != nil && r.MayIntrospect(ctx, c.Client.Clone(), t)
}

// errNotLive is the cause of the refusal of a token that is not live.
func errNotLive(why introspect.Reason) error {
	return errors.New("grantwell: token is not live: " + string(why))
}
