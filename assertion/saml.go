package assertion

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/grantwell/grantwell/internal/base/xmldsig"
	"github.com/grantwell/grantwell/internal/base/xmlenc"
)

// SAMLConfig configures a [SAMLVerifier] (RFC 7522).
type SAMLConfig struct {
	// Issuers are those that are trusted. Required.
	Issuers IssuerSource
	// Audiences are the names of this server: its issuer identifier, its token
	// endpoint URL, its SAML entity ID. Each AudienceRestriction must have one
	// of them, compared octet by octet. Required.
	Audiences []string
	// Recipients are the token endpoint URLs, with their aliases, that a bearer
	// confirmation may name. Required.
	Recipients []string

	// ClockSkew is the tolerance of comparisons of times, at most 10 minutes.
	// Zero means 60 seconds, negative none.
	ClockSkew time.Duration
	// MaxLifetime is how far in the future the expiry may be. Zero means one
	// hour.
	MaxLifetime time.Duration

	// Replay remembers the assertions that were used. Required, unless
	// AllowReuse is set.
	Replay ReplayStore
	// AllowReuse accepts an assertion of every issuer again until it expires (RFC
	// 7521 section 4.1). One with OneTimeUse is accepted once, and only with Replay.
	// Issuer.AllowReuse is for one issuer.
	AllowReuse bool

	// Decrypters are the RSA keys for encrypted assertions, identifiers and
	// attributes: several for a rollover, at most four. Without any, everything
	// encrypted is refused. For one encrypted element at most four private key
	// operations are made, one for each wrapped key of the size of a decryption key
	// and each such key: encrypt for four recipients at most, or for two during a
	// rollover.
	Decrypters []crypto.Decrypter

	Limits Limits

	// LenientBase64 accepts plain and padded base64 with line ends, besides
	// base64url.
	LenientBase64 bool
	// RejectInResponseTo refuses bearer confirmations that answer a sign-in
	// request.
	RejectInResponseTo bool
	// CheckAddress compares an Address of the bearer confirmation with
	// Request.Remote.
	CheckAddress bool
	// AllowClientAuth lets assertions authenticate clients.
	//
	// Deprecated: draft-ietf-oauth-rfc7523bis section 4 forbids it to new
	// applications.
	AllowClientAuth bool

	// Now is the clock, which is read once for each assertion. Nil means
	// time.Now.
	Now func() time.Time
	// Observe is called with every decision. It may be nil.
	Observe func(context.Context, Event)
}

const (
	defaultClockSkew   = time.Minute
	maxClockSkew       = 10 * time.Minute
	defaultMaxLifetime = time.Hour
	mostDecrypters     = 4
)

// SAMLVerifier is a [Verifier] of SAML 2.0 assertions. [NewSAML] makes one.
type SAMLVerifier struct {
	config SAMLConfig
	layers []samlLayer
}

// NewSAML returns a verifier, or every mistake in the configuration, joined.
func NewSAML(c SAMLConfig) (*SAMLVerifier, error) {
	if err := c.check(); err != nil {
		return nil, err
	}

	c.Audiences = slices.Clone(c.Audiences)
	c.Recipients = slices.Clone(c.Recipients)
	c.Decrypters = slices.Clone(c.Decrypters)
	c.Limits = c.Limits.withDefaults()
	c.ClockSkew = tolerance(c.ClockSkew)
	if c.MaxLifetime == 0 {
		c.MaxLifetime = defaultMaxLifetime
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &SAMLVerifier{config: c, layers: samlLayers()}, nil
}

// check returns every mistake in the configuration, joined.
func (c SAMLConfig) check() error {
	var errs []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf("assertion: SAMLConfig."+format, args...))
		}
	}
	wrong(c.Issuers == nil, "Issuers is missing")
	wrong(len(c.Audiences) == 0 || slices.Contains(c.Audiences, ""), "Audiences is empty or has an empty entry")
	wrong(len(c.Recipients) == 0 || slices.Contains(c.Recipients, ""), "Recipients is empty or has an empty entry")
	wrong(c.Replay == nil && !c.AllowReuse, "Replay is missing and AllowReuse is not set")
	wrong(c.ClockSkew > maxClockSkew, "ClockSkew is more than %v", maxClockSkew)
	wrong(c.MaxLifetime < 0, "MaxLifetime is negative")
	wrong(len(c.Decrypters) > mostDecrypters, "Decrypters has more than %d keys", mostDecrypters)
	for i, d := range c.Decrypters {
		wrong(!xmlenc.IsDecrypter(d), "Decrypters[%d] is no RSA key of 2048 to 8192 bits", i)
	}
	if list, ok := c.Issuers.(fixedIssuers); ok {
		for id, issuer := range list {
			wrong(id == "", "Issuers has an empty ID")
			for i, key := range issuer.Keys {
				err := xmldsig.CheckKey(key)
				wrong(err != nil, "Issuers: %q: Keys[%d]: %v", id, i, err)
			}
			err := xmldsig.CheckKeys(issuer.Keys)
			wrong(err != nil, "Issuers: %q: Keys: %v", id, err)
		}
	}
	return errors.Join(errs...)
}

// Verify accepts or refuses an assertion. The error is always an [*Error].
// An accepted assertion is used up unless the configuration allows its reuse.
func (s *SAMLVerifier) Verify(ctx context.Context, r Request) (*Assertion, error) {
	run := s.newRun(ctx, r)
	var refusal *Error
	for _, layer := range s.layers {
		if refusal = layer.run(run); refusal != nil {
			break
		}
	}
	if refusal == nil && run.accepted == nil {
		refusal = run.fail(ReasonUnavailable, "no layer has read the assertion")
	}
	if s.config.Observe != nil {
		s.config.Observe(ctx, Event{
			Format:   FormatSAML2,
			Use:      r.Use,
			Issuer:   run.claimedIssuer,
			ID:       run.claimedID,
			ClientID: r.ClientID,
			Err:      refusal,
		})
	}
	if refusal != nil {
		return nil, refusal
	}
	return run.accepted, nil
}
