package server

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/grantwell/grantwell/examples/internal/demo"
)

// announce prints one "name value" a line, and "ready" last, and writes the file that
// the client programs read.
func (a *app) announce(w io.Writer, o options, addr net.Addr) error {
	if err := a.describe(o); err != nil {
		return err
	}

	f := &a.demo
	b := bufio.NewWriter(w)
	for _, line := range [][2]string{
		{"issuer", f.Issuer},
		{"authorize", f.Authorize},
		{"token", f.Token},
		{"revoke", f.Revoke},
		{"introspect", f.Introspect},
		{"tokeninfo", f.TokenInfo},
		{"par", f.PAR},
		{"jwks", f.JWKS},
		{"metadata", metadataURL(f.Issuer)},
		{"protected", f.Protected},
		{"address", addr.String()},
	} {
		fmt.Fprintf(b, "%-12s %s\n", line[0], line[1])
	}
	for _, id := range slices.Sorted(maps.Keys(f.Secrets)) {
		if f.Secrets[id] == "" {
			fmt.Fprintf(b, "%-12s %s\n", "public", id)
			continue
		}
		fmt.Fprintf(b, "%-12s %s %s\n", "client", id, f.Secrets[id])
	}
	for _, name := range slices.Sorted(maps.Keys(f.Passwords)) {
		fmt.Fprintf(b, "%-12s %s %s\n", "user", name, f.Passwords[name])
	}
	if o.demo != "-" {
		path, err := a.writeDemo(o.demo)
		if err != nil {
			return err
		}
		fmt.Fprintf(b, "%-12s %s\n", "demo", path)
	}
	fmt.Fprintln(b, "ready")

	return b.Flush()
}

// describe completes the demo file with the URLs and the certificate of this server.
func (a *app) describe(o options) error {
	paths := a.srv.Paths()
	f := &a.demo
	f.Authorize = a.srv.URL(paths.Authorize)
	f.Token = a.srv.URL(paths.Token)
	f.Revoke = a.srv.URL(paths.Revoke)
	f.Introspect = a.srv.URL(paths.Introspect)
	f.TokenInfo = a.srv.URL(paths.TokenInfo)
	f.PAR = a.srv.URL(a.par)
	f.JWKS = a.srv.URL(paths.JWKS)
	f.Protected = a.srv.URL(a.protected)
	if o.tlsCert == "" {
		return nil
	}

	pem, err := os.ReadFile(o.tlsCert)
	f.CA = string(pem)

	return err
}

// writeDemo writes the demo file and returns its path. Without a path it stands in the
// user's cache directory.
func (a *app) writeDemo(path string) (string, error) {
	if path == "" {
		var err error
		if path, err = demo.Path(); err != nil {
			return "", errors.Join(err, errors.New("name a file by -demo, or none by -demo -"))
		}
	}

	return path, a.demo.Write(path)
}

// metadataURL returns where RFC 8414 section 3.1 places the metadata: before the path
// of the issuer.
func metadataURL(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	u.Path = "/.well-known/oauth-authorization-server" + strings.TrimSuffix(u.Path, "/")

	return u.String()
}
