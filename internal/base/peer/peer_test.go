package peer_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/base/peer"
)

// request returns a request from an address, with the headers that a proxy writes.
func request(from string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://as.example/", nil)
	r.RemoteAddr = from
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}

	return r
}

var proxies = peer.Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}

// The address is that of the connection, or the last one of X-Forwarded-For that no
// trusted proxy added. What stands before it may be invented.
func TestAddr_TrustsOnlyItsProxies(t *testing.T) {
	t.Parallel()
	const forwarded = "X-Forwarded-For"
	for name, c := range map[string]struct {
		request *http.Request
		want    string
	}{
		"no proxy":                {request("192.0.2.1:1"), "192.0.2.1"},
		"not a trusted one":       {request("192.0.2.1:1", forwarded, "203.0.113.9"), "192.0.2.1"},
		"trusted, no header":      {request("10.0.0.1:1"), "10.0.0.1"},
		"trusted":                 {request("10.0.0.1:1", forwarded, "203.0.113.9"), "203.0.113.9"},
		"invented before it":      {request("10.0.0.1:1", forwarded, "8.8.8.8, 203.0.113.9"), "203.0.113.9"},
		"two proxies":             {request("10.0.0.1:1", forwarded, "203.0.113.9,10.0.0.2"), "203.0.113.9"},
		"two headers":             {request("10.0.0.1:1", forwarded, "8.8.8.8", forwarded, "203.0.113.9"), "203.0.113.9"},
		"all trusted":             {request("10.0.0.1:1", forwarded, "10.0.0.3, 10.0.0.2"), "10.0.0.3"},
		"malformed":               {request("10.0.0.1:1", forwarded, "203.0.113.9, unknown"), "10.0.0.1"},
		"malformed after a proxy": {request("10.0.0.1:1", forwarded, "8.8.8.8, x, 10.0.0.2"), "10.0.0.2"},
		"with a port":             {request("10.0.0.1:1", forwarded, "203.0.113.9:80"), "10.0.0.1"},
		"IPv4 in IPv6":            {request("[::ffff:10.0.0.1]:1", forwarded, "::ffff:203.0.113.9"), "203.0.113.9"},
		"IPv6":                    {request("[2001:db8::1]:1", forwarded, "2001:db9::5"), "2001:db9::5"},
	} {
		require.Equal(t, netip.MustParseAddr(c.want), proxies.Addr(c.request), name)
	}
	require.Equal(t, netip.MustParseAddr("10.0.0.1"), peer.Proxies(nil).Addr(request("10.0.0.1:1", forwarded, "203.0.113.9")))
	for _, from := range []string{"", "@", "pipe", "192.0.2.1"} {
		require.False(t, proxies.Addr(request(from)).IsValid(), from)
	}
}

// A request is secure by its own connection, or by the word of a trusted proxy.
func TestSecure_TrustsOnlyItsProxies(t *testing.T) {
	t.Parallel()
	const proto = "X-Forwarded-Proto"
	for name, c := range map[string]struct {
		request *http.Request
		want    bool
	}{
		"plain":             {request("192.0.2.1:1"), false},
		"says so itself":    {request("192.0.2.1:1", proto, "https"), false},
		"trusted, plain":    {request("10.0.0.1:1", proto, "http"), false},
		"trusted, silent":   {request("10.0.0.1:1"), false},
		"trusted":           {request("10.0.0.1:1", proto, "https"), true},
		"trusted, any case": {request("10.0.0.1:1", proto, "HTTPS"), true},
		"trusted, both":     {request("10.0.0.1:1", proto, "https, http"), false},
		"no address":        {request("pipe", proto, "https"), false},
	} {
		require.Equal(t, c.want, proxies.Secure(c.request), name)
	}
	over := request("192.0.2.1:1")
	over.TLS = &tls.ConnectionState{}
	require.True(t, peer.Proxies(nil).Secure(over))
}

// A limit counts an IPv4 address, and the /64 network of an IPv6 address.
func TestNeighbourhood_OfAnAddress(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"192.0.2.1":            "192.0.2.1",
		"::ffff:192.0.2.1":     "192.0.2.1",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"2001:db8:1:2::9":      "2001:db8:1:2::/64",
		"2001:db8:1:3::9":      "2001:db8:1:3::/64",
		"fe80::1%eth0":         "fe80::/64",
	} {
		require.Equal(t, want, peer.Neighbourhood(netip.MustParseAddr(addr)), addr)
	}
	require.NotPanics(t, func() { peer.Neighbourhood(netip.Addr{}) })
}
