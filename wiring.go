package grantwell

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/peer"
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
	"github.com/grantwell/grantwell/internal/spec/responsemode"
	"github.com/grantwell/grantwell/internal/spec/responsetype"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
	"github.com/grantwell/grantwell/tokens"
)

// specifications are all that the server has, one line each. The order of response
// types is that in which a combination of them is written.
func specifications(cfg *Config) []any {
	return []any{
		responsetype.Code{Form: cfg.Codes, Lifetime: cfg.CodeLifetime},
		&responsetype.Token{},
		responsemode.Query{},
		responsemode.Fragment{},
		responsemode.FormPost{},
		gateway.Formats{On: cfg.Compat.Formats},
	}
}

// house is the rooms of a server.
type house struct {
	base      string // the issuer's path, "" or "/tenant"
	frame     *backchannel.Frame
	consents  *consent.Room
	live      *live.Room
	issuer    *issue.Room
	tokens    *token.Room
	inspect   *inspect.Room
	authorize *authorize.Room
	admin     *admin.Room
	endpoints []seam.Endpoint
	metadata  http.Handler
}

// kernel is what specifications may ask: see [seam.Kernel].
type kernel struct {
	seam.Clients
	h *house
}

// Records implements [seam.Kernel].
func (k kernel) Records() storage.Records { return k.h.authorize.Records }

// Validate implements [seam.Kernel].
func (k kernel) Validate(ctx context.Context, params url.Values, source string, now time.Time) (*seam.Authorization, error) {
	return k.h.authorize.Validate(ctx, params, source, now)
}

// Mint implements [seam.Kernel].
func (k kernel) Mint(ctx context.Context, i seam.Issuing) (*seam.Minted, error) {
	return k.h.issuer.Mint(ctx, i)
}

// build makes the rooms of a server whose configuration was prepared.
func build(cfg *Config) (*house, error) {
	u, err := url.Parse(cfg.Issuer)
	if err != nil {
		return nil, fmt.Errorf("grantwell: Config.Issuer: %w", err)
	}
	forms, err := cfg.forms()
	if err != nil {
		return nil, err
	}
	specs := specifications(cfg)
	powers := seam.Gather(specs...)
	settings := cfg.settings()
	clients := byPointer(cfg.Clients)
	rules := &scope.Rules{ScopeRules: cfg.Scopes}

	h := &house{base: u.Path}
	h.consents = &consent.Room{Clients: clients, Records: cfg.Records}
	h.live = &live.Room{
		Clients:       clients,
		Records:       cfg.Records,
		Consents:      h.consents,
		SubjectActive: cfg.SubjectActive,
		Validate:      cfg.Hooks.Validate,
		Forms:         forms,
		TokenType:     cfg.TokenType,
		Issuer:        cfg.Issuer,
	}
	h.issuer = cfg.issueRoom(h, rules)
	auth := cfg.authRoom(clients)
	h.frame = &backchannel.Frame{
		Settings:     settings,
		Authenticate: auth.Authenticate,
		AllowsOrigin: cfg.allowsOrigin,
		Formatters:   powers.Formatters,
	}
	h.tokens = cfg.tokenRoom(h, clients, auth, rules)
	h.inspect = cfg.inspectRoom(h, auth)
	h.authorize = cfg.authorizeRoom(h, settings, clients, rules, &powers)
	h.admin = &admin.Room{
		Frame:    h.frame,
		Clients:  cfg.Clients,
		Records:  cfg.Records,
		Known:    clients,
		Consents: h.consents,
	}
	h.endpoints = append([]seam.Endpoint{
		h.tokens.Endpoint(cfg.Paths.Token),
		h.inspect.RevocationEndpoint(cfg.Paths.Revoke),
		h.inspect.Introspection(cfg.Paths.Introspect),
		h.inspect.TokenInfoEndpoint(cfg.Paths.TokenInfo),
	}, powers.Endpoints...)
	h.metadata = cfg.discoveryRoom(h, auth, &powers).Handler()
	for _, b := range powers.Binders {
		b.Bind(kernel{clients, h})
	}

	return h, nil
}

// forms returns the forms of the server's tokens.
func (c *Config) forms() (live.Forms, error) {
	f := live.Forms{
		Opaque:     c.AccessTokens,
		Refresh:    c.RefreshTokens,
		Own:        c.Strategy,
		Default:    c.AccessTokenFormat,
		Unrecorded: c.Unrecorded,
		Imported:   c.Imported,
	}
	if c.Keys != nil {
		f.JWT = &tokens.JWT{Keys: c.Keys, Issuer: c.Issuer}
		if err := f.JWT.Validate(); err != nil {
			return f, fmt.Errorf("grantwell: Config.Keys: %w", err)
		}
	}
	f.Prepare()

	return f, nil
}

// settings returns those of both frames.
func (c *Config) settings() frame.Settings {
	return frame.Settings{
		Issuer:     c.Issuer,
		Timeout:    c.Timeout,
		MaxBody:    c.MaxBody,
		RequireTLS: c.RequireTLS,
		Peers:      c.proxies(),
		ErrorText:  c.ErrorText,
		Events:     c.sink(),
	}
}

func (c *Config) proxies() peer.Proxies { return peer.Proxies(c.TrustedProxies) }

func (c *Config) issueRoom(h *house, rules *scope.Rules) *issue.Room {
	r := &issue.Room{
		Records:       c.Records,
		Live:          h.live,
		Consents:      h.consents,
		Scopes:        rules,
		Issuer:        c.Issuer,
		TokenType:     c.TokenType,
		RefreshTokens: c.RefreshTokens,
		Audience:      c.Audience,
		Lifetimes: issue.Lifetimes{
			Access:  c.AccessTokenLifetime,
			Refresh: c.RefreshTokenLifetime,
			Idle:    c.RefreshTokenIdle,
		},
		Refreshes: slices.ContainsFunc(c.Grants, func(g grants.Handler) bool { return g.GrantType() == "refresh_token" }),
		Timeout:   c.Timeout,
	}
	if hook := c.Hooks.BeforeIssue; hook != nil {
		r.Before = func(ctx context.Context, i *seam.Issuance) error { return hook(ctx, (*Issuance)(i)) }
	}
	if hook := c.Hooks.AfterIssue; hook != nil {
		r.After = func(ctx context.Context, i *seam.Issuance) error { return hook(ctx, Issuance(*i)) }
	}

	return r
}

func (c *Config) authRoom(clients seam.Clients) *clientauth.Room {
	r := &clientauth.Room{
		Clients:        clients,
		Methods:        c.AuthMethods,
		Limiter:        c.Limiter,
		LimitClass:     c.LimitClass,
		Peers:          c.proxies(),
		AnySecretPlace: c.Compat.AnySecretPlace,
	}
	for _, a := range c.ClientAuth {
		r.Others = append(r.Others, authenticator{a, seam.Own(a)})
	}

	return r
}

// authenticator shows a host's authenticator a copy of the client.
type authenticator struct {
	ClientAuthenticator
	own bool // of package grants, which only reads the client
}

// Verify implements [seam.Authenticator].
func (a authenticator) Verify(ctx context.Context, r *http.Request, form url.Values, c *storage.Client) error {
	if a.own {
		return a.ClientAuthenticator.Verify(ctx, r, form, *c)
	}

	return a.ClientAuthenticator.Verify(ctx, r, form, c.Clone())
}

// SigningAlgorithms returns those of the authenticator, if it names some.
func (a authenticator) SigningAlgorithms() []string {
	if named, ok := a.ClientAuthenticator.(interface{ SigningAlgorithms() []string }); ok {
		return named.SigningAlgorithms()
	}

	return nil
}

func (c *Config) tokenRoom(h *house, clients seam.Clients, auth *clientauth.Room, rules *scope.Rules) *token.Room {
	r := &token.Room{
		Clients: clients,
		Auth:    auth,
		Issuer:  h.issuer,
		Scopes:  rules,
		Peers:   c.proxies(),
		Environment: grants.Environment{
			Issuer:        c.Issuer,
			TokenEndpoint: c.Issuer + c.Paths.Token,
			Records:       c.Records,
			Codes:         c.Codes,
			RefreshTokens: c.RefreshTokens,
			Imported:      c.Imported,
			Limiter:       c.Limiter,
		},
		QuotedExpiresIn: c.Compat.QuotedExpiresIn,
	}
	r.Serve(c.Grants)

	return r
}

func (c *Config) inspectRoom(h *house, auth *clientauth.Room) *inspect.Room {
	return &inspect.Room{
		Live:          h.live,
		Records:       c.Records,
		MayIntrospect: c.MayIntrospect,
		Revocation: inspect.Revocation{
			Foreign:    c.Compat.ForeignRevocation,
			Unrecorded: c.Unrecorded,
			Before:     c.Hooks.BeforeRevoke,
			After:      c.Hooks.AfterRevoke,
		},
		TokenInfo:    inspect.TokenInfo(c.TokenInfo),
		Authenticate: auth.Authenticate,
		Limiter:      c.Limiter,
		Peers:        c.proxies(),
	}
}

func (c *Config) authorizeRoom(h *house, settings frame.Settings, clients seam.Clients, rules *scope.Rules, powers *seam.Powers) *authorize.Room {
	encoders := make(map[string]seam.Encoder, len(powers.Encoders))
	for _, e := range powers.Encoders {
		encoders[e.ResponseMode()] = e
	}
	r := &authorize.Room{
		Frame: &browser.Frame{
			Settings:  settings,
			ErrorPage: c.ErrorPage,
			Encoders:  encoders,
			Cookie: browser.Cookie{
				Name:   c.Cookie.Name,
				Domain: c.Cookie.Domain,
				Path:   c.Cookie.Path,
				MaxAge: c.Cookie.MaxAge,
				Secure: strings.HasPrefix(c.Issuer, "https:"),
			},
		},
		Clients:             clients,
		Records:             c.Records,
		Live:                h.live,
		Consents:            h.consents,
		Scopes:              rules,
		Parameters:          powers.Parameters,
		Resolvers:           powers.Resolvers,
		Checkers:            powers.Checkers,
		InteractionLifetime: c.InteractionLifetime,
		Login:               h.base + c.Paths.Login,
		Consent:             h.base + c.Paths.Consent,
	}
	for _, responder := range powers.Responders {
		if g := c.grantOf(responder.ResponseType()); g != nil {
			r.Types = append(r.Types, authorize.Type{Responder: responder, GrantType: g.GrantType()})
		}
	}
	for _, g := range c.Grants {
		if p, ok := seam.PowerOf[grants.PKCE](g); ok {
			r.PKCE = p
		}
	}
	c.authorizeHooks(r)

	return r
}

// authorizeHooks shows the host's hooks the request as the face has it.
func (c *Config) authorizeHooks(r *authorize.Room) {
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
}

// grantOf returns the grant that enables a response type, or nil.
func (c *Config) grantOf(responseType string) grants.Handler {
	for _, g := range c.Grants {
		if r, ok := seam.PowerOf[grants.Responder](g); ok && r.ResponseType() == responseType {
			return g
		}
	}

	return nil
}

func (c *Config) discoveryRoom(h *house, auth *clientauth.Room, powers *seam.Powers) *discovery.Room {
	r := &discovery.Room{
		Issuer:            c.Issuer,
		Endpoints:         h.endpoints,
		JWKS:              c.Paths.JWKS,
		Methods:           c.AuthMethods,
		SigningAlgorithms: auth.SigningAlgorithms(),
		Scopes:            c.Scopes.Known,
		Describers:        powers.Describers,
	}
	for _, g := range c.Grants {
		r.GrantTypes = append(r.GrantTypes, g.GrantType())
	}
	if len(h.authorize.Types) > 0 {
		r.Authorize = c.Paths.Authorize
	}
	for _, t := range h.authorize.Types {
		r.ResponseTypes = append(r.ResponseTypes, t.ResponseType())
	}
	for _, e := range powers.Encoders {
		r.ResponseModes = append(r.ResponseModes, e.ResponseMode())
	}
	if h.authorize.PKCE != nil {
		r.ChallengeMethods = h.authorize.PKCE.ChallengeMethods()
	}

	return r
}

// allowsOrigin reports whether a client is registered for a JavaScript origin, as far
// as the store can say.
func (c *Config) allowsOrigin(ctx context.Context, origin string) bool {
	if slices.Contains(c.Origins, origin) {
		return true
	}
	finder, ok := c.Clients.(storage.OriginFinder)
	if !ok || len(origin) > 255 {
		return false
	}
	found, err := finder.HasOrigin(ctx, origin)

	return err == nil && found
}

// byPointer returns clients that may share their memory with the store. Code outside
// this module never sees one: it gets a copy.
func byPointer(c storage.Clients) seam.Clients {
	if s, ok := c.(*memstore.Store); ok && s != nil {
		return memstore.View(s)
	}

	return copied{c}
}

// copied are the clients of a store that hands out values.
type copied struct{ storage.Clients }

// Client implements [seam.Clients].
func (c copied) Client(ctx context.Context, id string) (*storage.Client, error) {
	client, err := c.Clients.Client(ctx, id)
	if err != nil {
		return nil, err
	}

	return &client, nil
}
