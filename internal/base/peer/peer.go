// Package peer says from where a request came: the address of its sender, and
// whether it came over TLS. Both may stand in headers that a reverse proxy wrote;
// only the proxies that the host trusts are believed.
package peer

import (
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the addresses whose X-Forwarded-For and X-Forwarded-Proto headers
// are believed. The zero value believes no headers.
type Proxies []netip.Prefix

// Addr returns the address that a request came from. It is the connection's peer
// or, if that peer is a trusted proxy, the last address of X-Forwarded-For that no
// trusted proxy added. It is the zero address if the request names none.
func (p Proxies) Addr(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}

	addr := peer.Addr().Unmap()
	if !p.trust(addr) {
		return addr
	}

	// Any sender may have written what stands before the last address that no
	// trusted proxy added, so the list is read from its end.
	chain := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(chain) - 1; i >= 0; i-- {
		a, err := netip.ParseAddr(strings.TrimSpace(chain[i]))
		if err != nil {
			break
		}
		if addr = a.Unmap(); !p.trust(addr) {
			break
		}
	}

	return addr
}

// Secure reports whether a request came over TLS, either to this process or to a
// trusted proxy that says so.
func (p Proxies) Secure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}

	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !p.trust(peer.Addr().Unmap()) {
		return false
	}

	return strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

func (p Proxies) trust(a netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(a) {
			return true
		}
	}

	return false
}

// Neighbourhood returns the text by which a limit counts an address: an IPv4
// address itself, or the /64 network of an IPv6 address, because one customer of a
// provider usually has a whole /64.
func Neighbourhood(a netip.Addr) string {
	a = a.Unmap()
	if a.Is6() {
		if network, err := a.WithZone("").Prefix(64); err == nil {
			return network.String()
		}
	}

	return a.String()
}
