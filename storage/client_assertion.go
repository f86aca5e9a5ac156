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
}
