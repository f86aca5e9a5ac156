//go:build unix

package main_test

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/grantwell/grantwell/examples/internal/demo"
	"github.com/grantwell/grantwell/examples/internal/transcript"
)

// stores are the names that the cluster command knows.
var stores = []string{"postgres", "redis", "sqlite", "mysql"}

// Each request of a flow may go to either of two processes. Each process knows at
// the next request what the other has issued, spent or refused.
//
// Holds: RFC 6749 section 4.3.2; RFC 7009 section 2.1; RFC 7523 section 3;
// RFC 9700 section 2.2.2; house: any instance; house: fault of late reuse.
func TestFlows_AnyRequestHitsEitherServer(t *testing.T) {
	t.Parallel()
	for _, store := range stores {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			s := cluster(t, store)
			s.everyFlow(t)
			s.guesses()
		})
	}
}

// If the answer to a refresh was lost, the other server gives the same answer
// again.
//
// Holds: RFC 6819 section 5.2.2.3; house: any instance.
func TestRetry_OtherServerGivesSameAnswer(t *testing.T) {
	t.Parallel()
	s := cluster(t, "sqlite", "--", "-retry-window", "1m")
	first := s.at(0).
		token("grant_type", "password", "username", "johndoe", "password", s.file.Passwords["johndoe"])
	lost := s.at(1).
		token("grant_type", "refresh_token", "refresh_token", first.text("refresh_token"))
	require.Equal(t, 200, lost.status, lost.body)
	again := s.at(0).
		token("grant_type", "refresh_token", "refresh_token", first.text("refresh_token"))
	require.Equal(t, 200, again.status, again.body)
	require.Equal(t, lost.text("refresh_token"), again.text("refresh_token"))
	next := s.at(1).
		token("grant_type", "refresh_token", "refresh_token", again.text("refresh_token"))
	require.Equal(t, 200, next.status, next.body)
}

// Two server processes are started at the same moment on one file that has no
// schema and no secrets yet. They agree on both, and each verifies the tokens that
// the other has signed.
//
// Holds: RFC 7523 section 3; house: any instance.
func TestServers_StartTogetherOnOneFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	both := &servers{t: t}
	args := []string{
		"-addr", "127.0.0.1:0", "-issuer", "http://127.0.0.1:1",
		"-store", "sqlite:" + filepath.Join(dir, "grantwell.db"),
		"-secrets", filepath.Join(dir, "secrets", "file.json"),
		"-demo", filepath.Join(dir, "demo.json"), "-access-token", "jwt",
	}
	type begun struct {
		lines []string
		err   error
	}
	starts := make([]chan begun, 2)
	for i := range starts {
		one := &servers{
			t:      t,
			stderr: &lockedBuffer{},
			ended:  make(chan error, 1),
			cmd:    exec.Command(filepath.Join(bin, "server"), args...),
		}
		starts[i] = make(chan begun, 1)
		t.Cleanup(func() {
			_ = one.cmd.Process.Signal(syscall.SIGTERM)
			require.NoError(t, <-one.ended, one.stderr)
		})
		go func() {
			lines, err := one.start(one.cmd)
			starts[i] <- begun{lines, err}
		}()
	}
	var said []string
	for _, start := range starts {
		b := <-start
		require.NoError(t, b.err)
		var same []string
		for _, line := range b.lines {
			if addr, ok := strings.CutPrefix(line, "address "); ok {
				both.addrs = append(both.addrs, strings.TrimSpace(addr))
				continue
			}
			same = append(same, line)
		}
		if said == nil {
			said = same
		}
		require.Equal(t, said, same, "both have the same clients, secrets and endpoints")
	}
	info, err := os.Stat(filepath.Join(dir, "secrets", "file.json"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	both.file, err = demo.Read(filepath.Join(dir, "demo.json"))
	require.NoError(t, err)
	both.everyFlow(t)

	published := make([][]byte, 2)
	for i := range published {
		res, err := both.at(i).http.Get(both.file.JWKS)
		require.NoError(t, err)
		var b bytes.Buffer
		_, err = b.ReadFrom(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, 200, res.StatusCode)
		published[i] = b.Bytes()
	}
	require.Equal(t, string(published[0]), string(published[1]))
}

// everyFlow goes through the flows twice: once from the one server, once from the
// other.
func (s *servers) everyFlow(t *testing.T) {
	for first := range 2 {
		ctx, seen := s.alternating(first)
		s.codeFlow(ctx, first)
		s.directFlows(ctx)
		s.assertions(s.at(first), s.at(1-first))
		require.Positive(t, seen.seen[0].Load())
		require.InDelta(t,
			seen.seen[0].Load(), seen.seen[1].Load(), 1,
			"each request went to the other server than the one before",
		)
	}
}

// codeFlow redeems a code with PKCE, refreshes, and uses a spent token or code
// again.
func (s *servers) codeFlow(ctx context.Context, first int) {
	t := s.t
	here, there := s.at(first), s.at(1-first)
	g := s.authorize(ctx)
	got := there.token(g.redemption()...)
	require.Equal(t, 200, got.status, got.body)
	for _, a := range []at{here, there} {
		require.True(t, a.active(got.text("access_token")))
		s.resource(a, got.text("access_token"), 200)
	}
	next := here.token("grant_type", "refresh_token", "refresh_token", got.text("refresh_token"))
	require.Equal(t, 200, next.status, next.body)
	last := there.token("grant_type", "refresh_token", "refresh_token", next.text("refresh_token"))
	require.Equal(t, 200, last.status, last.body)
	require.True(t, here.active(last.text("access_token")))
	// A second use of the first refresh token, or of the code, ends the family on
	// both servers.
	if first == 0 {
		here.token("grant_type", "refresh_token", "refresh_token", got.text("refresh_token")).
			refused(t, "invalid_grant")
	} else {
		here.token(g.redemption()...).refused(t, "invalid_grant")
	}
	for _, a := range []at{there, here} {
		for _, r := range []reply{got, next, last} {
			require.False(t, a.active(r.text("access_token")))
			s.resource(a, r.text("access_token"), 401)
		}
		a.token("grant_type", "refresh_token", "refresh_token", last.text("refresh_token")).
			refused(t, "invalid_grant")
	}
	// A code that another client has presented on one server is refused on the
	// other too.
	g = s.authorize(ctx)
	there.post(s.file.Token, "", append(g.redemption(), "client_id", demo.Public)...).
		refused(t, "invalid_grant")
	here.token(g.redemption()...).refused(t, "invalid_grant")
}

// directFlows are the flows without a browser. They use the clients of the example
// programs.
func (s *servers) directFlows(ctx context.Context) {
	t := s.t
	conf := clientcredentials.Config{
		ClientID:     demo.Confidential,
		ClientSecret: s.file.Secrets[demo.Confidential],
		TokenURL:     s.file.Token,
	}
	own, err := conf.Token(ctx)
	require.NoError(t, err)
	users, err := s.file.Config(demo.Confidential, "resource.READ").
		PasswordCredentialsToken(ctx, "johndoe", s.file.Passwords["johndoe"])
	require.NoError(t, err)
	for _, token := range []string{own.AccessToken, users.AccessToken} {
		for i := range 2 {
			require.True(t, s.at(i).active(token))
			s.resource(s.at(i), token, 200)
			info := s.at(i).post(s.file.TokenInfo, demo.Confidential, "access_token", token)
			require.Equal(t, 200, info.status, info.body)
		}
	}
	fresh, err := s.file.Config(demo.Confidential).
		TokenSource(ctx, &oauth2.Token{RefreshToken: users.RefreshToken}).
		Token()
	require.NoError(t, err)
	for i := range 2 {
		require.True(t, s.at(i).active(fresh.AccessToken))
	}
}

// assertions checks that each assertion is accepted once, by whichever server sees
// it first.
func (s *servers) assertions(here, there at) {
	t := s.t
	signed, err := s.file.SignJWT("JWT", demo.Confidential, "")
	require.NoError(t, err)
	bearer := []string{
		"grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion", signed,
		"scope", "resource.READ",
	}
	got := here.post(s.file.Token, "", bearer...)
	require.Equal(t, 200, got.status, got.body)
	there.post(s.file.Token, "", bearer...).refused(t, "invalid_grant")
	require.True(t,
		there.active(got.text("access_token")), "a replay ends nothing: any caller may have sent it",
	)

	signed, err = s.file.SignJWT("client-authentication+jwt", demo.KeyApp, demo.KeyApp)
	require.NoError(t, err)
	authenticated := []string{
		"grant_type", "client_credentials",
		"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
		"client_assertion", signed,
	}
	got = here.post(s.file.Token, "", authenticated...)
	require.Equal(t, 200, got.status, got.body)
	replayed := there.post(s.file.Token, "", authenticated...)
	require.Equal(t, 401, replayed.status, replayed.body)
	require.Equal(t, "invalid_client", replayed.text("error"))
}

// guesses checks that both servers count wrong passwords together.
func (s *servers) guesses() {
	s.t.Helper()
	guess := func(i int, password string) reply {
		return s.at(i%2).
			token("grant_type", "password", "username", "johndoe", "password", password)
	}
	for i := range 10 {
		guess(i, "wrong").refused(s.t, "invalid_grant")
	}
	for i := range 2 {
		require.Equal(s.t, 429, guess(i, s.file.Passwords["johndoe"]).status)
	}
}

// resource calls the protected resource of one server.
func (s *servers) resource(a at, token string, status int) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.file.Protected, nil)
	require.NoError(s.t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := a.http.Do(req)
	require.NoError(s.t, err)
	require.NoError(s.t, res.Body.Close())
	require.Equal(s.t, status, res.StatusCode)
}

// Through the proxy, which sends no two requests in a row to the same server, the
// client programs print the same as with one server.
//
// Holds: house: any instance; house: runnable samples.
func TestPrograms_SameTranscriptsThroughProxy(t *testing.T) {
	t.Parallel()
	for store, args := range map[string][]string{
		"postgres": nil,
		"redis":    {"-n", "3", "--", "-access-token", "jwt"},
	} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			s := cluster(t, store, args...)
			for _, p := range transcript.Programs {
				args := append([]string{"-demo", s.path}, p.Args...)
				out, err := exec.CommandContext(t.Context(), filepath.Join(bin, p.Name), args...).CombinedOutput()
				require.NoError(t, err, "%s: %s", p.Name, out)
				want, err := os.ReadFile(filepath.Join("..", "testdata", p.Golden+".golden"))
				require.NoError(t, err)
				require.Equal(t, string(want), transcript.Mask(string(out), s.file.Issuer), p.Name)
			}
		})
	}
}
