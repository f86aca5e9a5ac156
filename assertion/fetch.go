package assertion

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"syscall"
	"time"
)

// Fetcher gets small documents from addresses that other parties have chosen: a client's jwks_uri, an
// issuer's keys, SAML metadata. The zero value is ready and safe: https only, no redirects, no proxy, no
// address outside the public internet, at most 512 KiB within 2 seconds. Addresses are judged when the
// connection is made, after the name was looked up. It is safe for concurrent use; do not change or copy it
// after the first Fetch.
type Fetcher struct {
	// AllowPrivate allows every address, and plain http to a loopback address. For development, and for
	// networks where whoever registers URLs may reach everything that the server can.
	AllowPrivate bool
	// Allowed are networks outside the public internet that may be reached, by https.
	Allowed []netip.Prefix
	// Timeout bounds one fetch from lookup to the last octet, 2 s by default.
	Timeout time.Duration
	// MaxSize bounds the document in octets, 512 KiB by default.
	MaxSize int
	// RootCAs are the certificate authorities; nil takes those of the system.
	RootCAs *x509.CertPool

	once   sync.Once
	client *http.Client
}

const (
	fetchTimeout = 2 * time.Second
	fetchSize    = 512 << 10
	fetchURLSize = 2048
)

// Fetch returns the body of a 200 response. Errors say what was refused; they are for logs and not for
// the party that chose the URL, who could scan a network by them.
func (f *Fetcher) Fetch(ctx context.Context, rawURL string) ([]byte, error) {
	f.once.Do(f.prepare)
	if err := f.checkURL(rawURL); err != nil {
		return nil, err
	}
	timeout := f.Timeout
	if timeout <= 0 {
		timeout = fetchTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return nil, fmt.Errorf("assertion: fetch: %w", err)
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json, application/samlmetadata+xml, */*;q=0.1")
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("assertion: fetch: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("assertion: fetch: %s answered %d, and redirects are not followed", shown(rawURL), resp.StatusCode)
	}
	most := f.MaxSize
	if most <= 0 {
		most = fetchSize
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(most)+1))
	if err != nil {
		return nil, fmt.Errorf("assertion: fetch: %w", err)
	}
	if len(body) > most {
		return nil, fmt.Errorf("assertion: fetch: %s is larger than %d octets", shown(rawURL), most)
	}
	return body, nil
}

// checkURL refuses what can be refused without a connection.
func (f *Fetcher) checkURL(rawURL string) error {
	if len(rawURL) > fetchURLSize {
		return fmt.Errorf("assertion: fetch: a URL of more than %d octets", fetchURLSize)
	}
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || u.User != nil || u.Opaque != "" || u.Fragment != "" {
		return fmt.Errorf("assertion: fetch: %s is not a plain absolute URL", shown(rawURL))
	}
	if u.Scheme == "https" || u.Scheme == "http" && f.AllowPrivate && loopbackHost(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("assertion: fetch: %s is not https", shown(rawURL))
}

func loopbackHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

func (f *Fetcher) prepare() {
	dialer := &net.Dialer{Timeout: fetchTimeout, Control: func(network, address string, _ syscall.RawConn) error {
		return f.checkDial(network, address)
	}}
	f.client = &http.Client{
		Transport: &http.Transport{
			// No Proxy: a proxy would connect in our place, to addresses that nobody judges.
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: f.RootCAs},
			TLSHandshakeTimeout:    fetchTimeout,
			MaxResponseHeaderBytes: 32 << 10,
			DisableCompression:     true, // so that what is counted is what was sent
			DisableKeepAlives:      true, // one document, rarely; idle connections would be held for strangers
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// errCoolDown is why a fetch is not even tried.
var errCoolDown = errors.New("assertion: the last fetch failed a moment ago, and it is not repeated yet")
