package fositegrant_test

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/openid"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// A grant lives from its code to its revocation under fosite's handlers. The host's session
// type comes back as it was stored, and no code or token is in the store.
func TestStore_KeepsAWholeGrant(t *testing.T) {
	t.Parallel()
	h := newStoreHost(t, nil, nil)
	code := h.code()
	status, first := h.redeem(code)
	require.Equal(t, 200, status, first)
	_, seen := h.post("/introspect", "token", first["access_token"].(string))
	require.Equal(t, true, seen["active"])
	require.Equal(t, "alice", seen["sub"])
	require.Equal(t, "ALICE", seen["username"])
	require.Equal(t, "read offline", seen["scope"])

	status, second := h.refresh(first["refresh_token"])
	require.Equal(t, 200, status, second)
	require.False(t, h.active(first["access_token"]), "the rotation ends it")
	require.True(t, h.active(second["access_token"]))
	status, _ = h.post("/revoke", "token", second["refresh_token"].(string))
	require.Equal(t, 200, status)
	require.False(t, h.active(second["access_token"]))
	h.refused(h.refresh(second["refresh_token"]))

	status, own := h.post("/token", "grant_type", "client_credentials", "scope", "read")
	require.Equal(t, 200, status, own)
	require.True(t, h.active(own["access_token"]))

	listed := h.listed()
	_, signature, _ := strings.Cut(code, ".")
	for _, secret := range []any{
		code, signature, first["access_token"], second["refresh_token"], storeSecret,
	} {
		require.NotContains(t, listed, secret)
	}
}

// Grantwell's own endpoints serve what fosite issued over its records, so that a host can
// move one endpoint at a time.
func TestStore_GrantwellServesTheTokens(t *testing.T) {
	t.Parallel()
	h := newStoreHost(t, nil, nil)
	_, body := h.redeem(h.code())
	moved := servertest.On(t, h.store, func(cfg *grantwell.Config) {
		cfg.Grants = []grants.Handler{grants.RefreshToken{}}
		cfg.Imported = []tokens.Imported{
			tokens.FositeHMAC{Secrets: [][]byte{[]byte(storeGlobal)}},
		}
	})

	seen, err := moved.AS.Introspect(t.Context(), body["access_token"].(string))
	require.NoError(t, err)
	require.True(t, seen.Active)
	require.Equal(t, "alice", seen.Subject)

	// A token that is spent at one server is spent at the other.
	res := moved.Post("/token", "app:"+storeSecret,
		"grant_type", "refresh_token", "refresh_token", body["refresh_token"].(string))
	require.Equal(t, 200, res.Status, res.Body)
	h.refused(h.refresh(body["refresh_token"]))
}

// A wrong verifier does not remove the challenge of a code, also if the host's whitelist
// keeps the challenge out of the code's form.
func TestStore_PKCECannotBeDetached(t *testing.T) {
	t.Parallel()
	withoutChallenge := func(c *fosite.Config) {
		c.SanitationWhiteList = []string{"redirect_uri"}
	}
	for name, change := range map[string]func(*fosite.Config){
		"configured":                nil,
		"challenge not whitelisted": withoutChallenge,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newStoreHost(t, change, nil)
			code := h.code()
			for _, verifier := range []string{
				strings.Repeat("x", 43), "", strings.Repeat("y", 43), "",
			} {
				h.refused(h.redeem(code, "code_verifier", verifier))
			}
			status, body := h.redeem(code)
			require.Equal(t, 200, status, body)

			query := h.authorize("code_challenge", "", "code_challenge_method", "")
			require.Empty(t, query.Get("code"), "PKCE is required")
		})
	}
}

// A challenge that fosite keeps out of the code's form still becomes part of the code's
// record, and no deletion removes it.
func TestStore_TheChallengeReachesTheCode(t *testing.T) {
	t.Parallel()
	h := newStoreHost(t, nil, nil)
	ctx := t.Context()
	session := &openid.DefaultSession{Subject: "alice"}
	session.SetExpiresAt(fosite.AuthorizeCode, time.Now().Add(time.Minute))
	request := func(form url.Values) *fosite.Request {
		return &fosite.Request{
			ID:      "family",
			Client:  h.client(),
			Session: session,
			Form:    form,
		}
	}
	require.NoError(t, h.storage.CreateAuthorizeCodeSession(ctx, "sig", request(url.Values{})))
	_, err := h.storage.GetPKCERequestSession(ctx, "sig", nil)
	require.ErrorIs(t, err, fosite.ErrNotFound)

	challenge := url.Values{"code_challenge": {storeS256}, "code_challenge_method": {"S256"}}
	require.NoError(t, h.storage.CreatePKCERequestSession(ctx, "sig", request(challenge)))
	require.NoError(t, h.storage.DeletePKCERequestSession(ctx, "sig"))
	got, err := h.storage.GetPKCERequestSession(ctx, "sig", nil)
	require.NoError(t, err)
	require.Equal(t, storeS256, got.GetRequestForm().Get("code_challenge"))
	require.Equal(t, "S256", got.GetRequestForm().Get("code_challenge_method"))
}

// Of concurrent requests with one code or refresh token at most one gets tokens. The others
// get invalid_grant, and the family ends.
func TestStore_RacesHaveAtMostOneWinner(t *testing.T) {
	t.Parallel()
	h := newStoreHost(t, nil, nil)
	for range 60 {
		code := h.code()
		h.race("code", func() (int, map[string]any) { return h.redeem(code) })
		_, body := h.redeem(h.code())
		h.race("refresh token", func() (int, map[string]any) { return h.refresh(body["refresh_token"]) })
	}
}

// race sends 8 concurrent requests.
func (h *storeHost) race(what string, try func() (int, map[string]any)) {
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
				issued = append(issued, body)
			case status != 400 || body["error"] != "invalid_grant":
				h.t.Errorf("%s: %d %v", what, status, body)
			}
		})
	}
	wg.Wait()

	require.LessOrEqual(h.t, len(issued), 1, what)
	for _, body := range issued {
		require.False(h.t, h.active(body["access_token"]), what)
		h.refused(h.refresh(body["refresh_token"]))
	}
}

// No token joins a family that ended after its code was spent. fosite stores the tokens
// after it has spent the code.
func TestStore_NothingJoinsAFamilyThatEnded(t *testing.T) {
	t.Parallel()
	h := newStoreHost(t, nil, nil)
	ctx := t.Context()
	session := &openid.DefaultSession{Subject: "alice"}
	for _, of := range []fosite.TokenType{
		fosite.AuthorizeCode, fosite.AccessToken, fosite.RefreshToken,
	} {
		session.SetExpiresAt(of, time.Now().Add(time.Hour))
	}
	r := &fosite.Request{
		ID:      "family",
		Client:  h.client(),
		Session: session,
		Form:    url.Values{},
	}
	require.NoError(t, h.storage.CreateAuthorizeCodeSession(ctx, "code", r))
	require.NoError(t, h.storage.InvalidateAuthorizeCodeSession(ctx, "code"))
	require.Error(t, h.storage.InvalidateAuthorizeCodeSession(ctx, "code"))

	require.Error(t, h.storage.CreateAccessTokenSession(ctx, "access", r))
	require.Error(t, h.storage.CreateRefreshTokenSession(ctx, "refresh", "access", r))
	_, err := h.storage.GetAccessTokenSession(ctx, "access", nil)
	require.ErrorIs(t, err, fosite.ErrNotFound)

	// A spent code is recognized at each use.
	for range 3 {
		got, err := h.storage.GetAuthorizeCodeSession(ctx, "code", nil)
		require.ErrorIs(t, err, fosite.ErrInvalidatedAuthorizeCode)
		require.NotNil(t, got)
	}
}

// A token whose session has no expiry is refused, because it would never expire.
func TestStore_TokensNeedAnExpiry(t *testing.T) {
	t.Parallel()
	h := newStoreHost(t, nil, nil)
	r := &fosite.Request{ID: "family", Client: h.client(), Session: &openid.DefaultSession{}}
	err := h.storage.CreateAccessTokenSession(t.Context(), "access", r)
	require.ErrorContains(t, err, "no expiry")
}

// Every call returns new objects, so that concurrent requests cannot change each other's.
func TestStore_SharesNothing(t *testing.T) {
	t.Parallel()
	h := newStoreHost(t, nil, nil)
	session := &openid.DefaultSession{Subject: "alice"}
	session.SetExpiresAt(fosite.AccessToken, time.Now().Add(time.Hour))
	require.NoError(t, h.storage.CreateAccessTokenSession(t.Context(), "sig", &fosite.Request{
		ID:           "family",
		Client:       h.client(),
		Session:      session,
		GrantedScope: fosite.Arguments{"read"},
		Form:         url.Values{"a": {"b"}},
	}))

	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			into := &openid.DefaultSession{}
			got, err := h.storage.GetAccessTokenSession(t.Context(), "sig", into)
			if err != nil || got.GetGrantedScopes()[0] != "read" || into.Subject != "alice" {
				t.Errorf("%v %v", got, err)
				return
			}
			if got.GetSession() != fosite.Session(into) {
				t.Error("the session was not filled in place")
			}

			got.GetGrantedScopes()[0] = "evil"
			got.GetClient().GetScopes()[0] = "evil"
			got.GetRequestForm().Set("x", "y")
			into.Subject = "evil"
			into.SetExpiresAt(fosite.AccessToken, time.Time{})
		})
	}
	wg.Wait()
}

// An empty signature is not found, without a call of the store.
func TestStore_EmptySignatureIsNotLookedUp(t *testing.T) {
	t.Parallel()
	var reads atomic.Int32
	h := newStoreHost(t, nil, func(r storage.Records) storage.Records {
		return counting{r, &reads}
	})
	type get = func(context.Context, string, fosite.Session) (fosite.Requester, error)
	for _, get := range []get{
		h.storage.GetAccessTokenSession,
		h.storage.GetRefreshTokenSession,
		h.storage.GetAuthorizeCodeSession,
		h.storage.GetPKCERequestSession,
	} {
		_, err := get(t.Context(), "", nil)
		require.ErrorIs(t, err, fosite.ErrNotFound)
	}
	require.Zero(t, reads.Load())
}

// If any one call of the store fails, the token request is answered with 5xx, or its
// tokens are valid.
func TestStore_FaultsAreFaults(t *testing.T) {
	t.Parallel()
	for n := range int32(40) {
		f := &failing{}
		h := newStoreHost(t, nil, func(r storage.Records) storage.Records {
			f.Records = r
			return f
		})
		code := h.code()
		f.after.Store(n + 1)
		status, body := h.redeem(code)
		failed := f.after.Swap(0) <= 0
		if status == 200 {
			require.True(t, h.active(body["access_token"]))
		} else {
			require.GreaterOrEqual(t, status, 500, "call %d: %v", n, body)
		}

		// The request made fewer calls, so that every one of them has failed once.
		if !failed {
			require.Equal(t, 200, status)
			return
		}
	}
	t.Fatal("one request calls the store more than 40 times")
}
