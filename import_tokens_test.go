package grantwell_test

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/tokens"
)

// oldAccess and oldRefresh are tokens that another server issued.
const (
	oldAccess  = "SQrqUCvEAsgTgAGoaxlkdqkF1dvRkAfpMyREEqSKdoj9JEyR0CL3fJ"
	oldRefresh = "Lh2pJKvQ0Vbn5kXJYwHgYtIl3rJ8o0w1vG9ZsbcTqE7u2a"
)

// digest returns what the other server stored of a token.
func digest(hash crypto.Hash, token string, encode func([]byte) string) string {
	h := hash.New()
	h.Write([]byte(token))
	return encode(h.Sum(nil))
}

// line returns a grant as a line of an export.
func line(grant, client, access, refresh string) string {
	in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
	return fmt.Sprintf(`{"grant":%q,"client_id":%q,"subject":"alice","scope":"read write","audience":["https://as.example"],"issued_at":%q,`+
		`"access":[{"stored":%q,"scope":"read","expires_at":%q}],"refresh":[{"stored":%q,"expires_at":%q}]}`+
		"\n",
		grant, client, in(-time.Minute), access, in(time.Hour), refresh, in(24*time.Hour))
}

// A plain digest, in any of its encodings, is enough for access and refresh
// tokens to stay valid.
//
// Holds: RFC 6749 section 10.10.
func TestImportTokens_DigestKeepsATokenAlive(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hash   crypto.Hash
		encode func([]byte) string
	}{
		"SHA-1 hex": {crypto.SHA1, hex.EncodeToString},
		"SHA-1 upper hex": {crypto.SHA1, func(b []byte) string {
			return strings.ToUpper(hex.EncodeToString(b))
		}},
		"SHA-1 base64":       {crypto.SHA1, base64.StdEncoding.EncodeToString},
		"SHA-256 hex":        {crypto.SHA256, hex.EncodeToString},
		"SHA-256 base64":     {crypto.SHA256, base64.StdEncoding.EncodeToString},
		"SHA-256 raw url":    {crypto.SHA256, base64.RawURLEncoding.EncodeToString},
		"SHA-512 raw base64": {crypto.SHA512, base64.RawStdEncoding.EncodeToString},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			form := tokens.Hashed{Hash: c.hash, Lengths: []int{len(oldAccess), len(oldRefresh)}}
			r := servertest.New(t, func(cfg *grantwell.Config) {
				cfg.Imported = []tokens.Imported{form}
				cfg.Paths.TokenInfo = "/tokeninfo"
			})
			lines := line("1", "conf", digest(c.hash, oldAccess, c.encode),
				digest(c.hash, oldRefresh, c.encode))
			res, err := grantwell.ImportTokens(t.Context(), r.Store, form, strings.NewReader(lines))
			require.NoError(t, err)
			require.Equal(t, grantwell.ImportResult{Grants: 1, Tokens: 2}, res)

			require.True(t, r.Live(oldAccess))
			info := r.Post("/tokeninfo", servertest.Conf, "access_token", oldAccess)
			require.Equal(t, 200, info.Status, info.Body)
			require.Equal(t, "read", info.String("scope"))
			in, err := r.AS.Introspect(t.Context(), oldAccess)
			require.NoError(t, err)
			require.True(t, in.Active)
			require.False(t, r.Live(oldAccess[:len(oldAccess)-1]+"x"))
			r.Refresh("conf", oldAccess).Fails(t, 400, "invalid_grant")
			r.Refresh("other", oldRefresh).Fails(t, 400, "invalid_grant")

			first := r.Refresh("conf", oldRefresh)
			require.Equal(t, 200, first.Status, first.Body)
			require.True(t, r.Live(first.String("access_token")))
			r.Refresh("conf", oldRefresh).Fails(t, 400, "invalid_grant")
			for _, token := range []string{oldAccess, first.String("access_token"),
				first.String("refresh_token")} {
				require.False(t, r.Live(token), "a second use ends the grant")
			}
			res, err = grantwell.ImportTokens(t.Context(), r.Store, form, strings.NewReader(lines))
			require.NoError(t, err)
			require.Equal(t, grantwell.ImportResult{Known: 1}, res)
			require.False(t, r.Live(oldAccess), "a second run brings nothing back")
		})
	}
}

// counted counts the reads of a store.
type counted struct {
	storage.Records
	reads atomic.Int64
}

func (c *counted) Get(ctx context.Context, kind storage.Kind, key string) (storage.Record, error) {
	c.reads.Add(1)
	return c.Records.Get(ctx, kind, key)
}

// A string that is no token costs no read of the store, or one for each
// imported form that it fits and each kind of token.
func TestImportTokens_GarbageCostsFewReads(t *testing.T) {
	t.Parallel()
	sha := tokens.Hashed{Hash: crypto.SHA256}
	exact := tokens.Hashed{Hash: crypto.SHA1, Lengths: []int{54}}
	signed := tokens.FositeHMAC{Secrets: [][]byte{[]byte(strings.Repeat("k", 32))}}
	for name, c := range map[string]struct {
		forms []tokens.Imported
		token string
		reads int64
	}{
		"nothing configured": {nil, oldAccess, 0},
		"fits one of two":    {[]tokens.Imported{sha, exact}, oldRefresh, 2},
		"fits both":          {[]tokens.Imported{sha, exact}, oldAccess, 4},
		"too short":          {[]tokens.Imported{sha}, "short", 0},
		"too long":           {[]tokens.Imported{sha}, strings.Repeat("a", 513), 0},
		"not signed": {[]tokens.Imported{signed},
			"ory_at_" + strings.Repeat("A", 43) + "." + strings.Repeat("A", 43), 0},
		"any characters": {[]tokens.Imported{sha}, "ü !\"$%&/()=?`*'_:;>< ü~~~~~~~~~~", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var store counted
			r := servertest.New(t, func(cfg *grantwell.Config) {
				store.Records = cfg.Records
				cfg.Records, cfg.Imported = &store, c.forms
			})
			require.False(t, r.Live(c.token))
			require.Equal(t, c.reads, store.reads.Load())
			require.Equal(t, 200, r.Revoke("conf", c.token).Status)
			r.Refresh("conf", c.token).Fails(t, 400, "invalid_grant")
		})
	}
}

// A revocation ends an imported token. A refresh token that was exported as
// spent ends the grant when it is used.
func TestImportTokens_RevocationAndReuse(t *testing.T) {
	t.Parallel()
	form := tokens.Hashed{Hash: crypto.SHA1}
	r := servertest.New(t, func(cfg *grantwell.Config) { cfg.Imported = []tokens.Imported{form} })
	of := func(token string) string { return digest(crypto.SHA1, token, hex.EncodeToString) }
	used := "the refresh token that was used before the move"
	lines := line("1", "conf", of(oldAccess), of(oldRefresh)) + "\n" +
		strings.Replace(line("2", "conf", of(oldAccess+"2"), of(oldRefresh+"2")), `"refresh":[`,
			`"refresh":[{"stored":"`+of(used)+
				`","spent":true,"expires_at":"2020-01-01T00:00:00Z"},`, 1)
	_, err := grantwell.ImportTokens(t.Context(), r.Store, form, strings.NewReader(lines))
	require.NoError(t, err)

	r.Revoke("other", oldAccess).Fails(t, 400, "invalid_grant")
	require.Equal(t, 200, r.Revoke("conf", oldAccess).Status)
	require.False(t, r.Live(oldAccess))
	require.True(t, r.Live(oldRefresh))
	require.Equal(t, 200, r.Revoke("conf", oldRefresh).Status)
	r.Refresh("conf", oldRefresh).Fails(t, 400, "invalid_grant")

	require.True(t, r.Live(oldAccess+"2"))
	r.Refresh("conf", used).Fails(t, 400, "invalid_grant")
	require.False(t, r.Live(oldAccess+"2"))
	require.False(t, r.Live(oldRefresh+"2"))
}

// An export is read line by line, all of a grant or nothing of it, and an
// error names the line.
func TestImportTokens_RefusesWhatItCannotKeep(t *testing.T) {
	t.Parallel()
	form := tokens.Hashed{Hash: crypto.SHA256}
	of := func(token string) string { return digest(crypto.SHA256, token, hex.EncodeToString) }
	good := line("1", "conf", of("a"), of("b"))
	for name, c := range map[string]struct{ line, want string }{
		"no JSON": {"{", "line 2: not a grant"},
		"two values": {strings.TrimSpace(line("2", "conf", of("c"), of("d"))) + "{}",
			"more than one"},
		"unknown member": {`{"grants":"2"}`, "unknown field"},
		"member twice":   {`{"grant":"2","grant":"3"}`, "twice"},
		"no client":      {line("2", "", of("c"), of("d")), "missing"},
		"no digest":      {line("2", "conf", "zz", of("d")), "access: stored"},
		"SHA-1 for SHA-256": {line("2", "conf", digest(crypto.SHA1, "c", hex.EncodeToString),
			of("d")), "access: stored"},
		"no expiry": {`{"grant":"2","client_id":"conf","subject":"a","issued_at":"2026-01-01T00:00:00Z","family_end":"2999-01-01T00:00:00Z","audience":["a"],"access":[{"stored":"` +
			of("c") +
			`"}]}`,
			"expires_at"},
		"no issue": {`{"grant":"2","client_id":"conf","subject":"a"}`, "issued_at"},
		"scope": {strings.Replace(line("2", "conf", of("c"), of("d")), "read write",
			`a\"`, 1), "scope"},
		"registered claim": {strings.Replace(line("2", "conf", of("c"), of("d")), `"scope"`,
			`"claims":{"SUB":"root"},"scope"`, 1), "claims"},
		"spent access token": {strings.Replace(line("2", "conf", of("c"), of("d")),
			`"scope":"read",`, `"spent":true,`, 1), "spent"},
		"token of another": {line("2", "conf", of("a"), of("d")), "another grant"},
		"no audience": {strings.Replace(line("2", "conf", of("c"), of("d")),
			`"https://as.example"`, "", 1), "audience"},
		"too many tokens": {strings.Replace(line("2", "conf", of("c"), of("d")),
			`"refresh":[`, `"refresh":[`+strings.Repeat(`{},`, 100), 1), "more than 100"},
		"line that is too long": {strings.Repeat(" ", 1<<20) + "x", "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := servertest.New(t, nil)
			res, err := grantwell.ImportTokens(t.Context(), r.Store, form,
				strings.NewReader(good+c.line))
			require.ErrorContains(t, err, c.want)
			require.Equal(t, grantwell.ImportResult{
				Grants: 1,
				Tokens: 2,
			}, res, "the lines before it are stored")
			sum, ok := form.Digest(strings.Repeat("x", 30))
			require.True(t, ok)
			_, err = r.Store.Get(t.Context(), storage.Refresh, storage.ImportedKey(sum))
			require.ErrorIs(t, err, storage.ErrNotFound)
		})
	}
	r := servertest.New(t, nil)
	changed := line("1", "conf", of("e"), of("f"))
	res, err := grantwell.ImportTokens(t.Context(), r.Store, form,
		strings.NewReader(good+changed+strings.ReplaceAll(line("4", "conf", of("g"), of("h")), "20",
			"19")))
	require.NoError(t, err)
	require.Equal(t, grantwell.ImportResult{Grants: 1, Tokens: 2, Changed: 1, Expired: 1}, res)
}

// New refuses a configuration under which imported tokens could be guessed.
func TestImportTokens_ConfigIsChecked(t *testing.T) {
	t.Parallel()
	for name, form := range map[string]tokens.Imported{"nil": nil, "no hash": tokens.Hashed{},
		"MD5": tokens.Hashed{Hash: crypto.MD5},
		"short tokens": tokens.Hashed{
			Hash:    crypto.SHA256,
			Lengths: []int{8},
		}, "no secret": tokens.FositeHMAC{},
		"short secret": tokens.FositeHMAC{Secrets: [][]byte{[]byte("short")}}} {
		cfg := grantwell.Config{Issuer: "https://as.example", Imported: []tokens.Imported{form}}
		_, err := grantwell.New(cfg)
		require.ErrorContains(t, err, "Imported[0]", name)
	}
}
