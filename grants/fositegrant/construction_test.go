package fositegrant_test

import (
	"context"
	"testing"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/handler/pkce"
	fositestorage "github.com/ory/fosite/storage"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/fositegrant"
)

// wrapper is a handler around another one, as hosts write them for logging.
type wrapper struct{ next fosite.TokenEndpointHandler }

func (w wrapper) CanHandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) bool {
	return w.next.CanHandleTokenEndpointRequest(ctx, r)
}

func (w wrapper) CanSkipClientAuth(ctx context.Context, r fosite.AccessRequester) bool {
	return w.next.CanSkipClientAuth(ctx, r)
}

func (w wrapper) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	return w.next.HandleTokenEndpointRequest(ctx, r)
}

func (w wrapper) PopulateTokenEndpointResponse(
	ctx context.Context,
	r fosite.AccessRequester,
	a fosite.AccessResponder,
) error {
	return w.next.PopulateTokenEndpointResponse(ctx, r, a)
}

// dispatcher holds a handler for each grant type.
type dispatcher struct {
	exchange
	byType map[string]fosite.TokenEndpointHandler
}

// reader looks tokens up in a fosite store through an interface that can only read.
type reader struct {
	exchange
	Tokens interface {
		GetAccessTokenSession(context.Context, string, fosite.Session) (fosite.Requester, error)
	}
}

// keeper holds a fosite store.
type keeper struct {
	exchange
	store *fositestorage.MemoryStore
}

// open serves requests without a client.
type open struct{ exchange }

func (open) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool {
	return true
}

// panicking panics when New asks it whether it serves a grant type.
type panicking struct{ exchange }

func (panicking) CanHandleTokenEndpointRequest(context.Context, fosite.AccessRequester) bool {
	panic("no")
}

// recursive holds itself.
type recursive struct {
	exchange
	Self fosite.TokenEndpointHandler
}

// construction is a call of New.
type construction struct {
	handler fosite.TokenEndpointHandler
	options fositegrant.Options

	// want is a part of the error, or empty if New succeeds.
	want string
}

// check calls New. The grant type is that of token exchange unless the options set one.
func (c construction) check(t *testing.T) {
	t.Helper()
	o := c.options
	switch o.GrantType {
	case "":
		o.GrantType = urnExchange
	case "-":
		o.GrantType = ""
	}

	g, err := fositegrant.New(c.handler, o)
	if c.want != "" {
		require.ErrorContains(t, err, c.want)
		require.ErrorContains(t, err, "fositegrant: ")
		require.Nil(t, g)
		return
	}
	require.NoError(t, err)
	require.Equal(t, o.GrantType, g.GrantType())
	_, identifies := g.(grants.Identifier)
	require.Equal(t, o.Identify != nil, identifies)
}

// checkAll checks each case in a test of its own.
func checkAll(t *testing.T, cases map[string]construction) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.check(t)
		})
	}
}

// serving returns options with a grant type.
func serving(grantType string) fositegrant.Options {
	return fositegrant.Options{GrantType: grantType}
}

// Grant types that fosite's interface cannot serve safely are refused, with the name of
// the replacement.
func TestNew_RefusesGrantTypes(t *testing.T) {
	t.Parallel()
	good := exchange{HandleHelper: placeholders(&fosite.Config{})}
	const device = "urn:ietf:params:oauth:grant-type:device_code"
	checkAll(t, map[string]construction{
		"a good one":         {handler: good},
		"none":               {handler: good, options: serving("-"), want: "Options.GrantType"},
		"with a space":       {handler: good, options: serving("a b"), want: "printable ASCII"},
		"authorization_code": {handler: good, options: serving("authorization_code"), want: "grants.AuthorizationCode"},
		"refresh_token":      {handler: good, options: serving("refresh_token"), want: "grants.RefreshToken"},
		"implicit":           {handler: good, options: serving("implicit"), want: "grants.Implicit"},
		"device code":        {handler: good, options: serving(device), want: "Grant.Spend"},
		"not the handler's": {
			handler: good,
			options: serving("urn:other"),
			want:    "does not accept the grant type \"urn:other\"",
		},
	})
}

// fosite's handlers that spend a code or a refresh token are refused, also inside another
// handler.
func TestNew_RefusesFositesHandlers(t *testing.T) {
	t.Parallel()
	cfg := &fosite.Config{GlobalSecret: []byte(storeGlobal)}
	store := fositestorage.NewMemoryStore()
	hmac := compose.NewOAuth2HMACStrategy(cfg)
	handler := func(f compose.Factory) fosite.TokenEndpointHandler {
		return f(cfg, store, hmac).(fosite.TokenEndpointHandler)
	}
	code := handler(compose.OAuth2AuthorizeExplicitFactory)
	good := exchange{HandleHelper: placeholders(cfg)}
	among := map[string]fosite.TokenEndpointHandler{"code": code}
	ccHandler := compose.OAuth2ClientCredentialsGrantFactory(
		cfg, fositegrant.Placeholder{}, fositegrant.Placeholder{})

	checkAll(t, map[string]construction{
		"code":           {handler: code, want: "grants.AuthorizationCode"},
		"refresh token":  {handler: handler(compose.OAuth2RefreshTokenGrantFactory), want: "grants.RefreshToken"},
		"PKCE":           {handler: &pkce.Handler{}, want: "checks PKCE itself"},
		"OpenID Connect": {handler: &openid.OpenIDConnectExplicitHandler{}, want: "no ID tokens"},
		"OpenID refresh": {handler: &openid.OpenIDConnectRefreshHandler{}, want: "no ID tokens"},
		"code, wrapped":  {handler: wrapper{code}, want: "handler.next"},
		"code, in a map": {handler: dispatcher{good, among}, want: "handler.byType[code]"},
		"client credentials without a scope": {
			handler: ccHandler.(fosite.TokenEndpointHandler),
			options: serving("client_credentials"),
			want:    "Options.GrantRequested",
		},
	})
}

// A handler that could make or store tokens is refused, with the path of the field. One
// that only decides is not.
func TestNew_RefusesStrategiesAndStorage(t *testing.T) {
	t.Parallel()
	cfg := &fosite.Config{GlobalSecret: []byte(storeGlobal)}
	store := fositestorage.NewMemoryStore()
	good := exchange{HandleHelper: placeholders(cfg)}
	own := exchange{HandleHelper: &oauth2.HandleHelper{
		AccessTokenStrategy: compose.NewOAuth2HMACStrategy(cfg),
		AccessTokenStorage:  store,
		Config:              cfg,
	}}
	half := exchange{HandleHelper: &oauth2.HandleHelper{
		AccessTokenStrategy: fositegrant.Placeholder{},
		AccessTokenStorage:  store,
		Config:              cfg,
	}}
	self := &recursive{exchange: good}
	self.Self = self

	checkAll(t, map[string]construction{
		"a wrapper of placeholders":   {handler: &wrapper{good}},
		"a handler that holds itself": {handler: self},
		"a store that can only read":  {handler: reader{good, store}},
		"HandleOnly":                  {handler: own, options: fositegrant.Options{HandleOnly: true}},

		"strategy": {handler: own, want: "handler.HandleHelper.AccessTokenStrategy"},
		"storage": {
			handler: half,
			want:    "handler.HandleHelper.AccessTokenStorage: *storage.MemoryStore makes or stores tokens of its own",
		},
		"wrapped twice":         {handler: wrapper{wrapper{own}}, want: "handler.next.next.HandleHelper"},
		"unexported field":      {handler: keeper{good, store}, want: "handler.store"},
		"no helper":             {handler: exchange{}, want: "handler.HandleHelper: is nil"},
		"an empty helper":       {handler: exchange{HandleHelper: &oauth2.HandleHelper{}}, want: "AccessTokenStrategy: is nil"},
		"no handler":            {want: "handler: is nil"},
		"a nil pointer":         {handler: (*wrapper)(nil), want: "handler: is nil"},
		"a handler that panics": {handler: panicking{good}, want: "panicked"},
	})
}

// Identify and CanSkipClientAuth must agree, and each session must be new.
func TestNew_RefusesOptionsThatContradict(t *testing.T) {
	t.Parallel()
	good := exchange{HandleHelper: placeholders(&fosite.Config{})}
	shared := &fosite.DefaultSession{}
	identify := fositegrant.Options{
		Identify: func(context.Context, *grants.Request) (string, error) { return "service", nil },
	}
	session := func(s fosite.Session) fositegrant.Options {
		return fositegrant.Options{NewSession: func() fosite.Session { return s }}
	}
	checkAll(t, map[string]construction{
		"open":                         {handler: open{good}, want: "set Options.Identify"},
		"open, with Identify":          {handler: open{good}, options: identify},
		"authenticated, with Identify": {handler: good, options: identify, want: "leave Identify out"},

		"no session":     {handler: good, options: session(nil), want: "NewSession: returns nil"},
		"nil pointer":    {handler: good, options: session((*fosite.DefaultSession)(nil)), want: "NewSession: returns nil"},
		"shared session": {handler: good, options: session(shared), want: "the same session twice"},
	})
}

// Identify is asked only if no client authenticates. A wrong secret is refused all the
// same.
func TestNew_IdentifyIsForRequestsWithoutCredentials(t *testing.T) {
	t.Parallel()
	handler := open{exchange{HandleHelper: placeholders(&fosite.Config{})}}
	g, err := fositegrant.New(handler, fositegrant.Options{
		GrantType: urnExchange,
		Identify: func(_ context.Context, r *grants.Request) (string, error) {
			return r.Form.Get("actor"), nil
		},
	})
	require.NoError(t, err)
	h := newGrantHost(t, nil, g)
	send := func(as, subject, actor string) (int, map[string]any) {
		return h.post("/token", as, "grant_type", urnExchange, "scope", "read",
			"subject_token", "token of "+subject, "actor", actor)
	}

	status, body := send("", "x", "unknown")
	h.refusedWith("invalid_grant", 400, status, body)
	status, body = send("service:wrong", "x", "service")
	h.refusedWith("invalid_client", 401, status, body)
	status, body = send("", "alice", "service")
	require.Equal(t, "service", h.introspect(issued(t, status, body))["client_id"])
}
