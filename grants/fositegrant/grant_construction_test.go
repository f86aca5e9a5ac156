package fositegrant_test

import (
	"context"
	"errors"
	"fmt"
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

// wrapper is a handler around another one, as hosts write them to log.
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
func (w wrapper) PopulateTokenEndpointResponse(ctx context.Context, r fosite.AccessRequester, a fosite.AccessResponder) error {
	return w.next.PopulateTokenEndpointResponse(ctx, r, a)
}

// dispatcher has a handler for each grant type.
type dispatcher struct {
	exchange
	byType map[string]fosite.TokenEndpointHandler
}

// reader looks subject tokens up in a store of fosite's, through an interface that can only read.
type reader struct {
	exchange
	Tokens interface {
		GetAccessTokenSession(context.Context, string, fosite.Session) (fosite.Requester, error)
	}
}

// keeper holds the store itself.
type keeper struct {
	exchange
	store *fositestorage.MemoryStore
}

// open takes requests without a client.
type open struct{ exchange }

func (open) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return true }

// nervous cannot be asked.
type nervous struct{ exchange }

func (nervous) CanHandleTokenEndpointRequest(context.Context, fosite.AccessRequester) bool {
	panic("no")
}

// knot holds itself.
type knot struct {
	exchange
	Self fosite.TokenEndpointHandler
}

// What cannot run as a grant is refused when it is built, with the reason and the way out.
func TestNew_ConstructionSaysWhatCannotBeMapped(t *testing.T) {
	t.Parallel()
	cfg := &fosite.Config{GlobalSecret: []byte("some-super-cool-secret-that-nobody-knows")}
	store, hmac := fositestorage.NewMemoryStore(), compose.NewOAuth2HMACStrategy(cfg)
	own := exchange{HandleHelper: &oauth2.HandleHelper{AccessTokenStrategy: hmac, AccessTokenStorage: store, Config: cfg}}
	half := exchange{HandleHelper: &oauth2.HandleHelper{AccessTokenStrategy: fositegrant.Placeholder{}, AccessTokenStorage: store, Config: cfg}}
	good := exchange{HandleHelper: standIns(cfg)}
	self := &knot{exchange: good}
	self.Self = self
	shared := &fosite.DefaultSession{}
	named := func(context.Context, *grants.Request) (string, error) { return "service", nil }
	of := func(v any) fosite.TokenEndpointHandler { return v.(fosite.TokenEndpointHandler) }

	for name, c := range map[string]struct {
		handler fosite.TokenEndpointHandler
		options fositegrant.Options
		want    string // in the error; "": none
	}{
		"good":                     {handler: good},
		"a wrapper of it":          {handler: &wrapper{good}},
		"a knot":                   {handler: self},
		"a reader":                 {handler: reader{good, store}},
		"own, but it only decides": {handler: own, options: fositegrant.Options{HandleOnly: true}},

		"nil":                   {want: "handler: is nil"},
		"nil pointer":           {handler: (*wrapper)(nil), want: "handler: is nil"},
		"no grant type":         {handler: good, options: fositegrant.Options{GrantType: "-"}, want: "Options.GrantType"},
		"not a grant type":      {handler: good, options: fositegrant.Options{GrantType: "a b"}, want: "printable ASCII"},
		"authorization_code":    {handler: good, options: fositegrant.Options{GrantType: "authorization_code"}, want: "grants.AuthorizationCode"},
		"refresh_token":         {handler: good, options: fositegrant.Options{GrantType: "refresh_token"}, want: "grants.RefreshToken"},
		"implicit":              {handler: good, options: fositegrant.Options{GrantType: "implicit"}, want: "grants.Implicit"},
		"device":                {handler: good, options: fositegrant.Options{GrantType: "urn:ietf:params:oauth:grant-type:device_code"}, want: "Grant.Spend"},
		"code handler":          {handler: of(compose.OAuth2AuthorizeExplicitFactory(cfg, store, hmac)), want: "grants.AuthorizationCode"},
		"refresh handler":       {handler: of(compose.OAuth2RefreshTokenGrantFactory(cfg, store, hmac)), want: "grants.RefreshToken"},
		"PKCE handler":          {handler: &pkce.Handler{}, want: "checks PKCE itself"},
		"OpenID handler":        {handler: &openid.OpenIDConnectExplicitHandler{}, want: "no ID tokens"},
		"OpenID refresh":        {handler: &openid.OpenIDConnectRefreshHandler{}, want: "no ID tokens"},
		"code handler, wrapped": {handler: wrapper{of(compose.OAuth2AuthorizeExplicitFactory(cfg, store, hmac))}, want: "handler.next"},
		"code handler among others": {handler: dispatcher{good, map[string]fosite.TokenEndpointHandler{"code": of(compose.OAuth2AuthorizeExplicitFactory(cfg, store, hmac))}},
			want: "handler.byType[code]"},
		"own strategy":       {handler: own, want: "handler.HandleHelper.AccessTokenStrategy"},
		"own storage":        {handler: half, want: "handler.HandleHelper.AccessTokenStorage: *storage.MemoryStore makes or stores tokens of its own"},
		"own, wrapped":       {handler: wrapper{wrapper{own}}, want: "handler.next.next.HandleHelper"},
		"a store in a field": {handler: keeper{good, store}, want: "handler.store"},
		"no helper":          {handler: exchange{}, want: "handler.HandleHelper: is nil"},
		"an empty helper":    {handler: exchange{HandleHelper: &oauth2.HandleHelper{}}, want: "AccessTokenStrategy: is nil"},
		"another grant type": {handler: good, options: fositegrant.Options{GrantType: "urn:other"}, want: "does not accept the grant type \"urn:other\""},
		"open":               {handler: open{good}, want: "set Options.Identify"},
		"closed, identified": {handler: good, options: fositegrant.Options{Identify: named}, want: "leave it out"},
		"open, identified":   {handler: open{good}, options: fositegrant.Options{Identify: named}},
		"panics":             {handler: nervous{good}, want: "panicked"},
		"no session":         {handler: good, options: fositegrant.Options{NewSession: func() fosite.Session { return nil }}, want: "NewSession: returns nil"},
		"nil session": {handler: good, options: fositegrant.Options{NewSession: func() fosite.Session { return (*fosite.DefaultSession)(nil) }},
			want: "NewSession: returns nil"},
		"shared session": {handler: good, options: fositegrant.Options{NewSession: func() fosite.Session { return shared }}, want: "the same session twice"},
		"grants no scope": {handler: of(compose.OAuth2ClientCredentialsGrantFactory(cfg, fositegrant.Placeholder{}, fositegrant.Placeholder{})),
			options: fositegrant.Options{GrantType: "client_credentials"}, want: "Options.GrantRequested"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := c.options
			switch o.GrantType {
			case "":
				o.GrantType = urnExchange
			case "-":
				o.GrantType = ""
			}
			g, err := fositegrant.New(c.handler, o)
			if c.want == "" {
				require.NoError(t, err)
				require.Equal(t, o.GrantType, g.GrantType())
				_, identifies := g.(grants.Identifier)
				require.Equal(t, o.Identify != nil, identifies)
				return
			}
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "fositegrant: ")
			require.Nil(t, g)
		})
	}
}

// A client that the request names is used only where no client authenticates, and a wrong secret is never overlooked.
func TestNew_Identify(t *testing.T) {
	t.Parallel()
	g, err := fositegrant.New(open{exchange{HandleHelper: standIns(&fosite.Config{})}}, fositegrant.Options{GrantType: urnExchange,
		Identify: func(_ context.Context, r *grants.Request) (string, error) { return r.Form.Get("actor"), nil }})
	require.NoError(t, err)
	h := newGrantHost(t, nil, g)
	status, body := h.post("/token", "", "grant_type", urnExchange, "subject_token", "token of x", "actor", "nobody")
	h.refusedWith("invalid_grant", 400, status, body)
	status, body = h.post("/token", "service:wrong", "grant_type", urnExchange, "subject_token", "token of x", "actor", "service")
	h.refusedWith("invalid_client", 401, status, body)
	status, body = h.post("/token", "", "grant_type", urnExchange, "subject_token", "token of alice", "actor", "service", "scope", "read")
	_, seen := h.post("/introspect", asService, "token", issued(t, status, body)["access_token"].(string))
	require.Equal(t, "service", seen["client_id"])
}

// Only registered codes and fixed texts get out. The operator sees why, without what the client sent.
func TestNew_ErrorsAreRegistered(t *testing.T) {
	t.Parallel()
	hint := fosite.ErrInvalidGrant.WithHintf("evil \"%s\" h\u00e9\n", "token of alice").WithDebug("debug of token of alice")
	for name, c := range map[string]struct {
		err    error
		code   string
		status int
	}{
		"invalid_grant":           {hint, "invalid_grant", 400},
		"invalid_request":         {fosite.ErrInvalidRequest, "invalid_request", 400},
		"by value":                {*fosite.ErrInvalidScope, "invalid_scope", 400},
		"invalid_client":          {fosite.ErrInvalidClient, "invalid_client", 401},
		"unauthorized_client":     {fosite.ErrUnauthorizedClient, "unauthorized_client", 400},
		"unsupported_grant_type":  {fosite.ErrUnsupportedGrantType, "unsupported_grant_type", 400},
		"access_denied":           {fosite.ErrAccessDenied, "access_denied", 403},
		"request_forbidden":       {fosite.ErrRequestForbidden, "access_denied", 403},
		"scope_not_granted":       {fosite.ErrScopeNotGranted, "invalid_scope", 400},
		"jti_known":               {fosite.ErrJTIKnown, "invalid_grant", 400},
		"token_inactive":          {fosite.ErrInactiveToken, "invalid_grant", 400},
		"request_unauthorized":    {fosite.ErrRequestUnauthorized, "invalid_grant", 400},
		"not_found":               {fosite.ErrNotFound, "invalid_grant", 400},
		"invalid_state":           {fosite.ErrInvalidState, "invalid_request", 400},
		"misconfiguration":        {fosite.ErrMisconfiguration, "server_error", 500},
		"server_error":            {fosite.ErrServerError.WithWrap(hint).WithDebug("token of alice"), "server_error", 500},
		"temporarily_unavailable": {fosite.ErrTemporarilyUnavailable, "temporarily_unavailable", 503},
		"serialization":           {fosite.ErrSerializationFailure, "temporarily_unavailable", 503},
		"unknown request":         {fosite.ErrUnknownRequest, "invalid_request", 400},
		"invalid_target":          {&fosite.RFC6749Error{ErrorField: "invalid_target", CodeField: 400, HintField: "evil"}, "invalid_target", 400},
		"a code of the host's":    {&fosite.RFC6749Error{ErrorField: "evil_code", CodeField: 418, DescriptionField: "evil"}, "invalid_grant", 400},
		"wrapped":                 {fmt.Errorf("evil: %w", fosite.ErrInvalidScope), "invalid_scope", 400},
		"ours":                    {grants.AccessDenied("The department is closed."), "access_denied", 403},
		"any other":               {errors.New("evil"), "server_error", 500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newGrantHost(t, nil, asGrant(t, exchange{refuse: c.err}, fositegrant.Options{}))
			status, body := h.exchange("alice", "scope", "read")
			h.refusedWith(c.code, c.status, status, body)
			require.NotEmpty(t, body["error_description"])
			require.NotContains(t, fmt.Sprint(body), "evil")
			require.NotContains(t, fmt.Sprint(body)+h.reason(), "alice")
			if errors.Is(c.err, error(hint)) {
				require.Contains(t, h.reason(), "debug of [subject_token]")
			}
		})
	}
}
