package assertion

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrUnknownIssuer is the error of an [IssuerSource] for an issuer that is not
// trusted.
var ErrUnknownIssuer = errors.New("assertion: unknown issuer")

// IssuerSource returns the issuers that are trusted.
type IssuerSource interface {
	// Issuer returns the issuer with exactly this identifier, or
	// ErrUnknownIssuer. The identifier comes from an assertion that is not
	// verified yet: use it as a key and for nothing else. Any other error
	// refuses the request with server_error. The result is read after the call
	// returns and must not be changed.
	Issuer(ctx context.Context, id string) (*Issuer, error)
}

// Issuer is a party whose assertions are accepted, with its keys and limits.
type Issuer struct {
	// ID is the entityID or iss, compared octet by octet.
	ID string

	// Keys verify SAML signatures: *rsa.PublicKey of 2048 to 8192 bits, or
	// *ecdsa.PublicKey on P-256, P-384 or P-521. Several keys serve a rollover;
	// at most eight are tried, of one type at most six of RSA with 4096 bits, three
	// on P-384, and two of RSA with more than 4096 bits or on P-521.
	Keys []crypto.PublicKey
	// JWKS is the issuer's JWK Set (RFC 7517 section 5). Its keys verify JWTs.
	JWKS json.RawMessage
	// JWT are the settings that apply to the issuer's JWTs only.
	JWT JWTRules
	// Algorithms narrows the accepted signature algorithms: XML Signature URIs
	// for SAML, JWS names for JWT. Nil means every algorithm that is safe.
	Algorithms []string

	// Audiences and Recipients are accepted of this issuer besides those of the
	// configuration, for example if it can write only a client's ACS URL.
	Audiences  []string
	Recipients []string

	// Clients are those that may present this issuer's assertions as grants.
	// Nil means any client. For client authentication they are those that the
	// issuer may vouch for, and nil means only a client that is itself the
	// issuer.
	Clients []string
	// BindClient demands that the assertion names the client that presents it.
	BindClient ClientBinding

	// Subject returns the local subject of a verified assertion. Nil means
	// Subject.Value. With several issuers it should be set, because one issuer
	// can otherwise name the users of another.
	Subject func(ctx context.Context, a *Assertion) (string, error)
	// Scopes narrows the scopes that were asked for. Nil leaves them. Scopes
	// that it adds are dropped.
	Scopes func(ctx context.Context, a *Assertion, asked []string) ([]string, error)

	// MaxLifetime replaces that of the configuration if it is positive.
	MaxLifetime time.Duration
	// AllowReuse accepts a grant of this issuer again until it expires (RFC 7521 section
	// 4.1), as the setting of the configuration does for every issuer. A SAML assertion
	// with OneTimeUse is accepted once, and so is one that authenticates a client.
	AllowReuse bool
	// RefreshToken allows a refresh token with this issuer's grants. RFC 7521
	// section 4.1 advises against it.
	RefreshToken bool
}

// ClientBinding says how an assertion must name the client that presents it as a
// grant, so that another client cannot use a stolen one. Every field that is set
// must be satisfied. The zero value demands nothing. If anything is demanded, a
// request without an authenticated client is refused.
type ClientBinding struct {
	// Attribute is the name of a SAML attribute or JWT claim. One of its values
	// must be the client.
	Attribute string
	// Presenter demands that the NameID of the SAML SubjectConfirmation is the
	// client. No JWT satisfies it.
	Presenter bool
	// Audience demands that one of the audiences is the client.
	Audience bool
	// Issuer demands that the issuer is the client, in a self-issued assertion
	// (RFC 7521 section 6.1).
	Issuer bool
	// Subject demands that the subject is the client, which acts for itself
	// (RFC 7521 section 6.2).
	Subject bool
}

// Issuers returns an [IssuerSource] over a fixed list.
func Issuers(list ...Issuer) IssuerSource {
	byID := make(fixedIssuers, len(list))
	for _, issuer := range list {
		byID[issuer.ID] = &issuer
	}
	return byID
}

type fixedIssuers map[string]*Issuer

func (f fixedIssuers) Issuer(_ context.Context, id string) (*Issuer, error) {
	if issuer, ok := f[id]; ok {
		return issuer, nil
	}
	return nil, ErrUnknownIssuer
}

// findIssuer asks the source, and checks that the result keeps its contract.
func findIssuer(ctx context.Context, source IssuerSource, use Use, id string) (*Issuer, *Error) {
	issuer, err := source.Issuer(ctx, id)
	switch {
	case errors.Is(err, ErrUnknownIssuer):
		refusal := newError(use, ReasonIssuer, "issuer %s is not configured", shown(id))
		if err.Error() != ErrUnknownIssuer.Error() {
			// The source says why, for example that a client has no keys.
			refusal.Err = err
		}
		return nil, refusal
	case err != nil:
		return nil, newError(use, ReasonUnavailable, "looking up issuer %s", shown(id)).because(err)
	case issuer == nil:
		return nil, newError(use, ReasonUnavailable, "the source has neither an issuer nor an error for %s", shown(id))
	case issuer.ID != id:
		// A source that ignores case or white space would trust other names too.
		return nil, newError(use, ReasonIssuer, "the source has %s for %s", shown(issuer.ID), shown(id))
	}
	return issuer, nil
}

// checkClient holds a verified grant to the clients that its issuer allows. claim
// returns the values of the attribute or claim that BindClient names.
func checkClient(issuer *Issuer, a *Assertion, clientID string, claim func(name string) []string) *Error {
	bound := issuer.BindClient != ClientBinding{}
	switch {
	case !bound && issuer.Clients == nil:
		return nil
	case clientID == "":
		return newError(Grant, ReasonClient, "issuer %s accepts authenticated clients only", shown(issuer.ID))
	case issuer.Clients != nil && !slices.Contains(issuer.Clients, clientID):
		return newError(Grant, ReasonClient, "client %s may not present assertions of %s", shown(clientID), shown(issuer.ID))
	}
	return issuer.BindClient.check(a, clientID, claim)
}

// check demands that the assertion names the client in every way that is set.
func (bind ClientBinding) check(a *Assertion, clientID string, claim func(name string) []string) *Error {
	refuse := func(format string, args ...any) *Error {
		return newError(Grant, ReasonClient, format, args...)
	}
	switch {
	case bind.Attribute != "" && !slices.Contains(claim(bind.Attribute), clientID):
		return refuse("%s does not name client %s", shown(bind.Attribute), shown(clientID))
	case bind.Presenter && a.Presenter.Value != clientID:
		return refuse("the confirmation names presenter %s, not client %s", shown(a.Presenter.Value), shown(clientID))
	case bind.Audience && !slices.Contains(a.Audiences, clientID):
		return refuse("client %s is not an audience", shown(clientID))
	case bind.Issuer && a.Issuer != clientID:
		return refuse("issuer %s is not client %s", shown(a.Issuer), shown(clientID))
	case bind.Subject && a.Subject.Value != clientID:
		return refuse("subject %s is not client %s", shown(a.Subject.Value), shown(clientID))
	}
	return nil
}

// LocalSubject returns the local subject of a verified assertion. An error of the
// function Subject is wrapped. An empty subject is an [*Error] with ReasonSubject.
func (i *Issuer) LocalSubject(ctx context.Context, a *Assertion) (string, error) {
	subject := a.Subject.Value
	if i.Subject != nil {
		var err error
		if subject, err = i.Subject(ctx, a); err != nil {
			return "", fmt.Errorf("assertion: subject of issuer %s: %w", shown(i.ID), err)
		}
	}
	if subject == "" {
		return "", newError(Grant, ReasonSubject, "issuer %s maps subject %s to no local subject", shown(i.ID), shown(a.Subject.Value))
	}
	return subject, nil
}

// GrantedScopes returns the scopes that the function Scopes leaves of those that
// were asked for, in the same order. It never returns another scope.
func (i *Issuer) GrantedScopes(ctx context.Context, a *Assertion, asked []string) ([]string, error) {
	if i.Scopes == nil {
		return slices.Clone(asked), nil
	}
	left, err := i.Scopes(ctx, a, slices.Clone(asked))
	if err != nil {
		return nil, fmt.Errorf("assertion: scopes of issuer %s: %w", shown(i.ID), err)
	}
	var granted []string
	for _, scope := range asked {
		if slices.Contains(left, scope) {
			granted = append(granted, scope)
		}
	}
	return granted, nil
}
