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

// refused turns a handler's error into what the client is told. fosite's own texts repeat what the client sent, and some of
// its codes are registered nowhere: only codes that RFC 6749 section 5.2 and its registered extensions know get out, with
// texts of ours. Hint and debug text stay with the operator, without the values in form. What is no protocol error is answered
// with server_error.
func refused(err error, form url.Values) error {
	var ours *grants.Error
	if err == nil || errors.As(err, &ours) {
		return err
	}
	var e *fosite.RFC6749Error
	if !errors.As(err, &e) {
		var v fosite.RFC6749Error
		if !errors.As(err, &v) {
			return fmt.Errorf("fositegrant: %w", err)
		}
		e = &v
	}
	why := &cause{text: explain(e, form), err: err}
	switch e.ErrorField {
	case "invalid_request", "invalid_state", "insufficient_entropy":
		return grants.InvalidRequest("The request lacks a parameter or is malformed.").Because("%w", why)
	case "invalid_client":
		return grants.InvalidClient("%w", why)
	case "unauthorized_client":
		return grants.UnauthorizedClient("The client is not registered for what it asks.").Because("%w", why)
	case "unsupported_grant_type":
		return grants.UnsupportedGrantType().Because("%w", why)
	case "invalid_scope", "scope_not_granted":
		return grants.InvalidScope("A requested scope is unknown, malformed or not allowed.").Because("%w", why)
	case "access_denied", "request_forbidden":
		return grants.AccessDenied("The request was denied.").Because("%w", why)
	case "invalid_target", "invalid_authorization_details", "authorization_pending", "slow_down", "expired_token":
		return &grants.Error{Code: e.ErrorField, Description: extensions[e.ErrorField], Err: why}
	case "temporarily_unavailable":
		return grants.Unavailable(why)
	}
	switch {
	case errors.Is(e, fosite.ErrSerializationFailure):
		return grants.Unavailable(why)
	case errors.Is(e, fosite.ErrUnknownRequest):
		return grants.InvalidRequest("The request is not one that this grant serves.").Because("%w", why)
	case e.CodeField >= http.StatusBadRequest && e.CodeField < http.StatusInternalServerError:
		return grants.InvalidGrant("%w", why)
	}
	return fmt.Errorf("fositegrant: %w", why)
}

// extensions are the token endpoint's codes of RFC 8707, 9396 and 8628.
var extensions = map[string]string{
	"invalid_target":                "A requested resource or audience is unknown or not allowed.",
	"invalid_authorization_details": "The authorization_details are unknown, malformed or not allowed.",
	"authorization_pending":         "The user has not decided yet.",
	"slow_down":                     "The user has not decided yet. Ask less often.",
	"expired_token":                 "What the user was to decide on has expired.",
}

// cause is fosite's error with a text that an operator can use.
type cause struct {
	text string
	err  error
}

func (c *cause) Error() string { return c.text }
func (c *cause) Unwrap() error { return c.err }

// explain returns an error's code, hint and debug text, short, on one line, without what the client sent.
func explain(e *fosite.RFC6749Error, form url.Values) string {
	text := e.ErrorField
	for _, s := range []string{e.HintField, e.DebugField} {
		if s != "" {
			text += ": " + s
		}
	}
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
	return text[:min(len(text), 400)]
}
