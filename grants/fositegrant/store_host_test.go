package fositegrant_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/handler/openid"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants/fositegrant"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// The values of the store's tests. storeS256 is the challenge of storeVerifier (RFC 7636
// appendix B).
const (
	storeSecret   = "a-client-secret-of-the-store-tests"
	storeGlobal   = "a global secret of just 32 bytes"
	storeRedirect = "https://app.example/cb"
	storeVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	storeS256     = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// storeHost is a server of fosite's own handlers over Grantwell's records. Its one client
// is app.
type storeHost struct {
	t       *testing.T
	store   *memstore.Store
	storage *fositegrant.Storage
	url     string
}

// newStoreHost starts a server. change, if not nil, edits fosite's configuration before
// Configure. wrap, if not nil, wraps the records.
func newStoreHost(
	t *testing.T,
	change func(*fosite.Config),
	wrap func(storage.Records) storage.Records,
) *storeHost {
	t.Helper()
	h := &storeHost{t: t, store: memstore.New()}
	servertest.Register(t, h.store, storage.Client{
		ID:           "app",
		Secrets:      []storage.Secret{storage.HashSecret(storeSecret)},
		GrantTypes:   []string{"authorization_code", "refresh_token", "client_credentials"},
		RedirectURIs: []string{storeRedirect},
		Scope:        []string{"read", "offline", "openid"},
		Audience:     []string{"https://api.example"},
	})
	var records storage.Records = h.store
	if wrap != nil {
		records = wrap(records)
	}
	h.storage = fositegrant.Store(records, h.store)

	cfg := &fosite.Config{GlobalSecret: []byte(storeGlobal)}
	if change != nil {
		change(cfg)
	}
	fositegrant.Configure(cfg)
	provider := compose.Compose(cfg, h.storage, compose.NewOAuth2HMACStrategy(cfg),
		compose.OAuth2AuthorizeExplicitFactory,
		compose.OAuth2RefreshTokenGrantFactory,
		compose.OAuth2ClientCredentialsGrantFactory,
		compose.OAuth2TokenIntrospectionFactory,
		compose.OAuth2TokenRevocationFactory,
		compose.OAuth2PKCEFactory,
		compose.PushedAuthorizeHandlerFactory,
	)
	host := &fositeHost{
		provider: fositegrant.Provider(provider),
		session: func(subject string) fosite.Session {
			return &openid.DefaultSession{Subject: subject, Username: strings.ToUpper(subject)}
		},
	}
	ts := httptest.NewServer(host.handler())
	t.Cleanup(ts.Close)
	h.url = ts.URL
	return h
}

// post sends a form of names and values in turn, as the client app. Any goroutine may call
// it, so that it must not end the test.
func (h *storeHost) post(path string, pairs ...string) (status int, body map[string]any) {
	form := strings.NewReader(formOf(pairs).Encode())
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.url+path, form)
	if err != nil {
		return 0, nil
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("app", storeSecret)

	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = res.Body.Close() }()
	text, _ := io.ReadAll(res.Body)
	_ = json.Unmarshal(text, &body)
	return res.StatusCode, body
}

// authorize sends a valid authorization request, changed by the pairs, and returns the
// parameters of the redirect.
func (h *storeHost) authorize(pairs ...string) url.Values {
	request := []string{
		"response_type", "code",
		"client_id", "app",
		"redirect_uri", storeRedirect,
		"scope", "read offline",
		"state", "12345678",
		"code_challenge", storeS256,
		"code_challenge_method", "S256",
	}
	query := formOf(append(request, pairs...)).Encode()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	res, err := client.Get(h.url + "/authorize?" + query)
	require.NoError(h.t, err)
	defer func() { _ = res.Body.Close() }()
	u, err := url.Parse(res.Header.Get("Location"))
	require.NoError(h.t, err)
	return u.Query()
}

// code returns a valid code.
func (h *storeHost) code() string {
	code := h.authorize().Get("code")
	require.NotEmpty(h.t, code)
	return code
}

// redeem sends a code to the token endpoint.
func (h *storeHost) redeem(code string, pairs ...string) (status int, body map[string]any) {
	form := []string{
		"grant_type", "authorization_code",
		"code", code,
		"redirect_uri", storeRedirect,
		"code_verifier", storeVerifier,
	}
	return h.post("/token", append(form, pairs...)...)
}

// refresh sends a refresh token to the token endpoint.
func (h *storeHost) refresh(token any) (status int, body map[string]any) {
	s, _ := token.(string)
	return h.post("/token", "grant_type", "refresh_token", "refresh_token", s)
}

// refused requires an invalid_grant error.
func (h *storeHost) refused(status int, body map[string]any) {
	h.t.Helper()
	require.Equal(h.t, 400, status, "%v", body)
	require.Equal(h.t, "invalid_grant", body["error"])
}

// active reports whether a token is active, by introspection.
func (h *storeHost) active(token any) bool {
	s, _ := token.(string)
	status, body := h.post("/introspect", "token", s)
	require.Equal(h.t, http.StatusOK, status)
	return body["active"] == true
}

// client returns the client app in fosite's form.
func (h *storeHost) client() fosite.Client {
	app, err := h.storage.GetClient(h.t.Context(), "app")
	require.NoError(h.t, err)
	return app
}

// listed returns all records of the client app as JSON.
func (h *storeHost) listed() string {
	page, _, err := h.store.List(h.t.Context(), storage.Query{ClientID: "app", Limit: 100})
	require.NoError(h.t, err)
	require.NotEmpty(h.t, page)
	text, err := json.Marshal(page)
	require.NoError(h.t, err)
	return string(text)
}

// counting counts the reads of a store.
type counting struct {
	storage.Records
	n *atomic.Int32
}

func (c counting) Get(ctx context.Context, kind storage.Kind, key string) (storage.Record, error) {
	c.n.Add(1)
	return c.Records.Get(ctx, kind, key)
}

// failing fails one call of a store: the one that brings after to zero.
type failing struct {
	storage.Records
	after atomic.Int32
}

// fails reports whether this call fails.
func (f *failing) fails() bool {
	return f.after.Load() > 0 && f.after.Add(-1) == 0
}

func (f *failing) Get(ctx context.Context, kind storage.Kind, key string) (storage.Record, error) {
	if f.fails() {
		return storage.Record{}, errStoreDown
	}
	return f.Records.Get(ctx, kind, key)
}

func (f *failing) Insert(ctx context.Context, recs ...storage.Record) error {
	if f.fails() {
		return errStoreDown
	}
	return f.Records.Insert(ctx, recs...)
}

func (f *failing) Advance(
	ctx context.Context,
	from storage.State,
	next storage.Record,
	recs ...storage.Record,
) error {
	if f.fails() {
		return errStoreDown
	}
	return f.Records.Advance(ctx, from, next, recs...)
}

func (f *failing) Revoke(ctx context.Context, grantID string, kinds ...storage.Kind) error {
	if f.fails() {
		return errStoreDown
	}
	return f.Records.Revoke(ctx, grantID, kinds...)
}
