package introspect_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/introspect"
)

// A cached answer is never older than MaxAge, also where the token lives longer.
//
// Holds: house: cached answers; house: revocation has no gap.
func TestCache_NeverOlderThanMaxAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(nil)
		b.set("a", fmt.Sprintf(`{"active":true,"exp":%d}`, time.Now().Add(time.Hour).Unix()))
		b.want(t, "a", true, 1)
		b.set("a", `{"active":false}`)
		time.Sleep(61 * time.Second)
		b.want(t, "a", false, 2)
	})
}

// An answer that a token is not active takes the place of the active one, and a newer
// answer that of an older one.
//
// Holds: house: cached answers; house: one state.
func TestCache_ANewerAnswerReplacesAnOlderOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(func(r *introspect.Remote) { r.MaxInactiveAge = time.Minute })
		b.set("a", `{"active":true,"sub":"alice"}`)
		b.want(t, "a", true, 1)
		time.Sleep(time.Minute)
		b.set("a", `{"active":false}`)
		b.want(t, "a", false, 2)
		b.set("a", `{"active":true,"sub":"bob"}`)
		time.Sleep(59 * time.Second)
		b.want(t, "a", false, 2)
		time.Sleep(time.Second)
		require.Equal(t, "bob", b.want(t, "a", true, 3).Subject)
		b.set("a", `{"active":true,"sub":"carol"}`)
		time.Sleep(59 * time.Second)
		require.Equal(t, "bob", b.want(t, "a", true, 3).Subject)
		time.Sleep(time.Second)
		require.Equal(t, "carol", b.want(t, "a", true, 4).Subject)
	})
}

// A question that began MaxAge ago is not joined: its answer would be older than MaxAge
// when it comes.
//
// Holds: house: cached answers; house: revocation has no gap.
func TestCache_AnOldQuestionIsNotJoined(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for after, want := range map[time.Duration]bool{59 * time.Second: true, 61 * time.Second: false} {
			var asked atomic.Int32
			remote := &introspect.Remote{
				Endpoint: "https://as.example.com", MaxAge: time.Minute, Timeout: time.Hour,
				Client: client(func(*http.Request) (*http.Response, error) {
					if asked.Add(1) == 1 {
						time.Sleep(2 * time.Minute)
						return reply(`{"active":true}`), nil
					}
					return reply(`{"active":false}`), nil
				}),
			}
			var all sync.WaitGroup
			all.Go(func() {
				_, err := remote.Introspect(context.Background(), "a")
				require.NoError(t, err)
			})
			time.Sleep(after)
			got, err := remote.Introspect(t.Context(), "a")
			require.NoError(t, err)
			require.Equal(t, want, got.Active, after)
			all.Wait()
		}
	})
}

// Authenticate signs a call without a ClientID. Its error is no answer about the token.
//
// Holds: RFC 7662 section 2.1; house: store fails closed.
func TestRemote_AuthenticateSignsTheCall(t *testing.T) {
	t.Parallel()
	var fails error
	remote := &introspect.Remote{
		Endpoint: "https://as.example.com",
		Authenticate: func(r *http.Request) error {
			r.Header.Set("Authorization", "Bearer own")
			return fails
		},
		Client: client(func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("Authorization") != "Bearer own" {
				return reply(`{"active":false}`), nil
			}
			return reply(`{"active":true}`), nil
		}),
	}
	require.NoError(t, remote.Check())
	got, err := remote.Introspect(t.Context(), "a")
	require.NoError(t, err)
	require.True(t, got.Active)

	fails = errors.New("no credentials now")
	got, err = remote.Introspect(t.Context(), "a")
	require.ErrorIs(t, err, fails)
	require.Nil(t, got)

	both := &introspect.Remote{Endpoint: "https://as.example.com", ClientID: "c", Authenticate: remote.Authenticate}
	require.ErrorContains(t, both.Check(), "Authenticate")
}

// RootCAs are the authorities of the endpoint, as they are for keys.
//
// Holds: house: foreign tokens.
func TestRemote_RootCAsVerifyTheEndpoint(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"active":true}`)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())

	got, err := (&introspect.Remote{Endpoint: server.URL, RootCAs: roots}).Introspect(t.Context(), "a")
	require.NoError(t, err)
	require.True(t, got.Active)
	for _, none := range []*x509.CertPool{nil, x509.NewCertPool()} {
		_, err = (&introspect.Remote{Endpoint: server.URL, RootCAs: none}).Introspect(t.Context(), "a")
		require.ErrorContains(t, err, "certificate")
	}
}

// The bounds of times are what the documentation says, to the second.
//
// Holds: house: foreign tokens; house: numeric lifetimes.
func TestTimes_AreHeldToTheSecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		at := func(d time.Duration) int64 { return now.Add(d).Unix() }
		for name, c := range map[string]struct {
			change claims
			leeway time.Duration
			want   introspect.Reason
		}{
			"iat at the default leeway": {claims{"iat": at(10 * time.Second)}, 0, ""},
			"iat beyond it":             {claims{"iat": at(11 * time.Second)}, 0, introspect.ReasonNotYetValid},
			"nbf at the default leeway": {claims{"nbf": at(10 * time.Second)}, 0, ""},
			"nbf beyond it":             {claims{"nbf": at(11 * time.Second)}, 0, introspect.ReasonNotYetValid},
			"iat at a leeway":           {claims{"iat": at(30 * time.Second)}, 30 * time.Second, ""},
			"iat beyond a leeway":       {claims{"iat": at(31 * time.Second)}, 30 * time.Second, introspect.ReasonNotYetValid},
			"exp has no leeway":         {claims{"exp": at(0)}, time.Minute, introspect.ReasonExpired},
			"exp in a second":           {claims{"exp": at(time.Second)}, 0, ""},
		} {
			j := checker(func(j *introspect.LocalJWT) { j.Leeway = c.leeway })
			got, err := j.Introspect(t.Context(), sign(t, "ES256", p256(), "p256", good(c.change)))
			require.NoError(t, err, name)
			require.Equal(t, c.want, got.Reason, name)
		}

		// The guard and the remote accept an nbf of up to a minute in the future.
		for ahead, want := range map[time.Duration]bool{time.Minute: true, time.Minute + time.Second: false} {
			guard := newGuard(func(g *introspect.Guard) {
				g.Introspector = answers{"good": live(func(t *introspect.Token) { t.NotBefore = now.Add(ahead) })}
			})
			_, seen := serve(guard, bearer("Bearer good"))
			require.Equal(t, want, seen != nil, "guard, %s", ahead)

			remote := newBench(nil)
			remote.set("a", fmt.Sprintf(`{"active":true,"nbf":%d}`, at(ahead)))
			remote.want(t, "a", want, 1)
		}
	})
}

// A key that the issuer has withdrawn is not used for longer than MaxAge, and keys that
// cannot be had are no answer about a token.
//
// Holds: RFC 8725 section 3.10; house: one key set; house: store fails closed.
func TestKeyring_KeysAreFetchedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct{ set, want time.Duration }{
			"by default": {0, 15 * time.Minute},
			"MaxAge":     {time.Hour, time.Hour},
		} {
			p := &publisher{keys: map[string]crypto.Signer{"old": p256()}}
			j := fetching(p)
			j.MaxAge = c.set
			token := sign(t, "ES256", p256(), "old", good(claims{"exp": time.Now().Add(3 * time.Hour).Unix()}))
			want(t, j, token, "")
			p.set(func(p *publisher) { p.keys = map[string]crypto.Signer{"new": p384()} })
			time.Sleep(c.want - time.Second)
			want(t, j, token, "")
			synctest.Wait()
			require.Equal(t, 1, p.count(), name)

			// The next call begins the fetch and does not wait for it.
			time.Sleep(time.Second)
			want(t, j, token, "")
			synctest.Wait()
			require.Equal(t, 2, p.count(), name)
			want(t, j, token, introspect.ReasonSignature)
		}

		p := &publisher{keys: map[string]crypto.Signer{"old": p256()}}
		j := fetching(p)
		want(t, j, sign(t, "ES256", p256(), "old", good(nil)), "")
		p.set(func(p *publisher) { p.down = true })
		time.Sleep(time.Minute)
		got, err := j.Introspect(t.Context(), sign(t, "ES384", p384(), "new", good(nil)))
		require.Error(t, err, "the key may exist")
		require.Nil(t, got)
		want(t, j, sign(t, "ES256", p256(), "old", good(nil)), "")
	})
}

// A token of exactly the largest size is read, and a longer one is not.
//
// Holds: house: bounded tokens.
func TestJWT_TheLargestTokenIsRead(t *testing.T) {
	t.Parallel()
	const most = 16 << 10
	for n := most - 3; n <= most+1; n++ {
		reason := introspect.Reason("")
		if n > most {
			reason = introspect.ReasonMalformed
		}
		token := ""
		for filler := 3 * most / 4 / 2; len(token) < n; filler++ {
			payload := good(claims{"filler": strings.Repeat("f", filler)})
			if length := base64Length(payload); length+200 < n {
				continue
			}
			token = sign(t, "ES256", p256(), "p256", payload)
		}
		if len(token) != n {
			continue // base64 has no text of this length
		}
		want(t, checker(), token, reason)

		// The guard reads a header of that size too.
		_, seen := serve(newGuard(func(g *introspect.Guard) { g.Introspector = checker() }), bearer("Bearer "+token))
		require.Equal(t, reason == "", seen != nil)
	}

	guard := newGuard(func(g *introspect.Guard) {
		g.Introspector = asked(func(context.Context, string) (*introspect.Token, error) { return live(), nil })
	})
	_, seen := serve(guard, bearer("Bearer "+strings.Repeat("a", most)))
	require.NotNil(t, seen)
	w, seen := serve(guard, bearer("Bearer "+strings.Repeat("a", most+1)))
	require.Nil(t, seen)
	require.Equal(t, http.StatusBadRequest, w.Code)

	// Other places have the same bound.
	for n, want := range map[int]bool{most: true, most + 1: false} {
		guard.Lookup = introspect.Lookup{NoHeader: true, Extract: func(*http.Request) (string, error) { return strings.Repeat("a", n), nil }}
		_, seen = serve(guard, bearer(""))
		require.Equal(t, want, seen != nil, n)
	}
}

// base64Length returns the length of a payload in base64.
func base64Length(payload claims) int { return len(must(json.Marshal(payload))) * 4 / 3 }

// With Types set, azp takes the place of client_id, and must be a string.
//
// Holds: house: foreign tokens.
func TestJWT_AzpMustBeAString(t *testing.T) {
	t.Parallel()
	j := checker(func(j *introspect.LocalJWT) { j.Types = []string{"JWT"} })
	for _, c := range []struct {
		azp  any
		want introspect.Reason
	}{
		{"shop", ""},
		{7, introspect.ReasonMalformed},
		{[]string{"shop"}, introspect.ReasonMalformed},
		{nil, introspect.ReasonMalformed},
	} {
		token := sign(t, "ES256", p256(), "p256", good(claims{"client_id": nil, "azp": c.azp}), claims{"typ": "JWT"})
		got := want(t, j, token, c.want)
		if c.want == "" {
			require.Equal(t, "shop", got.ClientID)
		}
	}
	// A token with client_id does not need it.
	want(t, j, sign(t, "ES256", p256(), "p256", good(claims{"azp": 7}), claims{"typ": "JWT"}), "")
}

// The values of token_use that name an access token are accepted, and no other.
//
// Holds: house: kinds apart.
func TestGuard_TokenUseNamesAnAccessToken(t *testing.T) {
	t.Parallel()
	for use, want := range map[any]bool{"access": true, "access_token": true, nil: true, 7: true, "refresh": false, "id": false, "": false} {
		guard := newGuard(func(g *introspect.Guard) {
			g.Introspector = answers{"good": live(func(t *introspect.Token) { t.Extra["token_use"] = use })}
		})
		_, seen := serve(guard, bearer("Bearer good"))
		require.Equal(t, want, seen != nil, "%v", use)
	}
}

// What a caller does to its lists after Require does not reach the guard.
//
// Holds: house: audience is set.
func TestGuard_RequireKeepsItsOwnLists(t *testing.T) {
	t.Parallel()
	guard := newGuard(func(g *introspect.Guard) {
		g.Audience = []string{api}
		g.Lookup.Schemes = []string{"Bearer"}
	})
	scopes := []string{"read"}
	handler := guard.Require(scopes...)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	guard.Audience[0] = "https://other.example.com"
	guard.Lookup.Schemes[0] = "DPoP"
	scopes[0] = "delete"

	w := httptest.NewRecorder()
	handler.ServeHTTP(w, bearer("Bearer good"))
	require.Equal(t, http.StatusOK, w.Code)
}

// Only a token that came in the query makes the answer private, and it is taken out of
// every form of the request.
//
// Holds: RFC 6750 section 2.3; house: credentials removed.
func TestLookup_StripsTheQueryThatHadTheToken(t *testing.T) {
	t.Parallel()
	guard := newGuard(func(g *introspect.Guard) { g.Lookup.QueryField = "access_token" })
	r := httptest.NewRequest(http.MethodGet, "/notes?x=1&access_token=good&y=2", nil)
	require.NoError(t, r.ParseForm())
	w, seen := serve(guard, r)
	require.NotNil(t, seen)
	require.Equal(t, "private", w.Header().Get("Cache-Control"))
	require.Equal(t, "x=1&y=2", seen.URL.RawQuery)
	require.Equal(t, "/notes?x=1&y=2", seen.RequestURI)
	require.Equal(t, map[string][]string{"x": {"1"}, "y": {"2"}}, map[string][]string(seen.Form))
	require.Equal(t, "good", r.Form.Get("access_token"), "the caller's request is not changed")

	// The header had the token, so the query stays as it was.
	r = httptest.NewRequest(http.MethodGet, "/notes?x=1&access_token=&%79=2", nil)
	r.Header.Set("Authorization", "Bearer good")
	w, seen = serve(guard, r)
	require.NotNil(t, seen)
	require.Empty(t, w.Header().Get("Cache-Control"))
	require.Equal(t, "x=1&access_token=&%79=2", seen.URL.RawQuery)
}
