package authorize_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/room/authorize"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
)

// variants are URIs that a registered https://app.example/cb must never match.
var variants = []string{
	"https://app.example/cb/", "https://app.example/CB", "https://app.example/Cb", "https://app.example/cb/../evil",
	"https://app.example/cb/..;/evil", "https://app.example/cb%2f..", "https://app.example/cb%2F..%2Fevil",
	"https://app.example/cb?x=1", "https://app.example/cb?", "https://app.example/cb&x=1", "https://app.example/cb#f",
	"https://app.example/cb#", "https://app.example/%63b", "https://app.example/./cb", "https://app.example//cb",
	"https://app.example/cb;x", "https://app.example/cb.", "https://app.example/c", "https://app.example/",
	"https://app.example", "https://app.example.evil/cb", "https://app.example@evil/cb", "https://app.example:443/cb",
	"https://app.example:/cb", "https://app.example:80@evil/cb", "https://evil@app.example/cb",
	"https://user:pw@app.example/cb", `https://evil\@app.example/cb`, `https://app.example\@evil/cb`,
	`https://app.example\.evil/cb`, "https://appXexample/cb", "https://app.example*/cb", "https://*.example/cb",
	"https://evil.app.example/cb", "https://evil/?https://app.example/cb", "//app.example/cb", "/cb",
	"app.example/cb", "https:/app.example/cb", "https:app.example/cb", "https:///app.example/cb",
	`https:\\app.example\cb`, "http://app.example/cb", "HTTPS://app.example/cb", "Https://app.example/cb",
	"https://APP.example/cb", "https://app.EXAMPLE/cb", "https://app.example./cb", "https://аpp.example/cb",
	"https://app。example/cb", "https://app.example%2eevil/cb", "https://app.example%00.evil/cb",
	"https://app.exa\tmple/cb", "https://app.example/cb\t", "https://app.example/cb\n", "\nhttps://app.example/cb",
	" https://app.example/cb", "https://app.example/cb ", "https://app.example/c\r\nb", "https://app.example/\t/evil",
	"https://app.example/%09/evil", "https://[fe80::1%25eth0]/cb", "https://[::1", "http://[::1", "http://[::1]:x/cb",
	"https://[]/cb", "https://[::ffff:127.0.0.1]/cb", "https://127.0.0.1/cb", "javascript:alert(1)",
	"javascript://app.example/cb", "data:text/html,x", "vbscript:x", "file:///cb",
	"https://app.example/cb,https://evil/", "https://app.example/cb https://evil/", "https://", ":", "*", "%zz", "\x00",
}

// A URI that is not registered is never redirected to, whatever else is wrong with
// the request.
//
// Holds: RFC 6749 section 3.1.2; RFC 6749 section 3.1.2.4; RFC 9700 section 2.1.
func TestRedirectURI_MatchesByteForByte(t *testing.T) {
	t.Parallel()
	r := room(t, nil)
	for _, uri := range variants {
		for _, also := range [][]string{
			{}, {"response_type", "nonsense"}, {"response_type", "-"}, {"response_type", "token"},
			{"scope", `"`}, {"scope", "nope"}, {"request_uri", "https://evil/"}, {"request", "x"},
			{"response_mode", "nope"}, {"response_mode", "form_post"}, {"code_challenge", "x"},
			{"audience", "nope"}, {"registration", "x"}, {"prompt", "none"},
		} {
			_, e := parse(t, r, request(append(also, "redirect_uri", uri)...))
			refusedOnPage(t, e, http.StatusBadRequest)
		}
	}
}

// matches reports whether a client with one registered redirect URI may use another.
func matches(t testing.TB, registered, requested string) bool {
	t.Helper()
	c := web()
	c.RedirectURIs = []string{registered}
	r := room(t, nil, c)
	r.PKCE = nil
	a, err := r.Validate(t.Context(), request("redirect_uri", requested), "", time.Time{})
	if err != nil {
		return a.Verified() // an error that goes back has found where to
	}

	return true
}

// RFC 8252 section 7.3.
//
// Holds: RFC 8252 section 7.3; RFC 9700 section 2.1.
func TestRedirectURI_LoopbackVariesInPortOnly(t *testing.T) {
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
		require.Equal(t, c.want, matches(t, c.registered, c.requested), "%q %q", c.registered, c.requested)
	}

	a, e := parse(t, room(t, nil), request("client_id", "app", "redirect_uri", "http://127.0.0.1:4711/cb",
		"code_challenge", challenge, "code_challenge_method", "S256"))
	require.Nil(t, e)
	require.Equal(t, "http://127.0.0.1:4711/cb", a.RedirectURI)
}

// Holds: RFC 6749 section 3.1.2; RFC 9700 section 2.6;
// house: safe redirect registration.
func TestRedirectURI_DangerousOneIsRefusedEvenIfRegistered(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{
		"http://app.example/cb", "http://10.0.0.1/cb", "javascript:alert(1)", "JavaScript:alert(1)",
		"javascript://x/%0aalert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "blob:https://x/y",
		"about:blank", "https://app.example/cb#f", "https://u:p@app.example/cb", "https://*.example/cb",
		"https://app.example*", `https://app.example\cb`, "/cb", "https://app.example/a b",
	} {
		c := web()
		c.RedirectURIs = []string{uri}
		r := room(t, nil, c)
		_, e := parse(t, r, request("redirect_uri", uri))
		refusedOnPage(t, e, http.StatusBadRequest)
		_, e = parse(t, r, request("redirect_uri", "-"))
		refusedOnPage(t, e, http.StatusBadRequest)
	}
}

// Holds: RFC 6749 section 3.1.2.3.
func TestRedirectURI_MayBeAbsentIfOneIsRegistered(t *testing.T) {
	t.Parallel()
	none := web()
	none.ID = "none"
	none.RedirectURIs = nil
	r := room(t, nil, web(), app(), none)
	a, e := parse(t, r, request("redirect_uri", "-", "scope", "write"))
	require.Nil(t, e)
	require.Equal(t, callback, a.RedirectURI)
	require.False(t, a.RedirectURIGiven)

	for _, id := range []string{"app", "none"} {
		_, e = parse(t, r, request("client_id", id, "redirect_uri", "-"))
		refusedOnPage(t, e, http.StatusBadRequest)
	}
	twice := request()
	twice["redirect_uri"] = []string{callback, "https://evil/"}
	_, e = parse(t, r, twice)
	refusedOnPage(t, e, http.StatusBadRequest)
}

// OpenID Connect Core section 3.1.2.1 requires redirect_uri, and without one there is
// nowhere to redirect to.
func TestRedirectURI_OpenIDWithoutOneIsAPage(t *testing.T) {
	t.Parallel()
	r := room(t, nil)
	for _, uri := range []string{"-", ""} {
		for _, scope := range []string{"openid", "read openid", " openid  read"} {
			_, e := parse(t, r, request("redirect_uri", uri, "scope", scope))
			refusedOnPage(t, e, http.StatusBadRequest)
			require.Equal(t, "invalid_request", e.Code)
		}
		twice := request("redirect_uri", uri)
		twice["scope"] = []string{"read", "read"}
		_, e := parse(t, r, twice)
		refusedAtClient(t, e, "invalid_request")

		for scope, ok := range map[string]bool{"-": true, "read": true, "openid\tread": false} {
			a, e := parse(t, r, request("redirect_uri", uri, "scope", scope))
			if !ok {
				refusedAtClient(t, e, "invalid_scope")
				continue
			}
			require.Nil(t, e)
			require.Equal(t, callback, a.RedirectURI)
			require.False(t, a.RedirectURIGiven)
		}
	}
}

// A response parameter in the registered query would reach the client twice.
func TestRedirectURI_QueryMustNotHoldResponseParameters(t *testing.T) {
	t.Parallel()
	for query, ok := range map[string]bool{
		"tenant=1": true, "codec=1": true, "": true, "x=code": true, "a=1&b=2": true,
		"code=1": false, "a=1&state=2": false, "c%6Fde=1": false, "state": false, "a;iss=x": false, "error=": false,
	} {
		c := web()
		c.RedirectURIs = []string{callback + "?" + query}
		_, e := parse(t, room(t, nil, c), request("redirect_uri", c.RedirectURIs[0]))
		if ok {
			require.Nil(t, e, query)
		} else {
			refusedOnPage(t, e, http.StatusBadRequest)
		}
	}
}

// An error travels in the same way as a success.
//
// Holds: RFC 6749 section 3.1.1; RFC 9207 section 2.
func TestRedirectURI_ErrorTravelsAsASuccessWould(t *testing.T) {
	t.Parallel()
	r := room(t, nil)
	for types, code := range map[string]string{
		"-": "invalid_request", "nonsense": "unsupported_response_type", "token": "unauthorized_client",
	} {
		form := request("response_type", types)
		_, e := parse(t, r, form)
		refusedAtClient(t, e, code)
		res := open(t, r, form)
		require.Equal(t, http.StatusSeeOther, res.StatusCode)
		location, err := url.Parse(res.Header.Get("Location"))
		require.NoError(t, err)
		got := location.Query()
		if types == "token" {
			got, err = url.ParseQuery(location.Fragment)
			require.NoError(t, err)
		}
		require.Equal(t, url.Values{
			"error":             {code},
			"error_description": {e.Description},
			"state":             {"xyzzy"},
			"iss":               {issuer},
		}, got)
	}
}

// A match is equality, or two literal loopback http URLs that are equal without their
// ports.
func FuzzRedirectURI(f *testing.F) {
	for _, uri := range variants {
		f.Add(callback, uri)
		f.Add("http://127.0.0.1/cb", strings.Replace(uri, "https://app.example", "http://127.0.0.1:80", 1))
	}
	f.Add("http://[::1]:1/cb?x", "http://[::1]/cb?x")
	f.Fuzz(func(t *testing.T, registered, requested string) {
		if requested == "" || requested == "-" || !matches(t, registered, requested) {
			return
		}
		require.NoError(t, storage.CheckRedirectURI(requested))
		if registered == requested {
			return
		}
		require.Equal(t, withoutPort(t, registered), withoutPort(t, requested))
	})
}

// withoutPort cuts the port out of a loopback URI by hand: it is the longest run of
// digits after one colon.
func withoutPort(t *testing.T, uri string) string {
	t.Helper()
	for _, host := range []string{"http://127.0.0.1", "http://[::1]"} {
		rest, ok := strings.CutPrefix(uri, host)
		if !ok {
			continue
		}
		if port, ok := strings.CutPrefix(rest, ":"); ok {
			rest = strings.TrimLeft(port, "0123456789")
			require.NotEqual(t, port, rest)
		}
		require.True(t, rest == "" || rest[0] == '/' || rest[0] == '?', uri)
		return host + rest
	}
	t.Fatalf("%q matched another URI", uri)

	return ""
}

// An answer goes to a registered URI or is a page, and carries the state unchanged.
func FuzzParseAndRespond(f *testing.F) {
	f.Add("web", "code", callback, "read", "s", "query", challenge, "S256", "urn:files")
	f.Add("spa", "token code", callback, "read  write", `"><`, "form_post", "", "", "")
	f.Add("app", "code", "http://[::1]:1/cb?x=1", "read", "é\n", "fragment", challenge, "S256", "")
	f.Add("spa", "token", callback, "\"", "", "query", "x", "", " ")
	r := room(f, nil)
	f.Fuzz(func(t *testing.T, client, types, uri, scope, state, mode, challenge, method, audience string) {
		a, e := parse(t, r, url.Values{
			"client_id":             {client},
			"response_type":         {types},
			"redirect_uri":          {uri},
			"scope":                 {scope},
			"state":                 {state},
			"response_mode":         {mode},
			"code_challenge":        {challenge},
			"code_challenge_method": {method},
			"audience":              {audience},
		})
		params := seam.Params{{Name: "code", Value: "c"}}
		if e != nil {
			if a = e.To; a == nil {
				return
			}
			params = seam.Params{{Name: "error", Value: e.Code}, {Name: "error_description", Value: e.Description}}
		}
		registered := false
		for _, known := range a.Client.RedirectURIs {
			registered = registered || matches(t, known, a.RedirectURI)
		}
		require.True(t, registered, "only ever to a registered URI")
		require.Equal(t, state, a.State)
		travels(t, r, a, params)
	})
}

// travels answers a request and checks where the answer goes.
func travels(t *testing.T, r *authorize.Room, a *seam.Authorization, params seam.Params) {
	t.Helper()
	w := httptest.NewRecorder()
	r.Frame.Respond(w, a, params)
	if a.ResponseMode == "form_post" {
		require.Equal(t, http.StatusOK, w.Code)
		return
	}

	require.Equal(t, http.StatusSeeOther, w.Code)
	rest, ok := strings.CutPrefix(w.Header().Get("Location"), a.RedirectURI)
	require.True(t, ok)
	got, err := url.ParseQuery(rest[1:])
	require.NoError(t, err)
	require.Equal(t, a.State, got.Get("state"))
}
