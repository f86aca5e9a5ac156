package grantwell_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// A client is created, read, listed, changed and deleted. Its secret is shown
// once, and no answer has a hash.
//
// Holds: house: admin behind the host; house: secret shown once.
func TestAdmin_ClientLifeCycle(t *testing.T) {
	t.Parallel()
	o := servertest.NewAdmin(t, nil)
	made := o.Admin("POST", "/clients", newApp)
	require.Equal(t, 201, made.Status, made.Body)
	require.Equal(t, "root", made.String("created_by"))
	plain := made.String("client_secret")
	require.Len(t, plain, 43)
	require.NotEmpty(t, o.Token("app:"+plain))
	stored, err := o.Store.Client(t.Context(), "app")
	require.NoError(t, err)
	require.Equal(t, []storage.Secret{storage.HashSecret(plain)}, stored.Secrets)

	read := o.Admin("GET", "/clients/app", "")
	require.Equal(t, 200, read.Status)
	require.NotContains(t, read.JSON, "client_secret")
	require.Equal(t, made.Header.Get("ETag"), read.Header.Get("ETag"))
	for _, res := range []servertest.Reply{made, read, o.Admin("GET", "/clients", "")} {
		require.NotContains(t, res.Body, "hash")
		require.NotContains(t, res.Body, strings.TrimPrefix(stored.Secrets[0].Hash, "sha256:"))
	}

	o.Admin("PUT", "/clients/app", read.Body).Fails(t, 428, "precondition_required")
	body := strings.Replace(read.Body, `"App"`, `"New"`, 1)
	put := o.Admin("PUT", "/clients/app", body, "If-Match", read.Header.Get("ETag"))
	require.Equal(t, 200, put.Status, put.Body)
	require.Equal(t, "New", put.String("client_name"))
	require.NotContains(t, put.JSON, "client_secret")
	o.Admin("PUT", "/clients/app", body, "If-Match", read.Header.Get("ETag")).Fails(t, 412,
		"precondition_failed")
	require.NotEmpty(t, o.Token("app:"+plain))

	o.Admin("POST", "/clients", newApp).Fails(t, 409, "conflict")
	own := o.Admin("POST", "/clients", `{"grant_types":["client_credentials"]}`)
	require.Len(t, own.String("client_id"), 22)
	require.NotContains(t, own.JSON, "tokens_not_before")

	require.Equal(t, 204, o.Admin("DELETE", "/clients/app", "").Status)
	o.Admin("DELETE", "/clients/app", "").Fails(t, 404, "not_found")
	o.Admin("GET", "/clients/app", "").Fails(t, 404, "not_found")
	o.ClientCredentials("app:"+plain).Fails(t, 401, "invalid_client")
}

// Registration checks every field that it takes and names the field that is
// wrong.
//
// Holds: house: admin behind the host; house: safe redirect registration.
func TestAdmin_BadClientsAreRefused(t *testing.T) {
	t.Parallel()
	o := servertest.NewAdmin(t, nil)
	for _, uri := range []string{"", " ", "/cb", "https://app.example/cb#f", "javascript:alert(1)",
		"data:text/html,x"} {
		res := o.Admin("POST", "/clients", fmt.Sprintf(`{"redirect_uris":[%q]}`, uri))
		res.Fails(t, 400, "invalid_client_metadata")
		require.Contains(t, res.String("error_description"), "redirect_uris")
		conf := o.Admin("GET", "/clients/conf", "")
		body := strings.Replace(conf.Body, servertest.Redirect, uri, 1)
		o.Admin("PUT", "/clients/conf", body, "If-Match", "*").Fails(t, 400,
			"invalid_client_metadata")
	}
	for _, member := range []string{`"client_id":"ü"`, `"scope":"a\\b"`, `"scope":["a"]`, `"access_token_lifetime":1e3`,
		`"token_endpoint_auth_method":"magic"`, `"access_token_lifetime":-1`,
		`"jwks_uri":"http://x"`} {
		o.Admin("POST", "/clients", `{"grant_types":["client_credentials"],`+member+`}`).Fails(t,
			400, "invalid_client_metadata")
	}
}

// An update changes no member that has a route of its own. An update that
// would enable a disabled client is refused.
//
// Holds: house: admin behind the host.
func TestAdmin_UpdateKeepsReadOnlyMembers(t *testing.T) {
	t.Parallel()
	o := servertest.NewAdmin(t, nil)
	require.Equal(t, 201, o.Admin("POST", "/clients", newApp).Status)
	require.Equal(t, 200, o.Admin("POST", "/clients/app/disable", "").Status)
	before, err := o.Store.Client(t.Context(), "app")
	require.NoError(t, err)
	read := o.Admin("GET", "/clients/app", "")
	for _, member := range []string{`"disabled":false`, `"secrets":[]`,
		`"secrets":[{"hash":"sha256:x"}]`, `"shared_key":true`, `"created_by":"me"`,
		`"created_at":"2020-01-01T00:00:00Z"`, `"tokens_not_before":"2020-01-01T00:00:00Z"`} {
		o.Admin("PUT", "/clients/app", `{"grant_types":["client_credentials"],`+member+`}`,
			"If-Match", "*").Fails(t, 400, "invalid_client_metadata")
	}
	o.Admin("PUT", "/clients/app", `{"client_id":"conf","grant_types":["client_credentials"]}`,
		"If-Match", "*").Fails(t, 400, "invalid_client_metadata")
	put := o.Admin("PUT", "/clients/app", `{"grant_types":["client_credentials"]}`, "If-Match",
		`"x", `+read.Header.Get("ETag"))
	require.Equal(t, 200, put.Status, put.Body)
	after, err := o.Store.Client(t.Context(), "app")
	require.NoError(t, err)
	before.Name, before.Scope = "", nil
	require.True(t, before.Equal(&after), "members that were left out are empty, except the read-only ones")
	o.Admin("DELETE", "/clients/app", "", "If-Match", read.Header.Get("ETag")).Fails(t, 412,
		"precondition_failed")
}

// A client whose new authentication method needs a secret gets one, and a
// client whose new method needs none keeps none.
//
// Holds: house: secret shown once.
func TestAdmin_MethodChangesCredentials(t *testing.T) {
	t.Parallel()
	o := servertest.NewAdmin(t, nil)
	with := func(method string) servertest.Reply {
		return o.Admin("PUT", "/clients/conf",
			`{"redirect_uris":["`+servertest.Redirect+`"],"token_endpoint_auth_method":"`+method+
				`"}`, "If-Match", "*")
	}
	for _, step := range []struct {
		method        string
		plain, hashed bool
		shared        bool
	}{
		{"none", false, false, false},
		{"client_secret_post", true, true, false},
		{"client_secret_post", false, true, false},
		{"client_secret_jwt", true, false, true},
		{"client_secret_basic", true, true, false},
	} {
		res := with(step.method)
		require.Equal(t, 200, res.Status, res.Body)
		require.Equal(t, step.plain, res.String("client_secret") != "", step.method)
		require.Equal(t, step.shared, res.JSON["shared_key"] == true)
		c, err := o.Store.Client(t.Context(), "conf")
		require.NoError(t, err)
		require.Equal(t, step.hashed, len(c.Secrets) == 1)
		require.Equal(t, step.shared, len(c.SharedKey) > 0)
		if step.shared {
			require.Equal(t, res.String("client_secret"), string(c.SharedKey))
			require.NotContains(t, o.Admin("GET", "/clients/conf", "").Body,
				res.String("client_secret"))
		}
	}
}

// Disabling a client stops its tokens at once, and enabling it brings
// unexpired tokens back. Deleting it stops them for good: a new client with
// the same ID does not get them.
//
// Holds: RFC 6749 section 5.2; house: deleted authorization;
// house: disabled client; house: subject still there.
func TestAdmin_DisableAndDeleteStopTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := servertest.NewAdmin(t, nil)
		access, refresh := o.Family("conf")
		code := o.Code("conf")
		active := func() bool {
			tok, err := o.AS.Introspect(t.Context(), access)
			require.NoError(t, err)
			return tok.Active
		}
		require.True(t, active())
		for range 2 {
			require.Equal(t, 200, o.Admin("POST", "/clients/conf/disable", "").Status)
		}
		require.False(t, active())
		o.Refresh("conf", refresh).Fails(t, 401, "invalid_client")
		require.Equal(t, 200, o.Admin("POST", "/clients/conf/enable", "").Status)
		require.True(t, active())

		kept, err := o.Store.Client(t.Context(), "conf")
		require.NoError(t, err)
		time.Sleep(time.Second)
		require.Equal(t, 204, o.Admin("DELETE", "/clients/conf", "").Status)
		require.False(t, active())
		made := o.Admin("POST", "/clients",
			`{"client_id":"conf","redirect_uris":["`+servertest.Redirect+
				`"],"grant_types":["authorization_code","refresh_token"],"scope":"read write"}`)
		require.Equal(t, 201, made.Status, made.Body)
		reborn, err := o.Store.Client(t.Context(), "conf")
		require.NoError(t, err)
		reborn.Secrets = kept.Secrets
		require.NoError(t, o.Store.PutClient(t.Context(), reborn))
		require.False(t, active())
		tok, err := o.AS.Introspect(t.Context(), access)
		require.NoError(t, err)
		require.Equal(t, introspect.ReasonClient, tok.Reason)
		o.Refresh("conf", refresh).Fails(t, 400, "invalid_grant")
		o.Redeem("conf", code).Fails(t, 400, "invalid_grant")
		again, _ := o.Family("conf")
		tok, err = o.AS.Introspect(t.Context(), again)
		require.NoError(t, err)
		require.True(t, tok.Active)
	})
}

// One write ends everything that was issued to a client: tokens, codes and the
// users' consents.
//
// Holds: house: deleted authorization.
func TestAdmin_EndsAllTokensOfAClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := servertest.NewAdmin(t, nil)
		approve := grantwell.Approval{Subject: "alice", Remember: true}
		access := o.Redeem("conf",
			o.Authorize(approve, "scope", "read").Param("code")).String("access_token")
		theirs, _ := o.Family("other")
		have, err := o.AS.ConsentedScopes(t.Context(), "conf", "alice")
		require.NoError(t, err)
		require.Equal(t, []string{"read"}, have)
		require.Equal(t, 200, o.Admin("POST", "/clients/conf/revoke", "").Status)
		for token, want := range map[string]bool{access: false, theirs: true} {
			tok, err := o.AS.Introspect(t.Context(), token)
			require.NoError(t, err)
			require.Equal(t, want, tok.Active)
		}
		have, err = o.AS.ConsentedScopes(t.Context(), "conf", "alice")
		require.NoError(t, err)
		require.Nil(t, have)
		time.Sleep(2 * time.Millisecond)
		access = o.Redeem("conf",
			o.Authorize(approve, "scope", "read").Param("code")).String("access_token")
		tok, err := o.AS.Introspect(t.Context(), access)
		require.NoError(t, err)
		require.True(t, tok.Active)
		require.NoError(t, o.AS.RevokeConsent(t.Context(), "conf", "alice"))
		tok, err = o.AS.Introspect(t.Context(), access)
		require.NoError(t, err)
		require.False(t, tok.Active, "the later consent ends with the earlier")
	})
}

// Clients are listed in pages by ID, unusual IDs included, and each client
// stands in the list once.
//
// Holds: house: admin behind the host.
func TestAdmin_ClientsArePaged(t *testing.T) {
	t.Parallel()
	o := servertest.NewAdmin(t, nil)
	want := map[string]bool{"conf": true, "other": true, "post": true, "public": true}
	for _, id := range []string{"a/b", `q"\uote`, "..", "%2F", "a b", "x?y=1&z",
		"https://app.example/meta"} {
		c := storage.Client{
			ID:         id,
			Secrets:    []storage.Secret{storage.HashSecret("x")},
			GrantTypes: []string{"client_credentials"},
		}
		require.NoError(t, o.Store.PutClient(t.Context(), c))
		want[id] = true
		res := o.Admin("GET", "/clients/"+url.PathEscape(id), "")
		require.Equal(t, 200, res.Status, id)
		require.Equal(t, id, res.String("client_id"))
		require.Equal(t, 200, o.Admin("POST", "/clients/"+url.PathEscape(id)+"/disable", "").Status)
	}
	for _, limit := range []int{1, 3, 11, 1000} {
		seen := map[string]bool{}
		for after := ""; ; {
			res := o.Admin("GET", fmt.Sprintf("/clients?limit=%d&after=%s", limit,
				url.QueryEscape(after)), "")
			for _, c := range res.List(t, "clients") {
				require.False(t, seen[c["client_id"].(string)])
				seen[c["client_id"].(string)] = true
			}
			if after = res.String("next"); after == "" {
				break
			}
		}
		require.Equal(t, want, seen)
	}
}

// Of several updates that name the same ETag at once, one succeeds. None
// overwrites a change that it did not see.
//
// Holds: house: admin behind the host.
func TestAdmin_ConcurrentChangesAreNotLost(t *testing.T) {
	t.Parallel()
	o := servertest.NewAdmin(t, nil)
	second, err := o.AS.Admin(grantwell.AdminConfig{Authorize: servertest.CallerName})
	require.NoError(t, err)
	read := o.Admin("GET", "/clients/conf", "")
	var wg sync.WaitGroup
	results := make(chan int, 20)
	for i := range 20 {
		wg.Go(func() {
			h := []http.Handler{o.AdminHandler, second}[i%2]
			body := strings.Replace(read.Body, `"Sample"`, fmt.Sprintf(`"Sample %d"`, i), 1)
			results <- servertest.SendJSON(h, "PUT", "/clients/conf", body, "X-Who", "root",
				"If-Match", read.Header.Get("ETag")).Status
		})
	}
	wg.Wait()
	close(results)
	won := 0
	for status := range results {
		if status == 200 {
			won++
		} else {
			require.Contains(t, []int{409, 412}, status)
		}
	}
	require.Equal(t, 1, won)
}

// Concurrent actions without an ETag all happen, also from two processes: a
// rotation does not undo another caller's disabling.
//
// Holds: house: admin behind the host.
func TestAdmin_ConcurrentActionsAllHappen(t *testing.T) {
	t.Parallel()
	o := servertest.NewAdmin(t, nil)
	second, err := o.AS.Admin(grantwell.AdminConfig{Authorize: servertest.CallerName})
	require.NoError(t, err)
	for range 20 {
		var wg sync.WaitGroup
		var statuses [3]int
		for i, path := range []string{"/clients/conf/disable", "/clients/conf/secret",
			"/clients/conf/revoke"} {
			wg.Go(func() {
				statuses[i] = servertest.SendJSON([]http.Handler{o.AdminHandler, second}[i%2],
					"POST", path, "", "X-Who", "root").Status
			})
		}
		wg.Wait()
		require.Equal(t, [3]int{200, 200, 200}, statuses)
		c, err := o.Store.Client(t.Context(), "conf")
		require.NoError(t, err)
		require.True(t, c.Disabled)
		require.Len(t, c.Secrets, 2)
		require.False(t, c.TokensNotBefore.IsZero())
		c.Disabled = false
		c.Secrets = c.Secrets[:1]
		c.TokensNotBefore = time.Time{}
		require.NoError(t, o.Store.PutClient(t.Context(), c))
	}
}

// contested is a store in which another process changes the client first, a
// given number of times.
type contested struct {
	*memstore.Store
	lost, swaps int
}

func (c *contested) SwapClient(
	ctx context.Context, old *storage.Client, next storage.Client,
) error {
	if c.swaps++; c.lost > 0 {
		c.lost--
		return storage.ErrConflict
	}
	return c.Store.SwapClient(ctx, old, next)
}

// An action that lost against another change is repeated on the new state. One
// that names an ETag, or that loses every time, is answered with a conflict.
//
// Holds: house: admin behind the host.
func TestAdmin_ContestedChanges(t *testing.T) {
	t.Parallel()
	store := &contested{}
	o := servertest.NewAdmin(t, func(c *grantwell.Config) {
		store.Store = c.Clients.(*memstore.Store)
		c.Clients = store
	})
	store.lost = 3
	require.Equal(t, 200, o.Admin("POST", "/clients/conf/disable", "").Status)
	require.Equal(t, 4, store.swaps)
	store.lost = 1 << 20
	o.Admin("POST", "/clients/conf/enable", "").Fails(t, 409, "conflict")
	o.Admin("POST", "/clients", newApp).Fails(t, 409, "conflict")
	document := o.Admin("GET", "/export", "").Body
	o.Admin("POST", "/import?existing=replace", document).Fails(t, 409, "conflict")
	c, err := o.Store.Client(t.Context(), "conf")
	require.NoError(t, err)
	require.True(t, c.Disabled)

	// A store without SwapClient is written to directly, and an existing client is
	// not created again.
	plain := servertest.NewAdmin(t, func(c *grantwell.Config) {
		c.Clients = struct{ storage.Registrar }{c.Clients.(storage.Registrar)}
	})
	require.Equal(t, 201, plain.Admin("POST", "/clients", newApp).Status)
	plain.Admin("POST", "/clients", newApp).Fails(t, 409, "conflict")
	require.Equal(t, 200, plain.Admin("POST", "/clients/app/disable", "").Status)
}

// After all tokens of a client were ended, the retry of a refresh gets
// nothing.
//
// Holds: house: deleted authorization.
func TestAdmin_EndedTokensAreNotRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := servertest.NewAdmin(t,
			servertest.WithRefresh(grants.RefreshToken{RetryWindow: time.Minute}))
		_, refresh := o.Family("conf")
		require.Equal(t, 200, o.Refresh("conf", refresh).Status)
		require.Equal(t, 200, o.Refresh("conf", refresh).Status)
		require.Equal(t, 200, o.Admin("POST", "/clients/conf/revoke", "").Status)
		o.Refresh("conf", refresh).Fails(t, 400, "invalid_grant")
	})
}
