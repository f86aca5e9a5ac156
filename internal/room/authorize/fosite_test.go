package authorize_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Each test of this file is named after a fault that was reproduced in fosite v0.49.0
// and holds that this server has not got it. A test of the root package compares the
// two servers.

func TestFositeFinding_LoopbackSchemeIgnored(t *testing.T) {
	t.Parallel()
	c := web()
	c.RedirectURIs = []string{"https://127.0.0.1/cb"}
	_, e := parse(t, room(t, nil, c), request("redirect_uri", "http://127.0.0.1:4711/cb"))
	refusedOnPage(t, e, http.StatusBadRequest)
}

func TestFositeFinding_LoopbackUserInformationIgnored(t *testing.T) {
	t.Parallel()
	c := web()
	c.RedirectURIs = []string{"http://127.0.0.1/cb"}
	_, e := parse(t, room(t, nil, c), request("redirect_uri", "http://user:pw@127.0.0.1:4711/cb"))
	refusedOnPage(t, e, http.StatusBadRequest)
}

func TestFositeFinding_LoopbackPathComparedDecoded(t *testing.T) {
	t.Parallel()
	c := web()
	c.RedirectURIs = []string{"http://127.0.0.1/a/b"}
	_, e := parse(t, room(t, nil, c), request("redirect_uri", "http://127.0.0.1:4711/a%2Fb"))
	refusedOnPage(t, e, http.StatusBadRequest)
}

func TestFositeFinding_AnyLoopbackAddressVariesInPort(t *testing.T) {
	t.Parallel()
	c := web()
	c.RedirectURIs = []string{"http://127.0.0.2/cb"}
	_, e := parse(t, room(t, nil, c), request("redirect_uri", "http://127.0.0.2:4711/cb"))
	refusedOnPage(t, e, http.StatusBadRequest)
}

func TestFositeFinding_JavaScriptIsASecureScheme(t *testing.T) {
	t.Parallel()
	c := web()
	c.RedirectURIs = []string{"javascript:alert(1)"}
	_, e := parse(t, room(t, nil, c), request("redirect_uri", "javascript:alert(1)"))
	refusedOnPage(t, e, http.StatusBadRequest)
}

func TestFositeFinding_ScopesAndAudiencesMatchByPattern(t *testing.T) {
	t.Parallel()
	c := web()
	c.Scope, c.Audience = []string{"files.*", "*"}, []string{"https://api"}
	r := room(t, nil, c)
	_, e := parse(t, r, request("scope", "files.read"))
	refusedAtClient(t, e, "invalid_scope")
	_, e = parse(t, r, request("scope", "*", "audience", "https://api/../admin"))
	refusedAtClient(t, e, "invalid_target")
}

func TestFositeFinding_ResourceIsUnknown(t *testing.T) {
	t.Parallel()
	r := room(t, nil)
	_, e := parse(t, r, request("resource", "https://other.example/"))
	refusedAtClient(t, e, "invalid_target")
	a, e := parse(t, r, request("resource", "https://api.example/"))
	require.Nil(t, e)
	require.Equal(t, []string{"https://api.example/"}, a.Audience)
}

func TestFositeFinding_ShortOrNoStateIsRefused(t *testing.T) {
	t.Parallel()
	r := room(t, nil)
	for _, state := range []string{"-", "1", "1234567"} {
		a, e := parse(t, r, request("state", state))
		require.Nil(t, e)
		require.Equal(t, state != "-", a.StateGiven)
		// And the check was not the first of several failures that hid the others.
		_, e = parse(t, r, request("state", state, "scope", "nope"))
		refusedAtClient(t, e, "invalid_scope")
	}
}

func TestFositeFinding_ErrorRedirectInventsState(t *testing.T) {
	t.Parallel()
	r := room(t, nil)
	_, e := parse(t, r, request("state", "-", "scope", "nope"))
	refusedAtClient(t, e, "invalid_scope")
	res := open(t, r, request("state", "-", "scope", "nope"))
	require.NotContains(t, res.Header.Get("Location"), "state")
}

func TestFositeFinding_UnsupportedModeIsAnsweredWithJSON(t *testing.T) {
	t.Parallel()
	r := room(t, nil)
	_, e := parse(t, r, request("response_mode", "nonsense"))
	refusedAtClient(t, e, "invalid_request")
	res := open(t, r, request("response_mode", "nonsense"))
	require.True(t, strings.HasPrefix(res.Header.Get("Location"), callback+"?error=invalid_request&"))
}

// Holds: RFC 9207 section 2.
func TestFositeFinding_NoIssuerInResponses(t *testing.T) {
	t.Parallel()
	r := room(t, nil)
	a, e := parse(t, r, request())
	require.Nil(t, e)
	require.Contains(t, respond(r, a).Header.Get("Location"), "iss="+url.QueryEscape(issuer))
	res := open(t, r, request("scope", "nope"))
	require.Contains(t, res.Header.Get("Location"), "iss="+url.QueryEscape(issuer))
}

func TestFositeFinding_FormPostToACustomScheme(t *testing.T) {
	t.Parallel()
	r := room(t, nil)
	form := request("client_id", "app", "redirect_uri", "com.example.app:/cb", "response_mode", "form_post",
		"code_challenge", challenge, "code_challenge_method", "S256")
	_, e := parse(t, r, form)
	refusedAtClient(t, e, "invalid_request")
	w := httptest.NewRecorder()
	require.Nil(t, r.Parse(w, httptest.NewRequest(http.MethodGet, issuer+"/authorize?"+form.Encode(), nil)))
	require.NotContains(t, w.Body.String(), "ZgotmplZ")
	require.Equal(t, http.StatusSeeOther, w.Code)
}

func TestFositeFinding_RequestObjectsIgnoredWithoutOpenID(t *testing.T) {
	t.Parallel()
	r := room(t, nil)
	for _, scope := range []string{"read", "openid"} {
		_, e := parse(t, r, request("scope", scope, "request", "garbage"))
		refusedAtClient(t, e, "request_not_supported")
		for _, uri := range []string{"https://evil/", "urn:ietf:params:oauth:request_uri:x"} {
			_, e = parse(t, r, request("scope", scope, "request_uri", uri))
			refusedAtClient(t, e, "request_uri_not_supported")
		}
	}
}

func TestFositeFinding_MissingResponseTypeIsUnsupported(t *testing.T) {
	t.Parallel()
	_, e := parse(t, room(t, nil), request("response_type", "-"))
	refusedAtClient(t, e, "invalid_request")
}

// Holds: RFC 7636 section 4.2.
func TestFositeFinding_ChallengeSyntaxUnchecked(t *testing.T) {
	t.Parallel()
	r := room(t, nil)
	for _, bad := range []string{"x", challenge[:42], challenge + "=", strings.Repeat("a", 129)} {
		_, e := parse(t, r, request("code_challenge", bad, "code_challenge_method", "S256"))
		refusedAtClient(t, e, "invalid_request")
	}
}

// Holds: RFC 7636 section 4.4.1.
func TestFositeFinding_PublicClientWithoutPKCE(t *testing.T) {
	t.Parallel()
	_, e := parse(t, room(t, nil), request("client_id", "app", "redirect_uri", "http://127.0.0.1:1/cb"))
	refusedAtClient(t, e, "invalid_request")
}

func TestFositeFinding_FirstOfRepeatedParametersWins(t *testing.T) {
	t.Parallel()
	r := room(t, nil)
	for name, page := range map[string]bool{"client_id": true, "redirect_uri": true, "scope": false, "response_type": false} {
		form := request()
		form[name] = append(form[name], form[name][0])
		_, e := parse(t, r, form)
		require.NotNil(t, e)
		require.Equal(t, "invalid_request", e.Code)
		require.Equal(t, page, e.To == nil)
	}
}

func TestFositeFinding_ResponseTypesIgnoreCase(t *testing.T) {
	t.Parallel()
	r := room(t, nil)
	for _, types := range []string{"CODE", "Token", "code Code"} {
		_, e := parse(t, r, request("client_id", "spa", "response_type", types))
		refusedAtClient(t, e, "unsupported_response_type")
	}
	shout := web()
	shout.ResponseTypes = []string{"CODE"}
	_, e := parse(t, room(t, nil, shout), request())
	refusedAtClient(t, e, "unauthorized_client")
}

func TestFositeFinding_DescriptionsRepeatTheRequest(t *testing.T) {
	t.Parallel()
	r := room(t, nil)
	const mark = "zqx"
	for _, form := range []url.Values{
		request("client_id", mark), request("redirect_uri", mark), request("response_type", mark), request("response_mode", mark),
		request("scope", mark), request("scope", mark+"é"), request("audience", mark), request("resource", mark),
		request("code_challenge", mark), request("code_challenge", challenge, "code_challenge_method", mark), request("registration", mark),
	} {
		_, e := parse(t, r, form)
		require.NotNil(t, e)
		require.NotContains(t, e.Description, mark)
		require.NotContains(t, e.Code, mark)
	}
}

func TestFositeFinding_UnregisteredErrorCodes(t *testing.T) {
	t.Parallel()
	r := room(t, nil)
	known := []string{
		"invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type", "invalid_scope", "server_error",
		"temporarily_unavailable", "invalid_target", "invalid_client", "request_not_supported", "request_uri_not_supported", "registration_not_supported",
	}
	for _, name := range []string{"client_id", "redirect_uri", "response_type", "response_mode", "scope", "audience", "resource", "state", "request", "registration"} {
		for _, value := range []string{"", " ", "x", "%", `"`, "é", "\t"} {
			if _, e := parse(t, r, request(name, value)); e != nil {
				require.Contains(t, known, e.Code)
			}
		}
	}
}

// The first requests of a new server share nothing that is filled while it serves: run with -race.
func TestFositeFinding_LazyConfigurationRaces(t *testing.T) {
	t.Parallel()
	for range 10 {
		r := room(t, nil)
		done := make(chan error, 8)
		for range cap(done) {
			go func() {
				_, err := r.Validate(t.Context(), request("audience", "urn:files"), "", time.Time{})
				done <- err
			}()
		}
		for range cap(done) {
			require.NoError(t, <-done)
		}
	}
}
