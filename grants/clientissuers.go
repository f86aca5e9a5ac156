package grants

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/storage"
)

// ClientIssuers trusts each registered client as the issuer of its own assertions (RFC 7523
// section 2.1). The issuer is the client ID, and the keys are those that the client is
// registered with: JWKS, JWKSURI and Certificates.
type ClientIssuers struct {
	// Clients are the registered clients. Required.
	Clients storage.Clients

	// Remote fetches the key set of a client that has a JWKSURI. If nil, an assertion of
	// such a client is refused with server_error.
	Remote *assertion.RemoteKeys

	// Subject returns the user that the client's assertion is about, and refuses a user
	// that the client may not act for. A *Error is answered as it is, for example one of
	// [Unavailable], and every other error with invalid_grant. If nil, the subject must be
	// the client itself.
	Subject func(ctx context.Context, c storage.Client, a *assertion.Assertion) (string, error)

	// MaxLifetime is how far in the future an assertion may expire. Zero is 5 minutes.
	// The client's own AssertionLifetime replaces it.
	MaxLifetime time.Duration

	// Others is asked about issuers that are no clients, such as identity providers. It
	// may be nil.
	Others assertion.IssuerSource
}

var _ assertion.IssuerSource = ClientIssuers{}

// defaultAssertionLifetime is the default of [ClientIssuers].MaxLifetime.
const defaultAssertionLifetime = 5 * time.Minute

// Issuer implements [assertion.IssuerSource]. A disabled client is no issuer.
func (s ClientIssuers) Issuer(ctx context.Context, id string) (*assertion.Issuer, error) {
	c, err := s.Clients.Client(ctx, id)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		if s.Others != nil {
			return s.Others.Issuer(ctx, id)
		}
		return nil, assertion.ErrUnknownIssuer
	case err != nil:
		return nil, err
	case c.Disabled:
		return nil, assertion.ErrUnknownIssuer
	}

	keys, source, err := clientKeys(&c, s.Remote)
	if err != nil {
		// Any caller can name this client, so it looks like one that does not exist
		// (RFC 7521 section 4.1.1). The cause is for the operator.
		return nil, fmt.Errorf("%w: %w", assertion.ErrUnknownIssuer, err)
	}
	issuer := &assertion.Issuer{
		ID:          c.ID,
		Clients:     []string{c.ID},
		BindClient:  assertion.ClientBinding{Issuer: true},
		MaxLifetime: s.MaxLifetime,
		Subject:     s.subject(c),
		AllowReuse:  c.ReuseAssertions,
		JWT: assertion.JWTRules{
			SelfIssued:       true,
			Keys:             source,
			CertificateDates: true,
			Lenient:          c.LenientAssertions,
		},
	}
	if c.AssertionLifetime > 0 {
		issuer.MaxLifetime = c.AssertionLifetime
	}
	if issuer.MaxLifetime == 0 {
		issuer.MaxLifetime = defaultAssertionLifetime
	}

	// SAML takes keys only from here. Fetched keys are for JWTs alone.
	if keys != nil {
		issuer.Keys = keys.PublicKeys()
	}
	return issuer, nil
}

// subject returns the rule for the subject of a client's assertions.
func (s ClientIssuers) subject(c storage.Client) func(context.Context, *assertion.Assertion) (string, error) {
	if s.Subject != nil {
		return func(ctx context.Context, a *assertion.Assertion) (string, error) {
			return s.Subject(ctx, c, a)
		}
	}
	return func(_ context.Context, a *assertion.Assertion) (string, error) {
		if a.Subject.Value != c.ID { // a JWT without sub is about its issuer
			return "", fmt.Errorf("grants: client %q may not act for a user", c.ID)
		}
		return c.ID, nil
	}
}

// clientKeys returns the keys that a client is registered with. keys is nil if they are
// fetched; source is never nil.
func clientKeys(c *storage.Client, remote *assertion.RemoteKeys) (
	keys *assertion.KeySet, source assertion.KeySetSource, err error,
) {
	if c.JWKSURI != "" {
		if remote == nil {
			return nil, nil, fmt.Errorf("grants: client %q has a jwks_uri, and Remote is nil", c.ID)
		}
		return nil, remote.URL(c.JWKSURI), nil
	}

	var all []any
	if len(c.JWKS) > 0 {
		set, err := assertion.ParseJWKS(c.JWKS)
		if err != nil {
			return nil, nil, fmt.Errorf("grants: jwks of client %q: %w", c.ID, err)
		}

		// The set has the key IDs, which a set of several sources has not.
		if c.Certificates == "" {
			return set, set, nil
		}
		for _, k := range set.PublicKeys() {
			all = append(all, k)
		}
	}
	if c.Certificates != "" {
		certs, err := assertion.ParseCertificates([]byte(c.Certificates))
		if err != nil {
			return nil, nil, fmt.Errorf("grants: certificates of client %q: %w", c.ID, err)
		}
		for _, cert := range certs {
			all = append(all, cert)
		}
	}

	if len(all) == 0 {
		return nil, nil, fmt.Errorf("grants: client %q has no keys", c.ID)
	}
	if keys, err = assertion.NewKeySet(all...); err != nil {
		return nil, nil, fmt.Errorf("grants: keys of client %q: %w", c.ID, err)
	}
	return keys, keys, nil
}
