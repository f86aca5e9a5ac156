package browser_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/frame/browser"
)

// The path "/" is that of a cookie of this host alone, so that the name keeps its
// prefix; no other path is.
//
// Holds: house: cookies.
func TestCookie_WholeHost(t *testing.T) {
	t.Parallel()
	const tls, plain = "https://as.example", "http://localhost:1"
	for name, tt := range map[string]struct {
		issuer string
		cookie browser.Cookie
		want   string // ""; it is refused
	}{
		"the path":                  {tls, browser.Cookie{Path: "/"}, "__Host-grantwell"},
		"another path":              {tls, browser.Cookie{Path: "/a"}, "grantwell"},
		"a domain":                  {tls, browser.Cookie{Path: "/", Domain: "as.example"}, "grantwell"},
		"plain":                     {plain, browser.Cookie{Path: "/"}, "grantwell"},
		"own name and the path":     {tls, browser.Cookie{Path: "/", Name: "__Host-x"}, "__Host-x"},
		"own name":                  {tls, browser.Cookie{Path: "/a", Name: "x"}, "x"},
		"own name and another path": {tls, browser.Cookie{Path: "/a", Name: "__Host-x"}, ""},
		"own name and a domain":     {tls, browser.Cookie{Domain: "as.example", Name: "__Host-x"}, ""},
		"own name, plain":           {plain, browser.Cookie{Name: "__Host-x"}, ""},
	} {
		err := tt.cookie.Prepare(tt.issuer)
		if tt.want == "" {
			require.ErrorContains(t, err, "__Host- name", name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, tt.want, tt.cookie.Name, name)
	}
}
