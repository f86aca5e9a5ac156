package fositegrant

import (
	"context"
	"slices"

	"github.com/ory/fosite"
)

// Configure sets the options of a fosite configuration that [Store] needs: exact scopes and
// audiences, [Hasher], PKCE with S256 for every client, and the strict check of redirect
// URIs. It also fills the fields that fosite would fill while it serves, without a lock.
//
// Call it before the provider is made. The host may change the configuration afterwards.
func Configure(c *fosite.Config) {
	// The defaults of fosite accept wildcards in scopes and prefixes in audiences.
	c.ScopeStrategy = fosite.ExactScopeStrategy
	c.AudienceMatchingStrategy = fosite.ExactAudienceMatchingStrategy
	c.ClientSecretsHasher = Hasher{}
	// Without PKCE a code that leaks can be redeemed (RFC 9700 section 2.1.1).
	c.EnforcePKCE = true
	c.EnablePKCEPlainChallengeMethod = false
	c.RedirectSecureChecker = fosite.IsRedirectURISecureStrict

	// fosite removes other parameters from the request that it stores with a code.
	for _, name := range []string{"redirect_uri", "code_challenge", "code_challenge_method"} {
		if !slices.Contains(c.SanitationWhiteList, name) {
			c.SanitationWhiteList = append(c.SanitationWhiteList, name)
		}
	}

	// The rest are fields that fosite fills at their first use. Concurrent requests would
	// write to them at the same time.
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

// noFetch fetches no key set. The clients of Store have none in fosite's form.
type noFetch struct{ fosite.JWKSFetcherStrategy }
