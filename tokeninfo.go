package grantwell

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
)

// TokenInfoHandler returns the token information endpoint: parameter access_token; 200 with audience (the client), user_id,
// scope and expires_in, or 400 with the same body for every token that is not live. The caller authenticates as a client
// and learns no more than it would by introspection, unless the endpoint is open.
func (s *Server) TokenInfoHandler() http.Handler {
	return s.endpoint("tokeninfo", s.cfg.TokenInfo.Get, func(ctx context.Context, c *call) error {
		open := s.cfg.TokenInfo.Open && len(c.r.Header.Values("Authorization")) == 0 && c.req.Form.Get("client_id") == "" && c.req.Form.Get("client_secret") == ""
		if !open {
			if err := c.authenticate(ctx); err != nil {
				return err
			}
		}
		token := c.req.Form.Get("access_token")
		if token == "" {
			return grants.InvalidRequest("The parameter access_token is missing.")
		}
		t, rec, err := c.tokenOf(ctx, token, open)
		if err != nil {
			return err
		}
		if !t.Active || !open && !s.entitled(ctx, c, t, storage.Access) {
			return &grants.Error{Code: "invalid_token", Description: "The access token is not valid.", Status: http.StatusBadRequest,
				Err: reason(t)}
		}
		c.event.Subject, c.event.GrantID, c.event.Scope = t.Subject, rec.GrantID, t.Scope
		m := members{str("audience", t.ClientID), str("user_id", t.Subject), str("scope", strings.Join(t.Scope, " ")),
			num("expires_in", max(int64(t.ExpiresAt.Sub(c.req.Now)/time.Second), 0))}
		more := make(map[string]any, len(s.cfg.TokenInfo.Fields))
		for field, claim := range s.cfg.TokenInfo.Fields {
			more[field] = t.Extra[claim]
		}
		c.answer(http.StatusOK, append(m, extras(more, func(n string) bool { return !standardInfo[strings.ToLower(n)] })...))
		return nil
	})
}

// tokenOf looks the token up. Who has no name is bounded by address, or anybody could try strings without end.
func (c *call) tokenOf(ctx context.Context, token string, open bool) (t *introspect.Token, rec storage.Record, err error) {
	if open {
		done, wait, err := c.s.cfg.Limiter.Attempt(ctx, "addr:tokeninfo "+grants.Neighbourhood(c.s.RemoteAddr(c.r)))
		if err != nil {
			return nil, rec, grants.Unavailable(err)
		}
		if wait > 0 {
			return nil, rec, &grants.Error{Code: "temporarily_unavailable", Description: "Too many tokens that are not valid. Wait before the next one.",
				Status: http.StatusTooManyRequests, RetryAfter: wait}
		}
		defer func() { done(t == nil || t.Active) }() // a store that failed is nobody's guess
	}
	if t, rec, err = c.s.access(ctx, token, &c.req.Client); err != nil {
		return nil, rec, grants.Unavailable(err)
	}
	return t, rec, nil
}

var standardInfo = map[string]bool{"audience": true, "user_id": true, "scope": true, "expires_in": true}

func reason(t *introspect.Token) error {
	if t.Active {
		return errNotEntitled
	}
	return reasonError(t.Reason)
}

type reasonError introspect.Reason

func (e reasonError) Error() string { return "grantwell: token is not live: " + string(e) }

const errNotEntitled = reasonError("the caller is not entitled")
