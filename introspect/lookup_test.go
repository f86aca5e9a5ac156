package introspect_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/introspect"
)

// Only the exact form of RFC 6750 section 2.1 is read. A header that two
// parsers could read differently is refused.
//
// Holds: RFC 6750 section 2; RFC 9110 section 11.1.
func TestLookup_HeaderByTheLetter(t *testing.T) {
	t.Parallel()
	for header, status := range map[string]int{
		"Bearer good": 200, "bearer good": 200, "BEARER good": 200, "": 401,
		"Bearer": 400, "Bearer ": 400, "Bearer  good": 400, "Bearer\tgood": 400, "Bearer good ": 400, "Bearer good\t": 400,
		"Bearer good,good": 400, "Bearer good, Bearer good": 400, "Bearer,good": 400, "Bearer=good": 400, "Bearer \"good\"": 400,
		"Bearer token=good;x": 400, "Bearer g\x00od": 400, "Bearer good\x7f": 400, "Bearer good\r\nX: y": 400, "Bearer gööd": 400,
		"Bearer =good": 400, "Bearer g=ood": 400, "Bearer ==": 400, "Bearer\u00a0good": 400, "Basic x\tBearer good": 400,
		"Basic x, Bearer good": 401, "Bearerer good": 401, "Bear good": 401, "ＢＥＡＲＥＲ good": 401, "good": 401,
		"Bearer " + strings.Repeat("a", 16<<10): 401, "Bearer " + strings.Repeat("a", 16<<10+1): 400,
	} {
		w, seen := serve(newGuard(), bearer(header))
		require.Equal(t, status, w.Code, "%.60q", header)
		require.Equal(t, status == 200, seen != nil)
	}
	r := bearer("Bearer good")
	r.Header.Add("Authorization", "Bearer good")
	w, _ := serve(newGuard(), r)
	require.Equal(t, http.StatusBadRequest, w.Code)
}

func form(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/notes?q=1&access_token=good&r=2", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// A place is read only if it is configured. Tokens at two places are refused.
//
// Holds: RFC 6750 section 2; RFC 6750 section 2.3.
func TestLookup_Places(t *testing.T) {
	t.Parallel()
	inQuery := introspect.Lookup{QueryField: "access_token"}
	inForm := introspect.Lookup{FormField: "access_token"}
	all := introspect.Lookup{QueryField: "access_token", FormField: "access_token"}
	cookie := introspect.Lookup{Extract: func(r *http.Request) (string, error) {
		c, err := r.Cookie("token")
		if errors.Is(err, http.ErrNoCookie) {
			return "", nil
		}
		return c.Value, err
	}}
	get := func(target string, header ...string) *http.Request {
		r := httptest.NewRequest(http.MethodGet, target, nil)
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Add(header[i], header[i+1])
		}
		return r
	}
	typed := form("access_token=good")
	typed.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	got := form("access_token=good")
	got.Method = http.MethodGet
	for name, c := range map[string]struct {
		lookup introspect.Lookup
		r      *http.Request
		status int
	}{
		"query is off":         {introspect.Lookup{}, get("/?access_token=good"), 401},
		"form is off":          {introspect.Lookup{}, form("access_token=good"), 401},
		"query":                {inQuery, get("/?access_token=good"), 200},
		"query twice":          {inQuery, get("/?access_token=good&access_token=good"), 400},
		"query, empty":         {inQuery, get("/?access_token="), 401},
		"query, malformed":     {inQuery, get("/?access_token=good&x=%zz"), 400},
		"query, bad token":     {inQuery, get("/?access_token=g%20d"), 400},
		"query and header":     {inQuery, get("/?access_token=good", "Authorization", "Bearer good"), 400},
		"form":                 {inForm, form("a=b&access_token=good"), 200},
		"form twice":           {inForm, form("access_token=good&access_token=x"), 400},
		"form, malformed":      {inForm, form("access_token=good&x=%zz"), 400},
		"form, another type":   {inForm, typed, 401},
		"form in a GET":        {inForm, got, 401},
		"form too large":       {inForm, form("access_token=good&x=" + strings.Repeat("a", 64<<10)), 400},
		"form and query":       {all, form("access_token=good"), 400},
		"extract":              {cookie, get("/", "Cookie", "token=good"), 200},
		"extract and header":   {cookie, get("/", "Cookie", "token=good", "Authorization", "Bearer good"), 400},
		"extract fails":        {introspect.Lookup{Extract: func(*http.Request) (string, error) { return "", errors.New("x") }}, get("/"), 400},
		"another prefix":       {introspect.Lookup{Schemes: []string{"OAuth"}}, get("/", "Authorization", "oauth good"), 200},
		"not the prefix":       {introspect.Lookup{Schemes: []string{"OAuth"}}, get("/", "Authorization", "Bearer good"), 401},
		"header is off":        {introspect.Lookup{NoHeader: true, QueryField: "t"}, get("/", "Authorization", "Bearer good"), 401},
		"header off, query on": {introspect.Lookup{NoHeader: true, QueryField: "t"}, get("/?t=good", "Authorization", "Basic x"), 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, seen := serve(newGuard(func(g *introspect.Guard) { g.Lookup = c.lookup }), c.r)
			require.Equal(t, c.status, w.Code)
			require.Equal(t, c.status == 200, seen != nil)
			if c.status == 200 && c.lookup.QueryField != "" {
				require.Equal(t, "private", w.Header().Get("Cache-Control"))
			}
		})
	}
}

// The handler's request has no credentials and everything else. The original
// request does not change.
//
// Holds: house: credentials removed.
func TestGuard_RemovesCredentials(t *testing.T) {
	t.Parallel()
	original := bearer("Bearer good")
	original.Header.Set("X-Other", "kept")
	_, seen := serve(newGuard(), original)
	require.NotContains(t, seen.Header, "Authorization")
	require.Equal(t, "kept", seen.Header.Get("X-Other"))
	require.Contains(t, original.Header, "Authorization")

	_, seen = serve(newGuard(func(g *introspect.Guard) { g.KeepCredentials = true }), bearer("Bearer good"))
	require.Equal(t, "Bearer good", seen.Header.Get("Authorization"))

	lookup := func(l introspect.Lookup) func(*introspect.Guard) {
		return func(g *introspect.Guard) { g.Lookup = l }
	}
	_, seen = serve(newGuard(lookup(introspect.Lookup{QueryField: "access_token"})), form("a=b"))
	require.Equal(t, "q=1&r=2", seen.URL.RawQuery)
	require.Equal(t, "/notes?q=1&r=2", seen.RequestURI)

	_, seen = serve(newGuard(lookup(introspect.Lookup{FormField: "access_token"})), form("a=b%20c&access%5Ftoken=good&d=e"))
	body, err := io.ReadAll(seen.Body)
	require.NoError(t, err)
	require.Equal(t, "a=b%20c&d=e", string(body))
	require.Equal(t, int64(len(body)), seen.ContentLength)
	require.Equal(t, "11", seen.Header.Get("Content-Length"))
}

// The handler can read the whole body after it was searched for a token. A form
// that was parsed before is searched too.
//
// Holds: RFC 6750 section 2.
func TestLookup_BodyStaysReadable(t *testing.T) {
	t.Parallel()
	on := func(g *introspect.Guard) { g.Lookup.FormField, g.KeepCredentials = "access_token", true }
	_, seen := serve(newGuard(on), form("a=b&access_token=good"))
	require.NoError(t, seen.ParseForm())
	require.Equal(t, url.Values{"a": {"b"}, "access_token": {"good"}}, seen.PostForm)

	parsed := form("a=b&access_token=good")
	require.NoError(t, parsed.ParseForm())
	_, seen = serve(newGuard(func(g *introspect.Guard) { g.Lookup.FormField = "access_token" }), parsed)
	require.Equal(t, url.Values{"a": {"b"}}, seen.PostForm)
	require.NotContains(t, seen.Form, "access_token")
	require.Contains(t, parsed.PostForm, "access_token")

	r := form("a=b")
	r.Header.Set("Authorization", "Bearer good")
	_, seen = serve(newGuard(on), r)
	require.Equal(t, "b", seen.PostFormValue("a"))
}
