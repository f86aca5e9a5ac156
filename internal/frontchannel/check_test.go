package frontchannel_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/frontchannel"
	"github.com/grantwell/grantwell/storage"
)

// Holds R31, R32, S30.
func TestParse_ResponseType(t *testing.T) {
	t.Parallel()
	noGrant := web() // registered for the response type but not for the grant behind it
	noGrant.ID, noGrant.GrantTypes, noGrant.ResponseTypes = "nogrant", []string{"client_credentials"}, []string{"code", "token"}
	f := server(t, nil, web(), spa(), noGrant)
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
	} {
		r, e := parse(t, f, request("client_id", c.client, "response_type", c.sent))
		if c.code != "" {
			refusedAtClient(t, e, c.code)
			continue
		}
		require.Nil(t, e, "%q: %v", c.sent, e)
		require.Equal(t, c.want, r.ResponseType)
	}
}

// Holds R126, R128, S50, S51.
func TestParse_ImplicitIsRefusedInTheFragment(t *testing.T) {
	t.Parallel()
	f := server(t, func(c *frontchannel.Config) { c.ResponseTypes = []string{"code"} })
	for _, types := range []string{"token", "code token", "id_token", "id_token token"} {
		_, e := parse(t, f, request("client_id", "spa", "response_type", types))
		refusedAtClient(t, e, "unsupported_response_type")
		require.Equal(t, "fragment", e.Request.ResponseMode)
		require.Equal(t, "xyzzy", e.Request.State)
	}
	_, e := parse(t, server(t, nil), request("client_id", "spa", "response_type", "token", "scope", "nope"))
	refusedAtClient(t, e, "invalid_scope")
	require.Equal(t, "fragment", e.Request.ResponseMode)
}

// Holds R51.
func TestParse_ResponseMode(t *testing.T) {
	t.Parallel()
	f := server(t, nil)
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
		r, e := parse(t, f, request("client_id", "spa", "response_type", c.types, "response_mode", c.sent))
		if c.code != "" {
			refusedAtClient(t, e, c.code)
			r = e.Request
		} else {
			require.Nil(t, e, "%v", e)
		}
		require.Equal(t, c.mode, r.ResponseMode, "%v", c)
	}

	t.Run("form_post needs a browser's address", func(t *testing.T) {
		t.Parallel()
		_, e := parse(t, f, request("client_id", "app", "redirect_uri", "com.example.app:/cb", "response_mode", "form_post"))
		refusedAtClient(t, e, "invalid_request")
		require.Equal(t, "query", e.Request.ResponseMode)
	})
	t.Run("form_post cannot keep a line break", func(t *testing.T) {
		t.Parallel()
		_, e := parse(t, f, request("response_mode", "form_post", "state", "a\nb"))
		refusedAtClient(t, e, "invalid_request")
		require.Equal(t, "query", e.Request.ResponseMode)
		require.Equal(t, "a\nb", e.Request.State)
	})
	t.Run("the default must be allowed too", func(t *testing.T) {
		t.Parallel()
		f := server(t, func(c *frontchannel.Config) { c.AllowedResponseModes = []string{"form_post"} })
		_, e := parse(t, f, request())
		refusedAtClient(t, e, "invalid_request")
		_, e = parse(t, f, request("response_mode", "form_post"))
		require.Nil(t, e)
	})
}

// Holds R33, S135.
func TestParse_Scope(t *testing.T) {
	t.Parallel()
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprint("s", i)
	}
	c := web()
	c.Scope = append(c.Scope, many...)
	f := server(t, nil, c)
	for sent, want := range map[string][]string{
		"read":                        {"read"},
		"  write   read write ":       {"write", "read"},
		" ":                           nil,
		strings.Join(many[:100], " "): many[:100],
		strings.Repeat("read ", 100):  {"read"},
	} {
		r, e := parse(t, f, request("scope", sent))
		require.Nil(t, e, "%v", e)
		require.Equal(t, want, r.Scope)
		require.Equal(t, want != nil, r.ScopeGiven)
	}
	for _, sent := range []string{
		"admin", "read admin", "READ", `re"ad`, `re\ad`, "read\twrite", "read\nwrite", "réad", "read\u00a0write", "read.*", "*",
		strings.Repeat("a", 257), strings.Join(many, " "), strings.Repeat("a ", 10_000),
	} {
		_, e := parse(t, f, request("scope", sent))
		refusedAtClient(t, e, "invalid_scope")
	}

	t.Run("AnyScope", func(t *testing.T) {
		t.Parallel()
		f := server(t, func(c *frontchannel.Config) { c.AnyScope = true })
		r, e := parse(t, f, request("scope", "read admin"))
		require.Nil(t, e)
		require.Equal(t, []string{"read", "admin"}, r.Scope)
		_, e = parse(t, f, request("scope", `"`))
		refusedAtClient(t, e, "invalid_scope")
	})
}

// A scope is registered for the client byte for byte, or the server's own rule decides on it.
func TestParse_ScopeMustBeRegistered(t *testing.T) {
	t.Parallel()
	bare := web()
	bare.ID = "bare"
	bare.Scope = nil
	patterns := web()
	patterns.ID = "patterns"
	patterns.Scope = []string{"*", "files.*", "read write"}
	strict := server(t, nil, web(), bare, patterns)
	lax := server(t, func(c *frontchannel.Config) { c.AnyScope = true }, web(), bare, patterns)
	for _, c := range []struct {
		client, scope string
		registered    bool
	}{
		{"web", "read", true},
		{"web", "write read openid", true},
		{"web", "read admin", false},
		{"web", "admin read", false},
		{"web", "Read", false},
		{"web", "read.all", false},
		{"web", "rea", false},
		{"bare", "read", false},
		{"patterns", "*", true},
		{"patterns", "files.read", false},
		{"patterns", "read", false},
	} {
		form := request("client_id", c.client, "scope", c.scope)
		r, e := parse(t, strict, form)
		if c.registered {
			require.Nil(t, e, "%v", c)
			require.Equal(t, strings.Fields(c.scope), r.Scope)
		} else {
			refusedAtClient(t, e, "invalid_scope")
		}
		r, e = parse(t, lax, form)
		require.Nil(t, e, "%v", c)
		require.Equal(t, strings.Fields(c.scope), r.Scope)
	}
}

// AnyScope is a rule about scopes: it lets no audience and no resource pass.
func TestParse_AudienceMustBeRegisteredWhateverTheScopeRule(t *testing.T) {
	t.Parallel()
	f := server(t, func(c *frontchannel.Config) { c.AnyScope = true })
	for _, name := range []string{"audience", "resource"} {
		_, e := parse(t, f, request(name, "https://other.example/", "scope", "anything"))
		refusedAtClient(t, e, "invalid_target")
	}
	// An audience that is registered does not open the way for a resource beside it.
	_, e := parse(t, f, request("audience", "urn:files", "resource", "https://other.example/"))
	refusedAtClient(t, e, "invalid_target")
}

// Client metadata in the request (OpenID Connect Core section 7.2.1) is refused, never ignored.
func TestParse_RegistrationIsRefused(t *testing.T) {
	t.Parallel()
	f := server(t, nil)
	for _, value := range []string{"{}", "null", " ", `{"redirect_uris":["https://evil.example/"]}`} {
		for _, scope := range []string{"read", "openid"} {
			_, e := parse(t, f, request("registration", value, "scope", scope))
			refusedAtClient(t, e, "registration_not_supported")
			require.Equal(t, callback, e.Request.RedirectURI)
		}
	}
}

// OpenID Connect Core section 3.1.2.1 requires redirect_uri, and one that is missing is nowhere to redirect to.
func TestParse_OpenIDWithoutRedirectURIIsAPage(t *testing.T) {
	t.Parallel()
	f := server(t, nil)
	for _, uri := range []string{"-", ""} {
		for _, scope := range []string{"openid", "read openid", " openid  read"} {
			_, e := parse(t, f, request("redirect_uri", uri, "scope", scope))
			refusedOnPage(t, e, http.StatusBadRequest)
			require.Equal(t, "invalid_request", e.Code)
		}
		twice := request("redirect_uri", uri)
		twice["scope"] = []string{"read", "read"}
		_, e := parse(t, f, twice)
		refusedAtClient(t, e, "invalid_request")

		for _, scope := range []string{"-", "read", "openid\tread"} {
			r, e := f.Parse(t.Context(), request("redirect_uri", uri, "scope", scope))
			if e == nil {
				require.Equal(t, callback, r.RedirectURI)
				require.False(t, r.RedirectURIGiven)
				continue
			}
			refusedAtClient(t, e, "invalid_scope")
		}
	}
}

// Holds R194, R195.
func TestParse_Audience(t *testing.T) {
	t.Parallel()
	f := server(t, nil)
	for name, values := range map[string][]string{
		"resource": {"https://api.example/"},
		"audience": {"https://api.example/ urn:files", "urn:files"},
	} {
		form := request()
		form[name] = values
		r, e := parse(t, f, form)
		require.Nil(t, e, "%v", e)
		require.Equal(t, "https://api.example/", r.Audience[0])
	}
	many := make([]string, 101)
	for i := range many {
		many[i] = "https://api.example/"
	}
	for name, lists := range map[string][][]string{
		"resource": {
			{"https://api.example/#f"}, {"https://api.example/#"}, {"api.example"}, {"/"}, {"https://other.example/"}, {"https://api.example/ urn:files"},
			{"https://api.example"}, {"https://api.example/../admin"}, {"https://API.example/"}, {"https://api.example/", "urn:other"}, {"%zz"}, many,
		},
		"audience": {{"other"}, {"urn:files other"}, {"urn:files", "other"}, {strings.Repeat("a ", 10)}, {"urn:FILES"}, many},
	} {
		for _, values := range lists {
			form := request()
			form[name] = values
			_, e := parse(t, f, form)
			refusedAtClient(t, e, "invalid_target")
		}
	}
	none := web()
	none.Audience = nil
	_, e := parse(t, server(t, nil, none), request("audience", "urn:files"))
	refusedAtClient(t, e, "invalid_target")
}

// Holds R48, R49, R50.
func TestParse_PKCE(t *testing.T) {
	t.Parallel()
	strict := web()
	strict.ID, strict.RequirePKCE = "strict", true
	clients := []storage.Client{web(), app(), spa(), strict}
	implicit := spa()
	implicit.ID, implicit.AuthMethod = "implicit", storage.AuthNone
	clients = append(clients, implicit)
	safe := server(t, nil, clients...)
	plain := server(t, func(c *frontchannel.Config) { c.AllowPlainPKCE = true }, clients...)
	every := server(t, func(c *frontchannel.Config) { c.RequirePKCE = true }, clients...)
	lax := server(t, func(c *frontchannel.Config) { c.PublicWithoutPKCE = true }, clients...)
	const cb = "http://127.0.0.1:1/cb"
	for name, c := range map[string]struct {
		f                        *frontchannel.FrontChannel
		client, uri              string
		types, challenge, method string
		ok                       bool
		want                     string
	}{
		"S256":                          {safe, "app", cb, "code", challenge, "S256", true, "S256"},
		"public without":                {safe, "app", cb, "code", "-", "-", false, ""},
		"public without, allowed":       {lax, "app", cb, "code", "-", "-", true, ""},
		"confidential without":          {safe, "web", callback, "code", "-", "-", true, ""},
		"client requires":               {safe, "strict", callback, "code", "-", "-", false, ""},
		"client requires, although lax": {lax, "strict", callback, "code", "-", "-", false, ""},
		"server requires":               {every, "web", callback, "code", "-", "-", false, ""},
		"server requires, sent":         {every, "web", callback, "code", challenge, "S256", true, "S256"},
		"plain":                         {safe, "web", callback, "code", challenge, "plain", false, ""},
		"plain by omission":             {safe, "web", callback, "code", challenge, "-", false, ""},
		"plain allowed":                 {plain, "web", callback, "code", challenge, "plain", true, "plain"},
		"plain allowed by omission":     {plain, "web", callback, "code", challenge, "-", true, "plain"},
		"unknown method":                {plain, "web", callback, "code", challenge, "S512", false, ""},
		"method in lower case":          {plain, "web", callback, "code", challenge, "s256", false, ""},
		"method without challenge":      {lax, "web", callback, "code", "-", "S256", false, ""},
		"43 characters":                 {safe, "web", callback, "code", strings.Repeat("~", 43), "S256", true, "S256"},
		"128 characters":                {safe, "web", callback, "code", strings.Repeat("-._~", 32), "S256", true, "S256"},
		"42 characters":                 {safe, "web", callback, "code", challenge[:42], "S256", false, ""},
		"129 characters":                {safe, "web", callback, "code", strings.Repeat("a", 129), "S256", false, ""},
		"padding":                       {safe, "web", callback, "code", challenge + "=", "S256", false, ""},
		"base64":                        {safe, "web", callback, "code", challenge[:42] + "+", "S256", false, ""},
		"not ASCII":                     {safe, "web", callback, "code", challenge + "é", "S256", false, ""},
		"no code: none needed":          {safe, "implicit", callback, "token", "-", "-", true, ""},
		"no code: without effect":       {safe, "implicit", callback, "token", challenge, "S256", true, ""},
		"no code: well-formed still":    {safe, "implicit", callback, "token", "x", "S256", false, ""},
		"hybrid":                        {safe, "implicit", callback, "code token", "-", "-", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, e := parse(t, c.f, request("client_id", c.client, "redirect_uri", c.uri, "response_type", c.types,
				"code_challenge", c.challenge, "code_challenge_method", c.method))
			if !c.ok {
				refusedAtClient(t, e, "invalid_request")
				return
			}
			require.Nil(t, e, "%v", e)
			require.Equal(t, c.want, r.ChallengeMethod)
			if c.want != "" {
				require.Equal(t, c.challenge, r.Challenge)
			} else {
				require.Empty(t, r.Challenge)
			}
		})
	}
}

func TestParse_RepeatedParametersAreRefused(t *testing.T) {
	t.Parallel()
	f := server(t, nil)
	for _, name := range []string{"response_type", "response_mode", "scope", "code_challenge", "prompt", "unknown", "request_uri"} {
		form := request()
		form[name] = []string{"code", "code"}
		_, e := parse(t, f, form)
		refusedAtClient(t, e, "invalid_request")
		require.Equal(t, "xyzzy", e.Request.State)
	}
	form := request()
	form["state"] = []string{"a", "b"}
	_, e := parse(t, f, form)
	refusedAtClient(t, e, "invalid_request")
	require.False(t, e.Request.StateGiven, "neither is returned")
}

// What is not a parameter of this endpoint changes nothing here (RFC 6749 section 3.1).
//
// Holds R3.
func TestParse_HostileHintsChangeNothing(t *testing.T) {
	t.Parallel()
	f := server(t, nil)
	want, e := parse(t, f, request())
	require.Nil(t, e)
	for _, name := range []string{"prompt", "max_age", "login_hint", "ui_locales", "acr_values", "id_token_hint", "display", "nonce", "claims", "client_secret", "return_to"} {
		for _, value := range []string{"none", "-1", "https://evil/", `"><script>`, "%s", "../../x", "99999999999999999999"} {
			got, e := parse(t, f, request(name, value))
			require.Nil(t, e)
			got.Form = want.Form
			require.Equal(t, want, got)
		}
	}
}
