//go:build linux

package livetest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/sqlstore"
)

const (
	secret    = "6808d4b6-ef09-4b0d-8f28-3b05da9c48ec"
	redirect  = "https://app.example/cb"
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636 appendix B
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// store has the interfaces that a server uses of a database.
type store interface {
	storage.Records
	storage.Registrar
}

// site stands for one server process: its handlers on a listener, with a pool
// of its own.
type site struct {
	*httptest.Server
	t testing.TB
}

// newSite starts a server over a store. Every user is alice and approves every
// request.
func newSite(t testing.TB, s store) *site {
	t.Helper()
	srv, err := grantwell.New(grantwell.Config{Issuer: "https://as.example", Clients: s, Records: s,
		Grants: []grants.Handler{grants.AuthorizationCode{}, grants.ClientCredentials{}, grants.RefreshToken{}}})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/", srv.Handler())
	mux.HandleFunc("/authorize", func(w http.ResponseWriter, r *http.Request) {
		if req, ok := srv.ParseAuthorize(w, r); ok {
			srv.Approve(w, r, req, grantwell.Approval{Subject: "alice"})
		}
	})
	ts := httptest.NewServer(mux)
	t.Cleanup(ts.Close)
	ts.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &site{ts, t}
}

// conf is the client of all flows.
func conf() storage.Client {
	return storage.Client{ID: "conf", Secrets: []storage.Secret{storage.HashSecret(secret)}, GrantTypes: []string{"authorization_code", "client_credentials", "refresh_token"},
		RedirectURIs: []string{redirect}, Scope: []string{"read", "write"}, DefaultScope: []string{"read"}}
}

// sites starts n servers on the same tables, each with a pool of its own, and
// registers the client.
func sites(t testing.TB, d sqlstore.Dialect, driver, dsn string, n int) []*site {
	t.Helper()
	p := prefix()
	list := make([]*site, n)
	for i := range list {
		s, err := sqlstore.New(t.Context(), open(t, driver, dsn, 16), d, sqlstore.Options{Prefix: p})
		require.NoError(t, err)
		if i == 0 {
			require.NoError(t, s.PutClient(t.Context(), conf()))
		}
		list[i] = newSite(t, s)
	}
	return list
}

type answered struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

func (r answered) str(name string) string { s, _ := r.json[name].(string); return s }

// ask sends a request and returns an error if it fails, so that it can be used
// in other goroutines.
func (s *site) ask(method, path string, form url.Values) (answered, error) {
	body := io.Reader(nil)
	if method == http.MethodPost {
		body = strings.NewReader(form.Encode())
	} else if len(form) > 0 {
		path += "?" + form.Encode()
	}
	req, err := http.NewRequest(method, s.URL+path, body)
	if err != nil {
		return answered{}, err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.SetBasicAuth("conf", secret)
	}
	res, err := s.Client().Do(req)
	if err != nil {
		return answered{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	out := answered{status: res.StatusCode, header: res.Header, body: string(b)}
	_ = json.Unmarshal(b, &out.json)
	return out, err
}

func (s *site) post(path string, pairs ...string) answered {
	s.t.Helper()
	r, err := s.ask(http.MethodPost, path, form(pairs...))
	require.NoError(s.t, err)
	return r
}

func form(pairs ...string) url.Values {
	f := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Add(pairs[i], pairs[i+1])
	}
	return f
}

func authorization() url.Values {
	return form("response_type", "code", "client_id", "conf", "redirect_uri", redirect, "state", "s", "code_challenge", challenge, "code_challenge_method", "S256")
}

func (s *site) code() string {
	s.t.Helper()
	r, err := s.ask(http.MethodGet, "/authorize", authorization())
	require.NoError(s.t, err)
	require.Equal(s.t, http.StatusSeeOther, r.status, r.body)
	u, err := url.Parse(r.header.Get("Location"))
	require.NoError(s.t, err)
	require.NotEmpty(s.t, u.Query().Get("code"), u)
	return u.Query().Get("code")
}

func redemption(code string) []string {
	return []string{"grant_type", "authorization_code", "code", code, "redirect_uri", redirect, "code_verifier", verifier}
}

func refreshing(token string) []string {
	return []string{"grant_type", "refresh_token", "refresh_token", token}
}

func (s *site) active(token string) bool {
	s.t.Helper()
	r := s.post("/introspect", "token", token)
	require.Equal(s.t, 200, r.status, r.body)
	return r.json["active"] == true
}

// invalid requires the error response of RFC 6749 section 5.2.
func (r answered) invalid(t testing.TB) {
	t.Helper()
	require.Equal(t, 400, r.status, r.body)
	require.Equal(t, "invalid_grant", r.str("error"))
}

// On every database, two servers share nothing but the tables, and each request
// of a flow may be served by either.
//
// Holds S85, S86, S97, S159, S162, S167, I1, I4, I5, F9, F11.
func TestFlows_TwoServersOneDatabase(t *testing.T) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			name, dsn := d.open(t)
			two := sites(t, d.dialect, name, dsn, 2)
			a, b := two[0], two[1]
			t.Run("CodeRefreshIntrospectRevoke", func(t *testing.T) {
				first := b.post("/token", redemption(a.code())...)
				require.Equal(t, 200, first.status, first.body)
				require.True(t, a.active(first.str("access_token")))
				second := a.post("/token", refreshing(first.str("refresh_token"))...)
				require.Equal(t, 200, second.status, second.body)
				require.True(t, b.active(second.str("access_token")))
				require.Equal(t, 200, a.post("/revoke", "token", second.str("refresh_token")).status)
				for _, s := range two {
					require.False(t, s.active(first.str("access_token")))
					require.False(t, s.active(second.str("access_token")))
				}
				b.post("/token", refreshing(second.str("refresh_token"))...).invalid(t)
			})
			t.Run("AccessTokenRevokedOnOneIsDeadOnTheOther", func(t *testing.T) {
				for range 20 {
					r := a.post("/token", "grant_type", "client_credentials")
					require.Equal(t, 200, r.status, r.body)
					require.True(t, b.active(r.str("access_token")))
					revoked := a.post("/revoke", "token", r.str("access_token"))
					require.Equal(t, 200, revoked.status)
					require.Empty(t, revoked.body)
					require.False(t, b.active(r.str("access_token")))
				}
			})
			t.Run("CodeReuse", func(t *testing.T) {
				code := a.code()
				r := a.post("/token", redemption(code)...)
				require.Equal(t, 200, r.status, r.body)
				b.post("/token", redemption(code)...).invalid(t)
				require.False(t, a.active(r.str("access_token")))
				a.post("/token", refreshing(r.str("refresh_token"))...).invalid(t)
			})
			t.Run("RefreshReuse", func(t *testing.T) {
				first := a.post("/token", redemption(a.code())...)
				second := b.post("/token", refreshing(first.str("refresh_token"))...)
				require.Equal(t, 200, second.status, second.body)
				a.post("/token", refreshing(first.str("refresh_token"))...).invalid(t)
				require.False(t, b.active(second.str("access_token")))
				b.post("/token", refreshing(second.str("refresh_token"))...).invalid(t)
			})
			t.Run("ParallelRedemptions", func(t *testing.T) { parallelRedemptions(t, two) })
		})
	}
}

// parallelRedemptions redeems one code 64 times at both servers. One answer has
// tokens, and the reuse of the code ends them.
func parallelRedemptions(t *testing.T, two []*site) {
	for range 3 {
		code := two[0].code()
		replies := make([]answered, 64)
		errs := make([]error, len(replies))
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range replies {
			wg.Go(func() {
				<-start
				replies[i], errs[i] = two[i%2].ask(http.MethodPost, "/token", form(redemption(code)...))
			})
		}
		close(start)
		wg.Wait()
		var won []answered
		for i, r := range replies {
			require.NoError(t, errs[i])
			if r.status == 200 {
				won = append(won, r)
				continue
			}
			r.invalid(t)
		}
		require.Len(t, won, 1)
		for _, s := range two {
			require.False(t, s.active(won[0].str("access_token")), "a loser is a reuse")
			s.post("/token", refreshing(won[0].str("refresh_token"))...).invalid(t)
		}
	}
}

// While the database is down, every endpoint answers within its deadline that
// it is not available, and does not reveal the cause. When the database is
// back, requests succeed without a restart.
//
// Holds S165, I7, I12, F5.
func TestDatabaseDown_FailsClosedAndRecovers(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...string) *server{"PostgreSQL": startPostgres, "MariaDB": startMariaDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			t.Cleanup(s.Remove)
			dialect := map[string]sqlstore.Dialect{"PostgreSQL": sqlstore.PostgreSQL, "MariaDB": sqlstore.MySQL}[name]
			a := sites(t, dialect, s.driver, s.DSN, 1)[0]
			tokens := a.post("/token", redemption(a.code())...)
			require.Equal(t, 200, tokens.status, tokens.body)
			code := a.code()
			s.kill()
			for path, pairs := range map[string][]string{
				"/token": redemption(code), "/token?": refreshing(tokens.str("refresh_token")), "/token?cc": {"grant_type", "client_credentials"},
				"/introspect": {"token", tokens.str("access_token")}, "/revoke": {"token", tokens.str("refresh_token")},
			} {
				r := a.post(path, pairs...)
				require.Equal(t, 503, r.status, "%s: %s", path, r.body)
				require.Empty(t, r.str("access_token"))
				require.NotContains(t, strings.ToLower(r.body), "connect")
				require.NotContains(t, strings.ToLower(r.body), "sql")
			}
			r, err := a.ask(http.MethodGet, "/authorize", authorization())
			require.NoError(t, err)
			require.NotContains(t, r.header.Get("Location"), "code=")
			require.NotContains(t, strings.ToLower(r.body+r.header.Get("Location")), "sqlst")

			require.NoError(t, s.start())
			up := time.Now()
			require.Eventually(t, func() bool {
				r, err := a.ask(http.MethodPost, "/introspect", form("token", tokens.str("access_token")))
				return err == nil && r.status == 200 && r.json["active"] == true
			}, 10*time.Second, 10*time.Millisecond)
			t.Logf("answers again %v after the start", time.Since(up).Round(time.Millisecond))
			r = a.post("/token", redemption(code)...)
			require.Equal(t, 200, r.status, "the code was not spent by answers that failed: %s", r.body)
		})
	}
}
