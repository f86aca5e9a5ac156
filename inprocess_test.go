package grantwell_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// local is a server without a listener, for tests in a synctest bubble or with requests that no http.Client would send.
type local struct {
	t     testing.TB
	srv   *grantwell.Server
	store *memstore.Store
	mux   *http.ServeMux
}

// newLocal builds what newRig builds, without a listener.
func newLocal(t testing.TB, change func(*grantwell.Config)) *local {
	t.Helper()
	store := memstore.New()
	for _, c := range testClients() {
		require.NoError(t, store.PutClient(context.Background(), c))
	}
	cfg := grantwell.Config{Issuer: "https://as.example", Clients: store, Records: store, Grants: []grants.Handler{
		grants.AuthorizationCode{}, grants.Implicit{}, grants.Password{Authenticator: users{"johndoe": "A3ddj3w"}}, grants.ClientCredentials{}, grants.RefreshToken{}}}
	if change != nil {
		change(&cfg)
	}
	srv, err := grantwell.New(cfg)
	require.NoError(t, err)
	l := &local{t: t, srv: srv, store: store, mux: http.NewServeMux()}
	l.mux.Handle("/", srv.Handler())
	l.mux.HandleFunc("/authorize", l.authorize(grantwell.Approval{Subject: "alice"}))
	return l
}

// authorize is a host where everybody is the approval's subject and approves everything.
func (l *local) authorize(a grantwell.Approval) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if req, ok := l.srv.ParseAuthorize(w, r); ok {
			l.srv.Approve(w, r, req, a)
		}
	}
}

// do serves one request in this goroutine.
func (l *local) do(req *http.Request) reply {
	w := httptest.NewRecorder()
	l.mux.ServeHTTP(w, req)
	out := reply{status: w.Code, header: w.Header(), body: w.Body.String()}
	_ = json.Unmarshal(w.Body.Bytes(), &out.json)
	return out
}

// form makes a form of names and values in turn.
func formOf(pairs ...string) string {
	f := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Add(pairs[i], pairs[i+1])
	}
	return f.Encode()
}

// request makes a form POST; as is "id:secret" for Basic, or "".
func request(path, as, body string) *http.Request {
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if id, pass, ok := strings.Cut(as, ":"); ok {
		req.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(pass))
	}
	return req
}

func (l *local) post(path, as string, pairs ...string) reply {
	return l.do(request(path, as, formOf(pairs...)))
}

// code gets a code for a client; a "" value in more removes the parameter.
func (l *local) code(client string, more ...string) string {
	l.t.Helper()
	q := url.Values{"response_type": {"code"}, "client_id": {client}, "redirect_uri": {redirect}, "state": {"s"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"}}
	for i := 0; i+1 < len(more); i += 2 {
		if q.Set(more[i], more[i+1]); more[i+1] == "" {
			q.Del(more[i])
		}
	}
	res := l.do(httptest.NewRequest(http.MethodGet, "/authorize?"+q.Encode(), nil))
	require.Equal(l.t, http.StatusSeeOther, res.status, res.body)
	u, err := url.Parse(res.header.Get("Location"))
	require.NoError(l.t, err)
	require.NotEmpty(l.t, u.Query().Get("code"), res.header.Get("Location"))
	return u.Query().Get("code")
}

func (l *local) exchange(code string, more ...string) reply {
	return l.post("/token", conf, append([]string{"grant_type", "authorization_code", "code", code, "redirect_uri", redirect, "code_verifier", verifier}, more...)...)
}

func (l *local) active(token string) bool {
	l.t.Helper()
	t, err := l.srv.Introspect(context.Background(), token)
	require.NoError(l.t, err)
	return t.Active
}

// put registers a client: conf, changed.
func (l *local) put(change func(*storage.Client)) {
	l.t.Helper()
	c := testClients()[0]
	change(&c)
	require.NoError(l.t, l.store.PutClient(context.Background(), c))
}

// hooked is a store of which a test can break any call.
type hooked struct {
	*memstore.Store
	before atomic.Pointer[func(ctx context.Context, call string) error]
}

func (h *hooked) breaks(f func(ctx context.Context, call string) error) { h.before.Store(&f) }

func (h *hooked) enter(ctx context.Context, call string) error {
	if f := h.before.Load(); f != nil {
		return (*f)(ctx, call)
	}
	return nil
}

func (h *hooked) Client(ctx context.Context, id string) (storage.Client, error) {
	if err := h.enter(ctx, "Client"); err != nil {
		return storage.Client{}, err
	}
	return h.Store.Client(ctx, id)
}

func (h *hooked) Get(ctx context.Context, k storage.Kind, key string) (storage.Record, error) {
	if err := h.enter(ctx, "Get "+string(k)+" "+key); err != nil {
		return storage.Record{}, err
	}
	return h.Store.Get(ctx, k, key)
}

func (h *hooked) Insert(ctx context.Context, recs ...storage.Record) error {
	if err := h.enter(ctx, "Insert"); err != nil {
		return err
	}
	return h.Store.Insert(ctx, recs...)
}

func (h *hooked) Advance(ctx context.Context, from storage.State, next storage.Record, recs ...storage.Record) error {
	if err := h.enter(ctx, "Advance"); err != nil {
		return err
	}
	return h.Store.Advance(ctx, from, next, recs...)
}

func (h *hooked) Revoke(ctx context.Context, id string, kinds ...storage.Kind) error {
	if err := h.enter(ctx, "Revoke"); err != nil {
		return err
	}
	return h.Store.Revoke(ctx, id, kinds...)
}

// newHooked is a local server over a store that breaks on demand.
func newHooked(t testing.TB, change func(*grantwell.Config)) (*local, *hooked) {
	h := &hooked{}
	l := newLocal(t, func(cfg *grantwell.Config) {
		h.Store = cfg.Records.(*memstore.Store)
		cfg.Clients, cfg.Records = h, h
		if change != nil {
			change(cfg)
		}
	})
	return l, h
}
