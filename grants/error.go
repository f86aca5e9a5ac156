package grants

import (
	"errors"
	"fmt"
	"time"

	"github.com/grantwell/grantwell/storage"
)

// Error is a protocol error: what the client is told, and, apart from it, why.
type Error struct {
	Code        string        // error of RFC 6749 section 5.2 or an extension's
	Description string        // error_description: plain ASCII text, the same for every cause that a client must not tell apart
	URI         string        // error_uri
	Status      int           // HTTP status; 0: 400, or 401 for invalid_client
	RetryAfter  time.Duration // Retry-After header, in whole seconds; 0: none
	Err         error         // the cause, for operators only; never sent
}

// Error returns the code, the description and the cause: text for a log, not for the client.
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

// InvalidRequest: the request lacks a parameter or is malformed.
func InvalidRequest(description string) *Error {
	return &Error{Code: "invalid_request", Description: description}
}

// InvalidGrant: the code, token, password or assertion does not hold. The public text is one for all causes.
func InvalidGrant(format string, args ...any) *Error {
	return &Error{Code: "invalid_grant", Description: "The grant is invalid, expired, revoked or was issued to another client.",
		Err: fmt.Errorf(format, args...)}
}

// InvalidScope: the scope is unknown, malformed or exceeds what may be granted.
func InvalidScope(description string) *Error {
	return &Error{Code: "invalid_scope", Description: description}
}

// InvalidClient: client authentication failed. The public text is one for all causes.
func InvalidClient(format string, args ...any) *Error {
	return &Error{Code: "invalid_client", Description: "Client authentication failed.", Status: 401, Err: fmt.Errorf(format, args...)}
}

// UnauthorizedClient: the client is not registered for what it asks.
func UnauthorizedClient(description string) *Error {
	return &Error{Code: "unauthorized_client", Description: description}
}

// AccessDenied: the user, or a hook in the host, said no.
func AccessDenied(description string) *Error {
	return &Error{Code: "access_denied", Description: description, Status: 403}
}

// UnsupportedGrantType: this server does not serve that grant type.
func UnsupportedGrantType() *Error {
	return &Error{Code: "unsupported_grant_type", Description: "The grant type is not supported."}
}

// TooManyTries: a limit on guesses was passed. 429 with Retry-After.
func TooManyTries(wait time.Duration) *Error {
	return &Error{Code: "invalid_grant", Description: "Too many failed tries. Wait before the next one.", Status: 429, RetryAfter: wait}
}

// Unavailable wraps a failure of the store (or of another part that the answer needs): 503 and Retry-After.
// A conflict passes unchanged, so that the server can look at the record again.
func Unavailable(err error) error {
	var e *Error
	if errors.As(err, &e) || errors.Is(err, storage.ErrConflict) {
		return err
	}
	return &Error{Code: "temporarily_unavailable", Description: "The service cannot answer now. Try again.",
		Status: 503, RetryAfter: time.Second, Err: err}
}
