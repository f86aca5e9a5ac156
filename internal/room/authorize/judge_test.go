package authorize_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/room/authorize"
	"github.com/grantwell/grantwell/internal/room/scope"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
)

// Holds: RFC 6749 section 3.1.2.3.
func TestJudge_ResolvesARequest(t *testing.T) {
	t.Parallel()
	r := room(t, nil)
	form := request("scope", "write  read write ", "state", "a+b&c=%2Fü", "code_challenge", challenge,
		"code_challenge_method", "S256", "prompt", "login", "unknown", "x")
	form["resource"] = []string{"https://api.example/", "urn:files"}
	form["audience"] = []string{"urn:files https://api.example/"}
	before := maps.Clone(form)
	a, e := parse(t, r, form)
	require.Nil(t, e)
	require.Equal(t, before, form, "the caller's form is untouched")
	client := web()
	form.Del("unknown") // only what is read is kept
	require.EqualExportedValues(t, seam.Authorization{
		Client:           &client,
		ResponseType:     "code",
		Types:            []string{"code"},
		ResponseMode:     "query",
		RedirectURI:      callback,
		RedirectURIGiven: true,
		State:            "a+b&c=%2Fü",
		StateGiven:       true,
		Scope:            []string{"write", "read"},
		Audience:         []string{"https://api.example/", "urn:files"},
		Challenge:        challenge,
		ChallengeMethod:  "S256",
		Prompt:           []string{"login"},
		Params:           form,
	}, *a)

	t.Run("the least", func(t *testing.T) {
		t.Parallel()
		a, e := parse(t, r, url.Values{"client_id": {"web"}, "response_type": {"code"}})
		require.Nil(t, e)
		require.Equal(t, callback, a.RedirectURI)
		require.False(t, a.RedirectURIGiven)
		require.False(t, a.StateGiven)
		require.Equal(t, []string{"read", "write"}, a.Scope, "RFC 6749 section 3.3")
		require.Empty(t, a.Audience)
	})
}

// A parameter without a value is a parameter that was not sent (RFC 6749 section
// 3.1).
//
// Holds: RFC 6749 section 3.1.
func TestJudge_EmptyIsOmitted(t *testing.T) {
	t.Parallel()
	r := room(t, nil)
	bare := url.Values{"client_id": {"web"}, "response_type": {"code"}}
	want, e := parse(t, r, bare)
	require.Nil(t, e)
	form := maps.Clone(bare)
	for _, name := range []string{
		"redirect_uri", "state", "scope", "resource", "audience", "response_mode",
		"code_challenge", "code_challenge_method", "request", "request_uri", "registration",
		"prompt", "max_age", "login_hint",
	} {
		form[name] = []string{""}
	}
	got, e := parse(t, r, form)
	require.Nil(t, e)
	want.Params = nil
	got.Params = nil
	require.Equal(t, want, got)

	for _, name := range []string{"client_id", "response_type"} {
		_, e := parse(t, r, request(name, ""))
		require.NotNil(t, e)
		require.Equal(t, "invalid_request", e.Code)
	}
}

// Holds: RFC 6749 section 3.1.2.4; RFC 6749 section 4.1.2.1.
func TestJudge_UnknownClientIsAPage(t *testing.T) {
	t.Parallel()
	off := web()
	off.ID = "off"
	off.Disabled = true
	store := &registry{clients: []storage.Client{web(), off}}
	r := room(t, func(r *authorize.Room) { r.Live.Clients = store })
	var text string
	for _, id := range []string{"nobody", "off", "WEB", "w\x00b", "web\n", "wéb", strings.Repeat("a", 256)} {
		_, e := parse(t, r, request("client_id", id))
		refusedOnPage(t, e, http.StatusBadRequest)
		require.Equal(t, "invalid_client", e.Code)
		if text == "" {
			text = e.Description
		}
		require.Equal(t, text, e.Description, "the cause is for the operator")
		require.Error(t, e.Err)
	}
	require.Equal(t, 3, store.calls, "malformed IDs never reach the store")

	_, e := parse(t, r, request("client_id", "-"))
	refusedOnPage(t, e, http.StatusBadRequest)
	twice := request()
	twice["client_id"] = []string{"web", "web"}
	_, e = parse(t, r, twice)
	refusedOnPage(t, e, http.StatusBadRequest)
}

// A broken store is not an unknown client, and its error stays with the operator.
func TestJudge_StoreFailureIsAPageNotARedirect(t *testing.T) {
	t.Parallel()
	broken := errors.New("no route to host 10.0.0.7")
	r := room(t, func(r *authorize.Room) { r.Live.Clients = &registry{err: broken} })
	_, e := parse(t, r, request())
	refusedOnPage(t, e, http.StatusServiceUnavailable)
	require.ErrorIs(t, e, broken)
	require.NotContains(t, e.Description, "10.0.0.7")
}

// Without a grant that begins here there is no client to redirect to.
func TestJudge_WithoutGrantsIsAPage(t *testing.T) {
	t.Parallel()
	r := room(t, func(r *authorize.Room) { r.Types = nil })
	_, e := parse(t, r, request())
	refusedOnPage(t, e, http.StatusBadRequest)
	require.Equal(t, "invalid_request", e.Code)
}

// Requests at the same time share nothing that one of them writes: run with -race.
func TestJudge_IsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	r := room(t, nil)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for range 20 {
				form := request("state", "s")
				if i%2 == 1 {
					form.Set("scope", "nope")
				}
				_, err := r.Validate(t.Context(), form, "", time.Time{})
				if (err == nil) != (i%2 == 0) {
					t.Error("wrong answer")
				}
			}
		})
	}
	wg.Wait()
}

// RFC 6749 section 3.3: a scope is split at spaces, and has visible ASCII characters
// without quote and backslash.
//
// Holds: RFC 6749 section 3.3.
func TestJudge_Scope(t *testing.T) {
	t.Parallel()
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprint("s", i)
	}
	c := web()
	c.Scope = append(c.Scope, many...)
	r := room(t, nil, c)
	for sent, want := range map[string][]string{
		"read":                        {"read"},
		"  write   read write ":       {"write", "read"},
		" ":                           append([]string{"read", "write"}, many...),
		strings.Join(many[:100], " "): many[:100],
		strings.Repeat("read ", 100):  {"read"},
	} {
		a, e := parse(t, r, request("scope", sent))
		require.Nil(t, e, "%v", e)
		require.Equal(t, want, a.Scope)
	}
	malformed := []string{
		`re"ad`, `re\ad`, "read\twrite", "read\nwrite", "réad", "read\u00a0write",
		strings.Repeat("a", 257), strings.Join(many, " "), strings.Repeat("a ", 10_000),
	}
	for _, sent := range append(malformed, "admin", "read admin", "READ", "read.*", "*") {
		_, e := parse(t, r, request("scope", sent))
		refusedAtClient(t, e, "invalid_scope")
	}

	t.Run("a rule of the host", func(t *testing.T) {
		t.Parallel()
		r := room(t, hostDecides)
		a, e := parse(t, r, request("scope", "read admin"))
		require.Nil(t, e)
		require.Equal(t, []string{"read", "admin"}, a.Scope)
		for _, sent := range malformed {
			_, e = parse(t, r, request("scope", sent))
			refusedAtClient(t, e, "invalid_scope")
		}
	})
	t.Run("the client's default", func(t *testing.T) {
		t.Parallel()
		c := web()
		c.DefaultScope = []string{"write"}
		for _, sent := range []string{"-", "", " "} {
			a, e := parse(t, room(t, nil, c), request("scope", sent))
			require.Nil(t, e)
			require.Equal(t, []string{"write"}, a.Scope)
		}
	})
	t.Run("neither scope nor default", func(t *testing.T) {
		t.Parallel()
		c := web()
		c.Scope, c.DefaultScope = nil, nil
		r := room(t, func(r *authorize.Room) { r.Scopes = &scope.Rules{} }, c)
		_, e := parse(t, r, request("scope", "-"))
		refusedAtClient(t, e, "invalid_scope")
	})
}

// A scope is registered for the client byte for byte, or the host's rule decides on
// it.
func TestJudge_ScopeMustBeRegistered(t *testing.T) {
	t.Parallel()
	bare := web()
	bare.ID = "bare"
	bare.Scope = nil
	patterns := web()
	patterns.ID = "patterns"
	patterns.Scope = []string{"*", "files.*", "read write"}
	strict := room(t, nil, web(), bare, patterns)
	lax := room(t, hostDecides, web(), bare, patterns)
	for _, c := range []struct {
		client, scope string
		registered    bool
	}{
		{"web", "read", true},
		{"web", "write read openid", true},
		{"web", "read admin", false},
		{"web", "admin read", false},
		{"web", "Read", false},
		{"web", "read.all", false},
		{"web", "rea", false},
		{"bare", "read", false},
		{"patterns", "*", true},
		{"patterns", "files.read", false},
		{"patterns", "read", false},
	} {
		form := request("client_id", c.client, "scope", c.scope)
		a, e := parse(t, strict, form)
		if c.registered {
			require.Nil(t, e, "%v", c)
			require.Equal(t, strings.Fields(c.scope), a.Scope)
		} else {
			refusedAtClient(t, e, "invalid_scope")
		}
		a, e = parse(t, lax, form)
		require.Nil(t, e, "%v", c)
		require.Equal(t, strings.Fields(c.scope), a.Scope)
	}
}

// The host's rule is about scopes: it lets no audience and no resource pass.
func TestJudge_AudienceMustBeRegisteredWhateverTheScopeRule(t *testing.T) {
	t.Parallel()
	r := room(t, hostDecides)
	for _, name := range []string{"audience", "resource"} {
		_, e := parse(t, r, request(name, "https://other.example/", "scope", "anything"))
		refusedAtClient(t, e, "invalid_target")
	}
	// An audience that is registered does not let a resource beside it pass.
	_, e := parse(t, r, request("audience", "urn:files", "resource", "https://other.example/"))
	refusedAtClient(t, e, "invalid_target")
}

// Client metadata in the request (OpenID Connect Core section 7.2.1) are refused,
// never ignored.
func TestJudge_RegistrationIsRefused(t *testing.T) {
	t.Parallel()
	r := room(t, nil)
	for _, value := range []string{"{}", "null", " ", `{"redirect_uris":["https://evil.example/"]}`} {
		for _, scope := range []string{"read", "openid"} {
			_, e := parse(t, r, request("registration", value, "scope", scope))
			refusedAtClient(t, e, "registration_not_supported")
			require.Equal(t, callback, e.To.RedirectURI)
		}
	}
}

// Holds: RFC 8707 section 2.
func TestJudge_Audience(t *testing.T) {
	t.Parallel()
	r := room(t, nil)
	for name, values := range map[string][]string{
		"resource": {"https://api.example/"},
		"audience": {"https://api.example/ urn:files", "urn:files"},
	} {
		form := request()
		form[name] = values
		a, e := parse(t, r, form)
		require.Nil(t, e, "%v", e)
		require.Equal(t, "https://api.example/", a.Audience[0])
	}
	many := make([]string, 101)
	for i := range many {
		many[i] = "https://api.example/"
	}
	for name, lists := range map[string][][]string{
		"resource": {
			{"https://api.example/#f"}, {"https://api.example/#"}, {"api.example"}, {"/"},
			{"https://other.example/"}, {"https://api.example/ urn:files"}, {"https://api.example"},
			{"https://api.example/../admin"}, {"https://API.example/"},
			{"https://api.example/", "urn:other"}, {"%zz"}, many,
		},
		"audience": {
			{"other"}, {"urn:files other"}, {"urn:files", "other"},
			{strings.Repeat("a ", 10)}, {"urn:FILES"}, many,
		},
	} {
		for _, values := range lists {
			form := request()
			form[name] = values
			_, e := parse(t, r, form)
			refusedAtClient(t, e, "invalid_target")
		}
	}
	// A store may hold what registration refuses: it is refused here too.
	legacy := web()
	legacy.Audience = []string{"https://api.example/#f", "relative", "https://api.example/ x"}
	for _, uri := range legacy.Audience {
		_, e := parse(t, room(t, nil, legacy), request("resource", uri))
		refusedAtClient(t, e, "invalid_target")
	}
	none := web()
	none.Audience = nil
	_, e := parse(t, room(t, nil, none), request("audience", "urn:files"))
	refusedAtClient(t, e, "invalid_target")
}

// Holds: RFC 7636 section 4.2; RFC 7636 section 4.3; RFC 7636 section 4.4.1.
func TestJudge_PKCE(t *testing.T) {
	t.Parallel()
	strict := web()
	strict.ID = "strict"
	strict.RequirePKCE = true
	implicit := spa()
	implicit.ID = "implicit"
	implicit.AuthMethod = storage.AuthNone
	rule := func(g grants.AuthorizationCode) *authorize.Room {
		return room(t, func(r *authorize.Room) { r.PKCE = g }, web(), app(), spa(), strict, implicit)
	}
	safe := rule(grants.AuthorizationCode{})
	plain := rule(grants.AuthorizationCode{AllowPlainPKCE: true})
	every := rule(grants.AuthorizationCode{RequirePKCE: true})
	lax := rule(grants.AuthorizationCode{PublicWithoutPKCE: true})
	const cb = "http://127.0.0.1:1/cb"
	for name, c := range map[string]struct {
		room                     *authorize.Room
		client, uri              string
		types, challenge, method string
		ok                       bool
		want                     string
	}{
		"S256":                          {safe, "app", cb, "code", challenge, "S256", true, "S256"},
		"public without":                {safe, "app", cb, "code", "-", "-", false, ""},
		"public without, allowed":       {lax, "app", cb, "code", "-", "-", true, ""},
		"confidential without":          {safe, "web", callback, "code", "-", "-", true, ""},
		"client requires":               {safe, "strict", callback, "code", "-", "-", false, ""},
		"client requires, although lax": {lax, "strict", callback, "code", "-", "-", false, ""},
		"server requires":               {every, "web", callback, "code", "-", "-", false, ""},
		"server requires, sent":         {every, "web", callback, "code", challenge, "S256", true, "S256"},
		"plain":                         {safe, "web", callback, "code", challenge, "plain", false, ""},
		"plain by omission":             {safe, "web", callback, "code", challenge, "-", false, ""},
		"plain allowed":                 {plain, "web", callback, "code", challenge, "plain", true, "plain"},
		"plain allowed by omission":     {plain, "web", callback, "code", challenge, "-", true, "plain"},
		"unknown method":                {plain, "web", callback, "code", challenge, "S512", false, ""},
		"method in lower case":          {plain, "web", callback, "code", challenge, "s256", false, ""},
		"method without challenge":      {lax, "web", callback, "code", "-", "S256", false, ""},
		"43 characters":                 {safe, "web", callback, "code", strings.Repeat("~", 43), "S256", true, "S256"},
		"128 characters":                {safe, "web", callback, "code", strings.Repeat("-._~", 32), "S256", true, "S256"},
		"42 characters":                 {safe, "web", callback, "code", challenge[:42], "S256", false, ""},
		"129 characters":                {safe, "web", callback, "code", strings.Repeat("a", 129), "S256", false, ""},
		"padding":                       {safe, "web", callback, "code", challenge + "=", "S256", false, ""},
		"base64":                        {safe, "web", callback, "code", challenge[:42] + "+", "S256", false, ""},
		"not ASCII":                     {safe, "web", callback, "code", challenge + "é", "S256", false, ""},
		"no code: none needed":          {safe, "implicit", callback, "token", "-", "-", true, ""},
		"no code: without effect":       {safe, "implicit", callback, "token", challenge, "S256", true, ""},
		"no code: well-formed still":    {safe, "implicit", callback, "token", "x", "S256", false, ""},
		"hybrid":                        {safe, "implicit", callback, "code token", "-", "-", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, e := parse(t, c.room, request("client_id", c.client, "redirect_uri", c.uri, "response_type", c.types,
				"code_challenge", c.challenge, "code_challenge_method", c.method))
			if !c.ok {
				refusedAtClient(t, e, "invalid_request")
				require.Equal(t, grants.ReasonChallenge, e.Reason)
				return
			}
			require.Nil(t, e, "%v", e)
			require.Equal(t, c.want, a.ChallengeMethod)
			if c.want != "" {
				require.Equal(t, c.challenge, a.Challenge)
			} else {
				require.Empty(t, a.Challenge)
			}
		})
	}
}

func TestJudge_RepeatedParametersAreRefused(t *testing.T) {
	t.Parallel()
	r := room(t, nil)
	for _, name := range []string{
		"response_type", "response_mode", "scope", "code_challenge", "prompt", "request_uri",
	} {
		form := request()
		form[name] = []string{"code", "code"}
		_, e := parse(t, r, form)
		refusedAtClient(t, e, "invalid_request")
		require.Equal(t, "xyzzy", e.To.State)
	}
	form := request()
	form["state"] = []string{"a", "b"}
	_, e := parse(t, r, form)
	refusedAtClient(t, e, "invalid_request")
	require.False(t, e.To.StateGiven, "neither is returned")

	// The endpoint refuses it also where the parameter is not read (RFC 6749 section 3.1).
	form = request()
	form["unknown"] = []string{"a", "b"}
	back, err := url.Parse(open(t, r, form).Header.Get("Location"))
	require.NoError(t, err)
	require.Equal(t, "invalid_request", back.Query().Get("error"))
	require.Equal(t, "xyzzy", back.Query().Get("state"))
}

// A parameter that the endpoint does not know changes nothing (RFC 6749 section 3.1).
//
// Holds: RFC 6749 section 3.1.
func TestJudge_HostileHintsChangeNothing(t *testing.T) {
	t.Parallel()
	r := room(t, nil)
	want, e := parse(t, r, request())
	require.Nil(t, e)
	for _, name := range []string{
		"ui_locales", "acr_values", "id_token_hint", "display", "nonce", "claims", "client_secret", "return_to",
	} {
		for _, value := range []string{
			"none", "-1", "https://evil/", `"><script>`, "%s", "../../x", "99999999999999999999",
		} {
			got, e := parse(t, r, request(name, value))
			require.Nil(t, e)
			got.Params = want.Params
			require.Equal(t, want, got)
		}
	}

	// A hint about the user is text that the server does not interpret.
	for _, value := range []string{"none", `"><script>`, "%s", "../../x"} {
		got, e := parse(t, r, request("login_hint", value, "prompt", value))
		require.Nil(t, e)
		require.Equal(t, value, got.LoginHint)
		require.Equal(t, []string{value}, got.Prompt)
		got.Params = want.Params
		got.LoginHint = ""
		got.Prompt = nil
		require.Equal(t, want, got)
	}
	for _, value := range []string{"-1", "99999999999999999999", "4294967296", "1.5", "+1"} {
		_, e := parse(t, r, request("max_age", value))
		refusedAtClient(t, e, "invalid_request")
	}
}

func BenchmarkJudge(b *testing.B) {
	r := room(b, nil)
	form := request("code_challenge", challenge, "code_challenge_method", "S256")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Validate(b.Context(), form, "", time.Time{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkJudge_Refused(b *testing.B) {
	r := room(b, nil)
	form := request("scope", "nope")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Validate(b.Context(), form, "", time.Time{}); err == nil {
			b.Fatal("accepted")
		}
	}
}
