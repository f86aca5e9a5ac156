package fositegrant_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/handler/openid"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/fositegrant"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
	"github.com/grantwell/grantwell/tokens"
)

const (
	storeSecret   = "a-client-secret-of-the-store-tests"
	storeGlobal   = "the global secret, 32 bytes long."
	storeRedirect = "https://app.example/cb"
	storeVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	storeS256     = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// storeHost is a server of fosite's own handlers over Grantwell's records.
type storeHost struct {
	t       *testing.T
	store   *memstore.Store
	storage *fositegrant.Storage
	url     string
}

func newStoreHost(t *testing.T, change func(*fosite.Config), wrap func(storage.Records) storage.Records) *storeHost {
	t.Helper()
	h := &storeHost{t: t, store: memstore.New()}
	require.NoError(t, h.store.PutClient(t.Context(), storage.Client{ID: "app", Secrets: []storage.Secret{storage.HashSecret(storeSecret)},
		GrantTypes: []string{"authorization_code", "refresh_token", "client_credentials"}, RedirectURIs: []string{storeRedirect},
		Scope: []string{"read", "offline", "openid"}, Audience: []string{"https://api.example"}}))
	var records storage.Records = h.store
	if wrap != nil {
		records = wrap(records)
	}
	h.storage = fositegrant.Store(records, h.store)
	cfg := &fosite.Config{GlobalSecret: []byte(storeGlobal)[:32]}
	if change != nil {
		change(cfg)
	}
	fositegrant.Configure(cfg)
	p := fositegrant.Provider(compose.Compose(cfg, h.storage, compose.NewOAuth2HMACStrategy(cfg), compose.OAuth2AuthorizeExplicitFactory, compose.OAuth2RefreshTokenGrantFactory,
		compose.OAuth2ClientCredentialsGrantFactory, compose.OAuth2TokenIntrospectionFactory, compose.OAuth2TokenRevocationFactory, compose.OAuth2PKCEFactory,
		compose.PushedAuthorizeHandlerFactory))
	mux := http.NewServeMux()
	session := func() *openid.DefaultSession { return &openid.DefaultSession{} }
	mux.HandleFunc("/authorize", func(w http.ResponseWriter, r *http.Request) {
		ar, err := p.NewAuthorizeRequest(r.Context(), r)
		if err != nil {
			p.WriteAuthorizeError(r.Context(), w, ar, err)
			return
		}
		for _, s := range ar.GetRequestedScopes() {
			ar.GrantScope(s)
		}
		mine := session()
		mine.Subject, mine.Username = "alice", "Alice"
		res, err := p.NewAuthorizeResponse(r.Context(), ar, mine)
		if err != nil {
			p.WriteAuthorizeError(r.Context(), w, ar, err)
			return
		}
		p.WriteAuthorizeResponse(r.Context(), w, ar, res)
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		ar, err := p.NewAccessRequest(r.Context(), r, session())
		if err != nil {
			p.WriteAccessError(r.Context(), w, ar, err)
			return
		}
		res, err := p.NewAccessResponse(r.Context(), ar)
		if err != nil {
			p.WriteAccessError(r.Context(), w, ar, err)
			return
		}
		p.WriteAccessResponse(r.Context(), w, ar, res)
	})
	mux.HandleFunc("/introspect", func(w http.ResponseWriter, r *http.Request) {
		res, err := p.NewIntrospectionRequest(r.Context(), r, session())
		if err != nil {
			p.WriteIntrospectionError(r.Context(), w, err)
			return
		}
		p.WriteIntrospectionResponse(r.Context(), w, res)
	})
	mux.HandleFunc("/revoke", func(w http.ResponseWriter, r *http.Request) {
		p.WriteRevocationResponse(r.Context(), w, p.NewRevocationRequest(r.Context(), r))
	})
	mux.HandleFunc("/par", func(w http.ResponseWriter, r *http.Request) {
		ar, err := p.NewPushedAuthorizeRequest(r.Context(), r)
		if err != nil {
			p.WritePushedAuthorizeError(r.Context(), w, ar, err)
			return
		}
		res, err := p.NewPushedAuthorizeResponse(r.Context(), ar, session())
		if err != nil {
			p.WritePushedAuthorizeError(r.Context(), w, ar, err)
			return
		}
		p.WritePushedAuthorizeResponse(r.Context(), w, ar, res)
	})
	ts := httptest.NewServer(mux)
	t.Cleanup(ts.Close)
	h.url = ts.URL
	return h
}

func (h *storeHost) post(path string, pairs ...string) (int, map[string]any) {
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.url+path, strings.NewReader(form.Encode()))
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
	var body map[string]any
	_ = json.Unmarshal(text, &body)
	return res.StatusCode, body
}

func (h *storeHost) authorize(pairs ...string) url.Values {
	q := url.Values{"response_type": {"code"}, "client_id": {"app"}, "redirect_uri": {storeRedirect}, "scope": {"read offline"}, "state": {"12345678"},
		"code_challenge": {storeS256}, "code_challenge_method": {"S256"}}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Get(h.url + "/authorize?" + q.Encode())
	require.NoError(h.t, err)
	defer func() { _ = res.Body.Close() }()
	u, err := url.Parse(res.Header.Get("Location"))
	require.NoError(h.t, err)
	return u.Query()
}

func (h *storeHost) code() string {
	code := h.authorize().Get("code")
	require.NotEmpty(h.t, code)
	return code
}

func (h *storeHost) redeem(code string, pairs ...string) (int, map[string]any) {
	return h.post("/token", append([]string{"grant_type", "authorization_code", "code", code, "redirect_uri", storeRedirect, "code_verifier", storeVerifier}, pairs...)...)
}

func (h *storeHost) refresh(token any) (int, map[string]any) {
	s, _ := token.(string)
	return h.post("/token", "grant_type", "refresh_token", "refresh_token", s)
}

func (h *storeHost) active(token any) bool {
	s, _ := token.(string)
	status, body := h.post("/introspect", "token", s)
	require.Equal(h.t, http.StatusOK, status)
	return body["active"] == true
}

// The whole life of a grant, by fosite's own handlers: what is stored comes back, in the host's own session type.
func TestStore_FositesHandlersRunOverIt(t *testing.T) {
	t.Parallel()
	h := newStoreHost(t, nil, nil)
	code := h.code()
	status, first := h.redeem(code)
	require.Equal(t, 200, status, first)
	require.True(t, h.active(first["access_token"]))
	_, seen := h.post("/introspect", "token", first["access_token"].(string))
	require.Equal(t, "alice", seen["sub"])
	require.Equal(t, "Alice", seen["username"])
	require.Equal(t, "read offline", seen["scope"])
	status, second := h.refresh(first["refresh_token"])
	require.Equal(t, 200, status, second)
	require.False(t, h.active(first["access_token"]), "the rotation ended it")
	require.True(t, h.active(second["access_token"]))
	status, _ = h.post("/revoke", "token", second["refresh_token"].(string))
	require.Equal(t, 200, status)
	require.False(t, h.active(second["access_token"]))
	status, body := h.refresh(second["refresh_token"])
	require.Equal(t, []any{400, "invalid_grant"}, []any{status, body["error"]})
	status, body = h.post("/token", "grant_type", "client_credentials", "scope", "read")
	require.Equal(t, 200, status, body)
	require.True(t, h.active(body["access_token"]))
	// No code or token is in the store.
	page, _, err := h.store.List(t.Context(), storage.Query{ClientID: "app", Limit: 100})
	require.NoError(t, err)
	require.NotEmpty(t, page)
	text, err := json.Marshal(page)
	require.NoError(t, err)
	for _, secret := range []string{code, first["access_token"].(string), second["refresh_token"].(string), storeSecret, strings.SplitAfter(code, ".")[1]} {
		require.NotContains(t, string(text), secret)
	}
}

// Grantwell's own endpoints serve what fosite issued over its records, so that a host moves one endpoint at a time.
func TestStore_GrantwellServesTheTokens(t *testing.T) {
	t.Parallel()
	h := newStoreHost(t, nil, nil)
	_, body := h.redeem(h.code())
	moved := servertest.On(t, h.store, func(cfg *grantwell.Config) {
		cfg.Grants = []grants.Handler{grants.RefreshToken{}}
		cfg.Imported = []tokens.Imported{
			tokens.FositeHMAC{Secrets: [][]byte{[]byte(storeGlobal)[:32]}},
		}
	})
	seen, err := moved.AS.Introspect(t.Context(), body["access_token"].(string))
	require.NoError(t, err)
	require.True(t, seen.Active)
	require.Equal(t, "alice", seen.Subject)
	res := moved.Post("/token", "app:"+storeSecret, "grant_type", "refresh_token",
		"refresh_token", body["refresh_token"].(string))
	require.Equal(t, 200, res.Status, res.Body)
	status, again := h.refresh(body["refresh_token"])
	require.Equal(t, []any{400, "invalid_grant"}, []any{status, again["error"]}, "spent there is spent here")
}

// After a wrong verifier, a request without one does not find the challenge gone; nor does one by a host that left it out of the whitelist.
func TestStore_PKCECannotBeDetached(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*fosite.Config){"configured": nil, "challenge not whitelisted": func(c *fosite.Config) { c.SanitationWhiteList = []string{"redirect_uri"} }} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newStoreHost(t, change, nil)
			code := h.code()
			for _, verifier := range []string{strings.Repeat("x", 43), "", strings.Repeat("y", 43), ""} {
				status, body := h.redeem(code, "code_verifier", verifier)
				require.Equal(t, []any{400, "invalid_grant"}, []any{status, body["error"]}, verifier)
			}
			status, body := h.redeem(code)
			require.Equal(t, 200, status, body)
			require.Empty(t, h.authorize("code_challenge", "", "code_challenge_method", "").Get("code"), "PKCE is demanded")
		})
	}
}

// A host that configures fosite without Configure, and keeps the challenge from the code, has it in the code's record all the same.
func TestStore_TheChallengeReachesTheCode(t *testing.T) {
	t.Parallel()
	h := newStoreHost(t, nil, nil)
	app, err := h.storage.GetClient(t.Context(), "app")
	require.NoError(t, err)
	session := &openid.DefaultSession{Subject: "alice"}
	session.SetExpiresAt(fosite.AuthorizeCode, time.Now().Add(time.Minute))
	require.NoError(t, h.storage.CreateAuthorizeCodeSession(t.Context(), "sig", &fosite.Request{ID: "f", Client: app, Session: session, Form: url.Values{}}))
	_, err = h.storage.GetPKCERequestSession(t.Context(), "sig", nil)
	require.ErrorIs(t, err, fosite.ErrNotFound)
	require.NoError(t, h.storage.CreatePKCERequestSession(t.Context(), "sig", &fosite.Request{ID: "f", Client: app, Session: session,
		Form: url.Values{"code_challenge": {storeS256}, "code_challenge_method": {"S256"}}}))
	require.NoError(t, h.storage.DeletePKCERequestSession(t.Context(), "sig"))
	got, err := h.storage.GetPKCERequestSession(t.Context(), "sig", nil)
	require.NoError(t, err)
	require.Equal(t, storeS256, got.GetRequestForm().Get("code_challenge"))
	require.Equal(t, "S256", got.GetRequestForm().Get("code_challenge_method"))
}

// A code and a refresh token are redeemed at most once by any number of requests at once, nobody is told of a fault of the
// server's, and what a race was about has ended.
func TestStore_RacesHaveAtMostOneWinner(t *testing.T) {
	t.Parallel()
	h := newStoreHost(t, nil, nil)
	race := func(what string, try func() (int, map[string]any)) {
		var won atomic.Int32
		var wg sync.WaitGroup
		var mu sync.Mutex
		var issued []map[string]any
		for range 8 {
			wg.Go(func() {
				status, body := try()
				mu.Lock()
				defer mu.Unlock()
				switch {
				case status == 200:
					won.Add(1)
					issued = append(issued, body)
				case status != 400 || body["error"] != "invalid_grant":
					t.Errorf("%s: %d %v", what, status, body)
				}
			})
		}
		wg.Wait()
		require.LessOrEqual(t, won.Load(), int32(1), what)
		for _, body := range issued {
			require.False(t, h.active(body["access_token"]), what)
			status, _ := h.refresh(body["refresh_token"])
			require.Equal(t, 400, status, what)
		}
	}
	for range 60 {
		code := h.code()
		race("code", func() (int, map[string]any) { return h.redeem(code) })
		_, body := h.redeem(h.code())
		race("refresh token", func() (int, map[string]any) { return h.refresh(body["refresh_token"]) })
	}
}

// A family that ended between the spending of a code and the storing of its tokens stays ended: fosite stores them one by one.
func TestStore_NothingJoinsAFamilyThatEnded(t *testing.T) {
	t.Parallel()
	h := newStoreHost(t, nil, nil)
	app, err := h.storage.GetClient(t.Context(), "app")
	require.NoError(t, err)
	session := &openid.DefaultSession{Subject: "alice"}
	for _, of := range []fosite.TokenType{fosite.AuthorizeCode, fosite.AccessToken, fosite.RefreshToken} {
		session.SetExpiresAt(of, time.Now().Add(time.Hour))
	}
	r := &fosite.Request{ID: "family", Client: app, Session: session, Form: url.Values{}}
	require.NoError(t, h.storage.CreateAuthorizeCodeSession(t.Context(), "code", r))
	require.NoError(t, h.storage.InvalidateAuthorizeCodeSession(t.Context(), "code"))
	require.Error(t, h.storage.InvalidateAuthorizeCodeSession(t.Context(), "code"))
	require.Error(t, h.storage.CreateAccessTokenSession(t.Context(), "access", r))
	require.Error(t, h.storage.CreateRefreshTokenSession(t.Context(), "refresh", "access", r))
	_, err = h.storage.GetAccessTokenSession(t.Context(), "access", nil)
	require.ErrorIs(t, err, fosite.ErrNotFound)
	for range 3 { // however often it is used
		got, err := h.storage.GetAuthorizeCodeSession(t.Context(), "code", nil)
		require.ErrorIs(t, err, fosite.ErrInvalidatedAuthorizeCode)
		require.NotNil(t, got)
	}
	require.Error(t, h.storage.CreateAccessTokenSession(t.Context(), "x", &fosite.Request{ID: "other", Client: app, Session: &openid.DefaultSession{}}), "no expiry")
}

// Every call returns objects of its own, and an empty signature never reaches the store.
func TestStore_SharesNothing(t *testing.T) {
	t.Parallel()
	asked := atomic.Int32{}
	h := newStoreHost(t, nil, func(r storage.Records) storage.Records { return counting{r, &asked} })
	app, err := h.storage.GetClient(t.Context(), "app")
	require.NoError(t, err)
	session := &openid.DefaultSession{Subject: "alice"}
	session.SetExpiresAt(fosite.AccessToken, time.Now().Add(time.Hour))
	r := &fosite.Request{ID: "f", Client: app, Session: session, GrantedScope: fosite.Arguments{"read"}, Form: url.Values{"a": {"b"}}}
	require.NoError(t, h.storage.CreateAccessTokenSession(t.Context(), "sig", r))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			into := &openid.DefaultSession{}
			got, err := h.storage.GetAccessTokenSession(t.Context(), "sig", into)
			if err != nil || got.GetGrantedScopes()[0] != "read" || got.GetSession() != fosite.Session(into) || into.Subject != "alice" {
				t.Errorf("%v %v", got, err)
				return
			}
			got.GetGrantedScopes()[0], got.GetClient().GetScopes()[0], into.Subject = "evil", "evil", "evil"
			got.GetRequestForm().Set("x", "y")
			into.SetExpiresAt(fosite.AccessToken, time.Time{})
		})
	}
	wg.Wait()
	before := asked.Load()
	for _, get := range []func(context.Context, string, fosite.Session) (fosite.Requester, error){h.storage.GetAccessTokenSession, h.storage.GetRefreshTokenSession,
		h.storage.GetAuthorizeCodeSession, h.storage.GetPKCERequestSession} {
		_, err := get(t.Context(), "", nil)
		require.ErrorIs(t, err, fosite.ErrNotFound)
	}
	require.Equal(t, before, asked.Load())
}

type counting struct {
	storage.Records
	n *atomic.Int32
}

func (c counting) Get(ctx context.Context, kind storage.Kind, key string) (storage.Record, error) {
	c.n.Add(1)
	return c.Records.Get(ctx, kind, key)
}

// A store that fails at any call gives 5xx, never a success that did nothing, and a spent code buys nothing later.
func TestStore_FaultsAreFaults(t *testing.T) {
	t.Parallel()
	for n := range int32(40) {
		f := &failing{}
		h := newStoreHost(t, nil, func(r storage.Records) storage.Records { f.Records = r; return f })
		code := h.code()
		f.after.Store(n + 1)
		status, body := h.redeem(code)
		reached := f.after.Swap(0) <= 0
		if status == 200 {
			require.True(t, h.active(body["access_token"]))
		} else {
			require.GreaterOrEqual(t, status, 500, "call %d: %v", n, body)
		}
		if !reached {
			require.Equal(t, 200, status)
			return
		}
	}
	t.Fatal("the request asks the store without end")
}

// failing fails one call, the after-th from now on.
type failing struct {
	storage.Records
	after atomic.Int32
}

func (f *failing) now() bool { return f.after.Load() > 0 && f.after.Add(-1) == 0 }

func (f *failing) Get(ctx context.Context, kind storage.Kind, key string) (storage.Record, error) {
	if f.now() {
		return storage.Record{}, errStoreDown
	}
	return f.Records.Get(ctx, kind, key)
}

func (f *failing) Insert(ctx context.Context, recs ...storage.Record) error {
	if f.now() {
		return errStoreDown
	}
	return f.Records.Insert(ctx, recs...)
}

func (f *failing) Advance(ctx context.Context, from storage.State, next storage.Record, recs ...storage.Record) error {
	if f.now() {
		return errStoreDown
	}
	return f.Records.Advance(ctx, from, next, recs...)
}

func (f *failing) Revoke(ctx context.Context, grantID string, kinds ...storage.Kind) error {
	if f.now() {
		return errStoreDown
	}
	return f.Records.Revoke(ctx, grantID, kinds...)
}
