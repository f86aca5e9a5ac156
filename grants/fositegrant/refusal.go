package fositegrant

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/ory/fosite"

	"github.com/grantwell/grantwell/grants"
)

// refused returns an error of a handler as the server's protocol error. form is the token
// request.
//
// fosite's texts repeat what the client sent, and some of its codes are not registered.
// The client gets only the codes of RFC 6749 section 5.2 and of its registered extensions,
// with texts of this package. The operator gets fosite's hint and debug text, without the
// values of form. An error that is no protocol error is answered with server_error.
func refused(err error, form url.Values) error {
	var own *grants.Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	e, ok := protocolError(err)
	if !ok {
		return fmt.Errorf("fositegrant: %w", err)
	}

	// why is for the operator. The texts below are for the client.
	why := &cause{text: explain(e, form), err: err}
	if refusal := byCode(e.ErrorField, why); refusal != nil {
		return refusal
	}

	// The code is one of fosite's own, or of the host's.
	switch {
	case errors.Is(e, fosite.ErrSerializationFailure):
		return grants.Unavailable(why)
	case errors.Is(e, fosite.ErrUnknownRequest):
		return grants.InvalidRequest("The request is not one that this grant serves.").
			Because("%w", why)
	case e.CodeField >= http.StatusBadRequest && e.CodeField < http.StatusInternalServerError:
		return grants.InvalidGrant("%w", why)
	}
	return fmt.Errorf("fositegrant: %w", why)
}

// protocolError returns the fosite error in err, which may be a pointer or a value.
func protocolError(err error) (*fosite.RFC6749Error, bool) {
	var pointer *fosite.RFC6749Error
	if errors.As(err, &pointer) {
		return pointer, true
	}
	var value fosite.RFC6749Error
	if errors.As(err, &value) {
		return &value, true
	}
	return nil, false
}

// byCode returns the protocol error for a code of fosite's, or nil for an unknown code.
func byCode(code string, why error) error {
	switch code {
	case "invalid_request", "invalid_state", "insufficient_entropy":
		return grants.InvalidRequest("The request lacks a parameter or is malformed.").
			Because("%w", why)
	case "invalid_client":
		return grants.InvalidClient("%w", why)
	case "unauthorized_client":
		return grants.UnauthorizedClient("The client is not registered for what it asks.").
			Because("%w", why)
	case "unsupported_grant_type":
		return grants.UnsupportedGrantType().Because("%w", why)
	case "invalid_scope", "scope_not_granted":
		return grants.InvalidScope("A requested scope is unknown, malformed or not allowed.").
			Because("%w", why)
	case "access_denied", "request_forbidden":
		return grants.AccessDenied("The request was denied.").Because("%w", why)
	case "temporarily_unavailable":
		return grants.Unavailable(why)
	}
	if text := extensions[code]; text != "" {
		return &grants.Error{Code: code, Description: text, Err: why}
	}
	return nil
}

// extensions are the token endpoint's codes of RFC 8707, RFC 9396 and RFC 8628.
var extensions = map[string]string{
	"invalid_target":                "A requested resource or audience is unknown or not allowed.",
	"invalid_authorization_details": "The authorization_details are unknown, malformed or not allowed.",
	"authorization_pending":         "The user has not decided yet.",
	"slow_down":                     "The user has not decided yet. Poll less often.",
	"expired_token":                 "The device code has expired.",
}

// cause is an error of fosite's with a text for the operator.
type cause struct {
	text string
	err  error
}

func (c *cause) Error() string { return c.text }
func (c *cause) Unwrap() error { return c.err }

// maxCause is the length of an operator's text in bytes.
const maxCause = 400

// explain returns the code, the hint and the debug text of an error in one line of
// printable ASCII, without the values of form.
func explain(e *fosite.RFC6749Error, form url.Values) string {
	text := e.ErrorField
	for _, s := range []string{e.HintField, e.DebugField} {
		if s != "" {
			text += ": " + s
		}
	}

	// The grant type is no secret, and values of up to three bytes would match anywhere.
	for name, values := range form {
		for _, v := range values {
			if name != "grant_type" && len(v) > 3 {
				text = strings.ReplaceAll(text, v, "["+name+"]")
			}
		}
	}

	text = strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return ' '
		}
		return r
	}, text)
	return text[:min(len(text), maxCause)]
}
