package grantwell_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// The document lists what the configuration enables, and nothing else.
//
// Holds: RFC 8414 section 2; RFC 8414 section 3.2.
func TestMetadata_ListsWhatIsEnabled(t *testing.T) {
	t.Parallel()
	list := func(v ...any) []any { return append([]any{}, v...) }
	for name, c := range map[string]struct {
		change func(*grantwell.Config)
		want   map[string]any
	}{
		"all": {func(cfg *grantwell.Config) { cfg.Keys = servertest.Keys(t) }, map[string]any{
			"issuer":                 "https://as.example",
			"authorization_endpoint": "https://as.example/authorize",
			"token_endpoint":         "https://as.example/token",
			"revocation_endpoint":    "https://as.example/revoke",
			"introspection_endpoint": "https://as.example/introspect",
			"jwks_uri":               "https://as.example/jwks.json",
			"grant_types_supported": list("authorization_code",
				"client_credentials", "implicit", "password", "refresh_token"),
			"response_types_supported": list("code", "token"),
			"response_modes_supported": list("query", "fragment",
				"form_post"),
			"code_challenge_methods_supported":               list("S256"),
			"authorization_response_iss_parameter_supported": true,
			"token_endpoint_auth_methods_supported": list("client_secret_basic",
				"client_secret_post", "none"),
			"revocation_endpoint_auth_methods_supported": list("client_secret_basic",
				"client_secret_post", "none"),
			"introspection_endpoint_auth_methods_supported": list("client_secret_basic",
				"client_secret_post"),
		}},
		"machines only": {func(cfg *grantwell.Config) {
			cfg.Grants = []grants.Handler{grants.ClientCredentials{}}
			cfg.AuthMethods = []string{"client_secret_basic"}
			cfg.Paths.Revoke, cfg.Paths.Introspect = "-", "-"
			cfg.Scopes.Known = []grantwell.Scope{{Name: "read", Public: true}, {Name: "internal"}}
		}, map[string]any{
			"issuer": "https://as.example", "token_endpoint": "https://as.example/token",
			"grant_types_supported":                 list("client_credentials"),
			"response_types_supported":              list(),
			"token_endpoint_auth_methods_supported": list("client_secret_basic"),
			"scopes_supported":                      list("read"),
		}},
		"no authorization endpoint": {func(cfg *grantwell.Config) {
			cfg.Grants = []grants.Handler{grants.AuthorizationCode{}}
			cfg.Paths.Authorize = "-"
			cfg.Paths.Revoke = "-"
			cfg.Paths.Introspect = "-"
		}, map[string]any{
			"issuer": "https://as.example", "token_endpoint": "https://as.example/token",
			"grant_types_supported":    list("authorization_code"),
			"response_types_supported": list(),
			"token_endpoint_auth_methods_supported": list("client_secret_basic",
				"client_secret_post", "none"),
		}},
		"assertions": {func(cfg *grantwell.Config) {
			cfg.Grants = []grants.Handler{grants.ClientCredentials{}}
			cfg.ClientAuth = []grantwell.ClientAuthenticator{grantwell.AssertionAuth{Only: []string{storage.AuthClientSecretJWT}}}
			cfg.AuthMethods = []string{storage.AuthClientSecretJWT}
			cfg.Paths.Introspect = "-"
		}, map[string]any{
			"issuer": "https://as.example", "token_endpoint": "https://as.example/token",
			"revocation_endpoint":   "https://as.example/revoke",
			"grant_types_supported": list("client_credentials"), "response_types_supported": list(),
			"token_endpoint_auth_methods_supported":            list("client_secret_jwt"),
			"revocation_endpoint_auth_methods_supported":       list("client_secret_jwt"),
			"token_endpoint_auth_signing_alg_values_supported": list("HS256", "HS384", "HS512"),
			"revocation_endpoint_auth_signing_alg_values_supported": list("HS256", "HS384",
				"HS512"),
		}},
		"plain PKCE": {func(cfg *grantwell.Config) {
			cfg.Grants = []grants.Handler{grants.AuthorizationCode{AllowPlainPKCE: true}}
			cfg.Paths.Token = "/t"
			cfg.Paths.Revoke = "-"
			cfg.Paths.Introspect = "-"
		}, map[string]any{
			"issuer":                   "https://as.example",
			"authorization_endpoint":   "https://as.example/authorize",
			"token_endpoint":           "https://as.example/t",
			"grant_types_supported":    list("authorization_code"),
			"response_types_supported": list("code"),
			"response_modes_supported": list("query", "fragment",
				"form_post"),
			"code_challenge_methods_supported":               list("S256", "plain"),
			"authorization_response_iss_parameter_supported": true,
			"token_endpoint_auth_methods_supported": list("client_secret_basic",
				"client_secret_post", "none"),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res := servertest.New(t, c.change).Get(wellKnown)
			require.Equal(t, 200, res.Status)
			require.Equal(t, "application/json", res.Header.Get("Content-Type"))
			require.Equal(t, c.want, res.JSON)
			for member, v := range res.JSON {
				if l, ok := v.([]any); ok && member != "response_types_supported" {
					require.NotEmpty(t, l, member)
				}
			}
		})
	}
}

const wellKnown = "/.well-known/oauth-authorization-server"

// Every listed endpoint answers, and a client can use every listed method. An
// endpoint that is not listed does not answer.
//
// Holds: RFC 8414 section 2; RFC 9068 section 4.
func TestMetadata_EveryListedEndpointWorks(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", "/tenant/a"} {
		d := servertest.New(t, func(cfg *grantwell.Config) {
			cfg.Issuer += path
			cfg.Keys = servertest.Keys(t)
		})
		meta := d.Get(wellKnown + path).JSON
		require.Equal(t, "https://as.example"+path, meta["issuer"])
		local := func(name string) string {
			s, _ := meta[name].(string)
			require.True(t, strings.HasPrefix(s, "https://as.example"+path+"/"), name)
			return strings.TrimPrefix(s, "https://as.example")
		}
		for _, m := range meta["token_endpoint_auth_methods_supported"].([]any) {
			as, form := map[string]string{"client_secret_basic": servertest.Conf}[m.(string)], map[string][]string{
				"client_secret_basic": nil,
				"client_secret_post":  {"client_id", "post", "client_secret", servertest.Secret},
				"none":                {"client_id", "public"}}[m.(string)]
			login := append([]string{"grant_type", "password", "username", "johndoe", "password",
				"A3ddj3w"}, form...)
			res := d.Post(local("token_endpoint"), as, login...)
			require.Equal(t, 200, res.Status, "%s: %s", m, res.Body)
			answer := d.Post(local("introspection_endpoint"), as,
				append([]string{"token", res.String("access_token")}, form...)...)
			listed := meta["introspection_endpoint_auth_methods_supported"]
			require.Equal(t, m != "none", slices.Contains(listed.([]any), m), "RFC 7662 section 2.1")
			if m == "none" {
				answer.Fails(t, 401, "invalid_client")
			} else {
				require.Equal(t, true, answer.JSON["active"], m)
			}
			require.Equal(t, 200, d.Post(local("revocation_endpoint"), as,
				append([]string{"token", res.String("access_token")}, form...)...).Status)
		}
		for _, g := range meta["grant_types_supported"].([]any) {
			res := d.Post(local("token_endpoint"), servertest.Conf, "grant_type", g.(string))
			if g != "implicit" {
				require.NotEqual(t, "unsupported_grant_type", res.String("error"), g)
			}
		}
		d.Post(local("token_endpoint"), servertest.Conf,
			"grant_type", "urn:ietf:params:oauth:grant-type:device_code").Fails(t, 400,
			"unsupported_grant_type")
		jwks := d.Get(local("jwks_uri"))
		require.Equal(t, 200, jwks.Status)
		require.Len(t, jwks.JSON["keys"], 1)
		for _, rt := range meta["response_types_supported"].([]any) {
			res := d.Authorize(grantwell.Approval{Subject: "alice"}, "scope", "read",
				"response_type", rt.(string))
			require.Equal(t, http.StatusSeeOther, res.Status)
			require.Empty(t, res.Param("error"))
			require.Equal(t, "https://as.example"+path, res.Param("iss"))
		}
		for _, mode := range meta["response_modes_supported"].([]any) {
			res := d.Authorize(grantwell.Approval{Subject: "alice"}, "scope", "read",
				"response_mode", mode.(string))
			require.NotContains(t, res.Body+res.Header.Get("Location"), "unsupported")
			require.Regexp(t, "code[=\"]", res.Body+res.Header.Get("Location"), mode)
		}
	}
}

// The path of the issuer stands after the well-known part, and the endpoints
// are below the issuer (RFC 8414 section 3).
//
// Holds: RFC 8414 section 3.1.
func TestMetadata_IssuerWithPath(t *testing.T) {
	t.Parallel()
	d := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Issuer = "https://as.example/tenant/a"
	})
	res := d.Get(wellKnown + "/tenant/a")
	require.Equal(t, 200, res.Status)
	require.Equal(t, "https://as.example/tenant/a", res.JSON["issuer"])
	require.Equal(t, "https://as.example/tenant/a/token", res.JSON["token_endpoint"])
	for _, wrong := range []string{wellKnown, "/tenant/a" + wellKnown, wellKnown + "/tenant",
		wellKnown + "/tenant/a/", wellKnown + "/tenant/b"} {
		require.Equal(t, 404, d.Get(wrong).Status, wrong)
	}
}

// An issuer that ends with a slash is published as it is, and no URL or path below it
// has two slashes (RFC 8414 sections 2 and 3.1).
func TestMetadata_IssuerWithTrailingSlash(t *testing.T) {
	t.Parallel()
	for issuer, path := range map[string]string{
		"https://as.example/":        "",
		"https://as.example/tenant/": "/tenant",
	} {
		d := servertest.New(t, func(cfg *grantwell.Config) { cfg.Issuer = issuer })
		res := d.Get(wellKnown + path)
		require.Equal(t, 200, res.Status)
		require.Equal(t, issuer, res.JSON["issuer"])
		require.Equal(t, "https://as.example"+path+"/token", res.JSON["token_endpoint"])
		require.NotContains(t, strings.ReplaceAll(res.Body, "://", ""), "//")
		if path != "" {
			continue // the rig sends to paths below the host
		}
		require.Equal(t, issuer, d.Introspect("conf", d.Token(servertest.Conf)).String("iss"))
	}
}
