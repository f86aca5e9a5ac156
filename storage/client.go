package storage

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// The client authentication methods of RFC 7591 section 2 and RFC 8705
// section 2. A client is registered for exactly one of them. The server's
// configuration decides which of them it accepts.
const (
	// AuthNone is the method of a public client (RFC 6749 section 2.1).
	AuthNone = "none"

	AuthClientSecretBasic = "client_secret_basic"
	AuthClientSecretPost  = "client_secret_post"
	AuthClientSecretJWT   = "client_secret_jwt"
	AuthPrivateKeyJWT     = "private_key_jwt"
	AuthTLS               = "tls_client_auth"
	AuthSelfSignedTLS     = "self_signed_tls_client_auth"

	// AuthExternal is the method of a client that authenticates at another
	// authorization server only: see [Client].AliasOf.
	AuthExternal = "external"
)

// Client is a registered client. The names of its fields follow RFC 7591
// section 2.
//
// Its JSON is the same in files, the admin interface, exports and databases:
// see [Client.MarshalJSON].
//
// A store copies a client on the way in and on the way out. Inside this module
// a client travels as a pointer that is only read from.
type Client struct {
	// ID is the client_id: 1 to 255 printable ASCII characters.
	ID string `json:"client_id"`

	// Disabled makes every endpoint refuse the client. Its tokens do not
	// validate while it is set.
	Disabled bool `json:"disabled,omitempty"`

	// AliasOf attaches a client of another authorization server to the client
	// here that has this ID: access tokens of that server then resolve to it.
	// The ID of such an entry is an [ExternalID] and its method [AuthExternal].
	// Of the other fields it has only those that describe it, and no endpoint
	// serves it. It can be disabled on its own, and it is disabled with the
	// client that it is attached to.
	AliasOf string `json:"alias_of,omitempty"`

	// AuthMethod is the one method that the client authenticates with. Empty
	// means [AuthClientSecretBasic].
	AuthMethod string `json:"token_endpoint_auth_method,omitempty"`

	// LiteralBasic reads the client's Basic header also as it is (RFC 7617), for
	// libraries that do not form-encode the ID and the secret in it (RFC 6749
	// section 2.3.1). It matters for an imported client whose ID or secret has '%',
	// '+', blanks or other odd characters; what the server generates has none. An ID
	// with a colon cannot be sent so.
	LiteralBasic bool `json:"literal_basic,omitempty"`

	// Secrets are the secrets that are live, at most 2: the second one keeps
	// working for a while when a secret is replaced.
	Secrets []Secret `json:"secrets,omitempty"`

	// JWKS holds the client's public keys, a JWK Set (RFC 7517 section 5).
	JWKS json.RawMessage `json:"jwks,omitempty"`

	// JWKSURI is the https URL of the JWK Set. It is exclusive with JWKS.
	JWKSURI string `json:"jwks_uri,omitempty"`

	// Certificates are X.509 certificates in PEM. Their keys verify the
	// client's assertions, besides those of JWKS.
	Certificates string `json:"certificates,omitempty"`

	// SharedKey is the plain key of client_secret_jwt, which no hash can
	// verify; at least 32 bytes. A store of such clients should be encrypted at
	// rest.
	SharedKey []byte `json:"shared_key,omitempty"`

	// AuthSigningAlg is token_endpoint_auth_signing_alg, the one algorithm that
	// the client's assertions may be signed with. Empty means any algorithm of
	// its method.
	AuthSigningAlg string `json:"token_endpoint_auth_signing_alg,omitempty"`

	// LenientAssertions accepts assertions with base64 padding or with times as
	// strings, as the clients of some gateways make them.
	LenientAssertions bool `json:"lenient_assertions,omitempty"`

	// GrantTypes are the grants that the client may use. Nil means
	// authorization_code (RFC 7591 section 2). A list that is empty and not nil
	// means no grant at all: the client is a resource server that only
	// introspects, and needs no redirect URI. In JSON these are a missing member
	// and "grant_types": [].
	GrantTypes []string `json:"grant_types,omitzero"`

	// ResponseTypes are the response types that the client may ask for. Empty
	// means code, if the client has the grant authorization_code.
	ResponseTypes []string `json:"response_types,omitempty"`

	// RedirectURIs are absolute URIs, compared byte for byte: see
	// [CheckRedirectURI].
	RedirectURIs []string `json:"redirect_uris,omitempty"`

	// Scope is what the client may be granted.
	Scope []string `json:"scope,omitempty"`

	// DefaultScope is what the client is granted when it asks for no scope. It
	// is a part of Scope. Empty means Scope without the scopes that speak of a
	// user: openid, offline_access, and those that claims go with.
	DefaultScope []string `json:"default_scope,omitempty"`

	// Audience are the resource servers that the client's tokens may be meant
	// for. The first one is the default.
	Audience []string `json:"audience,omitempty"`

	// Resources are the audiences that this client stands for as a resource
	// server: it may introspect tokens that are meant for them.
	Resources []string `json:"resources,omitempty"`

	// Origins are the JavaScript origins that CORS answers to, for example
	// https://app.example.
	Origins []string `json:"origins,omitempty"`

	// AccessTokenLifetime, RefreshTokenLifetime and CodeLifetime win over the
	// server's lifetimes. Zero means the server's. A code lives for at most 10
	// minutes, and a signed access token no longer than its key stays published. In
	// JSON they are seconds.
	AccessTokenLifetime  time.Duration `json:"access_token_lifetime,omitempty"`
	RefreshTokenLifetime time.Duration `json:"refresh_token_lifetime,omitempty"`
	CodeLifetime         time.Duration `json:"code_lifetime,omitempty"`
	// RefreshRetryWindow is the time in which a lost refresh answer is given again.
	// It wins over the refresh grant's own window, but not over its Strict setting.
	// Zero: the grant's; at most 5 minutes.
	RefreshRetryWindow time.Duration `json:"refresh_retry_window,omitempty"`

	// AccessTokenFormat is "opaque" or "jwt". Empty means the server's format.
	AccessTokenFormat string `json:"access_token_format,omitempty"`

	// RequirePKCE requires a code challenge (RFC 7636) of a confidential client
	// too.
	RequirePKCE bool `json:"require_pkce,omitempty"`

	// SkipConsent grants the valid requested scopes without asking the user. It
	// is refused for a public client, which anyone can imitate, unless
	// ForceSkipConsent states that the host accepts that.
	SkipConsent      bool `json:"skip_consent,omitempty"`
	ForceSkipConsent bool `json:"force_skip_consent,omitempty"`

	ClientPAR
	ClientAssertion

	// Name and Description are shown to users and administrators.
	Name        string `json:"client_name,omitempty"`
	Description string `json:"description,omitempty"`

	// LogoURI is an https or data:image URI. The consent page shows it; the
	// server never fetches it.
	LogoURI string `json:"logo_uri,omitempty"`

	// ClientURI, PolicyURI, TOSURI and Contacts are those of RFC 7591 section 2.
	ClientURI string   `json:"client_uri,omitempty"`
	PolicyURI string   `json:"policy_uri,omitempty"`
	TOSURI    string   `json:"tos_uri,omitempty"`
	Contacts  []string `json:"contacts,omitempty"`

	// Owner, CreatedBy and CreatedAt are for the host's administration.
	Owner     string    `json:"owner,omitempty"`
	CreatedBy string    `json:"created_by,omitempty"`
	CreatedAt time.Time `json:"created_at,omitzero"`

	// TokensNotBefore ends everything that was issued to this ID before that
	// time: codes, tokens and consents with an earlier IssuedAt are refused.
	// It serves two cases: all tokens of a client are to end at once, or an ID
	// is registered again after its client was deleted, and the tokens of the
	// deleted client must stay dead. Zero means that nothing was ended.
	TokensNotBefore time.Time `json:"tokens_not_before,omitzero"`

	// Metadata is the host's own. Grantwell stores it and does not read it.
	Metadata map[string]string `json:"metadata,omitempty"`
}

// Public reports whether the client has no means to authenticate (RFC 6749
// section 2.1).
func (c *Client) Public() bool { return c.AuthMethod == AuthNone }

// Method returns AuthMethod, or its default if it is empty.
func (c *Client) Method() string {
	if c.AuthMethod == "" {
		return AuthClientSecretBasic
	}
	return c.AuthMethod
}

// Ended reports whether TokensNotBefore ended what was issued to the client at
// the given time.
func (c *Client) Ended(issuedAt time.Time) bool {
	return issuedAt.Before(c.TokensNotBefore)
}

// Equal reports whether two clients have the same value in every field. Except
// for GrantTypes, a nil list and an empty one are the same. A [Swapper] compares
// clients by it.
func (c *Client) Equal(other *Client) bool {
	// The JSON has every field, in a fixed order.
	a, err1 := c.MarshalJSON()
	b, err2 := other.MarshalJSON()
	return err1 == nil && err2 == nil && bytes.Equal(a, b)
}

// AllowsGrant reports whether the client is registered for the grant type.
func (c *Client) AllowsGrant(grantType string) bool {
	if c.AliasOf != "" {
		return false
	}
	if c.GrantTypes == nil {
		return grantType == "authorization_code"
	}
	return slices.Contains(c.GrantTypes, grantType)
}

// AllowsResponse reports whether the client is registered for the response
// type. The values of a response type may come in any order (RFC 6749
// section 3.1.1).
func (c *Client) AllowsResponse(responseType string) bool {
	registered := c.ResponseTypes
	if len(registered) == 0 {
		if !c.AllowsGrant("authorization_code") {
			return false
		}
		registered = []string{"code"}
	}

	if slices.Contains(registered, responseType) {
		return true
	}

	want := sortedFields(responseType)
	return slices.ContainsFunc(registered, func(r string) bool {
		return slices.Equal(sortedFields(r), want)
	})
}

func sortedFields(s string) []string {
	f := strings.Fields(s)
	slices.Sort(f)
	return f
}

// Clone returns a copy that shares no memory with c.
func (c *Client) Clone() Client {
	clone := *c
	clone.Secrets = slices.Clone(c.Secrets)
	clone.JWKS = slices.Clone(c.JWKS)
	clone.SharedKey = slices.Clone(c.SharedKey)
	clone.Metadata = maps.Clone(c.Metadata)
	cloneLists(
		&clone.GrantTypes,
		&clone.ResponseTypes,
		&clone.RedirectURIs,
		&clone.Scope,
		&clone.DefaultScope,
		&clone.Audience,
		&clone.Resources,
		&clone.Origins,
		&clone.Contacts,
	)
	return clone
}

// cloneLists replaces each list by a copy. All copies share one allocation,
// because stores clone a client at each look-up.
func cloneLists(lists ...*[]string) {
	n := 0
	for _, l := range lists {
		n += len(*l)
	}

	all := make([]string, 0, n)
	for _, l := range lists {
		if *l == nil {
			continue
		}
		from := len(all)
		all = append(all, *l...)
		// The capacity ends with the list, so that an append to one list does
		// not write into the next.
		*l = all[from:len(all):len(all)]
	}
}
