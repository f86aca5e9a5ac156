package grantwell_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// What fosite v0.49.0 lets through at its authorization endpoint does not come
// through ours. Each test says first what was observed there.

// In fosite a registered https://127.0.0.1/cb matched
// http://127.0.0.1:4711/cb. User information matched, paths were compared
// decoded, and any address of 127/8 could have any port.
//
// Holds: RFC 8252 section 7.3; RFC 9700 section 2.1.
func TestFositeFinding_Endpoint_LoopbackIsMatchedLoosely(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	h.AddClient("loop", func(c *storage.Client) {
		c.RedirectURIs = []string{"https://127.0.0.1/cb", "http://127.0.0.1/a/b",
			"http://127.0.0.9/cb"}
	})
	for _, uri := range []string{"http://127.0.0.1:4711/cb", "http://user:pw@127.0.0.1:4711/a/b",
		"http://127.0.0.1:4711/a%2Fb", "http://127.0.0.9:4711/cb"} {
		h.SignedIn("alice").Send(servertest.AuthorizeURL("client_id", "loop", "redirect_uri", uri),
			nil).IsPage(t, http.StatusBadRequest)
	}
}

// In fosite every registered custom scheme counted as secure, javascript:
// included.
//
// Holds: house: safe redirect registration.
func TestFositeFinding_Endpoint_AnySchemeIsSecure(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{"javascript:alert(1)//", "data:text/html,x", "vbscript:x",
		"app:/cb"} {
		c := servertest.Clients()[0]
		c.ID, c.RedirectURIs = "js", []string{uri}
		require.Error(t, c.Validate())
		h := servertest.NewSite(t, nil)
		h.SignedIn("alice").Send(servertest.AuthorizeURL("client_id", "js", "redirect_uri", uri),
			nil).IsPage(t, http.StatusBadRequest)
	}
}

// In fosite scopes matched by wildcard and audiences by URL prefix:
// https://api/../admin passed for https://api.
//
// Holds: RFC 6749 section 3.3.
func TestFositeFinding_Endpoint_ScopesAndAudiencesMatchByPattern(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	h.AddClient("wild", func(c *storage.Client) {
		c.Scope, c.Audience = []string{"photos.*", "read"}, []string{"https://api.example"}
	})
	res := h.SignedIn("alice").Allow("client_id", "wild", "scope", "photos.read")
	require.Equal(t, "invalid_scope", res.Params(t).Get("error"))
	for _, audience := range []string{"https://api.example/../admin", "https://api.example/x",
		"https://api.example.evil"} {
		res = h.SignedIn("alice").Allow("client_id", "wild", "scope", "read", "resource", audience)
		require.Equal(t, "invalid_target", res.Params(t).Get("error"))
		res = h.SignedIn("alice").Allow("client_id", "wild", "scope", "read", "audience", audience)
		require.Equal(t, "invalid_target", res.Params(t).Get("error"))
	}
	// resource was unknown there (RFC 8707).
	res = h.SignedIn("alice").Allow("client_id", "wild", "scope", "read",
		"resource", "https://api.example")
	rec, err := h.Store.Get(t.Context(), storage.Code, storage.Key(res.Params(t).Get("code")))
	require.NoError(t, err)
	require.Equal(t, []string{"https://api.example"}, rec.Audience)
}

// In fosite a state needed eight characters, and state= was added to an error
// redirect although the client had sent none.
//
// Holds: RFC 6749 section 4.1.2.
func TestFositeFinding_Endpoint_StateIsForcedAndInvented(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	require.Equal(t, "x", h.SignedIn("alice").Allow("state", "x").Params(t).Get("state"))
	require.NotEmpty(t, h.SignedIn("alice").Allow("state", "-").Params(t).Get("code"))
	res := h.SignedIn("alice").Allow("state", "-", "scope", "admin")
	require.NotContains(t, res.Header.Get("Location"), "state=")
	res = h.SignedIn("alice").Allow("state", "-", "scope", "admin", "response_mode", "form_post")
	require.NotContains(t, res.Body, `name="state"`)
}

// In fosite form_post was a page without a policy, an unknown mode was
// answered with JSON, and a custom scheme became #ZgotmplZ.
//
// Holds: OAuth 2.0 Form Post Response Mode section 2;
// OAuth 2.0 Multiple Response Types section 2.1.
func TestFositeFinding_Endpoint_ResponseModes(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	res := h.SignedIn("alice").Allow("scope", "admin", "response_mode", "form_post")
	require.Contains(t, res.Header.Get("Content-Security-Policy"), "default-src 'none'")
	res = h.SignedIn("alice").Allow("response_mode", "nonsense")
	require.Equal(t, "invalid_request", res.Params(t).Get("error"))
	res = h.SignedIn("alice").Allow("client_id", "native", "redirect_uri", "com.example.app:/cb",
		"response_mode", "form_post")
	require.NotContains(t, res.Body, "Zgotmpl")
	require.Equal(t, "invalid_request", res.Params(t).Get("error"))
}

// In fosite neither successes nor errors had iss (RFC 9207).
//
// Holds: RFC 9207 section 2.
func TestFositeFinding_Endpoint_NoIssuer(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	for _, pairs := range [][]string{
		{},
		{"scope", "admin"},
		{"response_type", "token"},
		{"prompt", "none", "client_id", "other"},
		{"response_type", "nonsense"},
	} {
		require.Equal(t, []string{servertest.Issuer},
			h.SignedIn("alice").Allow(pairs...).Params(t)["iss"])
	}
	require.Equal(t, true, h.Browser().Send("/.well-known/oauth-authorization-server",
		nil).JSON["authorization_response_iss_parameter_supported"])
}

// In fosite a public client without PKCE got a code, the challenge was not
// checked, and after a wrong verifier the same code was redeemed without one.
//
// Holds: RFC 7636 section 4.2; RFC 7636 section 4.3; RFC 7636 section 4.4.1;
// RFC 7636 section 4.6.
func TestFositeFinding_Endpoint_PKCE(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	for _, pairs := range [][]string{
		{"code_challenge", "-", "code_challenge_method", "-"},
		{"code_challenge", "short"},
		{"code_challenge", strings.Repeat("!", 43)},
	} {
		res := h.SignedIn("alice").Allow(append(pairs, "client_id", "public")...)
		require.Equal(t, "invalid_request", res.Params(t).Get("error"))
	}
	code := h.SignedIn("alice").Allow("client_id", "public").Params(t).Get("code")
	h.Redeem("public", code, "code_verifier", strings.Repeat("x", 43)).Fails(t, 400,
		"invalid_grant")
	h.Redeem("public", code, "code_verifier", "-").Fails(t, 400, "invalid_grant")
	h.Redeem("public", code).Fails(t, 400, "invalid_grant")
	code = h.SignedIn("alice").Allow("client_id", "public").Params(t).Get("code")
	h.Redeem("public", code, "code_verifier", "-").Fails(t, 400, "invalid_grant")
}

// In fosite the first of two equal parameters won: a request with two clients
// or two redirect URIs got a code.
//
// Holds: RFC 6749 section 3.1.2.4.
func TestFositeFinding_Endpoint_FirstOfRepeatedParametersWins(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	for _, second := range []string{
		"client_id=other", "redirect_uri=https%3A%2F%2Fevil.example%2F", "client_id=",
	} {
		h.SignedIn("alice").Send(servertest.AuthorizeURL()+"&"+second, nil).IsPage(t,
			http.StatusBadRequest)
	}
	for _, second := range []string{
		"scope=write", "state=2", "response_type=token", "code_challenge=x", "state=",
	} {
		res := h.SignedIn("alice").Send(servertest.AuthorizeURL()+"&"+second, nil)
		require.Equal(t, "invalid_request", res.Params(t).Get("error"), second)
	}
}

// In fosite response types were compared without regard to case.
//
// Holds: RFC 6749 section 3.1.1.
func TestFositeFinding_Endpoint_LetterCase(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	for _, types := range []string{"CODE", "Token", "code Token"} {
		res := h.SignedIn("alice").Allow("response_type", types)
		require.Equal(t, "unsupported_response_type", res.Params(t).Get("error"))
	}
	require.Equal(t, "invalid_scope",
		h.SignedIn("alice").Allow("scope", "READ").Params(t).Get("error"))
}

// In fosite descriptions repeated what was sent, and some error codes stand in
// no registry.
//
// Holds: house: escaped text.
func TestFositeFinding_Endpoint_ErrorsRepeatTheRequest(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	registered := []string{"invalid_request", "unauthorized_client", "unsupported_response_type",
		"invalid_scope", "invalid_target", "request_not_supported", "request_uri_not_supported"}
	for _, name := range []string{"scope", "response_type", "response_mode", "code_challenge",
		"code_challenge_method", "resource", "audience", "max_age", "request", "request_uri"} {
		q := h.SignedIn("alice").Allow(name, `adm(é)'\<x>`).Params(t)
		require.Contains(t, registered, q.Get("error"), name)
		require.Regexp(t, `^[ !#-\[\]-~]+$`, q.Get("error_description"))
		require.NotContains(t, q.Get("error_description"), "adm")
	}
}

// In fosite a request object was ignored without the scope openid, and
// accepted unsigned with it.
func TestFositeFinding_Endpoint_RequestObjects(t *testing.T) {
	t.Parallel()
	h := servertest.NewSite(t, nil)
	for _, scope := range []string{"read", "openid"} {
		require.Equal(t, "request_not_supported",
			h.SignedIn("alice").Allow("scope", scope,
				"request", "eyJhbGciOiJub25lIn0.eyJzdGF0ZSI6ImV2aWwifQ.").Params(t).Get("error"))
	}
}
