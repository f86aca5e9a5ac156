package frontchannel_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/frontchannel"
	"github.com/grantwell/grantwell/storage"
)

// variants are what a registered https://app.example/cb must never match.
var variants = []string{
	"https://app.example/cb/", "https://app.example/CB", "https://app.example/Cb", "https://app.example/cb/../evil",
	"https://app.example/cb/..;/evil", "https://app.example/cb%2f..", "https://app.example/cb%2F..%2Fevil",
	"https://app.example/cb?x=1", "https://app.example/cb?", "https://app.example/cb&x=1", "https://app.example/cb#f",
	"https://app.example/cb#", "https://app.example/%63b", "https://app.example/./cb", "https://app.example//cb",
	"https://app.example/cb;x", "https://app.example/cb.", "https://app.example/c", "https://app.example/", "https://app.example",
	"https://app.example.evil/cb", "https://app.example@evil/cb", "https://app.example:443/cb", "https://app.example:/cb",
	"https://app.example:80@evil/cb", "https://evil@app.example/cb", "https://user:pw@app.example/cb", `https://evil\@app.example/cb`,
	`https://app.example\@evil/cb`, `https://app.example\.evil/cb`, "https://appXexample/cb", "https://app.example*/cb", "https://*.example/cb",
	"https://evil.app.example/cb", "https://evil/?https://app.example/cb", "//app.example/cb", "/cb", "app.example/cb", "https:/app.example/cb",
	"https:app.example/cb", "https:///app.example/cb", `https:\\app.example\cb`, "http://app.example/cb", "HTTPS://app.example/cb", "Https://app.example/cb",
	"https://APP.example/cb", "https://app.EXAMPLE/cb", "https://app.example./cb", "https://аpp.example/cb", "https://app。example/cb",
	"https://app.example%2eevil/cb", "https://app.example%00.evil/cb", "https://app.exa\tmple/cb", "https://app.example/cb\t",
	"https://app.example/cb\n", "\nhttps://app.example/cb", " https://app.example/cb", "https://app.example/cb ", "https://app.example/c\r\nb",
	"https://app.example/\t/evil", "https://app.example/%09/evil", "https://[fe80::1%25eth0]/cb", "https://[::1", "http://[::1", "http://[::1]:x/cb", "https://[]/cb",
	"https://[::ffff:127.0.0.1]/cb", "https://127.0.0.1/cb", "javascript:alert(1)", "javascript://app.example/cb", "data:text/html,x",
	"vbscript:x", "file:///cb", "https://app.example/cb,https://evil/", "https://app.example/cb https://evil/", "https://", ":", "*", "%zz", "\x00",
}

// Whatever else is wrong with the request, a URI that is not registered is never redirected to.
//
// Holds R23, R24, R28, S27, S28.
func TestParse_RedirectURIMatchesByteForByte(t *testing.T) {
	t.Parallel()
	f := server(t, nil)
	for _, uri := range variants {
		for _, also := range [][]string{
			{}, {"response_type", "nonsense"}, {"response_type", "-"}, {"response_type", "token"}, {"scope", `"`}, {"scope", "nope"},
			{"request_uri", "https://evil/"}, {"request", "x"}, {"response_mode", "nope"}, {"response_mode", "form_post"},
			{"code_challenge", "x"}, {"audience", "nope"}, {"registration", "x"}, {"prompt", "none"},
		} {
			_, e := parse(t, f, request(append(also, "redirect_uri", uri)...))
			refusedOnPage(t, e, http.StatusBadRequest)
		}
		require.False(t, frontchannel.MatchRedirectURI(callback, uri), "%q", uri)
	}
}

// Holds R25, S28.
func TestMatchRedirectURI_LoopbackVariesInPortOnly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		registered, requested string
		want                  bool
	}{
		{"http://127.0.0.1/cb", "http://127.0.0.1/cb", true},
		{"http://127.0.0.1/cb", "http://127.0.0.1:4711/cb", true},
		{"http://127.0.0.1:8080/cb", "http://127.0.0.1:65535/cb", true},
		{"http://127.0.0.1:8080/cb", "http://127.0.0.1/cb", true},
		{"http://127.0.0.1:8080", "http://127.0.0.1:1", true},
		{"http://127.0.0.1/cb?x=1", "http://127.0.0.1:4711/cb?x=1", true},
		{"http://127.0.0.1?x=1", "http://127.0.0.1:4711?x=1", true},
		{"http://[::1]/cb", "http://[::1]:4711/cb", true},
		{"http://[::1]:80/cb", "http://[::1]:4711/cb", true},

		{"http://127.0.0.1/cb", "http://127.0.0.1:4711/cb/", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:4711/CB", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:4711/cb?x=1", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:4711/cb?", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:4711/cb#f", false},
		{"http://127.0.0.1/cb?x=1", "http://127.0.0.1:4711/cb?x=2", false},
		{"http://127.0.0.1/a/b", "http://127.0.0.1:4711/a%2Fb", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:4711/x/../cb", false},
		{"http://127.0.0.1/cb", "https://127.0.0.1:4711/cb", false},
		{"https://127.0.0.1/cb", "http://127.0.0.1:4711/cb", false},
		{"https://127.0.0.1/cb", "https://127.0.0.1:4711/cb", false},
		{"http://127.0.0.1/cb", "HTTP://127.0.0.1:4711/cb", false},
		{"http://127.0.0.1/cb", "http://[::1]:4711/cb", false},
		{"http://127.0.0.1/cb", "http://127.0.0.2:4711/cb", false},
		{"http://127.0.0.2/cb", "http://127.0.0.2:4711/cb", false},
		{"http://127.0.0.1/cb", "http://localhost:4711/cb", false},
		{"http://localhost/cb", "http://localhost:4711/cb", false},
		{"http://localhost:80/cb", "http://localhost:80/cb", true},
		{"http://127.0.0.1/cb", "http://127.1:4711/cb", false},
		{"http://127.0.0.1/cb", "http://0x7f000001/cb", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1.evil/cb", false},
		{"http://127.0.0.1", "http://127.0.0.1.evil", false},
		{"http://127.0.0.1", "http://127.0.0.11", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:80@evil/cb", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1@evil/cb", false},
		{"http://127.0.0.1/cb", "http://user:pw@127.0.0.1:4711/cb", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:80:90/cb", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:/cb", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:0/cb", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:080/cb", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:65536/cb", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:999999/cb", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:-1/cb", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:80%20/cb", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:٨٠/cb", false},
		{"http://127.0.0.1/cb", `http://127.0.0.1:80\@evil/cb`, false},
		{"http://[::1]/cb", "http://[::1%25lo]:80/cb", false},
		{"http://[::1]/cb", "http://[::1", false},
		{"http://[::1]/cb", "http://[::1].evil/cb", false},
		{"http://[::1]/cb", "http://[0:0:0:0:0:0:0:1]:80/cb", false},
		{"", "", false},
	} {
		require.Equal(t, c.want, frontchannel.MatchRedirectURI(c.registered, c.requested), "%q %q", c.registered, c.requested)
	}

	f := server(t, nil)
	r, e := parse(t, f, request("client_id", "app", "redirect_uri", "http://127.0.0.1:4711/cb", "code_challenge", challenge, "code_challenge_method", "S256"))
	require.Nil(t, e)
	require.Equal(t, "http://127.0.0.1:4711/cb", r.RedirectURI)
}

// Holds R26, R27, R28.
func TestParse_DangerousRedirectURIIsRefusedEvenIfRegistered(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{
		"http://app.example/cb", "http://10.0.0.1/cb", "javascript:alert(1)", "JavaScript:alert(1)", "javascript://x/%0aalert(1)",
		"data:text/html,x", "vbscript:x", "file:///etc/passwd", "blob:https://x/y", "about:blank", "https://app.example/cb#f",
		"https://u:p@app.example/cb", "https://*.example/cb", "https://app.example*", `https://app.example\cb`, "/cb", "https://app.example/a b",
	} {
		c := web()
		c.RedirectURIs = []string{uri}
		f := server(t, nil, c)
		_, e := parse(t, f, request("redirect_uri", uri))
		refusedOnPage(t, e, http.StatusBadRequest)
		_, e = parse(t, f, request("redirect_uri", "-"))
		refusedOnPage(t, e, http.StatusBadRequest)
	}
}

// Holds R29, S29.
func TestParse_AbsentRedirectURI(t *testing.T) {
	t.Parallel()
	none := web()
	none.ID, none.RedirectURIs = "none", nil
	f := server(t, nil, web(), app(), none)
	r, e := parse(t, f, request("redirect_uri", "-", "scope", "write"))
	require.Nil(t, e)
	require.Equal(t, callback, r.RedirectURI)
	require.False(t, r.RedirectURIGiven)

	for _, id := range []string{"app", "none"} {
		_, e = parse(t, f, request("client_id", id, "redirect_uri", "-"))
		refusedOnPage(t, e, http.StatusBadRequest)
	}
	twice := request()
	twice["redirect_uri"] = []string{callback, "https://evil/"}
	_, e = parse(t, f, twice)
	refusedOnPage(t, e, http.StatusBadRequest)
}

// A response parameter in the registered query would reach the client twice.
func TestParse_RegisteredQueryMustNotHoldResponseParameters(t *testing.T) {
	t.Parallel()
	for query, ok := range map[string]bool{
		"tenant=1": true, "codec=1": true, "": true, "x=code": true, "a=1&b=2": true,
		"code=1": false, "a=1&state=2": false, "c%6Fde=1": false, "state": false, "a;iss=x": false, "error=": false,
	} {
		c := web()
		c.RedirectURIs = []string{callback + "?" + query}
		_, e := parse(t, server(t, nil, c), request("redirect_uri", c.RedirectURIs[0]))
		if ok {
			require.Nil(t, e, query)
		} else {
			refusedOnPage(t, e, http.StatusBadRequest)
		}
	}
}

// A match is equality, or two literal loopback http URLs that are equal without their ports.
func FuzzMatchRedirectURI(f *testing.F) {
	for _, uri := range variants {
		f.Add(callback, uri)
		f.Add("http://127.0.0.1/cb", strings.Replace(uri, "https://app.example", "http://127.0.0.1:80", 1))
	}
	f.Add("http://[::1]:1/cb?x", "http://[::1]/cb?x")
	f.Fuzz(func(t *testing.T, registered, requested string) {
		if !frontchannel.MatchRedirectURI(registered, requested) {
			return
		}
		require.NoError(t, storage.CheckRedirectURI(requested))
		if registered == requested {
			return
		}
		// Strip what follows the host by hand: the port is the longest run of digits after one colon.
		strip := func(uri string) string {
			for _, host := range []string{"http://127.0.0.1", "http://[::1]"} {
				if rest, ok := strings.CutPrefix(uri, host); ok {
					if port, ok := strings.CutPrefix(rest, ":"); ok {
						rest = strings.TrimLeft(port, "0123456789")
						require.NotEqual(t, port, rest)
					}
					require.True(t, rest == "" || rest[0] == '/' || rest[0] == '?', uri)
					return host + rest
				}
			}
			t.Fatalf("%q matched %q", registered, requested)
			return ""
		}
		require.Equal(t, strip(registered), strip(requested))
	})
}
