package grantwell_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/servertest"
)

// A repeated parameter is an error of the client, so the client learns of it
// (RFC 6749 sections 3.1 and 4.1.2.1). A repeated state is not sent back, because
// neither value is certainly the client's.
func TestAuthorize_RepeatedParameterIsReportedToTheClient(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	for _, more := range []string{
		"scope=read", "scope=", "scope=write", "response_type=code", "response_type=token", "code_challenge=x&code_challenge=x",
		"prompt=none&prompt=", "nonce=a&nonce=b", "request_uri=a&request_uri=b", "own=1&own=2", "own=&own=", "response_mode=fragment&response_mode=query",
		"%73cope=read",
	} {
		res := s.Get(servertest.AuthorizeURL("state", "a state") + "&" + more)
		p := res.Params(t)
		require.Equal(t, "invalid_request", p.Get("error"), more)
		require.Equal(t, "a state", p.Get("state"), more)
		require.Equal(t, servertest.Issuer, p.Get("iss"), more)
		require.Empty(t, p.Get("code"), more)
	}

	for _, more := range []string{"state=b", "state=", "state=a+state"} {
		p := s.Get(servertest.AuthorizeURL("state", "a state") + "&" + more).Params(t)
		require.Equal(t, "invalid_request", p.Get("error"), more)
		require.NotContains(t, p, "state", more)
	}

	// The form of a POST is judged as the query of a GET is.
	_, query, _ := strings.Cut(servertest.AuthorizeURL("state", "a state"), "?")
	res := s.Do(servertest.Request("/authorize", "", query+"&scope=read"))
	require.Equal(t, "invalid_request", res.Params(t).Get("error"))
}

// Without a client and a redirect URI that are certain, the error is a page.
func TestAuthorize_RepeatedClientOrRedirectURIIsAPage(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	u, err := url.Parse(servertest.AuthorizeURL("state", "a state"))
	require.NoError(t, err)
	for _, name := range []string{"client_id", "redirect_uri"} {
		for _, value := range []string{u.Query().Get(name), "", "other"} {
			for _, more := range []string{"", "&scope=read"} {
				res := s.Get(u.String() + more + "&" + name + "=" + url.QueryEscape(value))
				require.Equal(t, http.StatusBadRequest, res.Status, "%s=%s%s", name, value, more)
				require.Empty(t, res.Header.Get("Location"))
			}
		}
	}
}
