package grantwell_test

import (
	"encoding/json"
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
	"github.com/grantwell/grantwell/tokens"
)

// direct is a server without a listener, so that it also runs where time is synthetic, and from any goroutine.
type direct struct {
	t     testing.TB
	srv   *grantwell.Server
	store *memstore.Store
	h     http.Handler
}

// newDirect is newRig without a listener.
func newDirect(t testing.TB, change func(*grantwell.Config)) *direct {
	t.Helper()
	store := memstore.New()
	for _, c := range testClients() {
		require.NoError(t, store.PutClient(t.Context(), c))
	}
	return newDirectOn(t, store, change)
}

// newDirectOn is one more server, or instance, over a store that has its clients already.
func newDirectOn(t testing.TB, store *memstore.Store, change func(*grantwell.Config)) *direct {
	t.Helper()
	cfg := grantwell.Config{Issuer: "https://as.example", Clients: store, Records: store, Grants: []grants.Handler{
		grants.AuthorizationCode{}, grants.Implicit{}, grants.Password{Authenticator: users{"johndoe": "A3ddj3w"}}, grants.ClientCredentials{}, grants.RefreshToken{}}}
	if change != nil {
		change(&cfg)
	}
	srv, err := grantwell.New(cfg)
	require.NoError(t, err)
	return &direct{t: t, srv: srv, store: store, h: srv.Handler()}
}

// withRefresh puts another refresh grant in place of the strict one.
func withRefresh(g grants.RefreshToken) func(*grantwell.Config) {
	return func(cfg *grantwell.Config) { cfg.Grants[len(cfg.Grants)-1] = g }
}

func serveTo(h http.Handler, req *http.Request) reply {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	out := reply{status: w.Code, header: w.Header(), body: w.Body.String()}
	_ = json.Unmarshal(w.Body.Bytes(), &out.json)
	return out
}

// post sends a form in this process; as is "id:secret" for Basic, or "".
func (d *direct) post(path, as string, pairs ...string) reply {
	return serveTo(d.h, formRequest(path, as, pairs...))
}

func formRequest(path, as string, pairs ...string) *http.Request {
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if id, pass, ok := strings.Cut(as, ":"); ok {
		req.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(pass))
	}
	return req
}

// get sends a GET in this process.
func (d *direct) get(target string) reply {
	return serveTo(d.h, httptest.NewRequest(http.MethodGet, target, nil))
}

// authorize runs an authorization request of the client's to the end, approved as a says.
func (d *direct) authorize(client, scope string, a grantwell.Approval, more ...string) reply {
	q := url.Values{"response_type": {"code"}, "client_id": {client}, "redirect_uri": {redirect}, "state": {"s"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"}}
	if scope != "" {
		q.Set("scope", scope)
	}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return serveTo(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if req, ok := d.srv.ParseAuthorize(w, r); ok {
			d.srv.Approve(w, r, req, a)
		}
	}), httptest.NewRequest(http.MethodGet, "/authorize?"+q.Encode(), nil))
}

// answered reads a parameter of an authorization response.
func (r reply) answered(name string) string {
	u, err := url.Parse(r.header.Get("Location"))
	if err != nil {
		return ""
	}
	raw := u.RawQuery
	if u.Fragment != "" {
		raw = u.EscapedFragment()
	}
	q, _ := url.ParseQuery(raw)
	return q.Get(name)
}

// code gets a code for read and write, as alice.
func (d *direct) code(client string) string {
	return d.authorize(client, "read write", grantwell.Approval{Subject: "alice"}).answered("code")
}

// caller is how a test client authenticates: the value for post, and the parameters.
func caller(client string) (as string, pairs []string) {
	if client == "public" {
		return "", []string{"client_id", client}
	}
	return client + ":" + secret, nil
}

func (d *direct) redeem(client, code string) reply {
	as, id := caller(client)
	return d.post("/token", as, append(id, "grant_type", "authorization_code", "code", code, "redirect_uri", redirect, "code_verifier", verifier)...)
}

// family begins a grant of alice's to the client and returns its first tokens.
func (d *direct) family(client string) (access, refresh string) {
	d.t.Helper()
	res := d.redeem(client, d.code(client))
	require.Equal(d.t, http.StatusOK, res.status, res.body)
	return res.str("access_token"), res.str("refresh_token")
}

func (d *direct) refresh(client, token string, more ...string) reply {
	as, id := caller(client)
	return d.post("/token", as, append(append(id, "grant_type", "refresh_token", "refresh_token", token), more...)...)
}

func (d *direct) revoke(client, token string) reply {
	as, id := caller(client)
	return d.post("/revoke", as, append(id, "token", token)...)
}

// asked is what the introspection endpoint tells the client about a token.
func (d *direct) asked(client, token string) reply {
	as, id := caller(client)
	return d.post("/introspect", as, append(id, "token", token)...)
}

// live tells whether a token of conf's is active.
func (d *direct) live(token string) bool {
	d.t.Helper()
	res := d.asked("conf", token)
	require.Equal(d.t, http.StatusOK, res.status, res.body)
	return res.json["active"] == true
}

// records lists what the store holds.
func (d *direct) records(q storage.Query) []storage.Record {
	d.t.Helper()
	var all []storage.Record
	for {
		recs, next, err := d.store.List(d.t.Context(), q)
		require.NoError(d.t, err)
		all = append(all, recs...)
		if next == "" {
			return all
		}
		q.After = next
	}
}

// activeOf counts the records of a kind that are live.
func (d *direct) activeOf(kind storage.Kind) int {
	d.t.Helper()
	n := 0
	for _, r := range d.records(storage.Query{Kind: kind}) {
		if r.State == storage.Active {
			n++
		}
	}
	return n
}

// change edits a client of the store's.
func (d *direct) change(id string, edit func(*storage.Client)) {
	d.t.Helper()
	c, err := d.store.Client(d.t.Context(), id)
	require.NoError(d.t, err)
	edit(&c)
	require.NoError(d.t, d.store.PutClient(d.t.Context(), c))
}

// mintRefresh returns a refresh token that no store knows.
func mintRefresh(t testing.TB) string {
	t.Helper()
	token, err := tokens.Opaque{}.Mint(t.Context(), tokens.Claims{})
	require.NoError(t, err)
	return token
}
