package grantwell

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

// TokenHandler returns the token endpoint (RFC 6749 section 3.2): POST, form-encoded.
func (s *Server) TokenHandler() http.Handler {
	return s.endpoint("token", false, func(ctx context.Context, c *call) error {
		res, err := c.token(ctx)
		if err != nil {
			return err
		}
		c.event.Scope = res.Scope
		var room [6]member // which stays on the stack
		c.answer(http.StatusOK, c.tokenResponse(room[:0], res))
		return nil
	})
}

func (c *call) token(ctx context.Context) (*grants.Response, error) {
	grantType := c.req.Form.Get("grant_type")
	h := c.s.grants[grantType]
	if grantType == "implicit" {
		h = nil // it begins and ends at the authorization endpoint
	}
	if h != nil {
		c.event.GrantType = grantType
	}
	req := &c.req
	if err := c.fill(req); err != nil {
		return nil, err
	}
	if err := c.identify(ctx, h, req); err != nil {
		return nil, err
	}
	switch {
	case grantType == "":
		return nil, grants.InvalidRequest("The parameter grant_type is missing.")
	case h == nil:
		return nil, grants.UnsupportedGrantType()
	case !c.req.Client.AllowsGrant(grantType):
		return nil, grants.UnauthorizedClient("The client is not registered for this grant type.")
	}
	if !ours(h) {
		c.req.Client = c.req.Client.Clone()
	}
	res, err := c.redeem(ctx, h, req)
	if errors.Is(err, storage.ErrConflict) {
		// Somebody else was first. A second look tells an honest retry from a second use.
		res, err = c.redeem(ctx, h, req)
	}
	if errors.Is(err, storage.ErrConflict) {
		return nil, grants.InvalidGrant("lost to another request: %w", err)
	}
	return res, err
}

// ours tells whether a grant is one of package grants, which do not write into the client that they see: see viewed.
func ours(h grants.Handler) bool {
	switch h.(type) {
	case grants.AuthorizationCode, grants.RefreshToken, grants.ClientCredentials, grants.Password, grants.JWTBearer, grants.SAMLBearer:
		return true
	}
	return false
}

// identify authenticates the client, or, for a grant that can do without, asks the grant whom the request names.
func (c *call) identify(ctx context.Context, h grants.Handler, req *grants.Request) error {
	err := c.authenticate(ctx)
	id, ok := h.(grants.Identifier)
	if !ok || !errors.Is(err, errNoCredentials) {
		return err
	}
	name, err := id.Identify(ctx, req)
	if err != nil {
		return err
	}
	client, err := c.s.known.Client(ctx, name)
	switch {
	case errors.Is(err, storage.ErrNotFound), err == nil && client.Disabled:
		return grants.InvalidGrant("the client that the request names is unknown or disabled")
	case err != nil:
		return grants.Unavailable(err)
	}
	c.req.Client, c.event.ClientID = client, client.ID
	c.cors()
	return nil
}

// fill adds to the request what grants see besides the form, the client and the time.
func (c *call) fill(r *grants.Request) (err error) {
	cfg := &c.s.cfg
	r.Remote, r.Issuer, r.TokenEndpoint = c.s.RemoteAddr(c.r), cfg.Issuer, c.s.tokenEndpoint
	r.Records, r.Codes, r.Refresh, r.Imported, r.Limiter = cfg.Records, cfg.Codes, cfg.RefreshTokens, cfg.Imported, cfg.Limiter
	r.Scope, err = cfg.Scopes.parse(r.Form.Get("scope"))
	return err
}

// redeem lets the grant decide and issues what it decided.
func (c *call) redeem(ctx context.Context, h grants.Handler, req *grants.Request) (*grants.Response, error) {
	g, err := h.Handle(ctx, req)
	if err != nil {
		return nil, err
	}
	if g == nil {
		return nil, errors.New("grantwell: the grant decided nothing")
	}
	return c.s.issue(ctx, &c.event, issuing{client: &c.req.Client, grant: g, grantType: h.GrantType(), requested: req.Scope, now: c.req.Now, public: !c.req.Authenticated})
}

// mayRefresh tells whether the client gets refresh tokens at all.
func (s *Server) mayRefresh(c *storage.Client) bool {
	return s.refresh && slices.Contains(c.GrantTypes, "refresh_token")
}
