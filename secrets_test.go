package grantwell_test

import (
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// A copy of the store has no usable token, code or secret, and the server
// looks records up by digest.
//
// Holds: RFC 6749 section 10.10.
func TestSecrets_StoreHoldsDigestsOnly(t *testing.T) {
	t.Parallel()
	l, store := servertest.NewHooked(t, nil)
	code := l.Code("conf")
	got := l.Redeem("conf", code)
	unused := l.Code("conf")
	secrets := []string{code, unused, got.String("access_token"), got.String("refresh_token"),
		servertest.Secret, servertest.Verifier}
	seen := map[string]bool{}
	for _, s := range secrets[:4] {
		require.GreaterOrEqual(t, len(s), 49) // 258 bits and a checksum
		require.False(t, seen[s[:8]])
		seen[s[:8]] = true
	}
	recs := l.Records(storage.Query{})
	require.Len(t, recs, 4)
	clients, err := l.Store.ListClients(t.Context(), "", 0)
	require.NoError(t, err)
	dump, err := json.Marshal([]any{recs, clients})
	require.NoError(t, err)
	for _, s := range secrets {
		require.NotContains(t, string(dump), s)
	}
	var lookups atomic.Int32
	store.Before(func(_ context.Context, call servertest.Call) error {
		lookups.Add(1)
		require.NotContains(t, call.Key, got.String("access_token")[:8])
		return nil
	})
	require.True(t, l.Valid(got.String("access_token")))
	require.NotZero(t, lookups.Load())
	for range 100_000 {
		guess, err := tokens.Opaque{}.Mint(t.Context(), tokens.Claims{})
		require.NoError(t, err)
		require.False(t, l.Valid(guess))
	}
	lookups.Store(0)
	for range 1000 {
		require.False(t, l.Valid(strings.Repeat("A", 49)))
	}
	require.Zero(t, lookups.Load(), "garbage is not looked up")
}

// A dump of the whole store after every flow has no token, code, secret,
// password or verifier, whole or in part, and nothing in it works as a token.
//
// Holds: RFC 6749 section 10.10.
func TestSecrets_DumpHoldsNothingUsable(t *testing.T) {
	t.Parallel()
	keys := servertest.Keys(t)
	for _, config := range []func(*grantwell.Config){func(*grantwell.Config) {},
		servertest.Signed(keys)} {
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
		code := keep(d.Authorize(grantwell.Approval{
			Subject:  "alice",
			Remember: true,
		})).Param("code")
		keep(d.Authorize(grantwell.Approval{Subject: "alice"}, "scope", "read",
			"response_type", "token"))
		keep(d.Authorize(grantwell.Approval{Subject: "alice"}, "client_id", "public",
			"scope", "read"))
		first := keep(d.Redeem("conf", code))
		second := keep(d.Refresh("conf", first.String("refresh_token")))
		keep(d.Refresh("conf",
			first.String("refresh_token"))) // a retry, so that the store has a sealed answer
		keep(d.Refresh("conf", second.String("refresh_token")))
		keep(d.ClientCredentials(servertest.Conf))
		keep(d.Login("johndoe", "A3ddj3w"))
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
				d.ClientCredentials("conf:"+s.Hash).Fails(t, 401, "invalid_client")
			}
		}
	}
}

// A generated secret has 256 bits, and only its hash is stored.
// client_secret_jwt needs a key besides.
//
// Holds: house: secret shown once.
func TestSecrets_GeneratedSecretIsStoredHashed(t *testing.T) {
	t.Parallel()
	plain, stored := grantwell.GenerateSecret()
	again, _ := grantwell.GenerateSecret()
	require.NotEqual(t, plain, again)
	require.Len(t, plain, 43)
	require.NotContains(t, stored.Hash, plain)
	require.Equal(t, storage.HashSecret(plain), stored)

	client := storage.Client{
		ID:           "x",
		AuthMethod:   storage.AuthClientSecretJWT,
		Secrets:      []storage.Secret{stored},
		RedirectURIs: []string{servertest.Redirect},
	}
	require.Error(t, client.Validate(), "a hashed secret is no key for a signature")
}

// Code that judges secrets never compares a secret, a verifier or a hash with
// == or !=, which stop at the first difference.
//
// Holds: house: constant time.
func TestSecrets_AreComparedInConstantTime(t *testing.T) {
	t.Parallel()
	files := []string{"grants/pkce.go", "internal/frame/browser/cookie.go"}
	for _, pattern := range []string{"internal/room/clientauth/*.go", "internal/base/secrethash/*.go", "internal/clientmeta/*.go"} {
		more, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, more, pattern)
		files = append(files, more...)
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(f, func(n ast.Node) bool {
			b, ok := n.(*ast.BinaryExpr)
			if !ok || b.Op != token.EQL && b.Op != token.NEQ {
				return true
			}
			for _, side := range []ast.Expr{b.X, b.Y} {
				if id, ok := side.(*ast.Ident); ok {
					for _, word := range []string{"secret", "hash", "got", "want", "sum"} {
						other := b.Y
						if side == b.Y {
							other = b.X
						}
						if lit, ok := other.(*ast.BasicLit); ok && lit.Value == `""` ||
							isNil(other) {
							continue
						}
						require.NotEqual(t, word, id.Name, name)
					}
				}
			}
			return true
		})
	}
}

// isNil reports whether an expression is nil.
func isNil(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == "nil"
}
