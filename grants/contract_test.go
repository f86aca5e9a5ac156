package grants_test

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/grantstest"
)

// verifier is the PKCE verifier of RFC 7636 appendix B.
const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

type edit = func(testing.TB, grants.Handler, *grants.Request)

// set returns a change of one parameter.
func set(name, value string) edit {
	return func(_ testing.TB, _ grants.Handler, r *grants.Request) { r.Form.Set(name, value) }
}

// another lets another client send the request.
func another(_ testing.TB, _ grants.Handler, r *grants.Request) { r.Client.ID = "another" }

// goodCode fills in a request with a code that is bound to a challenge.
func goodCode(t testing.TB, _ grants.Handler, r *grants.Request) {
	r.Form.Set("redirect_uri", grantstest.RedirectURI)
	r.Form.Set("code_verifier", verifier)
	r.Form.Set("code", grantstest.Code(t, r, "alice", "read"))
}

// The grants of this package, and a grant that wraps one, hold the contract of
// Handler.
func TestContract_OfOurGrants(t *testing.T) {
	t.Parallel()
	badCode := map[string]edit{
		"another verifier":     set("code_verifier", verifier+"x"),
		"another redirect URI": set("redirect_uri", "https://app.example/other"),
		"another client":       another,
		"no verifier":          func(_ testing.TB, _ grants.Handler, r *grants.Request) { r.Form.Del("code_verifier") },
		"a code that has expired": func(_ testing.TB, _ grants.Handler, r *grants.Request) {
			r.Now = r.Now.AddDate(0, 0, 1)
		},
	}
	goodRefresh := func(t testing.TB, _ grants.Handler, r *grants.Request) {
		r.Form.Set("refresh_token", grantstest.RefreshToken(t, r, "alice", "read"))
	}
	badRefresh := map[string]edit{
		"another client": another,
		"more scope": func(_ testing.TB, _ grants.Handler, r *grants.Request) {
			r.Scope = []string{"read", "write"}
		},
		"a token that has expired": func(_ testing.TB, _ grants.Handler, r *grants.Request) {
			r.Now = r.Now.AddDate(0, 0, 2)
		},
	}
	assertion := func(_ testing.TB, _ grants.Handler, r *grants.Request) { r.Form.Set("assertion", signed) }
	public := map[string]edit{
		"a public client": func(_ testing.TB, _ grants.Handler, r *grants.Request) { r.Authenticated = false },
	}

	for name, c := range map[string]grantstest.Config{
		"AuthorizationCode": {
			New:  func() grants.Handler { return grants.AuthorizationCode{} },
			Good: goodCode,
			Bad:  badCode,
		},
		"AuthorizationCode, strict": {
			New:  func() grants.Handler { return &grants.AuthorizationCode{RequirePKCE: true} },
			Good: goodCode,
			Bad:  badCode,
		},
		"AuthorizationCode, wrapped": {
			New:  func() grants.Handler { return struct{ grants.AuthorizationCode }{} },
			Good: goodCode,
			Bad:  badCode,
		},
		"RefreshToken": {
			New:  func() grants.Handler { return grants.RefreshToken{} },
			Good: goodRefresh,
			Bad:  badRefresh,
		},
		"RefreshToken, strict": {
			New:  func() grants.Handler { return grants.RefreshToken{Strict: true} },
			Good: goodRefresh,
			Bad:  badRefresh,
		},
		"RefreshToken, preserved": {
			New:  func() grants.Handler { return grants.RefreshToken{Mode: grants.Preserve} },
			Good: goodRefresh,
			Bad:  badRefresh,
		},
		"ClientCredentials": {
			New:      func() grants.Handler { return grants.ClientCredentials{} },
			Good:     func(testing.TB, grants.Handler, *grants.Request) {},
			Bad:      public,
			Formless: true,
		},
		"Password": {
			New: func() grants.Handler { return grants.Password{Authenticator: directory{"ann": "correct horse"}} },
			Good: func(_ testing.TB, _ grants.Handler, r *grants.Request) {
				r.Form.Set("username", "ann")
				r.Form.Set("password", "correct horse")
			},
			Bad: map[string]edit{"a wrong password": set("password", "wrong"), "an unknown user": set("username", "bob")},
		},
		"JWTBearer": {
			New:  func() grants.Handler { return grants.JWTBearer{Verifier: idp{}} },
			Good: assertion,
			Bad:  public,
		},
		"SAMLBearer": {
			New:  func() grants.Handler { return grants.SAMLBearer{Verifier: idp{}} },
			Good: assertion,
			Bad:  public,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			grantstest.Run(t, c)
		})
	}
}

// Implicit has no token request: each is refused (RFC 6749 section 4.2).
func TestImplicit_HasNoTokenRequest(t *testing.T) {
	t.Parallel()
	_, err := grants.Implicit{}.Handle(t.Context(), grantstest.Request(t, nil))
	require.Equal(t, "unsupported_grant_type", grants.ErrorOf(err).Code)
}

// A settings error names its field, so that New of the server can join them all.
func TestCheck_NamesTheField(t *testing.T) {
	t.Parallel()
	for want, g := range map[string]interface{ Check() error }{
		"RefreshToken.Mode":               grants.RefreshToken{Mode: 3},
		"RefreshToken.RetryWindow":        grants.RefreshToken{RetryWindow: -1},
		"RefreshToken.Strict contradicts": grants.RefreshToken{Strict: true, RetryWindow: 1},
		"RefreshToken.MaxRetries":         grants.RefreshToken{MaxRetries: 1001},
		"Password.Authenticator":          grants.Password{},
		"Verifier is missing":             grants.JWTBearer{},
	} {
		require.ErrorContains(t, g.Check(), want)
	}
}

// The limit of Guess counts a user by one name, however it is spelled, and asks the
// authenticator no more once it is reached.
func TestGuess_SpellingsShareALimit(t *testing.T) {
	t.Parallel()
	r := grantstest.Request(t, nil)
	var asked atomic.Int32
	guess := func(name string) error {
		_, err := grants.Guess(t.Context(), r.Limiter, name, r.Remote, func() (grants.User, error) {
			asked.Add(1)
			return grants.User{}, grants.ErrWrongPassword
		})
		return err
	}
	for i := range 10 {
		name := []string{"Alice", "alice", " ALICE ", "alice\t"}[i%4]
		require.Equal(t, grants.ReasonPassword, grants.ErrorOf(guess(name)).Reason)
	}
	e := grants.ErrorOf(guess("aLiCe"))
	require.Equal(t, 429, e.Status)
	require.Positive(t, e.RetryAfter)
	require.EqualValues(t, 10, asked.Load())
	require.Equal(t, grants.ReasonPassword, grants.ErrorOf(guess("bob")).Reason)
}
