// Package fetch gets small documents from URLs that another party has chosen: a
// client's jwks_uri, an issuer's keys, SAML metadata.
//
// A server that fetches such a URL can be made to connect to machines that only
// it can reach (server-side request forgery). [Getter] therefore connects to
// public addresses only, and judges the address of each connection after the
// name was looked up, so that a name that resolves differently the second time
// gains nothing. It follows no redirect and bounds size and time.
//
// [Document] keeps what was fetched and fetches it again when it is due.
// [Flight] makes one call serve all callers that need it at the same time.
package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The defaults of a [Getter].
const (
	DefaultTimeout = 2 * time.Second
	DefaultSize    = 512 << 10 // octets
)

const (
	maxURL    = 2048     // octets
	maxHeader = 16 << 10 // octets of a response header
)

// Getter gets documents. The zero value is ready and safe: https only, no
// redirects, no proxy, public addresses only, at most 512 KiB within 2 seconds.
// It is safe for concurrent use. It must not be changed or copied after the
// first call of Get.
type Getter struct {
	// AllowPrivate permits every address, and plain http to a loopback
	// address.
	AllowPrivate bool
	// Allowed are networks that are not public and may be reached, by https.
	Allowed []netip.Prefix
	// Timeout bounds one fetch, from the look-up of the name to the last
	// octet. Zero means [DefaultTimeout].
	Timeout time.Duration
	// MaxSize bounds the document in octets. Zero means [DefaultSize].
	MaxSize int
	// Types are the media types that a response may have. Empty: any.
	Types []string
	// RootCAs are the certificate authorities. Nil means those of the system.
	RootCAs *x509.CertPool
	// Proxy uses the proxy that the environment names. It has an effect with
	// AllowPrivate only: a proxy connects in place of this process, to
	// addresses that the Getter does not see.
	Proxy bool
	// Client replaces the whole transport. The addresses that it connects to
	// are then the caller's responsibility, and RootCAs has no effect. Its
	// redirect policy is not used.
	Client *http.Client

	once   sync.Once
	client *http.Client
}

// Get returns the body of a 200 response. Errors say what was refused. They are
// for logs and not for the party that chose the URL, which could scan a network
// by them.
func (g *Getter) Get(ctx context.Context, rawURL string) ([]byte, error) {
	g.once.Do(g.prepare)
	if err := g.CheckURL(rawURL); err != nil {
		return nil, err
	}

	ctx, cancel := context.WithTimeout(ctx, positive(g.Timeout, DefaultTimeout))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return nil, errors.New("fetch: not a URL")
	}
	request.Header.Set("Accept", g.accept())

	response, err := g.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	return ReadBody(response, positive(g.MaxSize, DefaultSize), g.Types...)
}

// accept returns the Accept header.
func (g *Getter) accept() string {
	if len(g.Types) > 0 {
		return strings.Join(g.Types, ", ")
	}
	return "application/jwk-set+json, application/json, application/samlmetadata+xml, */*;q=0.1"
}

// ReadBody returns the body of a response with status 200, one of the media
// types and at most limit octets. No types means any. It does not close the
// body.
func ReadBody(response *http.Response, limit int, types ...string) ([]byte, error) {
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetch: the server answered %d, and redirects are not followed", response.StatusCode)
	}
	if len(types) > 0 {
		kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
		if err != nil || !contains(types, kind) {
			return nil, errors.New("fetch: the response has another content type")
		}
	}

	body, err := io.ReadAll(io.LimitReader(response.Body, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("fetch: the response broke off: %w", err)
	}
	if len(body) > limit {
		return nil, fmt.Errorf("fetch: the response has more than %d octets", limit)
	}
	return body, nil
}

// CheckURL refuses what can be refused without a connection.
func (g *Getter) CheckURL(rawURL string) error {
	if len(rawURL) > maxURL {
		return fmt.Errorf("fetch: a URL of more than %d octets", maxURL)
	}
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || u.User != nil || u.Opaque != "" || u.Fragment != "" {
		return fmt.Errorf("fetch: %.120q is not a plain absolute URL", rawURL)
	}
	if u.Scheme == "https" || u.Scheme == "http" && g.AllowPrivate && IsLoopback(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("fetch: %.120q is not https", rawURL)
}

// IsLoopback reports whether a host, a name or an address without brackets, is
// this machine. No name is looked up: of names only "localhost" is.
func IsLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.Unmap().IsLoopback()
}

func (g *Getter) prepare() {
	if g.Client != nil {
		own := *g.Client
		g.client = &own
	} else {
		g.client = &http.Client{Transport: g.transport()}
	}
	g.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
}

func (g *Getter) transport() *http.Transport {
	dialer := &net.Dialer{
		Timeout: DefaultTimeout,
		Control: func(network, address string, _ syscall.RawConn) error {
			return g.checkDial(network, address)
		},
	}
	transport := &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: g.RootCAs},
		TLSHandshakeTimeout:    DefaultTimeout,
		MaxResponseHeaderBytes: maxHeader,
		// A small response must not unfold into a large one.
		DisableCompression: true,
		// Documents are fetched rarely. An idle connection would be held for
		// a server that another party chose.
		DisableKeepAlives: true,
	}
	if g.Proxy && g.AllowPrivate {
		transport.Proxy = http.ProxyFromEnvironment
	}
	return transport
}

func contains(types []string, kind string) bool {
	for _, t := range types {
		if strings.EqualFold(t, kind) {
			return true
		}
	}
	return false
}

// positive returns v, or preset if v is not positive.
func positive[T ~int | ~int64](v, preset T) T {
	if v > 0 {
		return v
	}
	return preset
}
