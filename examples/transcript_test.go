package examples_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io/fs"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/examples/internal/demo"
	"github.com/grantwell/grantwell/examples/internal/transcript"
)

// Each program goes through its flow and prints token, type, expiry and then 200
// from the protected resource. The output is the same with opaque tokens, with
// signed ones, and over TLS.
// Holds: house: runnable samples.
func TestPrograms_PrintTokenTypeExpiryAnd200(t *testing.T) {
	t.Parallel()
	cert, key := selfSigned(t)
	for name, args := range map[string][]string{
		"opaque": {"-access-token", "opaque", "-store", "memory"},
		"jwt":    {"-access-token", "jwt"}, "tls": {"-tls-cert", cert, "-tls-key", key},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, args...)
			require.Equal(t, name == "tls", strings.HasPrefix(p.demo.Issuer, "https://127.0.0.1:"))
			for _, c := range transcript.Programs {
				out := p.run(c.Name, c.Args...)
				token := regexp.MustCompile(`(?m)^access token: +(\S+)$`).FindStringSubmatch(out)
				require.NotNil(t, token, out)
				dots := 0
				if name == "jwt" {
					dots = 2
				}
				require.Equal(t, dots, strings.Count(token[1], "."), out)
				require.Contains(t,
					out, "\n200 OK\nCongrats! You've hit an OAuth protected resource\n",
				)
				p.golden(c.Golden, out)
			}
		})
	}
}

// The programs need no argument: they find the demo file in the user's cache
// directory.
// Holds: house: runnable samples.
func TestPrograms_NeedNoArgument(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	p := &process{
		t: t,
		env: []string{
			"HOME=" + home, "XDG_CACHE_HOME=" + filepath.Join(home, "cache"),
			"LocalAppData=" + home,
		},
	}
	p.start("server", "-addr", "127.0.0.1:0")
	p.path = p.lines["demo"][0]
	require.True(t, strings.HasPrefix(p.path, home), p.path)
	p.read()
	for _, program := range []string{"password", "clientcredentials", "refresh", "revoke", "tokeninfo"} {
		p.golden(program, p.run(program))
	}
}

// The sample clients have secrets that are new at each start, and no code outside
// examples names them.
// Holds: house: runnable samples.
func TestServer_SampleClientsHaveFreshSecrets(t *testing.T) {
	t.Parallel()
	first, second := serve(t), serve(t)
	for _, p := range []*process{first, second} {
		require.Equal(t,
			[]string{demo.Confidential, p.demo.Secrets[demo.Confidential]},
			p.lines["client "+demo.Confidential],
		)
		require.Equal(t, []string{demo.Public}, p.lines["public "+demo.Public])
		require.Equal(t, []string{"johndoe", p.demo.Passwords["johndoe"]}, p.lines["user johndoe"])
		require.GreaterOrEqual(t, len(p.demo.Secrets[demo.Confidential]), 26)
		require.GreaterOrEqual(t, len(p.demo.Passwords["johndoe"]), 26)
	}
	require.NotEqual(t,
		first.demo.Secrets[demo.Confidential], second.demo.Secrets[demo.Confidential],
	)
	require.NotEqual(t, first.demo.Secrets[demo.Resource], second.demo.Secrets[demo.Resource])
	require.NotEqual(t, first.demo.Passwords["johndoe"], second.demo.Passwords["johndoe"])
	require.Equal(
		t,
		401,
		second.post(
			second.demo.Token, first.confidential(), "grant_type=client_credentials",
		).status,
	)

	root, err := filepath.Abs("..")
	require.NoError(t, err)
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") ||
			strings.HasSuffix(path, "_test.go") ||
			inExamples(root, path) {
			return err
		}
		b, err := os.ReadFile(path)
		require.False(
			t,
			bytes.Contains(b, []byte("SampleConfidentialApp")) ||
				bytes.Contains(b, []byte("SamplePublicApp")),
			path,
		)
		return err
	}))
}

func inExamples(root, path string) bool {
	rel, err := filepath.Rel(root, path)
	return err == nil &&
		(strings.HasPrefix(rel, "examples"+string(filepath.Separator)) ||
			strings.HasPrefix(rel, filepath.Join("internal", "interop")))
}

// A resource server in a process of its own accepts the same tokens, by asking or
// by the public keys. One that asks sees a revocation at once. It compiles neither
// fosite nor crewjam/saml.
// Holds: house: foreign tokens.
func TestResource_AsksOrChecksKeys(t *testing.T) {
	t.Parallel()
	cert, key := selfSigned(t)
	overTLS := []string{"-tls-cert", cert, "-tls-key", key}
	signed := []string{"-access-token", "jwt"}
	both := append(slices.Clone(signed), overTLS...)
	for name, c := range map[string]struct {
		server, resource []string
		revoked          string
	}{
		"asks":          {nil, nil, "401 Unauthorized"},
		"asks over TLS": {overTLS, nil, "401 Unauthorized"},
		"keys":          {signed, []string{"-jwt"}, "200 OK"},
		"keys over TLS": {both, []string{"-jwt"}, "200 OK"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, c.server...)
			r := &process{t: t}
			r.start(
				"resource",
				append([]string{"-addr", "127.0.0.1:0", "-demo", p.path}, c.resource...)...)
			url := r.lines["protected"][0]
			out := p.run("revoke", "-resource", url)
			require.Contains(t, out, "GET "+url+"\n200 OK\nCongrats!")
			require.Contains(t,
				out, "the access token of the revoked refresh token:\nGET "+url+"\n"+c.revoked,
			)
			require.Contains(t,
				p.run("clientcredentials", "-resource", url, "-scope", "resource.WRITE"),
				"403 Forbidden",
			)
		})
	}
	deps, err := exec.Command("go", "list", "-deps", "./resource").Output()
	require.NoError(t, err)
	require.NotContains(t, string(deps), "fosite")
	require.NotContains(t, string(deps), "crewjam")
}

// selfSigned makes a certificate for the loopback addresses.
func selfSigned(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "example"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter: time.Now().
			Add(time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames:              []string{"localhost"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	dir := t.TempDir()
	write := func(name, kind string, b []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t,
			os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600),
		)
		return path
	}
	return write("cert.pem", "CERTIFICATE", cert), write("key.pem", "PRIVATE KEY", der)
}
