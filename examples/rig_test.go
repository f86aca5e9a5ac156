package examples_test

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/examples/internal/demo"
	"github.com/grantwell/grantwell/examples/internal/transcript"
)

var update = flag.Bool("update", false, "rewrite testdata/*.golden")

// bin is the directory of the programs, which are built once.
var bin string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(build(m))
}

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "examples")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin = dir
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	if info, ok := debug.ReadBuildInfo(); ok &&
		slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		args = append(args, "-race")
	}
	names := map[string]bool{"server": true, "resource": true}
	for _, p := range transcript.Programs {
		names[p.Name] = true
	}
	for name := range names {
		args = append(args, "./"+name)
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s\n%v\n", out, err)
		return 1
	}
	return m.Run()
}

// process is a program that serves until the test ends.
type process struct {
	t     *testing.T
	lines map[string][]string // what it printed before "ready": the words after each name
	env   []string
	path  string // of the demo file
	demo  *demo.File

	stderr *os.File // where its log goes; nil: shown when it fails
}

// serve starts the example server on a free port with a demo file of its own.
func serve(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, path: filepath.Join(t.TempDir(), "demo.json")}
	p.start("server", append([]string{"-addr", "127.0.0.1:0", "-demo", p.path}, args...)...)
	p.read()
	return p
}

func (p *process) read() {
	p.t.Helper()
	info, err := os.Stat(p.path)
	require.NoError(p.t, err)
	require.Equal(p.t, os.FileMode(0o600), info.Mode().Perm(), "the demo file holds secrets")
	p.demo, err = demo.Read(p.path)
	require.NoError(p.t, err)
}

// start runs a program until it prints "ready". At the end of the test the program
// is asked to stop, and must do so with status 0.
func (p *process) start(name string, args ...string) {
	p.t.Helper()
	cmd := exec.Command(filepath.Join(bin, name), args...)
	cmd.Env = append(os.Environ(), p.env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if p.stderr != nil {
		cmd.Stderr = p.stderr
	}
	out, err := cmd.StdoutPipe()
	require.NoError(p.t, err)
	require.NoError(p.t, cmd.Start())
	p.t.Cleanup(func() {
		require.NoError(p.t, cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(p.t, cmd.Wait(), "%s: %s", name, &stderr)
	})
	p.lines = map[string][]string{}
	s := bufio.NewScanner(out)
	for s.Scan() {
		words := strings.Fields(s.Text())
		if len(words) == 1 && words[0] == "ready" {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return
		}
		require.GreaterOrEqual(p.t, len(words), 2, s.Text())
		key := words[0]
		if key == "client" || key == "public" || key == "user" {
			key += " " + words[1]
		}
		p.lines[key] = words[1:]
	}
	p.t.Fatalf("%s ended before it was ready: %s", name, &stderr)
}

// in returns the same process for a subtest.
func (p *process) in(t *testing.T) *process {
	c := *p
	c.t = t
	return &c
}

// run runs a client program to its end and returns what it printed.
func (p *process) run(name string, args ...string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	if p.env == nil {
		args = append([]string{"-demo", p.path}, args...)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, name), args...)
	cmd.Env = append(os.Environ(), p.env...)
	out, err := cmd.CombinedOutput()
	require.NoError(p.t, err, "%s %v: %s", name, args, out)
	return string(out)
}

// golden compares an output, masked, with its file.
func (p *process) golden(name, output string) {
	p.t.Helper()
	text := transcript.Mask(output, p.demo.Issuer)
	path := filepath.Join("testdata", name+".golden")
	if *update {
		require.NoError(p.t, os.WriteFile(path, []byte(text), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(p.t, err)
	require.Equal(p.t, string(want), text, "go test ./examples -update rewrites it")
}

// browser is a browser without script. It keeps cookies, and stops at a redirect
// that leads away from the server.
type browser struct {
	t    *testing.T
	http http.Client
	home string
}

func (p *process) browser() *browser {
	p.t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(p.t, err)
	client, err := p.demo.Client()
	require.NoError(p.t, err)
	b := &browser{t: p.t, http: *client, home: p.demo.Issuer}
	b.http.Jar = jar
	b.http.CheckRedirect = func(next *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(next.URL.String(), b.home+"/") {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return b
}

// page is the page that a browser has come to.
type page struct {
	t      *testing.T
	url    *url.URL // of the page
	away   *url.URL // where the browser was sent, away from the server; nil on a page of the server
	status int
	header http.Header
	body   string
}

func (b *browser) do(req *http.Request) page {
	b.t.Helper()
	res, err := b.http.Do(req)
	require.NoError(b.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(b.t, err)
	out := page{
		t:      b.t,
		url:    res.Request.URL,
		status: res.StatusCode,
		header: res.Header,
		body:   string(body),
	}
	if to := res.Header.Get("Location"); to != "" {
		out.away, err = url.Parse(to)
		require.NoError(b.t, err)
	}
	return out
}

func (b *browser) open(u string) page {
	b.t.Helper()
	req, err := http.NewRequest(http.MethodGet, u, nil)
	require.NoError(b.t, err)
	return b.do(req)
}

// submit posts a page's form with its hidden fields and the pairs given.
func (b *browser) submit(p page, pairs ...string) page {
	b.t.Helper()
	form := p.fields()
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return b.post(p, form)
}

func (b *browser) post(p page, form url.Values) page {
	b.t.Helper()
	action := regexp.MustCompile(`<form method="post" action="([^"]+)">`).FindStringSubmatch(p.body)
	require.NotNil(b.t, action, "%d %s", p.status, p.body)
	to, err := p.url.Parse(action[1])
	require.NoError(b.t, err)
	req, err := http.NewRequest(http.MethodPost, to.String(), strings.NewReader(form.Encode()))
	require.NoError(b.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(req)
}

// fields returns the hidden fields of the page's form.
func (p page) fields() url.Values {
	form := url.Values{}
	hidden := regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	for _, f := range hidden.FindAllStringSubmatch(p.body, -1) {
		form.Set(f[1], f[2])
	}
	return form
}

// at requires that this is a page of the server with the path and the status.
func (p page) at(path string, status int) {
	p.t.Helper()
	require.Nil(p.t, p.away)
	require.Equal(p.t, path, p.url.Path, p.body)
	require.Equal(p.t, status, p.status, p.body)
	require.True(p.t, strings.HasPrefix(p.header.Get("Content-Type"), "text/html"), p.header)
}

// answer reads the parameters of the redirect that leads away.
func (p page) answer() url.Values {
	p.t.Helper()
	require.NotNil(p.t, p.away, "%d %s", p.status, p.body)
	require.Equal(p.t, http.StatusSeeOther, p.status)
	raw := p.away.RawQuery
	if p.away.Fragment != "" {
		raw = p.away.EscapedFragment()
	}
	q, err := url.ParseQuery(raw)
	require.NoError(p.t, err)
	return q
}

// login signs the demo user in.
func (p *process) login(b *browser, at page) page {
	b.t.Helper()
	at.at("/login", http.StatusOK)
	return b.submit(at, "username", "johndoe", "password", p.demo.Passwords["johndoe"])
}

// authorize returns the URL of an authorization request of the confidential client.
func (p *process) authorize(pairs ...string) string {
	q := url.Values{
		"client_id":     {demo.Confidential},
		"response_type": {"code"},
		"redirect_uri":  {"http://127.0.0.1:7777/callback"},
		"scope":         {"resource.READ"},
		"state":         {"a b+c%&=~"},
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return p.demo.Authorize + "?" + q.Encode()
}

// reply is the answer to a form.
type reply struct {
	status int
	header http.Header
	body   string
}

// post sends a form unchanged, with Basic credentials if as is "id:secret".
func (p *process) post(endpoint, as, body string) reply {
	p.t.Helper()
	req, err := http.NewRequest(http.MethodPost, endpoint, strings.NewReader(body))
	require.NoError(p.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
	if id, secret, ok := strings.Cut(as, ":"); ok {
		req.SetBasicAuth(id, secret)
	}
	return p.send(req)
}

func (p *process) send(req *http.Request) reply {
	p.t.Helper()
	client, err := p.demo.Client()
	require.NoError(p.t, err)
	res, err := client.Do(req)
	require.NoError(p.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(p.t, err)
	return reply{res.StatusCode, res.Header, string(body)}
}

// confidential returns the credentials of the confidential client.
func (p *process) confidential() string {
	return demo.Confidential + ":" + p.demo.Secrets[demo.Confidential]
}
