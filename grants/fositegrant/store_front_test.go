package fositegrant_test

import (
	"encoding/json"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/openid"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants/fositegrant"
	"github.com/grantwell/grantwell/storage"
)

// A code that has expired, and a client that was disabled or whose tokens were all ended, get nothing.
func TestStore_HonoursTimeAndClients(t *testing.T) {
	t.Parallel()
	h := newStoreHost(t, func(c *fosite.Config) { c.AuthorizeCodeLifespan = time.Millisecond }, nil)
	code := h.code()
	time.Sleep(5 * time.Millisecond)
	status, body := h.redeem(code)
	require.Equal(t, []any{400, "invalid_grant"}, []any{status, body["error"]})

	h = newStoreHost(t, nil, nil)
	_, body = h.redeem(h.code())
	token := body["access_token"]
	_, err := h.storage.GetClient(t.Context(), "nobody")
	require.ErrorIs(t, err, fosite.ErrNotFound)
	c, err := h.store.Client(t.Context(), "app")
	require.NoError(t, err)
	ended := c
	ended.TokensNotBefore = time.Now().Add(time.Second)
	require.NoError(t, h.store.PutClient(t.Context(), ended))
	require.False(t, h.active(token))
	c.Disabled = true
	require.NoError(t, h.store.PutClient(t.Context(), c))
	_, err = h.storage.GetClient(t.Context(), "app")
	require.ErrorIs(t, err, fosite.ErrNotFound)
	status, _ = h.post("/introspect", "token", token.(string))
	require.Equal(t, 401, status)
}

// A pushed request is used once, however many use it at once, and not after it has expired; no secret is stored with it.
func TestStore_PushedRequests(t *testing.T) {
	t.Parallel()
	push := []string{"response_type", "code", "client_id", "app", "redirect_uri", storeRedirect, "scope", "read offline", "state", "12345678",
		"code_challenge", storeS256, "code_challenge_method", "S256"}
	h := newStoreHost(t, nil, nil)
	for range 20 {
		status, body := h.post("/par", push...)
		require.Equal(t, 201, status, body)
		uri := body["request_uri"].(string)
		page, _, err := h.store.List(t.Context(), storage.Query{ClientID: "app", Limit: 100})
		require.NoError(t, err)
		text, err := json.Marshal(page)
		require.NoError(t, err)
		require.NotContains(t, string(text), storeSecret)
		require.NotContains(t, string(text), uri)
		var won atomic.Int32
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if h.authorize("request_uri", uri).Get("code") != "" {
					won.Add(1)
				}
			})
		}
		wg.Wait()
		require.Equal(t, int32(1), won.Load())
	}
	h = newStoreHost(t, func(c *fosite.Config) { c.PushedAuthorizeContextLifespan = time.Millisecond }, nil)
	_, body := h.post("/par", push...)
	time.Sleep(5 * time.Millisecond)
	require.Empty(t, h.authorize("request_uri", body["request_uri"].(string)).Get("code"))
}

// An OpenID Connect session is found by the code's digest alone, is used once, and keeps the host's claims.
func TestStore_OpenIDConnectSessions(t *testing.T) {
	t.Parallel()
	h := newStoreHost(t, nil, nil)
	app, err := h.storage.GetClient(t.Context(), "app")
	require.NoError(t, err)
	session := openid.NewDefaultSession()
	session.Subject, session.Claims.Subject, session.Claims.Extra = "alice", "alice", map[string]any{"a": "b"}
	session.SetExpiresAt(fosite.AuthorizeCode, time.Now().Add(time.Minute))
	r := &fosite.Request{ID: "f", Client: app, Session: session, Form: url.Values{"nonce": {"n"}}}
	require.NoError(t, h.storage.CreateOpenIDConnectSession(t.Context(), "the code itself", r))
	got, err := h.storage.GetOpenIDConnectSession(t.Context(), "the code itself", &fosite.Request{Session: openid.NewDefaultSession()})
	require.NoError(t, err)
	require.Equal(t, "n", got.GetRequestForm().Get("nonce"))
	require.Equal(t, "alice", got.GetSession().(*openid.DefaultSession).Claims.Subject)
	require.Equal(t, "b", got.GetSession().(*openid.DefaultSession).Claims.Extra["a"])
	require.NoError(t, h.storage.DeleteOpenIDConnectSession(t.Context(), "the code itself"))
	require.Error(t, h.storage.DeleteOpenIDConnectSession(t.Context(), "the code itself"))
	_, err = h.storage.GetOpenIDConnectSession(t.Context(), "the code itself", r)
	require.ErrorIs(t, err, fosite.ErrNotFound)
}

// A store that fails is not a session that is not there, for which fosite would leave out the ID token and answer 200.
func TestStore_AFailingStoreIsNotAMissingSession(t *testing.T) {
	t.Parallel()
	f := &failing{}
	h := newStoreHost(t, nil, func(r storage.Records) storage.Records { f.Records = r; return f })
	_, err := h.storage.GetOpenIDConnectSession(t.Context(), "code", nil)
	require.ErrorIs(t, err, fosite.ErrNotFound)
	f.after.Store(1)
	_, err = h.storage.GetOpenIDConnectSession(t.Context(), "code", nil)
	require.ErrorIs(t, err, errStoreDown)
	require.NotErrorIs(t, err, fosite.ErrNotFound)
}

// The jti of a client assertion is marked by one request of many.
func TestStore_ClientAssertionsAreUsedOnce(t *testing.T) {
	t.Parallel()
	h := newStoreHost(t, nil, nil)
	for _, jti := range []string{"a", "b", "c"} {
		require.NoError(t, h.storage.ClientAssertionJWTValid(t.Context(), jti))
		var won atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if h.storage.SetClientAssertionJWT(t.Context(), jti, time.Now().Add(time.Minute)) == nil {
					won.Add(1)
				}
			})
		}
		wg.Wait()
		require.Equal(t, int32(1), won.Load())
	}
}

// Secrets are compared as Grantwell stores them, and nothing passes for an empty hash, which public clients have.
func TestHasher(t *testing.T) {
	t.Parallel()
	var h fositegrant.Hasher
	hash, err := h.Hash(t.Context(), []byte(storeSecret))
	require.NoError(t, err)
	require.NoError(t, h.Compare(t.Context(), hash, []byte(storeSecret)))
	bcrypt := []byte("$2a$04$zVHmKQtGGQob.b/Nc7l9NO8UlrYcW05FiuCj/SxsFO/ZtiN9.mNzy") // "Secret1!" is not its password, whatever it is
	for _, pair := range [][2][]byte{{hash, []byte("other")}, {nil, nil}, {nil, []byte("x")}, {hash, nil}, {[]byte("plain"), []byte("plain")}, {bcrypt, []byte("x")}} {
		require.Error(t, h.Compare(t.Context(), pair[0], pair[1]), "%s", pair)
	}
}
