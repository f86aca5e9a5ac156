package introspect

import (
	"context"
	"maps"
	"slices"
	"time"
)

// Introspector answers what is known about an access token (RFC 7662 section 2). A token that is
// unknown, malformed, expired, revoked or foreign is an answer, a [Token] with Active false, and no
// error; an error means that the answer could not be had, and a [Guard] then sends 503. It must be
// safe for concurrent use. The returned Token belongs to the caller, who may change it.
type Introspector interface {
	Introspect(ctx context.Context, token string) (*Token, error)
}

// Token is what an [Introspector] knows about a token: the members of RFC 7662 section 2.2 and cnf
// of RFC 7800. When Active is false no other member but Reason has a meaning.
type Token struct {
	// Active says that the token was issued, has not expired and has not been revoked. It does not
	// say that it may be used at this resource: that is for a [Guard] to decide.
	Active bool
	// Reason says why Active is false. It chooses the error_description of a challenge and helps an
	// operator; no JSON ever holds it.
	Reason Reason

	// Scope holds the granted scope tokens (RFC 6749 section 3.3), compared exactly.
	Scope []string
	// ClientID is the client to which the token was issued.
	ClientID string
	// Username is a name of the resource owner for people to read; never decide on it.
	Username string
	// TokenType is the type of RFC 6749 section 5.1, as "Bearer" or "DPoP"; may be empty.
	TokenType string
	// Subject is the resource owner, or the client when it acts for itself. Unique at one Issuer.
	Subject string
	// Issuer is the authorization server that issued the token.
	Issuer string
	// ID is the token's own identifier (jti).
	ID string
	// Audience lists the resources for which the token is meant.
	Audience []string

	// ExpiresAt, IssuedAt and NotBefore have whole seconds in JSON; the zero time means not stated.
	ExpiresAt, IssuedAt, NotBefore time.Time

	// Confirmation names the keys to which the token is bound (RFC 7800), by member name: "jkt"
	// (RFC 9449), "x5t#S256" (RFC 8705). A member that is not a string is kept as its JSON text.
	// A token that has any is no bearer token.
	Confirmation map[string]string

	// Extra holds further members. Registered members (see [Token.MarshalJSON]) are ignored here.
	Extra map[string]any
}

// Reason is the cause for which a token is not active. The values are stable.
type Reason string

// The reasons of this package. An [Introspector] may use others; a [Guard] describes those as
// ReasonUnknown.
const (
	ReasonUnknown      Reason = "unknown"       // never issued, forgotten, or the server did not say
	ReasonMalformed    Reason = "malformed"     // not a token of the expected form
	ReasonSignature    Reason = "signature"     // no trusted key verifies it
	ReasonExpired      Reason = "expired"       // exp has passed
	ReasonNotYetValid  Reason = "not_yet_valid" // nbf or iat lies in the future
	ReasonRevoked      Reason = "revoked"       // taken back
	ReasonClient       Reason = "client"        // the client is unknown or disabled
	ReasonIssuer       Reason = "issuer"        // another authorization server issued it
	ReasonAudience     Reason = "audience"      // meant for another resource
	ReasonType         Reason = "type"          // not an access token: an ID token, a refresh token
	ReasonConfirmation Reason = "confirmation"  // bound to a key whose possession was not proven
)

// description is the text for error_description (RFC 6750 section 3). It says nothing that helps to
// guess a token: whether one was ever issued stays open, since "expired" and "revoked" are told only
// to someone who holds the whole token.
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

// inactive is the answer for a token that must not be used.
func inactive(why Reason) *Token { return &Token{Reason: why} }

// clone copies everything that a caller could change, so that cached answers stay apart.
func (t *Token) clone() *Token {
	c := *t
	c.Scope, c.Audience = slices.Clone(t.Scope), slices.Clone(t.Audience)
	c.Confirmation = maps.Clone(t.Confirmation)
	if t.Extra != nil {
		c.Extra = cloneValue(t.Extra).(map[string]any)
	}
	return &c
}

// cloneValue copies a value as encoding/json makes it.
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

// NewContext returns a context that holds t for [FromContext]. A [Guard] does this; call it to test
// a handler without one.
func NewContext(ctx context.Context, t *Token) context.Context {
	return context.WithValue(ctx, contextKey{}, t)
}

// FromContext returns the token that a [Guard] let through, the same type whatever the Introspector.
// It reports false when no Guard stands before the handler.
func FromContext(ctx context.Context) (*Token, bool) {
	t, ok := ctx.Value(contextKey{}).(*Token)
	return t, ok && t != nil
}
