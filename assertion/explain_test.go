package assertion

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// outcome returns the names of the steps of a report, those that were refused with their
// reasons.
func outcome(r *Report) string {
	var list []string
	for _, step := range r.Steps {
		name := step.Name
		if step.Err != nil {
			name += "!" + string(step.Err.Reason)
		}
		list = append(list, name)
	}
	return strings.Join(list, " ")
}

// A report of a JWT has every step in order. If the signature is valid it has every
// mistake, and the steps before are those of Verify.
//
// Holds: house: reason for operators.
func TestJWT_ExplainShowsAllAndUsesNothing(t *testing.T) {
	t.Parallel()
	key := jwtTestKeys()["p256"]
	stranger := jwtTestKeys()["p256b"]
	grant := func(claims jwtMap) Request { return grantOf(signGrant(t, claims)) }
	client := func(claims jwtMap) Request { return clientOf(signGrant(t, claims)) }
	many := with(with(with(grantClaims(), "exp", jwtNow.Add(-time.Hour).Unix()), "aud", "https://other.example"), "sub", nil)
	bound := func(i *Issuer) { i.Clients = []string{"other"} }

	const accepted = "parameter form issuer signature type content times audience subject and claims client replay"
	for name, c := range map[string]struct {
		request Request
		change  func(*Issuer)
		want    string
	}{
		"accepted":            {grant(grantClaims()), nil, accepted},
		"empty":               {grantOf(""), nil, "parameter!missing"},
		"too long":            {grantOf(strings.Repeat("a", 17000)), nil, "parameter!size"},
		"no JWT":              {grantOf("a.b"), nil, "parameter form!encoding"},
		"no iss":              {grant(with(grantClaims(), "iss", nil)), nil, "parameter form issuer!issuer"},
		"another issuer":      {grant(with(grantClaims(), "iss", "https://other.example")), nil, "parameter form issuer!issuer"},
		"another key":         {grantOf(signJWT(t, "ES256", "k", stranger, grantClaims())), nil, "parameter form issuer signature!signature"},
		"another kid":         {grantOf(signJWT(t, "ES256", "x", key, grantClaims())), nil, "parameter form issuer signature!key"},
		"another algorithm":   {grant(grantClaims()), func(i *Issuer) { i.Algorithms = []string{"RS256"} }, "parameter form issuer signature!algorithm"},
		"another type":        {grantOf(signRaw(t, "ES256", key, `{"alg":"ES256","kid":"k","typ":"at+jwt"}`, toJSON(grantClaims()))), nil, strings.Replace(accepted, " type", " type!type", 1)},
		"claims of no type":   {grant(with(grantClaims(), "exp", "soon")), nil, "parameter form issuer signature type content!content"},
		"every mistake":       {grant(many), nil, "parameter form issuer signature type content times!expired audience!audience subject and claims!subject client replay"},
		"not for this client": {grant(grantClaims()), bound, strings.Replace(accepted, " client", " client!client", 1)},
	} {
		j, replay := grantVerifier(t, nil, idp(c.change))
		requireExplained(t, name, j, replay, c.request, c.want)
	}

	const clientAccepted = "parameter form client signature type content times audience jti replay"
	for name, c := range map[string]struct {
		request Request
		want    string
	}{
		"client":                {client(clientClaims()), clientAccepted},
		"client: no sub":        {client(with(clientClaims(), "sub", nil)), "parameter form client!subject"},
		"client: unknown":       {client(with(with(clientClaims(), "iss", "x"), "sub", "x")), "parameter form client!issuer"},
		"client: another":       {Request{Use: ClientAuth, ClientID: "x", Assertion: signGrant(t, clientClaims())}, "parameter form client!client"},
		"client: broken store":  {client(with(with(clientClaims(), "iss", "broken"), "sub", "broken")), "parameter form client!unavailable"},
		"client: another key":   {clientOf(signJWT(t, "ES256", "k", stranger, clientClaims())), "parameter form client signature!signature"},
		"client: every mistake": {client(with(with(with(clientClaims(), "jti", nil), "aud", jwtEndpoint), "exp", nil)), "parameter form client signature type content times!lifetime audience!audience jti!content replay"},
		"client: disabled":      {grant(clientClaims()), "parameter!disabled"},
	} {
		j, replay := clientVerifier(t, nil, privateKeyJWT(key.Public()))
		requireExplained(t, name, j, replay, c.request, c.want)
	}
}

// requireExplained asserts the steps of a report, that it used nothing up, and that
// Verify agrees about the first refusal.
func requireExplained(t *testing.T, name string, j *JWTVerifier, replay *jwtReplay, r Request, want string) {
	t.Helper()
	j.c.Observe = nil
	report := j.Explain(t.Context(), r)
	require.Equal(t, FormatJWT, report.Format, name)
	require.Equal(t, want, outcome(report), "%s\n%s", name, report)
	require.Zero(t, replay.calls, name)
	require.Equal(t, report.Err == nil, report.Assertion != nil, name)

	got, err := j.Verify(t.Context(), r)
	if report.Err == nil {
		require.NoError(t, err, name)
		require.Equal(t, got, report.Assertion, name)
		require.Contains(t, report.String(), "signature: ok (verified by key "+got.KeyID+")", name)
		return
	}
	var refusal *Error
	require.ErrorAs(t, err, &refusal, name)
	require.Equal(t, refusal.Reason, report.Err.Reason, name)
	require.Equal(t, refusal.Code, report.Err.Code, name)
	require.Equal(t, refusal.Error(), report.Err.Error(), name)
	require.Contains(t, report.String(), "REFUSED "+refusal.Error(), name)
}

// A source that says why an issuer or client is unknown reaches the operator, and
// nothing of it the sender (RFC 7521 section 4.1.1).
func TestJWT_TheCauseOfAnUnknownSignerIsForTheOperator(t *testing.T) {
	t.Parallel()
	cause := errors.New("client has no keys")
	j, _ := newJWT(t, func(c *JWTConfig) {
		c.Issuers = issuerFunc(func(string) (*Issuer, error) { return nil, errors.Join(ErrUnknownIssuer, cause) })
		c.Clients = clientFunc(func(string) (ClientCredentials, error) {
			return ClientCredentials{}, errors.Join(ErrUnknownClient, cause)
		})
	})
	for _, r := range []Request{grantOf(signGrant(t, grantClaims())), clientOf(signGrant(t, clientClaims()))} {
		_, err := j.Verify(t.Context(), r)
		refusal := requireReason(t, ReasonIssuer, err)
		require.ErrorIs(t, err, cause)
		require.NotContains(t, refusal.Description(), "keys")
		require.ErrorIs(t, j.Explain(t.Context(), r).Err, cause)
	}

	// A bare error adds nothing to the text.
	bare, _ := grantVerifier(t, nil)
	_, err := bare.Verify(t.Context(), grantOf(signGrant(t, grantClaims())))
	require.NotContains(t, err.Error(), ErrUnknownIssuer.Error())
}

// A report says whether the certificate that the signer sends along is a configured one.
// It is not read for anything else.
func TestSAML_ExplainComparesTheCertificate(t *testing.T) {
	t.Parallel()
	keys := samlKeys()
	mine := keyInfo(testCertificate(t, keys.rsa, testNow, testNow))
	for name, c := range map[string]struct {
		keyInfo string
		says    string
	}{
		"not configured": {keyInfo(testCertificate(t, keys.stranger, testNow, testNow)), "which is not configured"},
		"configured":     {mine, "is of a configured key"},
		"none":           {"", "its KeyInfo has no certificate"},
		"another form":   {"<ds:KeyInfo><ds:KeyName>k</ds:KeyName></ds:KeyInfo>", "its KeyInfo has no certificate"},
		"no certificate": {"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>AAAA</ds:X509Certificate></ds:X509Data></ds:KeyInfo>", "cannot be read"},
		"no base64":      {"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>?</ds:X509Certificate></ds:X509Data></ds:KeyInfo>", "has no certificate"},
		"an element":     {"<ds:KeyInfo><ds:X509Data><ds:X509Certificate><a/></ds:X509Certificate></ds:X509Data></ds:KeyInfo>", "has no certificate"},
	} {
		doc := signing{key: keys.stranger, keyInfo: c.keyInfo}.sign(t, newDraft())
		report := newTestSAML(t, nil).Explain(t.Context(), Request{Assertion: encoded(doc)})
		require.Equal(t, ReasonSignature, report.Err.Reason, name)
		require.Contains(t, report.String(), c.says, name)
	}
}
