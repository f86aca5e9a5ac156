package grants

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/storage"
)

// ClientIssuers trusts the registered clients as issuers of assertions about themselves: the issuer is the client ID, the
// keys are those registered for it (JWKS, JWKSURI, Certificates).
type ClientIssuers struct {
	Clients storage.Clients       // required
	Remote  *assertion.RemoteKeys // fetches JWKSURI; nil: clients with a JWKSURI have no keys here
	// Subject decides which users a client may speak for. nil: none, the subject is the client.
	Subject func(ctx context.Context, c storage.Client, a *assertion.Assertion) (string, error)
	// MaxLifetime is how far away an assertion's expiry may be. Zero: 5 minutes.
	MaxLifetime time.Duration
	// Others are asked about issuers that are not clients: identity providers, other authorization servers. May be nil.
	Others assertion.IssuerSource
}

var _ assertion.IssuerSource = ClientIssuers{}

// Issuer implements [assertion.IssuerSource].
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
	life := s.MaxLifetime
	if life == 0 {
		life = 5 * time.Minute
	}
	issuer := &assertion.Issuer{ID: c.ID, Clients: []string{c.ID}, BindClient: assertion.ClientBinding{Issuer: true}, MaxLifetime: life,
		JWT: assertion.JWTRules{SelfIssued: true, Keys: source, CertificateDates: true, Lenient: c.LenientAssertions}}
	if keys != nil {
		issuer.Keys = keys.PublicKeys()
	}
	if s.Subject != nil {
		issuer.Subject = func(ctx context.Context, a *assertion.Assertion) (string, error) { return s.Subject(ctx, c, a) }
	} else {
		issuer.Subject = func(_ context.Context, a *assertion.Assertion) (string, error) {
			if v := a.Subject.Value; v != "" && v != c.ID {
				return "", fmt.Errorf("grants: client %q may not speak for a user", c.ID)
			}
			return c.ID, nil
		}
	}
	return issuer, nil
}

// clientKeys are the keys that a client is registered with. keys is nil when they are fetched.
func clientKeys(c *storage.Client, remote *assertion.RemoteKeys) (keys *assertion.KeySet, source assertion.KeySetSource, err error) {
	if c.JWKSURI != "" {
		if remote == nil {
			return nil, nil, fmt.Errorf("grants: client %q has a jwks_uri and nothing fetches it", c.ID)
		}
		return nil, remote.URL(c.JWKSURI), nil
	}
	var all []any
	if len(c.JWKS) > 0 {
		set, err := assertion.ParseJWKS(c.JWKS)
		if err != nil {
			return nil, nil, fmt.Errorf("grants: jwks of client %q: %w", c.ID, err)
		}
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

// RegisteredKeys answers [assertion.JWTConfig].Clients from the registered clients: private_key_jwt by their keys,
// client_secret_jwt by their SharedKey.
type RegisteredKeys struct {
	Clients storage.Clients       // required
	Remote  *assertion.RemoteKeys // fetches JWKSURI; nil: clients with a JWKSURI cannot authenticate
}

// ClientKeys implements [assertion.ClientKeys].
func (s RegisteredKeys) ClientKeys(ctx context.Context, id string) (assertion.ClientCredentials, error) {
	c, err := s.Clients.Client(ctx, id)
	if errors.Is(err, storage.ErrNotFound) || err == nil && c.Disabled {
		return assertion.ClientCredentials{}, assertion.ErrUnknownClient
	} else if err != nil {
		return assertion.ClientCredentials{}, err
	}
	out := assertion.ClientCredentials{Method: c.Method(), Algorithm: c.AuthSigningAlg, CertificateDates: true, Lenient: c.LenientAssertions}
	switch c.Method() {
	case storage.AuthPrivateKeyJWT:
		if _, out.Keys, err = clientKeys(&c, s.Remote); err != nil {
			err = fmt.Errorf("%w: %w", assertion.ErrUnknownClient, err)
		}
	case storage.AuthClientSecretJWT:
		out.Secrets = [][]byte{c.SharedKey}
	default:
		return out, assertion.ErrUnknownClient
	}
	return out, err
}

// Replay keeps used assertions among the records, so that every instance knows of them.
type Replay struct{ Records storage.Records }

// Use implements [assertion.ReplayStore].
func (r Replay) Use(ctx context.Context, issuer, id string, until time.Time) (bool, error) {
	return storage.UseOnce(ctx, r.Records, "assertion "+issuer, id, until)
}
