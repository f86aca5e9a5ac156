package assertion

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Times are accepted up to the bound that the documentation names, and not beyond.
//
// Holds: RFC 7523 section 3.
func TestJWT_IssuedAtItsBounds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		skew, maxAge, iat time.Duration
		want              Reason
	}{
		"at the skew":            {0, 0, time.Minute, ""},
		"beyond the skew":        {0, 0, time.Minute + time.Second, ReasonNotYetValid},
		"at the age":             {0, 5 * time.Minute, -6 * time.Minute, ""},
		"beyond the age":         {0, 5 * time.Minute, -6*time.Minute - time.Second, ReasonExpired},
		"without skew, now":      {-1, 0, 0, ""},
		"without skew, ahead":    {-1, 0, time.Second, ReasonNotYetValid},
		"without skew, at age":   {-time.Hour, 5 * time.Minute, -5 * time.Minute, ""},
		"without skew, past age": {-time.Hour, 5 * time.Minute, -5*time.Minute - time.Second, ReasonExpired},
	} {
		j, _ := grantVerifier(t, func(config *JWTConfig) {
			config.ClockSkew = c.skew
			config.MaxAge = c.maxAge
		}, idp(nil))
		_, err := j.Verify(t.Context(), grantOf(signGrant(t, with(grantClaims(), "iat", jwtNow.Add(c.iat).Unix()))))
		if c.want == "" {
			require.NoError(t, err, name)
		} else {
			requireReason(t, c.want, err)
		}
	}
}

// Two assertions without a jti differ if their claims do.
//
// Holds: RFC 7523 section 3.
func TestJWT_AssertionsWithoutJTIAreToldApart(t *testing.T) {
	t.Parallel()
	j, replay := grantVerifier(t, nil, idp(nil))
	for _, sub := range []string{"alice", "bob"} {
		token := signGrant(t, with(with(grantClaims(), "jti", nil), "sub", sub))
		_, err := j.Verify(t.Context(), grantOf(token))
		require.NoError(t, err)
		_, err = j.Verify(t.Context(), grantOf(token))
		requireReason(t, ReasonReplay, err)
	}
	require.Len(t, replay.seen, 2)
}

// A set has at most 64 keys, whether it was parsed or put together.
//
// Holds: house: bounded parsers.
func TestNewKeySet_IsBounded(t *testing.T) {
	t.Parallel()
	key := jwtTestKeys()["ed"].Public()
	for n, ok := range map[int]bool{0: false, 1: true, 64: true, 65: false} {
		keys := make([]any, n)
		list := make([]jwtMap, n)
		for i := range n {
			keys[i] = key
			list[i] = jwkOf("", key)
		}
		_, err := NewKeySet(keys...)
		require.Equal(t, ok, err == nil, n)
		_, err = ParseJWKS(jwksOf(list...))
		require.Equal(t, n <= 64, err == nil, n)
	}
}

// The ninth key of a token without kid is not tried, so that a forged token costs no
// more. A kid selects it.
//
// Holds: house: bounded parsers.
func TestJWT_TheNumberOfTriesIsBounded(t *testing.T) {
	t.Parallel()
	signer := jwtTestKeys()["p256"]
	keys := []jwtMap{}
	for _, key := range wrongKeys()["P-256"] {
		keys = append(keys, jwkOf("other", key))
	}
	keys = append(keys, jwkOf("mine", signer.Public()))
	j, _ := grantVerifier(t, nil, idp(func(i *Issuer) { i.JWKS = jwksOf(keys...) }))
	_, err := j.Verify(t.Context(), grantOf(signJWT(t, "ES256", "", signer, grantClaims())))
	requireReason(t, ReasonSignature, err)
	_, err = j.Verify(t.Context(), grantOf(signJWT(t, "ES256", "mine", signer, grantClaims())))
	require.NoError(t, err)

	eight, _ := grantVerifier(t, nil, idp(func(i *Issuer) { i.JWKS = jwksOf(keys[1:]...) }))
	_, err = eight.Verify(t.Context(), grantOf(signJWT(t, "ES256", "", signer, grantClaims())))
	require.NoError(t, err)
}

// EdDSA and Ed25519 are two names of one algorithm, wherever a name is compared.
//
// Holds: RFC 8725 section 3.1.
func TestJWT_EdDSAHasTwoNames(t *testing.T) {
	t.Parallel()
	key := jwtTestKeys()["ed"]
	for _, registered := range []string{"EdDSA", "Ed25519"} {
		jwk := jwkOf("k", key.Public())
		jwk["alg"] = registered
		for _, used := range []string{"EdDSA", "Ed25519"} {
			token := signRaw(t, "EdDSA", key, `{"alg":"`+used+`","kid":"k"}`, toJSON(grantClaims()))
			j, _ := grantVerifier(t, nil, idp(func(i *Issuer) {
				i.JWKS = jwksOf(jwk)
				i.Algorithms = []string{registered}
			}))
			_, err := j.Verify(t.Context(), grantOf(token))
			require.NoError(t, err, "%s %s", registered, used)
		}
	}
}

// A source without a Fetcher of its own fetches by a safe one.
//
// Holds: house: public addresses only.
func TestSources_HaveASafeFetcherByDefault(t *testing.T) {
	t.Parallel()
	source := &MetadataSource{URL: "http://127.0.0.1/metadata", EntityID: mdIdP}
	_, err := source.Issuer(t.Context(), mdIdP)
	require.ErrorContains(t, err, "not https")
	private := &MetadataSource{URL: "https://127.0.0.1:1/metadata", EntityID: mdIdP}
	_, err = private.Issuer(t.Context(), mdIdP)
	require.ErrorContains(t, err, "which is not public")

	_, err = (&RemoteKeys{}).Keys(t.Context(), "http://127.0.0.1/jwks", "")
	require.ErrorContains(t, err, "not https")
}

// The intervals that a host sets are used, and not the defaults.
//
// Holds: RFC 8725 section 3.10.
func TestRemoteKeys_TheIntervalsAreSettings(t *testing.T) {
	t.Parallel()
	keys := jwtTestKeys()
	server := newKeyServer(t, jwkOf("a", keys["p256"].Public()))
	synctest.Test(t, func(t *testing.T) {
		remote := server.remote()
		remote.MaxAge = time.Minute
		remote.Interval = 10 * time.Second
		remote.MaxStale = 2 * time.Minute
		get := func(kid string) error {
			_, err := remote.Keys(t.Context(), server.URL, kid)
			return err
		}
		require.NoError(t, get("a"))
		time.Sleep(9 * time.Second)
		_ = get("b")
		require.EqualValues(t, 1, server.hits.Load(), "Interval has not passed")
		time.Sleep(time.Second)
		_ = get("b")
		require.EqualValues(t, 2, server.hits.Load())
		time.Sleep(time.Minute)
		require.NoError(t, get("a"))
		require.EqualValues(t, 3, server.hits.Load(), "MaxAge has passed")

		server.body.Store(nil)
		time.Sleep(3*time.Minute - time.Second)
		require.NoError(t, get("a"), "within MaxStale")
		time.Sleep(time.Second)
		require.Error(t, get("a"), "MaxStale has passed")
		_ = get("a")
		hits := server.hits.Load()
		time.Sleep(time.Second)
		_ = get("a")
		require.Equal(t, hits+1, server.hits.Load(), "a failure waits a tenth of Interval")
	})
}

// A part of a second is dropped to the strict side for each claim, so that no token is
// valid for longer than it says.
//
// Holds: RFC 7523 section 3.
func TestJWT_FractionsAreStrictForEachClaim(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) jsonText { return jsonText(fmt.Sprintf("%d.5", jwtNow.Add(d).Unix())) }
	for name, c := range map[string]struct {
		claim string
		value jsonText
		want  Reason
	}{
		"exp, half a second before the end":  {"exp", at(-time.Minute), ReasonExpired},
		"exp, one and a half":                {"exp", at(-time.Minute + time.Second), ""},
		"nbf, half a second after the start": {"nbf", at(time.Minute), ReasonNotYetValid},
		"nbf, half a second before it":       {"nbf", at(time.Minute - time.Second), ""},
		"iat, half a second ahead":           {"iat", at(time.Minute), ReasonNotYetValid},
		"iat, half a second before":          {"iat", at(time.Minute - time.Second), ""},
	} {
		j, _ := grantVerifier(t, nil, idp(nil))
		_, err := j.Verify(t.Context(), grantOf(signGrant(t, with(grantClaims(), c.claim, c.value))))
		if c.want == "" {
			require.NoError(t, err, name)
		} else {
			requireReason(t, c.want, err)
		}
	}
}
