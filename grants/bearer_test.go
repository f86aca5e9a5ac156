package grants_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/grantstest"
)

// verdict is a verifier made of a function.
type verdict func(r assertion.Request) (*assertion.Assertion, error)

// Verify implements assertion.Verifier.
func (v verdict) Verify(_ context.Context, r assertion.Request) (*assertion.Assertion, error) {
	return v(r)
}

// unsignedJWT returns a JWT that names an issuer and is not signed.
func unsignedJWT(t *testing.T, issuer string) string {
	t.Helper()
	claims, err := json.Marshal(map[string]string{"iss": issuer})
	require.NoError(t, err)
	return "e30." + base64.RawURLEncoding.EncodeToString(claims) + ".x"
}

// bearerRequest returns a request with an assertion of this issuer.
func bearerRequest(t *testing.T, issuer string, changes ...func(*grants.Request)) *grants.Request {
	t.Helper()
	return grantstest.Request(t, url.Values{"assertion": {unsignedJWT(t, issuer)}}, changes...)
}

func unauthenticated(r *grants.Request) { r.Authenticated = false }

// trusted returns a verifier that accepts every assertion, as one about ann by an
// issuer.
func trusted(issuer *assertion.Issuer) verdict {
	return func(assertion.Request) (*assertion.Assertion, error) {
		return &assertion.Assertion{
			Issuer:  issuer.ID,
			Subject: assertion.Subject{Value: "ann"},
			Expires: time.Now().Add(time.Minute),
			Trust:   issuer,
		}, nil
	}
}

// bearers are both grants with a verifier.
func bearers(v assertion.Verifier, rules grants.Bearer) map[string]grants.Handler {
	return map[string]grants.Handler{
		"JWT":  grants.JWTBearer{Verifier: v, Bearer: rules},
		"SAML": grants.SAMLBearer{Verifier: v, Bearer: rules},
	}
}

// A client that does not authenticate may use an assertion that it signed itself, and
// no other one: not that of a third party, nor that of an issuer which has the client's
// ID and does not sign for itself.
//
// Holds: RFC 7521 section 4.1; RFC 7523 section 3.1.
func TestBearer_ThirdPartyNeedsAClientThatAuthenticates(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		issuer string // as the assertion names it
		trust  assertion.Issuer
		ok     bool
	}{
		"third party":              {"https://idp.example", assertion.Issuer{ID: "https://idp.example"}, false},
		"itself":                   {"client", assertion.Issuer{ID: "client", JWT: assertion.JWTRules{SelfIssued: true}}, true},
		"itself, bound":            {"client", assertion.Issuer{ID: "client", BindClient: assertion.ClientBinding{Issuer: true}}, true},
		"the ID of the client":     {"client", assertion.Issuer{ID: "client"}, false},
		"another than it claimed":  {"client", assertion.Issuer{ID: "other", JWT: assertion.JWTRules{SelfIssued: true}}, false},
		"another client of itself": {"other", assertion.Issuer{ID: "other", JWT: assertion.JWTRules{SelfIssued: true}}, false},
	} {
		verified := 0
		v := verdict(func(r assertion.Request) (*assertion.Assertion, error) {
			verified++
			return trusted(&tt.trust)(r)
		})
		for format, g := range bearers(v, grants.Bearer{}) {
			verified = 0
			_, err := g.Handle(t.Context(), bearerRequest(t, tt.issuer, unauthenticated))
			if tt.ok {
				require.NoError(t, err, "%s %s", name, format)
				continue
			}
			require.Equal(t, "invalid_client", grants.ErrorOf(err).Code, "%s %s", name, format)
			require.Equal(t, grants.ReasonNoCredentials, grants.ErrorOf(err).Reason)
			if tt.issuer != "client" {
				require.Zero(t, verified, "a verified assertion would be spent")
			}

			_, err = g.Handle(t.Context(), bearerRequest(t, tt.issuer))
			require.NoError(t, err, "%s %s: the client authenticates", name, format)
		}
	}
}

// The verifier learns the use, the assertion, the client, the endpoint and the address.
//
// Holds: RFC 7522 section 3; RFC 7523 section 3.
func TestBearer_TellsTheVerifierWhereTheRequestCame(t *testing.T) {
	t.Parallel()
	remote := netip.MustParseAddr("192.0.2.7")
	var got assertion.Request
	v := verdict(func(r assertion.Request) (*assertion.Assertion, error) {
		got = r
		return trusted(&assertion.Issuer{ID: "https://idp.example"})(r)
	})
	for format, g := range bearers(v, grants.Bearer{}) {
		r := bearerRequest(t, "https://idp.example", func(r *grants.Request) { r.Remote = remote })
		_, err := g.Handle(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, assertion.Request{
			Use:       assertion.Grant,
			Assertion: r.Form.Get("assertion"),
			ClientID:  "client",
			Recipient: r.TokenEndpoint,
			Remote:    remote,
		}, got, format)
		require.NotEmpty(t, got.Recipient)
	}
}

// A grant by assertion is bound to the key of the request, ends with the assertion, and
// says when its user authenticated: the earliest time that the assertion names.
//
// Holds: RFC 7521 section 4.1.
func TestBearer_GrantIsBoundAndTimed(t *testing.T) {
	t.Parallel()
	first := time.Unix(1_700_000_000, 0)
	key := map[string]string{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}
	expires := time.Now().Add(time.Minute)
	for name, authn := range map[string][]assertion.Authn{
		"none":       nil,
		"one":        {{Instant: first}},
		"ascending":  {{Instant: first}, {Instant: first.Add(time.Hour)}},
		"descending": {{Instant: first.Add(time.Hour)}, {Instant: first}},
	} {
		v := verdict(func(assertion.Request) (*assertion.Assertion, error) {
			return &assertion.Assertion{
				Issuer:  "https://idp.example",
				Subject: assertion.Subject{Value: "ann"},
				Expires: expires,
				Authn:   authn,
				Trust:   &assertion.Issuer{ID: "https://idp.example", RefreshToken: true},
			}, nil
		})
		for _, outlive := range []bool{false, true} {
			for _, g := range bearers(v, grants.Bearer{OutliveAssertion: outlive}) {
				out, err := g.Handle(t.Context(), bearerRequest(t, "https://idp.example",
					func(r *grants.Request) { r.Confirmation = key }))
				require.NoError(t, err)
				require.Equal(t, "ann", out.Subject)
				require.Equal(t, key, out.Confirmation)
				require.True(t, out.Refresh)
				require.Equal(t, outlive, out.NotAfter.IsZero())
				if !outlive {
					require.Equal(t, expires, out.NotAfter)
				}
				if len(authn) > 0 {
					require.Equal(t, first, out.AuthTime, name)
				} else {
					require.Zero(t, out.AuthTime)
				}
			}
		}
	}
}

// A function of the host that fails refuses the assertion. A *Error of it is answered
// as it is, so that it can say that it could not decide; every other error is
// invalid_grant.
//
// Holds: house: hooks refuse; house: errors never grant; RFC 7521 section 4.1.
func TestBearer_FunctionsOfTheHostRefuse(t *testing.T) {
	t.Parallel()
	down := grants.Unavailable(errors.New("the directory is down"))
	denied := grants.AccessDenied("No.")
	for name, tt := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"plain":       {errors.New("no"), 400, "invalid_grant"},
		"unavailable": {down, 503, "temporarily_unavailable"},
		"denied":      {denied, 403, "access_denied"},
	} {
		byHook := grants.Bearer{Verified: func(context.Context, *grants.Request, *assertion.Assertion, *grants.Grant) error {
			return tt.err
		}}
		for hook, all := range map[string]map[string]grants.Handler{
			"Subject": bearers(trusted(&assertion.Issuer{
				ID:      "https://idp.example",
				Subject: func(context.Context, *assertion.Assertion) (string, error) { return "ann", tt.err },
			}), grants.Bearer{}),
			"Scopes": bearers(trusted(&assertion.Issuer{
				ID: "https://idp.example",
				Scopes: func(_ context.Context, _ *assertion.Assertion, asked []string) ([]string, error) {
					return asked, tt.err
				},
			}), grants.Bearer{}),
			"Verified": bearers(trusted(&assertion.Issuer{ID: "https://idp.example"}), byHook),
		} {
			for format, g := range all {
				out, err := g.Handle(t.Context(), bearerRequest(t, "https://idp.example"))
				require.Nil(t, out, "%s %s %s", name, hook, format)
				e := grants.ErrorOf(err)
				require.Equal(t, []any{tt.status, tt.code}, []any{e.Status, e.Code}, "%s %s %s", name, hook, format)
				require.ErrorIs(t, err, tt.err)
			}
		}
	}
}

// What the verifier says becomes the answer: a failure of the server is 503, so that the
// client does not throw a good assertion away.
//
// Holds: RFC 7521 section 4.1; house: errors never grant.
func TestBearer_VerdictBecomesTheAnswer(t *testing.T) {
	t.Parallel()
	for code, want := range map[string][]any{
		"server_error":    {503, "temporarily_unavailable"},
		"invalid_client":  {401, "invalid_client"},
		"invalid_request": {400, "invalid_request"},
		"invalid_grant":   {400, "invalid_grant"},
	} {
		v := verdict(func(assertion.Request) (*assertion.Assertion, error) {
			return nil, &assertion.Error{Code: code, Reason: assertion.ReasonUnavailable}
		})
		for _, g := range bearers(v, grants.Bearer{}) {
			_, err := g.Handle(t.Context(), bearerRequest(t, "https://idp.example"))
			e := grants.ErrorOf(err)
			require.Equal(t, want, []any{e.Status, e.Code}, code)
		}
	}

	for name, v := range map[string]verdict{
		"another error": func(assertion.Request) (*assertion.Assertion, error) { return nil, errors.New("x") },
		"no issuer":     func(assertion.Request) (*assertion.Assertion, error) { return &assertion.Assertion{}, nil },
	} {
		for _, g := range bearers(v, grants.Bearer{}) {
			_, err := g.Handle(t.Context(), bearerRequest(t, "https://idp.example"))
			require.Equal(t, "invalid_grant", grants.ErrorOf(err).Code, name)
		}
	}
}

// A request without an assertion is malformed, whether the client authenticated or not.
// A grant without a verifier is a fault of the configuration.
//
// Holds: RFC 7521 section 4.1; house: configuration errors.
func TestBearer_NeedsAnAssertionAndAVerifier(t *testing.T) {
	t.Parallel()
	for format, g := range bearers(idp{}, grants.Bearer{}) {
		_, err := g.Handle(t.Context(), grantstest.Request(t, nil))
		require.Equal(t, "invalid_request", grants.ErrorOf(err).Code, format)
		identifier, ok := g.(grants.Identifier)
		require.True(t, ok)
		_, err = identifier.Identify(t.Context(), grantstest.Request(t, nil))
		require.Equal(t, "invalid_request", grants.ErrorOf(err).Code, format)
		_, err = identifier.Identify(t.Context(), grantstest.Request(t, url.Values{"assertion": {"garbage"}}))
		require.Equal(t, "invalid_grant", grants.ErrorOf(err).Code, format)
	}
	for format, g := range bearers(nil, grants.Bearer{}) {
		checker, ok := g.(interface{ Check() error })
		require.True(t, ok)
		require.ErrorContains(t, checker.Check(), "Verifier is missing", format)
	}
	require.NoError(t, grants.SAMLBearer{Verifier: idp{}}.Check())
}
