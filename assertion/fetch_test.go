package assertion

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Holds R106, R258, V78, V79, V80, V81, V82, V85.
func TestPublicAddress_RefusesEveryWayIntoTheNetwork(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.254", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255",
		"192.168.0.1", "169.254.169.254", "100.64.0.1", "100.127.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255",
		"198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::7f00:1", "::ffff:0:127.0.0.1",
		"64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "64:ff9b:1::a00:1", "100::1",
		"2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:10::1", "2001:db8::1", "2002:7f00:1::1", "2002:a00:1::", "3fff::1", "5f00::1",
		"fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1",
	} {
		require.False(t, publicAddress(netip.MustParseAddr(bad)), bad)
		require.Error(t, (&Fetcher{}).checkDial("tcp6", netip.AddrPortFrom(netip.MustParseAddr(bad), 443).String()), bad)
	}
	for _, good := range []string{"8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.0.1.1", "223.255.255.255",
		"::ffff:8.8.8.8", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e", "2001:4860:4860::8888", "2400::1"} {
		require.True(t, publicAddress(netip.MustParseAddr(good)), good)
	}
	require.False(t, publicAddress(netip.Addr{}))
	require.Error(t, (&Fetcher{}).checkDial("udp4", "8.8.8.8:443"))
	require.Error(t, (&Fetcher{}).checkDial("unix", "/run/x"))
	require.Error(t, (&Fetcher{}).checkDial("tcp4", "rubbish"))
	allowed := &Fetcher{Allowed: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}
	require.NoError(t, allowed.checkDial("tcp4", "10.1.2.3:443"))
	require.NoError(t, allowed.checkDial("tcp6", "[::ffff:10.1.2.3]:443"), "the same address")
	require.Error(t, allowed.checkDial("tcp4", "10.2.2.3:443"))
}

// jwtRemote is an https server with a fetcher that trusts its certificate.
func jwtRemote(t testing.TB, h http.HandlerFunc) (*httptest.Server, *Fetcher) {
	t.Helper()
	server := httptest.NewTLSServer(h)
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return server, &Fetcher{AllowPrivate: true, RootCAs: roots, Timeout: time.Minute}
}

// Names and addresses, in the spellings that have passed other filters. The server behind them would answer.
//
// Holds R106, R258, V78, V80, V81, V82, V85.
func TestFetcher_NothingPrivateIsReached(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	server, open := jwtRemote(t, func(w http.ResponseWriter, _ *http.Request) { hits.Add(1) })
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "https://"), ":")
	closed := &Fetcher{RootCAs: open.RootCAs, Timeout: time.Minute}
	for _, host := range []string{"127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "LOCALHOST", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
		"[::127.0.0.1]", "0.0.0.0", "[::]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "169.254.169.254", "[fe80::1%25lo]", "127.0.0.1%00.example", "127.0.0.1\\@example"} {
		_, err := closed.Fetch(t.Context(), "https://"+host+":"+port+"/jwks")
		require.Error(t, err, host)
	}
	require.Zero(t, hits.Load())

	onlyLoopback := &Fetcher{RootCAs: open.RootCAs, Timeout: time.Minute, Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	_, err := onlyLoopback.Fetch(t.Context(), server.URL)
	require.NoError(t, err, "what is allowed is reached")
}

// Holds R106, V80.
func TestFetcher_OnlyPlainHTTPSURLs(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "jwks", "//as.example/jwks", "http://as.example/jwks", "HTTP://as.example", "ftp://as.example", "file:///etc/passwd", "javascript:alert(1)", "data:,x",
		"https:as.example", "https://", "https://user@as.example/", "https://user:pw@as.example/", "https://as.example/#f", "https://as.example:x/", "https://a b/", "gopher://as.example",
		"https://as.example/" + strings.Repeat("x", 3000)} {
		require.Error(t, (&Fetcher{}).checkURL(bad), bad)
	}
	require.NoError(t, (&Fetcher{}).checkURL("https://as.example:8443/jwks?x=1"))
	for raw, good := range map[string]bool{"http://127.0.0.1:1/": true, "http://localhost/": true, "http://[::1]/": true, "http://10.0.0.1/": false, "http://localhost.example/": false, "http://127.0.0.1.example/": false} {
		require.Equal(t, good, (&Fetcher{AllowPrivate: true}).checkURL(raw) == nil, raw)
		require.Error(t, (&Fetcher{}).checkURL(raw), raw)
	}
}

// Holds R106, V83, V81, R7.
func TestFetcher_NoRedirectNoErrorPageNothingLarge(t *testing.T) {
	t.Parallel()
	var landed atomic.Int32
	server, f := jwtRemote(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, "/landed", http.StatusFound)
		case "/landed":
			landed.Add(1)
		case "/error":
			http.Error(w, "{}", http.StatusInternalServerError)
		case "/large":
			_, _ = w.Write(make([]byte, 512<<10+1))
		case "/endless":
			for {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		case "/header":
			w.Header().Set("X", strings.Repeat("x", 64<<10))
		case "/exact":
			_, _ = w.Write(make([]byte, 512<<10))
		}
	})
	for _, path := range []string{"/redirect", "/error", "/large", "/endless", "/header"} {
		_, err := f.Fetch(t.Context(), server.URL+path)
		require.Error(t, err, path)
	}
	require.Zero(t, landed.Load())
	body, err := f.Fetch(t.Context(), server.URL+"/exact")
	require.NoError(t, err)
	require.Len(t, body, 512<<10)
	_, err = (&Fetcher{AllowPrivate: true, Timeout: time.Minute}).Fetch(t.Context(), server.URL+"/exact")
	require.ErrorContains(t, err, "certificate", "the server's certificate is checked")
}

// Holds R106.
func TestFetcher_ASilentServerIsLeft(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server, f := jwtRemote(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	f.Timeout = 50 * time.Millisecond
	_, err := f.Fetch(t.Context(), server.URL)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, 2*time.Second, fetchTimeout)
}
