package grants

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/grantwell/grantwell/storage"
)

// Error is a protocol error: what the client may know and, apart from it, the
// cause, which only the operator sees.
type Error struct {
	// Code is the error code of RFC 6749 section 5.2 or of an extension.
	Code string
	// Description is error_description: plain ASCII text. It is the same for all
	// causes that a client must not tell apart.
	Description string
	// URI is error_uri.
	URI string
	// Details are further facts for the operator's event, by name. They may come from
	// the caller: the server bounds them and drops what is not printable.
	Details map[string]string
	// Status is the HTTP status. 0: 401 for invalid_client, 400 for every other code.
	Status int
	// RetryAfter is the Retry-After header, rounded up to whole seconds. 0: none.
	RetryAfter time.Duration
	// Header has further headers of the answer, such as a challenge.
	Header http.Header

	// Reason names the check that refused the request, for metrics and logs. It is
	// never sent.
	Reason Reason
	// Err is the cause, for operators. It is never sent.
	Err error
}

// Error returns the code, the description and the cause: text for a log, not for
// the client.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("grants: %s: %s: %v", e.Code, e.Description, e.Err)
	}

	return fmt.Sprintf("grants: %s: %s", e.Code, e.Description)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Because returns a copy of the error with a cause for the operator.
func (e *Error) Because(format string, args ...any) *Error {
	c := *e
	c.Err = fmt.Errorf(format, args...)

	return &c
}

// For returns a copy of the error with the reason.
func (e *Error) For(reason Reason) *Error {
	c := *e
	c.Reason = reason

	return &c
}

// InvalidRequest returns the error for a request that lacks a parameter or is
// malformed.
func InvalidRequest(description string) *Error {
	return &Error{Code: "invalid_request", Description: description, Reason: ReasonParameter}
}

// InvalidGrant returns the error for a code, token, password or assertion that does
// not hold. Its public text is one for all causes; the arguments are the cause.
func InvalidGrant(format string, args ...any) *Error {
	return &Error{
		Code:        "invalid_grant",
		Description: "The grant is invalid, expired, revoked or was issued to another client.",
		Reason:      ReasonGrant,
		Err:         fmt.Errorf(format, args...),
	}
}

// InvalidScope returns the error for a scope that is unknown, malformed, or more
// than may be granted.
func InvalidScope(description string) *Error {
	return &Error{Code: "invalid_scope", Description: description, Reason: ReasonScope}
}

// InvalidTarget returns the error for a resource that is unknown, malformed, or not
// registered for the client (RFC 8707 section 2).
func InvalidTarget(description string) *Error {
	return &Error{Code: "invalid_target", Description: description, Reason: ReasonAudience}
}

// InvalidClient returns the error for a failed client authentication. Its public
// text is one for all causes; the arguments are the cause.
func InvalidClient(format string, args ...any) *Error {
	return &Error{
		Code:        "invalid_client",
		Description: "Client authentication failed.",
		Status:      http.StatusUnauthorized,
		Reason:      ReasonClient,
		Err:         fmt.Errorf(format, args...),
	}
}

// UnauthorizedClient returns the error for a client that is not registered for what
// it asks.
func UnauthorizedClient(description string) *Error {
	return &Error{Code: "unauthorized_client", Description: description, Reason: ReasonClientRegistration}
}

// AccessDenied returns the error for a refusal by the user or by a hook of the host.
func AccessDenied(description string) *Error {
	return &Error{
		Code:        "access_denied",
		Description: description,
		Status:      http.StatusForbidden,
		Reason:      ReasonDenied,
	}
}

// UnsupportedGrantType returns the error for a grant type that this server does not
// serve.
func UnsupportedGrantType() *Error {
	return &Error{
		Code:        "unsupported_grant_type",
		Description: "The grant type is not supported.",
		Reason:      ReasonGrantType,
	}
}

// TooManyTries returns the error for a guess past a limit: status 429 with
// Retry-After.
func TooManyTries(wait time.Duration) *Error {
	return &Error{
		Code:        "temporarily_unavailable", // the grant was not judged
		Description: "Too many failed tries. Wait before the next one.",
		Status:      http.StatusTooManyRequests,
		RetryAfter:  wait,
		Reason:      ReasonLimit,
	}
}

// Unavailable wraps a failure of the store, or of another part that the answer
// needs: status 503 with Retry-After. A *Error and a [storage.ErrConflict] pass
// unchanged, so that the server can look at the record again.
func Unavailable(err error) error {
	var e *Error
	if errors.As(err, &e) || errors.Is(err, storage.ErrConflict) {
		return err
	}

	return &Error{
		Code:        "temporarily_unavailable",
		Description: "The service cannot answer now. Try again.",
		Status:      http.StatusServiceUnavailable,
		RetryAfter:  time.Second,
		Reason:      ReasonUnavailable,
		Err:         err,
	}
}

// ErrorOf returns the protocol error in err, with its status filled in. Any other
// error is a fault of the server and becomes server_error.
func ErrorOf(err error) *Error {
	var e *Error
	if !errors.As(err, &e) || e.Code == "" {
		return &Error{
			Code:        "server_error",
			Description: "The server met an unexpected condition.",
			Status:      http.StatusInternalServerError,
			Reason:      ReasonInternal,
			Err:         err,
		}
	}

	c := *e
	if c.Status < 400 || c.Status > 599 { // unset, or not the status of an error
		c.Status = http.StatusBadRequest
		if c.Code == "invalid_client" {
			c.Status = http.StatusUnauthorized
		}
	}
	if c.Reason == "" {
		c.Reason = ReasonHost
	}

	return &c
}
