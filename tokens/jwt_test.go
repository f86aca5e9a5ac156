package tokens

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

const issuer = "https://as.example"

// keyFor returns the key of an algorithm. Each is made once, because RSA keys are
// slow to make.
var keyFor = func() func(testing.TB, string) Key {
	var made sync.Map
	return func(t testing.TB, algorithm string) Key {
		t.Helper()
		once, _ := made.LoadOrStore(algorithm, sync.OnceValues(func() (Key, error) { return GenerateKey(algorithm) }))
		k, err := once.(func() (Key, error))()
		require.NoError(t, err)
		return k
	}
}()

func strategy(t testing.TB, signing Key, others ...Key) JWT {
	t.Helper()
	keys, err := StaticKeys(signing, others...)
	require.NoError(t, err)
	return JWT{Keys: keys, Issuer: issuer}
}

func someClaims() Claims {
	now := time.Now().UTC().Truncate(time.Second)
	return Claims{
		Issuer: issuer, Subject: "user-1", ClientID: "app", ID: "id-1", Audience: []string{"https://api.example"},
		Scope: []string{"read", "write"}, IssuedAt: now, ExpiresAt: now.Add(time.Hour),
	}
}

// Verify returns the claims that were minted, for each algorithm.
//
// Holds: RFC 9068 section 2; RFC 9068 section 2.1.
func TestJWT_ReturnsWhatWasMinted(t *testing.T) {
	t.Parallel()
	full := someClaims()
	full.NotBefore, full.AuthTime = full.IssuedAt, full.IssuedAt.Add(-time.Minute)
	full.Audience = []string{"https://api.example", "https://other.example"}
	full.Confirmation = map[string]string{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}
	full.Extra = map[string]any{"tenant": "t<1>", "level": json.Number("9007199254740993"), "roles": []any{"a", map[string]any{"b": true}}}
	noScope := someClaims()
	noScope.Scope = nil
	for _, algorithm := range allAlgorithms {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			j := strategy(t, keyFor(t, algorithm))
			for _, c := range []Claims{someClaims(), full, noScope} {
				token, err := j.Mint(t.Context(), c)
				require.NoError(t, err)
				got, err := j.Verify(t.Context(), token)
				require.NoError(t, err)
				require.Equal(t, c, got)
			}
		})
	}
}

// go-jose and the standard library verify a minted token too, and its members are
// those of RFC 9068.
//
// Holds: RFC 9068 section 2; RFC 9068 section 2.1; house: one key set.
func TestJWT_OthersVerifyIt(t *testing.T) {
	t.Parallel()
	for _, algorithm := range allAlgorithms {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			key := keyFor(t, algorithm)
			j := strategy(t, key)
			token, err := j.Mint(t.Context(), someClaims())
			require.NoError(t, err)
			part := strings.Split(token, ".")
			require.Len(t, part, 3)

			header, err := base64.RawURLEncoding.DecodeString(part[0])
			require.NoError(t, err)
			require.JSONEq(t, `{"typ":"at+jwt","alg":"`+algorithm+`","kid":"`+key.ID+`"}`, string(header))

			set, err := PublicJWKS(t.Context(), j.Keys)
			require.NoError(t, err)
			var jwks jose.JSONWebKeySet
			require.NoError(t, json.Unmarshal(set, &jwks))
			body, err := base64.RawURLEncoding.DecodeString(part[1])
			require.NoError(t, err)
			if algorithm != Ed25519 { // which go-jose does not know
				signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(algorithm)})
				require.NoError(t, err)
				body, err = signed.Verify(jwks.Key(key.ID)[0])
				require.NoError(t, err)
			}
			var claims map[string]any
			require.NoError(t, json.Unmarshal(body, &claims))
			for _, name := range []string{"iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope"} {
				require.Contains(t, claims, name)
			}

			signature, err := base64.RawURLEncoding.DecodeString(part[2])
			require.NoError(t, err)
			requireSigned(t, key, []byte(part[0]+"."+part[1]), signature)
		})
	}
}

func requireSigned(t *testing.T, key Key, message, signature []byte) {
	t.Helper()
	short, long := sha256.Sum256(message), sha512.Sum384(message)
	half := len(signature) / 2
	r, s := new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:])
	switch key.Algorithm {
	case RS256:
		require.NoError(t, rsa.VerifyPKCS1v15(key.Signer.Public().(*rsa.PublicKey), crypto.SHA256, short[:], signature))
	case PS256:
		require.NoError(t, rsa.VerifyPSS(key.Signer.Public().(*rsa.PublicKey), crypto.SHA256, short[:], signature,
			&rsa.PSSOptions{SaltLength: 32}))
	case ES256:
		require.Len(t, signature, 64)
		require.True(t, ecdsa.Verify(key.Signer.Public().(*ecdsa.PublicKey), short[:], r, s))
	case ES384:
		require.Len(t, signature, 96)
		require.True(t, ecdsa.Verify(key.Signer.Public().(*ecdsa.PublicKey), long[:], r, s))
	case EdDSA, Ed25519:
		require.True(t, ed25519.Verify(key.Signer.Public().(ed25519.PublicKey), message, signature))
	}
}

// A token is valid until exp and not longer, with every ClockSkew. The skew
// applies to iat and nbf.
func TestJWT_EndsAtExpExactly(t *testing.T) {
	t.Parallel()
	key := keyFor(t, EdDSA)
	synctest.Test(t, func(t *testing.T) {
		j := strategy(t, key)
		j.ClockSkew = maxClockSkew
		c := someClaims()
		token, err := j.Mint(t.Context(), c)
		require.NoError(t, err)
		time.Sleep(time.Hour - time.Nanosecond)
		_, err = j.Verify(t.Context(), token)
		require.NoError(t, err)
		time.Sleep(time.Nanosecond)
		requireInvalid(t, j, token)

		c = someClaims()
		c.IssuedAt, c.ExpiresAt = time.Now().Add(10*time.Second), time.Now().Add(time.Hour)
		c.NotBefore = c.IssuedAt
		token, err = j.Mint(t.Context(), c)
		require.NoError(t, err)
		for skew, ok := range map[time.Duration]bool{0: true, 10 * time.Second: true, 9 * time.Second: false, -1: false} {
			j.ClockSkew = skew
			_, err = j.Verify(t.Context(), token)
			require.Equal(t, ok, err == nil, skew)
		}
	})
}

// Check names each wrong field.
func TestJWT_CheckNamesEveryWrongField(t *testing.T) {
	t.Parallel()
	err := JWT{Algorithms: []string{"none", "HS256"}, ClockSkew: time.Hour}.Check()
	for _, field := range []string{"JWT.Keys", "JWT.Issuer", `"none"`, `"HS256"`, "JWT.ClockSkew"} {
		require.ErrorContains(t, err, field)
	}
	j := strategy(t, keyFor(t, ES256))
	require.NoError(t, j.Check())
	j.Algorithms = []string{EdDSA}
	_, err = j.Mint(t.Context(), someClaims())
	require.ErrorContains(t, err, "does not list")
}

// Extra cannot set a claim that has a field, in upper case or lower case.
//
// Holds: house: reserved claims.
func TestJWT_ExtraNeverOverwritesARegisteredClaim(t *testing.T) {
	t.Parallel()
	j := strategy(t, keyFor(t, ES256))
	for _, name := range append([]string{"ISS", "Exp", "Client_ID", "i\u017fs", "Sub", ""}, registered...) {
		c := someClaims()
		c.Extra = map[string]any{name: "other"}
		_, err := j.Mint(t.Context(), c)
		require.Error(t, err, name)
	}
}

// Mint makes no token that Verify would refuse, and none without a required claim.
//
// Holds: RFC 9068 section 2; RFC 9068 section 5.
func TestJWT_MintRefusesIncompleteClaims(t *testing.T) {
	t.Parallel()
	j := strategy(t, keyFor(t, ES256))
	for name, change := range map[string]func(*Claims){
		"other issuer":       func(c *Claims) { c.Issuer = "https://evil.example" },
		"no subject":         func(c *Claims) { c.Subject = "" },
		"subject not UTF-8":  func(c *Claims) { c.Subject = "a\xff" },
		"no client":          func(c *Claims) { c.ClientID = "" },
		"no id":              func(c *Claims) { c.ID = "" },
		"no audience":        func(c *Claims) { c.Audience = nil },
		"empty audience":     func(c *Claims) { c.Audience = []string{"a", ""} },
		"scope with a space": func(c *Claims) { c.Scope = []string{"read admin"} },
		"empty scope":        func(c *Claims) { c.Scope = []string{""} },
		"scope with a quote": func(c *Claims) { c.Scope = []string{`a"`} },
		"no iat":             func(c *Claims) { c.IssuedAt = time.Time{} },
		"no exp":             func(c *Claims) { c.ExpiresAt = time.Time{} },
		"exp before iat":     func(c *Claims) { c.ExpiresAt = c.IssuedAt.Add(-time.Second) },
		"exp with iat":       func(c *Claims) { c.ExpiresAt = c.IssuedAt.Add(time.Millisecond) },
		"exp beyond 9999":    func(c *Claims) { c.ExpiresAt = time.Unix(maxTime+1, 0) },
		"empty confirmation": func(c *Claims) { c.Confirmation = map[string]string{"jkt": ""} },
		"no JSON form":       func(c *Claims) { c.Extra = map[string]any{"f": func() {}} },
		"member twice":       func(c *Claims) { c.Extra = map[string]any{"f": json.RawMessage(`{"a":1,"a":2}`)} },
		"too deep": func(c *Claims) {
			c.Extra = map[string]any{"f": json.RawMessage(strings.Repeat("[", 20) + strings.Repeat("]", 20))}
		},
		"larger than accepted": func(c *Claims) { c.Extra = map[string]any{"f": strings.Repeat("x", maxJWT)} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := someClaims()
			change(&c)
			_, err := j.Mint(t.Context(), c)
			require.ErrorContains(t, err, "tokens: ")
			require.NotErrorIs(t, err, ErrInvalid)
		})
	}
	c := someClaims()
	c.Issuer = ""
	_, err := j.Mint(t.Context(), c)
	require.NoError(t, err, "the issuer is the strategy's own")
}
