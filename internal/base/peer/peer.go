// Package peer says from where a request came: the address of its sender, and
// whether it came over TLS. Both may stand in headers that a reverse proxy wrote;
// only the proxies that the host trusts are believed.
package peer

import (
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// Proxies are the peers whose forwarding headers are believed: X-Forwarded-For,
// X-Forwarded-Proto and Forwarded (RFC 7239). The zero value believes none.
type Proxies struct {
	Networks []netip.Prefix
	// Socket believes a request that came over a unix-domain socket.
	Socket bool
	// Logger gets one line when headers of a peer that is not believed are ignored
	// for the first time; nil: none.
	Logger *slog.Logger

	ignored sync.Once
}

// contradictory stands for the sender if the headers of a trusted proxy contradict
// each other or cannot be parsed. Proxies write no such headers, so a sender did.
// All of these senders share the one address, and none can claim another.
var contradictory = netip.IPv6Unspecified()

// Addr returns the address that a request came from. It is the connection's peer
// or, if that peer is a trusted proxy, the last address of X-Forwarded-For or
// Forwarded that no trusted proxy added. It is the zero address if the request names
// none, which includes a trusted proxy that calls the sender "unknown", and "::" if
// the two headers name different addresses.
func (p *Proxies) Addr(r *http.Request) netip.Addr {
	peer := sender(r.RemoteAddr)
	xff, forwarded := r.Header["X-Forwarded-For"], r.Header["Forwarded"]
	switch {
	case len(xff) == 0 && len(forwarded) == 0:
		return peer
	case !p.trustsSender(r, peer):
		p.ignore(r)
		return peer
	case len(forwarded) == 0:
		return p.last(peer, xff, listed)
	case len(xff) == 0:
		return p.last(peer, forwarded, forwardedFor)
	}

	// The proxy writes one of the headers, and the sender may have written the other.
	addr := p.last(peer, xff, listed)
	if addr != p.last(peer, forwarded, forwardedFor) {
		return contradictory
	}

	return addr
}

// last returns the last address of a header that no trusted proxy added. Any sender
// may have written what stands before it. List splits one line of the header.
func (p *Proxies) last(peer netip.Addr, lines []string, list func(line string) ([]string, bool)) netip.Addr {
	addr := peer
	for i := len(lines) - 1; i >= 0; i-- {
		names, ok := list(lines[i])
		if !ok {
			return contradictory
		}
		for j := len(names) - 1; j >= 0; j-- {
			if addr = host(names[j]); !p.trusts(addr) {
				return addr
			}
		}
	}

	return addr
}

// Secure reports whether a request came over TLS, either to this process or to a
// trusted proxy that says so. Of several proxies, all must say it.
func (p *Proxies) Secure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	proto, forwarded := r.Header["X-Forwarded-Proto"], r.Header["Forwarded"]
	if len(proto) == 0 && len(forwarded) == 0 {
		return false
	}
	if !p.trustsSender(r, sender(r.RemoteAddr)) {
		p.ignore(r)
		return false
	}

	by := protocols(proto, listed)
	by = append(by, protocols(forwarded, forwardedProto)...)

	return len(by) > 0 && !slices.ContainsFunc(by, func(name string) bool { return !strings.EqualFold(name, "https") })
}

// protocols returns the protocols that a header names. A line that cannot be parsed is
// one that is not https.
func protocols(lines []string, list func(line string) ([]string, bool)) []string {
	var out []string
	for _, line := range lines {
		names, ok := list(line)
		if !ok {
			names = []string{"malformed"}
		}
		out = append(out, names...)
	}

	return out
}

// trustsSender reports whether the headers of a request are believed.
func (p *Proxies) trustsSender(r *http.Request, peer netip.Addr) bool {
	return p.trusts(peer) || p.Socket && !peer.IsValid() && overSocket(r.RemoteAddr)
}

// overSocket reports whether net/http would name a peer on a unix-domain socket so:
// "" or "@" without a name, "@name" or "/path" with one.
func overSocket(remote string) bool {
	return remote == "" || remote[0] == '@' || remote[0] == '/'
}

func (p *Proxies) trusts(a netip.Addr) bool {
	a = a.WithZone("")
	for _, prefix := range p.Networks {
		if prefix.Contains(a) {
			return true
		}
	}

	return false
}

// ignore says once that a proxy seems to be missing in the configuration.
func (p *Proxies) ignore(r *http.Request) {
	if p.Logger == nil {
		return
	}
	p.ignored.Do(func() {
		p.Logger.WarnContext(r.Context(), "oauth: forwarding headers are ignored, because their sender is no trusted proxy. "+
			"If it is one, all its users share one limit. This is said once.", slog.String("sender", r.RemoteAddr))
	})
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
