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

// jwtRemote is an https server with a fetcher that trusts its certificate.
func jwtRemote(t testing.TB, h http.HandlerFunc) (*httptest.Server, *Fetcher) {
	t.Helper()
	server := httptest.NewTLSServer(h)
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return server, &Fetcher{AllowPrivate: true, RootCAs: roots, Timeout: time.Minute}
}

// The names and addresses are in spellings that have passed other filters. The
// server behind them would answer.
//
// Holds: RFC 7591 section 3.2.2; RFC 8725 section 3.10; RFC 9101 section 5.2;
// house: public addresses only.
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

// Holds: RFC 8725 section 3.10; RFC 9101 section 5.2; house: bounded body.
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

// Holds: RFC 8725 section 3.10.
func TestFetcher_ASilentServerIsLeft(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server, f := jwtRemote(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	f.Timeout = 50 * time.Millisecond
	_, err := f.Fetch(t.Context(), server.URL)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
