package fetch

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Holds: RFC 7591 section 3.2.2; RFC 8725 section 3.10; RFC 9101 section 5.2;
// house: public addresses only.
func TestIsPublic_RefusesEveryWayIntoTheNetwork(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.254", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255",
		"192.168.0.1", "169.254.169.254", "100.64.0.1", "100.127.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255",
		"198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::7f00:1", "::ffff:0:127.0.0.1",
		"64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "64:ff9b::808:808", "64:ff9b:1::808:808", "64:ff9b:1::a00:1", "100::1",
		"2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:10::1", "2001:db8::1", "2002:7f00:1::1", "2002:a00:1::", "3fff::1", "5f00::1",
		"fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%eth0", "2606:4700:4700::1111%eth0", "::ffff:8.8.8.8%eth0", "64:ff9b::808:808%1", "fec0::1", "ff02::1", "ff0e::1",
	} {
		require.False(t, IsPublic(netip.MustParseAddr(bad)), bad)
		require.Error(t, (&Getter{}).checkDial("tcp6", netip.AddrPortFrom(netip.MustParseAddr(bad), 443).String()), bad)
	}
	for _, good := range []string{"8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.0.1.1", "223.255.255.255",
		"::ffff:8.8.8.8", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e", "2001:4860:4860::8888", "2400::1"} {
		require.True(t, IsPublic(netip.MustParseAddr(good)), good)
	}
	require.False(t, IsPublic(netip.Addr{}))
	require.Error(t, (&Getter{}).checkDial("udp4", "8.8.8.8:443"))
	require.Error(t, (&Getter{}).checkDial("unix", "/run/x"))
	require.Error(t, (&Getter{}).checkDial("tcp4", "rubbish"))
	allowed := &Getter{Allowed: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}
	require.NoError(t, allowed.checkDial("tcp4", "10.1.2.3:443"))
	require.NoError(t, allowed.checkDial("tcp6", "[::ffff:10.1.2.3]:443"), "the same address")
	require.Error(t, allowed.checkDial("tcp4", "10.2.2.3:443"))
}

// Holds: RFC 7591 section 3.2.2; RFC 8725 section 3.10.
func TestCheckURL_TakesPlainHTTPSURLs(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "jwks", "//as.example/jwks", "http://as.example/jwks", "HTTP://as.example", "ftp://as.example", "file:///etc/passwd", "javascript:alert(1)", "data:,x",
		"https:as.example", "https://", "https://user@as.example/", "https://user:pw@as.example/", "https://as.example/#f", "https://as.example:x/", "https://a b/", "gopher://as.example",
		"https://as.example/" + strings.Repeat("x", 3000)} {
		require.Error(t, (&Getter{}).CheckURL(bad), bad)
	}
	require.NoError(t, (&Getter{}).CheckURL("https://as.example:8443/jwks?x=1"))
	for raw, good := range map[string]bool{"http://127.0.0.1:1/": true, "http://localhost/": true, "http://[::1]/": true, "http://10.0.0.1/": false, "http://localhost.example/": false, "http://127.0.0.1.example/": false} {
		require.Equal(t, good, (&Getter{AllowPrivate: true}).CheckURL(raw) == nil, raw)
		require.Error(t, (&Getter{}).CheckURL(raw), raw)
	}
}

// The packages that fetch differed about these. An address behind a translator
// and an address with a zone are private.
func TestIsPublic_TranslatedAndZonedAddressesArePrivate(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"64:ff9b::808:808", "2606:4700:4700::1111%eth0", "::ffff:8.8.8.8%eth0"} {
		require.False(t, IsPublic(netip.MustParseAddr(text)), text)
		for _, g := range []*Getter{{}, {Allowed: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}} {
			require.Error(t, g.checkDial("tcp6", netip.AddrPortFrom(netip.MustParseAddr(text), 443).String()), text)
		}
	}
	translator := &Getter{Allowed: []netip.Prefix{netip.MustParsePrefix("64:ff9b::/96")}}
	require.NoError(t, translator.checkDial("tcp6", "[64:ff9b::808:808]:443"), "unless it is allowed")
}

// A Client of the caller's replaces the transport. The bounds on the answer
// stay.
func TestGetter_BoundsTheAnswerOfACallersClientToo(t *testing.T) {
	t.Parallel()
	answer := func(status int, kind, body string) *Getter {
		return &Getter{MaxSize: 10, Types: []string{"application/json"}, Client: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Location", "https://elsewhere.example/")
			w.WriteHeader(status)
			_, _ = w.WriteString(body)
			return w.Result(), nil
		})}}
	}
	const where = "https://keys.example/jwks"
	body, err := answer(200, "Application/JSON; charset=utf-8", "0123456789").Get(t.Context(), where)
	require.NoError(t, err)
	require.Equal(t, "0123456789", string(body))
	for name, g := range map[string]*Getter{
		"too large":    answer(200, "application/json", "0123456789a"),
		"another type": answer(200, "text/html", "x"),
		"no type":      answer(200, "", "x"),
		"redirect":     answer(302, "application/json", "x"),
		"no content":   answer(204, "application/json", ""),
	} {
		_, err := g.Get(t.Context(), where)
		require.ErrorContains(t, err, "fetch: ", name)
	}
	_, err = answer(200, "application/json", "x").Get(t.Context(), "http://keys.example/")
	require.ErrorContains(t, err, "not https")
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The proxy of the environment is used only where addresses are not judged.
func TestGetter_NoProxyHidesAnAddress(t *testing.T) {
	t.Parallel()
	require.Nil(t, (&Getter{Proxy: true}).transport().Proxy)
	require.Nil(t, (&Getter{AllowPrivate: true}).transport().Proxy)
	require.NotNil(t, (&Getter{AllowPrivate: true, Proxy: true}).transport().Proxy)
}

// A silent server is left when the time is up.
func TestGetter_TimeoutBoundsTheFetch(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		hits.Add(1)
		<-release
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	g := &Getter{AllowPrivate: true, Timeout: 50 * time.Millisecond}
	_, err := g.Get(t.Context(), server.URL)
	require.True(t, errors.Is(err, context.DeadlineExceeded), "%v", err)
	require.EqualValues(t, 1, hits.Load())
	require.Equal(t, 2*time.Second, DefaultTimeout)
}

// A public address may be dialed, and another one only where the host lists its network.
// The judgement is that of the address of the connection.
//
// Holds: house: public addresses only; house: private hosts that are named.
func TestCheckDial_TakesPublicAddresses(t *testing.T) {
	t.Parallel()
	named := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/64")}
	for _, c := range []struct {
		network, address     string
		plain, named, always bool
	}{
		{"tcp4", "8.8.8.8:443", true, true, true},
		{"tcp6", "[2606:4700:4700::1111]:443", true, true, true},
		{"tcp4", "10.1.2.3:443", false, true, true},
		{"tcp6", "[::ffff:10.1.2.3]:443", false, true, true},
		{"tcp4", "10.2.2.3:443", false, false, true},
		{"tcp6", "[fd00::1]:443", false, true, true},
		{"tcp6", "[fd00::1%eth0]:443", false, false, true},
		{"udp4", "8.8.8.8:443", false, false, false},
		{"unix", "/run/socket", false, false, false},
		{"tcp4", "host:443", false, false, false},
		{"tcp4", "", false, false, false},
	} {
		require.Equal(t, c.plain, (&Getter{}).checkDial(c.network, c.address) == nil, "%v", c)
		require.Equal(t, c.named, (&Getter{Allowed: named}).checkDial(c.network, c.address) == nil, "%v", c)
		require.Equal(t, c.always, (&Getter{AllowPrivate: true}).checkDial(c.network, c.address) == nil, "%v", c)
	}
}
