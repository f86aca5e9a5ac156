package grantwell_test

import (
	"context"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// Grants are listed in pages by user, client, kind and scope, each once.
// Ending one grant ends its tokens and no others.
//
// Holds: house: deleted authorization; house: listed consents.
func TestAdmin_GrantsAreListedAndRevoked(t *testing.T) {
	t.Parallel()
	o := servertest.NewAdmin(t, nil)
	tokens := map[string]string{} // access tokens by client and user
	for _, client := range []string{"conf", "other"} {
		for n := range 15 {
			user := fmt.Sprint("user", n%5)
			tokens[client+user] = grantTo(t, o, client, user, "read", false)
		}
	}
	grantTo(t, o, "conf", "user1", "read write", false)
	root := func(path string) servertest.Reply { return o.Admin("GET", path, "") }
	for path, want := range map[string]int{
		"/grants?subject=user1": 7, "/grants?client_id=conf": 16,
		"/grants?client_id=conf&subject=user1": 4, "/grants?subject=user1&scope=write": 1,
		"/grants?subject=user1&kind=access": 7, "/grants?subject=user1&kind=code": 0,
		"/grants?subject=nobody": 0, "/grants?client_id=other&scope=read": 15,
	} {
		for _, limit := range []int{1, 4, 1000} {
			seen := map[string]bool{}
			for _, g := range listAll(t, root, fmt.Sprintf("%s&limit=%d", path, limit), "grants") {
				seen[g["grant_id"].(string)] = true
			}
			require.Len(t, seen, want, path)
		}
	}
	one := root("/grants?subject=user2&client_id=conf&limit=1000").List(t, "grants")[0]
	require.Equal(t, []any{"refresh", "conf", "user2", []any{"read"}},
		[]any{one["kind"], one["client_id"], one["subject"], one["scope"]})
	require.NotContains(t, one, "key")

	before := o.ActiveOf(storage.Access)
	require.Equal(t, 204, o.Admin("DELETE", "/grants/"+one["grant_id"].(string), "").Status)
	require.Equal(t, []any{"grant.revoke", one["grant_id"]},
		[]any{o.LastEvent().Action, o.LastEvent().GrantID})
	require.Equal(t, before-1, o.ActiveOf(storage.Access))
	require.Equal(t, 204, o.Admin("DELETE", "/grants/nothing", "").Status)

	ended := 0
	for after := ""; ; {
		res := o.Admin("DELETE", "/grants?subject=user1&limit=3&after="+url.QueryEscape(after), "")
		require.Equal(t, 200, res.Status, res.Body)
		require.LessOrEqual(t, res.JSON["revoked"], 3.0)
		ended += int(res.JSON["revoked"].(float64))
		if after = res.String("next"); after == "" {
			break
		}
	}
	require.Equal(t, 7, ended)
	require.False(t, o.Valid(tokens["confuser1"]) || o.Valid(tokens["otheruser1"]))
	require.True(t, o.Valid(tokens["confuser3"]) && o.Valid(tokens["otheruser2"]))
}

// grantTo begins a grant of a user's, remembered or not, and returns its access
// token.
func grantTo(
	t *testing.T, o *servertest.Admin, client, subject, scope string, remember bool,
) string {
	t.Helper()
	approval := grantwell.Approval{Subject: subject, Remember: remember}
	code := o.Authorize(approval, "client_id", client, "scope", scope).Param("code")
	res := o.Redeem(client, code)
	require.Equal(t, 200, res.Status, res.Body)
	return res.String("access_token")
}

// listAll reads a listing over all its pages.
func listAll(
	t *testing.T, ask func(path string) servertest.Reply, path, name string,
) (out []map[string]any) {
	t.Helper()
	for after := ""; ; {
		res := ask(path + "&after=" + url.QueryEscape(after))
		out = append(out, res.List(t, name)...)
		if after = res.String("next"); after == "" {
			return out
		}
	}
}

// Consents are listed in pages by client, user and scope. Withdrawing one ends
// every token that rests on it, on every instance.
//
// Holds: house: deleted authorization; house: listed consents.
func TestAdmin_ConsentsAreListedAndRevoked(t *testing.T) {
	t.Parallel()
	o := servertest.NewAdmin(t, nil)
	second := servertest.On(t, o.Store, nil)
	var token string
	for n := range 12 {
		token = grantTo(t, o, "conf", fmt.Sprint("user", n), "read", true)
	}
	grantTo(t, o, "other", "user11", "read write", true)
	root := func(path string) servertest.Reply { return o.Admin("GET", path, "") }
	for path, want := range map[string]int{
		"/consents?client_id=conf":                12,
		"/consents?subject=user11":                2,
		"/consents?subject=user11&scope=write":    1,
		"/consents?client_id=other&subject=user1": 0,
	} {
		require.Len(t, listAll(t, root, path+"&limit=5", "consents"), want, path)
	}
	shown := root("/consents?client_id=conf&subject=user11").List(t, "consents")[0]
	require.Equal(t, []any{"conf", "user11", []any{"read"}},
		[]any{shown["client_id"], shown["subject"], shown["scope"]})
	require.True(t, second.Live(token))
	require.Equal(t, 204, o.Admin("DELETE", "/consents?client_id=conf&subject=user11", "").Status)
	require.False(t, second.Live(token))
	require.Len(t, listAll(t, root, "/consents?subject=user11", "consents"), 1)
	require.Equal(t, 204, o.Admin("DELETE", "/consents?client_id=conf&subject=user11", "").Status,
		"a second withdrawal succeeds too")
}

// Users see and end their own grants and consents, and do not learn whether
// others exist.
//
// Holds: house: listed consents.
func TestAccount_ShowsAndEndsOnlyOwnGrants(t *testing.T) {
	t.Parallel()
	o := servertest.NewAdmin(t, nil)
	alices := grantTo(t, o, "conf", "alice", "read", true)
	bobs := grantTo(t, o, "conf", "bob", "read", true)
	alice := func(path string) servertest.Reply { return o.Account("alice", "GET", path) }
	mine := alice("/grants").List(t, "grants")
	require.Len(t, mine, 1)
	require.Equal(t, "alice", mine[0]["subject"])
	require.Len(t, alice("/consents?subject=alice").List(t, "consents"), 1)
	require.Len(t, alice("/grants?client_id=other").List(t, "grants"), 0)
	theirs := o.Admin("GET", "/grants?subject=bob", "").List(t, "grants")[0]["grant_id"].(string)

	alice("/grants?subject=bob").Fails(t, 403, "access_denied")
	alice("/consents?subject=bob").Fails(t, 403, "access_denied")
	o.Account("alice", "DELETE", "/grants/"+theirs).Fails(t, 404, "not_found")
	o.Account("alice", "DELETE", "/grants/nothing").Fails(t, 404, "not_found")
	o.Account("alice", "DELETE", "/consents?client_id=conf&subject=bob").Fails(t, 400,
		"invalid_request")
	o.Account("alice", "DELETE", "/grants?subject=bob").Fails(t, 405, "invalid_request")
	for _, path := range []string{"/clients", "/export", "/clients/conf"} {
		alice(path).Fails(t, 404, "not_found")
	}
	require.True(t, o.Valid(bobs))

	require.Equal(t, 204, o.Account("alice", "DELETE", "/consents?client_id=conf").Status)
	require.Equal(t, []any{"account", "alice", "consent.revoke", "alice", "conf"},
		[]any{o.LastEvent().Endpoint, o.LastEvent().Actor, o.LastEvent().Action,
			o.LastEvent().Subject, o.LastEvent().ClientID})
	require.Equal(t, 204, o.Account("alice", "DELETE", "/consents?client_id=nobody").Status)
	require.Empty(t, o.LastEvent().ClientID)
	require.False(t, o.Valid(alices))
	alices = grantTo(t, o, "conf", "alice", "read", false)
	for _, g := range alice("/grants").List(t, "grants") {
		require.Equal(t, 204, o.Account("alice", "DELETE",
			"/grants/"+g["grant_id"].(string)).Status)
	}
	require.False(t, o.Valid(alices))
	require.True(t, o.Valid(bobs))
}

// A hook sees every field that a client was registered with.
//
// Holds: RFC 7591 section 2.
func TestAdmin_HooksReadEveryField(t *testing.T) {
	t.Parallel()
	var seen storage.Client
	o := servertest.NewAdmin(t, func(c *grantwell.Config) {
		c.Hooks.BeforeIssue = func(_ context.Context, i *grantwell.Issuance) error {
			seen = i.Client
			return nil
		}
	})
	made := o.Admin("POST", "/clients", `{"client_id":"full","client_name":"Full","description":"d","logo_uri":"https://app.example/l.png","client_uri":"https://app.example","policy_uri":"https://app.example/p",
		"tos_uri":"https://app.example/t","contacts":["ops@app.example"],"owner":"team a","redirect_uris":["`+servertest.Redirect+`"],"grant_types":["client_credentials"],"response_types":["code"],
		"scope":"read write","default_scope":"read","audience":["https://api.example"],"resources":["https://api.example"],"origins":["https://app.example"],
		"jwks":{"keys":[]},"certificates":"-----BEGIN CERTIFICATE-----\n","access_token_lifetime":60,"require_pkce":true,"skip_consent":true,"metadata":{"type":"confidential"}}`)
	require.Equal(t, 201, made.Status, made.Body)
	o.Token("full:" + made.String("client_secret"))
	stored, err := o.Store.Client(t.Context(), "full")
	require.NoError(t, err)
	require.True(t, stored.Equal(&seen))
	require.Equal(t, []string{"Full", "team a", "root", "confidential", "ops@app.example"},
		[]string{seen.Name, seen.Owner, seen.CreatedBy, seen.Metadata["type"], seen.Contacts[0]})
	require.False(t, seen.CreatedAt.IsZero())
	require.NotEmpty(t, seen.Certificates)
	require.Equal(t, time.Minute, seen.AccessTokenLifetime)
}
