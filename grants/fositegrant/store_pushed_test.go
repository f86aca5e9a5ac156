package fositegrant_test

import (
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/openid"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// pushForm is a pushed authorization request of the client app.
var pushForm = []string{
	"response_type", "code",
	"client_id", "app",
	"redirect_uri", storeRedirect,
	"scope", "read offline",
	"state", "12345678",
	"code_challenge", storeS256,
	"code_challenge_method", "S256",
}

// Of concurrent authorization requests with one request_uri (RFC 9126) one gets a code.
// Neither a secret nor the request_uri is stored.
func TestStore_PushedRequestsAreUsedOnce(t *testing.T) {
	t.Parallel()
	h := newStoreHost(t, nil, nil)
	for range 20 {
		status, body := h.post("/par", pushForm...)
		require.Equal(t, 201, status, body)
		uri := body["request_uri"].(string)
		listed := h.listed()
		require.NotContains(t, listed, storeSecret)
		require.NotContains(t, listed, uri)

		var codes atomic.Int32
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if h.authorize("request_uri", uri).Get("code") != "" {
					codes.Add(1)
				}
			})
		}
		wg.Wait()
		require.Equal(t, int32(1), codes.Load())
	}
}

// An expired request_uri is refused.
func TestStore_PushedRequestsExpire(t *testing.T) {
	t.Parallel()
	short := func(c *fosite.Config) { c.PushedAuthorizeContextLifespan = time.Millisecond }
	h := newStoreHost(t, short, nil)
	_, body := h.post("/par", pushForm...)
	time.Sleep(5 * time.Millisecond)
	require.Empty(t, h.authorize("request_uri", body["request_uri"].(string)).Get("code"))
}

// An OpenID Connect session is found by its code, is used once, and keeps the host's
// claims.
func TestStore_OpenIDConnectSessionsAreUsedOnce(t *testing.T) {
	t.Parallel()
	h := newStoreHost(t, nil, nil)
	ctx := t.Context()
	session := openid.NewDefaultSession()
	session.Subject = "alice"
	session.Claims.Subject = "alice"
	session.Claims.Extra = map[string]any{"a": "b"}
	session.SetExpiresAt(fosite.AuthorizeCode, time.Now().Add(time.Minute))
	r := &fosite.Request{
		ID:      "family",
		Client:  h.client(),
		Session: session,
		Form:    url.Values{"nonce": {"n"}},
	}

	const code = "the code itself"
	require.NoError(t, h.storage.CreateOpenIDConnectSession(ctx, code, r))
	empty := &fosite.Request{Session: openid.NewDefaultSession()}
	got, err := h.storage.GetOpenIDConnectSession(ctx, code, empty)
	require.NoError(t, err)
	require.Equal(t, "n", got.GetRequestForm().Get("nonce"))
	claims := got.GetSession().(*openid.DefaultSession).Claims
	require.Equal(t, "alice", claims.Subject)
	require.Equal(t, "b", claims.Extra["a"])

	require.NoError(t, h.storage.DeleteOpenIDConnectSession(ctx, code))
	require.Error(t, h.storage.DeleteOpenIDConnectSession(ctx, code))
	_, err = h.storage.GetOpenIDConnectSession(ctx, code, r)
	require.ErrorIs(t, err, fosite.ErrNotFound)
}

// A failing store is not a missing session. For a missing session fosite leaves the ID
// token out and answers 200.
func TestStore_AFailingStoreIsNotAMissingSession(t *testing.T) {
	t.Parallel()
	f := &failing{}
	h := newStoreHost(t, nil, func(r storage.Records) storage.Records {
		f.Records = r
		return f
	})
	_, err := h.storage.GetOpenIDConnectSession(t.Context(), "code", nil)
	require.ErrorIs(t, err, fosite.ErrNotFound)

	f.after.Store(1)
	_, err = h.storage.GetOpenIDConnectSession(t.Context(), "code", nil)
	require.ErrorIs(t, err, errStoreDown)
	require.NotErrorIs(t, err, fosite.ErrNotFound)
}
