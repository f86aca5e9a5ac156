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
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

func (o *office) token(as string) string {
	o.t.Helper()
	res := o.post("/token", as, "grant_type", "client_credentials", "scope", "read")
	require.Equal(o.t, 200, res.status, res.body)
	return res.str("access_token")
}

// A client is created, read, listed, changed and deleted; its secret is shown once, and no answer has a hash.
// Holds S139, S144.
func TestAdmin_ClientsAreKept(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	made := o.ask("POST", "/clients", newApp)
	require.Equal(t, 201, made.status, made.body)
	require.Equal(t, "root", made.str("created_by"))
	plain := made.str("client_secret")
	require.Len(t, plain, 43)
	require.NotEmpty(t, o.token("app:"+plain))
	stored, err := o.store.Client(t.Context(), "app")
	require.NoError(t, err)
	require.Equal(t, []storage.Secret{storage.HashSecret(plain)}, stored.Secrets)

	read := o.ask("GET", "/clients/app", "")
	require.Equal(t, 200, read.status)
	require.NotContains(t, read.json, "client_secret")
	require.Equal(t, made.header.Get("ETag"), read.header.Get("ETag"))
	for _, res := range []reply{made, read, o.ask("GET", "/clients", "")} {
		require.NotContains(t, res.body, "hash")
		require.NotContains(t, res.body, strings.TrimPrefix(stored.Secrets[0].Hash, "sha256:"))
	}

	o.ask("PUT", "/clients/app", read.body).fails(t, 428, "precondition_required")
	body := strings.Replace(read.body, `"App"`, `"New"`, 1)
	put := o.ask("PUT", "/clients/app", body, "If-Match", read.header.Get("ETag"))
	require.Equal(t, 200, put.status, put.body)
	require.Equal(t, "New", put.str("client_name"))
	require.NotContains(t, put.json, "client_secret")
	o.ask("PUT", "/clients/app", body, "If-Match", read.header.Get("ETag")).fails(t, 412, "precondition_failed")
	require.NotEmpty(t, o.token("app:"+plain))

	o.ask("POST", "/clients", newApp).fails(t, 409, "conflict")
	own := o.ask("POST", "/clients", `{"grant_types":["client_credentials"]}`)
	require.Len(t, own.str("client_id"), 22)
	require.NotContains(t, own.json, "tokens_not_before")

	require.Equal(t, 204, o.ask("DELETE", "/clients/app", "").status)
	o.ask("DELETE", "/clients/app", "").fails(t, 404, "not_found")
	o.ask("GET", "/clients/app", "").fails(t, 404, "not_found")
	o.post("/token", "app:"+plain, "grant_type", "client_credentials").fails(t, 401, "invalid_client")
}

// Registration checks what it takes, naming the field.
// Holds S138, S144.
func TestAdmin_BadClientsAreRefused(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	for _, uri := range []string{"", " ", "/cb", "https://app.example/cb#f", "javascript:alert(1)", "data:text/html,x"} {
		res := o.ask("POST", "/clients", fmt.Sprintf(`{"redirect_uris":[%q]}`, uri))
		res.fails(t, 400, "invalid_client_metadata")
		require.Contains(t, res.str("error_description"), "redirect_uris")
		conf := o.ask("GET", "/clients/conf", "")
		body := strings.Replace(conf.body, redirect, uri, 1)
		o.ask("PUT", "/clients/conf", body, "If-Match", "*").fails(t, 400, "invalid_client_metadata")
	}
	for _, member := range []string{`"client_id":"ü"`, `"scope":"a\\b"`, `"scope":["a"]`, `"access_token_lifetime":1e3`, `"token_endpoint_auth_method":"magic"`, `"access_token_lifetime":-1`, `"jwks_uri":"http://x"`} {
		o.ask("POST", "/clients", `{"grant_types":["client_credentials"],`+member+`}`).fails(t, 400, "invalid_client_metadata")
	}
}

// Nothing that has an act of its own is changed by the way: an update that would enable a client is refused.
// Holds S144.
func TestAdmin_UpdateKeepsReadOnlyMembers(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	require.Equal(t, 201, o.ask("POST", "/clients", newApp).status)
	require.Equal(t, 200, o.ask("POST", "/clients/app/disable", "").status)
	before, err := o.store.Client(t.Context(), "app")
	require.NoError(t, err)
	read := o.ask("GET", "/clients/app", "")
	for _, member := range []string{`"disabled":false`, `"secrets":[]`, `"secrets":[{"hash":"sha256:x"}]`, `"shared_key":true`, `"created_by":"me"`, `"created_at":"2020-01-01T00:00:00Z"`, `"tokens_not_before":"2020-01-01T00:00:00Z"`} {
		o.ask("PUT", "/clients/app", `{"grant_types":["client_credentials"],`+member+`}`, "If-Match", "*").fails(t, 400, "invalid_client_metadata")
	}
	o.ask("PUT", "/clients/app", `{"client_id":"conf","grant_types":["client_credentials"]}`, "If-Match", "*").fails(t, 400, "invalid_client_metadata")
	put := o.ask("PUT", "/clients/app", `{"grant_types":["client_credentials"]}`, "If-Match", `"x", `+read.header.Get("ETag"))
	require.Equal(t, 200, put.status, put.body)
	after, err := o.store.Client(t.Context(), "app")
	require.NoError(t, err)
	before.Name, before.Scope = "", nil
	require.True(t, before.Equal(&after), "what is left out is gone, but for the read-only members")
	o.ask("DELETE", "/clients/app", "", "If-Match", read.header.Get("ETag")).fails(t, 412, "precondition_failed")
}

// A client that comes to need a secret is given one, and one that needs none keeps none.
// Holds S139.
func TestAdmin_MethodChangesCredentials(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	with := func(method string) reply {
		return o.ask("PUT", "/clients/conf", `{"redirect_uris":["`+redirect+`"],"token_endpoint_auth_method":"`+method+`"}`, "If-Match", "*")
	}
	for _, step := range []struct {
		method        string
		plain, hashed bool
		shared        bool
	}{{"none", false, false, false}, {"client_secret_post", true, true, false}, {"client_secret_post", false, true, false}, {"client_secret_jwt", true, false, true}, {"client_secret_basic", true, true, false}} {
		res := with(step.method)
		require.Equal(t, 200, res.status, res.body)
		require.Equal(t, step.plain, res.str("client_secret") != "", step.method)
		require.Equal(t, step.shared, res.json["shared_key"] == true)
		c, err := o.store.Client(t.Context(), "conf")
		require.NoError(t, err)
		require.Equal(t, step.hashed, len(c.Secrets) == 1)
		require.Equal(t, step.shared, len(c.SharedKey) > 0)
		if step.shared {
			require.Equal(t, res.str("client_secret"), string(c.SharedKey))
			require.NotContains(t, o.ask("GET", "/clients/conf", "").body, res.str("client_secret"))
		}
	}
}

// Disabling stops everything at once and enabling brings unexpired tokens back; deleting stops it for good, and what the
// next client with that ID has begins with that client.
// Holds S105, S142, R110, R168.
func TestAdmin_DisableAndDeleteStopTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, nil)
		access, refresh := o.family("conf")
		code := o.code("conf")
		active := func() bool {
			tok, err := o.srv.Introspect(t.Context(), access)
			require.NoError(t, err)
			return tok.Active
		}
		require.True(t, active())
		for range 2 {
			require.Equal(t, 200, o.ask("POST", "/clients/conf/disable", "").status)
		}
		require.False(t, active())
		o.refresh("conf", refresh).fails(t, 401, "invalid_client")
		require.Equal(t, 200, o.ask("POST", "/clients/conf/enable", "").status)
		require.True(t, active())

		kept, err := o.store.Client(t.Context(), "conf")
		require.NoError(t, err)
		time.Sleep(time.Second)
		require.Equal(t, 204, o.ask("DELETE", "/clients/conf", "").status)
		require.False(t, active())
		made := o.ask("POST", "/clients", `{"client_id":"conf","redirect_uris":["`+redirect+`"],"grant_types":["authorization_code","refresh_token"],"scope":"read write"}`)
		require.Equal(t, 201, made.status, made.body)
		reborn, err := o.store.Client(t.Context(), "conf")
		require.NoError(t, err)
		reborn.Secrets = kept.Secrets
		require.NoError(t, o.store.PutClient(t.Context(), reborn))
		require.False(t, active())
		tok, err := o.srv.Introspect(t.Context(), access)
		require.NoError(t, err)
		require.Equal(t, introspect.ReasonClient, tok.Reason)
		o.refresh("conf", refresh).fails(t, 400, "invalid_grant")
		o.redeem("conf", code).fails(t, 400, "invalid_grant")
		again, _ := o.family("conf")
		tok, err = o.srv.Introspect(t.Context(), again)
		require.NoError(t, err)
		require.True(t, tok.Active)
	})
}

// All that was issued to a client ends in one write, with what rests on it: tokens, codes and the users' consents.
// Holds S105.
func TestAdmin_EndsAllTokensOfAClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, nil)
		approve := grantwell.Approval{Subject: "alice", Remember: true}
		access := o.redeem("conf", o.authorize("conf", "read", approve).answered("code")).str("access_token")
		theirs, _ := o.family("other")
		have, err := o.srv.Consented(t.Context(), "conf", "alice")
		require.NoError(t, err)
		require.Equal(t, []string{"read"}, have)
		require.Equal(t, 200, o.ask("POST", "/clients/conf/revoke", "").status)
		for token, want := range map[string]bool{access: false, theirs: true} {
			tok, err := o.srv.Introspect(t.Context(), token)
			require.NoError(t, err)
			require.Equal(t, want, tok.Active)
		}
		have, err = o.srv.Consented(t.Context(), "conf", "alice")
		require.NoError(t, err)
		require.Nil(t, have)
		time.Sleep(2 * time.Millisecond)
		access = o.redeem("conf", o.authorize("conf", "read", approve).answered("code")).str("access_token")
		tok, err := o.srv.Introspect(t.Context(), access)
		require.NoError(t, err)
		require.True(t, tok.Active)
		require.NoError(t, o.srv.RevokeConsent(t.Context(), "conf", "alice"))
		tok, err = o.srv.Introspect(t.Context(), access)
		require.NoError(t, err)
		require.False(t, tok.Active, "the later consent ends with the earlier")
	})
}

// Lists are paged by ID, odd ones included, and every client comes once.
// Holds S144.
func TestAdmin_ClientsArePaged(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	want := map[string]bool{"conf": true, "other": true, "post": true, "public": true}
	for _, id := range []string{"a/b", `q"\uote`, "..", "%2F", "a b", "x?y=1&z", "https://app.example/meta"} {
		c := storage.Client{ID: id, Secrets: []storage.Secret{storage.HashSecret("x")}, GrantTypes: []string{"client_credentials"}}
		require.NoError(t, o.store.PutClient(t.Context(), c))
		want[id] = true
		res := o.ask("GET", "/clients/"+url.PathEscape(id), "")
		require.Equal(t, 200, res.status, id)
		require.Equal(t, id, res.str("client_id"))
		require.Equal(t, 200, o.ask("POST", "/clients/"+url.PathEscape(id)+"/disable", "").status)
	}
	for _, limit := range []int{1, 3, 11, 1000} {
		seen := map[string]bool{}
		for after := ""; ; {
			res := o.ask("GET", fmt.Sprintf("/clients?limit=%d&after=%s", limit, url.QueryEscape(after)), "")
			for _, c := range res.list(t, "clients") {
				require.False(t, seen[c["client_id"].(string)])
				seen[c["client_id"].(string)] = true
			}
			if after = res.str("next"); after == "" {
				break
			}
		}
		require.Equal(t, want, seen)
	}
}

// Changes at one moment are all kept: none is written over one that it did not see.
// Holds S144.
func TestAdmin_ConcurrentChangesAreNotLost(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	second, err := o.srv.Admin(adminConfig) // as another process has its own
	require.NoError(t, err)
	read := o.ask("GET", "/clients/conf", "")
	var wg sync.WaitGroup
	results := make(chan int, 20)
	for i := range 20 {
		wg.Go(func() {
			h := []http.Handler{o.admin, second}[i%2]
			body := strings.Replace(read.body, `"Sample"`, fmt.Sprintf(`"Sample %d"`, i), 1)
			results <- o.send(h, "PUT", "/clients/conf", body, "X-Who", "root", "If-Match", read.header.Get("ETag")).status
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

// Acts that name no ETag all happen, whoever else changes the client at that moment from another process: nobody's
// disabling is undone by another's rotation.
// Holds S144.
func TestAdmin_ActsAtOnceAllHappen(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	second, err := o.srv.Admin(adminConfig)
	require.NoError(t, err)
	for range 20 {
		var wg sync.WaitGroup
		var statuses [3]int
		for i, path := range []string{"/clients/conf/disable", "/clients/conf/secret", "/clients/conf/revoke"} {
			wg.Go(func() {
				statuses[i] = o.send([]http.Handler{o.admin, second}[i%2], "POST", path, "", "X-Who", "root").status
			})
		}
		wg.Wait()
		require.Equal(t, [3]int{200, 200, 200}, statuses)
		c, err := o.store.Client(t.Context(), "conf")
		require.NoError(t, err)
		require.True(t, c.Disabled)
		require.Len(t, c.Secrets, 2)
		require.False(t, c.TokensNotBefore.IsZero())
		c.Disabled, c.Secrets, c.TokensNotBefore = false, c.Secrets[:1], time.Time{}
		require.NoError(t, o.store.PutClient(t.Context(), c))
	}
}

// contested is a store in which somebody else is faster, a few times.
type contested struct {
	*memstore.Store
	lost, swaps int
}

func (c *contested) SwapClient(ctx context.Context, old *storage.Client, next storage.Client) error {
	if c.swaps++; c.lost > 0 {
		c.lost--
		return storage.ErrConflict
	}
	return c.Store.SwapClient(ctx, old, next)
}

// An act that met another is done again on what it left; one that names an ETag, or meets others without an end, is told.
// Holds S144.
func TestAdmin_ContestedChanges(t *testing.T) {
	t.Parallel()
	store := &contested{}
	o := newOffice(t, func(c *grantwell.Config) {
		store.Store = c.Clients.(*memstore.Store)
		c.Clients = store
	})
	store.lost = 3
	require.Equal(t, 200, o.ask("POST", "/clients/conf/disable", "").status)
	require.Equal(t, 4, store.swaps)
	store.lost = 1 << 20
	o.ask("POST", "/clients/conf/enable", "").fails(t, 409, "conflict")
	o.ask("POST", "/clients", newApp).fails(t, 409, "conflict")
	document := o.ask("GET", "/export", "").body
	o.ask("POST", "/import?existing=replace", document).fails(t, 409, "conflict")
	c, err := o.store.Client(t.Context(), "conf")
	require.NoError(t, err)
	require.True(t, c.Disabled)

	// A store that cannot compare is written to, and what is there is not created again.
	plain := newOffice(t, func(c *grantwell.Config) { c.Clients = struct{ storage.Registrar }{c.Clients.(storage.Registrar)} })
	require.Equal(t, 201, plain.ask("POST", "/clients", newApp).status)
	plain.ask("POST", "/clients", newApp).fails(t, 409, "conflict")
	require.Equal(t, 200, plain.ask("POST", "/clients/app/disable", "").status)
}

// No retry of a refresh brings back what has ended.
// Holds S105.
func TestAdmin_NoRetryOfWhatHasEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, withRefresh(grants.RefreshToken{RetryWindow: time.Minute}))
		_, refresh := o.family("conf")
		require.Equal(t, 200, o.refresh("conf", refresh).status)
		require.Equal(t, 200, o.refresh("conf", refresh).status)
		require.Equal(t, 200, o.ask("POST", "/clients/conf/revoke", "").status)
		o.refresh("conf", refresh).fails(t, 400, "invalid_grant")
	})
}
