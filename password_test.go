package grantwell_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// newPassword builds a server with one password grant.
func newPassword(
	t *testing.T, g grants.Password, change func(*grantwell.Config),
) *servertest.Server {
	return servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Grants = []grants.Handler{g, grants.RefreshToken{}}
		if change != nil {
			change(cfg)
		}
	})
}

// The authenticator alone decides. It gets the client, the scopes and the
// address, names the subject and may add claims.
//
// Holds: RFC 6749 section 4.3.2; house: authenticator decides;
// house: data of the token.
func TestPassword_AuthenticatorDecides(t *testing.T) {
	t.Parallel()
	type key struct{}
	var got grants.Login
	l := newPassword(t,
		grants.Password{Authenticator: servertest.AuthenticatorFunc(func(ctx context.Context, l grants.Login) (grants.User, error) {
			require.Equal(t, "v", ctx.Value(key{}))
			got = l
			return grants.User{
				Subject: "sub-1",
				Claims:  map[string]any{"dept": "HR", "sub": "evil", "Client_ID": "evil"},
			}, nil
		})}, func(cfg *grantwell.Config) {
			cfg.Paths.TokenInfo = "/tokeninfo"
			cfg.TokenInfo.Fields = map[string]string{"Department": "dept"}
		})
	req := servertest.Request("/token", servertest.Conf,
		servertest.Form("grant_type", "password", "username", "jd", "password", "pw",
			"scope", "write"))
	req.RemoteAddr = "192.0.2.7:1"
	res := l.Do(req.WithContext(context.WithValue(t.Context(), key{}, "v")))
	require.Equal(t, 200, res.Status, res.Body)
	require.NotEmpty(t, res.String("refresh_token"))
	got.Client = storage.Client{ID: got.Client.ID}
	require.Equal(t, grants.Login{
		Username: "jd",
		Password: "pw",
		Client:   storage.Client{ID: "conf"},
		Scope:    []string{"write"},
		Remote:   netip.MustParseAddr("192.0.2.7"),
	}, got)
	info := l.Post("/tokeninfo", servertest.Conf, "access_token", res.String("access_token"))
	require.Equal(t, "sub-1", info.String("user_id"))
	require.Equal(t, "HR", info.String("Department"))
	intro := l.Introspect("conf", res.String("access_token"))
	require.Equal(t, "sub-1", intro.String("sub"))
	require.NotContains(t, intro.Body, "evil")

	l = newPassword(t, grants.Password{
		NoRefresh:     true,
		Authenticator: servertest.Users{"a": "b"},
	}, nil)
	require.Empty(t, l.Login("a", "b").String("refresh_token"))
}

// A wrong password, an unknown user and a locked one get the same answer. A
// missing parameter and a failing user store have their own.
//
// Holds: RFC 6749 section 4.3.2; RFC 6749 section 5.2.
func TestPassword_RefusalsDoNotNameTheCause(t *testing.T) {
	t.Parallel()
	calls := 0
	l := newPassword(t,
		grants.Password{Authenticator: servertest.AuthenticatorFunc(func(_ context.Context, l grants.Login) (grants.User, error) {
			calls++
			switch l.Username {
			case "down":
				return grants.User{}, errors.New("ldap: no route to db7.internal")
			case "locked":
				return grants.User{}, fmt.Errorf("locked since Monday: %w", grants.ErrWrongPassword)
			case "panics":
				panic(l.Password)
			case "nobody":
				return grants.User{}, nil
			case "picky":
				return grants.User{}, grants.AccessDenied("Log in at the desk first.")
			}
			return grants.User{}, grants.ErrWrongPassword
		})}, nil)
	want := l.Login("unknown", "x")
	want.Fails(t, 400, "invalid_grant")
	require.Equal(t, want, l.Login("known", "wrong"))
	require.Equal(t, want, l.Login("locked", "right"))
	calls = 0
	for _, p := range [][2]string{{"", ""}, {"known", ""}, {"", "x"}} {
		l.Login(p[0], p[1]).Fails(t, 400, "invalid_request")
	}
	require.Zero(t, calls)
	for user, code := range map[string]struct {
		status int
		code   string
	}{
		"down":   {503, "temporarily_unavailable"},
		"panics": {500, "server_error"},
		"nobody": {500, "server_error"},
		"picky":  {403, "access_denied"},
	} {
		res := l.Login(user, "hunter2")
		res.Fails(t, code.status, code.code)
		require.NotContains(t, res.Body, "internal")
		require.NotContains(t, res.Body, "hunter2")
	}
	require.Empty(t, l.Records(storage.Query{}))
}

// The grant is served only if it is listed, to clients that are registered for
// it, and only then stands in the metadata.
//
// Holds: RFC 9700 section 2.4.
func TestPassword_OffUnlessListed(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Grants = []grants.Handler{grants.ClientCredentials{}}
	})
	l.Login("johndoe", "A3ddj3w").Fails(t, 400, "unsupported_grant_type")
	meta := l.Do(httptest.NewRequest(http.MethodGet, "/.well-known/oauth-authorization-server", nil))
	require.NotContains(t, meta.Body, "password")
	l = servertest.New(t, nil)
	l.AddClient("conf", func(c *storage.Client) { c.GrantTypes = []string{"client_credentials"} })
	l.Login("johndoe", "A3ddj3w").Fails(t, 400, "unauthorized_client")
	_, err := grantwell.New(grantwell.Config{
		Issuer:  "https://as.example",
		Clients: l.Store,
		Grants:  []grants.Handler{grants.Password{}},
	})
	require.ErrorContains(t, err, "Authenticator")
}

// A password is decoded once, whatever characters it has.
//
// Holds: RFC 6749 appendix B.
func TestPassword_DecodedOnce(t *testing.T) {
	t.Parallel()
	for _, p := range []string{"a+b", "a&b=c", "100%", "%41", "ü€\U0001F511", " lead and trail ",
		"\ttab", "\"\\"} {
		l := newPassword(t, grants.Password{Authenticator: servertest.Users{"u": p}}, nil)
		require.Equal(t, 200, l.Login("u", p).Status, p)
	}
}

// Past the limit for a user the authenticator is not asked, however the name
// is spelled. A success before it does not count.
//
// Holds: RFC 6749 section 4.3.2; house: limit by user.
func TestPassword_LimitByUser(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		l := newPassword(t,
			grants.Password{Authenticator: servertest.AuthenticatorFunc(func(_ context.Context, l grants.Login) (grants.User, error) {
				calls++
				if l.Password == "right" {
					return grants.User{Subject: "u"}, nil
				}
				return grants.User{}, grants.ErrWrongPassword
			})}, nil)
		for range 200 {
			require.Equal(t, 200, l.Login("user", "right").Status)
		}
		calls = 0
		for i, name := range []string{"user", "USER", "User ", " user", "uSER\t", "user", "user",
			"user", "user", "user"} {
			l.Login(name, fmt.Sprint("wrong", i)).Fails(t, 400, "invalid_grant")
		}
		for _, p := range []string{"wrong", "right"} {
			res := l.Login("usER", p)
			res.Fails(t, 429, "temporarily_unavailable")
			require.Equal(t, "60", res.Header.Get("Retry-After"))
		}
		require.Equal(t, 10, calls)
		require.Equal(t, 200, l.Login("another", "right").Status)
		time.Sleep(time.Minute)
		require.Equal(t, 200, l.Login("user", "right").Status)
	})
}

// Guesses for many names from one address are limited too. The addresses of
// one IPv6 network count as one.
//
// Holds: RFC 6749 section 4.3.2; house: limit by user.
func TestPassword_LimitByAddress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newPassword(t, grants.Password{Authenticator: servertest.Users{}}, nil)
		try := func(i int, addr string) int {
			req := servertest.Request("/token", servertest.Conf,
				servertest.Form("grant_type", "password", "username", fmt.Sprint("u", i),
					"password", "x"))
			req.RemoteAddr = addr
			return l.Do(req).Status
		}
		for i := range 100 {
			require.Equal(t, 400, try(i, fmt.Sprintf("[2001:db8::%x]:1", i)))
		}
		require.Equal(t, 429, try(200, "[2001:db8:0:0:ffff::1]:1"))
		require.Equal(t, 400, try(201, "[2001:db8:0:1::1]:1"))
		require.Equal(t, 400, try(202, "192.0.2.1:1"))
	})
}

// Concurrent guesses do not pass the limit together.
//
// Holds: RFC 6749 section 4.3.2.
func TestPassword_ConcurrentGuessesAreLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls, limited atomic.Int32
		l := newPassword(t,
			grants.Password{Authenticator: servertest.AuthenticatorFunc(func(context.Context, grants.Login) (grants.User, error) {
				calls.Add(1)
				time.Sleep(100 * time.Millisecond)
				return grants.User{}, grants.ErrWrongPassword
			})}, nil)
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				if l.Login("user", fmt.Sprint(i)).Status == 429 {
					limited.Add(1)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 10, calls.Load())
		require.EqualValues(t, 40, limited.Load())
	})
}

// The limit counts the caller's own address, unless a trusted proxy names
// another one.
func TestPassword_AddressBehindProxies(t *testing.T) {
	t.Parallel()
	var got netip.Addr
	l := newPassword(t,
		grants.Password{Authenticator: servertest.AuthenticatorFunc(func(_ context.Context, l grants.Login) (grants.User, error) {
			got = l.Remote
			return grants.User{Subject: "u"}, nil
		})}, func(cfg *grantwell.Config) {
			cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		})
	for _, tt := range []struct{ peer, forwarded, want string }{
		{"192.0.2.1:1", "203.0.113.9", "192.0.2.1"},
		{"10.0.0.1:1", "203.0.113.9", "203.0.113.9"},
		{"10.0.0.1:1", "1.1.1.1, 203.0.113.9, 10.2.2.2", "203.0.113.9"},
		{"10.0.0.1:1", "203.0.113.9, unknown", "invalid IP"},
		{"10.0.0.1:1", "", "10.0.0.1"},
		{"[::ffff:192.0.2.1]:1", "203.0.113.9", "192.0.2.1"},
	} {
		req := servertest.Request("/token", servertest.Conf,
			servertest.Form("grant_type", "password", "username", "u", "password", "x"))
		req.RemoteAddr = tt.peer
		req.Header.Set("X-Forwarded-For", tt.forwarded)
		require.Equal(t, 200, l.Do(req).Status)
		require.Equal(t, tt.want, got.String(), tt)
	}
}
