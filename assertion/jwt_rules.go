package assertion

import "time"

// JWTRules are the settings of an [Issuer] that only its JWTs are judged by. The zero value is what RFC
// 7523 asks of a third party's assertions.
//
// For an Identity Assertion JWT Authorization Grant (ID-JAG) set Type to "oauth-id-jag+jwt",
// IssuerAudience, Required to "client_id" and whatever else the profile demands, and
// BindClient.Attribute of the issuer to "client_id": the token then works for no other client and no
// other server. Its resource and scope claims are in [Assertion.Claims].
type JWTRules struct {
	// Keys are the issuer's keys: a [*KeySet], or [RemoteKeys.URL] for keys that are fetched. If it is nil,
	// Issuer.JWKS is parsed at each request.
	Keys KeySetSource

	// SelfIssued says that the issuer is a client that signs assertions about itself or about users
	// (RFC 7521 section 4.1, RFC 7523 section 2.1). Issuer.ID is then the client_id. The assertion needs no
	// other client authentication, but must not be presented by another client; without sub it is about
	// the client; with another sub it is refused unless Issuer.Subject decides who that may be; and
	// it may be valid for 5 minutes if no MaxLifetime says otherwise.
	SelfIssued bool

	// Type is the typ that the header must have, for profiles that define one; compared without regard to
	// case and to a leading "application/". Empty accepts a JWT without typ or with typ JWT, and refuses
	// every other kind of token that the issuer may sign.
	Type string
	// IssuerAudience demands that aud is our issuer identifier and nothing else, as profiles of
	// RFC 7523 do, instead of a list that contains it or the token endpoint's URL.
	IssuerAudience bool
	// Required names claims that must be present, besides iss, sub, aud and exp.
	Required []string
	// RequireJTI demands a jti. Without one, the signed text itself serves as identifier for replay
	// protection, so an assertion is accepted once either way.
	RequireJTI bool
	// MaxAge replaces the configuration's if it is positive.
	MaxAge time.Duration

	// CertificateDates refuses keys whose certificate is not valid at the moment. Keys that did not come
	// in a certificate are not concerned.
	CertificateDates bool
	// Lenient takes what some gateways send against RFC 7515 and RFC 7519: base64 padding, and times as
	// strings or with fractions. The signature covers the text as it was sent in any case.
	Lenient bool
}
