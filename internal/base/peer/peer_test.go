package peer_test

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
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

var proxies = &peer.Proxies{Networks: []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("fe80::/10"),
}}

// The address is that of the connection, or the last one of X-Forwarded-For or
// Forwarded that no trusted proxy added. What stands before it may be invented.
func TestAddr_TrustsOnlyItsProxies(t *testing.T) {
	t.Parallel()
	const xff, forwarded = "X-Forwarded-For", "Forwarded"
	const proxy = "10.0.0.1:1"
	for name, c := range map[string]struct {
		request *http.Request
		want    string // "": none is named
	}{
		"no proxy":             {request("192.0.2.1:1"), "192.0.2.1"},
		"no port":              {request("192.0.2.1"), "192.0.2.1"},
		"IPv6 without a port":  {request("2001:db9::5"), "2001:db9::5"},
		"zone":                 {request("[fe80::1%eth0]:1", xff, "192.0.2.7"), "192.0.2.7"},
		"not a trusted one":    {request("192.0.2.1:1", xff, "203.0.113.9"), "192.0.2.1"},
		"trusted, no header":   {request(proxy), "10.0.0.1"},
		"trusted":              {request(proxy, xff, "203.0.113.9"), "203.0.113.9"},
		"invented before it":   {request(proxy, xff, "8.8.8.8, 203.0.113.9"), "203.0.113.9"},
		"two proxies":          {request(proxy, xff, "203.0.113.9,10.0.0.2"), "203.0.113.9"},
		"two headers":          {request(proxy, xff, "8.8.8.8", xff, "203.0.113.9"), "203.0.113.9"},
		"all trusted":          {request(proxy, xff, "10.0.0.3, 10.0.0.2"), "10.0.0.3"},
		"nonsense before it":   {request(proxy, xff, "x, 203.0.113.9"), "203.0.113.9"},
		"port":                 {request(proxy, xff, "203.0.113.7:51234"), "203.0.113.7"},
		"brackets and a port":  {request(proxy, xff, `[2001:db9::7]:443`), "2001:db9::7"},
		"brackets":             {request(proxy, xff, "[2001:db9::7]"), "2001:db9::7"},
		"quotes":               {request(proxy, xff, `"[2001:db9::7]:443"`), "2001:db9::7"},
		"quoted, no port":      {request(proxy, xff, `"203.0.113.7"`), "203.0.113.7"},
		"IPv4 in IPv6":         {request("[::ffff:10.0.0.1]:1", xff, "::ffff:203.0.113.9"), "203.0.113.9"},
		"IPv6":                 {request("[2001:db8::1]:1", xff, "2001:db9::5"), "2001:db9::5"},
		"ports of proxies":     {request(proxy, xff, "203.0.113.9:1, 10.0.0.2:2"), "203.0.113.9"},
		"unknown":              {request(proxy, xff, "203.0.113.9, unknown"), ""},
		"unknown to the first": {request(proxy, xff, "8.8.8.8, unknown, 10.0.0.2"), ""},
		"empty":                {request(proxy, xff, ""), "10.0.0.1"},
		"empty elements":       {request(proxy, xff, "203.0.113.9, ,"), "203.0.113.9"},
		"open bracket":         {request(proxy, xff, "[2001:db9::7"), ""},
		"long": {
			request(proxy, xff, strings.Repeat("8.8.8.8,", 5000)+"203.0.113.9"), "203.0.113.9",
		},

		"Forwarded":               {request(proxy, forwarded, "for=203.0.113.9"), "203.0.113.9"},
		"Forwarded, untrusted":    {request("192.0.2.1:1", forwarded, "for=203.0.113.9"), "192.0.2.1"},
		"Forwarded, other fields": {request(proxy, forwarded, `by=10.0.0.1;FOR="203.0.113.9:80" ; proto=https;host="a,b;c"`), "203.0.113.9"},
		"Forwarded, IPv6":         {request(proxy, forwarded, `For="[2001:db9::7]:4711"`), "2001:db9::7"},
		"Forwarded, two proxies":  {request(proxy, forwarded, "for=8.8.8.8, for=203.0.113.9;by=10.0.0.2, for=10.0.0.2"), "203.0.113.9"},
		"Forwarded, unknown":      {request(proxy, forwarded, "for=203.0.113.9, for=unknown"), ""},
		"Forwarded, hidden":       {request(proxy, forwarded, "for=_gazonk"), ""},
		"Forwarded, no for":       {request(proxy, forwarded, "proto=https"), ""},
		// The proxy's own part must not vanish in the sender's.
		"Forwarded, open quote":      {request(proxy, forwarded, `for="8.8.8.8, for=203.0.113.9`), "::"},
		"Forwarded, escaped quote":   {request(proxy, forwarded, `for="\", for=203.0.113.9`), "::"},
		"Forwarded, twice the field": {request(proxy, forwarded, `for=203.0.113.9;for=8.8.8.8`), "::"},
		"Forwarded, quote in a line": {request(proxy, forwarded, `for="8.8.8.8`, forwarded, "for=203.0.113.9"), "203.0.113.9"},
		"Forwarded, long":            {request(proxy, forwarded, "for=8.8.8.8;x="+strings.Repeat("y", 5000)+", for=203.0.113.9"), "::"},

		"both agree": {request(proxy, forwarded, "for=203.0.113.9", xff, "203.0.113.9:1"), "203.0.113.9"},
		"both differ": {
			request(proxy, forwarded, "for=8.8.8.8", xff, "203.0.113.9"), "::",
		},
	} {
		got := proxies.Addr(c.request)
		if c.want == "" {
			require.False(t, got.IsValid(), "%s: %v", name, got)
			continue
		}
		require.Equal(t, netip.MustParseAddr(c.want), got, name)
	}
	require.Equal(t, netip.MustParseAddr("10.0.0.1"), new(peer.Proxies).Addr(request("10.0.0.1:1", xff, "203.0.113.9")))
}

// A unix-domain socket has no address. Its peer is believed by a setting alone, and
// no other name of a peer is taken for one.
func TestAddr_UnixSocket(t *testing.T) {
	t.Parallel()
	const xff = "X-Forwarded-For"
	socket := &peer.Proxies{Socket: true}
	want := netip.MustParseAddr("203.0.113.9")
	for _, from := range []string{"", "@", "@abstract", "/run/proxy.sock"} {
		require.False(t, proxies.Addr(request(from, xff, "203.0.113.9")).IsValid(), from)
		require.Equal(t, want, socket.Addr(request(from, xff, "203.0.113.9")), from)
		require.True(t, socket.Secure(request(from, "X-Forwarded-Proto", "https")), from)
		require.False(t, socket.Addr(request(from)).IsValid(), from)
	}
	require.False(t, socket.Addr(request("pipe", xff, "203.0.113.9")).IsValid())
	require.Equal(t, netip.MustParseAddr("192.0.2.1"), socket.Addr(request("192.0.2.1:1", xff, "203.0.113.9")))
	require.False(t, socket.Secure(request("pipe", "X-Forwarded-Proto", "https")))
}

// A proxy that is missing in the configuration shows in the log, once.
func TestAddr_IgnoredHeadersAreLoggedOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	p := &peer.Proxies{Networks: proxies.Networks, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	p.Addr(request("192.0.2.1:1"))
	p.Addr(request("10.0.0.1:1", "X-Forwarded-For", "203.0.113.9"))
	require.Empty(t, log.String())
	for range 3 {
		p.Addr(request("192.0.2.1:1", "X-Forwarded-For", "secret-looking"))
		p.Secure(request("192.0.2.1:1", "X-Forwarded-Proto", "https"))
	}
	require.Equal(t, 1, strings.Count(log.String(), "no trusted proxy"))
	require.Contains(t, log.String(), "sender=192.0.2.1:1")
	require.NotContains(t, log.String(), "secret-looking")
}

// A request is secure by its own connection, or by the word of a trusted proxy.
func TestSecure_TrustsOnlyItsProxies(t *testing.T) {
	t.Parallel()
	const proto = "X-Forwarded-Proto"
	for name, c := range map[string]struct {
		request *http.Request
		want    bool
	}{
		"plain":              {request("192.0.2.1:1"), false},
		"says so itself":     {request("192.0.2.1:1", proto, "https"), false},
		"trusted, plain":     {request("10.0.0.1:1", proto, "http"), false},
		"trusted, silent":    {request("10.0.0.1:1"), false},
		"trusted":            {request("10.0.0.1:1", proto, "https"), true},
		"trusted, any case":  {request("10.0.0.1:1", proto, "HTTPS"), true},
		"trusted, both":      {request("10.0.0.1:1", proto, "https, http"), false},
		"trusted, plain end": {request("10.0.0.1:1", proto, "http,https"), false},
		"trusted, list":      {request("10.0.0.1:1", proto, "https,https"), true},
		"trusted, blanks":    {request("10.0.0.1:1", proto, " HTTPS , https "), true},
		"trusted, lines":     {request("10.0.0.1:1", proto, "https", proto, "https"), true},
		"trusted, a line":    {request("10.0.0.1:1", proto, "https", proto, "http"), false},
		"trusted, empty":     {request("10.0.0.1:1", proto, "https,"), true},
		"trusted, nothing":   {request("10.0.0.1:1", proto, ""), false},
		"trusted, commas":    {request("10.0.0.1:1", proto, ",,"), false},
		"Forwarded":          {request("10.0.0.1:1", "Forwarded", "for=1.2.3.4;proto=https"), true},
		"Forwarded, quoted":  {request("10.0.0.1:1", "Forwarded", `Proto="HTTPS"`), true},
		"Forwarded, plain":   {request("10.0.0.1:1", "Forwarded", "proto=https, proto=http"), false},
		"Forwarded, silent":  {request("10.0.0.1:1", "Forwarded", "for=1.2.3.4"), false},
		"Forwarded, broken":  {request("10.0.0.1:1", "Forwarded", `proto=https;for="1`), false},
		"Forwarded, alone":   {request("192.0.2.1:1", "Forwarded", "proto=https"), false},
		"both agree":         {request("10.0.0.1:1", "Forwarded", "proto=https", proto, "https"), true},
		"both, one silent":   {request("10.0.0.1:1", "Forwarded", "for=1.2.3.4", proto, "https"), true},
		"both differ":        {request("10.0.0.1:1", "Forwarded", "proto=https", proto, "http"), false},
		"both differ too":    {request("10.0.0.1:1", "Forwarded", "proto=http", proto, "https"), false},
		"no address":         {request("pipe", proto, "https"), false},
	} {
		require.Equal(t, c.want, proxies.Secure(c.request), name)
	}
	over := request("192.0.2.1:1")
	over.TLS = &tls.ConnectionState{}
	require.True(t, new(peer.Proxies).Secure(over))
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

// Proxies that would let any caller choose its address are refused, and networks that
// no address is in.
func TestCheck_Networks(t *testing.T) {
	t.Parallel()
	require.NoError(t, proxies.Check())
	for _, network := range []netip.Prefix{
		{},
		netip.MustParsePrefix("0.0.0.0/0"),
		netip.MustParsePrefix("::/0"),
		netip.PrefixFrom(netip.MustParseAddr("::ffff:10.0.0.0"), 104),
	} {
		p := &peer.Proxies{Networks: []netip.Prefix{network}}
		require.ErrorContains(t, p.Check(), "TrustedProxies", network)
	}
}

// FuzzAddr holds that what a sender writes before the proxy's own part changes
// nothing but the senders that share the address "::".
func FuzzAddr(f *testing.F) {
	for _, seed := range []string{"", "8.8.8.8", `for="8.8.8.8`, `for="a\\"`, "for=8.8.8.8;proto=https", ",,", `"`, `\`, "[", "for=1;for=2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sent string) {
		real := netip.MustParseAddr("203.0.113.9")
		if a := proxies.Addr(request("10.0.0.1:1", "X-Forwarded-For", sent+", 203.0.113.9")); a != real {
			t.Errorf("X-Forwarded-For %q: %v", sent, a)
		}
		for _, sent := range []string{sent + ", for=203.0.113.9", sent + ",for=\"203.0.113.9:1\""} {
			a := proxies.Addr(request("10.0.0.1:1", "Forwarded", sent))
			if a != real && a != netip.IPv6Unspecified() {
				t.Errorf("Forwarded %q: %v", sent, a)
			}
		}
	})
}

// Forwarded is read as RFC 7239 section 4 says. Empty fields mean nothing, and a line that
// cannot be parsed says neither an address nor https.
func TestForwarded_Forms(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]struct {
		addr   string
		secure bool
	}{
		"for=203.0.113.9;proto=https":           {"203.0.113.9", true},
		";for=203.0.113.9;;proto=https;;":       {"203.0.113.9", true},
		"for=203.0.113.9;proto=http":            {"203.0.113.9", false},
		"for=203.0.113.9;proto=https;by=\"x":    {"::", false},
		"proto=https;for=\"x, for=203.0.113.9":  {"::", false},
		"proto=https;proto=https":               {"::", false},
		"for=\"[2001:db9::7]x\";proto=https":    {"invalid IP", true},
		"for=\"[2001:db9::7]:443\";proto=https": {"2001:db9::7", true},
	} {
		r := request("10.0.0.1:1", "Forwarded", line)
		require.Equal(t, want.addr, proxies.Addr(r).String(), line)
		require.Equal(t, want.secure, proxies.Secure(r), line)
	}
}

// Of several lines, one that cannot be parsed is one that is not https.
func TestSecure_MalformedLineIsNotTLS(t *testing.T) {
	t.Parallel()
	const good = "for=203.0.113.9;proto=https"
	for _, bad := range []string{`for="x`, "proto=https;proto=https", strings.Repeat(" ", 4<<10) + good} {
		require.True(t, proxies.Secure(request("10.0.0.1:1", "Forwarded", good, "Forwarded", good)))
		require.False(t, proxies.Secure(request("10.0.0.1:1", "Forwarded", good, "Forwarded", bad)), bad)
		require.False(t, proxies.Secure(request("10.0.0.1:1", "Forwarded", bad, "Forwarded", good)), bad)
	}
	longest := strings.Repeat(" ", 4<<10-len(good)) + good
	require.True(t, proxies.Secure(request("10.0.0.1:1", "Forwarded", longest)))
}

// Each of the two headers that are ignored is worth the line in the log.
func TestIgnored_EachHeaderIsLogged(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func(p *peer.Proxies){
		"address": func(p *peer.Proxies) { p.Addr(request("192.0.2.1:1", "X-Forwarded-For", "203.0.113.9")) },
		"proto":   func(p *peer.Proxies) { p.Secure(request("192.0.2.1:1", "X-Forwarded-Proto", "https")) },
	} {
		var log bytes.Buffer
		p := &peer.Proxies{Logger: slog.New(slog.NewTextHandler(&log, nil))}
		read(p)
		require.Contains(t, log.String(), "forwarding headers are ignored", name)
	}
}
