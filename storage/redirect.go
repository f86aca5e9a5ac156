package storage

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// maxURI is the longest URI that a client may be registered with, in bytes.
const maxURI = 2048

// CheckRedirectURI returns the reason why a client must not register the
// redirect URI, or nil. It refuses a URI that
//
//   - is not absolute or has a fragment (RFC 6749 section 3.1.2),
//   - has user information, a wildcard, or characters that URI parsers disagree
//     about,
//   - uses plain http to any host but a loopback one (RFC 9700 section 2.6),
//   - has a scheme that a browser executes or reads a local file for, such as
//     javascript: or file:,
//   - has a private-use scheme without a dot (RFC 8252 section 8.4), or
//   - has a query with a parameter of the authorization response.
func CheckRedirectURI(raw string) error {
	if err := checkRedirectText(raw); err != nil {
		return err
	}

	u, err := url.Parse(raw)
	if err != nil || !u.IsAbs() || !strings.HasPrefix(raw, u.Scheme+":") {
		return errors.New("is not an absolute URI with a lower-case scheme")
	}
	if u.User != nil {
		return errors.New("has user information")
	}
	if hasResponseParameter(u.RawQuery) {
		return errors.New("has a query with a parameter of the response")
	}
	return checkRedirectScheme(u)
}

// checkRedirectText judges the text of a redirect URI before it is parsed.
// url.Parse accepts characters that browsers treat as something else: a browser
// reads a backslash as a slash, for example, and drops a tab.
func checkRedirectText(raw string) error {
	switch {
	case strings.TrimSpace(raw) == "":
		return errors.New("is empty")
	case len(raw) > maxURI, !printable(raw), strings.ContainsAny(raw, " \\<>\"`{}|^"):
		return errors.New("is too long or has characters that a URI cannot have")
	case strings.Contains(raw, "#"):
		return errors.New("has a fragment")
	case strings.Contains(raw, "*"):
		// Redirect URIs are compared byte for byte, so that a wildcard would
		// never match what its author meant.
		return errors.New("has a wildcard")
	}
	return nil
}

// checkRedirectScheme judges the scheme and, for http and https, the host.
func checkRedirectScheme(u *url.URL) error {
	switch u.Scheme {
	case "https", "http":
		host := u.Hostname()
		if host == "" || host != strings.ToLower(host) || strings.Contains(host, "%") {
			return errors.New("has no host, a zone, or upper-case letters in it")
		}
		if u.Scheme == "http" && !loopback(host) {
			return errors.New("is plain http to another machine")
		}

	case "javascript", "data", "vbscript", "file", "blob", "about", "filesystem", "view-source":
		return fmt.Errorf("has the scheme %s", u.Scheme)

	default:
		if !strings.Contains(u.Scheme, ".") {
			return errors.New("has a private-use scheme without a dot")
		}
	}
	return nil
}

// hasResponseParameter reports whether a query has a parameter that an
// authorization response has too. The client would receive that parameter
// twice, and might trust the registered value in place of the server's.
func hasResponseParameter(query string) bool {
	// Some servers split a query at semicolons as well.
	separator := func(c rune) bool { return c == '&' || c == ';' }

	for pair := range strings.FieldsFuncSeq(query, separator) {
		name, _, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(name); err == nil {
			name = decoded
		}
		switch name {
		case "code", "state", "iss", "error", "error_description",
			"access_token", "id_token", "response":
			return true
		}
	}
	return false
}

// loopback reports whether the host is the machine that the browser runs on.
// The URI parser removed the brackets of an IPv6 address.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
