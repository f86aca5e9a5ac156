package moving_test

import (
	"bytes"
	"strings"
	"testing"

	fositestore "github.com/ory/fosite/storage"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/storage/memstore"
	"github.com/grantwell/grantwell/tokens"
)

// move is a move of three grants from fosite to Grantwell.
type move struct {
	t     *testing.T
	from  *fositestore.MemoryStore
	store *memstore.Store
	form  tokens.FositeHMAC
	lines []byte
	url   string

	access, refresh     string
	revoked             string
	spare, spareRefresh string
}

// newMove logs in three times at a fosite server, and imports the tokens.
func newMove(t *testing.T, hydra bool) *move {
	t.Helper()
	from, old := fositeServer(t)
	m := &move{t: t, from: from}
	m.access, m.refresh = login(t, old)
	m.revoked, _ = login(t, old)
	m.spare, m.spareRefresh = login(t, old)

	// The fosite server has rotated its secret.
	newer := []byte("a newer global secret, to which they have rotated")
	m.form = tokens.FositeHMAC{Secrets: [][]byte{newer, global}}
	m.store, m.url = newServer(t, from, m.form)
	m.lines = export(t, from, hydra)
	require.Equal(t, grantwell.ImportResult{Grants: 3, Tokens: 6}, m.importTokens())
	return m
}

func (m *move) importTokens() grantwell.ImportResult {
	m.t.Helper()
	res, err := grantwell.ImportTokens(m.t.Context(), m.store, m.form, bytes.NewReader(m.lines))
	require.NoError(m.t, err)
	return res
}

// active reports whether a token is active at the new server.
func (m *move) active(token any) bool {
	m.t.Helper()
	return introspect(m.t, m.url, token.(string))["active"] == true
}

// moves runs a test with the tokens of fosite and with those of Hydra.
func moves(t *testing.T, test func(t *testing.T, m *move)) {
	for name, hydra := range map[string]bool{"fosite": false, "hydra": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newMove(t, hydra))
		})
	}
}

// The tokens of fosite are active at the new server, with their subject and scope.
// Holds: RFC 6749 section 10.10.
func TestMove_TokensStayActive(t *testing.T) {
	t.Parallel()
	moves(t, func(t *testing.T, m *move) {
		seen := introspect(t, m.url, m.access)
		require.Equal(t, true, seen["active"], seen)
		require.Equal(t, subject(m.from, m.access), seen["sub"])
		require.Equal(t, "app", seen["client_id"])
		require.Equal(t, "read offline", seen["scope"])
		require.True(t, m.active(m.refresh))

		require.False(t, m.active(m.access+"A"))
		require.False(t, m.active(strings.TrimPrefix(m.refresh, "ory_rt_")+"x"))
	})
}

// A refresh token of fosite gives tokens of the new server. A second use ends its family
// and no other.
// Holds: RFC 6749 section 10.10.
func TestMove_RefreshTokensRotate(t *testing.T) {
	t.Parallel()
	moves(t, func(t *testing.T, m *move) {
		status, first := refresh(t, m.url, m.refresh)
		require.Equal(t, 200, status, first)
		require.NotContains(t, first["access_token"], "ory_")
		status, second := refresh(t, m.url, first["refresh_token"].(string))
		require.Equal(t, 200, status, second)

		status, reuse := refresh(t, m.url, m.refresh)
		require.Equal(t, 400, status)
		require.Equal(t, "invalid_grant", reuse["error"])
		for _, token := range []any{m.access, first["access_token"], second["access_token"]} {
			require.False(t, m.active(token))
		}
		require.True(t, m.active(m.spare))
	})
}

// A token of fosite can be revoked. With a refresh token its family ends. A second import
// of the same file activates nothing.
// Holds: RFC 6749 section 10.10.
func TestMove_RevocationsLast(t *testing.T) {
	t.Parallel()
	moves(t, func(t *testing.T, m *move) {
		status, _ := post(t, m.url+"/revoke", "token", m.revoked)
		require.Equal(t, 200, status)
		require.False(t, m.active(m.revoked))
		status, _ = post(t, m.url+"/revoke", "token", m.spareRefresh)
		require.Equal(t, 200, status)
		require.False(t, m.active(m.spare))

		require.Equal(t, grantwell.ImportResult{Known: 3}, m.importTokens())
		require.False(t, m.active(m.revoked))
		require.False(t, m.active(m.spare))
		require.True(t, m.active(m.access))
	})
}

// Without the global secret of fosite no token is accepted, although its signature is
// stored. With the secret a token with another random part is refused.
func TestMove_NeedsTheSecretOfFosite(t *testing.T) {
	t.Parallel()
	from, old := fositeServer(t)
	access, refreshToken := login(t, old)
	wrong := tokens.FositeHMAC{Secrets: [][]byte{bytes.Repeat([]byte("w"), 32)}}
	store, url := newServer(t, from, wrong)
	lines := bytes.NewReader(export(t, from, true))
	_, err := grantwell.ImportTokens(t.Context(), store, wrong, lines)
	require.NoError(t, err)
	require.Equal(t, map[string]any{"active": false}, introspect(t, url, access))
	status, _ := refresh(t, url, refreshToken)
	require.Equal(t, 400, status)

	right := tokens.FositeHMAC{Secrets: [][]byte{global}}
	_, url = newServer(t, from, right)
	_, signature, _ := strings.Cut(access, ".")
	forged := strings.Repeat("A", 43) + "." + signature
	require.Equal(t, map[string]any{"active": false}, introspect(t, url, forged))
}
