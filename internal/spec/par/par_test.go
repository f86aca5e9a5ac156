package par_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants/limit"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/internal/spec/par"
	"github.com/grantwell/grantwell/storage"
)

// on turns pushed requests on.
func on(cfg *grantwell.Config) { cfg.PAR.Path = "/par" }

// push pushes an authorization request of a client.
func push(s *servertest.Server, client string, pairs ...string) servertest.Reply {
	as, id := servertest.Credentials(client)
	form := servertest.AuthorizeQuery(append([]string{"client_id", ""}, append(id, pairs...)...)...)
	return s.Do(servertest.Request("/par", as, form.Encode()))
}

// pushed returns the reference to a request that was pushed.
func pushed(t *testing.T, s *servertest.Server, client string, pairs ...string) string {
	t.Helper()
	res := push(s, client, pairs...)
	require.Equal(t, http.StatusCreated, res.Status, res.Body)
	return res.String("request_uri")
}

// with returns the URL of an authorization request by reference.
func with(uri string, pairs ...string) string {
	query := servertest.With(url.Values{"client_id": {"conf"}, "request_uri": {uri}}, pairs...)
	return "/authorize?" + query.Encode()
}

// A pushed request is answered with a reference and its lifetime in whole seconds, and
// the reference brings the request to its code (RFC 9126 sections 2.2 and 4).
func TestPAR_ReferenceBringsTheRequest(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, on)
	res := push(s, "conf", "scope", "read", "state", "pushed-state")
	require.Equal(t, http.StatusCreated, res.Status, res.Body)
	require.EqualValues(t, 60, res.JSON["expires_in"])
	require.Equal(t, "no-cache, no-store", res.Header.Get("Cache-Control"))
	require.Equal(t, "application/json", res.Header.Get("Content-Type"))
	uri := res.String("request_uri")
	secret, ok := strings.CutPrefix(uri, "urn:ietf:params:oauth:request_uri:")
	require.True(t, ok)
	require.Len(t, secret, 43, "256 random bits")

	answer := s.Get(with(uri))
	require.Equal(t, http.StatusSeeOther, answer.Status, answer.Body)
	require.Equal(t, "pushed-state", answer.Param("state"))
	token := s.Redeem("conf", answer.Param("code"))
	require.Equal(t, http.StatusOK, token.Status, token.Body)
	require.Equal(t, "read", token.String("scope"))
}

// Parameters beside client_id and request_uri are ignored (RFC 9126 section 4, RFC 9101
// section 5).
func TestPAR_ParametersBesideTheReferenceAreIgnored(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, on)
	uri := pushed(t, s, "conf", "scope", "read")
	answer := s.Get(with(uri, "scope", "read write", "state", "other", "nonce", "other",
		"redirect_uri", "https://evil.example/cb", "response_type", "token", "code_challenge", ""))
	require.True(t, strings.HasPrefix(answer.Header.Get("Location"), servertest.Redirect), answer.Body)
	require.Equal(t, servertest.State, answer.Param("state"))
	require.Equal(t, "read", s.Redeem("conf", answer.Param("code")).String("scope"))
}

// A parameter that is sent twice beside the reference is refused, also if the pushed
// request has no such parameter. Resources beside the reference are ignored.
//
// Holds: RFC 6749 section 3.2.
func TestPAR_ParametersBesideTheReferenceAreSentOnce(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, on)
	const one, two = "https://one.example/", "https://two.example/"
	s.ChangeClient("conf", func(c *storage.Client) { c.Audience = []string{one, two} })
	uri := pushed(t, s, "conf", "scope", "read")
	for _, name := range []string{"state", "nonce", "scope"} {
		answer := s.Get(with(uri), name, "a", name, "b")
		require.Equal(t, "invalid_request", answer.Param("error"), name)
		require.True(t, strings.HasPrefix(answer.Header.Get("Location"), servertest.Redirect), name)
	}

	// Two references name no request: its state does not come back.
	twice := s.Get(with(uri), "request_uri", uri)
	require.Equal(t, "invalid_request", twice.Param("error"))
	require.Empty(t, twice.Param("state"))
	s.Get(with(uri), "client_id", "conf").IsPage(t, 400)

	answer := s.Get(with(uri), "resource", one, "resource", two, "audience", one, "audience", two)
	rec, err := s.Store.Get(t.Context(), storage.Code, storage.Key(answer.Param("code")))
	require.NoError(t, err)
	require.Empty(t, rec.Audience)
}

// A request that was pushed still counts as pushed after the user signed in.
func TestPAR_WaitingRequestWasPushed(t *testing.T) {
	t.Parallel()
	site := servertest.NewSite(t, func(cfg *grantwell.Config, _ *grantwell.Pages) {
		on(cfg)
		cfg.PAR.Required = true
	})
	uri := pushed(t, site.Server, "conf")
	b := site.Browser()
	consent := b.LogIn(b.Visit(with(uri), nil), "alice")
	require.True(t, consent.AsksConsent(), consent.Body)
	require.NotEmpty(t, b.Send("/consent", consent.ConsentForm(t)).Param("code"))
}

// The record of an answered reference belongs to its client and to the grant that was
// answered, or to a grant of its own if there was none.
func TestPAR_AnsweredReferenceNamesItsGrant(t *testing.T) {
	t.Parallel()
	site := servertest.NewSite(t, func(cfg *grantwell.Config, _ *grantwell.Pages) { on(cfg) })
	answered := func(decision string) storage.Record {
		before := map[string]bool{}
		for _, rec := range site.Records(storage.Query{Kind: storage.Used}) {
			before[rec.Key] = true
		}
		b := site.SignedIn("alice")
		form := b.Visit(with(pushed(t, site.Server, "conf", "prompt", "consent")), nil).ConsentForm(t)
		b.Send("/consent", servertest.With(form, "decision", decision)).Params(t)
		for _, rec := range site.Records(storage.Query{Kind: storage.Used}) {
			if !before[rec.Key] {
				return rec
			}
		}
		t.Fatal("no record of the answer")
		return storage.Record{}
	}
	denied, allowed := answered("deny"), answered("allow")
	codes := site.Records(storage.Query{Kind: storage.Code})
	require.Len(t, codes, 1)
	require.Equal(t, codes[0].GrantID, allowed.GrantID)
	require.NotEmpty(t, denied.GrantID)
	require.NotEqual(t, allowed.GrantID, denied.GrantID)
	require.False(t, allowed.ExpiresAt.IsZero(), "it is swept one day")
	require.Equal(t, "conf", allowed.ClientID)
	require.Equal(t, "conf", denied.ClientID)
}

// The client authenticates as at the token endpoint (RFC 9126 section 2.1).
func TestPAR_ClientAuthenticatesAsAtTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, on)
	form := servertest.AuthorizeQuery().Encode()
	for as, code := range map[string]int{
		"conf:" + servertest.Secret:   http.StatusCreated,
		"conf:wrong":                  http.StatusUnauthorized,
		"nobody:" + servertest.Secret: http.StatusBadRequest, // client_id names another
		"":                            http.StatusUnauthorized,
	} {
		res := s.Do(servertest.Request("/par", as, form))
		require.Equal(t, code, res.Status, "%s: %s", as, res.Body)
		if code == http.StatusUnauthorized {
			require.NotEmpty(t, res.Header.Get("WWW-Authenticate"))
		}
	}
	// A client that names another client beside its own credentials is refused.
	push(s, "conf", "client_id", "other").Fails(t, 400, "invalid_request")
	require.Equal(t, http.StatusCreated, push(s, "public").Status)
	require.Equal(t, http.StatusCreated, push(s, "post", "client_id", "post", "client_secret", servertest.Secret).Status)
}

// What the authorization endpoint would refuse is refused when it is pushed, as JSON
// and without a redirect (RFC 9126 sections 2.1 and 2.3).
func TestPAR_BadRequestIsRefusedWhenPushed(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, on)
	for name, tt := range map[string]struct {
		pairs []string
		code  string
	}{
		"request_uri":             {[]string{"request_uri", "urn:x"}, "invalid_request"},
		"redirect URI":            {[]string{"redirect_uri", "https://evil.example/cb"}, "invalid_request"},
		"unregistered path":       {[]string{"redirect_uri", servertest.Redirect + "/x"}, "invalid_request"},
		"response type":           {[]string{"response_type", "id_token"}, "unsupported_response_type"},
		"no response type":        {[]string{"response_type", ""}, "invalid_request"},
		"response mode":           {[]string{"response_mode", "web_message"}, "invalid_request"},
		"scope":                   {[]string{"scope", "admin"}, "invalid_scope"},
		"malformed scope":         {[]string{"scope", "a\"b"}, "invalid_scope"},
		"resource":                {[]string{"resource", "https://api.example"}, "invalid_target"},
		"challenge method":        {[]string{"code_challenge_method", "plain"}, "invalid_request"},
		"challenge":               {[]string{"code_challenge", "short"}, "invalid_request"},
		"request object":          {[]string{"request", "x.y.z"}, "request_not_supported"},
		"registration":            {[]string{"registration", "{}"}, "registration_not_supported"},
		"prompt none with others": {[]string{"prompt", "none login"}, "invalid_request"},
		"max_age":                 {[]string{"max_age", "-1"}, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			res := push(s, "conf", tt.pairs...)
			res.Fails(t, 400, tt.code)
			require.Empty(t, res.Header.Get("Location"))
		})
	}
	push(s, "public", "code_challenge", "", "code_challenge_method", "").Fails(t, 400, "invalid_request")
	require.Zero(t, s.CountOf(storage.Pushed), "a refused request is not stored")
}

// Other methods, a body that is too large and credentials in the URL are refused
// (RFC 9126 section 2.3).
func TestPAR_RequestsAreBounded(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, on)
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodHead} {
		req := servertest.Request("/par", servertest.Conf, "")
		req.Method = method
		res := s.Do(req)
		require.Equal(t, http.StatusMethodNotAllowed, res.Status, method)
		require.Equal(t, "POST", res.Header.Get("Allow"))
	}
	push(s, "conf", "state", strings.Repeat("x", 64<<10)).Fails(t, 413, "invalid_request")
	s.Post("/par?client_secret=x", servertest.Conf, "response_type", "code").Fails(t, 400, "invalid_request")
	res := s.Do(servertest.Request("/par", servertest.Conf, "state=a&state=b"))
	res.Fails(t, 400, "invalid_request")
}

// A reference works for the client that pushed the request and for no other. The
// failed try spends nothing (RFC 9126 section 2.2).
func TestPAR_ReferenceIsBoundToItsClient(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, on)
	uri := pushed(t, s, "conf")
	for _, id := range []string{"other", "public", "", "unknown"} {
		res := s.Get(with(uri, "client_id", id))
		res.IsPage(t, 400)
		require.Contains(t, res.Body, "invalid_request_uri")
	}
	require.NotEmpty(t, s.Get(with(uri)).Param("code"))
}

// A reference that was answered, is unknown, or has expired is an error page, and
// nothing is redirected, whatever redirect URI stands beside it (RFC 9126 sections 4
// and 7.3).
func TestPAR_UnusableReferenceIsAPage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, func(cfg *grantwell.Config) {
			on(cfg)
			cfg.PAR.Lifetime = 5 * time.Second
		})
		answered := pushed(t, s, "conf")
		require.NotEmpty(t, s.Get(with(answered)).Param("code"))
		expiring := pushed(t, s, "conf")
		for _, uri := range []string{answered, expiring + "x", "urn:ietf:params:oauth:request_uri:x"} {
			res := s.Get(with(uri, "redirect_uri", servertest.Redirect))
			res.IsPage(t, 400)
			require.Contains(t, res.Body, "invalid_request_uri")
		}
		time.Sleep(5*time.Second - time.Millisecond)
		later := pushed(t, s, "conf")
		require.NotEmpty(t, s.Get(with(expiring)).Param("code"))
		time.Sleep(5 * time.Second)
		s.Get(with(later)).IsPage(t, 400) // the record is there still: no sweep has run
		require.NotZero(t, s.CountOf(storage.Pushed))
	})
}

// Another kind of reference is refused by a redirect, because the client and its
// redirect URI stand in the request (RFC 9101 section 7).
func TestPAR_OtherReferencesAreNotFetched(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, on)
	res := s.Get(servertest.AuthorizeURL("request_uri", "https://app.example/request.jwt"))
	require.Equal(t, "request_uri_not_supported", res.Param("error"))
}

// The page may be opened again before the user has decided, and each of two tabs works
// until one of them is answered: there is one code (RFC 9126 section 7.3).
func TestPAR_ReloadWorksUntilTheAnswer(t *testing.T) {
	t.Parallel()
	site := servertest.NewSite(t, func(cfg *grantwell.Config, _ *grantwell.Pages) { on(cfg) })
	uri := pushed(t, site.Server, "conf")
	b := site.Browser()
	first := b.Visit(with(uri), nil)
	second := b.Visit(with(uri), nil)
	require.NotEqual(t, first.Interaction(t), second.Interaction(t))

	consent := b.LogIn(first, "alice")
	require.True(t, consent.AsksConsent(), consent.Body)
	again := b.Visit(with(uri), nil)
	require.True(t, again.AsksConsent(), again.Body)
	answer := b.Send("/consent", again.ConsentForm(t))
	require.NotEmpty(t, answer.Param("code"), answer.Body)

	late := b.Send("/consent", consent.ConsentForm(t))
	late.IsPage(t, 400)
	b.Visit(with(uri), nil).IsPage(t, 400)
	require.Equal(t, 1, site.CountOf(storage.Code))
}

// A request that waits for the user outlives its reference, and is not resolved again.
func TestPAR_WaitingRequestOutlivesItsReference(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		site := servertest.NewSite(t, func(cfg *grantwell.Config, _ *grantwell.Pages) { on(cfg) })
		uri := pushed(t, site.Server, "conf")
		b := site.Browser()
		login := b.Visit(with(uri), nil)
		time.Sleep(9 * time.Minute)
		site.Sweep()
		consent := b.LogIn(login, "alice")
		require.True(t, consent.AsksConsent(), consent.Body)
		require.NotEmpty(t, b.Send("/consent", consent.ConsentForm(t)).Param("code"))
	})
}

// That a reference was answered is known as long as a request that it brought may wait
// for the user: a second tab gets no second code, also when the reference has long
// expired.
func TestPAR_AnswerIsKnownAsLongAsARequestWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		site := servertest.NewSite(t, func(cfg *grantwell.Config, _ *grantwell.Pages) { on(cfg) })
		uri := pushed(t, site.Server, "conf")
		b := site.SignedIn("alice")
		first := b.Visit(with(uri), nil)
		time.Sleep(59 * time.Second)
		second := b.Visit(with(uri), nil)
		require.NotEmpty(t, b.Send("/consent", first.ConsentForm(t)).Param("code"))
		time.Sleep(9 * time.Minute)
		site.Sweep()
		b.Send("/consent", second.ConsentForm(t)).IsPage(t, 400)
	})
}

// A denied request is answered too: its reference is over.
func TestPAR_DenialSpendsTheReference(t *testing.T) {
	t.Parallel()
	site := servertest.NewSite(t, func(cfg *grantwell.Config, _ *grantwell.Pages) { on(cfg) })
	uri := pushed(t, site.Server, "conf")
	b := site.SignedIn("alice")
	consent := b.Visit(with(uri), nil)
	require.True(t, consent.AsksConsent(), consent.Body)
	form := consent.ConsentForm(t)
	form.Set("decision", "deny")
	require.Equal(t, "access_denied", b.Send("/consent", form).Param("error"))
	b.Visit(with(uri), nil).IsPage(t, 400)
}

// Of any number of requests that complete one reference at once, on two instances, one
// gets a code (RFC 9126 section 7.3).
func TestPAR_ConcurrentCompletionsHaveOneWinner(t *testing.T) {
	t.Parallel()
	for range 20 {
		s := servertest.New(t, on)
		nodes := []*servertest.Server{s, servertest.On(t, s.Store, on)}
		uri := pushed(t, s, "conf")
		var mu sync.Mutex
		codes := 0
		servertest.Parallel(16, func(i int) {
			if nodes[i%2].Get(with(uri)).Param("code") != "" {
				mu.Lock()
				codes++
				mu.Unlock()
			}
		})
		require.Equal(t, 1, codes)
		require.Equal(t, 1, s.CountOf(storage.Code))
	}
}

// A server or a client may demand that requests are pushed. What the client demands
// holds also while the server has pushed requests turned off (RFC 9126 sections 5 and
// 6).
func TestPAR_RequestsMayHaveToBePushed(t *testing.T) {
	t.Parallel()
	byServer := servertest.New(t, func(cfg *grantwell.Config) {
		on(cfg)
		cfg.PAR.Required = true
	})
	res := byServer.Get(servertest.AuthorizeURL())
	require.Equal(t, "invalid_request", res.Param("error"))
	require.NotEmpty(t, byServer.Get(with(pushed(t, byServer, "conf"))).Param("code"))

	byClient := servertest.New(t, on)
	demand := func(c *storage.Client) { c.RequirePushed = true }
	byClient.ChangeClient("conf", demand)
	require.Equal(t, "invalid_request", byClient.Get(servertest.AuthorizeURL()).Param("error"))
	require.NotEmpty(t, byClient.Get(with(pushed(t, byClient, "conf"))).Param("code"))
	require.NotEmpty(t, byClient.Get(servertest.AuthorizeURL("client_id", "other")).Param("code"))

	off := servertest.New(t, nil)
	off.ChangeClient("conf", demand)
	require.Equal(t, "invalid_request", off.Get(servertest.AuthorizeURL()).Param("error"))
	require.Equal(t, http.StatusNotFound, push(off, "conf").Status)
	require.Equal(t, "request_uri_not_supported",
		off.Get(servertest.AuthorizeURL("client_id", "other", "request_uri", "urn:ietf:params:oauth:request_uri:x")).Param("error"))
}

// The metadata name the endpoint and say whether it must be used (RFC 9126 section 5).
func TestPAR_MetadataNameTheEndpoint(t *testing.T) {
	t.Parallel()
	for required, want := range map[bool]any{false: false, true: true} {
		s := servertest.New(t, func(cfg *grantwell.Config) {
			on(cfg)
			cfg.PAR.Required = required
		})
		m := s.Get("/.well-known/oauth-authorization-server")
		require.Equal(t, servertest.Issuer+"/par", m.JSON["pushed_authorization_request_endpoint"])
		require.Equal(t, want, m.JSON["require_pushed_authorization_requests"])
	}
	off := servertest.New(t, nil).Get("/.well-known/oauth-authorization-server")
	require.NotContains(t, off.JSON, "pushed_authorization_request_endpoint")
	require.NotContains(t, off.JSON, "require_pushed_authorization_requests")
}

// The stored request has no credentials and no parameters that are not read, and the
// answers of the authorization endpoint show nothing of it before the redirect.
func TestPAR_PushedParametersStayInTheStore(t *testing.T) {
	t.Parallel()
	site := servertest.NewSite(t, func(cfg *grantwell.Config, _ *grantwell.Pages) { on(cfg) })
	res := push(site.Server, "post", "client_id", "post", "client_secret", servertest.Secret,
		"state", "canary-state", "unknown", "canary-unknown")
	require.Equal(t, http.StatusCreated, res.Status, res.Body)
	for _, rec := range site.Records(storage.Query{Kind: storage.Pushed}) {
		require.NotContains(t, string(rec.Data), servertest.Secret)
		require.NotContains(t, string(rec.Data), "canary-unknown")
		require.NotContains(t, res.String("request_uri"), rec.Key)
	}
	login := site.Browser().Send(with(res.String("request_uri"), "client_id", "post"), nil)
	require.Equal(t, http.StatusSeeOther, login.Status, login.Body)
	require.NotContains(t, login.Header.Get("Location")+login.Body+login.Header.Get("Set-Cookie"), "canary")
	for _, e := range site.Events() {
		require.NotContains(t, e.Cause+e.RequestID, "canary")
	}
}

// Public clients do not authenticate, so what they push from one address is limited
// (RFC 9126 section 2.3).
func TestPAR_PublicClientsAreLimited(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, on)
	limited := 0
	for range 110 {
		if res := push(s, "public"); res.Status == http.StatusTooManyRequests {
			require.NotEmpty(t, res.Header.Get("Retry-After"))
			limited++
		}
	}
	require.Equal(t, 10, limited)
	require.Equal(t, http.StatusCreated, push(s, "conf").Status, "a client that authenticates is not limited")
}

// A store that fails is status 503, and nothing of the request is lost.
func TestPAR_StoreFailureIsUnavailable(t *testing.T) {
	t.Parallel()
	s, store := servertest.NewHooked(t, on)
	store.Fail(http.ErrHandlerTimeout, "Insert")
	push(s, "conf").Fails(t, 503, "temporarily_unavailable")
	store.Pass()
	uri := pushed(t, s, "conf")
	store.Fail(http.ErrHandlerTimeout, "Get")
	s.Get(with(uri)).IsPage(t, 503)
	store.Pass()
	store.Fail(http.ErrHandlerTimeout, "Insert")
	require.Equal(t, "temporarily_unavailable", s.Get(with(uri)).Param("error"))
	store.Pass()
	require.NotEmpty(t, s.Get(with(uri)).Param("code"), "the failed try spent nothing")
}

// A pushed request may be used for 5 seconds to 10 minutes.
//
// Holds: house: configuration errors.
func TestPAR_LifetimeIsBounded(t *testing.T) {
	t.Parallel()
	for lifetime, ok := range map[time.Duration]bool{
		0: true, 5*time.Second - 1: false, 5 * time.Second: true,
		10 * time.Minute: true, 10*time.Minute + 1: false, -time.Minute: false,
	} {
		p := &par.PAR{Path: "/par", Lifetime: lifetime}
		require.Equal(t, ok, p.Prepare() == nil, lifetime)
	}
	p := &par.PAR{Path: "/par"}
	require.NoError(t, p.Prepare())
	require.Equal(t, time.Minute, p.Lifetime)
}

// A pushed request that was ended in the store is over.
func TestPAR_EndedRequestIsOver(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, on)
	uri := pushed(t, s, "conf")
	rec := s.Records(storage.Query{Kind: storage.Pushed})[0]
	rec.State = storage.Revoked
	require.NoError(t, s.Store.Advance(t.Context(), storage.Active, rec))
	s.Get(with(uri)).IsPage(t, 400)
}

// What is pushed is recorded with its time and its client, and the event has its scope.
// Requests without an address share no limit.
//
// Holds: house: one event.
func TestPAR_RecordAndEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, func(cfg *grantwell.Config) {
			on(cfg)
			cfg.Limiter = limit.NewMemory(map[string]limit.Limit{"addr": {Failures: 1, Window: time.Hour}})
		})
		pushed(t, s, "conf", "scope", "read")
		require.Equal(t, []string{"read"}, s.LastEvent().Scope)
		recs := s.Records(storage.Query{Kind: storage.Pushed})
		require.Len(t, recs, 1)
		require.True(t, recs[0].IssuedAt.Equal(time.Now()))
		require.True(t, recs[0].ExpiresAt.Equal(time.Now().Add(time.Minute)))
		require.Equal(t, "conf", recs[0].ClientID)

		as, id := servertest.Credentials("public")
		form := servertest.AuthorizeQuery(append(id, "client_id", "public")...).Encode()
		status := func(addr string) int {
			req := servertest.Request("/par", as, form)
			req.RemoteAddr = addr
			return s.Do(req).Status
		}
		for range 3 {
			require.Equal(t, http.StatusCreated, status("@"))
		}
		require.Equal(t, http.StatusCreated, status("192.0.2.1:1"))
		require.Equal(t, http.StatusTooManyRequests, status("192.0.2.1:1"))
	})
}
