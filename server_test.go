package grantwell_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// The clients and the verifier that the tests share.
const (
	secret    = "6808d4b6-ef09-4b0d-8f28-3b05da9c48ec"
	redirect  = "https://app.example/cb"
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636 appendix B
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

var allGrants = []string{"authorization_code", "implicit", "password", "client_credentials", "refresh_token"}

// testClients are a confidential client, a second one, one by body, and a public one.
func testClients() []storage.Client {
	conf := storage.Client{ID: "conf", Secrets: []storage.Secret{storage.HashSecret(secret)}, GrantTypes: allGrants,
		ResponseTypes: []string{"code", "token"}, RedirectURIs: []string{redirect}, Scope: []string{"read", "write"}, DefaultScope: []string{"read"},
		Origins: []string{"https://app.example"}, Name: "Sample"}
	other := conf.Clone()
	other.ID, other.Origins = "other", nil
	post := conf.Clone()
	post.ID, post.AuthMethod = "post", storage.AuthClientSecretPost
	public := conf.Clone()
	public.ID, public.AuthMethod, public.Secrets = "public", storage.AuthNone, nil
	public.GrantTypes = []string{"authorization_code", "implicit", "password", "refresh_token"}
	return []storage.Client{conf, other, post, public}
}

// users is a password authenticator and the host's user table.
type users map[string]string

func (u users) Authenticate(_ context.Context, l grants.Login) (grants.User, error) {
	if p, ok := u[l.Username]; !ok || p != l.Password {
		return grants.User{}, grants.ErrWrongPassword
	}
	return grants.User{Subject: "sub-" + l.Username}, nil
}

// rig is a server with its store, behind a test listener.
type rig struct {
	t     *testing.T
	srv   *grantwell.Server
	store *memstore.Store
	http  *httptest.Server
}

// newRig builds a server with every grant on; change adjusts the configuration.
func newRig(t *testing.T, change func(*grantwell.Config)) *rig {
	t.Helper()
	store := memstore.New()
	for _, c := range testClients() {
		require.NoError(t, store.PutClient(t.Context(), c))
	}
	cfg := grantwell.Config{Issuer: "https://as.example", Clients: store, Records: store, Grants: []grants.Handler{
		grants.AuthorizationCode{}, grants.Implicit{}, grants.Password{Authenticator: users{"johndoe": "A3ddj3w"}}, grants.ClientCredentials{}, grants.RefreshToken{}}}
	if change != nil {
		change(&cfg)
	}
	srv, err := grantwell.New(cfg)
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/", srv.Handler())
	// The shortest host: everybody is "alice" and approves everything.
	mux.HandleFunc("/authorize", func(w http.ResponseWriter, r *http.Request) {
		if req, ok := srv.ParseAuthorize(w, r); ok {
			srv.Approve(w, r, req, grantwell.Approval{Subject: "alice"})
		}
	})
	ts := httptest.NewServer(mux)
	t.Cleanup(ts.Close)
	ts.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &rig{t: t, srv: srv, store: store, http: ts}
}

// reply is an answer that was read to its end.
type reply struct {
	status int
	header http.Header
	body   string
	json   map[string]any // nil if the body is not JSON
}

func (r *rig) send(req *http.Request) reply {
	r.t.Helper()
	res, err := r.http.Client().Do(req)
	require.NoError(r.t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(r.t, err)
	out := reply{status: res.StatusCode, header: res.Header, body: string(b)}
	_ = json.Unmarshal(b, &out.json)
	return out
}

// post sends a form to a path; as is "id:secret" for Basic, or "".
func (r *rig) post(path, as string, pairs ...string) reply {
	r.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	req, err := http.NewRequest(http.MethodPost, r.http.URL+path, strings.NewReader(form.Encode()))
	require.NoError(r.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if id, pass, ok := strings.Cut(as, ":"); ok {
		req.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(pass))
	}
	return r.send(req)
}

const conf = "conf:" + secret

// get asks the authorization endpoint.
func (r *rig) get(path string, pairs ...string) reply {
	r.t.Helper()
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Add(pairs[i], pairs[i+1])
	}
	req, err := http.NewRequest(http.MethodGet, r.http.URL+path+"?"+q.Encode(), nil)
	require.NoError(r.t, err)
	return r.send(req)
}

// params reads the answer from a redirect, wherever in it it is.
func (r reply) params(t *testing.T) url.Values {
	t.Helper()
	require.Equal(t, http.StatusSeeOther, r.status, r.body)
	u, err := url.Parse(r.header.Get("Location"))
	require.NoError(t, err)
	raw := u.RawQuery
	if u.Fragment != "" {
		raw = u.EscapedFragment()
	}
	q, err := url.ParseQuery(raw)
	require.NoError(t, err)
	return q
}

// code gets an authorization code for a client, bound to the challenge.
func (r *rig) code(client string, more ...string) string {
	r.t.Helper()
	q := append([]string{"response_type", "code", "client_id", client, "redirect_uri", redirect, "state", "s", "code_challenge", challenge, "code_challenge_method", "S256"}, more...)
	code := r.get("/authorize", q...).params(r.t).Get("code")
	require.NotEmpty(r.t, code)
	return code
}

// exchange redeems a code as conf.
func (r *rig) exchange(code string, more ...string) reply {
	r.t.Helper()
	return r.post("/token", conf, append([]string{"grant_type", "authorization_code", "code", code, "redirect_uri", redirect, "code_verifier", verifier}, more...)...)
}

// str is a string member of a JSON answer.
func (r reply) str(name string) string { s, _ := r.json[name].(string); return s }

// fails asserts an OAuth error.
func (r reply) fails(t *testing.T, status int, code string) {
	t.Helper()
	require.Equal(t, status, r.status, r.body)
	require.Equal(t, code, r.str("error"), r.body)
	require.Empty(t, r.str("access_token"))
}

// active asks the introspection endpoint as conf.
func (r *rig) active(token string) bool {
	r.t.Helper()
	res := r.post("/introspect", conf, "token", token)
	require.Equal(r.t, 200, res.status, res.body)
	return res.json["active"] == true
}

// The whole of the code flow: code, tokens, refresh, introspection, revocation.
// Holds S25, S31, S35, S41, S85, S86, S97, S112.
func TestCodeFlow_EndToEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	q := r.get("/authorize", "response_type", "code", "client_id", "conf", "redirect_uri", redirect, "state", "a b+c%&=", "code_challenge", challenge, "code_challenge_method", "S256").params(t)
	require.Equal(t, "a b+c%&=", q.Get("state"))
	require.Equal(t, "https://as.example", q.Get("iss"))
	first := r.exchange(q.Get("code"))
	require.Equal(t, 200, first.status, first.body)
	require.Equal(t, "Bearer", first.str("token_type"))
	require.InDelta(t, 3600, first.json["expires_in"], 1)
	require.True(t, r.active(first.str("access_token")))

	second := r.post("/token", conf, "grant_type", "refresh_token", "refresh_token", first.str("refresh_token"))
	require.Equal(t, 200, second.status, second.body)
	require.NotEqual(t, first.str("refresh_token"), second.str("refresh_token"))
	require.Equal(t, 200, r.post("/revoke", conf, "token", second.str("refresh_token")).status)
	require.False(t, r.active(first.str("access_token")))
	require.False(t, r.active(second.str("access_token")))
	r.post("/token", conf, "grant_type", "refresh_token", "refresh_token", second.str("refresh_token")).fails(t, 400, "invalid_grant")
}
