package grantwell_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// Of concurrent redemptions one succeeds, and the others get invalid_grant,
// not server_error.
func TestFositeFinding_CodeRedemptionRaces(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, servertest.LongTimeout)
	for range 50 {
		code := l.Code("conf")
		var wg sync.WaitGroup
		answers := make([]servertest.Reply, 8)
		for i := range answers {
			wg.Go(func() { answers[i] = l.Redeem("conf", code) })
		}
		wg.Wait()
		won := 0
		for _, a := range answers {
			if a.Status == 200 {
				won++
				continue
			}
			a.Fails(t, 400, "invalid_grant")
		}
		require.Equal(t, 1, won)
	}
}

// The server checks whose a code is before it checks whether the code was
// used: another client's replay revokes nothing.
func TestFositeFinding_ReuseByAnotherClientRevokes(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	code := l.Code("conf")
	first := l.Redeem("conf", code)
	l.Post("/token", "other:"+servertest.Secret, "grant_type", "authorization_code", "code", code,
		"redirect_uri", servertest.Redirect).Fails(t, 400, "invalid_grant")
	l.Redeem("conf", "x."+code[len(code)/2:]).Fails(t, 400, "invalid_grant")
	require.True(t, l.Valid(first.String("access_token")))
}

// A wrong verifier does not allow a second try without one.
func TestFositeFinding_PKCESessionDeletedBeforeVerifying(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	code := l.Code("public")
	for _, v := range []string{"wrong-wrong-wrong-wrong-wrong-wrong-wrong-wrong", "",
		servertest.Verifier} {
		l.Post("/token", "", "grant_type", "authorization_code", "client_id", "public",
			"code", code, "redirect_uri", servertest.Redirect, "code_verifier", v).Fails(t, 400,
			"invalid_grant")
	}
}

// The scope of a refresh narrows, and never widens.
func TestFositeFinding_RefreshIgnoresScope(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	res := l.Redeem("conf", l.Code("conf", "scope", "read write"))
	refresh := func(token, scope string) servertest.Reply {
		return l.Refresh("conf", token, "scope", scope)
	}
	refresh(res.String("refresh_token"), "admin").Fails(t, 400, "invalid_scope")
	res = refresh(res.String("refresh_token"), "read")
	require.Equal(t, "read", res.String("scope"), res.Body)
	require.Equal(t, "read write", refresh(res.String("refresh_token"), "").String("scope"))
}

// A used refresh token is recognised at its third use as at its second, and
// only for its own client.
func TestFositeFinding_RefreshReuse(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	first := l.Redeem("conf", l.Code("conf"))
	refresh := func(as string) servertest.Reply {
		return l.Post("/token", as, "grant_type", "refresh_token",
			"refresh_token", first.String("refresh_token"))
	}
	second := refresh(servertest.Conf)
	refresh("other:"+servertest.Secret).Fails(t, 400, "invalid_grant")
	require.True(t, l.Valid(second.String("access_token")), "another client's replay")
	refresh(servertest.Conf).Fails(t, 400, "invalid_grant")
	require.False(t, l.Valid(second.String("access_token")))
	refresh(servertest.Conf).Fails(t, 400, "invalid_grant")
}

// Two methods in one request are refused. Missing credentials are a 401 with a
// challenge. A secret that was not encoded is a 401, not a 400.
func TestFositeFinding_ClientAuthentication(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	l.Do(servertest.Request("/token", servertest.Conf,
		cc+"&client_id=other&client_secret=wrong")).Fails(t, 400, "invalid_request")
	res := l.Do(servertest.Request("/token", "", cc))
	res.Fails(t, 401, "invalid_client")
	require.NotEmpty(t, res.Header.Get("WWW-Authenticate"))
	req := servertest.Request("/token", "", cc)
	req.SetBasicAuth("conf", "a+b%c")
	l.Do(req).Fails(t, 401, "invalid_client")
	l.AddClient("conf", func(c *storage.Client) {
		c.ID, c.Secrets = "empty", []storage.Secret{{Hash: "sha256:" + storage.Key("")}}
	})
	l.Do(servertest.Request("/token", "empty:", cc)).Fails(t, 401, "invalid_client")
}

// Bodies are forms and bounded, no parameter is repeated, an unknown grant has
// its own error code, and errors are ASCII.
func TestFositeFinding_TokenEndpointParsing(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	req := servertest.Request("/token", servertest.Conf,
		"--b\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nclient_credentials\r\n--b--\r\n")
	req.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	l.Do(req).Fails(t, 400, "invalid_request")
	l.Do(servertest.Request("/token", servertest.Conf, cc+"&"+cc)).Fails(t, 400, "invalid_request")
	l.Do(servertest.Request("/token", servertest.Conf, "grant_type=magic")).Fails(t, 400,
		"unsupported_grant_type")
	l.Do(servertest.Request("/token", servertest.Conf, "grant_type=CLIENT_CREDENTIALS")).Fails(t,
		400, "unsupported_grant_type")
	res := l.Do(servertest.Request("/token", servertest.Conf, cc+"&scope=adm%c3%a9'%5c%3cx%3e"))
	res.Fails(t, 400, "invalid_scope")
	res.IsOnlyAnError(t)
}
