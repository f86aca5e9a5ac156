//go:build unix

package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/grantwell/grantwell/examples/internal/demo"
	"github.com/grantwell/grantwell/examples/internal/transcript"
)

var (
	rounds = flag.Int(
		"rounds", 25,
		"how often each single-use object is offered to both servers at once, on each store",
	)
	revocations = flag.Int(
		"revocations", 100,
		"how many tokens are revoked at one server while they are used at the other, on each store",
	)
)

// bin is the directory of the programs, which are built once.
var bin string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(build(m))
}

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "clustertest")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin = dir
	out := []string{"build", "-o", dir + string(filepath.Separator)}
	programs := out
	for _, p := range transcript.Programs {
		programs = append(programs, "./"+p.Name)
	}
	for where, args := range map[string][]string{".": append(out, ".", "./server"), "..": programs} {
		cmd := exec.Command("go", args...)
		cmd.Dir = where
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%s\n%v\n", out, err)
			return 1
		}
	}
	return m.Run()
}

// servers are processes that share a store, with the demo file that describes them.
type servers struct {
	t     testing.TB
	file  *demo.File
	path  string // of the file
	addrs []string
	pids  []int

	cmd    *exec.Cmd // of the cluster
	stderr *lockedBuffer
	ended  chan error
	over   bool // the test has seen its end
}

// lockedBuffer is a buffer that a process writes to while a test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// cluster runs the cluster command on a new store until the test ends. The command
// is then interrupted, and must leave no process and no file.
func cluster(t testing.TB, store string, more ...string) *servers {
	t.Helper()
	tmp, err := os.MkdirTemp("", "cl") // short, for sockets; the database's user passes through it
	require.NoError(t, err)
	require.NoError(t, os.Chmod(tmp, 0o711))
	t.Cleanup(func() { _ = os.RemoveAll(tmp) })
	s := &servers{
		t:      t,
		path:   filepath.Join(t.TempDir(), "demo.json"),
		stderr: &lockedBuffer{},
		ended:  make(chan error, 1),
	}
	s.cmd = exec.Command(
		filepath.Join(bin, "cluster"),
		append([]string{"-addr", "127.0.0.1:0", "-demo", s.path, "-store", store}, more...)...)
	s.cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	lines, err := s.start(s.cmd)
	if err != nil && strings.Contains(s.stderr.String(), "is not installed") {
		if os.Getenv("GRANTWELL_REQUIRE_ALL") != "" {
			t.Fatalf("GRANTWELL_REQUIRE_ALL is set: %s", s.stderr)
		}
		t.Skipf("skipped: %s", s.stderr)
	}
	require.NoError(t, err, s.stderr)
	t.Cleanup(func() {
		if !s.over {
			require.NoError(t, s.cmd.Process.Signal(syscall.SIGINT))
			require.NoError(t, <-s.ended, s.stderr)
		}
		for _, pid := range s.pids {
			require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH, "a server is left")
		}
		left, err := filepath.Glob(filepath.Join(tmp, "*"))
		require.NoError(t, err)
		require.Empty(t, left)
	})
	for _, line := range lines {
		if words := strings.Fields(line); words[0] == "instance" {
			pid, err := strconv.Atoi(words[2])
			require.NoError(t, err)
			s.addrs, s.pids = append(s.addrs, words[1]), append(s.pids, pid)
		}
	}
	s.file, err = demo.Read(s.path)
	require.NoError(t, err)
	return s
}

// start runs a program until it prints ready, and returns the lines before that.
func (s *servers) start(cmd *exec.Cmd) (lines []string, err error) {
	s.t.Helper()
	cmd.Stderr = s.stderr
	out, err := cmd.StdoutPipe()
	require.NoError(s.t, err)
	require.NoError(s.t, cmd.Start())
	ready := make(chan bool, 1)
	go func() {
		scan := bufio.NewScanner(out)
		for scan.Scan() && scan.Text() != "ready" {
			lines = append(lines, scan.Text())
		}
		ready <- scan.Text() == "ready"
		_, _ = io.Copy(io.Discard, out)
		s.ended <- cmd.Wait()
	}()
	if !<-ready {
		err := <-s.ended
		s.ended <- err // for the clean-up, which waits for it too
		return nil, fmt.Errorf("it ended before it was ready: %w\n%v", err, s.stderr)
	}
	return lines, nil
}

// turns is a transport that sends every request to the next server in turn,
// whatever the host in its URL is.
type turns struct {
	addrs []string
	turn  atomic.Uint64
	seen  [2]atomic.Int64
}

func (a *turns) RoundTrip(r *http.Request) (*http.Response, error) {
	n := (a.turn.Add(1) - 1) % uint64(len(a.addrs))
	a.seen[n].Add(1)
	to := r.Clone(r.Context())
	to.Host = r.URL.Host
	to.URL.Host = a.addrs[n]
	return http.DefaultTransport.RoundTrip(to)
}

// alternating returns a context for the clients of the demo package: the first
// request goes to the server with this number, the next to the other one, and so
// on.
func (s *servers) alternating(first int) (context.Context, *turns) {
	a := &turns{addrs: s.addrs}
	a.turn.Store(uint64(first))
	return context.WithValue(
		s.t.Context(), oauth2.HTTPClient, &http.Client{Transport: a, Timeout: time.Minute},
	), a
}

// at is one server of several, with a client that reaches only it.
type at struct {
	*servers
	http *http.Client
}

// at returns the server with this number.
func (s *servers) at(n int) at {
	return at{s, &http.Client{Transport: &turns{addrs: s.addrs[n : n+1]}, Timeout: time.Minute}}
}

// reply is the answer to a form.
type reply struct {
	status int
	body   string
	json   map[string]any
}

func (r reply) text(name string) string {
	v, _ := r.json[name].(string)
	return v
}

// post sends a form, with a client's credentials unless it has none.
func (a at) post(endpoint, client string, pairs ...string) reply {
	a.t.Helper()
	r, err := a.ask(endpoint, client, pairs...)
	require.NoError(a.t, err)
	return r
}

func (a at) ask(endpoint, client string, pairs ...string) (reply, error) {
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	req, err := http.NewRequestWithContext(
		a.t.Context(), http.MethodPost, endpoint, strings.NewReader(form.Encode()),
	)
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if secret := a.file.Secrets[client]; secret != "" {
		req.SetBasicAuth(client, secret)
	}
	res, err := a.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return reply{}, err
	}
	r := reply{status: res.StatusCode, body: string(body)}
	_ = json.Unmarshal(body, &r.json) // an empty or plain body has no members
	return r, nil
}

// token asks for a token as the confidential client does.
func (a at) token(pairs ...string) reply {
	a.t.Helper()
	return a.post(a.file.Token, demo.Confidential, pairs...)
}

// active reports whether introspection calls the token active.
func (a at) active(token string) bool {
	a.t.Helper()
	r := a.post(a.file.Introspect, demo.Resource, "token", token)
	require.Equal(a.t, 200, r.status, r.body)
	active, ok := r.json["active"].(bool)
	require.True(a.t, ok, r.body)
	return active
}

// refused requires an OAuth error with status 400.
func (r reply) refused(t testing.TB, code string) {
	t.Helper()
	require.Equal(t, 400, r.status, r.body)
	require.Equal(t, code, r.text("error"), r.body)
}

const redirect = "http://127.0.0.1:7777/callback"

// grant is an authorization code and the verifier that goes with it.
type grant struct{ code, verifier string }

// redemption returns the parameters that redeem the code.
func (g grant) redemption() []string {
	return []string{
		"grant_type", "authorization_code", "code", g.code, "redirect_uri", redirect,
		"code_verifier", g.verifier,
	}
}

// authorize goes through login and consent as a user does, with each request at the
// next server, and returns the code.
func (s *servers) authorize(ctx context.Context) grant {
	s.t.Helper()
	conf, g := s.file.Config(demo.Confidential, "resource.READ"), grant{
		verifier: oauth2.GenerateVerifier(),
	}
	conf.RedirectURL = redirect
	back, err := demo.Browse(
		ctx, conf.AuthCodeURL("state", oauth2.S256ChallengeOption(g.verifier)), "johndoe",
		s.file.Passwords["johndoe"],
	)
	require.NoError(s.t, err)
	require.Equal(s.t, "state", back.Query().Get("state"))
	require.Equal(s.t, s.file.Issuer, back.Query().Get("iss"))
	g.code = back.Query().Get("code")
	require.NotEmpty(s.t, g.code, back)
	return g
}
