package assertion

import (
	"context"
	"encoding/json"
	"net/netip"
	"time"

	"github.com/grantwell/grantwell/internal/base/xmldsig"
)

// The identifiers of RFC 7522 section 2 and RFC 7523 section 2.
const (
	// GrantSAML2 is the grant_type of a SAML 2.0 assertion used as a grant.
	GrantSAML2 = "urn:ietf:params:oauth:grant-type:saml2-bearer"
	// GrantJWT is the grant_type of a JWT used as a grant.
	GrantJWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	// ClientSAML2 is the client_assertion_type of a SAML 2.0 assertion.
	//
	// Deprecated: new applications must not authenticate clients by SAML
	// (draft-ietf-oauth-rfc7523bis section 4). Use ClientJWT.
	ClientSAML2 = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"
	// ClientJWT is the client_assertion_type of a JWT.
	ClientJWT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// The values of [Assertion.Format].
const (
	FormatSAML2 = "saml2"
	FormatJWT   = "jwt"
)

// Use is the purpose for which an assertion is presented. The same octets can be
// acceptable for one use and not for the other.
type Use int

const (
	// Grant is an authorization grant, the parameter "assertion". Refusals are
	// invalid_grant.
	Grant Use = iota
	// ClientAuth is client authentication, the parameter "client_assertion".
	// Refusals are invalid_client.
	ClientAuth
)

// String returns "grant" or "client_auth".
func (u Use) String() string {
	if u == ClientAuth {
		return "client_auth"
	}
	return "grant"
}

// Request is one presentation of an assertion.
type Request struct {
	Use Use
	// Assertion is the value of the parameter as it was sent: not trimmed, not
	// decoded.
	Assertion string
	// ClientID is, for Grant, the client that has authenticated itself, or "".
	// For ClientAuth it is the client_id parameter, or "" without one.
	ClientID string
	// Recipient is the URL that the request came to. It is for reports only,
	// and is not accepted as audience or recipient, because a Host header can
	// forge it.
	Recipient string
	// Remote is the address of the sender. Only SAMLConfig.CheckAddress uses
	// it.
	Remote netip.Addr
}

// Assertion is the content of a verified assertion. Only a [Verifier] makes one,
// and the signature covered everything in it.
type Assertion struct {
	// Format is FormatSAML2 or FormatJWT.
	Format string
	// Issuer is the issuer as signed. For a grant it equals Trust.ID.
	Issuer string
	// ID is the SAML ID or the jti. It is "" for a JWT without jti.
	ID string

	Subject   Subject
	Audiences []string

	// IssuedAt is the SAML IssueInstant or iat. It is zero if there is none.
	IssuedAt time.Time
	// NotBefore is zero if there is no such limit.
	NotBefore time.Time
	// Expires is the earliest limit that applies. It is never zero.
	Expires time.Time

	// OneTimeUse is the SAML condition of that name (SAML core section
	// 2.5.1.5).
	OneTimeUse bool
	// Attributes are those of SAML, in the order of the document.
	Attributes []Attribute
	// Authn are the SAML AuthnStatements, in the order of the document.
	Authn []Authn
	// Presenter is the NameID of the SubjectConfirmation that was accepted, if
	// it has one.
	Presenter Subject

	// Claims are all the claims of a JWT, undecoded. It is nil for SAML.
	Claims map[string]json.RawMessage
	// KeyID is the base64url SHA-256 of the key that verified the signature:
	// of its SubjectPublicKeyInfo for SAML, its RFC 7638 thumbprint for a JWT,
	// and "" for a shared secret.
	KeyID string
	// Trust is the configuration of the issuer. It is nil if a client
	// authenticated with its own registered keys.
	Trust *Issuer
}

// Subject is a SAML name identifier (SAML core section 2.2.2). A JWT sets Value
// only.
type Subject struct {
	Value string
	// Format is a URI, or "" if there is none.
	Format          string
	NameQualifier   string
	SPNameQualifier string
}

// Attribute is one SAML attribute. Values that are not plain text, because they
// have child elements or are xsi:nil, are left out.
type Attribute struct {
	Name         string
	NameFormat   string
	FriendlyName string
	Values       []string
}

// Attribute returns the values of every attribute with this name, nil if there is
// none.
func (a *Assertion) Attribute(name string) []string {
	var values []string
	for _, attribute := range a.Attributes {
		if attribute.Name == name {
			values = append(values, attribute.Values...)
		}
	}
	return values
}

// Authn is one SAML AuthnStatement: how and when the subject signed in.
type Authn struct {
	Instant time.Time
	// ClassRef is the AuthnContextClassRef, "" if there is none.
	ClassRef     string
	SessionIndex string
	// SessionNotOnOrAfter is zero if there is none. It is not enforced.
	SessionNotOnOrAfter time.Time
}

// Verifier decides whether a presented assertion is acceptable. The error is
// always an [*Error], and with an error the assertion is nil. A Verifier is safe
// for concurrent use.
type Verifier interface {
	Verify(ctx context.Context, r Request) (*Assertion, error)
}

// ReplayStore remembers the assertions that were used. Entries of different issuers
// never collide: the key is the pair of issuer and ID.
type ReplayStore interface {
	// Use records the pair and reports whether this was the first time. The
	// record must live at least until the given time. Of concurrent calls with
	// one pair exactly one gets true. An error refuses the request with
	// server_error.
	Use(ctx context.Context, issuer, id string, until time.Time) (bool, error)
}

// Event is one decision, for logs and counters. It never contains the assertion.
type Event struct {
	Format string
	Use    Use
	// Issuer is the issuer that the assertion claims. It can be trusted only if
	// Err is nil.
	Issuer string
	// ID is the ID that the assertion claims, or "" if it could not be read.
	ID       string
	ClientID string
	// Err is nil if the assertion was accepted.
	Err *Error
}

// Limits bound the document that is read before it is verified. Zero means the
// default.
type Limits struct {
	// Size is the length of the parameter in characters. Zero means 65536.
	Size int
	// Depth is the nesting of elements. Zero means 24.
	Depth int
	// Elements is the number of elements in the document, which may have three
	// times as many attributes. Zero means 400. Raise it for long lists of
	// groups.
	Elements int
	// Attributes is the number of attributes of one element, namespace
	// declarations included. Zero means 24.
	Attributes int
	// Namespaces is the number of namespace declarations in scope at one place.
	// Zero means 64.
	Namespaces int
}

func (l Limits) withDefaults() Limits {
	set := func(v *int, preset int) {
		if *v <= 0 {
			*v = preset
		}
	}
	set(&l.Size, 64<<10)
	set(&l.Depth, 24)
	set(&l.Elements, 400)
	set(&l.Attributes, 24)
	set(&l.Namespaces, 64)
	return l
}

// document returns the limits of the document, which do not include its size.
func (l Limits) document() xmldsig.Limits {
	return xmldsig.Limits{
		Depth:      l.Depth,
		Elements:   l.Elements,
		Attributes: l.Attributes,
		Namespaces: l.Namespaces,
		// The document has at most three quarters of the parameter's size, so that
		// its canonical form may be twice as large.
		Canonical: l.Size + l.Size/2,
	}
}
