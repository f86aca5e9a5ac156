package grantwell_test

import (
	"context"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/storage"
)

// grant begins a family of a user's, remembered or not, and returns its access token.
func (o *office) grant(client, subject, scope string, remember bool) string {
	o.t.Helper()
	res := o.redeem(client, o.authorize(client, scope, grantwell.Approval{Subject: subject, Remember: remember}).answered("code"))
	require.Equal(o.t, 200, res.status, res.body)
	return res.str("access_token")
}

func (o *office) alive(token string) bool {
	o.t.Helper()
	tok, err := o.srv.Introspect(o.t.Context(), token)
	require.NoError(o.t, err)
	return tok.Active
}

// all follows a listing to its end.
func (o *office) all(ask func(path string) reply, path, name string) (out []map[string]any) {
	o.t.Helper()
	for after := ""; ; {
		res := ask(path + "&after=" + url.QueryEscape(after))
		out = append(out, res.list(o.t, name)...)
		if after = res.str("next"); after == "" {
			return out
		}
	}
}

// Grants are listed by user, client, kind and scope, in pages, each once; ending one ends its tokens and no other's.
// Holds S105, S151.
func TestAdmin_GrantsAreListedAndRevoked(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	tokens := map[string]string{} // access token by client and user
	for _, client := range []string{"conf", "other"} {
		for n := range 15 {
			user := fmt.Sprint("user", n%5)
			tokens[client+user] = o.grant(client, user, "read", false)
		}
	}
	o.grant("conf", "user1", "read write", false)
	root := func(path string) reply { return o.ask("GET", path, "") }
	for path, want := range map[string]int{
		"/grants?subject=user1": 7, "/grants?client_id=conf": 16, "/grants?client_id=conf&subject=user1": 4, "/grants?subject=user1&scope=write": 1,
		"/grants?subject=user1&kind=access": 7, "/grants?subject=user1&kind=code": 0, "/grants?subject=nobody": 0, "/grants?client_id=other&scope=read": 15,
	} {
		for _, limit := range []int{1, 4, 1000} {
			seen := map[string]bool{}
			for _, g := range o.all(root, fmt.Sprintf("%s&limit=%d", path, limit), "grants") {
				seen[g["grant_id"].(string)] = true
			}
			require.Len(t, seen, want, path)
		}
	}
	one := root("/grants?subject=user2&client_id=conf&limit=1000").list(t, "grants")[0]
	require.Equal(t, []any{"refresh", "conf", "user2", []any{"read"}}, []any{one["kind"], one["client_id"], one["subject"], one["scope"]})
	require.NotContains(t, one, "key")

	before := o.activeOf(storage.Access)
	require.Equal(t, 204, o.ask("DELETE", "/grants/"+one["grant_id"].(string), "").status)
	require.Equal(t, []any{"grant.revoke", one["grant_id"]}, []any{o.did().Admin.Action, o.did().GrantID})
	require.Equal(t, before-1, o.activeOf(storage.Access))
	require.Equal(t, 204, o.ask("DELETE", "/grants/nothing", "").status)

	ended := 0
	for after := ""; ; {
		res := o.ask("DELETE", "/grants?subject=user1&limit=3&after="+url.QueryEscape(after), "")
		require.Equal(t, 200, res.status, res.body)
		require.LessOrEqual(t, res.json["revoked"], 3.0)
		ended += int(res.json["revoked"].(float64))
		if after = res.str("next"); after == "" {
			break
		}
	}
	require.Equal(t, 7, ended)
	require.False(t, o.alive(tokens["confuser1"]) || o.alive(tokens["otheruser1"]))
	require.True(t, o.alive(tokens["confuser3"]) && o.alive(tokens["otheruser2"]))
}

// Consents are listed by client, user and scope, in pages; withdrawing one ends all that rests on it, on every instance.
// Holds S105, S151.
func TestAdmin_ConsentsAreListedAndRevoked(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	second := newDirectOn(t, o.store, nil)
	var token string
	for n := range 12 {
		token = o.grant("conf", fmt.Sprint("user", n), "read", true)
	}
	o.grant("other", "user11", "read write", true)
	root := func(path string) reply { return o.ask("GET", path, "") }
	for path, want := range map[string]int{"/consents?client_id=conf": 12, "/consents?subject=user11": 2, "/consents?subject=user11&scope=write": 1, "/consents?client_id=other&subject=user1": 0} {
		require.Len(t, o.all(root, path+"&limit=5", "consents"), want, path)
	}
	shown := root("/consents?client_id=conf&subject=user11").list(t, "consents")[0]
	require.Equal(t, []any{"conf", "user11", []any{"read"}}, []any{shown["client_id"], shown["subject"], shown["scope"]})
	require.True(t, second.live(token))
	require.Equal(t, 204, o.ask("DELETE", "/consents?client_id=conf&subject=user11", "").status)
	require.False(t, second.live(token))
	require.Len(t, o.all(root, "/consents?subject=user11", "consents"), 1)
	require.Equal(t, 204, o.ask("DELETE", "/consents?client_id=conf&subject=user11", "").status, "it is done when it was done before")
}

// Users see and end what is theirs, and nothing else, nor learn that it exists.
// Holds S151.
func TestAccount_ShowsAndEndsOnlyOnesOwn(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	alices, bobs := o.grant("conf", "alice", "read", true), o.grant("conf", "bob", "read", true)
	alice := func(path string) reply { return o.as("alice", "GET", path) }
	mine := alice("/grants").list(t, "grants")
	require.Len(t, mine, 1)
	require.Equal(t, "alice", mine[0]["subject"])
	require.Len(t, alice("/consents?subject=alice").list(t, "consents"), 1)
	require.Len(t, alice("/grants?client_id=other").list(t, "grants"), 0)
	theirs := o.ask("GET", "/grants?subject=bob", "").list(t, "grants")[0]["grant_id"].(string)

	alice("/grants?subject=bob").fails(t, 403, "access_denied")
	alice("/consents?subject=bob").fails(t, 403, "access_denied")
	o.as("alice", "DELETE", "/grants/"+theirs).fails(t, 404, "not_found")
	o.as("alice", "DELETE", "/grants/nothing").fails(t, 404, "not_found")
	o.as("alice", "DELETE", "/consents?client_id=conf&subject=bob").fails(t, 400, "invalid_request")
	o.as("alice", "DELETE", "/grants?subject=bob").fails(t, 405, "invalid_request")
	for _, path := range []string{"/clients", "/export", "/clients/conf"} {
		alice(path).fails(t, 404, "not_found")
	}
	require.True(t, o.alive(bobs))

	require.Equal(t, 204, o.as("alice", "DELETE", "/consents?client_id=conf").status)
	require.Equal(t, []any{"account", "alice", "consent.revoke", "alice", "conf"}, []any{o.did().Endpoint, o.did().Admin.Actor, o.did().Admin.Action, o.did().Subject, o.did().ClientID})
	require.Equal(t, 204, o.as("alice", "DELETE", "/consents?client_id=nobody").status)
	require.Empty(t, o.did().ClientID)
	require.False(t, o.alive(alices))
	alices = o.grant("conf", "alice", "read", false)
	for _, g := range alice("/grants").list(t, "grants") {
		require.Equal(t, 204, o.as("alice", "DELETE", "/grants/"+g["grant_id"].(string)).status)
	}
	require.False(t, o.alive(alices))
	require.True(t, o.alive(bobs))
}

// Whatever a client is registered with, a hook can read.
// Holds S137.
func TestAdmin_HooksReadEveryField(t *testing.T) {
	t.Parallel()
	var seen storage.Client
	o := newOffice(t, func(c *grantwell.Config) {
		c.Hooks.Issue = func(_ context.Context, i *grantwell.Issue) error { seen = i.Client; return nil }
	})
	made := o.ask("POST", "/clients", `{"client_id":"full","client_name":"Full","description":"d","logo_uri":"https://app.example/l.png","client_uri":"https://app.example","policy_uri":"https://app.example/p",
		"tos_uri":"https://app.example/t","contacts":["ops@app.example"],"owner":"team a","redirect_uris":["`+redirect+`"],"grant_types":["client_credentials"],"response_types":["code"],
		"scope":"read write","default_scope":"read","audience":["https://api.example"],"resources":["https://api.example"],"origins":["https://app.example"],
		"jwks":{"keys":[]},"certificates":"-----BEGIN CERTIFICATE-----\n","access_token_lifetime":60,"require_pkce":true,"skip_consent":true,"metadata":{"type":"confidential"}}`)
	require.Equal(t, 201, made.status, made.body)
	o.token("full:" + made.str("client_secret"))
	stored, err := o.store.Client(t.Context(), "full")
	require.NoError(t, err)
	require.True(t, stored.Equal(&seen))
	require.Equal(t, []string{"Full", "team a", "root", "confidential", "ops@app.example"}, []string{seen.Name, seen.Owner, seen.CreatedBy, seen.Metadata["type"], seen.Contacts[0]})
	require.False(t, seen.CreatedAt.IsZero())
	require.NotEmpty(t, seen.Certificates)
	require.Equal(t, time.Minute, seen.AccessTokenLifetime)
}
