package fositegrant

import (
	"context"
	"time"

	"github.com/ory/fosite"

	"github.com/grantwell/grantwell/storage"
)

// grantClient is a registered client in fosite's form, without its secrets. A handler that
// runs as a grant gets it: the server has authenticated the client already.
type grantClient struct{ storage.Client }

func (c grantClient) GetID() string                      { return c.ID }
func (c grantClient) GetHashedSecret() []byte            { return nil }
func (c grantClient) GetRedirectURIs() []string          { return c.RedirectURIs }
func (c grantClient) GetGrantTypes() fosite.Arguments    { return c.GrantTypes }
func (c grantClient) GetResponseTypes() fosite.Arguments { return c.ResponseTypes }
func (c grantClient) GetScopes() fosite.Arguments        { return c.Scope }
func (c grantClient) IsPublic() bool                     { return c.Public() }
func (c grantClient) GetAudience() fosite.Arguments      { return c.Audience }

// client is a registered client in fosite's form, with the hashes of its secrets. fosite
// itself authenticates it over [Store], and asks for more than a handler does.
type client struct{ grantClient }

var _ fosite.ClientWithSecretRotation = client{}

// GetHashedSecret returns the hash of the first secret that has not expired, or nil.
func (c client) GetHashedSecret() []byte {
	if hashes := c.hashes(); len(hashes) > 0 {
		return hashes[0]
	}
	return nil
}

// GetRotatedHashes returns the hashes of the other secrets that have not expired.
func (c client) GetRotatedHashes() [][]byte {
	if hashes := c.hashes(); len(hashes) > 1 {
		return hashes[1:]
	}
	return nil
}

// hashes returns the hashes of the secrets that have not expired.
func (c client) hashes() (live [][]byte) {
	for _, s := range c.Secrets {
		if s.ExpiresAt.IsZero() || time.Now().Before(s.ExpiresAt) {
			live = append(live, []byte(s.Hash))
		}
	}
	return live
}

// GetGrantTypes returns the client's grant types. The default is that of RFC 7591
// section 2.
func (c client) GetGrantTypes() fosite.Arguments {
	if c.GrantTypes == nil {
		return fosite.Arguments{"authorization_code"}
	}
	return c.GrantTypes
}

// GetResponseTypes returns the client's response types. The default is "code" for a client
// that may use authorization codes, and none for another.
func (c client) GetResponseTypes() fosite.Arguments {
	if len(c.ResponseTypes) == 0 && c.AllowsGrant("authorization_code") {
		return fosite.Arguments{"code"}
	}
	return c.ResponseTypes
}

// GetClient implements [fosite.ClientManager]. A disabled client is not found.
func (s *Storage) GetClient(ctx context.Context, id string) (fosite.Client, error) {
	c, err := s.clients.Client(ctx, id)
	switch {
	case err != nil:
		return nil, notFound(err)

	// A store that ignores case could return another client than the one asked for.
	case c.Disabled || c.ID != id:
		return nil, fosite.ErrNotFound
	}
	return client{grantClient{c}}, nil
}

// ClientAssertionJWTValid implements [fosite.ClientManager] and always succeeds. Another
// request could come between this check and SetClientAssertionJWT, so that one call there
// both checks and stores.
func (s *Storage) ClientAssertionJWTValid(context.Context, string) error {
	return nil
}

// SetClientAssertionJWT implements [fosite.ClientManager]. It succeeds for the first use
// of a jti. Later uses are refused with invalid_client until exp.
func (s *Storage) SetClientAssertionJWT(ctx context.Context, jti string, exp time.Time) error {
	// The name keeps these uses apart from those of Grantwell's own verifiers.
	first, err := storage.UseOnce(ctx, s.records, "fosite client assertion", jti, exp)
	if err == nil && !first {
		return fosite.ErrInvalidClient.WithHint("The client assertion was used before.").
			WithWrap(fosite.ErrJTIKnown)
	}
	return err
}
