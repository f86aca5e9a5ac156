package browser_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/frame/browser"
	"github.com/grantwell/grantwell/storage"
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

// A path that cannot stand in a cookie, and a name with a character that is in no token,
// are refused: the header would have another attribute, or none that browsers read (RFC
// 6265 section 4.1.1).
//
// Holds: house: cookies.
func TestCookie_WhatCannotStandInTheHeader(t *testing.T) {
	t.Parallel()
	const tls = "https://as.example"
	for path, ok := range map[string]bool{
		"/": true, "/a b": true, "/~": true,
		"a": false, "a/": false, "/a;Domain=x": false, "/a\x1f": false, "/a\x7f": false, "/a\n": false, "/ä": false,
	} {
		err := (&browser.Cookie{Path: path}).Prepare(tls)
		require.Equal(t, ok, err == nil, "%q %v", path, err)
		if !ok {
			require.ErrorContains(t, err, "Cookie.Path", "%q", path)
		}
	}
	for name, ok := range map[string]bool{
		"a~": true, "!a": true,
		"a b": false, "a\x1f": false, "a\x7f": false, "a=": false, "a;": false, "ä": false,
	} {
		err := (&browser.Cookie{Name: name}).Prepare(tls)
		require.Equal(t, ok, err == nil, "%q %v", name, err)
	}
}

// Two issuers on one host have cookies of different names, if the host names none.
//
// Holds: house: cookies.
func TestCookie_IssuersOnOneHost(t *testing.T) {
	t.Parallel()
	for issuer, want := range map[string]string{
		"https://as.example":     "__Host-grantwell",
		"https://as.example/":    "__Host-grantwell",
		"https://as.example/one": "__Host-grantwell-" + storage.Key("https://as.example/one")[:11],
		"https://as.example/two": "__Host-grantwell-" + storage.Key("https://as.example/two")[:11],
		"http://localhost:1/one": "grantwell-" + storage.Key("http://localhost:1/one")[:11],
	} {
		var c browser.Cookie
		require.NoError(t, c.Prepare(issuer), issuer)
		require.Equal(t, want, c.Name, issuer)
	}
}

// Of a request with very many cookies, the first 64 of the server's are looked at.
//
// Holds: house: cookies.
func TestCookie_FewAreLookedAt(t *testing.T) {
	t.Parallel()
	r := newRig()
	own := strings.Repeat("v", 43)
	for others, found := range map[int]bool{63: true, 64: false, 500: false} {
		req := httptest.NewRequest(http.MethodGet, issuer, nil)
		req.Header.Set("Cookie", strings.Repeat("b="+strings.Repeat("x", 43)+"; ", others)+"b="+own)
		require.Equal(t, found, r.Owns(req, storage.Key(own)), others)
	}
	req := httptest.NewRequest(http.MethodGet, issuer, nil)
	req.Header.Set("Cookie", "b123456789="+own)
	require.False(t, r.Owns(req, storage.Key(own)), "a cookie of another program")
}
