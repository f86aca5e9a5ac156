package fositegrant_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ory/fosite"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/fositegrant"
)

// The client gets registered error codes (RFC 6749 section 5.2) with fixed texts. Nothing
// of the handler's own texts reaches it.
func TestNew_ErrorsAreRegistered(t *testing.T) {
	t.Parallel()
	own := func(code string, status int) *fosite.RFC6749Error {
		return &fosite.RFC6749Error{
			ErrorField:       code,
			CodeField:        status,
			HintField:        "evil",
			DescriptionField: "evil",
		}
	}
	for name, c := range map[string]struct {
		err    error
		code   string
		status int
	}{
		"invalid_grant":           {fosite.ErrInvalidGrant, "invalid_grant", 400},
		"invalid_request":         {fosite.ErrInvalidRequest, "invalid_request", 400},
		"a value":                 {*fosite.ErrInvalidScope, "invalid_scope", 400},
		"invalid_client":          {fosite.ErrInvalidClient, "invalid_client", 401},
		"unauthorized_client":     {fosite.ErrUnauthorizedClient, "unauthorized_client", 400},
		"unsupported_grant_type":  {fosite.ErrUnsupportedGrantType, "unsupported_grant_type", 400},
		"access_denied":           {fosite.ErrAccessDenied, "access_denied", 403},
		"request_forbidden":       {fosite.ErrRequestForbidden, "access_denied", 403},
		"scope_not_granted":       {fosite.ErrScopeNotGranted, "invalid_scope", 400},
		"jti_known":               {fosite.ErrJTIKnown, "invalid_grant", 400},
		"token_inactive":          {fosite.ErrInactiveToken, "invalid_grant", 400},
		"request_unauthorized":    {fosite.ErrRequestUnauthorized, "invalid_grant", 400},
		"not_found":               {fosite.ErrNotFound, "invalid_grant", 400},
		"invalid_state":           {fosite.ErrInvalidState, "invalid_request", 400},
		"misconfiguration":        {fosite.ErrMisconfiguration, "server_error", 500},
		"server_error":            {fosite.ErrServerError, "server_error", 500},
		"temporarily_unavailable": {fosite.ErrTemporarilyUnavailable, "temporarily_unavailable", 503},
		"serialization failure":   {fosite.ErrSerializationFailure, "temporarily_unavailable", 503},
		"unknown request":         {fosite.ErrUnknownRequest, "invalid_request", 400},
		"invalid_target":          {own("invalid_target", 400), "invalid_target", 400},
		"the host's own code":     {own("evil_code", 418), "invalid_grant", 400},
		"wrapped":                 {fmt.Errorf("evil: %w", fosite.ErrInvalidScope), "invalid_scope", 400},
		"an error of grants":      {grants.AccessDenied("The department is closed."), "access_denied", 403},
		"any other error":         {errors.New("evil"), "server_error", 500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newGrantHost(t, nil, asGrant(t, exchange{refuse: c.err}, fositegrant.Options{}))
			status, body := h.exchange("alice", "scope", "read")
			h.refusedWith(c.code, c.status, status, body)
			require.NotEmpty(t, body["error_description"])
			require.NotContains(t, fmt.Sprint(body), "evil")
		})
	}
}

// The operator gets fosite's hint and debug text, without the values that the client sent.
func TestNew_CausesNameNoValuesOfTheClient(t *testing.T) {
	t.Parallel()
	hint := fosite.ErrInvalidGrant.
		WithHintf("evil \"%s\" h\u00e9\n", "token of alice").
		WithDebug("debug of token of alice")
	for name, err := range map[string]error{
		"a refusal": hint,
		"a fault":   fosite.ErrServerError.WithWrap(hint).WithDebug("debug of token of alice"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newGrantHost(t, nil, asGrant(t, exchange{refuse: err}, fositegrant.Options{}))
			_, body := h.exchange("alice", "scope", "read")
			require.NotContains(t, fmt.Sprint(body), "evil")
			require.NotContains(t, fmt.Sprint(body)+h.reason(), "alice")
			require.Contains(t, h.reason(), "debug of [subject_token]")
		})
	}
}
