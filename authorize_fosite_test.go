package grantwell_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ory/fosite"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/form"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
)

// fosite v0.49.0 is the second opinion on authorization requests. Both sides know
// the same clients. The rule is that ParseAuthorize accepts nothing that fosite's
// NewAuthorizeRequest refuses, except for what the list tolerated names.

// opinionClients is the store of both sides.
type opinionClients map[string]storage.Client

func (c opinionClients) Client(_ context.Context, id string) (storage.Client, error) {
	client, ok := c[id]
	if !ok {
		return storage.Client{}, storage.ErrNotFound
	}
	return client.Clone(), nil
}

// opinionStore shows the clients to fosite. What NewAuthorizeRequest does not call
// is nil.
type opinionStore struct {
	fosite.Storage
	clients opinionClients
}

func (s opinionStore) GetClient(_ context.Context, id string) (fosite.Client, error) {
	c, ok := s.clients[id]
	if !ok {
		return nil, fosite.ErrNotFound
	}
	responses := c.ResponseTypes
	if len(responses) == 0 {
		responses = []string{"code"}
	}
	return &opinionClient{
		DefaultOpenIDConnectClient: &fosite.DefaultOpenIDConnectClient{
			DefaultClient: &fosite.DefaultClient{
				ID:            c.ID,
				Public:        c.Public(),
				RedirectURIs:  c.RedirectURIs,
				GrantTypes:    c.GrantTypes,
				ResponseTypes: responses,
				Scopes:        c.Scope,
				Audience:      c.Audience,
			},
			// With keys registered, fosite reads request objects instead of
			// refusing them.
			JSONWebKeysURI: "https://app.example/jwks.json",
		},
	}, nil
}

// opinionClient is a client of fosite's that may use every response mode, as all
// clients may here.
type opinionClient struct {
	*fosite.DefaultOpenIDConnectClient
}

func (*opinionClient) GetResponseModes() []fosite.ResponseModeType {
	return []fosite.ResponseModeType{
		fosite.ResponseModeDefault,
		fosite.ResponseModeQuery,
		fosite.ResponseModeFragment,
		fosite.ResponseModeFormPost,
	}
}

// opinionRequest is an authorization request as a browser sends it. It is written
// as text, so that each side parses it.
type opinionRequest struct {
	method      string
	query, body string
	contentType string // of a body; empty: a form
}

func (q opinionRequest) http() *http.Request {
	var body io.Reader
	if q.method != http.MethodGet {
		body = strings.NewReader(q.body)
	}
	r := httptest.NewRequest(q.method, "https://as.example/authorize", body)
	r.URL.RawQuery = q.query
	if body != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if q.contentType != "" {
		r.Header.Set("Content-Type", q.contentType)
	}
	return r
}

// text is where Grantwell reads the parameters.
func (q opinionRequest) text() string {
	if q.method == http.MethodPost {
		return q.body
	}
	return q.query
}

// values are the parameters of the request, and change puts others in their place.
func (q opinionRequest) values() url.Values {
	v, _ := url.ParseQuery(q.text())
	return v
}

func (q opinionRequest) change(edit func(url.Values)) opinionRequest {
	v := q.values()
	edit(v)
	if q.method == http.MethodPost {
		q.body = v.Encode()
	} else {
		q.query = v.Encode()
	}
	return q
}

// escaped returns the request with its semicolons escaped. Go's parser drops a
// parameter with a plain one.
func (q opinionRequest) escaped() opinionRequest {
	q.query = strings.ReplaceAll(q.query, ";", "%3B")
	q.body = strings.ReplaceAll(q.body, ";", "%3B")
	return q
}

// opinionServer is one configuration of Grantwell and, beside it, fosite.
type opinionServer struct {
	name    string
	clients opinionClients
	code    grants.AuthorizationCode
	scopes  grantwell.ScopeRules

	server *grantwell.Server
	fosite *fosite.Fosite
	last   *grantwell.Event // of the request that Grantwell refused
}

func newOpinionServers(t testing.TB) []*opinionServer {
	t.Helper()
	servers := []*opinionServer{
		{name: "default"},
		{name: "lenient", code: grants.AuthorizationCode{AllowPlainPKCE: true, PublicWithoutPKCE: true}},
		{name: "narrowing", scopes: grantwell.ScopeRules{Match: grantwell.MatchAny}},
	}
	for _, s := range servers {
		s.clients = newOpinionClients()
		server, err := grantwell.New(grantwell.Config{
			Issuer:  "https://as.example",
			Clients: s.clients,
			Records: memstore.New(),
			Grants:  []grants.Handler{s.code, grants.Implicit{}},
			Scopes:  s.scopes,
			Events:  func(_ context.Context, e grantwell.Event) { s.last = &e },
		})
		require.NoError(t, err)
		s.server = server
		// The strict settings of fosite, so that it refuses what it can.
		s.fosite = &fosite.Fosite{
			Store: opinionStore{clients: s.clients},
			Config: &fosite.Config{
				ScopeStrategy:            fosite.ExactScopeStrategy,
				AudienceMatchingStrategy: fosite.ExactAudienceMatchingStrategy,
			},
		}
	}
	return servers
}

// verdict is what Grantwell says.
type verdict struct {
	request *grantwell.AuthorizeRequest // nil: refused
	code    string                      // the error code of a refusal
	answer  *http.Response
}

func (s *opinionServer) grantwell(t testing.TB, q opinionRequest) verdict {
	t.Helper()
	s.last = nil
	w := httptest.NewRecorder()
	req, ok := s.server.ParseAuthorize(w, q.http())
	require.Equal(t, ok, req != nil)
	if ok {
		return verdict{request: req}
	}
	require.NotNil(t, s.last, "a refused request has an event")
	require.Less(t, s.last.Status, http.StatusInternalServerError, "%+v", q)
	return verdict{code: s.last.Error, answer: w.Result()}
}

// difference is one reason why the two sides may disagree about a request that
// Grantwell accepts.
type difference struct {
	name string
	why  string

	// without returns the request without what the two disagree about, for fosite
	// to judge all the rest.
	without func(s *opinionServer, q opinionRequest, accepted *grantwell.AuthorizeRequest, refusal error) opinionRequest
}

// tolerated lists what Grantwell accepts and fosite refuses.
var tolerated = []difference{
	{
		name: "a semicolon",
		why:  "Go's parser drops a parameter with one; the form encoding separates by & alone (RFC 6749 appendix B)",
		without: func(_ *opinionServer, q opinionRequest, _ *grantwell.AuthorizeRequest, _ error) opinionRequest {
			return q.escaped()
		},
	},
	{
		name: "a parameter in the query of a POST",
		why:  "a POST has its parameters in the body (OpenID Connect Core section 3.1.2.1); its query is not read",
		without: func(_ *opinionServer, q opinionRequest, _ *grantwell.AuthorizeRequest, _ error) opinionRequest {
			if q.method == http.MethodPost {
				q.query = ""
			}
			return q
		},
	},
	{
		name: "state is missing or short",
		why: "RFC 6749 section 4.1.1 recommends state and sets no length; with PKCE a request is safe without " +
			"(RFC 9700 section 2.1.1)",
		without: func(_ *opinionServer, q opinionRequest, _ *grantwell.AuthorizeRequest, refusal error) opinionRequest {
			if !errors.Is(refusal, fosite.ErrInvalidState) {
				return q
			}
			return q.change(func(v url.Values) { v.Set("state", "0123456789") })
		},
	},
	{
		name: "MatchAny narrows the scope",
		why:  "RFC 6749 section 3.3 lets the server ignore a part of the requested scope, and the host chose that",
		without: func(s *opinionServer, q opinionRequest, a *grantwell.AuthorizeRequest, refusal error) opinionRequest {
			if s.scopes.Match != grantwell.MatchAny || !errors.Is(refusal, fosite.ErrInvalidScope) {
				return q
			}
			return q.change(func(v url.Values) { v.Set("scope", strings.Join(a.Scope, " ")) })
		},
	},
	{
		name: "a scope that is openid in other letter case",
		why:  "scopes are case-sensitive (RFC 6749 section 3.3), so OPENID makes no OpenID Connect request",
		without: func(_ *opinionServer, q opinionRequest, _ *grantwell.AuthorizeRequest, _ error) opinionRequest {
			scope := strings.Fields(q.values().Get("scope"))
			if q.values().Get("redirect_uri") != "" || slices.Contains(scope, "openid") {
				return q
			}
			kept := slices.DeleteFunc(slices.Clone(scope), func(s string) bool { return strings.EqualFold(s, "openid") })
			if len(kept) == len(scope) {
				return q
			}
			return q.change(func(v url.Values) { v.Set("scope", strings.Join(kept, " ")) })
		},
	},
	{
		name: "several audience parameters, of which one has a space",
		why:  "fosite splits at spaces only when there is one parameter; each value must be registered here all the same",
		without: func(_ *opinionServer, q opinionRequest, _ *grantwell.AuthorizeRequest, _ error) opinionRequest {
			sent := q.values()["audience"]
			words := strings.Fields(strings.Join(sent, " "))
			if len(sent) < 2 || slices.Equal(sent, words) || !strings.Contains(strings.Join(sent, ""), " ") {
				return q
			}
			return q.change(func(v url.Values) { v["audience"] = words })
		},
	},
}

// secondOpinion asks fosite about a request that Grantwell accepted, and returns
// the differences that it took until fosite accepted it too. It fails the test when
// there are others.
func (s *opinionServer) secondOpinion(t testing.TB, q opinionRequest, accepted *grantwell.AuthorizeRequest) (used []string) {
	t.Helper()
	sent := q
	for range len(tolerated) + 2 {
		got, err := s.fosite.NewAuthorizeRequest(t.Context(), q.http())
		if err == nil {
			alike := q.escaped()
			if q.method == http.MethodPost {
				alike.query = ""
			}
			if q != alike { // they judged different parameters: once more
				q = alike
				continue
			}
			s.sameReading(t, q, accepted, got)
			return used
		}
		before := q
		for _, d := range tolerated {
			if q = d.without(s, q, accepted, err); q != before {
				used = append(used, d.name)
				break
			}
		}
		if q == before {
			require.Failf(t, "fosite refuses what Grantwell accepts", "server %s, %+v: %s", s.name, sent,
				fosite.ErrorToRFC6749Error(err).GetDescription())
		}
	}
	require.Failf(t, "fosite refuses what Grantwell accepts", "server %s, %+v, after %q", s.name, sent, used)
	return nil
}

// sameReading holds that two sides which accept a request read the same in it.
func (s *opinionServer) sameReading(
	t testing.TB, q opinionRequest, a *grantwell.AuthorizeRequest, b fosite.AuthorizeRequester,
) {
	t.Helper()
	uri, err := url.Parse(a.RedirectURI)
	require.NoError(t, err)
	require.Equal(t, uri.String(), b.GetRedirectURI().String(), "%+v", q)
	require.Equal(t, a.Client.ID, b.GetClient().GetID(), "%+v", q)
	require.ElementsMatch(t, strings.Fields(a.ResponseType), b.GetResponseTypes(), "%+v", q)
	for _, v := range b.GetRequestedAudience() {
		require.Contains(t, a.Audience, v, "%+v", q)
	}
	if sent := q.values()["state"]; len(sent) == 1 && a.State != "" {
		require.Equal(t, sent[0], b.GetState())
	}
	if requested := b.GetRequestedScopes(); len(requested) > 0 {
		for _, v := range requested {
			require.True(t, slices.Contains(a.Scope, v) || s.scopes.Match == grantwell.MatchAny, "%+v: %q", q, v)
		}
		for _, v := range a.Scope {
			require.Contains(t, a.Client.Scope, v, "%+v", q)
		}
	}
	w := httptest.NewRecorder()
	s.server.Deny(w, q.http(), a)
	require.Equal(t, string(b.GetResponseMode()), modeOf(w), "%+v", q)
}

// modeOf tells by which response mode an answer was sent.
func modeOf(w *httptest.ResponseRecorder) string {
	location := w.Header().Get("Location")
	switch {
	case location == "" && w.Code == http.StatusOK:
		return "form_post"
	case strings.Contains(location, "#"):
		return "fragment"
	}
	return "query"
}

// stricter is one class of requests that Grantwell refuses and fosite accepts.
type stricter struct {
	name string
	why  string
	code string // the error code of the refusal here; empty: any

	// in reports whether a request belongs to the class. values are its parameters.
	in func(s *opinionServer, q opinionRequest, values url.Values, client storage.Client) bool
}

// refusedHere lists what Grantwell refuses and fosite accepts at the authorization
// request.
var refusedHere = []stricter{
	{
		name: "a method other than GET and POST",
		why:  "RFC 6749 section 3.1",
		code: "invalid_request",
		in: func(_ *opinionServer, q opinionRequest, _ url.Values, _ storage.Client) bool {
			return q.method != http.MethodGet && q.method != http.MethodPost
		},
	},
	{
		name: "a body that is no form",
		why:  "RFC 6749 appendix B",
		code: "invalid_request",
		in: func(_ *opinionServer, q opinionRequest, _ url.Values, _ storage.Client) bool {
			return q.contentType != ""
		},
	},
	{
		name: "a POST whose parameters are in the query",
		why:  "the body alone is read",
		code: "invalid_request",
		in: func(_ *opinionServer, q opinionRequest, _ url.Values, _ storage.Client) bool {
			return q.method == http.MethodPost && q.query != ""
		},
	},
	{
		name: "a repeated parameter",
		why:  "RFC 6749 section 3.1",
		code: "invalid_request",
		in: func(_ *opinionServer, q opinionRequest, _ url.Values, _ storage.Client) bool {
			_, err := form.Parse(q.text(), "resource", "audience")
			return errors.Is(err, form.ErrRepeated)
		},
	},
	{
		name: "malformed or too many parameters",
		why:  "what cannot be read is refused, not dropped",
		code: "invalid_request",
		in: func(_ *opinionServer, q opinionRequest, _ url.Values, _ storage.Client) bool {
			_, err := form.Parse(q.text(), "resource", "audience")
			return errors.Is(err, form.ErrMalformed) || errors.Is(err, form.ErrTooMany)
		},
	},
	{
		name: "a client that is disabled",
		why:  "fosite has no such client",
		code: "invalid_client",
		in:   func(_ *opinionServer, _ opinionRequest, _ url.Values, c storage.Client) bool { return c.Disabled },
	},
	{
		name: "a redirect URI that is not the registered one",
		why: "exact comparison (RFC 9700 section 2.1); " +
			"fosite ignores scheme and user information of a loopback address and lets the port of 127.0.0.0/8 vary",
		code: "invalid_request",
		in: func(_ *opinionServer, _ opinionRequest, v url.Values, c storage.Client) bool {
			uri := v.Get("redirect_uri")
			return uri != "" && !slices.Contains(c.RedirectURIs, uri)
		},
	},
	{
		name: "a registered redirect URI that runs code",
		why:  "it must not be registered",
		code: "invalid_request",
		in: func(_ *opinionServer, _ opinionRequest, v url.Values, _ storage.Client) bool {
			return strings.HasPrefix(v.Get("redirect_uri"), "javascript:")
		},
	},
	{
		name: "no code challenge where one is required",
		why:  "RFC 9700 section 2.1.1; fosite checks in its handlers",
		code: "invalid_request",
		in: func(s *opinionServer, _ opinionRequest, v url.Values, c storage.Client) bool {
			required := c.RequirePKCE || c.Public() && !s.code.PublicWithoutPKCE
			return required && v.Get("code_challenge") == ""
		},
	},
	{
		name: "a code challenge or method that is malformed or not allowed",
		why:  "RFC 7636 sections 4.2 and 4.3",
		code: "invalid_request",
		in: func(s *opinionServer, _ opinionRequest, v url.Values, _ storage.Client) bool {
			method := v.Get("code_challenge_method")
			allowed := method == "S256" || s.code.AllowPlainPKCE && (method == "plain" || method == "")
			return v.Get("code_challenge") != opinionChallenge || !allowed
		},
	},
	{
		name: "a request object",
		why:  "not offered yet, and fosite believes one that is not signed",
		code: "request_not_supported",
		in: func(_ *opinionServer, _ opinionRequest, v url.Values, _ storage.Client) bool {
			return v.Get("request") != ""
		},
	},
	{
		name: "a request_uri without openid",
		why:  "not offered yet, and never ignored",
		code: "request_uri_not_supported",
		in: func(_ *opinionServer, _ opinionRequest, v url.Values, _ storage.Client) bool {
			return v.Get("request_uri") != ""
		},
	},
	{
		name: "a resource that is no URI or not registered for the client",
		why:  "RFC 8707 section 2, unknown to fosite",
		code: "invalid_target",
		in: func(_ *opinionServer, _ opinionRequest, v url.Values, c storage.Client) bool {
			return slices.ContainsFunc(v["resource"], func(uri string) bool {
				return uri == "not a URI" || !slices.Contains(c.Audience, uri)
			})
		},
	},
	{
		name: "an audience with a space in its name",
		why:  "spaces separate audiences; fosite splits only when there is one parameter",
		code: "invalid_target",
		in: func(_ *opinionServer, _ opinionRequest, v url.Values, c storage.Client) bool {
			return slices.ContainsFunc(v["audience"], func(name string) bool {
				return strings.Contains(name, " ") && slices.Contains(c.Audience, name)
			})
		},
	},
	{
		name: "a response_type in other letter case",
		why:  "RFC 6749 section 3.1.1",
		code: "unsupported_response_type",
		in: func(_ *opinionServer, _ opinionRequest, v url.Values, _ storage.Client) bool {
			return v.Get("response_type") != strings.ToLower(v.Get("response_type"))
		},
	},
	{
		name: "a client without the grant of the response_type",
		why:  "RFC 7591 section 2; fosite checks in its handlers",
		code: "unauthorized_client",
		in: func(_ *opinionServer, _ opinionRequest, _ url.Values, c storage.Client) bool {
			return !c.AllowsGrant("authorization_code") || !c.AllowsGrant("implicit")
		},
	},
	{
		name: "a response_mode that cannot carry the answer",
		why: "a token is never in a query, and form_post needs the web " +
			"and keeps no line break; fosite checks the first in its handlers",
		code: "invalid_request",
		in: func(_ *opinionServer, _ opinionRequest, v url.Values, _ storage.Client) bool {
			mode := v.Get("response_mode")
			return mode == "query" && strings.Contains(v.Get("response_type"), "token") || mode == "form_post" &&
				(!strings.HasPrefix(v.Get("redirect_uri"), "http") || strings.ContainsAny(v.Get("state"), "\r\n"))
		},
	},
	{
		name: "prompt or max_age that cannot be obeyed",
		why:  "OpenID Connect Core section 3.1.2.1; fosite checks in its handlers",
		code: "invalid_request",
		in: func(_ *opinionServer, _ opinionRequest, v url.Values, _ storage.Client) bool {
			prompt := strings.Fields(v.Get("prompt"))
			_, err := strconv.ParseUint(v.Get("max_age"), 10, 31)
			return slices.Contains(prompt, "none") && len(prompt) > 1 || v.Get("max_age") != "" && err != nil
		},
	},
	{
		name: "more than 100 scopes",
		why:  "the work that a request makes is bounded",
		code: "invalid_scope",
		in: func(_ *opinionServer, _ opinionRequest, v url.Values, _ storage.Client) bool {
			return len(strings.Fields(v.Get("scope"))) > 100
		},
	},
	{
		name: "a registered scope that is malformed",
		why:  "RFC 6749 section 3.3",
		code: "invalid_scope",
		in: func(_ *opinionServer, _ opinionRequest, v url.Values, _ storage.Client) bool {
			return slices.ContainsFunc(strings.Split(v.Get("scope"), " "), func(scope string) bool {
				return scope != "" && !storage.ValidScope(scope)
			})
		},
	},
	{
		name: "a bad parameter that has a semicolon",
		why:  "Go's parser drops it, so that fosite does not see it",
		in: func(s *opinionServer, q opinionRequest, _ url.Values, _ storage.Client) bool {
			_, err := s.fosite.NewAuthorizeRequest(context.Background(), q.escaped().http())
			return q.escaped() != q && err != nil
		},
	},
}

// classOf names the class of a request that Grantwell refused and fosite accepts.
func (s *opinionServer) classOf(q opinionRequest, v verdict) (name string, ok bool) {
	values, err := form.Parse(q.text(), "resource", "audience")
	if err != nil {
		values = q.values() // as fosite reads them
	}
	client := s.clients[values.Get("client_id")]
	for _, c := range refusedHere {
		if (c.code == "" || c.code == v.code) && c.in(s, q, values, client) {
			return c.name, true
		}
	}
	return "", false
}

// staysHome holds that a refusal is redirected only where fosite would redirect as
// well.
func (s *opinionServer) staysHome(t testing.TB, q opinionRequest, v verdict) {
	t.Helper()
	if v.answer.Header.Get("Location") == "" {
		return
	}
	sent := q.values()
	client, err := s.fosite.Store.(opinionStore).GetClient(t.Context(), sent.Get("client_id"))
	require.NoError(t, err, "%+v", q)
	uri, err := fosite.MatchRedirectURIWithClientRedirectURIs(sent.Get("redirect_uri"), client)
	require.NoError(t, err, "%+v", q)
	require.True(t, strings.HasPrefix(v.answer.Header.Get("Location"), uri.String()), "%+v", q)
}

// Thousands of requests, made from a fixed seed by changing valid ones in up to
// four places.
func TestAuthorize_AcceptsNothingThatFositeRefuses(t *testing.T) {
	t.Parallel()
	servers := newOpinionServers(t)
	gen := newOpinionGenerator(1)
	n := 30_000
	if testing.Short() {
		n = 10_000
	}
	both, neither := 0, 0
	accepted := make(map[string]int)
	refused := make(map[string]int)
	for range n {
		s := servers[gen.rand.IntN(len(servers))]
		q := gen.request(s.clients)
		v := s.grantwell(t, q)
		if v.request != nil {
			both++
			for _, name := range s.secondOpinion(t, q, v.request) {
				accepted[name]++
			}
			continue
		}
		s.staysHome(t, q, v)
		if _, err := s.fosite.NewAuthorizeRequest(t.Context(), q.http()); err != nil {
			neither++
			continue
		}
		name, ok := s.classOf(q, v)
		require.True(t, ok, "only Grantwell refuses, and the list does not say why: server %s, %+v: %s, %s",
			s.name, q, v.code, s.last.Cause)
		refused[name]++
	}
	t.Logf("%d requests: Grantwell accepts %d, and both refuse %d", n, both, neither)
	for _, list := range []map[string]int{accepted, refused} {
		for _, name := range slices.Sorted(maps.Keys(list)) {
			t.Logf("%6d %s", list[name], name)
		}
	}
	// A generator that makes no valid requests any more, or a class that does not
	// occur, shows nothing.
	require.Greater(t, both, n/10)
	require.Greater(t, neither, n/10)
	for _, d := range tolerated {
		require.NotEmpty(t, d.why)
		require.Positive(t, accepted[d.name], "only Grantwell accepts: %s", d.name)
	}
	for _, c := range refusedHere {
		require.NotEmpty(t, c.why)
		if testing.Short() {
			continue // of fewer requests, a rare class may have none
		}
		require.Positive(t, refused[c.name], fmt.Sprintf("only Grantwell refuses: %s", c.name))
	}
}
