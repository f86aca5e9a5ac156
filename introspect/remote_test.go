package introspect_test

import (
	"context"
	"errors"
	"fmt"
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

// The question is a POST with a form body and Basic credentials whose parts are form-encoded.
//
// Holds: RFC 7662 section 2.2; house: foreign tokens.
func TestRemote_AsksByRFC7662(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		if r.Method != http.MethodPost || id != "my+api" || secret != "p%3Aw+%2B" || r.URL.RawQuery != "" ||
			r.PostFormValue("token_type_hint") != "access_token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if r.PostFormValue("token") == "good" {
			_, _ = w.Write([]byte(`{"active":true,"iss":"https://as.example.com","sub":"alice","client_id":"ext","scope":"read","x":[1]}`))
			return
		}
		_, _ = w.Write([]byte(`{"active":false}`))
	}))
	defer server.Close()
	remote := &introspect.Remote{Endpoint: server.URL, ClientID: "my api", ClientSecret: "p:w +", Issuer: "https://as.example.com",
		ClientMap: func(_ context.Context, id string) (string, error) { return map[string]string{"ext": "shop"}[id], nil }}
	got, err := remote.Introspect(t.Context(), "good")
	require.NoError(t, err)
	require.True(t, got.Active)
	require.Equal(t, "shop", got.ClientID)
	require.Equal(t, []string{"read"}, got.Scope)
	got, err = remote.Introspect(t.Context(), "bad")
	require.NoError(t, err)
	require.False(t, got.Active)

	for _, shown := range []string{fmt.Sprint(remote), fmt.Sprintf("%+v", remote), fmt.Sprintf("%#v", remote)} {
		require.NotContains(t, shown, "p:w")
	}
}

// The times, issuer and client of an active answer are compared here too.
//
// Holds: house: foreign tokens; house: numeric lifetimes.
func TestRemote_JudgesAnswers(t *testing.T) {
	t.Parallel()
	now := time.Now().Unix()
	for name, c := range map[string]struct {
		body string
		want introspect.Reason
	}{
		"expired":        {fmt.Sprintf(`{"active":true,"iss":"i","client_id":"a","exp":%d}`, now-1), introspect.ReasonExpired},
		"not yet valid":  {fmt.Sprintf(`{"active":true,"iss":"i","client_id":"a","nbf":%d}`, now+600), introspect.ReasonNotYetValid},
		"another issuer": {`{"active":true,"iss":"j","client_id":"a"}`, introspect.ReasonIssuer},
		"no issuer":      {`{"active":true,"client_id":"a"}`, introspect.ReasonIssuer},
		"no such client": {`{"active":true,"iss":"i","client_id":"b"}`, introspect.ReasonClient},
		"well":           {`{"active":true,"iss":"i","client_id":"a"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			remote := &introspect.Remote{Endpoint: "https://as.example.com", Issuer: "i",
				Client:    client(func(*http.Request) (*http.Response, error) { return reply(c.body), nil }),
				ClientMap: func(_ context.Context, id string) (string, error) { return map[string]string{"a": "local"}[id], nil }}
			got, err := remote.Introspect(t.Context(), "x")
			require.NoError(t, err)
			require.Equal(t, c.want, got.Reason)
			require.Equal(t, c.want == "", got.Active)
		})
	}
}

// Anything but a proper response is an error, whose text has neither the token
// nor the secret. Redirects are not followed.
//
// Holds: RFC 8725 section 3.10; house: store fails closed.
func TestRemote_NoAnswerIsError(t *testing.T) {
	t.Parallel()
	var followed atomic.Int32
	var target string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, target, http.StatusTemporaryRedirect)
		case "/target":
			followed.Add(1)
			_, _ = w.Write([]byte(`{"active":true}`))
		case "/500":
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte(`{"active":true}`))
		case "/html":
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte(`{"active":true}`))
		case "/large":
			_, _ = w.Write([]byte(`{"active":true,"x":"` + strings.Repeat("a", 1<<20) + `"}`))
		case "/slow":
			_ = r.ParseForm() // the server notices a closed connection only after it has read the body
			<-r.Context().Done()
		case "/garbage":
			_, _ = w.Write([]byte(`<active>`))
		}
	}))
	defer server.Close()
	target = server.URL + "/target"
	for _, path := range []string{"/redirect", "/500", "/html", "/large", "/slow", "/garbage"} {
		for _, maxAge := range []time.Duration{0, time.Hour} {
			remote := &introspect.Remote{Endpoint: server.URL + path, ClientID: "c", ClientSecret: "hunter2", Timeout: 100 * time.Millisecond, MaxAge: maxAge}
			got, err := remote.Introspect(t.Context(), "to.ken")
			require.Error(t, err, path)
			require.Nil(t, got)
			require.NotContains(t, err.Error(), "hunter2")
			require.NotContains(t, err.Error(), "to.ken")
		}
	}
	require.Zero(t, followed.Load())
	_, err := (&introspect.Remote{}).Introspect(t.Context(), "x")
	require.ErrorContains(t, err, "Remote.Endpoint")
}

// A string that cannot be a token is not sent to the server.
func TestRemote_SendsOnlyTokens(t *testing.T) {
	t.Parallel()
	remote := &introspect.Remote{Endpoint: "https://as.example.com",
		Client: client(func(*http.Request) (*http.Response, error) { return nil, errors.New("asked") })}
	for _, token := range []string{"", "a b\n", "a\x00", "é", strings.Repeat("a", 16<<10+1)} {
		got, err := remote.Introspect(t.Context(), token)
		require.NoError(t, err)
		require.Equal(t, introspect.ReasonMalformed, got.Reason)
	}
}

// bench is a remote whose server answers from a map that a test changes, and
// counts the questions.
type bench struct {
	*introspect.Remote
	mu     sync.Mutex
	bodies map[string]string
	asked  int
}

func newBench(change func(*introspect.Remote)) *bench {
	b := &bench{bodies: map[string]string{}}
	b.Remote = &introspect.Remote{Endpoint: "https://as.example.com", MaxAge: time.Minute}
	b.Client = client(func(r *http.Request) (*http.Response, error) {
		if err := r.ParseForm(); err != nil {
			return nil, err
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.asked++
		body, ok := b.bodies[r.PostForm.Get("token")]
		if !ok {
			body = `{"active":false}`
		}
		return reply(body), nil
	})
	if change != nil {
		change(b.Remote)
	}
	return b
}

func (b *bench) set(token, body string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bodies[token] = body
}

func (b *bench) want(t *testing.T, token string, active bool, asked int) *introspect.Token {
	t.Helper()
	got, err := b.Introspect(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, active, got.Active)
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Equal(t, asked, b.asked)
	return got
}

// A revocation is seen within MaxAge, and at once without a cache.
//
// Holds: house: cached answers; house: revocation has no gap.
func TestCache_RevocationSeenWithinMaxAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(nil)
		b.set("a", `{"active":true,"sub":"alice"}`)
		b.want(t, "a", true, 1)
		b.set("a", `{"active":false}`)
		time.Sleep(time.Minute - time.Nanosecond)
		b.want(t, "a", true, 1)
		time.Sleep(time.Nanosecond)
		b.want(t, "a", false, 2)
		b.want(t, "a", false, 3) // not kept: MaxInactiveAge is zero

		none := newBench(func(r *introspect.Remote) { r.MaxAge = 0 })
		none.set("a", `{"active":true}`)
		none.want(t, "a", true, 1)
		none.set("a", `{"active":false}`)
		none.want(t, "a", false, 2)
	})
}

// No cache entry outlives exp.
//
// Holds: house: cached answers; house: expiry at use; house: numeric lifetimes.
func TestCache_NeverPastExp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(nil)
		b.set("a", fmt.Sprintf(`{"active":true,"exp":%d}`, time.Now().Add(10*time.Second).Unix()))
		b.want(t, "a", true, 1)
		time.Sleep(10*time.Second - 1)
		b.want(t, "a", true, 1)
		time.Sleep(time.Nanosecond)
		require.Equal(t, introspect.ReasonExpired, b.want(t, "a", false, 2).Reason)
	})
}

// MaxAge counts from the question and not from the answer.
//
// Holds: house: cached answers.
func TestCache_AgeCountsFromQuestion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		remote := &introspect.Remote{Endpoint: "https://as.example.com", MaxAge: 10 * time.Second, Timeout: time.Minute,
			Client: client(func(*http.Request) (*http.Response, error) {
				asked++
				time.Sleep(8 * time.Second)
				return reply(`{"active":true}`), nil
			})}
		for range 2 {
			_, err := remote.Introspect(t.Context(), "a")
			require.NoError(t, err)
		}
		require.Equal(t, 1, asked)
		time.Sleep(2 * time.Second)
		_, err := remote.Introspect(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, 2, asked)
	})
}

// Two tokens never share an answer, and no caller can change the answer of
// another.
//
// Holds: house: cached answers.
func TestCache_EntriesStayApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(nil)
		b.set("a", `{"active":true,"sub":"alice","scope":"read","cnf":{"jkt":"k"},"x":{"y":[1]}}`)
		b.set("A", `{"active":true,"sub":"bob","scope":"write"}`)
		for range 2 {
			got, err := b.Introspect(t.Context(), "a")
			require.NoError(t, err)
			require.Equal(t, "alice", got.Subject)
			require.Equal(t, "bob", b.want(t, "A", true, 2).Subject)
		}
		b.want(t, "aa", false, 3)

		got := b.want(t, "a", true, 3)
		got.Scope[0], got.Confirmation["jkt"], got.Subject = "admin", "", "root"
		got.Extra["x"].(map[string]any)["y"].([]any)[0] = "changed"
		delete(got.Extra, "x")
		again := b.want(t, "a", true, 3)
		require.Equal(t, "alice", again.Subject)
		require.Equal(t, []string{"read"}, again.Scope)
		require.Equal(t, "k", again.Confirmation["jkt"])
		require.Equal(t, "1", fmt.Sprint(again.Extra["x"].(map[string]any)["y"].([]any)[0]))
	})
}

// The cache is bounded. Unknown tokens push no active one out of it, and errors
// are not cached.
//
// Holds: RFC 7523 section 3; house: cached answers.
func TestCache_Bounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(func(r *introspect.Remote) { r.MaxEntries, r.MaxInactiveAge = 2, 10*time.Second })
		for _, token := range []string{"a", "b", "c"} {
			b.set(token, `{"active":true}`)
		}
		b.want(t, "a", true, 1)
		b.want(t, "b", true, 2)
		for i := range 10 {
			b.want(t, fmt.Sprint("garbage", i), false, 3+i)
		}
		b.want(t, "garbage9", false, 12)
		b.want(t, "garbage0", false, 13)
		b.want(t, "a", true, 13) // a is now the more recently used
		b.want(t, "c", true, 14) // b is removed
		b.want(t, "a", true, 14)
		b.want(t, "b", true, 15)
		time.Sleep(10 * time.Second)
		b.want(t, "garbage0", false, 16)
		b.set("d", `broken`)
		for range 2 {
			_, err := b.Introspect(t.Context(), "d")
			require.Error(t, err)
		}
		require.Equal(t, 18, b.asked)
	})
}

// Concurrent calls about one token share one question. A caller that gives up
// does not stop it for the others. A panic is an error.
//
// Holds: house: cached answers; house: hooks refuse; house: one stuck store.
func TestCache_OneAsksForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		remote := &introspect.Remote{Endpoint: "https://as.example.com", MaxAge: time.Minute,
			Client: client(func(r *http.Request) (*http.Response, error) {
				asked.Add(1)
				time.Sleep(time.Second)
				return reply(`{"active":true}`), r.Context().Err()
			}),
			ClientMap: func(_ context.Context, id string) (string, error) { return "local", nil }}
		first, cancel := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		wait.Go(func() {
			_, err := remote.Introspect(first, "a")
			require.ErrorIs(t, err, context.Canceled)
		})
		synctest.Wait()
		for range 20 {
			wait.Go(func() {
				got, err := remote.Introspect(t.Context(), "a")
				require.NoError(t, err)
				require.True(t, got.Active)
			})
		}
		synctest.Wait()
		cancel()
		wait.Wait()
		require.Equal(t, int32(1), asked.Load())

		broken := newBench(func(r *introspect.Remote) {
			r.ClientMap = func(context.Context, string) (string, error) { panic("x") }
		})
		broken.set("a", `{"active":true}`)
		_, err := broken.Introspect(t.Context(), "a")
		require.ErrorContains(t, err, "panic")
	})
}
