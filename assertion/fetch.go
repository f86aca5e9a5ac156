package assertion

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/grantwell/grantwell/internal/base/fetch"
)

// Fetcher gets small documents from URLs that other parties have chosen: a
// client's jwks_uri, an issuer's keys, SAML metadata. The zero value is ready
// and safe: https only, no redirects, no proxy, no address outside the public
// internet, at most 512 KiB within 2 seconds. The address of each connection is
// judged after its name was looked up. It is safe for concurrent use. Do not
// change or copy it after the first Fetch.
type Fetcher struct {
	// AllowPrivate permits every address, and plain http to a loopback
	// address. It is for development, and for networks where those who
	// register URLs may reach everything that the server can.
	AllowPrivate bool
	// Allowed are networks outside the public internet that may be reached, by
	// https.
	Allowed []netip.Prefix
	// Timeout bounds one fetch, from the look-up of the name to the last
	// octet. Zero means 2 seconds.
	Timeout time.Duration
	// MaxSize bounds the document in octets. Zero means 512 KiB.
	MaxSize int
	// RootCAs are the certificate authorities. Nil means those of the system.
	RootCAs *x509.CertPool

	once   sync.Once
	getter *fetch.Getter
}

// Fetch returns the body of a 200 response. Errors say what was refused. They
// are for logs and not for the party that chose the URL, which could scan a
// network by them.
func (f *Fetcher) Fetch(ctx context.Context, rawURL string) ([]byte, error) {
	f.once.Do(f.prepare)
	body, err := f.getter.Get(ctx, rawURL)
	if err != nil {
		return nil, fmt.Errorf("assertion: %w", err)
	}
	return body, nil
}

func (f *Fetcher) prepare() {
	f.getter = &fetch.Getter{
		AllowPrivate: f.AllowPrivate,
		Allowed:      f.Allowed,
		Timeout:      f.Timeout,
		MaxSize:      f.MaxSize,
		RootCAs:      f.RootCAs,
	}
}
