package introspect

import (
	"context"
	"maps"
	"slices"
	"time"
)

// Introspector answers about an access token (RFC 7662 section 2). For a token that
// is unknown, malformed, expired, revoked or foreign it returns a [Token] with
// Active false and no error. An error means that the answer could not be had; a
// [Guard] then sends 503. An implementation must be safe for concurrent use. The
// returned Token belongs to the caller, who may change it.
type Introspector interface {
	Introspect(ctx context.Context, token string) (*Token, error)
}

// Token is an answer of an [Introspector]: the members of RFC 7662 section 2.2 and
// cnf of RFC 7800. If Active is false, only Reason has a meaning.
type Token struct {
	// Active reports that the token was issued, has not expired and has not
	// been revoked. Whether it may be used at this resource, a [Guard] decides.
	Active bool
	// Reason is why Active is false. It selects the error_description of a
	// challenge and helps an operator. It is not part of the JSON form.
	Reason Reason

	// Scope holds the granted scope tokens (RFC 6749 section 3.3). They are
	// compared byte for byte.
	Scope []string
	// ClientID is the client to which the token was issued.
	ClientID string
	// Username is a name of the resource owner for people to read. Do not base
	// a decision on it.
	Username string
	// TokenType is the type of RFC 6749 section 5.1, for example "Bearer" or
	// "DPoP". It may be empty.
	TokenType string
	// Subject is the resource owner, or the client if it acts for itself. It
	// is unique at one Issuer.
	Subject string
	// Issuer is the authorization server that issued the token.
	Issuer string
	// ID is the token's own identifier (jti).
	ID string
	// Audience lists the resources for which the token is meant.
	Audience []string

	// ExpiresAt, IssuedAt and NotBefore are written in whole seconds. The zero
	// time means that the answer has no such member.
	ExpiresAt time.Time
	IssuedAt  time.Time
	NotBefore time.Time

	// AuthTime is when the resource owner last signed in, as the member auth_time
	// (RFC 9068 section 2.2.1). The zero time means that the answer has none.
	AuthTime time.Time

	// Confirmation holds the keys to which the token is bound (RFC 7800), by
	// member name: "jkt" (RFC 9449), "x5t#S256" (RFC 8705). A member that is
	// not a string is kept as its JSON text. A token with a member is not a
	// bearer token.
	Confirmation map[string]string

	// Extra holds further members. The names of registered members (see
	// [Token.MarshalJSON]) are ignored.
	Extra map[string]any
}

// Reason is the cause for which a token is not active. The values are stable.
type Reason string

// The reasons of this package. An [Introspector] may use others, which a [Guard]
// describes like ReasonUnknown.
const (
	ReasonUnknown      Reason = "unknown"       // never issued, deleted, or not stated by the server
	ReasonMalformed    Reason = "malformed"     // not a token of the expected form
	ReasonSignature    Reason = "signature"     // no trusted key verifies it
	ReasonExpired      Reason = "expired"       // exp has passed
	ReasonNotYetValid  Reason = "not_yet_valid" // nbf or iat is in the future
	ReasonRevoked      Reason = "revoked"       // revoked before it expired
	ReasonClient       Reason = "client"        // the client is unknown or disabled
	ReasonIssuer       Reason = "issuer"        // another authorization server issued it
	ReasonAudience     Reason = "audience"      // meant for another resource
	ReasonType         Reason = "type"          // an ID token or a refresh token
	ReasonConfirmation Reason = "confirmation"  // possession of its key was not proven
)

// description returns the text for error_description (RFC 6750 section 3). It does
// not help to guess a token: "expired" and "revoked" are answered only to a request
// with the whole token.
func (r Reason) description() string {
	switch r {
	case ReasonExpired:
		return "The access token has expired"
	case ReasonRevoked:
		return "The access token has been revoked"
	case ReasonNotYetValid:
		return "The access token is not valid yet"
	case ReasonAudience:
		return "The access token is not meant for this resource"
	case ReasonType:
		return "The token is not an access token"
	case ReasonConfirmation:
		return "The access token is bound to a key whose possession was not proven"
	default:
		return "The access token is not valid"
	}
}

// inactive returns the answer for a token that must not be used.
func inactive(why Reason) *Token { return &Token{Reason: why} }

// clone copies everything that a caller could change, so that cached answers stay apart.
func (t *Token) clone() *Token {
	c := *t
	c.Scope = slices.Clone(t.Scope)
	c.Audience = slices.Clone(t.Audience)
	c.Confirmation = maps.Clone(t.Confirmation)
	if t.Extra != nil {
		c.Extra = cloneValue(t.Extra).(map[string]any)
	}
	return &c
}

// cloneValue copies a value that encoding/json has decoded.
func cloneValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		c := make(map[string]any, len(v))
		for name, member := range v {
			c[name] = cloneValue(member)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, element := range v {
			c[i] = cloneValue(element)
		}
		return c
	default:
		return v
	}
}

type contextKey struct{}

// NewContext returns a context that holds t for [FromContext]. A [Guard] calls it.
// Call it to test a handler without a guard.
func NewContext(ctx context.Context, t *Token) context.Context {
	return context.WithValue(ctx, contextKey{}, t)
}

// FromContext returns the token of the request that a [Guard] has passed on. It
// reports false if there is no Guard before the handler.
func FromContext(ctx context.Context) (*Token, bool) {
	t, ok := ctx.Value(contextKey{}).(*Token)
	return t, ok && t != nil
}
