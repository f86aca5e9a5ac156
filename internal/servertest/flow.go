package servertest

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
)

// Post sends a form. as is the client's ID and secret as "id:secret" for HTTP
// Basic authentication, or empty. A name that occurs twice in pairs is sent
// twice.
func (s *Server) Post(path, as string, pairs ...string) Reply {
	return s.Do(Request(path, as, Form(pairs...)))
}

// Get sends a GET. pairs are added to the query of the path.
func (s *Server) Get(path string, pairs ...string) Reply {
	if len(pairs) > 0 {
		sign := "?"
		if strings.Contains(path, "?") {
			sign = "&"
		}
		path += sign + Form(pairs...)
	}
	return s.Do(httptest.NewRequest(http.MethodGet, target(path), nil))
}

// Authorize sends an authorization request with the parameters of
// [AuthorizeQuery] and approves it as a says. It is served in this process,
// whatever Handler and Listen did.
func (s *Server) Authorize(a grantwell.Approval, pairs ...string) Reply {
	req := httptest.NewRequest(http.MethodGet, target(AuthorizeURL(pairs...)), nil)
	return Serve(s.Approving(a), req)
}

// Code gets an authorization code for a client from the authorization
// endpoint, with the approval of the field Approval. pairs replace parameters
// of [AuthorizeQuery].
func (s *Server) Code(client string, pairs ...string) string {
	s.t.Helper()
	res := s.Get(AuthorizeURL(append([]string{"client_id", client}, pairs...)...))
	code := res.Params(s.t).Get("code")
	require.NotEmpty(s.t, code, res.Header.Get("Location"))
	return code
}

// post sends a form as a client that authenticates by [Credentials].
func (s *Server) post(path, client string, form url.Values) Reply {
	as, id := Credentials(client)
	form = With(form, id...)
	return s.Do(Request(path, as, form.Encode()))
}

// Redeem redeems a code as a client. pairs replace parameters of [CodeForm].
func (s *Server) Redeem(client, code string, pairs ...string) Reply {
	return s.post("/token", client, CodeForm(code, pairs...))
}

// Family begins a grant to the client and returns its first tokens.
func (s *Server) Family(client string) (access, refresh string) {
	s.t.Helper()
	res := s.Redeem(client, s.Code(client))
	require.Equal(s.t, http.StatusOK, res.Status, res.Body)
	return res.String("access_token"), res.String("refresh_token")
}

// Refresh redeems a refresh token as a client.
func (s *Server) Refresh(client, token string, pairs ...string) Reply {
	return s.post("/token", client, With(url.Values{
		"grant_type":    {"refresh_token"},
		"refresh_token": {token},
	}, pairs...))
}

// ClientCredentials asks for a token of the client's own. as is an ID and a
// secret as in [Server.Post].
func (s *Server) ClientCredentials(as string, pairs ...string) Reply {
	return s.Post("/token", as, append([]string{"grant_type", "client_credentials"}, pairs...)...)
}

// Login asks for a token by the password grant, as the client "conf".
func (s *Server) Login(username, password string, pairs ...string) Reply {
	form := []string{"grant_type", "password", "username", username, "password", password}
	return s.Post("/token", Conf, append(form, pairs...)...)
}

// Revoke revokes a token as a client.
func (s *Server) Revoke(client, token string, pairs ...string) Reply {
	return s.post("/revoke", client, With(url.Values{"token": {token}}, pairs...))
}

// Introspect asks the introspection endpoint about a token as a client.
func (s *Server) Introspect(client, token string, pairs ...string) Reply {
	return s.post("/introspect", client, With(url.Values{"token": {token}}, pairs...))
}

// Live reports whether the introspection endpoint calls a token active when
// the client "conf" asks. The tokens of other clients are not: use Introspect
// for them.
func (s *Server) Live(token string) bool {
	s.t.Helper()
	res := s.Introspect("conf", token)
	require.Equal(s.t, http.StatusOK, res.Status, res.Body)
	return res.Active()
}

// Valid reports whether the server itself calls a token active, whichever
// client it was issued to.
func (s *Server) Valid(token string) bool {
	s.t.Helper()
	found, err := s.AS.Introspect(s.t.Context(), token)
	require.NoError(s.t, err)
	return found.Active
}

// Token gets a token of a client's own with the scope read. as is an ID and a
// secret as in [Server.Post].
func (s *Server) Token(as string) string {
	s.t.Helper()
	res := s.ClientCredentials(as, "scope", "read")
	require.Equal(s.t, http.StatusOK, res.Status, res.Body)
	return res.String("access_token")
}
