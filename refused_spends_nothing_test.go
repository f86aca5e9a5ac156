package grantwell_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/limit"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// bearers are requests with a new assertion of each kind, each a form and how its client
// authenticates.
func bearers(t *testing.T, p servertest.Parties) map[string]func() (as string, form url.Values) {
	t.Helper()
	proof := func() string {
		return servertest.SignJWT(t, jose.ES256, p.Client, servertest.AssertionClaims("signer", "signer", servertest.Issuer))
	}

	return map[string]func() (string, url.Values){
		"client assertion": func() (string, url.Values) {
			return "", url.Values{
				"grant_type":            {"client_credentials"},
				"client_assertion_type": {assertion.ClientJWT},
				"client_assertion":      {proof()},
			}
		},
		"JWT of a client": func() (string, url.Values) {
			return "", url.Values{"grant_type": {assertion.GrantJWT}, "assertion": {proof()}}
		},
		"JWT of another server": func() (string, url.Values) {
			claims := servertest.AssertionClaims(servertest.OtherAS, "alice", servertest.Issuer)
			return "trusted:" + servertest.Secret, url.Values{
				"grant_type": {assertion.GrantJWT},
				"assertion":  {servertest.SignJWT(t, jose.ES256, p.AS, claims)},
			}
		},
		"SAML assertion": func() (string, url.Values) {
			return "trusted:" + servertest.Secret, url.Values{
				"grant_type": {assertion.GrantSAML2},
				"assertion":  {servertest.SAMLAssertion(t, p.IDP, nil)},
			}
		},
	}
}

// A request that is refused for its parameters, or by the host, uses up no assertion: the
// same one is accepted afterwards, once (RFC 7521 section 5.2).
//
// Holds: RFC 7521 section 5.2; RFC 7523 section 3.
func TestRefused_SpendsNoAssertion(t *testing.T) {
	t.Parallel()
	var says atomic.Bool // the host's hook refuses
	var asked atomic.Int32
	s, parties := servertest.NewAssertion(t, func(cfg *grantwell.Config) {
		cfg.Hooks.BeforeIssue = func(context.Context, *grantwell.Issuance) error {
			asked.Add(1)
			if says.Load() {
				return grantwell.AccessDenied("not now")
			}
			return nil
		}
	})
	for kind, fresh := range bearers(t, parties) {
		as, form := fresh()
		post := func(pairs ...string) servertest.Reply {
			return s.Do(servertest.Request("/token", as, servertest.With(form, pairs...).Encode()))
		}
		for name, pairs := range map[string][]string{
			"scope":           {"scope", "admin"},
			"malformed scope": {"scope", `"`},
			"resource":        {"resource", "https://other.example"},
			"grant type":      {"grant_type", "password"},
			"no grant type":   {"grant_type", servertest.Omit},
		} {
			res := post(pairs...)
			require.GreaterOrEqual(t, res.Status, 400, "%s: %s", kind, name)
			require.Less(t, res.Status, 500, "%s: %s", kind, name)
		}
		says.Store(true)
		require.Equal(t, 403, post().Status, kind)
		says.Store(false)
		require.Equal(t, 200, post().Status, kind)
		before := asked.Load()
		require.Contains(t, []int{400, 401}, post().Status, "%s is accepted twice", kind)
		require.Equal(t, before, asked.Load(), "the host is asked about a second use")
	}
}

// Of any number of requests with one assertion at the same moment, one is answered.
//
// Holds: house: used once.
func TestRefused_OneOfManyUsesTheAssertion(t *testing.T) {
	t.Parallel()
	s, parties := servertest.NewAssertion(t, func(cfg *grantwell.Config) {
		servertest.LongTimeout(cfg)
		cfg.Limiter = limit.NewMemory(map[string]limit.Limit{"assertion": {}}) // each replay counts
	})
	for kind, fresh := range bearers(t, parties) {
		want := http.StatusBadRequest
		if kind == "client assertion" {
			want = http.StatusUnauthorized
		}
		for range 20 {
			as, form := fresh()
			before := s.CountOf(storage.Access)
			var answered, refused atomic.Int32
			servertest.Parallel(16, func(int) {
				switch s.Do(servertest.Request("/token", as, form.Encode())).Status {
				case http.StatusOK:
					answered.Add(1)
				case want:
					refused.Add(1)
				}
			})
			require.EqualValues(t, 1, answered.Load(), kind)
			require.EqualValues(t, 15, refused.Load(), kind)
			require.Equal(t, before+1, s.CountOf(storage.Access), "a token of a refused request is stored")
		}
	}
}

// One JWT is not a client's proof and its grant in one request.
//
// Holds: RFC 7523 section 3.
func TestRefused_OneJWTInTwoRoles(t *testing.T) {
	t.Parallel()
	s, parties := servertest.NewAssertion(t, nil)
	jwt := servertest.SignJWT(t, jose.ES256, parties.Client, servertest.AssertionClaims("signer", "signer", servertest.Issuer))
	proof := []string{"client_assertion", jwt, "client_assertion_type", assertion.ClientJWT}
	s.Post("/token", "", append(proof, "grant_type", assertion.GrantJWT, "assertion", jwt)...).Fails(t, 400, "invalid_grant")
	require.Equal(t, 200, s.Post("/token", "", append(proof, "grant_type", "client_credentials")...).Status)
}

// Client credentials that name no client refuse the request also where the grant could do
// without authentication, and the grant's assertion is not used up.
//
// Holds: RFC 7523 section 3.
func TestRefused_CredentialsThatNameNoClient(t *testing.T) {
	t.Parallel()
	s, parties := servertest.NewAssertion(t, nil)
	jwt := servertest.SignJWT(t, jose.ES256, parties.Client, servertest.AssertionClaims("signer", "signer", servertest.Issuer))
	for _, unreadable := range []string{"x", "e30.e30.x", "a.b.c", "."} {
		for _, more := range [][]string{nil, {"client_id", "signer"}} {
			form := append([]string{
				"grant_type", assertion.GrantJWT, "assertion", jwt,
				"client_assertion", unreadable, "client_assertion_type", assertion.ClientJWT,
			}, more...)
			s.Post("/token", "", form...).Fails(t, 401, "invalid_client")
		}
	}
	s.Post("/token", "", "grant_type", assertion.GrantJWT, "assertion", jwt, "client_secret", "x").Fails(t, 401, "invalid_client")
	require.Equal(t, 200, s.Post("/token", "", "grant_type", assertion.GrantJWT, "assertion", jwt).Status)
}

// At the other endpoints a refused request uses up no client assertion either, and a
// request that is answered does.
//
// Holds: RFC 7523 section 3.
func TestRefused_OtherEndpointsSpendNoAssertion(t *testing.T) {
	t.Parallel()
	s, parties := servertest.NewAssertion(t, func(cfg *grantwell.Config) { cfg.PAR.Path = "/par" })
	s.AddClient("signer-web", func(c *storage.Client) {
		c.AuthMethod, c.Secrets = storage.AuthPrivateKeyJWT, nil
		c.JWKS = servertest.JWKS(t, &parties.Client.PublicKey)
	})
	foreign := s.Token(servertest.Conf)
	for path, c := range map[string]struct{ refused, accepted []string }{
		"/introspect": {[]string{}, []string{"token", "x"}},
		"/revoke":     {[]string{"token", foreign}, []string{"token", "x"}},
		"/par": {
			[]string{"redirect_uri", "https://evil.example/", "response_type", "code"},
			[]string{"response_type", "code", "redirect_uri", servertest.Redirect},
		},
	} {
		claims := servertest.AssertionClaims("signer-web", "signer-web", servertest.Issuer)
		proof := []string{
			"client_assertion_type", assertion.ClientJWT,
			"client_assertion", servertest.SignJWT(t, jose.ES256, parties.Client, claims),
		}
		require.Equal(t, 400, s.Post(path, "", append(proof, c.refused...)...).Status, path)
		require.Less(t, s.Post(path, "", append(proof, c.accepted...)...).Status, 300, path)
		s.Post(path, "", append(proof, c.accepted...)...).Fails(t, 401, "invalid_client")
	}
	require.True(t, s.Live(foreign))
}

// If the store fails while an assertion is marked, the answer is 503 and no token, and
// the same assertion works once the store is well.
//
// Holds: house: errors never grant.
func TestRefused_StoreFailureAtTheMark(t *testing.T) {
	t.Parallel()
	var parties servertest.Parties
	s, store := servertest.NewHooked(t, func(cfg *grantwell.Config) {
		parties = servertest.NewParties(t)
		parties.Trust(t, cfg)
	})
	parties.Register(t, s.Store)
	for kind, fresh := range bearers(t, parties) {
		as, form := fresh()
		post := func() servertest.Reply { return s.Do(servertest.Request("/token", as, form.Encode())) }
		for _, name := range []string{"Insert", "Get"} {
			store.Before(func(_ context.Context, call servertest.Call) error {
				if call.Name == name && call.Kind == storage.Used {
					return errors.New(servertest.StoreFault)
				}
				return nil
			})
			res := post()
			require.Equal(t, 503, res.Status, "%s: %s: %s", kind, name, res.Body)
			require.Equal(t, grants.ReasonUnavailable, s.LastEvent().Reason)
		}
		store.Before(nil)
		require.Equal(t, 200, post().Status, kind)
	}
}

// A client assertion that is sent several times at once pushes one request, and revokes
// one token.
//
// Holds: house: used once.
func TestRefused_OtherEndpointsUseTheAssertionOnce(t *testing.T) {
	t.Parallel()
	s, parties := servertest.NewAssertion(t, func(cfg *grantwell.Config) {
		servertest.LongTimeout(cfg)
		cfg.PAR.Path = "/par"
		cfg.Limiter = limit.NewMemory(map[string]limit.Limit{"assertion": {}})
	})
	s.AddClient("signer-web", func(c *storage.Client) {
		c.AuthMethod, c.Secrets = storage.AuthPrivateKeyJWT, nil
		c.JWKS = servertest.JWKS(t, &parties.Client.PublicKey)
	})
	proof := func() []string {
		claims := servertest.AssertionClaims("signer-web", "signer-web", servertest.Issuer)
		return []string{
			"client_assertion_type", assertion.ClientJWT,
			"client_assertion", servertest.SignJWT(t, jose.ES256, parties.Client, claims),
		}
	}
	for range 20 {
		tokens := make([]string, 8)
		for i := range tokens {
			tokens[i] = s.Post("/token", "", append(proof(), "grant_type", "client_credentials")...).String("access_token")
		}
		pushed := s.CountOf(storage.Pushed)
		toPush, toRevoke := proof(), proof()
		servertest.Parallel(8, func(i int) {
			s.Post("/par", "", append(slices.Clone(toPush), "response_type", "code", "redirect_uri", servertest.Redirect)...)
			s.Post("/revoke", "", append(slices.Clone(toRevoke), "token", tokens[i])...)
		})
		require.Equal(t, pushed+1, s.CountOf(storage.Pushed))
		live := 0
		for _, token := range tokens {
			if s.Valid(token) {
				live++
			}
		}
		require.Equal(t, 7, live)
	}
}

// Two revocations with one client assertion that are judged at the same moment revoke one
// token.
//
// Holds: house: used once.
func TestRefused_SecondRevocationRevokesNothing(t *testing.T) {
	t.Parallel()
	parties := servertest.NewParties(t)
	s, store := servertest.NewHooked(t, func(cfg *grantwell.Config) {
		parties.Trust(t, cfg)
		servertest.LongTimeout(cfg)
	})
	parties.Register(t, s.Store)
	proof := func() []string {
		claims := servertest.AssertionClaims("signer", "signer", servertest.Issuer)
		return []string{
			"client_assertion_type", assertion.ClientJWT,
			"client_assertion", servertest.SignJWT(t, jose.ES256, parties.Client, claims),
		}
	}
	var tokens [2]string
	for i := range tokens {
		tokens[i] = s.Post("/token", "", append(proof(), "grant_type", "client_credentials")...).String("access_token")
	}

	var both sync.WaitGroup
	both.Add(2)
	store.Before(func(_ context.Context, call servertest.Call) error {
		if call.Name == "Insert" && call.Kind == storage.Used {
			both.Done()
			both.Wait() // each has found that the assertion was not used before
		}
		return nil
	})
	same := proof()
	servertest.Parallel(2, func(i int) {
		s.Post("/revoke", "", append(slices.Clone(same), "token", tokens[i])...)
	})
	store.Before(nil)
	require.NotEqual(t, s.Valid(tokens[0]), s.Valid(tokens[1]))
}
