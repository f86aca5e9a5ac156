package grantwell_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage/memstore"
	"github.com/grantwell/grantwell/tokens"
)

// New returns an error for a configuration that is not consistent, and the
// error names every wrong field.
//
// Holds: house: configuration errors; house: token settings.
func TestNew_NamesEveryWrongField(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*grantwell.Config)
		field  string
	}{
		"no issuer":       {func(c *grantwell.Config) { c.Issuer = "" }, "Issuer"},
		"relative issuer": {func(c *grantwell.Config) { c.Issuer = "as.example" }, "Issuer"},
		"issuer over http": {func(c *grantwell.Config) {
			c.Issuer = "http://as.example"
		}, "Issuer"},
		"issuer of a file": {func(c *grantwell.Config) {
			c.Issuer = "file://as.example"
		}, "Issuer"},
		"issuer with query": {func(c *grantwell.Config) {
			c.Issuer = "https://as.example?a"
		}, "Issuer"},
		"empty query": {func(c *grantwell.Config) {
			c.Issuer = "https://as.example?"
		}, "Issuer"},
		"fragment": {func(c *grantwell.Config) {
			c.Issuer = "https://as.example#a"
		}, "Issuer"},
		"user": {func(c *grantwell.Config) {
			c.Issuer = "https://u@as.example"
		}, "Issuer"},
		"two trailing slashes": {func(c *grantwell.Config) {
			c.Issuer = "https://as.example//"
		}, "Issuer"},
		"issuer beyond ASCII": {func(c *grantwell.Config) {
			c.Issuer = "https://as.example/é"
		}, "Issuer"},
		"escaped issuer beyond ASCII": {func(c *grantwell.Config) {
			c.Issuer = "https://as.example/%C3%A9"
		}, "Issuer"},
		"path beyond ASCII":   {func(c *grantwell.Config) { c.Paths.Token = "/é" }, "Paths.Token"},
		"cookie with a space": {func(c *grantwell.Config) { c.Cookie.Name = "a b" }, "Cookie.Name"},
		"cookie with a semicolon": {func(c *grantwell.Config) {
			c.Cookie.Name = "a;b"
		}, "Cookie.Name"},
		"origin *":        {func(c *grantwell.Config) { c.Origins = []string{"*"} }, "Origins[0]"},
		"origin and path": {func(c *grantwell.Config) { c.Origins = []string{"https://a/"} }, "Origins[0]"},
		"letter as delimiter": {func(c *grantwell.Config) {
			c.Scopes.Delimiters = ",a"
		}, "Scopes"},
		"every IPv4 address is a proxy": {func(c *grantwell.Config) {
			c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
		}, "TrustedProxies"},
		"every IPv6 address is a proxy": {func(c *grantwell.Config) {
			c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("::/0")}
		}, "TrustedProxies"},
		"rotation without source": {func(c *grantwell.Config) { c.Keys = &tokens.Rotation{} }, "Keys"},
		"keys that go before their tokens": {func(c *grantwell.Config) {
			c.Keys = &tokens.Rotation{Source: tokens.Schedule(), Keep: time.Minute}
		}, "Keys"},
		"no clients": {func(c *grantwell.Config) { c.Clients = nil }, "Clients"},
		"no records": {func(c *grantwell.Config) { c.Records = nil }, "Records"},
		"no grants":  {func(c *grantwell.Config) { c.Grants = nil }, "Grants"},
		"strict with a window": {func(c *grantwell.Config) {
			c.Grants = append(c.Grants, grants.RefreshToken{Strict: true, RetryWindow: time.Second})
		}, "RefreshToken.Strict"},
		"two grants with codes": {func(c *grantwell.Config) {
			c.Grants = append(c.Grants, grants.AuthorizationCode{}, wrappedCode{})
		}, "Grants[2]"},
		"required push without endpoint": {func(c *grantwell.Config) {
			c.PAR.Required = true
		}, "PAR.Required"},
		"short pushed requests": {func(c *grantwell.Config) {
			c.PAR.Lifetime = time.Second
		}, "PAR.Lifetime"},
		"two endpoints at one path": {func(c *grantwell.Config) {
			c.PAR.Path = "/token"
		}, "PAR.Path"},
		"nil grant": {func(c *grantwell.Config) {
			c.Grants = append(c.Grants, nil)
		}, "Grants[1]"},
		"nil pointer": {func(c *grantwell.Config) {
			c.Grants = append(c.Grants, (*grants.AuthorizationCode)(nil))
		}, "Grants[1]"},
		"grant twice": {func(c *grantwell.Config) {
			c.Grants = append(c.Grants, grants.ClientCredentials{})
		}, "Grants[1]"},
		"no authenticator": {func(c *grantwell.Config) {
			c.Grants = append(c.Grants, grants.Password{})
		}, "Password.Authenticator"},
		"retry window": {func(c *grantwell.Config) {
			c.Grants = append(c.Grants, grants.RefreshToken{RetryWindow: time.Hour})
		}, "RefreshToken.RetryWindow"},
		"jwt without keys": {func(c *grantwell.Config) { c.AccessTokenFormat = "jwt" }, "Keys"},
		"unknown format": {func(c *grantwell.Config) {
			c.AccessTokenFormat = "paseto"
		}, "AccessTokenFormat"},
		"unrecorded opaque": {func(c *grantwell.Config) { c.Unrecorded = true }, "Unrecorded"},
		"short access tokens": {func(c *grantwell.Config) {
			c.AccessTokens.Length = 27
		}, "AccessTokens"},
		"short by the prefix": {func(c *grantwell.Config) {
			c.RefreshTokens = tokens.Opaque{Prefix: "abcdefgh_", Length: 36}
		}, "RefreshTokens"},
		"short codes":     {func(c *grantwell.Config) { c.Codes.Length = 16 }, "Codes"},
		"negative length": {func(c *grantwell.Config) { c.Codes.Length = -1 }, "Codes"},
		"prefix": {func(c *grantwell.Config) {
			c.AccessTokens.Prefix = "a b"
		}, "AccessTokens"},
		"negative lifetime": {func(c *grantwell.Config) {
			c.AccessTokenLifetime = -1
		}, "AccessTokenLifetime"},
		"long refresh": {func(c *grantwell.Config) {
			c.RefreshTokenLifetime = 1 << 62
		}, "RefreshTokenLifetime"},
		"negative idle": {func(c *grantwell.Config) {
			c.RefreshTokenIdle = -1
		}, "RefreshTokenIdle"},
		"long code": {func(c *grantwell.Config) {
			c.CodeLifetime = 11 * time.Minute
		}, "CodeLifetime"},
		"long interaction": {func(c *grantwell.Config) {
			c.InteractionLifetime = 25 * time.Hour
		}, "InteractionLifetime"},
		"long timeout": {func(c *grantwell.Config) { c.Timeout = time.Hour }, "Timeout"},
		"small body":   {func(c *grantwell.Config) { c.MaxBody = 10 }, "MaxBody"},
		"large body":   {func(c *grantwell.Config) { c.MaxBody = 1 << 40 }, "MaxBody"},
		"path":         {func(c *grantwell.Config) { c.Paths.Token = "token" }, "Paths.Token"},
		"path with query": {func(c *grantwell.Config) {
			c.Paths.Revoke = "/revoke?a=b"
		}, "Paths.Revoke"},
		"path twice": {func(c *grantwell.Config) {
			c.Paths.Revoke = "/token"
		}, "Paths.Revoke"},
		"pattern": {func(c *grantwell.Config) { c.Paths.Token = "/{x}" }, "Paths.Token"},
		"unknown method": {func(c *grantwell.Config) {
			c.AuthMethods = []string{"private_key_jwt"}
		}, "AuthMethods"},
		"nil authenticator": {func(c *grantwell.Config) {
			c.ClientAuth = []grantwell.ClientAuthenticator{nil}
		}, "ClientAuth[0]"},
		"scope": {func(c *grantwell.Config) {
			c.Scopes.Known = []grantwell.Scope{{Name: "a b"}}
		}, "Scopes"},
		"delimiter": {func(c *grantwell.Config) { c.Scopes.Delimiters = "\t" }, "Scopes"},
		"revocation status": {func(c *grantwell.Config) {
			c.Compat.ForeignRevocation = 418
		}, "Compat.ForeignRevocation"},
		"cookie": {func(c *grantwell.Config) {
			c.Cookie.Name = "__Host-x"
			c.Cookie.Domain = "as.example"
		}, "Cookie"},
		"proxy": {func(c *grantwell.Config) {
			c.TrustedProxies = []netip.Prefix{{}}
		}, "TrustedProxies"},
	} {
		cfg := grantwell.Config{
			Issuer:  "https://as.example",
			Clients: memstore.New(),
			Records: memstore.New(),
			Grants:  []grants.Handler{grants.ClientCredentials{}},
		}
		_, err := grantwell.New(cfg)
		require.NoError(t, err)
		tt.change(&cfg)
		srv, err := grantwell.New(cfg)
		require.Nil(t, srv, name)
		require.ErrorContains(t, err, tt.field, name)
		require.True(t, strings.HasPrefix(err.Error(), "grantwell: Config."), err)
	}
	_, err := grantwell.New(grantwell.Config{CodeLifetime: time.Hour, AccessTokenFormat: "x"})
	for _, field := range []string{"Issuer", "Clients", "Grants", "CodeLifetime",
		"AccessTokenFormat"} {
		require.ErrorContains(t, err, "Config."+field)
	}
}

// wrappedCode is a grant of the host with a type of its own.
type wrappedCode struct{ grants.AuthorizationCode }

func (wrappedCode) GrantType() string { return "urn:example:code" }

// New changes nothing in the caller's configuration.
func TestNew_LeavesTheConfigAlone(t *testing.T) {
	t.Parallel()
	list := []grants.Handler{&grants.AuthorizationCode{}, grants.ClientCredentials{}}
	cfg := grantwell.Config{
		Issuer:    "http://localhost:1",
		AllowHTTP: true,
		Clients:   memstore.New(),
		Records:   memstore.New(),
		Grants:    list,
	}
	_, err := grantwell.New(cfg)
	require.NoError(t, err)
	require.IsType(t, &grants.AuthorizationCode{}, list[0])
	require.Zero(t, cfg.AccessTokenLifetime)
	require.Nil(t, cfg.Limiter)
}

// A client that is registered for signed tokens gets no other kind from a
// server without keys.
//
// Holds: house: client settings win.
func TestAccessTokenFormat_IsNeverReplaced(t *testing.T) {
	t.Parallel()
	r := servertest.New(t, nil)
	c := servertest.Clients()[0]
	c.ID, c.AccessTokenFormat = "signed", "jwt"
	require.NoError(t, r.Store.PutClient(t.Context(), c))
	r.ClientCredentials("signed:"+servertest.Secret).Fails(t, 500, "server_error")
}
