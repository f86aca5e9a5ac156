package grantwell_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/internal/servertest"
)

// The most frequent failures carry what was sent, bounded and printable, so that a log
// line is enough to help (RFC 9700 section 4.1 wants exact redirect URIs).
func TestEvents_CarryTheSubjectOfAFailure(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	s.Get(servertest.AuthorizeURL("redirect_uri", "https://app.example/other\u202e\n"+strings.Repeat("x", 500)))
	e := s.LastEvent()
	require.Equal(t, "conf", e.ClientID)
	sent := e.Details["sent_redirect_uri"]
	require.True(t, strings.HasPrefix(sent, "https://app.example/otherxxx"), sent)
	require.Len(t, sent, 256)

	s.Get(servertest.AuthorizeURL("client_id", "no\nbody"))
	require.Equal(t, "nobody", s.LastEvent().Details["sent_client_id"])
	require.Empty(t, s.LastEvent().ClientID)
	s.ClientCredentials("stranger:secret")
	require.Equal(t, map[string]string{"sent_client_id": "stranger"}, s.LastEvent().Details)
}

// The name of a request joins an error page, its response header and the log.
func TestErrorPage_NamesTheRequest(t *testing.T) {
	t.Parallel()
	var seen string
	for _, own := range []bool{false, true} {
		s := servertest.New(t, func(cfg *grantwell.Config) {
			if own {
				cfg.ErrorPage = func(w http.ResponseWriter, _ *http.Request, status int, _, _ string) {
					seen = w.Header().Get("X-Request-Id")
					w.WriteHeader(status)
				}
			}
		})
		res := s.Get(servertest.AuthorizeURL("client_id", "nobody"))
		require.Equal(t, 400, res.Status)
		id := s.LastEvent().RequestID
		require.NotEmpty(t, id)
		require.Equal(t, id, res.Header.Get("X-Request-Id"))
		if own {
			require.Equal(t, id, seen)
		} else {
			require.Contains(t, res.Body, id)
		}
	}
}

// A user's decision is not a warning, a question of a resource server is not worth a
// line at level Info, and durations can be read.
func TestLog_LevelsAreThoseOfAnOperator(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := servertest.New(t, func(cfg *grantwell.Config) { servertest.LogTo(cfg, &log) })
	s.Handle("/deny", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if req, ok := s.AS.ParseAuthorize(w, r); ok {
			s.AS.Deny(w, r, req)
		}
	}))
	access, _ := s.Family("conf")
	line := func(send func()) string {
		log.Reset()
		send()
		require.Regexp(t, `"duration":"[0-9.]+(ns|µs|ms|s)"`, log.String())
		return log.String()
	}
	require.Contains(t, line(func() { s.Introspect("conf", access) }), `"level":"DEBUG"`)
	require.Contains(t, line(func() {
		s.Get(strings.Replace(servertest.AuthorizeURL(), "/authorize", "/deny", 1))
	}), `"level":"INFO"`)
	require.Contains(t, line(func() { s.ClientCredentials("conf:wrong") }), `"level":"WARN"`)
	require.Contains(t, line(func() { s.Token(servertest.Conf) }), `"level":"INFO"`)
}
