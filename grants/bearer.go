package grants

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/grantwell/grantwell/assertion"
	"github.com/grantwell/grantwell/storage"
)

// maxClaimedScopes bounds the scopes that are read from an assertion.
const maxClaimedScopes = 100

// JWTBearer exchanges a signed JWT for an access token (RFC 7523 section 2.1).
//
// A client that signs for itself (an issuer with JWT.SelfIssued, see
// [ClientIssuers]) is named by the assertion and needs no other authentication. The
// assertion of a third party is accepted only from clients that authenticate.
type JWTBearer struct {
	// Verifier verifies the assertion: see assertion.NewJWT. Required.
	Verifier assertion.Verifier
	Bearer
}

// SAMLBearer exchanges a signed SAML 2.0 assertion for an access token (RFC 7522
// section 2.1).
//
// A client that signs for itself (an issuer with BindClient.Issuer, see
// [ClientIssuers]) is named by the assertion and needs no other authentication. The
// assertion of an identity provider is accepted only from clients that authenticate.
type SAMLBearer struct {
	// Verifier verifies the assertion: see assertion.NewSAML. Required.
	Verifier assertion.Verifier
	Bearer
}

// Bearer is what both assertion grants have in common.
type Bearer struct {
	// Verified, if not nil, sees the verified assertion and the grant that it
	// becomes. It may change the grant's Claims, Response and Limit. An error refuses
	// the request: a *Error as it is, every other error with invalid_grant.
	Verified func(ctx context.Context, r *Request, a *assertion.Assertion, g *Grant) error
	// OutliveAssertion lets the access token live by the server's lifetime even if
	// the assertion ends before (RFC 7521 section 4.1 advises against it).
	OutliveAssertion bool
}

// GrantType returns the URN of RFC 7523.
func (JWTBearer) GrantType() string { return assertion.GrantJWT }

// GrantType returns the URN of RFC 7522.
func (SAMLBearer) GrantType() string { return assertion.GrantSAML2 }

// Check refuses a grant without a verifier. The server calls it when it is built.
func (g JWTBearer) Check() error { return checkVerifier(g.Verifier) }

// Check refuses a grant without a verifier. The server calls it when it is built.
func (g SAMLBearer) Check() error { return checkVerifier(g.Verifier) }

func checkVerifier(v assertion.Verifier) error {
	if v == nil {
		return errors.New("grants: Verifier is missing")
	}

	return nil
}

// Identify returns the issuer that the assertion names, unverified: the client, if
// it signs for itself.
func (JWTBearer) Identify(_ context.Context, r *Request) (string, error) {
	return claimed(assertion.FormatJWT, r)
}

// Identify returns the issuer that the assertion names, unverified: the client, if
// it signs for itself.
func (SAMLBearer) Identify(_ context.Context, r *Request) (string, error) {
	return claimed(assertion.FormatSAML2, r)
}

func claimed(format string, r *Request) (string, error) {
	raw := r.Form.Get("assertion")
	if raw == "" {
		return "", InvalidRequest("The parameter assertion is missing.")
	}
	id, err := assertion.ClaimedIssuer(format, raw)
	if err != nil {
		return "", InvalidGrant("%w", err).For(ReasonAssertion)
	}

	return id, nil
}

// Handle verifies the assertion and turns it into a grant for its subject.
func (g JWTBearer) Handle(ctx context.Context, r *Request) (*Grant, error) {
	return g.handle(ctx, r, g.Verifier)
}

// Handle verifies the assertion and turns it into a grant for its subject.
func (g SAMLBearer) Handle(ctx context.Context, r *Request) (*Grant, error) {
	return g.handle(ctx, r, g.Verifier)
}

func (g Bearer) handle(ctx context.Context, r *Request, v assertion.Verifier) (*Grant, error) {
	a, err := verify(ctx, r, v)
	if err != nil {
		return nil, err
	}
	subject, err := a.Trust.LocalSubject(ctx, a)
	if err != nil {
		return nil, refused(err)
	}

	requested := r.Scope
	if len(requested) == 0 {
		requested = scopeClaim(a)
	}
	asked := requested
	if len(asked) == 0 {
		asked = r.Client.DefaultScope
	}
	if len(asked) == 0 {
		asked = r.Client.Scope // the scope rules choose the default among these
	}
	limit, err := a.Trust.GrantedScopes(ctx, a, asked)
	if err != nil {
		return nil, refused(err)
	}

	out := &Grant{
		Subject:      subject,
		Limit:        notNil(limit),
		Refresh:      a.Trust.RefreshToken,
		Confirmation: r.Confirmation,
		AuthTime:     authTime(a),
		Requested:    requested,
	}
	if !g.OutliveAssertion {
		out.NotAfter = a.Expires
	}
	if g.Verified != nil {
		if err := g.verified(ctx, r, a, out); err != nil {
			return nil, err
		}
	}

	return out, nil
}

// verify returns the assertion of a request if this client may use it.
func verify(ctx context.Context, r *Request, v assertion.Verifier) (*assertion.Assertion, error) {
	raw := r.Form.Get("assertion")
	if raw == "" {
		return nil, InvalidRequest("The parameter assertion is missing.")
	}
	// A client that does not authenticate may only speak for itself. The server looks
	// before it verifies, because a verified assertion is spent.
	if !r.Authenticated && !names(raw, r.Client.ID) {
		return nil, InvalidClient("grants: the assertion of a third party needs a client that authenticates").
			For(ReasonNoCredentials)
	}
	a, err := v.Verify(ctx, assertion.Request{
		Use:       assertion.Grant,
		Assertion: raw,
		ClientID:  r.Client.ID,
		Recipient: r.TokenEndpoint,
		Remote:    r.Remote,
	})
	if err != nil {
		return nil, refused(err)
	}
	if a.Trust == nil {
		return nil, InvalidGrant("the verifier names no trusted issuer").For(ReasonAssertion)
	}

	self := (a.Trust.JWT.SelfIssued || a.Trust.BindClient.Issuer) && a.Issuer == r.Client.ID
	if !r.Authenticated && !self {
		return nil, InvalidClient("grants: the assertions of %q need a client that authenticates", a.Issuer).
			For(ReasonNoCredentials)
	}

	return a, nil
}

// names reports whether an assertion of either format names this issuer. It verifies
// nothing.
func names(raw, issuer string) bool {
	for _, format := range [...]string{assertion.FormatJWT, assertion.FormatSAML2} {
		if id, err := assertion.ClaimedIssuer(format, raw); err == nil {
			return id == issuer
		}
	}

	return false
}

// verified runs the host's hook. The hook gets a copy of the client, because the
// client that the server works with may share its memory with the store.
func (g Bearer) verified(ctx context.Context, r *Request, a *assertion.Assertion, out *Grant) error {
	shown := *r
	client := r.Client.Clone()
	shown.Client = &client

	err := g.Verified(ctx, &shown, a, out)
	var e *Error
	if err == nil || errors.As(err, &e) {
		return err
	}

	return InvalidGrant("refused by the host: %w", err).For(ReasonHost)
}

// refused turns the verdict on an assertion into a protocol error. The assertion's
// own reason stays with the operator. A *Error of a function of the host, such as one
// of [Unavailable], is answered as it is.
func refused(err error) error {
	var e *assertion.Error
	if !errors.As(err, &e) {
		if own := new(*Error); errors.As(err, own) {
			return err
		}
		return InvalidGrant("%w", err).For(ReasonAssertion)
	}
	switch e.Code {
	case "server_error":
		return Unavailable(err)
	case "invalid_client":
		return InvalidClient("%w", err).For(ReasonAssertion)
	case "invalid_request":
		return InvalidRequest("The assertion is missing.").Because("%w", err)
	}

	out := InvalidGrant("%w", err).For(ReasonAssertion)
	if e.ClaimRefused() != "" {
		out.Description = e.Description()
	}
	return out
}

// scopeClaim returns the scope that a JWT asks for, where it has a claim for it.
func scopeClaim(a *assertion.Assertion) []string {
	var s string
	if json.Unmarshal(a.Claims["scope"], &s) != nil {
		return nil
	}

	var out []string
	for _, v := range strings.Fields(s) {
		if storage.ValidScope(v) && len(out) < maxClaimedScopes {
			out = append(out, v)
		}
	}

	return out
}

// authTime returns the earliest time at which the assertion says that the user
// authenticated.
func authTime(a *assertion.Assertion) time.Time {
	var at time.Time
	for _, s := range a.Authn {
		if at.IsZero() || s.Instant.Before(at) {
			at = s.Instant
		}
	}

	return at
}
