package inspect

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/room/live"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
)

// TokenInfo are the settings of the token information endpoint.
type TokenInfo struct {
	Open   bool
	Get    bool
	Fields map[string]string
}

// TokenInfoEndpoint returns the token information endpoint at a path.
func (r *Room) TokenInfoEndpoint(path string) seam.Endpoint {
	return seam.Endpoint{
		Name:   "tokeninfo",
		Path:   path,
		Get:    r.Get,
		Handle: r.tokenInfo,
	}
}

// standardInfo are the members that no field of the host replaces.
var standardInfo = map[string]bool{"audience": true, "user_id": true, "scope": true, "expires_in": true}

func (r *Room) tokenInfo(ctx context.Context, c *seam.Call) (reply seam.Reply, err error) {
	open := r.Open && anonymous(c)
	if !open {
		reply.Client, c.Authenticated, err = r.Auth.Authenticate(ctx, c)
		if err != nil {
			return reply, err
		}
		c.Client = reply.Client
	}

	token, err := required(c, "access_token")
	if err != nil {
		return reply, err
	}
	found, err := r.infoOf(ctx, c, token, open)
	if err != nil {
		return reply, err
	}
	t := found.Token
	switch {
	case !t.Active:
		return reply, invalidToken().For(grants.ReasonToken).Because("%w", errNotLive(t.Reason))
	case !open && !r.entitled(ctx, c, t, storage.Access):
		return reply, invalidToken().For(grants.ReasonNotEntitled)
	}

	reply.Event.Subject = t.Subject
	reply.Event.GrantID = found.Record.GrantID
	reply.Event.Scope = t.Scope
	more := make(map[string]any, len(r.Fields))
	for field, claim := range r.Fields {
		more[field] = t.Extra[claim]
	}
	m := seam.Members{
		seam.Text("audience", t.ClientID),
		seam.Text("user_id", t.Subject),
		seam.Text("scope", strings.Join(t.Scope, " ")),
		seam.Number("expires_in", max(int64(t.ExpiresAt.Sub(c.Now)/time.Second), 0)),
	}
	reply.Members = m.Append(more, func(n string) bool { return !standardInfo[strings.ToLower(n)] })

	return reply, nil
}

func invalidToken() *grants.Error {
	return &grants.Error{
		Code:        "invalid_token",
		Description: "The access token is not valid.",
		Status:      http.StatusBadRequest,
	}
}

// anonymous reports whether a request carries no client credentials.
func anonymous(c *seam.Call) bool {
	return len(c.Request.Header.Values("Authorization")) == 0 &&
		c.Form.Get("client_id") == "" && c.Form.Get("client_secret") == ""
}

// infoOf looks a token up. Callers without a name are bounded by address, or they
// could try strings without end.
func (r *Room) infoOf(ctx context.Context, c *seam.Call, token string, open bool) (found live.Found, err error) {
	if open {
		done, err := r.Auth.ByAddress(ctx, "addr:tokeninfo ", c.Request)
		if err != nil {
			return found, err
		}
		// A failure of the store is no guess of the caller.
		defer func() { done(found.Token == nil || found.Token.Active) }()
	}

	found, err = r.Live.Access(ctx, token, c.Client)
	if err != nil {
		return found, grants.Unavailable(err)
	}

	return found, nil
}
