package grantwell_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// The old secret and the new one both work until the overlap ends, then only
// the new one. A later rotation does not shorten an overlap that was promised.
//
// Holds: house: overlapping secrets.
func TestAdmin_SecretsRotateWithOverlap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := servertest.NewAdmin(t, nil)
		works := func(s string) bool {
			return o.ClientCredentials("conf:"+s).Status == 200
		}
		rotate := func(body string) servertest.Reply {
			return o.Admin("POST", "/clients/conf/secret", body)
		}

		res := rotate(`{"overlap_seconds":60}`)
		require.Equal(t, 200, res.Status, res.Body)
		first := res.String("client_secret")
		require.True(t, works(servertest.Secret) && works(first))
		rotate(`{"overlap_seconds":60}`).Fails(t, 409, "conflict")
		time.Sleep(59 * time.Second)
		require.True(t, works(servertest.Secret))
		time.Sleep(time.Second)
		require.False(t, works(servertest.Secret))
		require.True(t, works(first))

		second := rotate(`{"overlap_seconds":0}`).String("client_secret")
		require.False(t, works(first))
		require.True(t, works(second))

		third := rotate("").String("client_secret")
		time.Sleep(24*time.Hour - time.Second)
		require.True(t, works(second) && works(third))
		time.Sleep(time.Second)
		require.False(t, works(second))
		c, err := o.Store.Client(t.Context(), "conf")
		require.NoError(t, err)
		require.Len(t, c.Secrets, 2, "one of them has expired")
		fourth := rotate("").String("client_secret")
		require.NotEmpty(t, fourth, "an expired secret does not count")
		last := rotate(`{"overlap_seconds":0}`).String("client_secret")
		require.False(t, works(third) || works(fourth), "both end at once")

		o.ChangeClient("conf", func(c *storage.Client) {
			c.Secrets[0].ExpiresAt = time.Now().Add(10 * time.Second)
		})
		require.Equal(t, 200, rotate(`{"overlap_seconds":60}`).Status)
		time.Sleep(10 * time.Second)
		require.False(t, works(last), "no overlap lengthens a life")
	})
}

// One of several secrets can be ended by itself, but not the last one. A
// client that needs no secret gets none.
//
// Holds: house: credentials apart; house: overlapping secrets.
func TestAdmin_SecretsEndAlone(t *testing.T) {
	t.Parallel()
	o := servertest.NewAdmin(t, nil)
	made := o.Admin("POST", "/clients/conf/secret", "")
	secrets := made.JSON["secrets"].([]any)
	require.Len(t, secrets, 2)
	id := func(i int) string { return secrets[i].(map[string]any)["id"].(string) }
	o.Admin("DELETE", "/clients/conf/secrets/nothing", "").Fails(t, 404, "not_found")
	res := o.Admin("DELETE", "/clients/conf/secrets/"+id(1), "")
	require.Equal(t, 200, res.Status, res.Body)
	o.ClientCredentials(servertest.Conf).Fails(t, 401, "invalid_client")
	require.NotEmpty(t, o.Token("conf:"+made.String("client_secret")))
	o.Admin("DELETE", "/clients/conf/secrets/"+id(0), "").Fails(t, 409, "conflict")
	o.Admin("POST", "/clients/public/secret", "").Fails(t, 409, "conflict")
	o.Admin("POST", "/clients/nobody/secret", "").Fails(t, 404, "not_found")
	for _, body := range []string{`{"overlap_seconds":-1}`, `{"overlap_seconds":7776001}`,
		`{"overlap_seconds":1.5}`, `{"overlap_seconds":"60"}`, `{"overlap_seconds":null}`,
		`{"overlap":60}`, `{"overlap_seconds":1,"x":2}`, `[]`, `60`} {
		o.Admin("POST", "/clients/conf/secret", body).Fails(t, 400, "invalid_request")
	}
}

// A client has one shared key. It is replaced without an overlap, and only
// when the administrator asks for it.
func TestAdmin_SharedKeyIsReplacedAtOnce(t *testing.T) {
	t.Parallel()
	o := servertest.NewAdmin(t, nil)
	made := o.Admin("POST", "/clients",
		`{"client_id":"hs","token_endpoint_auth_method":"client_secret_jwt","grant_types":["client_credentials"]}`)
	require.Equal(t, 201, made.Status, made.Body)
	for _, body := range []string{"", `{"overlap_seconds":60}`} {
		o.Admin("POST", "/clients/hs/secret", body).Fails(t, 400, "invalid_request")
	}
	res := o.Admin("POST", "/clients/hs/secret", `{"overlap_seconds":0}`)
	require.Equal(t, 200, res.Status, res.Body)
	c, err := o.Store.Client(t.Context(), "hs")
	require.NoError(t, err)
	require.Equal(t, res.String("client_secret"), string(c.SharedKey))
	require.NotNil(t, o.LastEvent().Before)
	require.Empty(t, append(o.LastEvent().Before.SharedKey,
		o.LastEvent().After.SharedKey...))
	require.NotEqual(t, made.String("client_secret"), res.String("client_secret"))
}

// Every action is an event with its actor and with the client before and
// after. No event and no log line has a secret or a hash.
//
// Holds: house: audited change.
func TestAdmin_ActionsAreEvents(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	o := servertest.NewAdmin(t, func(cfg *grantwell.Config) { servertest.LogTo(cfg, &log) })
	var secrets []string
	act := func(action string, before, after bool, res servertest.Reply) grantwell.Event {
		t.Helper()
		require.Less(t, res.Status, 300, res.Body)
		if s := res.String("client_secret"); s != "" {
			secrets = append(secrets, s, strings.TrimPrefix(storage.HashSecret(s).Hash, "sha256:"))
		}
		e := o.LastEvent()
		require.Equal(t, []string{"admin", "ok", "root", action, "app"},
			[]string{e.Endpoint, e.Outcome, e.Actor, e.Action, e.ClientID})
		require.Equal(t, []bool{before, after}, []bool{e.Before != nil, e.After != nil},
			action)
		require.Equal(t, res.Status, e.Status)
		return e
	}
	act("client.create", false, true, o.Admin("POST", "/clients", newApp))
	act("client.read", false, false, o.Admin("GET", "/clients/app", ""))
	e := act("client.update", true, true,
		o.Admin("PUT", "/clients/app", strings.Replace(newApp, `"App"`, `"New"`, 1), "If-Match",
			"*"))
	require.Equal(t, []string{"App", "New"}, []string{e.Before.Name, e.After.Name})
	require.Equal(t, []string{"client_name"}, e.Changed())
	require.Equal(t, []string{"disabled"},
		act("client.disable", true, true,
			o.Admin("POST", "/clients/app/disable", "")).Changed())
	require.Equal(t, []string{"disabled"},
		act("client.enable", true, true,
			o.Admin("POST", "/clients/app/enable", "")).Changed())
	require.Equal(t, []string{"secrets"},
		act("client.rotate_secret", true, true,
			o.Admin("POST", "/clients/app/secret", `{"overlap_seconds":0}`)).Changed())
	second := o.Admin("POST", "/clients/app/secret", "")
	act("client.rotate_secret", true, true, second)
	id := second.JSON["secrets"].([]any)[1].(map[string]any)["id"].(string)
	act("client.end_secret", true, true, o.Admin("DELETE", "/clients/app/secrets/"+id, ""))
	require.Equal(t, []string{"tokens_not_before"},
		act("client.revoke", true, true,
			o.Admin("POST", "/clients/app/revoke", "")).Changed())
	exported := o.Admin("GET", "/export", "")
	require.Equal(t, "registry.export", o.LastEvent().Action)
	act("client.delete", true, false, o.Admin("DELETE", "/clients/app", ""))
	require.Equal(t, 200, o.Admin("POST", "/import?existing=skip", exported.Body).Status)
	require.Equal(t, "registry.import", o.LastEvent().Action)
	e = o.Events()[len(o.Events())-2]
	require.Equal(t, []string{"client.import", "app", "app"},
		[]string{e.Action, e.ClientID, e.After.ID})
	o.Admin("GET", "/clients/nobody", "").Fails(t, 404, "not_found")
	require.Equal(t, []string{"refused", "root", "client.read"},
		[]string{o.LastEvent().Outcome, o.LastEvent().Actor, o.LastEvent().Action})

	require.Len(t, secrets, 6)
	output := log.String()
	require.Contains(t, output, `"actor":"root","action":"client.update"`)
	require.Contains(t, output, `"changed":["client_name"]`)
	for _, e := range o.Events() {
		output += fmt.Sprintf("%+v %+v %+v", e, e.Before, e.After)
	}
	for _, s := range secrets {
		require.NotContains(t, output, s)
	}
}

// An import may bring hashes, but none that makes one comparison cost the
// server minutes.
func TestAdmin_ImportedHashesAreBounded(t *testing.T) {
	t.Parallel()
	o := servertest.NewAdmin(t, nil)
	cheap, err := bcrypt.GenerateFromPassword([]byte(servertest.Secret), bcrypt.MinCost)
	require.NoError(t, err)
	for hash, status := range map[string]int{
		string(cheap): 200, strings.Replace(string(cheap), "$04$", "$17$", 1): 400, "$2a$": 400,
		"$argon2id$x": 400,
		"$argon2id$v=19$m=65536,t=1,p=1$c2FsdHNhbHQ$" + strings.Repeat("A", 43):    200,
		"$argon2id$v=19$m=1048576,t=1,p=1$c2FsdHNhbHQ$" + strings.Repeat("A", 43):  400,
		"$argon2id$v=19$m=65536,t=1000,p=1$c2FsdHNhbHQ$" + strings.Repeat("A", 43): 400,
	} {
		body := fmt.Sprintf(`{"format":"grantwell.clients.v2","clients":[{"client_id":"h","grant_types":["client_credentials"],"secrets":[{"hash":%q}]}]}`,
			hash)
		require.Equal(t, status, o.Admin("POST", "/import?existing=replace", body).Status, hash)
	}
}
