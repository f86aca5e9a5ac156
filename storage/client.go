package storage

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The client authentication methods of RFC 7591 section 2 and RFC 8705 section 2.
// Which of them a server offers is its configuration's business; a client is registered for exactly one.
const (
	AuthNone              = "none" // a public client
	AuthClientSecretBasic = "client_secret_basic"
	AuthClientSecretPost  = "client_secret_post"
	AuthClientSecretJWT   = "client_secret_jwt"
	AuthPrivateKeyJWT     = "private_key_jwt"
	AuthTLS               = "tls_client_auth"
	AuthSelfSignedTLS     = "self_signed_tls_client_auth"

	// AuthExternal is the method of a client that authenticates at another authorization server only: see [Client].AliasOf.
	AuthExternal = "external"
)

// Client is a registered client. Field names follow RFC 7591 section 2; durations in JSON are nanoseconds.
// It is a value: a store copies it on the way in and out.
type Client struct {
	ID       string `json:"client_id"`
	Disabled bool   `json:"disabled,omitempty"` // refused at every endpoint, and its tokens do not validate

	// AliasOf attaches the ID that a client has at another authorization server to the client here whose ID this is: access
	// tokens of that server then resolve to it. The ID of such an entry is an [ExternalID], its method [AuthExternal], and it
	// has nothing else but what describes it: no endpoint serves it. It can be disabled alone, and is with the other.
	AliasOf string `json:"alias_of,omitempty"`

	// AuthMethod is the one method that the client authenticates with. Empty is [AuthClientSecretBasic].
	AuthMethod string   `json:"token_endpoint_auth_method,omitempty"`
	Secrets    []Secret `json:"secrets,omitempty"` // those that are live; at most 2, for rotation with overlap

	JWKS    json.RawMessage `json:"jwks,omitempty"`     // public keys, a JWK Set (RFC 7517 section 5)
	JWKSURI string          `json:"jwks_uri,omitempty"` // or where they are; never both

	// Certificates are X.509 certificates in PEM whose keys verify the client's assertions, besides those of JWKS.
	Certificates string `json:"certificates,omitempty"`
	// SharedKey is the plain key of client_secret_jwt, which no hash can verify. A store of such clients should be
	// encrypted at rest. HS256 needs 32 bytes.
	SharedKey []byte `json:"shared_key,omitempty"`
	// AuthSigningAlg is token_endpoint_auth_signing_alg: the one algorithm of the client's assertions. Empty: any of its method.
	AuthSigningAlg string `json:"token_endpoint_auth_signing_alg,omitempty"`
	// LenientAssertions takes assertions with base64 padding or with times as strings, as some gateways' clients make them.
	LenientAssertions bool `json:"lenient_assertions,omitempty"`

	GrantTypes    []string `json:"grant_types,omitempty"`    // empty: authorization_code, as in RFC 7591
	ResponseTypes []string `json:"response_types,omitempty"` // empty: code, if the client has authorization_code
	RedirectURIs  []string `json:"redirect_uris,omitempty"`  // absolute, compared byte for byte

	Scope        []string `json:"scope,omitempty"`         // what the client may be granted
	DefaultScope []string `json:"default_scope,omitempty"` // what it gets when it asks for nothing; part of Scope
	Audience     []string `json:"audience,omitempty"`      // resource servers that its tokens may be meant for; the first is the default
	Resources    []string `json:"resources,omitempty"`     // audiences that this client answers to as a resource server: it may introspect tokens meant for them
	Origins      []string `json:"origins,omitempty"`       // JavaScript origins that CORS answers to, for example https://app.example

	// Lifetimes that win over the server's. Zero: the server's.
	AccessTokenLifetime  time.Duration `json:"access_token_lifetime,omitempty"`
	RefreshTokenLifetime time.Duration `json:"refresh_token_lifetime,omitempty"`
	CodeLifetime         time.Duration `json:"code_lifetime,omitempty"`
	// AccessTokenFormat is "opaque" or "jwt". Empty: the server's.
	AccessTokenFormat string `json:"access_token_format,omitempty"`

	RequirePKCE bool `json:"require_pkce,omitempty"` // also of a confidential client (RFC 7636)
	// SkipConsent grants valid requested scopes without asking the user. Refused for a public client,
	// which anybody can imitate, unless ForceSkipConsent says that the host knows.
	SkipConsent      bool `json:"skip_consent,omitempty"`
	ForceSkipConsent bool `json:"force_skip_consent,omitempty"`

	Name        string   `json:"client_name,omitempty"`
	Description string   `json:"description,omitempty"`
	LogoURI     string   `json:"logo_uri,omitempty"` // https or data:image; shown on the consent page, never fetched by the server
	ClientURI   string   `json:"client_uri,omitempty"`
	PolicyURI   string   `json:"policy_uri,omitempty"`
	TOSURI      string   `json:"tos_uri,omitempty"`
	Contacts    []string `json:"contacts,omitempty"`

	Owner     string    `json:"owner,omitempty"`
	CreatedBy string    `json:"created_by,omitempty"`
	CreatedAt time.Time `json:"created_at,omitzero"`

	// TokensNotBefore ends at once what was issued to this ID before it, however much that is: codes, tokens and consents
	// with an earlier IssuedAt are refused. For a client whose tokens are all to end, and for an ID that is
	// registered again after it was deleted: what its last holder had must not come back to life. Zero: nothing ended.
	TokensNotBefore time.Time `json:"tokens_not_before,omitzero"`

	// Metadata is the host's own; Grantwell carries it and reads none of it.
	Metadata map[string]string `json:"metadata,omitempty"`
}

// Secret is a client secret as it is stored: hashed.
type Secret struct {
	// Hash is "sha256:" and base64url(SHA-256(secret)) for generated secrets (see [HashSecret]),
	// or a bcrypt ("$2a$", "$2b$", "$2y$"), argon2id ("$argon2id$") or PBKDF2 ("$pbkdf2-sha256$", "$pbkdf2-sha512$")
	// string for imported ones: see [ImportSecret].
	Hash      string    `json:"hash"`
	ExpiresAt time.Time `json:"expires_at,omitzero"` // zero: never
}

// HashSecret returns the stored form of a generated secret, one of 128 random bits or more.
// A secret that a person chose needs bcrypt or argon2id instead: SHA-256 is quick to guess.
func HashSecret(secret string) Secret {
	sum := sha256.Sum256([]byte(secret))
	return Secret{Hash: "sha256:" + base64.RawURLEncoding.EncodeToString(sum[:])}
}

// Public tells whether the client has no means to authenticate (RFC 6749 section 2.1).
func (c Client) Public() bool { return c.AuthMethod == AuthNone }

// Method returns AuthMethod with its default.
func (c Client) Method() string {
	if c.AuthMethod == "" {
		return AuthClientSecretBasic
	}
	return c.AuthMethod
}

// Ended tells whether what was issued to the client at this time ended by [Client].TokensNotBefore.
func (c Client) Ended(issuedAt time.Time) bool { return issuedAt.Before(c.TokensNotBefore) }

// Equal tells whether two clients have the same value in every field; nil and empty are the same. It is what
// a [Swapper] compares by.
func (c Client) Equal(other Client) bool {
	a, err1 := json.Marshal(c)
	b, err2 := json.Marshal(other)
	return err1 == nil && err2 == nil && bytes.Equal(a, b)
}

// AllowsGrant tells whether the client is registered for this grant type.
func (c Client) AllowsGrant(grantType string) bool {
	if c.AliasOf != "" {
		return false
	}
	if len(c.GrantTypes) == 0 {
		return grantType == "authorization_code"
	}
	return slices.Contains(c.GrantTypes, grantType)
}

// AllowsResponse tells whether the client is registered for this response type,
// whose values may come in any order (RFC 6749 section 3.1.1).
func (c Client) AllowsResponse(responseType string) bool {
	registered := c.ResponseTypes
	if len(registered) == 0 {
		if !c.AllowsGrant("authorization_code") {
			return false
		}
		registered = []string{"code"}
	}
	want := sortedFields(responseType)
	return slices.ContainsFunc(registered, func(r string) bool { return slices.Equal(sortedFields(r), want) })
}

func sortedFields(s string) []string {
	f := strings.Fields(s)
	slices.Sort(f)
	return f
}

// Clone returns a copy that shares no memory with c.
func (c Client) Clone() Client {
	c.Secrets = slices.Clone(c.Secrets)
	c.JWKS, c.SharedKey = slices.Clone(c.JWKS), slices.Clone(c.SharedKey)
	lists := [...]*[]string{&c.GrantTypes, &c.ResponseTypes, &c.RedirectURIs, &c.Scope, &c.DefaultScope, &c.Audience, &c.Resources, &c.Origins, &c.Contacts}
	n := 0
	for _, l := range lists {
		n += len(*l)
	}
	all := make([]string, 0, n) // one allocation for every list: stores clone at each look-up
	for _, l := range lists {
		if *l != nil {
			from := len(all)
			all = append(all, *l...)
			*l = all[from:len(all):len(all)] // whoever appends to one does not reach the next
		}
	}
	if c.Metadata != nil {
		m := make(map[string]string, len(c.Metadata))
		for k, v := range c.Metadata {
			m[k] = v
		}
		c.Metadata = m
	}
	return c
}

// Validate returns every reason why the client must not be registered, each naming its field, or nil.
func (c Client) Validate() error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("storage: client %s: %s", field, fmt.Sprintf(format, args...)))
	}
	if c.ID == "" || len(c.ID) > 255 || !printable(c.ID) {
		bad("client_id", "needs 1 to 255 printable ASCII characters (RFC 6749 appendix A.1)")
	}
	switch c.Method() {
	case AuthClientSecretBasic, AuthClientSecretPost:
		if len(c.Secrets) == 0 {
			bad("secrets", "%s needs a secret", c.Method())
		}
	case AuthNone:
		if len(c.Secrets) != 0 {
			bad("secrets", "a public client has none")
		}
		if c.AllowsGrant("client_credentials") {
			bad("grant_types", "client_credentials needs a client that authenticates (RFC 6749 section 4.4)")
		}
		if c.SkipConsent && !c.ForceSkipConsent {
			bad("skip_consent", "a public client can be imitated; set force_skip_consent to accept that")
		}
	case AuthClientSecretJWT:
		if len(c.SharedKey) < 32 {
			bad("shared_key", "client_secret_jwt needs 32 bytes or more (RFC 7518 section 3.2)")
		}
	case AuthPrivateKeyJWT:
		if len(c.JWKS) == 0 && c.JWKSURI == "" && c.Certificates == "" {
			bad("jwks", "private_key_jwt needs a key: jwks, jwks_uri or certificates")
		}
	case AuthTLS, AuthSelfSignedTLS:
	case AuthExternal:
		if c.AliasOf == "" {
			bad("alias_of", "needed with %s", AuthExternal)
		}
	default:
		bad("token_endpoint_auth_method", "%q is not known", c.AuthMethod)
	}
	if c.AliasOf != "" {
		c.checkAlias(bad)
	}
	if len(c.Secrets) > 2 {
		bad("secrets", "at most 2 may be live")
	}
	for _, s := range c.Secrets {
		if !knownHash(s.Hash) {
			bad("secrets", "a hash is not sha256:, bcrypt, argon2id or pbkdf2")
		}
	}
	if len(c.JWKS) > 0 && c.JWKSURI != "" {
		bad("jwks_uri", "is exclusive with jwks (RFC 7591 section 2)")
	}
	if c.JWKSURI != "" && (!strings.HasPrefix(c.JWKSURI, "https://") || len(c.JWKSURI) > 2048) {
		bad("jwks_uri", "needs https")
	}
	if len(c.JWKS) > 0 && !json.Valid(c.JWKS) {
		bad("jwks", "is not JSON")
	}
	for _, u := range c.RedirectURIs {
		if err := CheckRedirectURI(u); err != nil {
			bad("redirect_uris", "%q %v", u, err)
		}
	}
	needsRedirect := c.AllowsGrant("authorization_code") || c.AllowsGrant("implicit")
	if needsRedirect && len(c.RedirectURIs) == 0 {
		bad("redirect_uris", "needed for the authorization endpoint")
	}
	for _, s := range append(slices.Clone(c.Scope), c.DefaultScope...) {
		if !ValidScope(s) {
			bad("scope", "%q has characters that RFC 6749 section 3.3 forbids", s)
		}
	}
	for _, s := range c.DefaultScope {
		if !slices.Contains(c.Scope, s) {
			bad("default_scope", "%q is not in scope", s)
		}
	}
	for _, o := range c.Origins {
		if u, err := url.Parse(o); err != nil || o == "null" || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || o != u.Scheme+"://"+u.Host {
			bad("origins", "%q is not scheme://host[:port]", o)
		}
	}
	if c.AccessTokenFormat != "" && c.AccessTokenFormat != "opaque" && c.AccessTokenFormat != "jwt" {
		bad("access_token_format", "is opaque or jwt")
	}
	if c.AccessTokenLifetime < 0 || c.RefreshTokenLifetime < 0 || c.CodeLifetime < 0 || c.CodeLifetime > 10*time.Minute {
		bad("lifetimes", "must not be negative, nor a code's above 10 minutes (RFC 6749 section 4.1.2)")
	}
	return errors.Join(errs...)
}

// CheckRedirectURI tells why a redirect URI must not be registered: it is not absolute, carries a fragment
// (RFC 6749 section 3.1.2), user information, a wildcard or characters that parsers disagree about, uses
// plain http other than to this machine (RFC 9700 section 2.6), a scheme that runs code,
// a private-use scheme without a dot (RFC 8252 section 8.4), or a query that holds a parameter of the response.
func CheckRedirectURI(raw string) error {
	if strings.TrimSpace(raw) == "" {
		return errors.New("is empty")
	}
	if len(raw) > 2048 || !printable(raw) || strings.ContainsAny(raw, " \\<>\"`{}|^") {
		return errors.New("is too long or has characters that a URI cannot have")
	}
	if strings.Contains(raw, "#") {
		return errors.New("has a fragment")
	}
	if strings.Contains(raw, "*") { // it would match nothing but itself
		return errors.New("has a wildcard")
	}
	u, err := url.Parse(raw)
	if err != nil || !u.IsAbs() || !strings.HasPrefix(raw, u.Scheme+":") {
		return errors.New("is not an absolute URI with a lower-case scheme")
	}
	if u.User != nil {
		return errors.New("has user information")
	}
	if holdsResponse(u.RawQuery) {
		return errors.New("has a query with a parameter of the response")
	}
	switch u.Scheme {
	case "https", "http":
		host := u.Hostname()
		if host == "" || host != strings.ToLower(host) || strings.Contains(host, "%") {
			return errors.New("has no host, a zone, or upper-case letters in it")
		}
		if u.Scheme == "http" && !loopback(host) {
			return errors.New("is plain http to another machine")
		}
	case "javascript", "data", "vbscript", "file", "blob", "about", "filesystem", "view-source":
		return fmt.Errorf("has the scheme %s", u.Scheme)
	default:
		if !strings.Contains(u.Scheme, ".") {
			return errors.New("has a private-use scheme without a dot")
		}
	}
	return nil
}

// holdsResponse tells whether a query has a parameter that an authorization response has too. The client would
// see it twice, and might believe the wrong one.
func holdsResponse(query string) bool {
	for pair := range strings.FieldsFuncSeq(query, func(c rune) bool { return c == '&' || c == ';' }) {
		name, _, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(name); err == nil {
			name = decoded
		}
		switch name {
		case "code", "state", "iss", "error", "error_description", "access_token", "id_token", "response":
			return true
		}
	}
	return false
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// ValidScope tells whether s is one scope-token of RFC 6749 section 3.3, at most 256 characters.
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

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

func knownHash(h string) bool {
	if b64, ok := strings.CutPrefix(h, "sha256:"); ok {
		sum, err := base64.RawURLEncoding.DecodeString(b64)
		return err == nil && len(sum) == sha256.Size
	}
	for _, p := range []string{"$2a$", "$2b$", "$2y$", "$argon2id$", "$pbkdf2-sha256$", "$pbkdf2-sha512$"} {
		if strings.HasPrefix(h, p) {
			return true
		}
	}
	return false
}
