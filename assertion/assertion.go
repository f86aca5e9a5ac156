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

// Use says what an assertion is presented for. The same octets can be good for
// one use and not for the other.
type Use int

const (
	// Grant is an authorization grant: the parameter "assertion". Refusals are invalid_grant.
	Grant Use = iota
	// ClientAuth is client authentication: the parameter "client_assertion". Refusals are invalid_client.
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
	// Assertion is the value of the parameter as it was sent: not trimmed, not decoded.
	Assertion string
	// ClientID is, for Grant, the client that has authenticated itself, or "".
	// For ClientAuth it is the client_id parameter, or "" if there was none.
	ClientID string
	// Recipient is the URL that the request came to. It goes into reports and is never
	// an acceptable audience or recipient by itself, since a Host header can forge it.
	Recipient string
	// Remote is the address of the sender. Only SAMLConfig.CheckAddress looks at it.
	Remote netip.Addr
}

// Assertion is what a verified assertion says. Only a [Verifier] makes one, and
// everything in it was covered by the signature.
type Assertion struct {
	Format string // FormatSAML2 or FormatJWT
	Issuer string // as signed; equals Trust.ID for a grant
	ID     string // SAML ID or jti; "" for a JWT without jti

	Subject   Subject
	Audiences []string

	IssuedAt  time.Time // SAML IssueInstant or iat; zero when absent
	NotBefore time.Time // zero when absent
	Expires   time.Time // the earliest limit that applies; never zero

	OneTimeUse bool        // SAML core section 2.5.1.5
	Attributes []Attribute // SAML only, in the order of the document
	Authn      []Authn     // SAML AuthnStatements, in the order of the document
	Presenter  Subject     // NameID of the SubjectConfirmation that held, if it has one

	// Claims are all the claims of a JWT, undecoded. Nil for SAML.
	Claims map[string]json.RawMessage
	// KeyID is the base64url SHA-256 of the key that verified: of its SubjectPublicKeyInfo
	// for SAML, its RFC 7638 thumbprint for JWT. "" for a shared secret.
	KeyID string
	// Trust is the issuer's configuration that the assertion was judged by. It is nil
	// when a client authenticated with its own registered keys.
	Trust *Issuer
}

// Subject is a SAML name identifier (SAML core section 2.2.2). A JWT sets Value only.
type Subject struct {
	Value           string
	Format          string // URI; "" when absent
	NameQualifier   string
	SPNameQualifier string
}

// Attribute is one SAML attribute with its values as text. A value that is not
// plain text (it has child elements or is xsi:nil) is left out.
type Attribute struct {
	Name         string
	NameFormat   string
	FriendlyName string
	Values       []string
}

// Attribute returns the values of every attribute with this name, nil if there is none.
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
	Instant             time.Time
	ClassRef            string // AuthnContextClassRef, "" when absent
	SessionIndex        string
	SessionNotOnOrAfter time.Time // zero when absent; not enforced here
}

// Verifier decides whether a presented assertion is good. The error is always an
// [*Error], and with an error the assertion is nil. A Verifier is safe for
// concurrent use.
type Verifier interface {
	Verify(ctx context.Context, r Request) (*Assertion, error)
}

// ReplayStore remembers the assertions that were used. Entries of different
// issuers never collide: the key is the pair of issuer and ID.
type ReplayStore interface {
	// Use records the pair and reports whether this was the first time. The record
	// must live at least until the given time. Of concurrent calls with one pair
	// exactly one gets true. An error refuses the request with server_error.
	Use(ctx context.Context, issuer, id string, until time.Time) (bool, error)
}

// Event is one decision, for logs and counters. It never holds the assertion itself.
type Event struct {
	Format   string
	Use      Use
	Issuer   string // as claimed; trusted only when Err is nil
	ID       string // as claimed; "" when it could not be read
	ClientID string
	Err      *Error // nil when the assertion was accepted
}

// Limits bound what is read of an unverified document. Zero means the default.
type Limits struct {
	Size       int // characters of the parameter; default 65536
	Depth      int // nesting of elements; default 24
	Elements   int // elements in the document, which may have three times as many attributes; default 400. Raise it for long group lists
	Attributes int // attributes of one element, declarations included; default 24
	Namespaces int // namespace declarations in scope at one place; default 64
}

func (l Limits) withDefaults() Limits {
	set := func(v *int, def int) {
		if *v <= 0 {
			*v = def
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
	}
}
