package grantwell_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// A dump of the whole store, after every flow, has no token, code, secret, password or verifier in it, whole or in part, and nothing of it
// works as a token.
// Holds R85, S163.
func TestDump_HoldsNothingUsable(t *testing.T) {
	t.Parallel()
	keys := servertest.Keys(t)
	for _, config := range []func(*grantwell.Config){func(*grantwell.Config) {}, servertest.Signed(keys)} {
		d := servertest.New(t, func(cfg *grantwell.Config) {
			config(cfg)
			servertest.WithRefresh(grants.RefreshToken{RetryWindow: time.Minute})(cfg)
		})
		secrets := []string{servertest.Secret, "A3ddj3w", servertest.Verifier}
		keep := func(r servertest.Reply) servertest.Reply {
			require.Less(t, r.Status, 400, r.Body)
			for _, name := range []string{"access_token", "refresh_token"} {
				if s := r.String(name); s != "" {
					secrets = append(secrets, s)
				}
			}
			for _, name := range []string{"code", "access_token"} {
				if s := r.Param(name); s != "" {
					secrets = append(secrets, s)
				}
			}
			return r
		}
		code := keep(d.Authorize(grantwell.Approval{Subject: "alice", Remember: true})).Param("code")
		keep(d.Authorize(grantwell.Approval{Subject: "alice"}, "scope", "read", "response_type", "token"))
		keep(d.Authorize(grantwell.Approval{Subject: "alice"}, "client_id", "public", "scope", "read"))
		first := keep(d.Redeem("conf", code))
		second := keep(d.Refresh("conf", first.String("refresh_token")))
		keep(d.Refresh("conf", first.String("refresh_token"))) // a retry, so that a sealed answer is there
		keep(d.Refresh("conf", second.String("refresh_token")))
		keep(d.Post("/token", servertest.Conf, "grant_type", "client_credentials"))
		keep(d.Post("/token", servertest.Conf, "grant_type", "password", "username", "johndoe", "password", "A3ddj3w"))
		require.Greater(t, len(secrets), 10)

		clients, err := d.Store.ListClients(t.Context(), "", 100)
		require.NoError(t, err)
		records := d.Records(storage.Query{})
		require.NotEmpty(t, records)
		rows := []any{}
		sealed := false
		for _, r := range records {
			rows = append(rows, fmt.Sprintf("%+v", r), string(r.Data))
			sealed = sealed || strings.Contains(string(r.Data), `"retry"`)
		}
		require.True(t, sealed)
		dump, err := json.Marshal(append(rows, clients))
		require.NoError(t, err)
		for _, s := range secrets {
			require.NotContains(t, string(dump), s)
			require.NotContains(t, string(dump), s[max(0, len(s)-24):], "not in part either")
		}
		for _, r := range records {
			for _, stolen := range []string{r.Key, r.GrantID, string(r.Data)} {
				if stolen == "" {
					continue
				}
				require.False(t, d.Live(stolen))
				require.NotEqual(t, 200, d.Refresh("conf", stolen).Status)
				require.NotEqual(t, 200, d.Redeem("conf", stolen).Status)
			}
		}
		for _, c := range clients {
			for _, s := range c.Secrets {
				d.Post("/token", "conf:"+s.Hash, "grant_type", "client_credentials").Fails(t, 401, "invalid_client")
			}
		}
	}
}
