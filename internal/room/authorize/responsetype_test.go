package authorize_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/room/authorize"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/internal/spec/responsemode"
)

// Response types are compared whole, byte for byte (RFC 6749 section 3.1.1).
//
// Holds: RFC 6749 section 3.1.1.
func TestResponseType_IsServedAndRegistered(t *testing.T) {
	t.Parallel()
	noGrant := web() // registered for the response type but not for the grant behind it
	noGrant.ID = "nogrant"
	noGrant.GrantTypes = []string{"client_credentials"}
	noGrant.ResponseTypes = []string{"code", "token"}
	oneGrant := spa() // a combination needs the grants of all of its words
	oneGrant.ID = "onegrant"
	oneGrant.GrantTypes = []string{"implicit"}
	r := room(t, nil, web(), spa(), noGrant, oneGrant)
	for _, c := range []struct{ client, sent, want, code string }{
		{"web", "code", "code", ""},
		{"web", " code ", "code", ""},
		{"web", "-", "", "invalid_request"},
		{"web", " ", "", "invalid_request"},
		{"web", "nonsense", "", "unsupported_response_type"},
		{"web", "CODE", "", "unsupported_response_type"},
		{"web", "code\t", "", "unsupported_response_type"},
		{"web", "code nonsense", "", "unsupported_response_type"},
		{"web", "code code", "", "unsupported_response_type"},
		{"web", "id_token", "", "unsupported_response_type"},
		{"web", "token", "", "unauthorized_client"},
		{"web", "code token", "", "unauthorized_client"},
		{"spa", "token", "token", ""},
		{"spa", "code token", "code token", ""},
		{"spa", "token code", "code token", ""},
		{"spa", "token token", "", "unsupported_response_type"},
		{"spa", "code token code", "", "unsupported_response_type"},
		{"nogrant", "code", "", "unauthorized_client"},
		{"nogrant", "token", "", "unauthorized_client"},
		{"onegrant", "token", "token", ""},
		{"onegrant", "code token", "", "unauthorized_client"},
	} {
		a, e := parse(t, r, request("client_id", c.client, "response_type", c.sent))
		if c.code != "" {
			refusedAtClient(t, e, c.code)
			continue
		}
		require.Nil(t, e, "%q: %v", c.sent, e)
		require.Equal(t, c.want, a.ResponseType)
	}
}

// An error in the place of a token travels as the token would have, also where the
// response type is not served (RFC 6749 section 4.2.2.1).
//
// Holds: RFC 6749 section 4.2.2.1; RFC 9700 section 2.1.2.
func TestResponseType_ImplicitIsRefusedInTheFragment(t *testing.T) {
	t.Parallel()
	r := room(t, func(r *authorize.Room) { r.Types = r.Types[:1] })
	for _, types := range []string{"token", "code token", "id_token", "id_token token"} {
		_, e := parse(t, r, request("client_id", "spa", "response_type", types))
		refusedAtClient(t, e, "unsupported_response_type")
		require.Equal(t, "fragment", e.To.ResponseMode)
		require.Equal(t, "xyzzy", e.To.State)
	}
	_, e := parse(t, room(t, nil), request("client_id", "spa", "response_type", "token", "scope", "nope"))
	refusedAtClient(t, e, "invalid_scope")
	require.Equal(t, "fragment", e.To.ResponseMode)
}

// OAuth 2.0 Multiple Response Type Encoding Practices section 2.1: a response type
// has a default mode, and a token is never in a query.
//
// Holds: OAuth 2.0 Multiple Response Types section 2.1.
func TestResponseMode_FitsTheResponseType(t *testing.T) {
	t.Parallel()
	r := room(t, nil)
	for _, c := range []struct{ types, sent, mode, code string }{
		{"code", "-", "query", ""},
		{"code", "query", "query", ""},
		{"code", "fragment", "fragment", ""},
		{"code", "form_post", "form_post", ""},
		{"token", "-", "fragment", ""},
		{"token", "fragment", "fragment", ""},
		{"token", "form_post", "form_post", ""},
		{"token", "query", "fragment", "invalid_request"},
		{"token code", "query", "fragment", "invalid_request"},
		{"code token", "-", "fragment", ""},
		{"code", "nonsense", "query", "invalid_request"},
		{"code", "Query", "query", "invalid_request"},
		{"code", "form_post.jwt", "query", "invalid_request"},
		{"token", "nonsense", "fragment", "invalid_request"},
		{"nonsense", "form_post", "form_post", "unsupported_response_type"},
	} {
		a, e := parse(t, r, request("client_id", "spa", "response_type", c.types, "response_mode", c.sent))
		if c.code != "" {
			refusedAtClient(t, e, c.code)
			a = e.To
		} else {
			require.Nil(t, e, "%v", e)
		}
		require.Equal(t, c.mode, a.ResponseMode, "%v", c)
	}

	t.Run("form_post needs a browser's address", func(t *testing.T) {
		t.Parallel()
		_, e := parse(t, r, request("client_id", "app", "redirect_uri", "com.example.app:/cb", "response_mode", "form_post"))
		refusedAtClient(t, e, "invalid_request")
		require.Equal(t, "query", e.To.ResponseMode)
	})
	t.Run("form_post cannot keep a line break", func(t *testing.T) {
		t.Parallel()
		_, e := parse(t, r, request("response_mode", "form_post", "state", "a\nb"))
		refusedAtClient(t, e, "invalid_request")
		require.Equal(t, "query", e.To.ResponseMode)
		require.Equal(t, "a\nb", e.To.State)
	})
	t.Run("the default must be served too", func(t *testing.T) {
		t.Parallel()
		r := room(t, func(r *authorize.Room) {
			r.Frame.Encoders = map[string]seam.Encoder{"form_post": responsemode.FormPost{}}
		})
		_, e := parse(t, r, request())
		refusedAtClient(t, e, "invalid_request")
		_, e = parse(t, r, request("response_mode", "form_post"))
		require.Nil(t, e)
	})
}
