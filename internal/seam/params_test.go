package seam_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/seam"
)

// Parameters follow the URI in their order, encoded as a form (RFC 6749 appendix B).
func TestParams_After(t *testing.T) {
	t.Parallel()
	var p seam.Params
	require.Equal(t, "https://app.example/cb", p.After("https://app.example/cb", "?"), "nothing to separate")
	p.Add("state", "a+b c&d=e#f")
	p.Add("c/d", "")
	p.Add("state", "again")
	require.Equal(t, "u?state=a%2Bb+c%26d%3De%23f&c%2Fd=&state=again", p.After("u", "?"))
	_, fragment, _ := strings.Cut(p.After("u", "#"), "#")
	got, err := url.ParseQuery(fragment)
	require.NoError(t, err)
	require.Equal(t, url.Values{"state": {"a+b c&d=e#f", "again"}, "c/d": {""}}, got)
}

// Value and Has find the first parameter of a name.
func TestParams_Value(t *testing.T) {
	t.Parallel()
	p := seam.Params{{Name: "a", Value: "1"}, {Name: "a", Value: "2"}, {Name: "empty"}}
	require.Equal(t, "1", p.Value("a"))
	require.True(t, p.Has("empty"))
	require.Empty(t, p.Value("empty"))
	require.False(t, p.Has("b"))
	require.Empty(t, p.Value("b"))
}

// A response goes to the redirect URI that was verified, and to no other one.
func TestAuthorization_Verified(t *testing.T) {
	t.Parallel()
	a := &seam.Authorization{RedirectURI: "https://app.example/cb"}
	require.False(t, a.Verified(), "a URI that is only set is not verified")
	a.Verify("https://app.example/cb", true)
	require.True(t, a.Verified())
	require.True(t, a.RedirectURIGiven)
	a.RedirectURI = "https://evil.example/cb"
	require.False(t, a.Verified())
	a.Verify("", false)
	require.False(t, a.Verified())
}
