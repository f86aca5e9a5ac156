package grantwell_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
)

// A client that signs an assertion itself gets a token without further
// authentication, and only for itself.
//
// Holds: RFC 7521 section 4.1; RFC 7523 section 3; RFC 8725 section 3;
// RFC 8725 section 3.10; house: one scope engine.
func TestJWTBearer_ClientSignsForItself(t *testing.T) {
	t.Parallel()
	r, p := servertest.NewAssertion(t, nil)
	ask := func(a string, more ...string) servertest.Reply {
		return r.Post("/token", "",
			append([]string{"grant_type", assertion.GrantJWT, "assertion", a}, more...)...)
	}
	good := servertest.SignJWT(t, jose.ES256, p.Client,
		servertest.AssertionClaims("signer", "", servertest.Issuer))
	res := ask(good)
	require.Equal(t, 200, res.Status, res.Body)
	require.Equal(t, "read", res.String("scope"))
	require.Empty(t, res.String("refresh_token"))
	require.LessOrEqual(t, res.JSON["expires_in"].(float64), 120.0, "no longer than the assertion")
	tok, err := r.AS.Introspect(t.Context(), res.String("access_token"))
	require.NoError(t, err)
	require.Equal(t, "signer", tok.Subject)
	require.Equal(t, "signer", tok.Extra["from"])
	ask(good).Fails(t, 400, "invalid_grant") // replayed

	res = ask(servertest.SignJWT(t, jose.ES256, p.Client,
		servertest.AssertionClaims("signer", "signer", servertest.Issuer+"/token",
			"scope", "write")))
	require.Equal(t, "write", res.String("scope"), res.Body)
	ask(servertest.SignJWT(t, jose.ES256, p.Client,
		servertest.AssertionClaims("signer", "", servertest.Issuer)), "scope", "admin").Fails(t,
		400, "invalid_scope")
	ask("").Fails(t, 400, "invalid_request")
	for name, a := range map[string]string{
		"another's key": servertest.SignJWT(t, jose.ES256, p.AS,
			servertest.AssertionClaims("signer", "", servertest.Issuer)),
		"audience": servertest.SignJWT(t, jose.ES256, p.Client,
			servertest.AssertionClaims("signer", "", "https://elsewhere.example")),
		"expired": servertest.SignJWT(t, jose.ES256, p.Client,
			servertest.AssertionClaims("signer", "", servertest.Issuer,
				"exp", time.Now().Add(-2*time.Minute).Unix())),
		"too long": servertest.SignJWT(t, jose.ES256, p.Client,
			servertest.AssertionClaims("signer", "", servertest.Issuer,
				"exp", time.Now().Add(time.Hour).Unix())),
		"no exp": servertest.SignJWT(t, jose.ES256, p.Client,
			servertest.AssertionClaims("signer", "", servertest.Issuer, "exp", nil)),
		"a user": servertest.SignJWT(t, jose.ES256, p.Client,
			servertest.AssertionClaims("signer", "alice", servertest.Issuer)),
		"unknown client": servertest.SignJWT(t, jose.ES256, p.Client,
			servertest.AssertionClaims("nobody", "", servertest.Issuer)),
		"third party alone": servertest.SignJWT(t, jose.ES256, p.AS,
			servertest.AssertionClaims(servertest.OtherAS, "alice", servertest.Issuer)),
		"garbage": "garbage",
	} {
		res := ask(a)
		require.Equal(t, 400, res.Status, "%s: %s", name, res.Body)
		require.Equal(t, "invalid_grant", res.String("error"), name)
	}
}

// The assertion of a third party needs a client that authenticates. The token
// has no scope that the issuer may not give.
//
// Holds: RFC 7521 section 4.1; RFC 7523 section 3.1; house: issuers apart;
// house: subject disabled; house: verified data only.
func TestJWTBearer_ThirdPartyNeedsAnAuthenticatedClient(t *testing.T) {
	t.Parallel()
	r, p := servertest.NewAssertion(t, func(c *grantwell.Config) {
		c.SubjectActive = func(_ context.Context, subject string) (bool, error) {
			return subject != "gone", nil
		}
	})
	ask := func(as, sub string, more ...string) servertest.Reply {
		a := servertest.SignJWT(t, jose.ES256, p.AS,
			servertest.AssertionClaims(servertest.OtherAS, sub, servertest.Issuer))
		return r.Post("/token", as,
			append([]string{"grant_type", assertion.GrantJWT, "assertion", a}, more...)...)
	}
	res := ask(servertest.Trusted, "alice", "scope", "read")
	require.Equal(t, 200, res.Status, res.Body)
	tok, err := r.AS.Introspect(t.Context(), res.String("access_token"))
	require.NoError(t, err)
	require.Equal(t, "alice", tok.Subject)
	ask(servertest.Trusted, "alice", "scope", "write").Fails(t, 400,
		"invalid_scope") // the client may, the issuer may not
	ask("trusted:wrong-wrong-wrong", "alice").Fails(t, 401, "invalid_client")
	ask(servertest.Conf, "alice").Fails(t, 400, "unauthorized_client")
	ask(servertest.Trusted, "gone").Fails(t, 400, "invalid_grant")
	ask(servertest.Trusted, "refused").Fails(t, 400, "invalid_grant")
}

// A client authenticates with a JWT whose audience is the issuer and nothing
// else, once for each JWT, and only if that is its registered method.
//
// Holds: RFC 7521 section 4.2; RFC 7521 section 4.2.1; RFC 7523 section 3;
// RFC 7523 section 3.2; draft-ietf-oauth-rfc7523bis section 3.
func TestClientJWT_AudienceIsTheIssuerAndUsedOnce(t *testing.T) {
	t.Parallel()
	r, p := servertest.NewAssertion(t, nil)
	ask := func(a string, more ...string) servertest.Reply {
		return r.Post("/token", "",
			append([]string{"grant_type", "client_credentials", "client_assertion_type",
				assertion.ClientJWT, "client_assertion", a}, more...)...)
	}
	good := servertest.SignJWT(t, jose.ES256, p.Client,
		servertest.AssertionClaims("signer", "signer", servertest.Issuer))
	res := ask(good)
	require.Equal(t, 200, res.Status, res.Body)
	ask(good).Fails(t, 401, "invalid_client")
	require.Equal(t, 200, ask(servertest.SignJWT(t, jose.HS256, []byte(strings.Repeat("k", 32)),
		servertest.AssertionClaims("hmac", "hmac", servertest.Issuer)), "client_id", "hmac").Status)
	again := servertest.SignJWT(t, jose.ES256, p.Client,
		servertest.AssertionClaims("signer", "signer", servertest.Issuer))
	ask(again, "client_id", "conf").Fails(t, 401, "invalid_client") // RFC 7521 section 4.2.1
	ask(again, "client_secret", "x").Fails(t, 401, "invalid_client")
	require.Equal(t, 200, ask(again, "client_id", "signer").Status, "a refusal burns nothing")
	for name, a := range map[string]string{
		"token endpoint": servertest.SignJWT(t, jose.ES256, p.Client,
			servertest.AssertionClaims("signer", "signer", servertest.Issuer+"/token")),
		"two audiences": servertest.SignJWT(t, jose.ES256, p.Client,
			servertest.AssertionClaims("signer", "signer", "",
				"aud", []string{servertest.Issuer, "https://x.example"})),
		"no jti": servertest.SignJWT(t, jose.ES256, p.Client,
			servertest.AssertionClaims("signer", "signer", servertest.Issuer, "jti", nil)),
		"no exp": servertest.SignJWT(t, jose.ES256, p.Client,
			servertest.AssertionClaims("signer", "signer", servertest.Issuer, "exp", nil)),
		"other subject": servertest.SignJWT(t, jose.ES256, p.Client,
			servertest.AssertionClaims("signer", "hmac", servertest.Issuer)),
		"other key": servertest.SignJWT(t, jose.ES256, p.AS,
			servertest.AssertionClaims("signer", "signer", servertest.Issuer)),
		"other method": servertest.SignJWT(t, jose.HS256, []byte(strings.Repeat("k", 32)),
			servertest.AssertionClaims("signer", "signer", servertest.Issuer)),
		"unknown": servertest.SignJWT(t, jose.ES256, p.Client,
			servertest.AssertionClaims("nobody", "nobody", servertest.Issuer)),
		"secret client": servertest.SignJWT(t, jose.ES256, p.Client,
			servertest.AssertionClaims("conf", "conf", servertest.Issuer)),
		"garbage": "a.b.c",
	} {
		res := ask(a)
		require.Equal(t, 401, res.Status, "%s: %s", name, res.Body)
		require.Equal(t, "invalid_client", res.String("error"), name)
	}
	r.ClientCredentials("", "client_assertion", good).Fails(t, 401, "invalid_client")
	r.ClientCredentials("", "client_assertion", good, "client_assertion_type", "urn:x").Fails(t,
		401, "invalid_client")
	r.ClientCredentials(servertest.Conf, "client_assertion_type", assertion.ClientJWT,
		"client_assertion", good).Fails(t, 401, "invalid_client")
}

// An identity provider's SAML assertion buys one token for its subject. An
// assertion that it did not sign buys nothing.
//
// Holds: RFC 7521 section 4.1; RFC 7522 section 2.1; RFC 7522 section 3;
// house: verified data only.
func TestSAMLBearer_EndToEnd(t *testing.T) {
	t.Parallel()
	r, p := servertest.NewAssertion(t, nil)
	ask := func(a string) servertest.Reply {
		return r.Post("/token", servertest.Trusted, "grant_type", assertion.GrantSAML2,
			"assertion", a, "scope", "read")
	}
	good := servertest.SAMLAssertion(t, p.IDP, nil)
	res := ask(good)
	require.Equal(t, 200, res.Status, res.Body)
	require.Empty(t, res.String("refresh_token"))
	tok, err := r.AS.Introspect(t.Context(), res.String("access_token"))
	require.NoError(t, err)
	require.Equal(t, "idp|alice", tok.Subject)
	require.Equal(t, servertest.IDP, tok.Extra["from"])
	ask(good).Fails(t, 400, "invalid_grant")
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	replace := func(old, now string) func(string) string {
		return func(s string) string {
			require.Contains(t, s, old)
			return strings.ReplaceAll(s, old, now)
		}
	}
	for name, a := range map[string]string{
		"another key": servertest.SAMLAssertion(t, other, nil),
		"audience": servertest.SAMLAssertion(t, p.IDP,
			replace("<saml:Audience>"+servertest.Issuer, "<saml:Audience>https://x.example")),
		"recipient": servertest.SAMLAssertion(t, p.IDP,
			replace(servertest.Issuer+"/token", "https://x.example/token")),
		"issuer": servertest.SAMLAssertion(t, p.IDP,
			replace(servertest.IDP, "https://evil.example")),
		"hook":          servertest.SAMLAssertion(t, p.IDP, replace(">alice<", ">refused<")),
		"not base64url": "%%%",
		"not XML":       base64.RawURLEncoding.EncodeToString([]byte("hello")),
		"unsigned": base64.RawURLEncoding.EncodeToString([]byte(`<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"><saml:Issuer>` +
			servertest.IDP +
			`</saml:Issuer></saml:Assertion>`)),
		"expired": servertest.SAMLAssertion(t, p.IDP, func(s string) string {
			return strings.ReplaceAll(s, fmt.Sprint(time.Now().Year()), "2020")
		}),
	} {
		res := ask(a)
		require.Equal(t, 400, res.Status, "%s: %s", name, res.Body)
		require.Equal(t, "invalid_grant", res.String("error"), name)
	}
	ask("").Fails(t, 400, "invalid_request")
	r.Post("/token", "", "grant_type", assertion.GrantSAML2,
		"assertion", servertest.SAMLAssertion(t, p.IDP, nil)).Fails(t, 400, "invalid_grant")
}

// Of many concurrent uses of one assertion, one gets a token.
//
// Holds: RFC 7522 section 3; RFC 7523 section 3; house: one winner;
// house: used once.
func TestAssertion_ConcurrentUsesGetOneToken(t *testing.T) {
	t.Parallel()
	r, p := servertest.NewAssertion(t, nil)
	for range 5 {
		for _, grant := range []struct{ typ, a string }{
			{assertion.GrantJWT, servertest.SignJWT(t, jose.ES256, p.AS,
				servertest.AssertionClaims(servertest.OtherAS, "alice", servertest.Issuer))},
			{assertion.GrantSAML2, servertest.SAMLAssertion(t, p.IDP, nil)},
		} {
			var wins atomic.Int32
			var wg sync.WaitGroup
			for range 16 {
				wg.Go(func() {
					if r.Post("/token", servertest.Trusted, "grant_type", grant.typ,
						"assertion", grant.a, "scope", "read").Status == 200 {
						wins.Add(1)
					}
				})
			}
			wg.Wait()
			require.EqualValues(t, 1, wins.Load())
		}
	}
}

// An issuer may be allowed refresh tokens. A token outlives its assertion only
// if the server is configured so. A parameter of an assertion request may not
// be repeated.
//
// Holds: RFC 6749 section 3.2; RFC 7521 section 4.1.
func TestAssertionGrant_LifetimeAndRefresh(t *testing.T) {
	t.Parallel()
	for _, outlive := range []bool{false, true} {
		key := servertest.ECKey(t)
		r, _ := servertest.NewAssertion(t, func(c *grantwell.Config) {
			v, err := assertion.NewJWT(assertion.JWTConfig{
				Issuer: c.Issuer,
				Replay: grants.Replay{Records: c.Records},
				Issuers: assertion.Issuers(assertion.Issuer{
					ID:           "https://fresh.example",
					JWKS:         servertest.JWKS(t, &key.PublicKey),
					RefreshToken: true,
				}),
			})
			require.NoError(t, err)
			for i, g := range c.Grants {
				if g.GrantType() == assertion.GrantJWT {
					c.Grants[i] = grants.JWTBearer{
						Verifier: v,
						Bearer:   grants.Bearer{OutliveAssertion: outlive},
					}
				}
			}
		})
		a := servertest.SignJWT(t, jose.ES256, key,
			servertest.AssertionClaims("https://fresh.example", "alice", servertest.Issuer))
		r.Post("/token", servertest.Trusted, "grant_type", assertion.GrantJWT, "assertion", a,
			"assertion", a).Fails(t, 400, "invalid_request")
		res := r.Post("/token", servertest.Trusted, "grant_type", assertion.GrantJWT,
			"assertion", a)
		require.Equal(t, 200, res.Status, res.Body)
		require.NotEmpty(t, res.String("refresh_token"))
		require.Equal(t, outlive, res.JSON["expires_in"].(float64) > 130, res.Body)
	}
}
