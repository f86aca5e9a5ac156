package sqlstore

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// A document of another version is refused and not read: its members may mean
// something else.
func TestDocument_OfAnotherVersionIsRefused(t *testing.T) {
	t.Parallel()
	want := storage.Client{ID: "app", GrantTypes: []string{}, Scope: []string{"read"}}
	document, err := encodeClient(&want)
	require.NoError(t, err)
	require.JSONEq(t, `{"v":1,"client_id":"app","grant_types":[],"scope":"read"}`, document)

	got, err := decodeClient([]byte(document))
	require.NoError(t, err)
	require.Equal(t, want, got)

	for _, other := range []string{
		`{"client_id":"app","access_token_lifetime":3600000000000}`,
		`{"v":2,"client_id":"app"}`,
		`{"v":10,"client_id":"app"}`,
		`{"client_id":"app","v":1}`,
		``,
	} {
		_, err := decodeClient([]byte(other))
		require.ErrorIs(t, err, errDocument, other)
		require.ErrorContains(t, err, "register the client again")
	}
	for _, damaged := range []string{`{"v":1,`, `{"v":1,"client_id":"app"`, `{"v":1,"client_id":1}`, `{"v":1,"v":1}`} {
		_, err := decodeClient([]byte(damaged))
		require.ErrorContains(t, err, "sqlstore: a stored client: ", damaged)
	}
}
