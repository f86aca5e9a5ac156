package redisstore

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// A client of another version is refused and not read: its members may mean
// something else. No error shows the value, which may hold a key.
func TestClient_OfAnotherVersionIsRefused(t *testing.T) {
	t.Parallel()
	want := storage.Client{ID: "app", AuthMethod: storage.AuthNone, GrantTypes: []string{}, Scope: []string{"read"}}
	value, origins, err := encodeClient(want)
	require.NoError(t, err)
	require.Empty(t, origins)
	require.Equal(t, `2{"client_id":"app","token_endpoint_auth_method":"none","grant_types":[],"scope":"read"}`, value)

	got, err := decodeClient([]byte(value))
	require.NoError(t, err)
	require.Equal(t, want, got)

	for _, other := range []string{`1{"client_id":"app","access_token_lifetime":3600000000000}`, `3{"client_id":"app"}`, `{"client_id":"app"}`} {
		_, err := decodeClient([]byte(other))
		require.ErrorIs(t, err, errClientVersion, other)
		require.ErrorContains(t, err, "register the client again")
	}
	for _, damaged := range []string{"", "2", "2{", `2{"client_id":1}`, `2{"scope":"read"}`, `2{"client_id":"app","client_id":"app"}`} {
		_, err := decodeClient([]byte(damaged))
		require.ErrorIs(t, err, errValue, damaged)
	}
}
