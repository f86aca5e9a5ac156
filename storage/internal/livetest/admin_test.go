//go:build linux

package livetest

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/sqlstore"
)

// instance is a store that keeps clients as well.
type instance interface {
	storage.Records
	storage.Registrar
}

// twoInstances has, for each kind of database, two stores on the same data.
func twoInstances() map[string]func(t *testing.T) []instance {
	all := map[string]func(t *testing.T) []instance{
		"Redis": func(t *testing.T) []instance {
			server, p := startRedis(t, durable...), prefix()
			return []instance{redisStore(t, server.client(t), p), redisStore(t, server.client(t), p)}
		},
	}
	for _, d := range databases {
		all[d.name] = func(t *testing.T) (list []instance) {
			driver, dsn := d.open(t)
			p := prefix()
			for range 2 {
				s, err := sqlstore.New(t.Context(), open(t, driver, dsn, 8), d.dialect, sqlstore.Options{Prefix: p})
				require.NoError(t, err)
				list = append(list, s)
			}
			return list
		}
	}
	return all
}

// A change that an administrator makes at one server is in force at the other:
// a client that was created there gets tokens here, and a disabled or deleted
// one gets none. Of two changes to the same version of a client one is refused.
//
// Holds: house: admin behind the host; house: deleted authorization;
// house: disabled client.
func TestAdmin_OverEachStore(t *testing.T) {
	for name, stores := range twoInstances() {
		t.Run(name, func(t *testing.T) {
			var servers []*grantwell.Server
			var admins []http.Handler
			for _, s := range stores(t) {
				srv, err := grantwell.New(grantwell.Config{Issuer: "https://as.example", Clients: s, Records: s, Grants: []grants.Handler{grants.ClientCredentials{}}})
				require.NoError(t, err)
				admin, err := srv.Admin(grantwell.AdminConfig{Authorize: func(*http.Request) (string, error) { return "root", nil }})
				require.NoError(t, err)
				servers, admins = append(servers, srv), append(admins, admin)
			}
			ask := func(i int, method, path, body, tag string) *httptest.ResponseRecorder {
				r := httptest.NewRequest(method, path, strings.NewReader(body))
				r.Header.Set("Content-Type", "application/json")
				if tag != "" {
					r.Header.Set("If-Match", tag)
				}
				w := httptest.NewRecorder()
				admins[i].ServeHTTP(w, r)
				return w
			}
			const key = `"jwks":{"keys": [{"kty":"RSA", "kid":"<é&>", "n":"AQ","e":"AQAB"}]}`
			made := ask(0, "POST", "/clients", `{"client_id":"a/b","client_name":"<é>","grant_types":["client_credentials"],"scope":"r","default_scope":"r","origins":["https://app.example"],`+key+`}`, "")
			require.Equal(t, 201, made.Code, made.Body)
			_, secret, _ := strings.Cut(made.Body.String(), `"client_secret":"`)
			secret, _, _ = strings.Cut(secret, `"`)
			require.Equal(t, 409, ask(1, "POST", "/clients", `{"client_id":"a/b","grant_types":["client_credentials"]}`, "").Code)

			read := ask(1, "GET", "/clients/a%2Fb", "", "")
			tag := read.Header().Get("ETag")
			require.Equal(t, made.Header().Get("ETag"), tag)
			changed := strings.Replace(read.Body.String(), "<é>", "new", 1)
			require.Equal(t, 200, ask(0, "PUT", "/clients/a%2Fb", changed, tag).Code)
			require.Equal(t, 412, ask(1, "PUT", "/clients/a%2Fb", changed, tag).Code)

			r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader("grant_type=client_credentials"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.SetBasicAuth(url.QueryEscape("a/b"), secret)
			w := httptest.NewRecorder()
			servers[1].Handler().ServeHTTP(w, r)
			_, token, _ := strings.Cut(w.Body.String(), `"access_token":"`)
			token, _, _ = strings.Cut(token, `"`)
			alive := func() bool {
				tok, err := servers[1].Introspect(t.Context(), token)
				require.NoError(t, err)
				return tok.Active
			}
			require.True(t, alive(), w.Body)
			require.Contains(t, ask(0, "GET", "/grants?kind=access&client_id=a%2Fb", "", "").Body.String(), `"client_id":"a/b"`)
			require.Equal(t, 400, ask(0, "GET", "/grants?kind=access&client_id=a%2Fb&after=garbage", "", "").Code)

			document := ask(0, "GET", "/export", "", "")
			for _, step := range []struct {
				method, path, body string
				status             int
				alive              bool
			}{
				{"POST", "/clients/a%2Fb/disable", "", 200, false}, {"POST", "/clients/a%2Fb/enable", "", 200, true}, {"DELETE", "/clients/a%2Fb", "", 204, false},
				{"POST", "/import", document.Body.String(), 200, true}, {"POST", "/clients/a%2Fb/revoke", "", 200, false}, {"DELETE", "/clients/a%2Fb", "", 204, false},
				{"POST", "/clients", `{"client_id":"a/b","grant_types":["client_credentials"]}`, 201, false},
			} {
				res := ask(0, step.method, step.path, step.body, "")
				require.Equal(t, step.status, res.Code, step.path+res.Body.String())
				require.Equal(t, step.alive, alive(), step.path)
			}
		})
	}
}
