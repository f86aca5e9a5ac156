//go:build linux

package livetest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage/sqlstore"
)

// twoInstances returns, for each kind of real store, two instances over the same
// data.
func twoInstances() map[string]func(t *testing.T) []servertest.Store {
	all := map[string]func(t *testing.T) []servertest.Store{
		"Redis": func(t *testing.T) []servertest.Store {
			server, p := startRedis(t, durable...), prefix()
			return []servertest.Store{redisStore(t, server.client(t), p),
				redisStore(t, server.client(t), p)}
		},
	}
	for _, d := range databases {
		all[d.name] = func(t *testing.T) (list []servertest.Store) {
			driver, dsn := d.open(t)
			p := prefix()
			for range 2 {
				s, err := sqlstore.New(t.Context(), open(t, driver, dsn, 8), d.dialect,
					sqlstore.Options{Prefix: p})
				require.NoError(t, err)
				list = append(list, s)
			}
			return list
		}
	}
	return all
}

// An administrator's action at one server holds at the other: a client that is
// created at one gets tokens at the other, a client that is disabled or deleted
// at one has none at the other, and of two changes to the same version one is
// refused.
//
// Holds S105, S142, S144.
func TestAdmin_OverEachStore(t *testing.T) {
	for name, stores := range twoInstances() {
		t.Run(name, func(t *testing.T) {
			var admins []*servertest.Admin
			for _, store := range stores(t) {
				admins = append(admins, servertest.AdminOn(t, store, nil))
			}
			ask := func(i int, method, path, body string, headers ...string) servertest.Reply {
				return admins[i].Admin(method, path, body, headers...)
			}
			const key = `"jwks":{"keys": [{"kty":"RSA", "kid":"<é&>", "n":"AQ","e":"AQAB"}]}`
			made := ask(0,
				"POST", "/clients", `{"client_id":"a/b","client_name":"<é>","grant_types":["client_credentials"],"scope":"read","default_scope":"read","origins":["https://app.example"],`+
					key+
					`}`)
			require.Equal(t, 201, made.Status, made.Body)
			require.Equal(t, 409, ask(1, "POST",
				"/clients", `{"client_id":"a/b","grant_types":["client_credentials"]}`).Status)

			read := ask(1, "GET", "/clients/a%2Fb", "")
			tag := read.Header.Get("ETag")
			require.Equal(t, made.Header.Get("ETag"), tag)
			changed := strings.Replace(read.Body, "<é>", "new", 1)
			require.Equal(t, 200, ask(0, "PUT", "/clients/a%2Fb", changed, "If-Match", tag).Status)
			require.Equal(t, 412, ask(1, "PUT", "/clients/a%2Fb", changed, "If-Match", tag).Status)

			token := admins[1].Token("a/b:" + made.String("client_secret"))
			require.True(t, admins[1].Valid(token))
			grants := ask(0, "GET", "/grants?kind=access&client_id=a%2Fb", "")
			require.Contains(t, grants.Body, `"client_id":"a/b"`)
			page := ask(0, "GET", "/grants?kind=access&client_id=a%2Fb&after=garbage", "")
			require.Equal(t, 400, page.Status)

			document := ask(0, "GET", "/export", "")
			for _, step := range []struct {
				method, path, body string
				status             int
				alive              bool
			}{
				{"POST", "/clients/a%2Fb/disable", "", 200, false},
				{"POST", "/clients/a%2Fb/enable", "", 200, true},
				{"DELETE", "/clients/a%2Fb", "", 204, false},
				{"POST", "/import", document.Body, 200, true},
				{"POST", "/clients/a%2Fb/revoke", "", 200, false},
				{"DELETE", "/clients/a%2Fb", "", 204, false},
				{"POST", "/clients", `{"client_id":"a/b","grant_types":["client_credentials"]}`,
					201, false},
			} {
				res := ask(0, step.method, step.path, step.body)
				require.Equal(t, step.status, res.Status, step.path+res.Body)
				require.Equal(t, step.alive, admins[1].Valid(token), step.path)
			}
		})
	}
}
