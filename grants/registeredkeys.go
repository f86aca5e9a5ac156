package grants

import (
	"context"
	"errors"
	"fmt"

	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/storage"
)

// RegisteredKeys implements [assertion.ClientKeys] by the registered clients. A client with
// private_key_jwt authenticates by the keys that it is registered with, and a client with
// client_secret_jwt by its SharedKey (OpenID Connect Core section 9).
type RegisteredKeys struct {
	// Clients are the registered clients. Required.
	Clients storage.Clients

	// Remote fetches the key set of a client that has a JWKSURI. If nil, such a client
	// cannot authenticate.
	Remote *assertion.RemoteKeys
}

// ClientKeys implements [assertion.ClientKeys]. A client that is disabled, or has another
// authentication method, is unknown.
func (s RegisteredKeys) ClientKeys(ctx context.Context, id string) (assertion.ClientCredentials, error) {
	c, err := s.Clients.Client(ctx, id)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return assertion.ClientCredentials{}, assertion.ErrUnknownClient
	case err != nil:
		return assertion.ClientCredentials{}, err
	case c.Disabled:
		return assertion.ClientCredentials{}, assertion.ErrUnknownClient
	}

	out := assertion.ClientCredentials{
		Method:           c.Method(),
		Algorithm:        c.AuthSigningAlg,
		CertificateDates: true,
		Lenient:          c.LenientAssertions,
		MaxLifetime:      c.AssertionLifetime,
		LegacyAudience:   c.LegacyAssertionAudience,
	}
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
