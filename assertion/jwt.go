package assertion

import (
	"context"
	stdjson "encoding/json"
	"errors"
	"time"

	"github.com/grantwell/grantwell/internal/base/jws"
)

// JWTConfig configures a [JWTVerifier]. Issuer, Replay and one of Issuers and Clients are required.
type JWTConfig struct {
	// Issuer is this server's issuer identifier (RFC 8414). It is the audience of grants, and the only
	// audience of client authentication (draft-ietf-oauth-rfc7523bis section 4).
	Issuer string
	// TokenEndpoint is the URL of the token endpoint, which a grant may name as its audience instead.
	// Empty: only Issuer.
	TokenEndpoint string

	// Issuers are those whose assertions are grants (RFC 7523 section 2.1). Nil: no grants.
	Issuers IssuerSource
	// Clients are those that authenticate with a JWT (RFC 7523 section 2.2). Nil: no client authentication.
	Clients ClientKeys

	// LegacyAudience also takes client assertions whose audience is the token endpoint, alone or in a list
	// with others, as RFC 7523 allowed. A malicious server can have such an assertion made for it and use it
	// here (CVE-2025-27370): turn it on for old clients only, and off again.
	LegacyAudience bool

	// RequireJTI demands a jti of every grant. Client authentication demands one always.
	RequireJTI bool
	// AllowReuse accepts a grant again until it expires (RFC 7521 section 4.1). Client authentication is
	// never reusable.
	AllowReuse bool
	// Replay remembers what was used. Required, unless only reusable grants are verified.
	Replay ReplayStore

	ClockSkew   time.Duration // tolerance of comparisons of times, at most 10 minutes; zero means 60 s, negative none
	MaxLifetime time.Duration // how far away exp may be, 1 h by default
	MaxAge      time.Duration // how long ago iat may be, and that there is one; zero does not look at it
	MaxSize     int           // characters of an assertion, 16384 by default

	Now     func() time.Time             // time.Now by default
	Observe func(context.Context, Event) // told of every decision; may be nil
}

// JWTVerifier verifies JWTs as authorization grants and as client authentication (RFC 7523).
// It is safe for concurrent use.
type JWTVerifier struct {
	c JWTConfig
}

var _ Verifier = (*JWTVerifier)(nil)

// NewJWT checks the configuration and returns every fault in it.
func NewJWT(c JWTConfig) (*JWTVerifier, error) {
	var faults []error
	fault := func(wrong bool, text string) {
		if wrong {
			faults = append(faults, errors.New("assertion: "+text))
		}
	}
	fault(c.Issuer == "", "JWTConfig.Issuer is empty: without it no audience can be checked")
	fault(c.Issuers == nil && c.Clients == nil, "JWTConfig has neither Issuers nor Clients")
	fault(c.Replay == nil && (c.Clients != nil || !c.AllowReuse), "JWTConfig.Replay is nil")
	fault(c.LegacyAudience && c.TokenEndpoint == "", "JWTConfig.LegacyAudience needs TokenEndpoint")
	fault(c.ClockSkew > maxClockSkew, "JWTConfig.ClockSkew is more than 10 minutes")
	fault(c.MaxLifetime < 0, "JWTConfig.MaxLifetime is negative")
	fault(c.MaxAge < 0, "JWTConfig.MaxAge is negative")
	fault(c.MaxSize < 0, "JWTConfig.MaxSize is negative")
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	switch {
	case c.ClockSkew == 0:
		c.ClockSkew = defaultClockSkew
	case c.ClockSkew < 0:
		c.ClockSkew = 0
	}
	if c.MaxLifetime == 0 {
		c.MaxLifetime = defaultMaxLifetime
	}
	if c.MaxSize == 0 {
		c.MaxSize = 16 << 10
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &JWTVerifier{c: c}, nil
}

// Verify implements [Verifier]. The steps, in this order: size and form; the issuer or client, looked up by
// what the token claims; its signature; only then what the token says; and last of all the replay entry, so
// that no token that is refused for another reason uses it up.
func (j *JWTVerifier) Verify(ctx context.Context, r Request) (*Assertion, error) {
	event := Event{Format: FormatJWT, Use: r.Use, ClientID: r.ClientID}
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
	switch {
	case r.Use == Grant && j.c.Issuers == nil, r.Use == ClientAuth && j.c.Clients == nil, r.Use != Grant && r.Use != ClientAuth:
		return nil, newError(r.Use, ReasonDisabled, "JWTs are not accepted as %s", r.Use)
	case r.Assertion == "":
		return nil, newError(r.Use, ReasonMissing, "no assertion")
	case len(r.Assertion) > j.c.MaxSize:
		return nil, newError(r.Use, ReasonSize, "%d characters, more than %d", len(r.Assertion), j.c.MaxSize)
	}
	t, refusal := parseJWT(r.Use, r.Assertion)
	if refusal != nil {
		return nil, refusal
	}
	event.Issuer, _ = t.claims["iss"].(string)
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

// assertion says what the token says, once everything about it has been checked.
func (t *jwtToken) assertion(c *jwtClaims, key jws.Key) *Assertion {
	a := &Assertion{
		Format: FormatJWT, Issuer: c.iss, ID: c.jti, Subject: Subject{Value: c.sub}, Audiences: c.aud,
		IssuedAt: c.iat, NotBefore: c.nbf, Expires: c.exp, KeyID: key.Thumbprint,
	}
	// The strict parser has accepted the same octets, so this cannot fail.
	_ = stdjson.Unmarshal(t.Payload, &a.Claims)
	return a
}
