package frontchannel_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/frontchannel"
	"github.com/grantwell/grantwell/storage"
)

const (
	callback  = "https://app.example/cb"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" // RFC 7636 appendix B
)

// registry is a client store. Like a careless database, it ignores letter case.
type registry struct {
	clients []storage.Client
	err     error

	mu    sync.Mutex
	calls int
}

func (s *registry) Client(_ context.Context, id string) (storage.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.err != nil {
		return storage.Client{}, s.err
	}
	for _, c := range s.clients {
		if strings.EqualFold(c.ID, id) {
			return c.Clone(), nil
		}
	}
	return storage.Client{}, storage.ErrNotFound
}

func web() storage.Client {
	return storage.Client{
		ID: "web", RedirectURIs: []string{callback}, Scope: []string{"read", "write", "openid"},
		Audience: []string{"https://api.example/", "urn:files"},
	}
}

func app() storage.Client {
	return storage.Client{
		ID: "app", AuthMethod: storage.AuthNone, Scope: []string{"read"},
		RedirectURIs: []string{"http://127.0.0.1/cb", "http://[::1]:8080/cb?x=1", "com.example.app:/cb"},
	}
}

func spa() storage.Client {
	c := web()
	c.ID, c.GrantTypes = "spa", []string{"authorization_code", "implicit"}
	c.ResponseTypes = []string{"code", "token", "token code"}
	return c
}

func server(t testing.TB, change func(*frontchannel.Config), clients ...storage.Client) *frontchannel.FrontChannel {
	t.Helper()
	if clients == nil {
		clients = []storage.Client{web(), app(), spa()}
	}
	cfg := frontchannel.Config{Clients: &registry{clients: clients}, ResponseTypes: []string{"code", "token"}}
	if change != nil {
		change(&cfg)
	}
	f, err := frontchannel.New(cfg)
	require.NoError(t, err)
	return f
}

// request is a valid one of the client web, changed by pairs of name and value; "-" as a value removes it.
func request(pairs ...string) url.Values {
	form := url.Values{
		"client_id": {"web"}, "response_type": {"code"}, "redirect_uri": {callback},
		"scope": {"read"}, "state": {"xyzzy"},
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "-" {
			form.Del(pairs[i])
		} else {
			form.Set(pairs[i], pairs[i+1])
		}
	}
	return form
}

func parse(t testing.TB, f *frontchannel.FrontChannel, form url.Values) (*frontchannel.Request, *frontchannel.Error) {
	t.Helper()
	r, e := f.Parse(t.Context(), form)
	require.NotEqual(t, r == nil, e == nil, "exactly one of request and error")
	if e != nil {
		for _, c := range e.Description {
			require.True(t, c >= 0x20 && c <= 0x7e && c != '"' && c != '\\', "RFC 6749 section 4.1.2.1")
		}
		require.Contains(t, []int{http.StatusBadRequest, http.StatusServiceUnavailable}, e.Status)
	}
	return r, e
}

// refusedAtClient wants an error that goes back by redirect.
func refusedAtClient(t testing.TB, e *frontchannel.Error, code string) {
	t.Helper()
	require.NotNil(t, e)
	require.Equal(t, code, e.Code, "%v", e)
	require.NotNil(t, e.Request, "redirected")
	require.NotEmpty(t, e.Request.ResponseMode)
	require.NotEmpty(t, e.Request.RedirectURI)
}

// refusedOnPage wants an error that must not go anywhere.
func refusedOnPage(t testing.TB, e *frontchannel.Error, status int) {
	t.Helper()
	require.NotNil(t, e)
	require.Equal(t, status, e.Status)
	require.Nil(t, e.Request, "never redirected")
}

// Holds S29.
func TestParse_ResolvesARequest(t *testing.T) {
	t.Parallel()
	f := server(t, nil)
	form := request("scope", "write  read write ", "state", "a+b&c=%2Fü", "code_challenge", challenge,
		"code_challenge_method", "S256", "prompt", "login", "unknown", "x")
	form["resource"] = []string{"https://api.example/", "urn:files"}
	form["audience"] = []string{"urn:files https://api.example/"}
	before := maps.Clone(form)
	r, e := parse(t, f, form)
	require.Nil(t, e)
	require.Equal(t, before, form, "the caller's form is untouched")
	require.EqualExportedValues(t, frontchannel.Request{
		Client: web(), ResponseType: "code", ResponseMode: "query",
		RedirectURI: callback, RedirectURIGiven: true,
		State: "a+b&c=%2Fü", StateGiven: true,
		Scope: []string{"write", "read"}, ScopeGiven: true,
		Audience:  []string{"https://api.example/", "urn:files"},
		Challenge: challenge, ChallengeMethod: "S256", Form: form,
	}, *r)

	t.Run("the least", func(t *testing.T) {
		t.Parallel()
		r, e := parse(t, f, url.Values{"client_id": {"web"}, "response_type": {"code"}})
		require.Nil(t, e)
		require.Equal(t, callback, r.RedirectURI)
		require.False(t, r.RedirectURIGiven)
		require.False(t, r.StateGiven)
		require.False(t, r.ScopeGiven)
		require.Empty(t, r.Scope)
		require.Empty(t, r.Audience)
	})
}

// A parameter without a value is a parameter that was not sent (RFC 6749 section 3.1).
//
// Holds R4.
func TestParse_EmptyIsOmitted(t *testing.T) {
	t.Parallel()
	f := server(t, nil)
	bare := url.Values{"client_id": {"web"}, "response_type": {"code"}}
	want, e := parse(t, f, bare)
	require.Nil(t, e)
	form := maps.Clone(bare)
	for _, name := range []string{
		"redirect_uri", "state", "scope", "resource", "audience", "response_mode", "code_challenge",
		"code_challenge_method", "request", "request_uri", "registration",
	} {
		form[name] = []string{""}
	}
	got, e := parse(t, f, form)
	require.Nil(t, e)
	want.Form, got.Form = nil, nil
	require.Equal(t, want, got)

	for _, name := range []string{"client_id", "response_type"} {
		_, e := parse(t, f, request(name, ""))
		require.NotNil(t, e)
		require.Equal(t, "invalid_request", e.Code)
	}
}

// Holds R22, S27.
func TestParse_UnknownClientIsAPage(t *testing.T) {
	t.Parallel()
	off := web()
	off.ID, off.Disabled = "off", true
	store := &registry{clients: []storage.Client{web(), off}}
	f := server(t, func(c *frontchannel.Config) { c.Clients = store })
	var text string
	for _, id := range []string{"nobody", "off", "WEB", "w\x00b", "web\n", "wéb", strings.Repeat("a", 256)} {
		_, e := parse(t, f, request("client_id", id))
		refusedOnPage(t, e, http.StatusBadRequest)
		require.Equal(t, "invalid_client", e.Code)
		if text == "" {
			text = e.Description
		}
		require.Equal(t, text, e.Description, "why is the operator's to know")
		require.Error(t, e.Err)
	}
	require.Equal(t, 3, store.calls, "malformed IDs never reach the store")

	_, e := parse(t, f, request("client_id", "-"))
	refusedOnPage(t, e, http.StatusBadRequest)
	twice := request()
	twice["client_id"] = []string{"web", "web"}
	_, e = parse(t, f, twice)
	refusedOnPage(t, e, http.StatusBadRequest)
}

// A broken store is not an unknown client, and says nothing of itself.
func TestParse_StoreFailureIsAPageNotARedirect(t *testing.T) {
	t.Parallel()
	broken := errors.New("no route to host 10.0.0.7")
	f := server(t, func(c *frontchannel.Config) { c.Clients = &registry{err: broken} })
	_, e := parse(t, f, request())
	refusedOnPage(t, e, http.StatusServiceUnavailable)
	require.ErrorIs(t, e, broken)
	require.NotContains(t, e.Description, "10.0.0.7")
}

func TestNew_NamesEveryWrongField(t *testing.T) {
	t.Parallel()
	_, err := frontchannel.New(frontchannel.Config{AllowedResponseModes: []string{"jwt"}})
	for _, field := range []string{"Clients", "ResponseTypes", "AllowedResponseModes"} {
		require.ErrorContains(t, err, field)
	}
	_, err = frontchannel.New(frontchannel.Config{Clients: &registry{}, ResponseTypes: []string{"id_token"}})
	require.ErrorContains(t, err, `"id_token"`)
}

// Many requests at once share nothing that one of them writes: run with -race.
func TestParse_IsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	f := server(t, nil)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for range 20 {
				form := request("state", "s")
				if i%2 == 1 {
					form.Set("scope", "nope")
				}
				r, e := f.Parse(t.Context(), form)
				if (r == nil) != (i%2 == 1) || (e == nil) != (i%2 == 0) {
					t.Error("wrong answer")
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkParse(b *testing.B) {
	f := server(b, nil)
	form := request("code_challenge", challenge, "code_challenge_method", "S256")
	b.ReportAllocs()
	for b.Loop() {
		if _, e := f.Parse(b.Context(), form); e != nil {
			b.Fatal(e)
		}
	}
}

func BenchmarkParse_Refused(b *testing.B) {
	f := server(b, nil)
	form := request("scope", "nope")
	b.ReportAllocs()
	for b.Loop() {
		if _, e := f.Parse(b.Context(), form); e == nil {
			b.Fatal("accepted")
		}
	}
}
