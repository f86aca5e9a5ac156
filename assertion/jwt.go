package assertion

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/grantwell/grantwell/internal/base/jws"
)

// JWTConfig configures a [JWTVerifier]. Issuer, Replay and one of Issuers and
// Clients are required.
type JWTConfig struct {
	// Issuer is this server's issuer identifier (RFC 8414). It is the audience
	// of grants, and the only audience of client authentication
	// (draft-ietf-oauth-rfc7523bis section 4).
	Issuer string
	// TokenEndpoint is the URL of the token endpoint, which is accepted as the
	// audience of a grant too. Empty: only Issuer.
	TokenEndpoint string

	// Issuers are those whose assertions are grants (RFC 7523 section 2.1).
	// Nil: no grants.
	Issuers IssuerSource
	// Clients are those that authenticate with a JWT (RFC 7523 section 2.2).
	// Nil: no client authentication.
	Clients ClientKeys

	// LegacyAudience also accepts client assertions of every client whose audience is the token
	// endpoint, alone or in a list with others, as RFC 7523 allowed. A
	// malicious server can have such an assertion made for it and use it at
	// this server (CVE-2025-27370). Prefer ClientCredentials.LegacyAudience, which
	// is for one old client.
	LegacyAudience bool

	// RequireJTI demands a jti of every grant. Client authentication always
	// needs one.
	RequireJTI bool
	// AllowReuse accepts a grant of every issuer again until it expires (RFC 7521
	// section 4.1). A client assertion is never accepted again. Issuer.AllowReuse
	// is for one issuer.
	AllowReuse bool
	// Replay remembers the assertions that were used. Required, unless only
	// reusable grants are verified.
	Replay ReplayStore

	// ClockSkew is the tolerance of comparisons of times, at most 10 minutes.
	// Zero means 60 seconds, negative none.
	ClockSkew time.Duration
	// MaxLifetime is how far in the future exp may be. Zero means one hour.
	MaxLifetime time.Duration
	// MaxAge is how long ago iat may be; iat is then required. Zero: iat is
	// not required, and may be at any time in the past.
	MaxAge time.Duration
	// MaxSize is the length of an assertion in characters. Zero means 16384.
	MaxSize int

	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// Observe is called with every decision. It may be nil.
	Observe func(context.Context, Event)
}

// defaultJWTSize is the default of JWTConfig.MaxSize, in characters.
const defaultJWTSize = 16 << 10

// JWTVerifier verifies JWTs as authorization grants and as client authentication
// (RFC 7523). [NewJWT] makes one. It is safe for concurrent use.
type JWTVerifier struct {
	c JWTConfig
}

var _ Verifier = (*JWTVerifier)(nil)

// NewJWT returns a verifier, or every mistake in the configuration, joined.
func NewJWT(c JWTConfig) (*JWTVerifier, error) {
	var mistakes []error
	add := func(wrong bool, text string) {
		if wrong {
			mistakes = append(mistakes, errors.New("assertion: "+text))
		}
	}
	add(c.Issuer == "", "JWTConfig.Issuer is empty: without it no audience can be checked")
	add(c.Issuers == nil && c.Clients == nil, "JWTConfig has neither Issuers nor Clients")
	add(c.Replay == nil && (c.Clients != nil || !c.AllowReuse), "JWTConfig.Replay is nil")
	add(c.LegacyAudience && c.TokenEndpoint == "", "JWTConfig.LegacyAudience needs TokenEndpoint")
	add(c.ClockSkew > maxClockSkew, "JWTConfig.ClockSkew is more than 10 minutes")
	add(c.MaxLifetime < 0, "JWTConfig.MaxLifetime is negative")
	add(c.MaxAge < 0, "JWTConfig.MaxAge is negative")
	add(c.MaxSize < 0, "JWTConfig.MaxSize is negative")
	if len(mistakes) > 0 {
		return nil, errors.Join(mistakes...)
	}

	c.ClockSkew = tolerance(c.ClockSkew)
	if c.MaxLifetime == 0 {
		c.MaxLifetime = defaultMaxLifetime
	}
	if c.MaxSize == 0 {
		c.MaxSize = defaultJWTSize
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &JWTVerifier{c: c}, nil
}

// tolerance returns the clock skew for a configured one: zero means the default,
// negative none.
func tolerance(configured time.Duration) time.Duration {
	if configured == 0 {
		return defaultClockSkew
	}
	return max(configured, 0)
}

// Verify implements [Verifier]. The steps are, in this order: the size and the
// form; the issuer or client, looked up by what the token claims; the signature;
// the claims; the replay store. The replay store is last, so that a token that is
// refused for another reason is not used up.
func (j *JWTVerifier) Verify(ctx context.Context, r Request) (*Assertion, error) {
	event := Event{
		Format:   FormatJWT,
		Use:      r.Use,
		ClientID: r.ClientID,
	}
	a, refusal := j.verify(ctx, r, &event)
	if refusal != nil && r.Use == ClientAuth && refusal.Code != codeServerError {
		refusal.Code = codeInvalidClient
	}
	event.Err = refusal
	if j.c.Observe != nil {
		j.c.Observe(ctx, event)
	}
	if refusal != nil {
		return nil, refusal
	}
	return a, nil
}

func (j *JWTVerifier) verify(ctx context.Context, r Request, event *Event) (*Assertion, *Error) {
	if refusal := j.checkParameter(r); refusal != nil {
		return nil, refusal
	}
	t, refusal := parseJWT(r.Use, r.Assertion)
	if refusal != nil {
		return nil, refusal
	}
	event.Issuer = claimed(t)
	event.ID, _ = t.claims["jti"].(string)
	if event.Issuer == "" {
		return nil, newError(r.Use, ReasonIssuer, "no iss")
	}

	now := j.c.Now()
	if r.Use == ClientAuth {
		return j.verifyClient(ctx, r, t, now)
	}
	return j.verifyGrant(ctx, r, t, now)
}

// checkParameter judges what is known before the token is read.
func (j *JWTVerifier) checkParameter(r Request) *Error {
	switch {
	case !j.enabled(r.Use):
		return newError(r.Use, ReasonDisabled, "JWTs are not accepted as %s", r.Use)
	case r.Assertion == "":
		return newError(r.Use, ReasonMissing, "no assertion")
	case len(r.Assertion) > j.c.MaxSize:
		return newError(r.Use, ReasonSize, "%d characters, more than %d", len(r.Assertion), j.c.MaxSize)
	}
	return nil
}

// enabled reports whether the configuration allows the use.
func (j *JWTVerifier) enabled(use Use) bool {
	switch use {
	case Grant:
		return j.c.Issuers != nil
	case ClientAuth:
		return j.c.Clients != nil
	default:
		return false
	}
}

// assertion returns the content of a token after everything in it was checked.
func (t *jwtToken) assertion(c *jwtClaims, key jws.Key) *Assertion {
	a := &Assertion{
		Format:    FormatJWT,
		Issuer:    c.iss,
		ID:        c.jti,
		Subject:   Subject{Value: c.sub},
		Audiences: c.aud,
		IssuedAt:  c.iat,
		NotBefore: c.nbf,
		Expires:   c.exp,
		KeyID:     key.Thumbprint,
	}
	// The strict reader has accepted the same octets, so there is no error.
	_ = json.Unmarshal(t.Payload, &a.Claims)
	return a
}
