package grantwell

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/deadline"
	"github.com/grantwell/grantwell/internal/base/ids"
	"github.com/grantwell/grantwell/internal/base/pages"
	"github.com/grantwell/grantwell/internal/frame"
	"github.com/grantwell/grantwell/internal/frame/backchannel"
	"github.com/grantwell/grantwell/internal/frame/browser"
	"github.com/grantwell/grantwell/internal/room/admin"
	"github.com/grantwell/grantwell/internal/room/authorize"
	"github.com/grantwell/grantwell/internal/room/clientauth"
	"github.com/grantwell/grantwell/internal/room/consent"
	"github.com/grantwell/grantwell/internal/room/discovery"
	"github.com/grantwell/grantwell/internal/room/inspect"
	"github.com/grantwell/grantwell/internal/room/issue"
	"github.com/grantwell/grantwell/internal/room/live"
	"github.com/grantwell/grantwell/internal/room/scope"
	"github.com/grantwell/grantwell/internal/room/token"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/internal/spec/gateway"
	"github.com/grantwell/grantwell/internal/spec/par"
	"github.com/grantwell/grantwell/internal/spec/responsemode"
	"github.com/grantwell/grantwell/internal/spec/responsetype"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// specifications are all that the server has, one line each. The order of response
// types is that in which a combination of them is written.
func specifications(c *Config) []any {
	return []any{
		responsetype.Code{Form: c.Codes, Lifetime: c.CodeLifetime, Families: ids.FamiliesOf(c.Issuer)},
		&responsetype.Token{},
		responsemode.Query{},
		responsemode.Fragment{},
		responsemode.FormPost{Texts: &pages.Texts{Added: c.Messages, Layout: c.PageLayout}},
		gateway.Formats{On: c.Compat.Formats},
		&par.PAR{Path: c.PAR.Path, Required: c.PAR.Required, Lifetime: c.PAR.Lifetime, Waiting: c.InteractionLifetime, Limit: c.limit()},
	}
}

// house is the rooms of a server.
type house struct {
	base      string // the issuer's path, "" or "/tenant"
	scopes    *scope.Rules
	frame     *backchannel.Frame
	auth      *clientauth.Room
	live      *live.Room
	issue     *issue.Room
	tokens    *token.Room
	inspect   *inspect.Room
	authorize *authorize.Room
	admin     *admin.Room
	endpoints []seam.Endpoint
	metadata  http.Handler
}

// build makes the rooms of a server. It fills in those defaults that a room knows, and
// the error joins every reason why the configuration is wrong.
func build(c *Config) (*house, error) {
	c.Records = storage.ForIssuer(c.Records, c.Issuer)
	powers, wrong := seam.Gather(specifications(c)...)
	settings := frame.Settings{
		Issuer:     c.Issuer,
		Timeout:    c.Timeout,
		MaxBody:    c.MaxBody,
		RequireTLS: c.RequireTLS,
		Peers:      c.peers,
		ErrorText:  c.ErrorText,
		Events:     c.sink(),
		Bodies:     new(deadline.Watchdog),
	}

	h := &house{scopes: &scope.Rules{ScopeRules: c.Scopes}}
	errs := []error{
		wrong,
		c.checkPaths(powers.Endpoints),
		c.peers.Check(),
		discovery.CheckIssuer(c.Issuer, c.AllowHTTP),
		token.Check(c.Grants),
		backchannel.CheckOrigins(c.Origins, c.OriginHeaders),
		h.buildLive(c),
		h.buildAuth(c),
		h.buildAuthorize(c, settings, &powers),
	}
	if err := c.Scopes.Check(); err != nil {
		errs = append(errs, fmt.Errorf("Scopes: %w", err))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}

	u, _ := url.Parse(c.Issuer) // it was checked above
	h.base = strings.TrimSuffix(u.Path, "/")
	h.frame = &backchannel.Frame{
		Settings:     settings,
		Authenticate: h.auth.Authenticate,
		Origins:      c.Origins,
		Headers:      c.OriginHeaders,
		Clients:      c.Clients,
		Formatters:   powers.Formatters,
	}
	h.buildIssue(c)
	h.buildEndpoints(c, &powers)
	kernel := seam.Rooms{Clients: h.live.Clients, Store: c.Records, Judge: h.authorize.Validate, Minter: h.issue.Mint}
	for _, b := range powers.Binders {
		b.Bind(kernel)
	}

	return h, nil
}

// url returns the URL of a path below the issuer, which may end with a slash.
func (c *Config) url(path string) string { return strings.TrimSuffix(c.Issuer, "/") + path }

func (c *Config) limit() frame.Limit { return frame.Limit{Limiter: c.Limiter, Peers: c.peers} }

func (h *house) buildLive(c *Config) error {
	clients := seam.ByPointer(c.Clients)
	families := ids.FamiliesOf(c.Issuer)
	h.live = &live.Room{
		Clients:       clients,
		Records:       c.Records,
		Consents:      &consent.Room{Clients: clients, Records: c.Records, Families: families},
		SubjectActive: c.SubjectActive,
		Validate:      c.Hooks.Validate,
		Forms: live.Forms{
			Opaque:     c.AccessTokens,
			Refresh:    c.RefreshTokens,
			Own:        c.Strategy,
			Default:    c.AccessTokenFormat,
			Unrecorded: c.Unrecorded,
			Imported:   c.Imported,
		},
		TokenType: c.TokenType,
		Issuer:    c.Issuer,
		Families:  families,
		NotBefore: c.TokensNotBefore,
	}
	if c.Keys != nil {
		h.live.Forms.JWT = &tokens.JWT{Keys: c.Keys, Issuer: c.Issuer}
	}

	return errors.Join(h.live.Forms.Prepare(c.Codes), live.CheckKeys(c.Keys, c.AccessTokenLifetime))
}

func (h *house) buildAuth(c *Config) error {
	h.auth = &clientauth.Room{
		Clients:        h.live.Clients,
		Methods:        c.AuthMethods,
		Limit:          c.limit(),
		LimitClass:     c.LimitClass,
		AnySecretPlace: c.Compat.AnySecretPlace,
	}
	for i, a := range c.ClientAuth {
		if a == nil {
			return fmt.Errorf("ClientAuth[%d]: is nil", i)
		}
		h.auth.Others = append(h.auth.Others, clientauth.ByPointer(a))
	}

	return h.auth.Prepare()
}

func (h *house) buildIssue(c *Config) {
	h.issue = &issue.Room{
		Live:     h.live,
		Scopes:   h.scopes,
		Audience: c.Audience,
		Lifetimes: issue.Lifetimes{
			Access:  c.AccessTokenLifetime,
			Refresh: c.RefreshTokenLifetime,
			Idle:    c.RefreshTokenIdle,
			Signed:  live.KeptFor(c.Keys),
		},
		Refreshes: slices.ContainsFunc(c.Grants, func(g grants.Handler) bool { return g.GrantType() == "refresh_token" }),
		Timeout:   c.Timeout,
	}
	if hook := c.Hooks.BeforeIssue; hook != nil {
		h.issue.Before = func(ctx context.Context, i *seam.Issuance) error { return hook(ctx, (*Issuance)(i)) }
	}
	if hook := c.Hooks.AfterIssue; hook != nil {
		h.issue.After = func(ctx context.Context, i *seam.Issuance) error { return hook(ctx, Issuance(*i)) }
	}
}

func (h *house) buildAuthorize(c *Config, settings frame.Settings, powers *seam.Powers) error {
	r := &authorize.Room{
		Frame: &browser.Frame{
			Settings:  settings,
			ErrorPage: c.ErrorPage,
			Texts:     &pages.Texts{Added: c.Messages, Layout: c.PageLayout},
			Encoders:  make(map[string]seam.Encoder),
			Cookie: browser.Cookie{
				Name:   c.Cookie.Name,
				Domain: c.Cookie.Domain,
				Path:   c.Cookie.Path,
				MaxAge: c.Cookie.MaxAge,
			},
		},
		Live:                h.live,
		Scopes:              h.scopes,
		Parameters:          powers.Parameters,
		Own:                 c.AuthorizeParameters,
		Resolvers:           powers.Resolvers,
		Checkers:            powers.Checkers,
		Limit:               c.limit(),
		InteractionLifetime: c.InteractionLifetime,
	}
	for _, e := range powers.Encoders {
		r.Frame.Encoders[e.ResponseMode()] = e
	}
	if hook := c.Hooks.BeforeAuthorize; hook != nil {
		r.Before = func(ctx context.Context, req *authorize.Request, a *authorize.Approval) error {
			return hook(ctx, faceOf(req), (*Approval)(a))
		}
	}
	if hook := c.Hooks.AfterAuthorize; hook != nil {
		r.After = func(ctx context.Context, req *authorize.Request, a authorize.Approval) error {
			return hook(ctx, faceOf(req), Approval(a))
		}
	}
	h.authorize = r

	return r.Frame.Cookie.Prepare(c.Issuer)
}

// buildEndpoints makes what answers requests.
func (h *house) buildEndpoints(c *Config, powers *seam.Powers) {
	h.tokens = &token.Room{
		Auth:   h.auth,
		Issuer: h.issue,
		Environment: grants.Environment{
			Issuer:        c.Issuer,
			TokenEndpoint: c.url(c.Paths.Token),
			Records:       c.Records,
			Codes:         c.Codes,
			RefreshTokens: c.RefreshTokens,
			Imported:      c.Imported,
			Limiter:       c.Limiter,
			NotBefore:     c.TokensNotBefore,
		},
		QuotedExpiresIn: c.Compat.QuotedExpiresIn,
	}
	h.tokens.Serve(c.Grants)
	h.authorize.Serve(c.Grants, powers.Responders)
	h.authorize.Login = h.base + c.Paths.Login
	h.authorize.Consent = h.base + c.Paths.Consent
	h.inspect = &inspect.Room{
		Live:          h.live,
		Auth:          h.auth,
		MayIntrospect: c.MayIntrospect,
		Revocation: inspect.Revocation{
			Foreign:    c.Compat.ForeignRevocation,
			Unrecorded: c.Unrecorded,
			Before:     c.Hooks.BeforeRevoke,
			After:      c.Hooks.AfterRevoke,
		},
		TokenInfo: inspect.TokenInfo(c.TokenInfo),
	}
	h.admin = &admin.Room{Frame: h.frame, Clients: c.Clients, Live: h.live}
	h.endpoints = append([]seam.Endpoint{
		h.tokens.Endpoint(c.Paths.Token),
		h.inspect.RevocationEndpoint(c.Paths.Revoke),
		h.inspect.Introspection(c.Paths.Introspect),
		h.inspect.TokenInfoEndpoint(c.Paths.TokenInfo),
	}, powers.Endpoints...)
	h.metadata = (&discovery.Room{
		Issuer:     c.Issuer,
		Base:       c.url(""),
		Grants:     c.Grants,
		Authorize:  h.authorize,
		Auth:       h.auth,
		Endpoints:  h.endpoints,
		JWKS:       c.Paths.JWKS,
		Path:       c.Paths.Authorize,
		Scopes:     h.scopes.Listed(),
		Encoders:   powers.Encoders,
		Describers: powers.Describers,
	}).Handler()
}
