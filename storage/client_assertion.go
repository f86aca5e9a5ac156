package storage

import "time"

// MaxAssertionLifetime bounds [ClientAssertion].AssertionLifetime.
const MaxAssertionLifetime = 24 * time.Hour

// ClientAssertion is what a client registers about the assertions that it signs (RFC
// 7523).
type ClientAssertion struct {
	// AssertionLifetime is how far in the future the client's assertions may
	// expire, at most 24 hours. It replaces the server's limit for assertions by
	// which the client authenticates or that it issues about itself. Zero leaves
	// the server's limit. In JSON it is a number of seconds.
	//
	// Some client libraries sign assertions of one hour and cannot be configured.
	// A stolen assertion is worth a token until it was used or has expired.
	AssertionLifetime time.Duration `json:"assertion_lifetime,omitempty"`

	// LegacyAssertionAudience also accepts the token endpoint's URL as the audience of
	// the assertions by which the client authenticates, alone or in a list with others,
	// as RFC 7523 section 3 allowed. It is for a client that cannot be configured: a
	// malicious server can have such an assertion made for it and use it at this server
	// (draft-ietf-oauth-rfc7523bis section 1).
	LegacyAssertionAudience bool `json:"legacy_assertion_audience,omitempty"`

	// ReuseAssertions accepts an assertion of the client, as a grant, again until it
	// expires (RFC 7521 section 4.1). An assertion by which the client authenticates is
	// never accepted again.
	ReuseAssertions bool `json:"reuse_assertions,omitempty"`
}
