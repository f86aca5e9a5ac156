package introspect_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/introspect"
)

// Each mistake in a configuration is named, and each is the only one of its row.
//
// Holds: house: configuration errors.
func TestCheck_NamesEachMistake(t *testing.T) {
	t.Parallel()
	fetched := func(change func(*introspect.LocalJWT)) func() error {
		return func() error {
			j := &introspect.LocalJWT{Issuer: "https://as.example.com", Audience: []string{api}, JWKSURI: "https://as.example.com/jwks"}
			change(j)
			return j.Check()
		}
	}
	remote := func(change func(*introspect.Remote)) func() error {
		return func() error {
			m := &introspect.Remote{Endpoint: "https://as.example.com/introspect"}
			change(m)
			return m.Check()
		}
	}
	guard := func(change func(*introspect.Guard)) func() error {
		return func() error { return newGuard(change).Check() }
	}
	for name, c := range map[string]struct {
		check func() error
		says  string // "": no mistake
	}{
		"JWT":                          {fetched(func(*introspect.LocalJWT) {}), ""},
		"JWT: no audience":             {fetched(func(j *introspect.LocalJWT) { j.Audience = nil }), "Audience"},
		"JWT: an empty audience":       {fetched(func(j *introspect.LocalJWT) { j.Audience = []string{api, ""} }), "Audience"},
		"JWT: JWKSURI, no URL":         {fetched(func(j *introspect.LocalJWT) { j.JWKSURI = "https://as.example.com/%zz" }), "JWKSURI"},
		"JWT: JWKSURI with user":       {fetched(func(j *introspect.LocalJWT) { j.JWKSURI = "https://u:p@as.example.com/jwks" }), "JWKSURI"},
		"JWT: JWKSURI with fragment":   {fetched(func(j *introspect.LocalJWT) { j.JWKSURI += "#k" }), "JWKSURI"},
		"JWT: JWKSURI without host":    {fetched(func(j *introspect.LocalJWT) { j.JWKSURI = "https:///jwks" }), "JWKSURI"},
		"JWT: negative Timeout":        {fetched(func(j *introspect.LocalJWT) { j.Timeout = -1 }), "Timeout"},
		"JWT: negative Interval":       {fetched(func(j *introspect.LocalJWT) { j.Interval = -1 }), "Interval"},
		"JWT: negative MaxAge":         {fetched(func(j *introspect.LocalJWT) { j.MaxAge = -1 }), "MaxAge"},
		"JWT: the largest Leeway":      {fetched(func(j *introspect.LocalJWT) { j.Leeway = time.Minute }), ""},
		"JWT: a larger Leeway":         {fetched(func(j *introspect.LocalJWT) { j.Leeway = time.Minute + 1 }), "Leeway"},
		"JWT: a negative Leeway":       {fetched(func(j *introspect.LocalJWT) { j.Leeway = -1 }), "Leeway"},
		"Remote":                       {remote(func(*introspect.Remote) {}), ""},
		"Remote: no URL":               {remote(func(m *introspect.Remote) { m.Endpoint = "https://as.example.com/%zz" }), "Endpoint"},
		"Remote: no host":              {remote(func(m *introspect.Remote) { m.Endpoint = "https:///introspect" }), "Endpoint"},
		"Remote: user":                 {remote(func(m *introspect.Remote) { m.Endpoint = "https://u:p@as.example.com" }), "Endpoint"},
		"Remote: fragment":             {remote(func(m *introspect.Remote) { m.Endpoint += "#x" }), "Endpoint"},
		"Remote: http":                 {remote(func(m *introspect.Remote) { m.Endpoint = "http://as.example.com" }), "Endpoint"},
		"Remote: http to this machine": {remote(func(m *introspect.Remote) { m.Endpoint = "http://127.0.0.1:1" }), ""},
		"Remote: another scheme":       {remote(func(m *introspect.Remote) { m.Endpoint = "ftp://localhost/introspect" }), "Endpoint"},
		"Remote: negative Timeout":     {remote(func(m *introspect.Remote) { m.Timeout = -1 }), "Timeout"},
		"Remote: negative MaxAge":      {remote(func(m *introspect.Remote) { m.MaxAge, m.MaxInactiveAge = -1, -1 }), "MaxAge"},
		"Remote: negative MaxInactive": {remote(func(m *introspect.Remote) { m.MaxInactiveAge = -1 }), "MaxInactiveAge"},
		"Remote: negative MaxEntries":  {remote(func(m *introspect.Remote) { m.MaxEntries = -1 }), "MaxEntries"},
		"Guard":                        {guard(func(*introspect.Guard) {}), ""},
		"Guard: MetadataURL, no URL":   {guard(func(g *introspect.Guard) { g.MetadataURL = "https://api.example.com/%zz" }), "MetadataURL"},
		"Guard: MetadataURL, no host":  {guard(func(g *introspect.Guard) { g.MetadataURL = "https:///x" }), "MetadataURL"},
		"Guard: MetadataURL, a quote":  {guard(func(g *introspect.Guard) { g.MetadataURL = "https://api.example.com/\x7f" }), "MetadataURL"},
		"Guard: MetadataURL, ftp":      {guard(func(g *introspect.Guard) { g.MetadataURL = "ftp://localhost/x" }), "MetadataURL"},
		"Guard: MetadataURL, loopback": {guard(func(g *introspect.Guard) { g.MetadataURL = "http://localhost/x" }), ""},
	} {
		err := c.check()
		if c.says == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, c.says, name)
		require.Equal(t, 1, strings.Count(err.Error(), "introspect: "), "%s: %v", name, err)
	}
}

// A negative MaxAge is named as such, and not only as one below MaxInactiveAge.
//
// Holds: house: configuration errors.
func TestCheck_NamesANegativeMaxAge(t *testing.T) {
	t.Parallel()
	err := (&introspect.Remote{Endpoint: "https://as.example.com", MaxAge: -1}).Check()
	require.ErrorContains(t, err, "MaxEntries: negative")
}

// The metadata of an authorization server are between host and path of its issuer.
//
// Holds: RFC 8414 section 3.1.
func TestServerMetadataURL_StandsBetweenHostAndPath(t *testing.T) {
	t.Parallel()
	const wellKnown = "/.well-known/oauth-authorization-server"
	for issuer, want := range map[string]string{
		"https://as.example.com":                 "https://as.example.com" + wellKnown,
		"https://as.example.com/":                "https://as.example.com" + wellKnown,
		"https://as.example.com:8443/tenant":     "https://as.example.com:8443" + wellKnown + "/tenant",
		"https://as.example.com/tenant/":         "https://as.example.com" + wellKnown + "/tenant",
		"https://as.example.com/a/b":             "https://as.example.com" + wellKnown + "/a/b",
		"https://as.example.com/a%2Fb/":          "https://as.example.com" + wellKnown + "/a%2Fb",
		"http://127.0.0.1:9090/x":                "http://127.0.0.1:9090" + wellKnown + "/x",
		"":                                       "",
		"as.example.com":                         "",
		"http://as.example.com":                  "",
		"ftp://localhost":                        "",
		"https:///x":                             "",
		"https://u@as.example.com":               "",
		"https://as.example.com?x":               "",
		"https://as.example.com/#x":              "",
		"https://as.example.com/?":               "",
		"https://as.example.com/#":               "",
		"https://as.example.com/\u00e9":          "",
		"https://as.example.com/%zz":             "",
		"https://as.example.com/.well-known\x00": "",
	} {
		got, err := introspect.ServerMetadataURL(issuer)
		require.Equal(t, want, got, issuer)
		require.Equal(t, want == "", err != nil, issuer)
	}
}
