package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMain runs the program itself if a test starts it as a process.
func TestMain(m *testing.M) {
	if os.Getenv("CUSTOMSTORE_RUN") != "" {
		main()
	}
	os.Exit(m.Run())
}

// process is a running server.
type process struct {
	*testing.T
	cmd            *exec.Cmd
	issuer, secret string // secret: of the first start only
}

func start(t *testing.T, db, addr string) *process {
	t.Helper()
	p := &process{T: t, cmd: exec.Command(os.Args[0], "-db", db, "-addr", addr)}
	p.cmd.Env, p.cmd.Stderr = append(os.Environ(), "CUSTOMSTORE_RUN=1"), os.Stderr
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(p.kill)
	for lines := bufio.NewScanner(out); p.issuer == "" && lines.Scan(); {
		if _, curl, ok := strings.Cut(lines.Text(), "-u demo:"); ok {
			p.secret, _, _ = strings.Cut(curl, " ")
		}
		if issuer, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
			p.issuer = issuer
		}
	}
	require.NotEmpty(t, p.issuer, "the server did not start")
	return p
}

// kill ends the process without a chance to write or close anything.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

func (p *process) post(path, secret string, form ...string) (int, map[string]any) {
	p.Helper()
	values := url.Values{}
	for i := 0; i < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	req, err := http.NewRequestWithContext(
		p.Context(), http.MethodPost, p.issuer+path, strings.NewReader(values.Encode()),
	)
	require.NoError(p, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("demo", secret)
	res, err := http.DefaultClient.Do(req)
	require.NoError(p, err)
	defer res.Body.Close()
	var body map[string]any
	require.NoError(p, json.NewDecoder(res.Body).Decode(&body))
	return res.StatusCode, body
}

// Everything that was answered outlives a killed process: the client, its tokens,
// the mark of a spent refresh token, and a revocation.
//
// Holds: house: one contract for stores; house: revocation has no gap;
// house: used once.
func TestServer_KeepsTokensAcrossKills(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "grantwell.db")
	p := start(t, db, "127.0.0.1:0")
	secret := p.secret
	require.NotEmpty(t, secret)
	issued := func(form ...string) (access, refresh string) {
		status, body := p.post("/token", secret, form...)
		require.Equal(t, 200, status, "%v", body)
		return body["access_token"].(string), body["refresh_token"].(string)
	}
	active := func(token string) any {
		status, body := p.post("/introspect", secret, "token", token)
		require.Equal(t, 200, status, "%v", body)
		return body["active"]
	}
	again := func() {
		p.kill()
		p = start(t, db, strings.TrimPrefix(p.issuer, "http://"))
		require.Empty(t, p.secret, "the client is there already")
	}
	first, spent := issued("grant_type", "client_credentials")
	_, refresh := issued("grant_type", "refresh_token", "refresh_token", spent)

	again()
	require.Equal(t, true, active(first))
	last, _ := issued("grant_type", "refresh_token", "refresh_token", refresh)
	require.Equal(t, true, active(last))
	status, body := p.post("/token", secret, "grant_type", "refresh_token", "refresh_token", spent)
	require.Equal(t, 400, status)
	require.Equal(t, "invalid_grant", body["error"])
	require.Equal(t, false, active(last), "a spent refresh token ends its family")

	again()
	require.Equal(t, false, active(first))
	require.Equal(t, false, active(last))
	status, _ = p.post("/token", "wrong", "grant_type", "client_credentials")
	require.Equal(t, 401, status)
	fresh, _ := issued("grant_type", "client_credentials")
	require.Equal(t, true, active(fresh))
}
