package frontchannel_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/frontchannel"
)

// The tests of this file hold what fosite v0.49.0 does not, each named after what it was seen to do.
// The package once asked fosite as well; the test of the root package still compares the two.

func TestFositeFinding_LoopbackSchemeIgnored(t *testing.T) {
	t.Parallel()
	c := web()
	c.RedirectURIs = []string{"https://127.0.0.1/cb"}
	_, e := parse(t, server(t, nil, c), request("redirect_uri", "http://127.0.0.1:4711/cb"))
	refusedOnPage(t, e, http.StatusBadRequest)
}

func TestFositeFinding_LoopbackUserInformationIgnored(t *testing.T) {
	t.Parallel()
	c := web()
	c.RedirectURIs = []string{"http://127.0.0.1/cb"}
	_, e := parse(t, server(t, nil, c), request("redirect_uri", "http://user:pw@127.0.0.1:4711/cb"))
	refusedOnPage(t, e, http.StatusBadRequest)
}

func TestFositeFinding_LoopbackPathComparedDecoded(t *testing.T) {
	t.Parallel()
	c := web()
	c.RedirectURIs = []string{"http://127.0.0.1/a/b"}
	_, e := parse(t, server(t, nil, c), request("redirect_uri", "http://127.0.0.1:4711/a%2Fb"))
	refusedOnPage(t, e, http.StatusBadRequest)
}

func TestFositeFinding_AnyLoopbackAddressVariesInPort(t *testing.T) {
	t.Parallel()
	c := web()
	c.RedirectURIs = []string{"http://127.0.0.2/cb"}
	_, e := parse(t, server(t, nil, c), request("redirect_uri", "http://127.0.0.2:4711/cb"))
	refusedOnPage(t, e, http.StatusBadRequest)
}

func TestFositeFinding_JavaScriptIsASecureScheme(t *testing.T) {
	t.Parallel()
	c := web()
	c.RedirectURIs = []string{"javascript:alert(1)"}
	_, e := parse(t, server(t, nil, c), request("redirect_uri", "javascript:alert(1)"))
	refusedOnPage(t, e, http.StatusBadRequest)
}

func TestFositeFinding_ScopesAndAudiencesMatchByPattern(t *testing.T) {
	t.Parallel()
	c := web()
	c.Scope, c.Audience = []string{"files.*", "*"}, []string{"https://api"}
	f := server(t, nil, c)
	_, e := parse(t, f, request("scope", "files.read"))
	refusedAtClient(t, e, "invalid_scope")
	_, e = parse(t, f, request("scope", "*", "audience", "https://api/../admin"))
	refusedAtClient(t, e, "invalid_target")
}

func TestFositeFinding_ResourceIsUnknown(t *testing.T) {
	t.Parallel()
	f := server(t, nil)
	_, e := parse(t, f, request("resource", "https://other.example/"))
	refusedAtClient(t, e, "invalid_target")
	r, e := parse(t, f, request("resource", "https://api.example/"))
	require.Nil(t, e)
	require.Equal(t, []string{"https://api.example/"}, r.Audience)
}

func TestFositeFinding_ShortOrNoStateIsRefused(t *testing.T) {
	t.Parallel()
	f := server(t, nil)
	for _, state := range []string{"-", "1", "1234567"} {
		r, e := parse(t, f, request("state", state))
		require.Nil(t, e)
		require.Equal(t, state != "-", r.StateGiven)
		// And the check was not the first of several failures that hid the others.
		_, e = parse(t, f, request("state", state, "scope", "nope"))
		refusedAtClient(t, e, "invalid_scope")
	}
}

func TestFositeFinding_ErrorRedirectInventsState(t *testing.T) {
	t.Parallel()
	f := server(t, nil)
	_, e := parse(t, f, request("state", "-", "scope", "nope"))
	refusedAtClient(t, e, "invalid_scope")
	require.NotContains(t, respond(f, e.Request, e.Params()...).Header.Get("Location"), "state")
}

func TestFositeFinding_UnsupportedModeIsAnsweredWithJSON(t *testing.T) {
	t.Parallel()
	f := server(t, nil)
	_, e := parse(t, f, request("response_mode", "nonsense"))
	refusedAtClient(t, e, "invalid_request")
	res := respond(f, e.Request, e.Params()...)
	require.True(t, strings.HasPrefix(res.Header.Get("Location"), callback+"?error=invalid_request&"))
}

// Holds R37.
func TestFositeFinding_NoIssuerInResponses(t *testing.T) {
	t.Parallel()
	f := server(t, withIssuer)
	r, e := parse(t, f, request())
	require.Nil(t, e)
	require.Contains(t, respond(f, r).Header.Get("Location"), "iss="+url.QueryEscape(issuer))
	_, e = parse(t, f, request("scope", "nope"))
	require.Contains(t, respond(f, e.Request, e.Params()...).Header.Get("Location"), "iss="+url.QueryEscape(issuer))
}

func TestFositeFinding_FormPostToACustomScheme(t *testing.T) {
	t.Parallel()
	f := server(t, nil)
	_, e := parse(t, f, request("client_id", "app", "redirect_uri", "com.example.app:/cb", "response_mode", "form_post",
		"code_challenge", challenge, "code_challenge_method", "S256"))
	refusedAtClient(t, e, "invalid_request")
	w := httptest.NewRecorder()
	f.Respond(w, e.Request, e.Params())
	require.NotContains(t, w.Body.String(), "ZgotmplZ")
	require.Equal(t, http.StatusSeeOther, w.Code)
}

func TestFositeFinding_RequestObjectsIgnoredWithoutOpenID(t *testing.T) {
	t.Parallel()
	f := server(t, nil)
	for _, scope := range []string{"read", "openid"} {
		_, e := parse(t, f, request("scope", scope, "request", "garbage"))
		refusedAtClient(t, e, "request_not_supported")
		for _, uri := range []string{"https://evil/", "urn:ietf:params:oauth:request_uri:x"} {
			_, e = parse(t, f, request("scope", scope, "request_uri", uri))
			refusedAtClient(t, e, "request_uri_not_supported")
		}
	}
}

func TestFositeFinding_MissingResponseTypeIsUnsupported(t *testing.T) {
	t.Parallel()
	_, e := parse(t, server(t, nil), request("response_type", "-"))
	refusedAtClient(t, e, "invalid_request")
}

// Holds R50.
func TestFositeFinding_ChallengeSyntaxUnchecked(t *testing.T) {
	t.Parallel()
	f := server(t, nil)
	for _, bad := range []string{"x", challenge[:42], challenge + "=", strings.Repeat("a", 129)} {
		_, e := parse(t, f, request("code_challenge", bad, "code_challenge_method", "S256"))
		refusedAtClient(t, e, "invalid_request")
	}
}

// Holds R48.
func TestFositeFinding_PublicClientWithoutPKCE(t *testing.T) {
	t.Parallel()
	_, e := parse(t, server(t, nil), request("client_id", "app", "redirect_uri", "http://127.0.0.1:1/cb"))
	refusedAtClient(t, e, "invalid_request")
}

func TestFositeFinding_FirstOfRepeatedParametersWins(t *testing.T) {
	t.Parallel()
	f := server(t, nil)
	for name, page := range map[string]bool{"client_id": true, "redirect_uri": true, "scope": false, "response_type": false} {
		form := request()
		form[name] = append(form[name], form[name][0])
		_, e := parse(t, f, form)
		require.NotNil(t, e)
		require.Equal(t, "invalid_request", e.Code)
		require.Equal(t, page, e.Request == nil)
	}
}

func TestFositeFinding_ResponseTypesIgnoreCase(t *testing.T) {
	t.Parallel()
	f := server(t, nil)
	for _, types := range []string{"CODE", "Token", "code Code"} {
		_, e := parse(t, f, request("client_id", "spa", "response_type", types))
		refusedAtClient(t, e, "unsupported_response_type")
	}
	shout := web()
	shout.ResponseTypes = []string{"CODE"}
	_, e := parse(t, server(t, nil, shout), request())
	refusedAtClient(t, e, "unauthorized_client")
}

func TestFositeFinding_DescriptionsRepeatTheRequest(t *testing.T) {
	t.Parallel()
	f := server(t, nil)
	const mark = "zqx"
	for _, form := range []url.Values{
		request("client_id", mark), request("redirect_uri", mark), request("response_type", mark), request("response_mode", mark),
		request("scope", mark), request("scope", mark+"é"), request("audience", mark), request("resource", mark),
		request("code_challenge", mark), request("code_challenge", challenge, "code_challenge_method", mark), request("registration", mark),
	} {
		_, e := parse(t, f, form)
		require.NotNil(t, e)
		require.NotContains(t, e.Description, mark)
		require.NotContains(t, e.Code, mark)
	}
}

func TestFositeFinding_UnregisteredErrorCodes(t *testing.T) {
	t.Parallel()
	f := server(t, nil)
	known := []string{
		"invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type", "invalid_scope", "server_error",
		"temporarily_unavailable", "invalid_target", "invalid_client", "request_not_supported", "request_uri_not_supported", "registration_not_supported",
	}
	for _, name := range []string{"client_id", "redirect_uri", "response_type", "response_mode", "scope", "audience", "resource", "state", "request", "registration"} {
		for _, value := range []string{"", " ", "x", "%", `"`, "é", "\t"} {
			if _, e := f.Parse(t.Context(), request(name, value)); e != nil {
				require.Contains(t, known, e.Code)
			}
		}
	}
}

// The first requests of a new server share nothing that is filled while it serves: run with -race.
func TestFositeFinding_LazyConfigurationRaces(t *testing.T) {
	t.Parallel()
	for range 10 {
		f := server(t, nil)
		done := make(chan *frontchannel.Error, 8)
		for range cap(done) {
			go func() {
				_, e := f.Parse(t.Context(), request("audience", "urn:files"))
				done <- e
			}()
		}
		for range cap(done) {
			require.Nil(t, <-done)
		}
	}
}
