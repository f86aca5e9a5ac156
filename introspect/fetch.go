package introspect

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// plainTransport is bounded in everything that http.DefaultTransport leaves open.
func plainTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		TLSHandshakeTimeout:    defaultTimeout,
		MaxIdleConnsPerHost:    16,
		MaxConnsPerHost:        64,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: 16 << 10,
		DisableCompression:     true, // a small answer must not unfold into a large one
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
	}
}

// fetchClient fetches documents. Unless allowPrivate it connects to public addresses only, and through
// no proxy, which would look names up out of our sight.
func fetchClient(roots *x509.CertPool, allowPrivate bool) *http.Client {
	transport := plainTransport()
	transport.TLSClientConfig.RootCAs = roots
	if !allowPrivate {
		transport.Proxy = nil
		dialer := &net.Dialer{Timeout: defaultTimeout, Control: refusePrivate}
		transport.DialContext = dialer.DialContext
	}
	return &http.Client{Transport: transport}
}

var errPrivate = errors.New("introspect: the address is not public; AllowPrivate permits it")

// refusePrivate sees the address of each connection just before it is made: after every look-up, so a
// name that resolves differently the second time gains nothing.
func refusePrivate(network, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp4" && network != "tcp6" || !isPublic(at.Addr()) {
		return errPrivate
	}
	return nil
}

var (
	global6 = netip.MustParsePrefix("2000::/3")
	nat64   = netip.MustParsePrefix("64:ff9b::/96")
	// special are the ranges that are not public though their neighbours are (RFC 6890 and its registries).
	special = prefixes(
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", // Teredo and 6to4 among them: they carry IPv4
	)
)

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// isPublic reports whether an address is one of the public Internet. IPv4 inside IPv6 is judged as the
// IPv4 address that it reaches.
func isPublic(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	if nat64.Contains(a) {
		raw := a.As16()
		a = netip.AddrFrom4([4]byte(raw[12:]))
	}
	if a.Is6() && !global6.Contains(a) {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return a.IsValid()
}

// fetch gets one document within the timeout, following no redirect.
func fetch(ctx context.Context, client *http.Client, timeout time.Duration, address string, limit int64, types ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	for _, t := range types {
		r.Header.Add("Accept", t)
	}
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := own.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return readAnswer(response, limit, types...)
}
