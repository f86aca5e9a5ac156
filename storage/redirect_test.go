package storage_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// A redirect URI that a browser must not follow is refused at registration.
//
// Holds: RFC 7591 section 3.2.2; RFC 9700 section 2.6;
// house: safe redirect registration.
func TestCheckRedirectURI_RefusesWhatABrowserMustNotFollow(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"https://app.example/cb", "https://app.example", "https://app.example:8443/cb?a=1&b=%20", "https://xn--bcher-kva.example/cb",
		"http://localhost/cb", "http://localhost:3000/cb", "http://127.0.0.1:8080/cb", "http://127.9.9.9/", "http://[::1]:8080/cb",
		"com.example.app:/oauth2redirect", "com.example.app://callback/path", "https://app.example/" + strings.Repeat("x", 2048-20),
	} {
		require.NoError(t, storage.CheckRedirectURI(good), good)
	}
	for what, bad := range map[string]string{
		"empty": "", "blank": "  \t", "relative": "/cb", "no scheme": "app.example/cb", "network path": "//app.example/cb",
		"fragment": "https://app.example/cb#x", "empty fragment": "https://app.example/cb#",
		"javascript": "javascript:alert(1)", "javascript with case": "JavaScript:alert(1)", "javascript with slashes": "javascript://app.example/%0aalert(1)",
		"data": "data:text/html,<script>", "data, plain": "data:text/html;base64,PHNjcmlwdD4=", "vbscript": "vbscript:x", "file": "file:///etc/passwd",
		"blob": "blob:https://app.example/1", "about": "about:blank", "filesystem": "filesystem:https://app.example/x", "view-source": "view-source:https://app.example",
		"plain http": "http://app.example/cb", "http to a private address": "http://10.0.0.1/cb", "looks local": "http://localhost.evil.example/cb",
		"looks like loopback": "http://127.0.0.1.evil.example/cb", "unspecified address": "http://0.0.0.0/cb", "unspecified address 6": "http://[::]/cb",
		"loopback in decimal": "http://2130706433/cb", "loopback in octal": "http://0177.0.0.1/cb",
		"wildcard host": "https://*.example/cb", "wildcard": "https://app.example*/cb", "bare wildcard": "*",
		"user": "https://user@app.example/cb", "password": "https://app.example:443@evil.example/", "no host": "https:///cb", "opaque https": "https:app.example",
		"port alone": "https://:443/cb", "upper-case host": "https://App.example/cb", "upper-case scheme": "HTTPS://app.example/cb",
		"backslash": `https://app.example\@evil.example/`, "tab": "https://app.example/\tcb", "line break": "https://app.example/cb\r\nX: y", "space": "https://app.example/a b",
		"leading space": " https://app.example/cb", "trailing space": "https://app.example/cb ", "NUL": "https://app.example/\x00",
		"not ASCII": "https://bücher.example/cb", "dot that is none": "https://app。example/cb", "escaped host": "https://app%2eexample/cb", "zone": "http://[::1%25eth0]/cb",
		"scheme without a dot": "myapp:/cb", "scheme without a dot, with host": "myapp://callback", "mailto": "mailto:a@b.example",
		"template": "https://{tenant}.example/cb", "quote": `https://app.example/"onload="x`, "markup": "https://app.example/<script>",
		"bad escape": "https://app.example/%zz", "long": "https://app.example/" + strings.Repeat("a", 2048),
	} {
		t.Run(what, func(t *testing.T) {
			require.Error(t, storage.CheckRedirectURI(bad), "%q", bad)
			c := storage.Client{ID: "c", AuthMethod: storage.AuthNone, RedirectURIs: []string{"https://app.example/cb", bad}}
			require.ErrorContains(t, c.Validate(), "redirect_uris")
		})
	}
}

func FuzzCheckRedirectURI(f *testing.F) {
	for _, s := range []string{"https://app.example/cb", "javascript:x", "http://127.0.0.1:1/", "com.example:/x", "https://[::1", "https://a\\b", "//x", "%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if storage.CheckRedirectURI(raw) != nil {
			return
		}
		lower := strings.ToLower(raw)
		for _, never := range []string{"javascript:", "data:", "vbscript:", "file:", "blob:"} {
			require.False(t, strings.HasPrefix(lower, never))
		}
		require.NotContains(t, raw, "#")
		require.LessOrEqual(t, len(raw), 2048)
		for i := range len(raw) {
			require.True(t, raw[i] > 0x20 && raw[i] < 0x7f && raw[i] != '\\')
		}
	})
}

// A wildcard is refused in any part of a redirect URI.
//
// Holds: RFC 9700 section 2.1.
func TestCheckRedirectURI_Wildcards(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{"https://*.example/cb", "https://example.com*", "https://app.example/*", "https://app.example/cb?x=*", "com.example.app:/*"} {
		require.ErrorContains(t, storage.CheckRedirectURI(uri), "wildcard", uri)
	}
}

// A redirect URI whose query has a parameter of the response is refused at
// registration, because the client would receive that parameter twice.
// Holds: RFC 6749 section 3.1.2; RFC 6749 section 3.2.
func TestCheckRedirectURI_ResponseParameters(t *testing.T) {
	t.Parallel()
	for query, ok := range map[string]bool{
		"": true, "tenant=1": true, "codec=1": true, "x=code": true, "a=1&b=2": true, "error_uri_of=x": true,
		"code=1": false, "a=1&state=2": false, "c%6Fde=1": false, "state": false, "a;iss=x": false, "error=": false,
		"error_description=x": false, "access_token=x": false, "id_token=": false, "response=x": false, "%63ode": false,
	} {
		err := storage.CheckRedirectURI("https://app.example/cb?" + query)
		if ok {
			require.NoError(t, err, query)
			continue
		}
		require.ErrorContains(t, err, "parameter of the response", query)
		c := storage.Client{ID: "c", Secrets: []storage.Secret{storage.HashSecret("s")}, RedirectURIs: []string{"https://app.example/cb?" + query}}
		require.ErrorContains(t, c.Validate(), "redirect_uris", query)
	}
}
