package assertion

import "time"

// JWTRules are the settings of an [Issuer] that apply to its JWTs only. The zero
// value is what RFC 7523 asks of a third party's assertions.
//
// For an Identity Assertion JWT Authorization Grant (ID-JAG) set Type to
// "oauth-id-jag+jwt", IssuerAudience, Required to "client_id" and the other claims
// that the profile demands, and BindClient.Attribute of the issuer to "client_id".
// The assertion is then accepted from no other client and by no other server. Its
// resource and scope claims are in [Assertion.Claims].
type JWTRules struct {
	// Keys are the issuer's keys: a [*KeySet], or [RemoteKeys.URL] for keys that
	// are fetched. If it is nil, Issuer.JWKS is read at each request.
	Keys KeySetSource

	// SelfIssued says that the issuer is a client that signs assertions about
	// itself or about users (RFC 7521 section 4.1, RFC 7523 section 2.1).
	// Issuer.ID is then the client_id. The assertion needs no other client
	// authentication, but another client must not present it. Without sub it
	// is about the client. With another sub it is refused, unless
	// Issuer.Subject decides about the subject. It may be valid for 5 minutes,
	// unless Issuer.MaxLifetime is set.
	SelfIssued bool

	// Type is the typ that the header must have, for profiles that define one.
	// It is compared without regard to case and to a leading "application/".
	// Empty accepts a JWT without typ or with typ JWT, and refuses every other
	// type of token that the issuer may sign.
	Type string
	// IssuerAudience demands that aud is this server's issuer identifier and
	// nothing else, as profiles of RFC 7523 do. Otherwise aud may be a list
	// with it or with the token endpoint's URL.
	IssuerAudience bool
	// Required names claims that must be present besides iss, sub, aud and exp.
	Required []string
	// RequireJTI demands a jti. Without a jti, the signed text identifies the
	// assertion in the replay store, so it is accepted once in any case. Two
	// processes that sign the same claims in the same second, without a jti, make one
	// assertion twice, and the second is refused as a replay. The way out is a
	// random jti in each, or Issuer.AllowReuse.
	RequireJTI bool
	// MaxAge replaces that of the configuration if it is positive.
	MaxAge time.Duration

	// CertificateDates refuses keys whose certificate is not valid now. It does
	// not apply to keys without a certificate.
	CertificateDates bool
	// Lenient accepts some deviations from RFC 7515 and RFC 7519 that gateways
	// send: base64 padding, and times as strings. The signature covers the text as it was sent in any case.
	Lenient bool
}
