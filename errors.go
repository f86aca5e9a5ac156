package grantwell

import "github.com/grantwell/grantwell/grants"

// Error is a protocol error: what the client may know and, apart from it, the cause,
// which only the operator sees.
type Error = grants.Error

// Reason names the check that refused a request, for metrics and logs. The constants
// are in package grants: see grants.Reasons.
type Reason = grants.Reason

// AccessDenied returns the error for a refusal by the user or by the host.
func AccessDenied(description string) *Error { return grants.AccessDenied(description) }

// InvalidRequest returns the error for a request that lacks a parameter or is
// malformed.
func InvalidRequest(description string) *Error { return grants.InvalidRequest(description) }

// InvalidScope returns the error for a scope that may not be granted.
func InvalidScope(description string) *Error { return grants.InvalidScope(description) }

// LoginRequired returns the error for a request with prompt=none whose user must sign
// in (OpenID Connect Core section 3.1.2.6).
func LoginRequired(description string) *Error {
	return &Error{Code: "login_required", Description: description, Reason: grants.ReasonLoginRequired}
}

// Unavailable wraps a failure of a part that the answer needs: the caller gets status
// 503 and may try again.
func Unavailable(err error) error { return grants.Unavailable(err) }
