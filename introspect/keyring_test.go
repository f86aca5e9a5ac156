package introspect_test

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
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

// publisher is a JWK Set behind a client that counts the fetches.
type publisher struct {
	mu      sync.Mutex
	keys    map[string]crypto.Signer
	down    bool
	fetches int
}

func (p *publisher) set(change func(*publisher)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

func (p *publisher) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetches
}

func fetching(p *publisher) *introspect.LocalJWT {
	return &introspect.LocalJWT{Issuer: "https://as.example.com", Audience: []string{api}, JWKSURI: "https://as.example.com/jwks",
		Client: client(func(*http.Request) (*http.Response, error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.fetches++; p.down {
				return nil, errors.New("down")
			}
			return reply(string(keySet(p.keys))), nil
		})}
}

// Unknown kids cause one fetch within an interval, however many there are. A
// new key is then found.
//
// Holds: RFC 8725 section 3.10; house: one key set.
func TestKeyring_UnknownKeyFetchesOncePerInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{keys: map[string]crypto.Signer{"old": p256()}}
		j := fetching(p)
		want(t, j, sign(t, "ES256", p256(), "old", good(nil)), "")
		require.Equal(t, 1, p.count())
		time.Sleep(10 * time.Second)
		var wait sync.WaitGroup
		for i := range 1000 {
			wait.Go(func() {
				got, err := j.Introspect(t.Context(), sign(t, "ES256", p256(), fmt.Sprint("unknown", i), "{}"))
				require.NoError(t, err)
				require.False(t, got.Active)
			})
		}
		wait.Wait()
		require.Equal(t, 2, p.count())

		p.set(func(p *publisher) { p.keys["new"] = rsaKey() })
		time.Sleep(10 * time.Second)
		want(t, j, sign(t, "RS256", rsaKey(), "new", good(nil)), "")
		want(t, j, sign(t, "ES256", p256(), "old", good(nil)), "")
		require.Equal(t, 3, p.count())
		want(t, j, sign(t, "RS256", otherRSA(), "new", good(nil)), introspect.ReasonSignature) // a known kid causes no fetch
		require.Equal(t, 3, p.count())
	})
}

// A key that was removed stops verifying after MaxAge. While fetches fail, the
// last good keys stay in use for a day.
//
// Holds: house: store fails closed.
func TestKeyring_KeepsLastGoodKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{keys: map[string]crypto.Signer{"a": p256()}}
		j := fetching(p)
		fresh := func() string { return sign(t, "ES256", p256(), "a", good(nil)) }
		want(t, j, fresh(), "")
		p.set(func(p *publisher) { p.down = true })
		for range 23 {
			time.Sleep(time.Hour)
			want(t, j, fresh(), "")
			synctest.Wait()
		}
		require.Equal(t, 24, p.count())
		time.Sleep(time.Hour)
		_, err := j.Introspect(t.Context(), fresh())
		require.ErrorContains(t, err, "down")

		p.set(func(p *publisher) { p.down, p.keys = false, map[string]crypto.Signer{"a": p256(), "b": rsaKey()} })
		time.Sleep(10 * time.Second)
		want(t, j, fresh(), "")
		p.set(func(p *publisher) { delete(p.keys, "a") })
		time.Sleep(15 * time.Minute)
		want(t, j, fresh(), "") // served while the fetch runs
		synctest.Wait()
		want(t, j, fresh(), introspect.ReasonSignature)

		p.set(func(p *publisher) { p.keys = nil }) // an empty set does not replace the last good one
		time.Sleep(15 * time.Minute)
		want(t, j, sign(t, "RS256", rsaKey(), "b", good(nil)), "")
		synctest.Wait()
		want(t, j, sign(t, "RS256", rsaKey(), "b", good(nil)), "")
	})
}

// Keys are fetched over https and within bounds. A redirect, another type, an
// endless or a late response is not a key set.
//
// Holds: RFC 8725 section 3.10.
func TestKeyring_FetchIsBounded(t *testing.T) {
	t.Parallel()
	var followed atomic.Int32
	set := keySet(map[string]crypto.Signer{"a": p256()})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		switch r.URL.Path {
		case "/good":
			_, _ = w.Write(set)
		case "/redirect":
			http.Redirect(w, r, "/target", http.StatusFound)
		case "/target":
			followed.Add(1)
			_, _ = w.Write(set)
		case "/html":
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write(set)
		case "/large":
			_, _ = w.Write([]byte(`{"x":"` + strings.Repeat("a", 1<<20) + `","keys":[]}`))
		case "/many":
			_, _ = w.Write([]byte(`{"keys":[` + strings.Repeat("{},", 1000) + `{}]}`))
		case "/slow":
			<-r.Context().Done()
		}
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	at := func(address string, private bool) *introspect.LocalJWT {
		return &introspect.LocalJWT{Issuer: "https://as.example.com", Audience: []string{api}, JWKSURI: address, RootCAs: roots,
			AllowPrivate: private, Timeout: 500 * time.Millisecond}
	}
	token := sign(t, "ES256", p256(), "a", good(nil))
	good := at(server.URL+"/good", true)
	good.Timeout = 0
	want(t, good, token, "")
	for _, path := range []string{"/redirect", "/html", "/large", "/many", "/slow", "/missing"} {
		_, err := at(server.URL+path, true).Introspect(t.Context(), token)
		require.Error(t, err, path)
	}
	require.Zero(t, followed.Load())
	untrusted := at(server.URL+"/good", true)
	untrusted.RootCAs = nil
	_, err := untrusted.Introspect(t.Context(), token)
	require.Error(t, err)
}

// No connection is made to a private address, in any spelling.
//
// Holds: RFC 8725 section 3; RFC 8725 section 3.10.
func TestKeyring_RefusesPrivateAddresses(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var connected atomic.Int32
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			connected.Add(1)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close() })
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	token := sign(t, "ES256", p256(), "a", good(nil))
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "10.0.0.1", "169.254.169.254", "100.64.0.1"} {
		j := &introspect.LocalJWT{Issuer: "https://as.example.com", Audience: []string{api}, JWKSURI: "https://" + host + ":" + port}
		_, err := j.Introspect(t.Context(), token)
		require.ErrorContains(t, err, "not public", host)
	}
	require.Zero(t, connected.Load())
}
