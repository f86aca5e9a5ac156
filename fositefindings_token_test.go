package grantwell_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// Parallel redemptions: exactly one succeeds, and the losers get invalid_grant, not server_error.
func TestFositeFinding_CodeRedemptionRaces(t *testing.T) {
	t.Parallel()
	l := newLocal(t, patient)
	for range 50 {
		code := l.code("conf")
		var wg sync.WaitGroup
		answers := make([]reply, 8)
		for i := range answers {
			wg.Go(func() { answers[i] = l.exchange(code) })
		}
		wg.Wait()
		won := 0
		for _, a := range answers {
			if a.status == 200 {
				won++
				continue
			}
			a.fails(t, 400, "invalid_grant")
		}
		require.Equal(t, 1, won)
	}
}

// Whose a code is, is asked before whether it was used: another client's replay revokes nothing.
func TestFositeFinding_ReuseByAnotherClientRevokes(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	code := l.code("conf")
	first := l.exchange(code)
	l.post("/token", "other:"+secret, "grant_type", "authorization_code", "code", code, "redirect_uri", redirect).fails(t, 400, "invalid_grant")
	l.exchange("x."+code[len(code)/2:]).fails(t, 400, "invalid_grant")
	require.True(t, l.active(first.str("access_token")))
}

// A wrong verifier does not open the door to a second try without one.
func TestFositeFinding_PKCESessionDeletedBeforeVerifying(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	code := l.code("public")
	for _, v := range []string{"wrong-wrong-wrong-wrong-wrong-wrong-wrong-wrong", "", verifier} {
		l.post("/token", "", "grant_type", "authorization_code", "client_id", "public", "code", code, "redirect_uri", redirect, "code_verifier", v).fails(t, 400, "invalid_grant")
	}
}

// The scope of a refresh narrows, and never widens.
func TestFositeFinding_RefreshIgnoresScope(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	res := l.exchange(l.code("conf", "scope", "read write"))
	refresh := func(token, scope string) reply {
		return l.post("/token", conf, "grant_type", "refresh_token", "refresh_token", token, "scope", scope)
	}
	refresh(res.str("refresh_token"), "admin").fails(t, 400, "invalid_scope")
	res = refresh(res.str("refresh_token"), "read")
	require.Equal(t, "read", res.str("scope"), res.body)
	require.Equal(t, "read write", refresh(res.str("refresh_token"), "").str("scope"))
}

// A refresh token that was used is recognised at its third use as at its second, and by its own client only.
func TestFositeFinding_RefreshReuse(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	first := l.exchange(l.code("conf"))
	refresh := func(as string) reply {
		return l.post("/token", as, "grant_type", "refresh_token", "refresh_token", first.str("refresh_token"))
	}
	second := refresh(conf)
	refresh("other:"+secret).fails(t, 400, "invalid_grant")
	require.True(t, l.active(second.str("access_token")), "another client's replay")
	refresh(conf).fails(t, 400, "invalid_grant")
	require.False(t, l.active(second.str("access_token")))
	refresh(conf).fails(t, 400, "invalid_grant")
}

// Two methods in one request are refused; no credentials are 401 with a challenge; a raw secret is 401, not 400.
func TestFositeFinding_ClientAuthentication(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	l.do(request("/token", conf, cc+"&client_id=other&client_secret=wrong")).fails(t, 400, "invalid_request")
	res := l.do(request("/token", "", cc))
	res.fails(t, 401, "invalid_client")
	require.NotEmpty(t, res.header.Get("WWW-Authenticate"))
	req := request("/token", "", cc)
	req.SetBasicAuth("conf", "a+b%c")
	l.do(req).fails(t, 401, "invalid_client")
	l.put(func(c *storage.Client) {
		c.ID, c.Secrets = "empty", []storage.Secret{{Hash: "sha256:" + storage.Key("")}}
	})
	l.do(request("/token", "empty:", cc)).fails(t, 401, "invalid_client")
}

// Bodies are forms and bounded, parameters come once, unknown grants have their own code, and errors keep to ASCII.
func TestFositeFinding_TokenEndpointParsing(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	req := request("/token", conf, "--b\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nclient_credentials\r\n--b--\r\n")
	req.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	l.do(req).fails(t, 400, "invalid_request")
	l.do(request("/token", conf, cc+"&"+cc)).fails(t, 400, "invalid_request")
	l.do(request("/token", conf, "grant_type=magic")).fails(t, 400, "unsupported_grant_type")
	l.do(request("/token", conf, "grant_type=CLIENT_CREDENTIALS")).fails(t, 400, "unsupported_grant_type")
	res := l.do(request("/token", conf, cc+"&scope=adm%c3%a9'%5c%3cx%3e"))
	res.fails(t, 400, "invalid_scope")
	onlyAnError(t, res)
}
