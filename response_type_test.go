package grantwell_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// A response type is compared as a whole, byte for byte: its words in any order, each
// once, and no word that contains another one (RFC 6749 section 3.1.1).
func TestResponseType_IsComparedWhole(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	s.AddClient("all", func(c *storage.Client) { c.ResponseTypes = []string{"code", "token", "code token"} })
	for sent, want := range map[string]string{
		"code":                 "code",
		"token":                "token",
		"code token":           "code token",
		"token code":           "code token",
		" token  code ":        "code token",
		"":                     "invalid_request",
		" ":                    "invalid_request",
		"id_token":             "unsupported_response_type",
		"id_token token":       "unsupported_response_type",
		"code id_token":        "unsupported_response_type",
		"code id_token token":  "unsupported_response_type",
		"none":                 "unsupported_response_type",
		"code none":            "unsupported_response_type",
		"code code":            "unsupported_response_type",
		"token token":          "unsupported_response_type",
		"code token code":      "unsupported_response_type",
		"CODE":                 "unsupported_response_type",
		"Token":                "unsupported_response_type",
		"code Token":           "unsupported_response_type",
		"code,token":           "unsupported_response_type",
		"code\ttoken":          "unsupported_response_type",
		"code\u00a0token":      "unsupported_response_type",
		"codetoken":            "unsupported_response_type",
		"cod":                  "unsupported_response_type",
		"code nonsense":        "unsupported_response_type",
		"authorization_code":   "unsupported_response_type",
		strings.Repeat("x", 9): "unsupported_response_type",
	} {
		res := s.Authorize(s.Approval, "client_id", "all", "response_type", sent)
		got := res.Param("error")
		if got == "" {
			require.Equal(t, strings.Contains(want, "code"), res.Param("code") != "", "%q", sent)
			require.Equal(t, strings.Contains(want, "token"), res.Param("access_token") != "", "%q", sent)
			continue
		}
		require.Equal(t, want, got, "%q", sent)
		require.Empty(t, res.Param("code")+res.Param("access_token"), "%q", sent)
		// An error in the place of a token goes into the fragment (RFC 6749 section 4.2.2.1).
		fragment := strings.Contains(res.Header.Get("Location"), "#")
		words := strings.FieldsFunc(sent, func(r rune) bool { return r == ' ' })
		wantsToken := false
		for _, w := range words {
			wantsToken = wantsToken || w == "token" || w == "id_token"
		}
		require.Equal(t, wantsToken, fragment, "%q", sent)
	}
}

// A client gets the response types that it is registered for, and a combination only
// as such.
func TestResponseType_IsRegisteredAsAWhole(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	for id, types := range map[string][]string{
		"both":   {"code", "token"},
		"hybrid": {"token code"},
		"shout":  {"CODE", "Token"},
	} {
		s.AddClient(id, func(c *storage.Client) { c.ResponseTypes = types })
	}
	s.AddClient("nogrant", func(c *storage.Client) { c.GrantTypes = []string{"client_credentials"} })
	for _, c := range []struct{ client, sent, want string }{
		{"nogrant", "code", "unauthorized_client"},
		{"nogrant", "token", "unauthorized_client"},
		{"both", "code", ""},
		{"both", "token", ""},
		{"both", "code token", "unauthorized_client"},
		{"hybrid", "code token", ""},
		{"hybrid", "token code", ""},
		{"hybrid", "code", "unauthorized_client"},
		{"shout", "code", "unauthorized_client"},
		{"shout", "token", "unauthorized_client"},
	} {
		res := s.Authorize(s.Approval, "client_id", c.client, "response_type", c.sent)
		require.Equal(t, c.want, res.Param("error"), "%+v: %s", c, res.Body)
	}
}

// A response type needs its grant at the server: without the implicit grant there is
// no token, alone or beside a code.
func TestResponseType_NeedsItsGrant(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(cfg *grantwell.Config) { cfg.Grants = []grants.Handler{grants.AuthorizationCode{}} })
	s.AddClient("all", func(c *storage.Client) { c.ResponseTypes = []string{"code", "token", "code token"} })
	for sent, want := range map[string]string{
		"code": "", "token": "unsupported_response_type", "code token": "unsupported_response_type",
	} {
		require.Equal(t, want, s.Authorize(s.Approval, "client_id", "all", "response_type", sent).Param("error"), sent)
	}
	require.Equal(t, []any{"code"}, s.Get(wellKnown).JSON["response_types_supported"])
}
