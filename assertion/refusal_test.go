package assertion

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// RFC 6749 section 5.2 lets a server explain an error to people. Only the owner of the
// key learns which claim was refused, what is accepted and the limit.
func TestJWT_ARefusedClaimIsNamedOnceTheSignatureHolds(t *testing.T) {
	t.Parallel()
	good := jwtTestKeys()["p256"]
	stranger := must(newP256())
	for name, c := range map[string]struct {
		claim string
		value any
		says  []string
	}{
		"audience": {"aud", "https://as.example/elsewhere", []string{"aud is", "expected only", jwtServer}},
		"lifetime": {"exp", jwtNow.Add(3 * time.Hour).Unix(), []string{"exp", "more than 1h0m0s after now"}},
		"expired":  {"exp", jwtNow.Add(-time.Hour).Unix(), []string{"exp", "skew 1m0s"}},
		"no jti":   {"jti", nil, []string{"no jti"}},
		"quotes":   {"aud", `a"b\\c` + "\u00e9", []string{"aud is"}},
	} {
		claims := with(clientClaims(), c.claim, c.value)
		j, _ := clientVerifier(t, nil, privateKeyJWT(good.Public()))

		_, err := j.Verify(t.Context(), clientOf(signJWT(t, "ES256", "", good, claims)))
		var refusal *Error
		require.ErrorAs(t, err, &refusal, name)
		for _, part := range c.says {
			require.Contains(t, refusal.Description(), part, name)
		}
		require.Empty(t, strings.Trim(refusal.Description(), printable()), name)

		_, err = j.Verify(t.Context(), clientOf(signJWT(t, "ES256", "", stranger, claims)))
		require.ErrorAs(t, err, &refusal, name)
		require.Empty(t, refusal.ClaimRefused(), name)
		require.Equal(t, "The assertion is not acceptable.", refusal.Description(), name)
	}
}

// printable returns the characters of error_description (RFC 6749 section 5.2).
func printable() string {
	var b strings.Builder
	for c := ' '; c <= '~'; c++ {
		if c != '"' && c != '\\' {
			b.WriteRune(c)
		}
	}
	return b.String()
}

// A client may have a limit of its own for how long its assertions are valid (RFC 7523
// section 3, item 4).
func TestClientAuth_AClientsOwnLifetimeReplacesTheLimit(t *testing.T) {
	t.Parallel()
	key := jwtTestKeys()["p256"]
	token := func(d time.Duration) string {
		return signJWT(t, "ES256", "", key, with(clientClaims(), "exp", jwtNow.Add(d).Unix()))
	}
	credentials := privateKeyJWT(key.Public())
	credentials.MaxLifetime = 2 * time.Hour
	j, _ := clientVerifier(t, nil, credentials)
	_, err := j.Verify(t.Context(), clientOf(token(2*time.Hour)))
	require.NoError(t, err)
	_, err = j.Verify(t.Context(), clientOf(token(3*time.Hour)))
	require.ErrorContains(t, err, "2h0m0s")

	credentials.MaxLifetime = 5 * time.Minute
	j, _ = clientVerifier(t, nil, credentials)
	_, err = j.Verify(t.Context(), clientOf(token(time.Hour)))
	require.ErrorContains(t, err, "5m0s")
}

// RFC 7517 section 5 lets a reader leave out a key that it cannot use. The operator
// learns which one and why.
func TestJWT_AKeyThatWasLeftOutIsNamed(t *testing.T) {
	t.Parallel()
	key := jwtTestKeys()["p256"]
	jwk := jwkOf("k", key.Public())
	jwk["use"] = "enc"
	credentials := ClientCredentials{Method: methodPrivateKeyJWT, JWKS: jwksOf(jwk)}
	j, _ := clientVerifier(t, nil, credentials)
	_, err := j.Verify(t.Context(), clientOf(signJWT(t, "ES256", "k", key, clientClaims())))
	requireReason(t, ReasonKey, err)
	require.ErrorContains(t, err, `its use is "enc", not sig`)
	require.Len(t, must(ParseJWKS(credentials.JWKS)).Dropped(), 1)
}

// The guide has a row for each reason, so that an administrator finds the one of an
// event.
//
// Holds: house: reason for operators.
func TestReasons_TheGuideHasEachOne(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("TRUST.md")
	require.NoError(t, err)
	source, err := os.ReadFile("reason.go")
	require.NoError(t, err)
	found := regexp.MustCompile(`Reason[A-Za-z]+ +Reason = "([a-z_]+)"`).FindAllSubmatch(source, -1)
	require.Greater(t, len(found), 20)
	for _, reason := range found {
		require.Regexp(t, "(?m)^\\|.*`"+string(reason[1])+"`.* \\|", string(guide))
	}
}
