package storage

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/grantwell/grantwell/internal/base/visible"
)

// maxSecrets is how many secrets of one client may be live at the same time:
// the current one and, while it is being replaced, the previous one.
const maxSecrets = 2

// maxCodeLifetime is the longest lifetime of an authorization code that
// RFC 6749 section 4.1.2 recommends.
const maxCodeLifetime = 10 * time.Minute

// A report takes one reason why a client must not be registered. The field is
// the member's name in the client's JSON.
type report func(field, format string, args ...any)

// clientRules are the rules that [Client.Validate] applies, one for each field
// or group of fields. A rule reports every fault that it finds.
var clientRules = [...]func(c *Client, fault report){
	checkClientID,
	checkAuthMethod,
	checkAlias,
	checkSecrets,
	checkKeys,
	checkRedirectURIs,
	checkScopes,
	checkOrigins,
	checkTexts,
	checkAccessToken,
	checkLifetimes,
	checkTimes,
}

// Validate returns every reason why the client must not be registered, joined,
// or nil. Each reason names its field as the client's JSON does.
func (c *Client) Validate() error {
	var faults []error
	fault := func(field, format string, args ...any) {
		reason := fmt.Sprintf(format, args...)
		faults = append(faults, fmt.Errorf("storage: client %s: %s", field, reason))
	}

	for _, rule := range clientRules {
		rule(c, fault)
	}
	return errors.Join(faults...)
}

// checkClientID judges the ID. It is a part of HTTP headers, form parameters and
// log lines, where other characters would need escapes.
func checkClientID(c *Client, fault report) {
	if c.ID == "" || len(c.ID) > 255 || !printable(c.ID) {
		fault("client_id", "needs 1 to 255 printable ASCII characters (RFC 6749 appendix A.1)")
	}
}

// checkAuthMethod reports what the client's authentication method needs and
// does not have, or forbids.
func checkAuthMethod(c *Client, fault report) {
	switch method := c.Method(); method {
	case AuthClientSecretBasic, AuthClientSecretPost:
		if len(c.Secrets) == 0 {
			fault("secrets", "%s needs a secret", method)
		}

	case AuthNone:
		checkPublic(c, fault)

	case AuthClientSecretJWT:
		if len(c.SharedKey) < 32 {
			fault("shared_key", "client_secret_jwt needs 32 bytes or more (RFC 7518 section 3.2)")
		}

	case AuthPrivateKeyJWT:
		if len(c.JWKS) == 0 && c.JWKSURI == "" && c.Certificates == "" {
			fault("jwks", "private_key_jwt needs a key: jwks, jwks_uri or certificates")
		}

	case AuthTLS, AuthSelfSignedTLS:
		// The host's own authenticator knows which certificate is the client's.

	case AuthExternal:
		if c.AliasOf == "" {
			fault("alias_of", "needed with %s", AuthExternal)
		}

	default:
		fault("token_endpoint_auth_method", "%q is not known", c.AuthMethod)
	}
}

// checkPublic reports what a client that cannot authenticate must not have.
func checkPublic(c *Client, fault report) {
	if len(c.Secrets) != 0 {
		fault("secrets", "a public client has none")
	}
	if c.AllowsGrant("client_credentials") {
		fault("grant_types", "client_credentials needs a client that authenticates (RFC 6749 section 4.4)")
	}
	if c.SkipConsent && !c.ForceSkipConsent {
		fault("skip_consent", "a public client can be imitated; set force_skip_consent to accept that")
	}
}

// checkSecrets judges the number and the form of the stored secrets. A secret in
// the clear has no known form, so it is refused.
func checkSecrets(c *Client, fault report) {
	if len(c.Secrets) > maxSecrets {
		fault("secrets", "at most %d may be live", maxSecrets)
	}
	for _, s := range c.Secrets {
		if !knownHash(s.Hash) {
			fault("secrets", "a hash is not sha256:, bcrypt, argon2id or pbkdf2")
		}
	}
}

// checkKeys judges where the client's public keys come from. The keys
// themselves are read when an assertion is verified.
func checkKeys(c *Client, fault report) {
	if len(c.JWKS) > 0 && c.JWKSURI != "" {
		fault("jwks_uri", "is exclusive with jwks (RFC 7591 section 2)")
	}
	if c.JWKSURI != "" && (!strings.HasPrefix(c.JWKSURI, "https://") || len(c.JWKSURI) > maxURI) {
		fault("jwks_uri", "needs https")
	}
	if len(c.JWKS) > 0 && !json.Valid(c.JWKS) {
		fault("jwks", "is not JSON")
	}
}

// checkRedirectURIs judges each redirect URI, and whether there has to be one.
func checkRedirectURIs(c *Client, fault report) {
	for _, u := range c.RedirectURIs {
		if err := CheckRedirectURI(u); err != nil {
			fault("redirect_uris", "%q %v", u, err)
		}
	}

	// These two grants end with a redirect (RFC 6749 section 3.1.2.2).
	redirects := c.AllowsGrant("authorization_code") || c.AllowsGrant("implicit")
	if redirects && len(c.RedirectURIs) == 0 {
		fault("redirect_uris", "needed for the authorization endpoint")
	}
}

// checkScopes judges the scopes. The client could never be granted a default
// scope outside of Scope.
func checkScopes(c *Client, fault report) {
	for _, s := range slices.Concat(c.Scope, c.DefaultScope) {
		if !ValidScope(s) {
			fault("scope", "%q has characters that RFC 6749 section 3.3 forbids", s)
		}
	}
	for _, s := range c.DefaultScope {
		if !slices.Contains(c.Scope, s) {
			fault("default_scope", "%q is not in scope", s)
		}
	}
}

// checkOrigins judges the JavaScript origins. An origin is compared byte for
// byte, so one in another spelling would never match. "null" would match every
// sandboxed page.
func checkOrigins(c *Client, fault report) {
	for _, o := range c.Origins {
		if err := CheckOrigin(o); err != nil {
			fault("origins", "%q %v", o, err)
		}
	}
}

// checkTexts judges what users read. A bidirectional override or a line break lets a
// name say something else than it seems to.
func checkTexts(c *Client, fault report) {
	for _, text := range []struct{ field, value string }{
		{"client_name", c.Name},
		{"description", c.Description},
	} {
		if !visible.Check(text.value) {
			fault(text.field, "has a line break, a control or another invisible character")
		}
	}
}

// checkAccessToken judges the format of the client's access tokens.
func checkAccessToken(c *Client, fault report) {
	switch c.AccessTokenFormat {
	case "", "opaque", "jwt":
	default:
		fault("access_token_format", "is opaque or jwt")
	}
}

// checkLifetimes judges the client's own lifetimes. Zero is the server's.
func checkLifetimes(c *Client, fault report) {
	if c.RefreshRetryWindow < 0 || c.RefreshRetryWindow > 5*time.Minute {
		fault("refresh_retry_window", "must be between 0 and 5 minutes")
	}
	if c.AssertionLifetime < 0 || c.AssertionLifetime > MaxAssertionLifetime {
		fault("assertion_lifetime", "must be between 0 and 24 hours")
	}
	negative := c.AccessTokenLifetime < 0 || c.RefreshTokenLifetime < 0 || c.CodeLifetime < 0
	if negative || c.CodeLifetime > maxCodeLifetime {
		fault("lifetimes", "must not be negative, nor a code's above 10 minutes (RFC 6749 section 4.1.2)")
	}
}

// checkTimes judges the points in time, which a store has to be able to keep.
func checkTimes(c *Client, fault report) {
	const reason = "is outside of the years 1 to 9999 (RFC 3339 section 1)"
	if !keepable(lastSecondJSON, c.CreatedAt) {
		fault("created_at", reason)
	}
	if !keepable(lastSecondJSON, c.TokensNotBefore) {
		fault("tokens_not_before", reason)
	}
	for _, s := range c.Secrets {
		if !keepable(lastSecondJSON, s.ExpiresAt) {
			fault("secrets", "expires_at %s", reason)
		}
	}
}

// ValidScope reports whether s is one scope-token of RFC 6749 section 3.3 with
// at most 256 characters.
func ValidScope(s string) bool {
	if s == "" || len(s) > 256 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// printable reports whether s has printable ASCII characters only.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
