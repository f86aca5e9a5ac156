package assertion

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// idp is an issuer with one key, changed as a test needs it.
func idp(change func(*Issuer)) Issuer {
	i := Issuer{ID: jwtIdP, JWKS: jwksOf(jwkOf("k", jwtTestKeys()["p256"].Public()))}
	if change != nil {
		change(&i)
	}
	return i
}

func grantVerifier(t testing.TB, change func(*JWTConfig), issuers ...Issuer) (*JWTVerifier, *jwtReplay) {
	t.Helper()
	return newJWT(t, func(c *JWTConfig) {
		c.Issuers = Issuers(issuers...)
		if change != nil {
			change(c)
		}
	})
}

func signGrant(t testing.TB, claims jwtMap) string {
	t.Helper()
	return signJWT(t, "ES256", "k", jwtTestKeys()["p256"], claims)
}

// jwtAlgKeys are the algorithms with the names of their keys.
var jwtAlgKeys = map[string]string{
	"RS256": "rsa", "RS384": "rsa", "RS512": "rsa", "PS256": "rsa", "PS384": "rsa", "PS512": "rsa",
	"ES256": "p256", "ES384": "p384", "ES512": "p521", "EdDSA": "ed", "Ed25519": "ed",
}

// Holds: RFC 7523 section 3; RFC 7523 section 5; RFC 8725 section 3.1.
func TestJWTGrant_EveryAlgorithmWithKeySetCertificateOrBareKey(t *testing.T) {
	t.Parallel()
	for alg, name := range jwtAlgKeys {
		key := jwtTestKeys()[name]
		sources := map[string]func(*Issuer){
			"jwks":        func(i *Issuer) { i.JWKS = jwksOf(jwkOf("k", key.Public())) },
			"certificate": func(i *Issuer) { i.JWT.Keys = must(NewKeySet(certificateFor(t, key, jwtNow.Add(time.Hour)))) },
			"key":         func(i *Issuer) { i.JWT.Keys = must(NewKeySet(key.Public())) },
		}
		for source, change := range sources {
			t.Run(alg+"/"+source, func(t *testing.T) {
				t.Parallel()
				j, replay := grantVerifier(t, nil, idp(change))
				a, err := j.Verify(t.Context(), grantOf(signJWT(t, alg, "k", key, grantClaims())))
				require.NoError(t, err)
				require.Equal(t, FormatJWT, a.Format)
				require.Equal(t, jwtIdP, a.Issuer)
				require.Equal(t, jwtIdP, a.Trust.ID)
				require.Equal(t, "alice", a.Subject.Value)
				require.Equal(t, "one", a.ID)
				require.Equal(t, []string{jwtServer}, a.Audiences)
				require.Equal(t, jwtNow.Add(2*time.Minute), a.Expires)
				require.Equal(t, jwtNow, a.IssuedAt)
				require.JSONEq(t, `"alice"`, string(a.Claims["sub"]))
				require.Len(t, a.KeyID, 43)
				require.Equal(t, 1, replay.calls)
			})
		}
	}
}

// Holds: RFC 7521 section 4.1; RFC 7523 section 3;
// draft-ietf-oauth-rfc7523bis section 3; draft-ietf-oauth-rfc7523bis section 4.
func TestJWTGrant_ClaimsAreHeldToRFC7523(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) int64 { return jwtNow.Add(d).Unix() }
	for _, c := range []struct {
		name, claim string
		value       any
		reason      Reason // "": accepted
	}{
		{"no iss", "iss", nil, ReasonIssuer},
		{"iss unknown", "iss", "https://other.example", ReasonIssuer},
		{"iss with a slash more", "iss", jwtIdP + "/", ReasonIssuer},
		{"iss in capitals", "iss", strings.ToUpper(jwtIdP), ReasonIssuer},
		{"iss an array", "iss", []string{jwtIdP}, ReasonIssuer},
		{"no sub", "sub", nil, ReasonSubject},
		{"sub empty", "sub", "", ReasonContent},
		{"sub a number", "sub", 7, ReasonContent},
		{"sub with a line break", "sub", "alice\nadmin", ReasonContent},
		{"aud the issuer", "aud", jwtServer, ""},
		{"aud the endpoint", "aud", jwtEndpoint, ""},
		{"aud a list with the issuer", "aud", []string{"https://x.example", jwtServer}, ""},
		{"no aud", "aud", nil, ReasonAudience},
		{"aud empty list", "aud", []string{}, ReasonAudience},
		{"aud empty", "aud", "", ReasonAudience},
		{"aud another", "aud", "https://other.example", ReasonAudience},
		{"aud with a slash more", "aud", jwtServer + "/", ReasonAudience},
		{"aud with the default port", "aud", "https://as.example:443", ReasonAudience},
		{"aud in capitals", "aud", "https://AS.example", ReasonAudience},
		{"aud a prefix", "aud", jwtServer[:len(jwtServer)-1], ReasonAudience},
		{"aud an object", "aud", jwtMap{jwtServer: true}, ReasonContent},
		{"aud a list with a number", "aud", []any{jwtServer, 7}, ReasonContent},
		{"aud a list with null", "aud", []any{jwtServer, nil}, ReasonContent},
		{"aud of many values", "aud", make([]string, 100), ReasonContent},
		{"no exp", "exp", nil, ReasonLifetime},
		{"exp within skew", "exp", at(-59 * time.Second), ""},
		{"exp exactly skew ago", "exp", at(-60 * time.Second), ReasonExpired},
		{"exp passed", "exp", at(-time.Hour), ReasonExpired},
		{"exp zero", "exp", 0, ReasonExpired},
		{"exp as far as allowed", "exp", at(61 * time.Minute), ""},
		{"exp too far", "exp", at(61*time.Minute + time.Second), ReasonLifetime},
		{"exp in 9999", "exp", 253402300799, ReasonLifetime},
		{"exp beyond every calendar", "exp", 253402300800, ReasonContent},
		{"exp 1e308", "exp", json1e308{}, ReasonContent},
		{"exp overflowing", "exp", jsonText("92233720368547758089"), ReasonContent},
		{"exp negative", "exp", -1, ReasonContent},
		{"exp a string", "exp", "1772366520", ReasonContent},
		{"exp a fraction", "exp", jsonText("1772366520.5"), ""},
		{"exp with exponent", "exp", jsonText("1.77236652e9"), ""},
		{"exp null", "exp", jsonText("null"), ReasonContent},
		{"exp true", "exp", true, ReasonContent},
		{"nbf within skew", "nbf", at(60 * time.Second), ""},
		{"nbf in the future", "nbf", at(61 * time.Second), ReasonNotYetValid},
		{"nbf a string", "nbf", "0", ReasonContent},
		{"iat 10 s ahead", "iat", at(10 * time.Second), ""},
		{"iat in the future", "iat", at(61 * time.Second), ReasonNotYetValid},
		{"iat negative", "iat", -5, ReasonContent},
		{"no iat", "iat", nil, ""},
		{"jti a number", "jti", 5, ReasonContent},
		{"jti empty", "jti", "", ReasonContent},
		{"jti huge", "jti", strings.Repeat("j", 2000), ReasonContent},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			j, replay := grantVerifier(t, nil, idp(nil))
			a, err := j.Verify(t.Context(), grantOf(signGrant(t, with(grantClaims(), c.claim, c.value))))
			if c.reason == "" {
				require.NoError(t, err)
				return
			}
			requireRefused(t, "invalid_grant", c.reason, a, err)
			require.Zero(t, replay.calls, "a refused assertion must not use up its jti")
		})
	}
}

type json1e308 struct{}

func (json1e308) MarshalJSON() ([]byte, error) { return []byte("1e308"), nil }

type jsonText string

func (j jsonText) MarshalJSON() ([]byte, error) { return []byte(j), nil }

// Holds: RFC 7521 section 4.1; RFC 7523 section 3.
func TestJWTGrant_MaxAgeDemandsARecentIat(t *testing.T) {
	t.Parallel()
	old := with(grantClaims(), "iat", jwtNow.Add(-10*time.Minute).Unix())
	for name, c := range map[string]struct {
		config, issuer time.Duration
		claims         jwtMap
		reason         Reason
	}{
		"not asked for":           {0, 0, old, ""},
		"old by config":           {time.Minute, 0, old, ReasonExpired},
		"old by issuer":           {0, time.Minute, old, ReasonExpired},
		"the issuer is wider":     {time.Minute, time.Hour, old, ""},
		"absent where asked for":  {time.Minute, 0, with(grantClaims(), "iat", nil), ReasonLifetime},
		"recent where asked for ": {time.Minute, 0, grantClaims(), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j, _ := grantVerifier(t, func(cfg *JWTConfig) { cfg.MaxAge = c.config }, idp(func(i *Issuer) { i.JWT.MaxAge = c.issuer }))
			a, err := j.Verify(t.Context(), grantOf(signGrant(t, c.claims)))
			if c.reason == "" {
				require.NoError(t, err)
				return
			}
			requireRefused(t, "invalid_grant", c.reason, a, err)
		})
	}
}

// Two issuers have keys with the same kid. Each key verifies only for its own
// issuer.
//
// Holds: RFC 7523 section 3.1; RFC 8725 section 3; RFC 8725 section 3.10.
func TestJWTGrant_AKeyOfOneIssuerNeverSignsForAnother(t *testing.T) {
	t.Parallel()
	other := Issuer{ID: "https://other.example", JWKS: jwksOf(jwkOf("k", jwtTestKeys()["p256b"].Public()))}
	j, _ := grantVerifier(t, nil, idp(nil), other)
	forged := signJWT(t, "ES256", "k", jwtTestKeys()["p256b"], grantClaims())
	a, err := j.Verify(t.Context(), grantOf(forged))
	requireRefused(t, "invalid_grant", ReasonSignature, a, err)

	_, err = j.Verify(t.Context(), grantOf(signJWT(t, "ES256", "k", jwtTestKeys()["p256b"], with(grantClaims(), "iss", other.ID))))
	require.NoError(t, err)
}

// The source of issuers is asked for every assertion, so a removed issuer is
// refused at once.
//
// Holds: RFC 7523 section 3.
func TestJWTGrant_ADisabledIssuerIsUnknown(t *testing.T) {
	t.Parallel()
	var disabled atomic.Bool
	good := idp(nil)
	j, _ := newJWT(t, func(c *JWTConfig) {
		c.Issuers = issuerFunc(func(string) (*Issuer, error) {
			if disabled.Load() {
				return nil, ErrUnknownIssuer
			}
			return &good, nil
		})
	})
	_, err := j.Verify(t.Context(), grantOf(signGrant(t, grantClaims())))
	require.NoError(t, err)
	disabled.Store(true)
	a, err := j.Verify(t.Context(), grantOf(signGrant(t, with(grantClaims(), "jti", "two"))))
	requireRefused(t, "invalid_grant", ReasonIssuer, a, err)
}

type issuerFunc func(string) (*Issuer, error)

func (f issuerFunc) Issuer(_ context.Context, id string) (*Issuer, error) { return f(id) }

// Holds: RFC 7521 section 4.1; RFC 7523 section 3.
func TestJWTGrant_IsAcceptedOnce(t *testing.T) {
	t.Parallel()
	verify := func(j *JWTVerifier, claims jwtMap) error {
		_, err := j.Verify(t.Context(), grantOf(signGrant(t, claims)))
		return err
	}
	j, replay := grantVerifier(t, nil, idp(nil))
	second, err := NewJWT(JWTConfig{Issuer: jwtServer, Issuers: Issuers(idp(nil)), Replay: replay, Now: func() time.Time { return jwtNow }})
	require.NoError(t, err)
	require.NoError(t, verify(j, grantClaims()))
	for _, again := range []*JWTVerifier{j, second} {
		a, err := again.Verify(t.Context(), grantOf(signGrant(t, grantClaims())))
		requireRefused(t, "invalid_grant", ReasonReplay, a, err)
	}
	for _, until := range replay.seen {
		require.Equal(t, jwtNow.Add(3*time.Minute), until, "kept until expiry and skew")
	}

	// Without jti the signed text is the identifier, whatever the signature is.
	bare := with(grantClaims(), "jti", nil)
	require.NoError(t, verify(j, bare))
	a, err := j.Verify(t.Context(), grantOf(signGrant(t, bare)))
	requireRefused(t, "invalid_grant", ReasonReplay, a, err)

	reusable, _ := grantVerifier(t, func(c *JWTConfig) { c.AllowReuse, c.Replay = true, nil }, idp(nil))
	require.NoError(t, verify(reusable, grantClaims()))
	require.NoError(t, verify(reusable, grantClaims()))

	for name, change := range map[string]func(*JWTConfig, *Issuer){
		"config": func(c *JWTConfig, _ *Issuer) { c.RequireJTI = true },
		"issuer": func(_ *JWTConfig, i *Issuer) { i.JWT.RequireJTI = true },
	} {
		t.Run("jti required by "+name, func(t *testing.T) {
			t.Parallel()
			i := idp(nil)
			j, _ := grantVerifier(t, func(c *JWTConfig) { change(c, &i) }, i)
			j.c.Issuers = Issuers(i)
			a, err := j.Verify(t.Context(), grantOf(signGrant(t, bare)))
			requireRefused(t, "invalid_grant", ReasonContent, a, err)
		})
	}
}

// Reuse can be allowed to one issuer. It never applies to client authentication.
//
// Holds: RFC 7521 section 4.1.
func TestJWTGrant_ReuseOfOneIssuer(t *testing.T) {
	t.Parallel()
	other := idp(func(i *Issuer) { i.ID, i.AllowReuse = "https://reuse.example", true })
	j, replay := newJWT(t, func(c *JWTConfig) {
		c.Issuers = Issuers(idp(nil), other, idp(func(i *Issuer) { i.ID, i.AllowReuse = jwtClient, true }))
		c.Clients = jwtClients{jwtClient: privateKeyJWT(jwtTestKeys()["p256"].Public())}
	})
	again := func(r Request) error {
		_, err := j.Verify(t.Context(), r)
		require.NoError(t, err)
		_, err = j.Verify(t.Context(), r)
		return err
	}
	require.NoError(t, again(grantOf(signGrant(t, with(grantClaims(), "iss", other.ID)))))
	require.Zero(t, replay.calls)
	requireReason(t, ReasonReplay, again(grantOf(signGrant(t, grantClaims()))))
	requireReason(t, ReasonReplay, again(clientOf(signGrant(t, clientClaims()))))
}

// The same claims without a jti, signed by two processes in one second, are one
// assertion (RFC 7521 section 4.1). The text names the way out.
func TestJWTGrant_TheSameClaimsWithoutJTIAreOneAssertion(t *testing.T) {
	t.Parallel()
	bare := with(grantClaims(), "jti", nil)
	j, _ := grantVerifier(t, nil, idp(nil))
	_, err := j.Verify(t.Context(), grantOf(signGrant(t, bare)))
	require.NoError(t, err)
	_, err = j.Verify(t.Context(), grantOf(signGrant(t, bare)))
	requireReason(t, ReasonReplay, err)
	require.ErrorContains(t, err, "add a random jti")

	// Assertions that differ in anything are two.
	_, err = j.Verify(t.Context(), grantOf(signGrant(t, with(bare, "sub", "bob"))))
	require.NoError(t, err)
	_, err = j.Verify(t.Context(), grantOf(signGrant(t, grantClaims())))
	require.NoError(t, err)
	_, err = j.Verify(t.Context(), grantOf(signGrant(t, grantClaims())))
	requireReason(t, ReasonReplay, err)
	require.NotContains(t, err.Error(), "random")
}

// Holds: RFC 7523 section 3.
func TestJWT_OfManyAtOnceOneWins(t *testing.T) {
	t.Parallel()
	key := jwtTestKeys()["p256"]
	j, _ := newJWT(t, func(c *JWTConfig) {
		c.Issuers = Issuers(idp(nil))
		c.Clients = jwtClients{jwtClient: {Method: methodPrivateKeyJWT, JWKS: jwksOf(jwkOf("k", key.Public()))}}
	})
	for _, r := range []Request{grantOf(signGrant(t, grantClaims())), clientOf(signGrant(t, clientClaims()))} {
		var won, lost atomic.Int32
		var all sync.WaitGroup
		for range 32 {
			all.Go(func() {
				_, err := j.Verify(t.Context(), r)
				var refusal *Error
				if err == nil {
					won.Add(1)
				} else if errors.As(err, &refusal) && refusal.Reason == ReasonReplay {
					lost.Add(1)
				}
			})
		}
		all.Wait()
		require.EqualValues(t, 1, won.Load())
		require.EqualValues(t, 31, lost.Load())
	}
}

// Holds: RFC 7521 section 4.1.
func TestJWTGrant_AFailingStoreOrSourceNeverAccepts(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	j, replay := grantVerifier(t, nil, idp(nil))
	replay.err = down
	a, err := j.Verify(t.Context(), grantOf(signGrant(t, grantClaims())))
	requireRefused(t, "server_error", ReasonUnavailable, a, err)
	require.ErrorIs(t, err, down)

	for name, source := range map[string]issuerFunc{
		"error":   func(string) (*Issuer, error) { return nil, down },
		"nothing": func(string) (*Issuer, error) { return nil, nil },
	} {
		j.c.Issuers = source
		a, err := j.Verify(t.Context(), grantOf(signGrant(t, grantClaims())))
		requireRefused(t, "server_error", ReasonUnavailable, a, err)
		var refusal *Error
		require.ErrorAs(t, err, &refusal)
		require.NotContains(t, refusal.Description(), "down", name)
	}

	j, _ = grantVerifier(t, nil, idp(nil))
	a, err = j.Verify(t.Context(), grantOf(""))
	requireRefused(t, "invalid_request", ReasonMissing, a, err)
	a, err = j.Verify(t.Context(), clientOf("x"))
	requireRefused(t, "invalid_client", ReasonDisabled, a, err)
}
