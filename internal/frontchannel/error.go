package frontchannel

import (
	"fmt"
	"net/http"
)

// Error codes of RFC 6749 section 4.1.2.1 and of RFC 8707 section 2.
const (
	codeInvalidRequest     = "invalid_request"
	codeInvalidClient      = "invalid_client"
	codeUnauthorized       = "unauthorized_client"
	codeUnsupportedType    = "unsupported_response_type"
	codeInvalidScope       = "invalid_scope"
	codeInvalidTarget      = "invalid_target"
	codeTemporarilyUnavail = "temporarily_unavailable"
)

// Error is why a request was refused.
type Error struct {
	Code        string // from a registry: RFC 6749 section 4.1.2.1, RFC 8707, OpenID Connect Core section 3.1.2.6
	Description string // fixed text in the characters that RFC 6749 allows; repeats nothing of the request
	Status      int    // of the answer when it is not a redirect: 400 or 503
	Err         error  // the cause, for the operator's log only; may be nil

	// Request is set only when client and redirect URI are verified. Then the error is answered there:
	// Respond(w, e.Request, e.Params()). Otherwise it is a page with Status, and never a redirect.
	Request *Request
}

// Error returns the code with the cause, for logs.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("frontchannel: %s: %s: %v", e.Code, e.Description, e.Err)
	}
	return fmt.Sprintf("frontchannel: %s: %s", e.Code, e.Description)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Params returns the error as response parameters: error and error_description.
func (e *Error) Params() Params {
	return Params{{"error", e.Code}, {"error_description", e.Description}}
}

func refuse(code, description string) *Error {
	e := &Error{Code: code, Description: description, Status: http.StatusBadRequest}
	if code == codeTemporarilyUnavail {
		e.Status = http.StatusServiceUnavailable
	}
	return e
}

// because adds the cause, which only the operator sees.
func (e *Error) because(format string, args ...any) *Error {
	e.Err = fmt.Errorf(format, args...)
	return e
}
