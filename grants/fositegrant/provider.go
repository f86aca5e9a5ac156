package fositegrant

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/ory/fosite"
	"golang.org/x/crypto/bcrypt"

	"github.com/grantwell/grantwell/storage"
)

// client shows a registered client to fosite, with the hashes of its secrets.
type client struct{ grantClient }

var _ fosite.ClientWithSecretRotation = client{}

func (c client) GetHashedSecret() []byte {
	if hashes := c.hashes(); len(hashes) > 0 {
		return hashes[0]
	}
	return nil
}

// GetRotatedHashes returns the other secrets that are live.
func (c client) GetRotatedHashes() [][]byte {
	if hashes := c.hashes(); len(hashes) > 1 {
		return hashes[1:]
	}
	return nil
}

func (c client) hashes() (live [][]byte) {
	for _, s := range c.Secrets {
		if s.ExpiresAt.IsZero() || time.Now().Before(s.ExpiresAt) {
			live = append(live, []byte(s.Hash))
		}
	}
	return live
}

func (c client) GetGrantTypes() fosite.Arguments {
	if c.GrantTypes == nil {
		return fosite.Arguments{"authorization_code"}
	}
	return c.GrantTypes
}

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
	case c.Disabled || c.ID != id:
		return nil, fosite.ErrNotFound
	}
	return client{grantClient{c}}, nil
}

// ClientAssertionJWTValid implements [fosite.ClientManager]. It decides nothing: between a look and a mark there is room for
// another request, so that SetClientAssertionJWT does both.
func (s *Storage) ClientAssertionJWTValid(context.Context, string) error { return nil }

// SetClientAssertionJWT implements [fosite.ClientManager]: the first use of a jti succeeds.
func (s *Storage) SetClientAssertionJWT(ctx context.Context, jti string, exp time.Time) error {
	first, err := storage.UseOnce(ctx, s.records, "fosite client assertion", jti, exp)
	if err == nil && !first {
		return fosite.ErrInvalidClient.WithHint("The client assertion was used before.").WithWrap(fosite.ErrJTIKnown)
	}
	return err
}

// Hasher verifies the client secrets of Grantwell's registry under fosite: generated ones by SHA-256 in constant time, imported
// ones by bcrypt. It refuses everything else, an empty hash above all, which public clients have.
type Hasher struct{}

var _ fosite.Hasher = Hasher{}

var errSecret = errors.New("fositegrant: the secret does not match")

// Compare implements [fosite.Hasher].
func (Hasher) Compare(_ context.Context, hash, secret []byte) error {
	if len(hash) == 0 || len(secret) == 0 || len(secret) > 512 {
		return errSecret
	}
	if hash[0] == '$' {
		if len(secret) > 72 || bcrypt.CompareHashAndPassword(hash, secret) != nil {
			return errSecret
		}
		return nil
	}
	if subtle.ConstantTimeCompare([]byte(storage.HashSecret(string(secret)).Hash), hash) != 1 {
		return errSecret
	}
	return nil
}

// Hash implements [fosite.Hasher]. The secret is a generated one.
func (Hasher) Hash(_ context.Context, secret []byte) ([]byte, error) {
	return []byte(storage.HashSecret(string(secret)).Hash), nil
}

// Configure sets what fosite leaves loose and what [Store] needs, and fills the fields that fosite would fill while it serves,
// without a lock. Call it before the provider is made; what the host sets afterwards counts.
func Configure(c *fosite.Config) {
	c.ScopeStrategy, c.AudienceMatchingStrategy = fosite.ExactScopeStrategy, fosite.ExactAudienceMatchingStrategy
	c.ClientSecretsHasher = Hasher{}
	c.EnforcePKCE, c.EnablePKCEPlainChallengeMethod = true, false
	c.RedirectSecureChecker = fosite.IsRedirectURISecureStrict
	for _, name := range []string{"redirect_uri", "code_challenge", "code_challenge_method"} {
		if !slices.Contains(c.SanitationWhiteList, name) {
			c.SanitationWhiteList = append(c.SanitationWhiteList, name)
		}
	}
	if c.JWKSFetcherStrategy == nil {
		c.JWKSFetcherStrategy = noFetch{}
	}
	c.HTTPClient = c.GetHTTPClient(context.Background())
	if c.RefreshTokenScopes == nil {
		c.RefreshTokenScopes = c.GetRefreshTokenScopes(context.Background())
	}
	if c.MinParameterEntropy == 0 {
		c.MinParameterEntropy = fosite.MinParameterEntropy
	}
}

// noFetch fetches nothing: no client of Store has a JWKS in fosite's form.
type noFetch struct{ fosite.JWKSFetcherStrategy }

// Provider wraps a provider so that what [Store] refuses reaches the client as RFC 6749 section 5.2 says: fosite alone makes
// a server_error of a code that another request was quicker to redeem, and invalid_request of a refresh token that is used twice.
func Provider(p fosite.OAuth2Provider) fosite.OAuth2Provider { return provider{p} }

type provider struct{ fosite.OAuth2Provider }

// WriteAccessError implements [fosite.OAuth2Provider].
func (p provider) WriteAccessError(ctx context.Context, w http.ResponseWriter, r fosite.AccessRequester, err error) {
	p.OAuth2Provider.WriteAccessError(ctx, w, r, Remap(err))
}

// Remap is what [Provider] does to an error of the token endpoint, for a host that writes errors itself.
func Remap(err error) error {
	for _, spent := range []error{errLost, fosite.ErrInvalidatedAuthorizeCode, fosite.ErrInactiveToken, fosite.ErrTokenExpired,
		fosite.ErrTokenSignatureMismatch, fosite.ErrInvalidTokenFormat} {
		if errors.Is(err, spent) && !errors.Is(err, fosite.ErrInvalidClient) {
			return fosite.ErrInvalidGrant.WithWrap(err)
		}
	}
	return err
}
