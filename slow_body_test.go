package grantwell_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/internal/servertest"
)

// patience is how long a test waits for what must come soon.
const patience = 20 * time.Second

// sendSlowly sends the header of a request and one byte of its body, and returns the
// answer.
func sendSlowly(t *testing.T, s *servertest.Server, request string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, request)
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err, request)
	_, err = io.Copy(io.Discard, res.Body)
	require.NoError(t, err)

	return res
}

// A body that does not arrive ends with the request's deadline, at every endpoint, and
// whether the endpoint reads it or refuses the request before. The host's http.Server
// has no timeouts here.
func TestBody_EndsWithTheDeadline(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(cfg *grantwell.Config) {
		cfg.Timeout = 200 * time.Millisecond
		cfg.Keys = servertest.Keys(t)
		cfg.Paths.TokenInfo = "/tokeninfo"
		cfg.Paths.DisplayCode = "/code"
		cfg.PAR.Path = "/par"
		cfg.TokenInfo.Get = true
	})
	admin, err := s.AS.Admin(grantwell.AdminConfig{Authorize: func(*http.Request) (string, error) { return "op", nil }})
	require.NoError(t, err)
	s.Handle("/admin/", http.StripPrefix("/admin", admin))
	s.Listen()

	const form = "Content-Type: application/x-www-form-urlencoded\r\n"
	for _, path := range []string{
		"/token", "/revoke", "/introspect", "/tokeninfo", "/par", "/authorize", "/code", "/jwks.json",
		"/.well-known/oauth-authorization-server", "/admin/clients", "/nowhere",
	} {
		for _, head := range []string{
			"POST %s HTTP/1.1\r\nHost: as.example\r\n" + form + "Content-Length: 100\r\n\r\ng",
			"POST %s HTTP/1.1\r\nHost: as.example\r\n" + form + "Transfer-Encoding: chunked\r\n\r\n1\r\ng\r\n",
			"POST %s HTTP/1.1\r\nHost: as.example\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\ng",
			"GET %s HTTP/1.1\r\nHost: as.example\r\nContent-Length: 100\r\n\r\ng",
			"OPTIONS %s HTTP/1.1\r\nHost: as.example\r\nContent-Length: 100\r\n\r\ng",
			"PUT %s HTTP/1.1\r\nHost: as.example\r\nContent-Length: 100\r\n\r\ng",
		} {
			if path == "/nowhere" && head[0] != 'P' {
				continue
			}
			t.Run(strings.Fields(head)[0]+path, func(t *testing.T) {
				t.Parallel()
				res := sendSlowly(t, s, fmt.Sprintf(head, path))
				require.Less(t, res.StatusCode, 500)
			})
		}
	}
	t.Run("answer", func(t *testing.T) {
		t.Parallel()
		res := sendSlowly(t, s, "POST /token HTTP/1.1\r\nHost: as.example\r\n"+form+"Content-Length: 100\r\n\r\ng")
		require.Equal(t, http.StatusRequestTimeout, res.StatusCode)
		require.True(t, res.Close)
	})
}

// The deadline of a body ends with the body: the host's own work on the request goes
// on, and so does the connection.
func TestBody_DeadlineEndsWithTheBody(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(cfg *grantwell.Config) { cfg.Timeout = 100 * time.Millisecond })
	ended := make(chan error, 1)
	s.Handle("/login", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, ok := s.AS.ParseAuthorize(w, r)
		if !ok {
			t.Error("refused")
		}
		time.Sleep(300 * time.Millisecond)
		ended <- r.Context().Err()
		w.WriteHeader(http.StatusNoContent)
	}))
	s.Listen()
	for range 2 { // on one connection
		res, err := s.Client().Post(s.URL+"/login", "application/x-www-form-urlencoded",
			strings.NewReader(servertest.AuthorizeQuery().Encode()))
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusNoContent, res.StatusCode)
		require.NoError(t, <-ended)
	}
}
