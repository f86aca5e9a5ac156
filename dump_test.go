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
	"github.com/grantwell/grantwell/storage"
)

// A dump of the whole store, after every flow, has no token, code, secret, password or verifier in it, whole or in part, and nothing of it
// works as a token.
// Holds R85, S163.
func TestDump_HoldsNothingUsable(t *testing.T) {
	t.Parallel()
	keys := testKeys(t)
	for _, config := range []func(*grantwell.Config){func(*grantwell.Config) {}, signed(keys)} {
		d := newDirect(t, func(cfg *grantwell.Config) {
			config(cfg)
			withRefresh(grants.RefreshToken{RetryWindow: time.Minute})(cfg)
		})
		secrets := []string{secret, "A3ddj3w", verifier}
		keep := func(r reply) reply {
			require.Less(t, r.status, 400, r.body)
			for _, name := range []string{"access_token", "refresh_token"} {
				if s := r.str(name); s != "" {
					secrets = append(secrets, s)
				}
			}
			for _, name := range []string{"code", "access_token"} {
				if s := r.answered(name); s != "" {
					secrets = append(secrets, s)
				}
			}
			return r
		}
		code := keep(d.authorize("conf", "read write", grantwell.Approval{Subject: "alice", Remember: true})).answered("code")
		keep(d.authorize("conf", "read", grantwell.Approval{Subject: "alice"}, "response_type", "token"))
		keep(d.authorize("public", "read", grantwell.Approval{Subject: "alice"}))
		first := keep(d.redeem("conf", code))
		second := keep(d.refresh("conf", first.str("refresh_token")))
		keep(d.refresh("conf", first.str("refresh_token"))) // a retry, so that a sealed answer is there
		keep(d.refresh("conf", second.str("refresh_token")))
		keep(d.post("/token", conf, "grant_type", "client_credentials"))
		keep(d.post("/token", conf, "grant_type", "password", "username", "johndoe", "password", "A3ddj3w"))
		require.Greater(t, len(secrets), 10)

		clients, err := d.store.ListClients(t.Context(), "", 100)
		require.NoError(t, err)
		records := d.records(storage.Query{})
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
				require.False(t, d.live(stolen))
				require.NotEqual(t, 200, d.refresh("conf", stolen).status)
				require.NotEqual(t, 200, d.redeem("conf", stolen).status)
			}
		}
		for _, c := range clients {
			for _, s := range c.Secrets {
				d.post("/token", "conf:"+s.Hash, "grant_type", "client_credentials").fails(t, 401, "invalid_client")
			}
		}
	}
}
