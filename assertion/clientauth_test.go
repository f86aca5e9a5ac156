package assertion

import (
	"context"
	"crypto"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var jwtSecret = []byte(strings.Repeat("s3cret-of-16-oct", 4)) // 64 octets

func clientVerifier(t testing.TB, change func(*JWTConfig), credentials ClientCredentials) (*JWTVerifier, *jwtReplay) {
	t.Helper()
	return newJWT(t, func(c *JWTConfig) {
		c.Clients = jwtClients{jwtClient: credentials}
		if change != nil {
			change(c)
		}
	})
}

func privateKeyJWT(keys ...crypto.PublicKey) ClientCredentials {
	var list []jwtMap
	for _, k := range keys {
		list = append(list, jwkOf("k", k))
	}
	return ClientCredentials{Method: methodPrivateKeyJWT, JWKS: jwksOf(list...)}
}

// Holds: RFC 7521 section 4.2; RFC 7523 section 3; RFC 7523 section 3.2;
// RFC 7523 section 5; RFC 8725 section 3.1.
func TestClientAuth_EveryAlgorithmOfItsMethod(t *testing.T) {
	t.Parallel()
	for alg, name := range jwtAlgKeys {
		key := jwtTestKeys()[name]
		j, _ := clientVerifier(t, nil, privateKeyJWT(key.Public()))
		a, err := j.Verify(t.Context(), clientOf(signJWT(t, alg, "k", key, clientClaims())))
		require.NoError(t, err, alg)
		require.Equal(t, jwtClient, a.Subject.Value)
		require.Equal(t, jwtClient, a.Issuer)
		require.Nil(t, a.Trust)
		require.NotEmpty(t, a.KeyID)
	}
	for _, alg := range []string{"HS256", "HS384", "HS512"} {
		rotated := ClientCredentials{Method: methodClientSecretJWT, Secrets: [][]byte{[]byte(strings.Repeat("old", 30)), jwtSecret}}
		j, _ := clientVerifier(t, nil, rotated)
		a, err := j.Verify(t.Context(), clientOf(signJWT(t, alg, "", jwtSecret, clientClaims())))
		require.NoError(t, err, alg)
		require.Empty(t, a.KeyID)
	}
}

// Holds: RFC 7521 section 4.1; RFC 7521 section 4.2; RFC 7521 section 4.2.1;
// RFC 7523 section 3; RFC 7523 section 3.2; draft-ietf-oauth-rfc7523bis section 3.
func TestClientAuth_ClaimsAreHeldToTheDraft(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) int64 { return jwtNow.Add(d).Unix() }
	for _, c := range []struct {
		name, claim string
		value       any
		reason      Reason
	}{
		{"aud an array of one", "aud", []string{jwtServer}, ""},
		{"aud the endpoint", "aud", jwtEndpoint, ReasonAudience},
		{"aud the PAR endpoint", "aud", jwtServer + "/par", ReasonAudience},
		{"aud us and another", "aud", []string{jwtServer, "https://evil.example"}, ReasonAudience},
		{"aud us twice", "aud", []string{jwtServer, jwtServer}, ReasonAudience},
		{"aud us and the endpoint", "aud", []string{jwtServer, jwtEndpoint}, ReasonAudience},
		{"aud another", "aud", "https://evil.example", ReasonAudience},
		{"aud empty list", "aud", []string{}, ReasonAudience},
		{"aud with a slash more", "aud", jwtServer + "/", ReasonAudience},
		{"no aud", "aud", nil, ReasonAudience},
		{"no iss", "iss", nil, ReasonIssuer},
		{"iss another", "iss", jwtIdP, ReasonSubject},
		{"no sub", "sub", nil, ReasonSubject},
		{"sub another", "sub", "client-2", ReasonSubject},
		{"sub an array", "sub", []string{jwtClient}, ReasonSubject},
		{"no jti", "jti", nil, ReasonContent},
		{"no exp", "exp", nil, ReasonLifetime},
		{"exp passed", "exp", at(-time.Minute), ReasonExpired},
		{"exp an hour away", "exp", at(time.Hour), ""},
		{"exp further", "exp", at(61*time.Minute + time.Second), ReasonLifetime},
		{"nbf 10 s ahead", "nbf", at(10 * time.Second), ""},
		{"nbf 61 s ahead", "nbf", at(61 * time.Second), ReasonNotYetValid},
		{"iat 10 s ahead", "iat", at(10 * time.Second), ""},
		{"iat 61 s ahead", "iat", at(61 * time.Second), ReasonNotYetValid},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			j, replay := clientVerifier(t, nil, privateKeyJWT(jwtTestKeys()["p256"].Public()))
			a, err := j.Verify(t.Context(), clientOf(signGrant(t, with(clientClaims(), c.claim, c.value))))
			if c.reason == "" {
				require.NoError(t, err)
				return
			}
			requireRefused(t, "invalid_client", c.reason, a, err)
			require.Zero(t, replay.calls, "a refused assertion must not use up its jti")
		})
	}
	for id, good := range map[string]bool{"": true, jwtClient: true, "client-2": false} {
		j, _ := clientVerifier(t, nil, privateKeyJWT(jwtTestKeys()["p256"].Public()))
		r := clientOf(signGrant(t, clientClaims()))
		r.ClientID = id
		a, err := j.Verify(t.Context(), r)
		if good {
			require.NoError(t, err)
		} else {
			requireRefused(t, "invalid_client", ReasonClient, a, err)
		}
	}
}

// Holds: draft-ietf-oauth-rfc7523bis section 3.
func TestClientAuth_LegacyAudienceIsAnOption(t *testing.T) {
	t.Parallel()
	for _, aud := range []any{jwtEndpoint, []string{jwtServer, jwtEndpoint}, jwtServer} {
		j, _ := clientVerifier(t, func(c *JWTConfig) { c.LegacyAudience = true }, privateKeyJWT(jwtTestKeys()["p256"].Public()))
		_, err := j.Verify(t.Context(), clientOf(signGrant(t, with(clientClaims(), "aud", aud))))
		require.NoError(t, err)
	}
	j, _ := clientVerifier(t, func(c *JWTConfig) { c.LegacyAudience = true }, privateKeyJWT(jwtTestKeys()["p256"].Public()))
	a, err := j.Verify(t.Context(), clientOf(signGrant(t, with(clientClaims(), "aud", jwtServer+"/par"))))
	requireRefused(t, "invalid_client", ReasonAudience, a, err)
}

// The older audience can be allowed to one client.
//
// Holds: draft-ietf-oauth-rfc7523bis section 3.
func TestClientAuth_LegacyAudienceOfOneClient(t *testing.T) {
	t.Parallel()
	old := privateKeyJWT(jwtTestKeys()["p256"].Public())
	old.LegacyAudience = true
	clients := jwtClients{jwtClient: privateKeyJWT(jwtTestKeys()["p256"].Public()), "old": old}
	j, _ := newJWT(t, func(c *JWTConfig) { c.Clients = clients })
	claims := with(clientClaims(), "aud", jwtEndpoint)
	a, err := j.Verify(t.Context(), clientOf(signGrant(t, claims)))
	requireRefused(t, "invalid_client", ReasonAudience, a, err)
	claims["iss"], claims["sub"] = "old", "old"
	_, err = j.Verify(t.Context(), clientOf(signGrant(t, claims)))
	require.NoError(t, err)

	// Without a token endpoint there is no further audience, not even an empty one.
	for _, aud := range []any{jwtEndpoint, ""} {
		j, _ = newJWT(t, func(c *JWTConfig) {
			c.Clients = clients
			c.TokenEndpoint = ""
		})
		a, err = j.Verify(t.Context(), clientOf(signGrant(t, with(claims, "aud", aud))))
		requireRefused(t, "invalid_client", ReasonAudience, a, err)
	}
}

// clientFunc is a ClientKeys.
type clientFunc func(string) (ClientCredentials, error)

func (f clientFunc) ClientKeys(_ context.Context, id string) (ClientCredentials, error) { return f(id) }

// Holds: RFC 8725 section 3; RFC 8725 section 3.1.
func TestClientAuth_TheMethodFixesTheFamilyOfAlgorithms(t *testing.T) {
	t.Parallel()
	key := jwtTestKeys()["rsa"]
	publicAsSecret := jwksOf(jwkOf("k", key.Public()))
	for name, c := range map[string]struct {
		credentials ClientCredentials
		alg         string
		key         any
		reason      Reason
	}{
		"a secret for private_key_jwt":     {ClientCredentials{Method: methodPrivateKeyJWT, JWKS: publicAsSecret, Secrets: [][]byte{jwtSecret}}, "HS256", jwtSecret, ReasonAlgorithm},
		"the public key as secret":         {privateKeyJWT(key.Public()), "HS256", publicAsSecret, ReasonAlgorithm},
		"a key for client_secret_jwt":      {ClientCredentials{Method: methodClientSecretJWT, JWKS: publicAsSecret, Secrets: [][]byte{jwtSecret}}, "RS256", key, ReasonAlgorithm},
		"client_secret_jwt without secret": {ClientCredentials{Method: methodClientSecretJWT}, "HS256", []byte{}, ReasonKey},
		"an empty secret":                  {ClientCredentials{Method: methodClientSecretJWT, Secrets: [][]byte{{}}}, "HS256", []byte{}, ReasonKey},
		"31 octets for HS256":              {ClientCredentials{Method: methodClientSecretJWT, Secrets: [][]byte{jwtSecret[:31]}}, "HS256", jwtSecret[:31], ReasonKey},
		"47 octets for HS384":              {ClientCredentials{Method: methodClientSecretJWT, Secrets: [][]byte{jwtSecret[:47]}}, "HS384", jwtSecret[:47], ReasonKey},
		"63 octets for HS512":              {ClientCredentials{Method: methodClientSecretJWT, Secrets: [][]byte{jwtSecret[:63]}}, "HS512", jwtSecret[:63], ReasonKey},
		"another secret":                   {ClientCredentials{Method: methodClientSecretJWT, Secrets: [][]byte{jwtSecret}}, "HS256", []byte(strings.Repeat("x", 64)), ReasonSignature},
		"another algorithm than registered": {ClientCredentials{Method: methodPrivateKeyJWT, JWKS: publicAsSecret, Algorithm: "PS256"}, "RS256", key,
			ReasonAlgorithm},
		"a client of another method": {ClientCredentials{Method: "client_secret_basic", JWKS: publicAsSecret}, "RS256", key, ReasonIssuer},
		"a client without keys":      {ClientCredentials{Method: methodPrivateKeyJWT}, "RS256", key, ReasonKey},
		"keys that are none":         {ClientCredentials{Method: methodPrivateKeyJWT, JWKS: []byte("junk")}, "RS256", key, ReasonKey},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j, replay := clientVerifier(t, nil, c.credentials)
			a, err := j.Verify(t.Context(), clientOf(signJWT(t, c.alg, "", c.key, clientClaims())))
			requireRefused(t, "invalid_client", c.reason, a, err)
			require.Zero(t, replay.calls)
		})
	}
}

// An unknown client cannot be distinguished from a known one with a wrong key:
// the code and the description are the same, and a verification is done for
// each.
//
// Holds: RFC 7521 section 4.2; RFC 7521 section 4.2.1.
func TestClientAuth_AnUnknownClientDoesNotStandOut(t *testing.T) {
	t.Parallel()
	for alg, name := range jwtAlgKeys {
		j, _ := clientVerifier(t, nil, privateKeyJWT(jwtTestKeys()[name].Public()))
		var refusals []*Error
		for _, id := range []string{jwtClient, "nobody"} {
			claims := with(with(clientClaims(), "iss", id), "sub", id)
			token := signJWT(t, alg, "k", jwtTestKeys()[name], claims)
			token = token[:strings.LastIndex(token, ".")+1] + b64(make([]byte, 64))
			a, err := j.Verify(t.Context(), clientOf(token))
			require.Nil(t, a)
			var refusal *Error
			require.ErrorAs(t, err, &refusal)
			refusals = append(refusals, refusal)
		}
		require.Equal(t, refusals[0].Code, refusals[1].Code)
		require.Equal(t, refusals[0].Description(), refusals[1].Description())
		require.NotEqual(t, refusals[0].Reason, refusals[1].Reason, "the operator is told")
	}
	j, _ := clientVerifier(t, nil, ClientCredentials{})
	a, err := j.Verify(t.Context(), clientOf(signGrant(t, with(with(clientClaims(), "iss", "broken"), "sub", "broken"))))
	requireRefused(t, "server_error", ReasonUnavailable, a, err)
	a, err = j.Verify(t.Context(), clientOf(""))
	requireRefused(t, "invalid_client", ReasonMissing, a, err)
}

// An assertion is accepted once, as authentication or as a grant. The same jti
// of another client, and of an issuer with the client's name, is another entry.
//
// Holds: RFC 7523 section 3; RFC 7523 section 3.2.
func TestClientAuth_ReplayIsKeptPerClient(t *testing.T) {
	t.Parallel()
	key := jwtTestKeys()["p256"]
	j, _ := newJWT(t, func(c *JWTConfig) {
		c.AllowReuse = false
		c.Issuers = Issuers(selfIssued(nil))
		c.Clients = jwtClients{jwtClient: privateKeyJWT(key.Public()), "client-2": privateKeyJWT(key.Public())}
	})
	token := signGrant(t, clientClaims())
	_, err := j.Verify(t.Context(), clientOf(token))
	require.NoError(t, err)
	a, err := j.Verify(t.Context(), clientOf(token))
	requireRefused(t, "invalid_client", ReasonReplay, a, err)
	a, err = j.Verify(t.Context(), grantOf(token))
	requireRefused(t, "invalid_grant", ReasonReplay, a, err)
	_, err = j.Verify(t.Context(), clientOf(signGrant(t, with(with(clientClaims(), "iss", "client-2"), "sub", "client-2"))))
	require.NoError(t, err)
	require.NotEqual(t, issuerNamespace("x"), clientNamespace("x"))

	// AllowReuse applies to grants. A client assertion is accepted once.
	j, _ = clientVerifier(t, func(c *JWTConfig) { c.AllowReuse = true }, privateKeyJWT(key.Public()))
	_, err = j.Verify(t.Context(), clientOf(token))
	require.NoError(t, err)
	a, err = j.Verify(t.Context(), clientOf(token))
	requireRefused(t, "invalid_client", ReasonReplay, a, err)
}

// Holds: house: audience is set.
func TestNewJWT_RefusesAConfigurationThatSkipsChecks(t *testing.T) {
	t.Parallel()
	_, err := NewJWT(JWTConfig{LegacyAudience: true, ClockSkew: time.Hour, MaxLifetime: -1, MaxAge: -1, MaxSize: -1})
	for _, field := range []string{"Issuer ", "Issuers", "Replay", "LegacyAudience", "ClockSkew", "MaxLifetime", "MaxAge", "MaxSize"} {
		require.ErrorContains(t, err, field)
	}
	_, err = NewJWT(JWTConfig{Issuer: jwtServer, Clients: jwtClients{}, AllowReuse: true})
	require.ErrorContains(t, err, "Replay", "client authentication is never reusable")
}

// Holds: RFC 7521 section 4.2.1.
func TestJWT_EveryDecisionIsObservedWithoutTheToken(t *testing.T) {
	t.Parallel()
	var events []Event
	j, _ := clientVerifier(t, func(c *JWTConfig) {
		c.Observe = func(_ context.Context, e Event) { events = append(events, e) }
	}, privateKeyJWT(jwtTestKeys()["p256"].Public()))
	token := signGrant(t, clientClaims())
	_, _ = j.Verify(t.Context(), clientOf(token))
	_, _ = j.Verify(t.Context(), clientOf(token))
	_, _ = j.Verify(t.Context(), clientOf("junk"))
	require.Len(t, events, 3)
	require.Nil(t, events[0].Err)
	require.Equal(t, Event{Format: FormatJWT, Use: ClientAuth, Issuer: jwtClient, ID: "one"}, events[0])
	require.Equal(t, ReasonReplay, events[1].Err.Reason)
	require.Equal(t, ReasonEncoding, events[2].Err.Reason)
	for _, e := range events[1:] {
		require.NotContains(t, e.Err.Error(), token[strings.LastIndex(token, "."):])
	}
}
