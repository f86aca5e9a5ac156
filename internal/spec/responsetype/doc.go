// Package responsetype has the values of response_type that the server answers
// (RFC 6749 section 3.1.1), one file each.
package responsetype
