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
		c.answer(http.StatusOK, c.tokenResponse(res))
		return nil
	})
}

func (c *call) token(ctx context.Context) (*grants.Response, error) {
	grantType := c.form.Get("grant_type")
	h := c.s.grants[grantType]
	if grantType == "implicit" {
		h = nil // it begins and ends at the authorization endpoint
	}
	if h != nil {
		c.event.GrantType = grantType
	}
	req, err := c.grantRequest()
	if err != nil {
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
	case !c.client.AllowsGrant(grantType):
		return nil, grants.UnauthorizedClient("The client is not registered for this grant type.")
	}
	req.Client, req.Authenticated = c.client, c.authenticated
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
	c.client, c.event.ClientID = client, client.ID
	c.cors()
	return nil
}

func (c *call) grantRequest() (*grants.Request, error) {
	scope, err := c.s.cfg.Scopes.parse(c.form.Get("scope"))
	if err != nil {
		return nil, err
	}
	return &grants.Request{
		Form: c.form, Remote: c.s.RemoteAddr(c.r), Now: c.now, Scope: scope,
		Issuer: c.s.cfg.Issuer, TokenEndpoint: c.s.Endpoint(c.s.cfg.Paths.Token),
		Records: c.s.cfg.Records, Codes: c.s.cfg.Codes, Refresh: c.s.cfg.RefreshTokens, Imported: c.s.cfg.Imported, Limiter: c.s.cfg.Limiter,
	}, nil
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
	return c.s.issue(ctx, &c.event, issuing{client: c.client, grant: g, grantType: h.GrantType(), requested: req.Scope, now: c.now, public: !c.authenticated})
}

// mayRefresh tells whether the client gets refresh tokens at all.
func (s *Server) mayRefresh(c storage.Client) bool {
	return s.refresh && slices.Contains(c.GrantTypes, "refresh_token")
}
