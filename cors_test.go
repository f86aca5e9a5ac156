package grantwell_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/internal/servertest"
)

// Only pages of a client's own origins may read its answers.
//
// Holds: RFC 7009 section 2.3.
func TestCORS_OnlyTheClientsOwnOrigins(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Paths.TokenInfo, cfg.Origins = "/tokeninfo", []string{"https://extra.example"}
	})
	const own = "https://app.example"
	token := l.ClientCredentials(servertest.Conf).String("access_token")
	for _, path := range []string{"/token", "/revoke", "/introspect", "/tokeninfo"} {
		for origin, allowed := range map[string]bool{own: true, "https://evil.example": false,
			"null": false, "https://app.example.evil.example": false,
			"https://extra.example": false,
			"http://app.example":    false, "https://APP.example": false,
			"https://app.example:443": false, "*": false} {
			for _, as := range []string{servertest.Conf, "conf:wrong",
				"other:" + servertest.Secret} {
				req := servertest.Request(path, as,
					servertest.Form("grant_type", "client_credentials", "token", "x",
						"access_token", token))
				req.Header.Set("Origin", origin)
				res := l.Do(req)
				want := ""
				if allowed && as != "other:"+servertest.Secret {
					want = origin
				}
				require.Equal(t, want, res.Header.Get("Access-Control-Allow-Origin"),
					path+origin+as)
				require.Empty(t, res.Header.Get("Access-Control-Allow-Credentials"))
				require.Contains(t, res.Header.Values("Vary"), "Origin")
			}
			req := httptest.NewRequest(http.MethodOptions, path, nil)
			req.Header.Set("Origin", origin)
			req.Header.Set("Access-Control-Request-Method", "POST")
			res := l.Do(req)
			if allowed || origin == "https://extra.example" {
				require.Equal(t, []any{204, origin, "POST"},
					[]any{res.Status, res.Header.Get("Access-Control-Allow-Origin"),
						res.Header.Get("Access-Control-Allow-Methods")})
			} else {
				require.Empty(t, res.Header.Get("Access-Control-Allow-Origin"), origin)
			}
			require.Empty(t, res.Header.Get("Access-Control-Allow-Credentials"))
		}
		require.Empty(t, l.Post(path, servertest.Conf, "grant_type", "client_credentials",
			"token", "x", "access_token", token).Header.Get("Access-Control-Allow-Origin"))
		require.Equal(t, 405, l.Do(httptest.NewRequest(http.MethodOptions, path, nil)).Status)
	}
	req := httptest.NewRequest(http.MethodGet,
		"/authorize?response_type=code&client_id=conf&state=s&redirect_uri="+servertest.Redirect,
		nil)
	req.Header.Set("Origin", own)
	require.Empty(t, l.Do(req).Header.Get("Access-Control-Allow-Origin"))
}
