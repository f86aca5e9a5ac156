package grants

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/storage"
)

// AssertionAuth authenticates clients by a JWT that they sign (RFC 7523 section 2.2):
// private_key_jwt and client_secret_jwt.
//
// The answer to an assertion that does not hold is the same for every client, but its
// time is not: only for a client that exists is there a key to try. A caller who
// measures it can learn which IDs exist, 1000 of them a minute from one address (the kind
// "assertion" of package grants/limit).
type AssertionAuth struct {
	// Verifier is an assertion.NewJWT with JWTConfig.Clients, for example a
	// [RegisteredKeys]. Required.
	Verifier assertion.Verifier
	// Only is the methods offered. Empty: private_key_jwt and client_secret_jwt.
	Only []string
}

// Methods returns the methods offered.
func (a AssertionAuth) Methods() []string {
	if len(a.Only) > 0 {
		return a.Only
	}

	return []string{storage.AuthPrivateKeyJWT, storage.AuthClientSecretJWT}
}

// SigningAlgorithms returns what the methods offered may be signed with, for the
// metadata (RFC 8414 section 2).
func (a AssertionAuth) SigningAlgorithms() []string {
	var all []string
	if slices.Contains(a.Methods(), storage.AuthPrivateKeyJWT) {
		all = append(all, "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
			"ES256", "ES384", "ES512", "EdDSA", "Ed25519")
	}
	if slices.Contains(a.Methods(), storage.AuthClientSecretJWT) {
		all = append(all, "HS256", "HS384", "HS512")
	}

	return all
}

// Presented reports whether the request carries a client assertion, and the client
// that the assertion names, unverified.
func (a AssertionAuth) Presented(_ *http.Request, form url.Values) (clientID string, ok bool) {
	raw := form.Get("client_assertion")
	if raw == "" || form.Get("client_assertion_type") != assertion.ClientJWT {
		return "", false
	}
	id, err := assertion.ClaimedIssuer(assertion.FormatJWT, raw)
	if err != nil {
		return "", true
	}

	return id, true
}

// Verify verifies the assertion for the client that it names.
func (a AssertionAuth) Verify(ctx context.Context, _ *http.Request, form url.Values, c storage.Client) error {
	_, err := a.Verifier.Verify(ctx, assertion.Request{
		Use:       assertion.ClientAuth,
		Assertion: form.Get("client_assertion"),
		ClientID:  c.ID,
	})
	var e *assertion.Error
	if errors.As(err, &e) && e.Code == "server_error" {
		return Unavailable(err)
	}

	return err
}
