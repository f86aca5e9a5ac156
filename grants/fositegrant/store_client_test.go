package fositegrant_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ory/fosite"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants/fositegrant"
)

// An expired code is refused.
func TestStore_CodesExpire(t *testing.T) {
	t.Parallel()
	h := newStoreHost(t, func(c *fosite.Config) { c.AuthorizeCodeLifespan = time.Millisecond }, nil)
	code := h.code()
	time.Sleep(5 * time.Millisecond)
	h.refused(h.redeem(code))
}

// The tokens of a client that is disabled are not active, and neither are tokens from
// before a client's TokensNotBefore.
func TestStore_TokensEndWithTheirClient(t *testing.T) {
	t.Parallel()
	h := newStoreHost(t, nil, nil)
	_, body := h.redeem(h.code())
	token := body["access_token"]
	_, err := h.storage.GetClient(t.Context(), "unknown")
	require.ErrorIs(t, err, fosite.ErrNotFound)

	app, err := h.store.Client(t.Context(), "app")
	require.NoError(t, err)
	ended := app
	ended.TokensNotBefore = time.Now().Add(time.Second)
	require.NoError(t, h.store.PutClient(t.Context(), ended))
	require.False(t, h.active(token))

	app.Disabled = true
	require.NoError(t, h.store.PutClient(t.Context(), app))
	_, err = h.storage.GetClient(t.Context(), "app")
	require.ErrorIs(t, err, fosite.ErrNotFound)
	status, _ := h.post("/introspect", "token", token.(string))
	require.Equal(t, 401, status)
}

// Of concurrent requests with one jti of a client assertion one is accepted.
func TestStore_ClientAssertionsAreUsedOnce(t *testing.T) {
	t.Parallel()
	h := newStoreHost(t, nil, nil)
	for _, jti := range []string{"a", "b", "c"} {
		require.NoError(t, h.storage.ClientAssertionJWTValid(t.Context(), jti))
		var accepted atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				exp := time.Now().Add(time.Minute)
				if h.storage.SetClientAssertionJWT(t.Context(), jti, exp) == nil {
					accepted.Add(1)
				}
			})
		}
		wg.Wait()
		require.Equal(t, int32(1), accepted.Load())
	}
}

// Secrets are compared with the hashes that Grantwell stores. An empty hash, which public
// clients have, matches nothing.
func TestHasher_ComparesStoredHashes(t *testing.T) {
	t.Parallel()
	var h fositegrant.Hasher
	hash, err := h.Hash(t.Context(), []byte(storeSecret))
	require.NoError(t, err)
	require.NoError(t, h.Compare(t.Context(), hash, []byte(storeSecret)))

	const bcrypt = "$2a$04$zVHmKQtGGQob.b/Nc7l9NO8UlrYcW05FiuCj/SxsFO/ZtiN9.mNzy"
	for name, c := range map[string]struct{ hash, secret []byte }{
		"another secret":        {hash, []byte("other")},
		"nothing":               {nil, nil},
		"no hash":               {nil, []byte("x")},
		"no secret":             {hash, nil},
		"a plain text":          {[]byte("plain"), []byte("plain")},
		"another bcrypt secret": {[]byte(bcrypt), []byte("x")},
	} {
		require.Error(t, h.Compare(t.Context(), c.hash, c.secret), name)
	}
}
