package storage

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
)

// CheckOrigin returns why a text is not an origin in the spelling in which browsers
// send it in the header Origin (RFC 6454 section 6.2), or nil. Origins are compared
// byte for byte, so one in another spelling would never match.
//
// Besides http and https it takes the schemes of web views and extensions, such as
// capacitor://localhost and chrome-extension://id.
func CheckOrigin(origin string) error {
	if origin == "null" || origin == "*" {
		return errors.New("names no origin: sandboxed pages of everyone send null, and a wildcard matches none")
	}
	if !printable(origin) {
		return errors.New("has characters that browsers do not send: write an internationalized name in its ASCII form (xn--)")
	}
	scheme, authority, found := strings.Cut(origin, "://")
	u, err := url.Parse(origin)
	if err != nil || !found || u.Host == "" || u.Host != authority || strings.ContainsAny(authority, "%@ *\"'<>\\^`{|},;") {
		return errors.New("is not scheme://host[:port]")
	}
	if origin != strings.ToLower(origin) {
		return errors.New("has upper case, which browsers send as lower case")
	}

	return checkOriginParts(scheme, u)
}

// checkOriginParts judges the parts of an origin that is in lower case.
func checkOriginParts(scheme string, u *url.URL) error {
	switch scheme {
	case "ftp", "ws", "wss":
		return errors.New("has a scheme that no page is loaded by")
	case "file", "data", "javascript", "blob", "about", "filesystem":
		return errors.New("has a scheme whose pages send the origin null")
	}
	port := u.Port()
	switch {
	case scheme == "https" && port == "443", scheme == "http" && port == "80":
		return errors.New("has the default port, which browsers leave out")
	case strings.HasSuffix(u.Host, ":"), port != "" && (port[0] == '0' || len(port) > 5):
		return errors.New("has a port that browsers do not send")
	}
	if strings.HasPrefix(u.Host, "[") {
		addr, err := netip.ParseAddr(u.Hostname())
		if err != nil || addr.Zone() != "" || addr.String() != u.Hostname() {
			return errors.New("has an address that browsers spell otherwise")
		}
	}

	return nil
}
