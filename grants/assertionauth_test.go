package grants_test

import (
	"errors"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

// The verifier learns that the assertion is to authenticate a client, and which one. A
// failure of the server is 503, and every other verdict stays as it is.
//
// Holds: RFC 7521 section 4.2.1; house: errors never grant.
func TestAssertionAuth_AsksAboutTheClient(t *testing.T) {
	t.Parallel()
	var got assertion.Request
	var verdictErr error
	a := grants.AssertionAuth{Verifier: verdict(func(r assertion.Request) (*assertion.Assertion, error) {
		got = r
		return nil, verdictErr
	})}
	form := url.Values{"client_assertion": {"jwt"}, "client_assertion_type": {assertion.ClientJWT}}
	verify := func() error { return a.Verify(t.Context(), nil, form, storage.Client{ID: "client"}) }

	require.NoError(t, verify())
	require.Equal(t, assertion.Request{Use: assertion.ClientAuth, Assertion: "jwt", ClientID: "client"}, got)
	verdictErr = &assertion.Error{Code: "server_error", Reason: assertion.ReasonUnavailable}
	require.Equal(t, 503, grants.ErrorOf(verify()).Status)
	for _, err := range []error{&assertion.Error{Code: "invalid_client"}, errors.New("x")} {
		verdictErr = err
		require.Equal(t, err, verify())
	}
}

// An assertion is presented if it is there and has the type of a JWT. One that cannot
// be read is presented too, and names no client.
//
// Holds: RFC 7521 section 4.2; RFC 7521 section 4.2.1.
func TestAssertionAuth_PresentedByItsType(t *testing.T) {
	t.Parallel()
	jwt := unsignedJWT(t, "client")
	for name, tt := range map[string]struct {
		assertion, kind string
		id              string
		ok              bool
	}{
		"a JWT":       {jwt, assertion.ClientJWT, "client", true},
		"garbage":     {"garbage", assertion.ClientJWT, "", true},
		"no type":     {jwt, "", "", false},
		"SAML":        {jwt, "urn:ietf:params:oauth:client-assertion-type:saml2-bearer", "", false},
		"a type only": {"", assertion.ClientJWT, "", false},
		"nothing":     {"", "", "", false},
	} {
		id, ok := grants.AssertionAuth{}.Presented(nil, url.Values{
			"client_assertion":      {tt.assertion},
			"client_assertion_type": {tt.kind},
		})
		require.Equal(t, []any{tt.id, tt.ok}, []any{id, ok}, name)
	}
}

// The algorithms follow the methods that are offered.
//
// Holds: RFC 8414 section 2.
func TestAssertionAuth_AlgorithmsFollowTheMethods(t *testing.T) {
	t.Parallel()
	public := []string{
		"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
	}
	shared := []string{"HS256", "HS384", "HS512"}
	for name, tt := range map[string]struct{ only, want []string }{
		"both":    {nil, append(append([]string{}, public...), shared...)},
		"private": {[]string{storage.AuthPrivateKeyJWT}, public},
		"shared":  {[]string{storage.AuthClientSecretJWT}, shared},
	} {
		require.Equal(t, tt.want, grants.AssertionAuth{Only: tt.only}.SigningAlgorithms(), name)
	}
}
