package assertion

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	jose "github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/base/fetch"
	"github.com/grantwell/grantwell/internal/base/jws"
)

// No token makes Verify panic. Refusals have the right code. go-jose verifies
// each accepted token too and reads the same subject from it.
func FuzzJWT(f *testing.F) {
	key := jwtTestKeys()["ed"]
	set := jwksOf(jwkOf("k", key.Public()))
	grant, client := with(grantClaims(), "aud", []string{jwtServer}), clientClaims()
	f.Add(signJWT(f, "EdDSA", "k", key, grant))
	f.Add(signJWT(f, "Ed25519", "k", key, client))
	for _, token := range hostileTokens(f, grant, "https://evil.example") {
		if len(token) < 16<<10 {
			f.Add(token)
		}
	}
	j, _ := newJWT(f, func(c *JWTConfig) {
		c.Issuers = Issuers(Issuer{ID: jwtIdP, JWKS: set, JWT: JWTRules{Lenient: true}})
		c.Clients = jwtClients{jwtClient: {Method: methodPrivateKeyJWT, JWKS: set}}
	})
	f.Fuzz(func(t *testing.T, token string) {
		for use, code := range map[Use]string{Grant: "invalid_grant", ClientAuth: "invalid_client"} {
			j.c.Replay = &jwtReplay{}
			a, err := j.Verify(t.Context(), Request{Use: use, Assertion: token})
			if err != nil {
				require.Nil(t, a)
				if token != "" {
					var refusal *Error
					require.ErrorAs(t, err, &refusal)
					require.Equal(t, code, refusal.Code)
				}
				continue
			}
			parsed, err := josejwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.EdDSA})
			if err != nil {
				continue // it knows neither padding nor the name Ed25519, and reads header members that we skip
			}
			var claims struct {
				Sub string `json:"sub"`
			}
			require.NoError(t, parsed.Claims(key.Public(), &claims))
			require.Equal(t, claims.Sub, a.Subject.Value)
		}
	})
}

// No key set makes ParseJWKS panic. The keys that are kept are bounded and
// usable.
func FuzzJWKSet(f *testing.F) {
	for _, k := range jwtTestKeys() {
		f.Add(jwksOf(jwkOf("k", k.Public())))
	}
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","x5c":["AAAA"]},{"kty":"oct"},{"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"","y":"","x5t":"AA","x5u":"::"}]}`))
	f.Add([]byte(`{"keys":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := ParseJWKS(data)
		if err != nil {
			require.Nil(t, set)
			return
		}
		require.LessOrEqual(t, set.Len(), maxJWKSKeys)
		for _, k := range set.keys {
			require.NoError(t, jws.CheckKey(k.Key))
			for _, alg := range jws.PublicKeyAlgorithms() {
				token := &jws.Token{Header: jws.Header{Algorithm: alg, KeyID: k.ID}, Signed: "x"}
				_, verified := token.Verify(jws.Candidates(set.keys, token.Header))
				require.False(t, verified)
			}
		}
	})
}

// Whatever a key server answers, in headers or body, Keys returns a set or an
// error, and reads no more than allowed.
func FuzzJWKSResponse(f *testing.F) {
	f.Add(200, "application/json", "", jwksOf(jwkOf("k", jwtTestKeys()["ed"].Public())))
	f.Add(302, "text/html", "https://169.254.169.254/", []byte("<html>"))
	f.Add(200, "application/json", "gzip", []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3})
	f.Add(204, "", "", []byte{})
	f.Add(503, "a\r\nb", "x", []byte("{"))
	f.Fuzz(func(t *testing.T, status int, contentType, extra string, body []byte) {
		if status < 200 || status > 599 {
			return
		}
		recorded := &http.Response{
			StatusCode: status, Header: http.Header{"Content-Type": {contentType}, "Location": {extra}, "Content-Encoding": {extra}},
			Body: http.NoBody, ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1,
		}
		hits := 0
		answer := roundTripper(func(r *http.Request) (*http.Response, error) {
			hits++
			answer := *recorded
			w := httptest.NewRecorder()
			w.Body = bytes.NewBuffer(body)
			answer.Body, answer.Request = w.Result().Body, r
			return &answer, nil
		})
		fetcher := &Fetcher{}
		fetcher.once.Do(func() { fetcher.getter = &fetch.Getter{MaxSize: 4096, Client: &http.Client{Transport: answer}} })
		keys, err := (&RemoteKeys{Fetcher: fetcher}).Keys(t.Context(), "https://keys.example/jwks", "k")
		require.Equal(t, 1, hits, "redirects are not followed")
		if err != nil {
			require.Nil(t, keys)
			return
		}
		require.Equal(t, http.StatusOK, status)
		require.LessOrEqual(t, len(body), 4096)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
