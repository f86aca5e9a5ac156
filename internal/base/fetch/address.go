package fetch

import (
	"fmt"
	"net/netip"
)

// globalUnicast is the part of IPv6 that is in public use. Everything else is
// refused without being listed: loopback, unspecified, link-local, site-local,
// unique local and multicast addresses, IPv4-compatible ones, and those of
// NAT64 (64:ff9b::/96 and 64:ff9b:1::/48), which reach IPv4 addresses through a
// translator that may be in the private network.
var globalUnicast = netip.MustParsePrefix("2000::/3")

// refused are the IPv4 networks that are not public, and the parts of
// [globalUnicast] that carry other addresses or lead nowhere (IANA
// special-purpose address registries, RFC 6890).
var refused = [...]netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network
	netip.MustParsePrefix("10.0.0.0/8"),      // private
	netip.MustParsePrefix("100.64.0.0/10"),   // carrier-grade NAT
	netip.MustParsePrefix("127.0.0.0/8"),     // loopback
	netip.MustParsePrefix("169.254.0.0/16"),  // link-local, with the metadata services of clouds
	netip.MustParsePrefix("172.16.0.0/12"),   // private
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("192.88.99.0/24"),  // 6to4 relays
	netip.MustParsePrefix("192.168.0.0/16"),  // private
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("224.0.0.0/4"),     // multicast
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, and broadcast
	netip.MustParsePrefix("2001::/23"),       // protocol assignments, with Teredo
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("2002::/16"),       // 6to4
	netip.MustParsePrefix("3fff::/20"),       // documentation
}

// IsPublic reports whether a connection to the address leads to the public
// internet. An IPv4 address that is mapped into IPv6 is judged as the IPv4
// address. A zone names a link of this machine, so an address with one is not
// public.
func IsPublic(address netip.Addr) bool {
	// The zone is looked at before Unmap, which drops that of a mapped address.
	if !address.IsValid() || address.Zone() != "" {
		return false
	}
	address = address.Unmap()
	if address.Is6() && !globalUnicast.Contains(address) {
		return false
	}
	for _, network := range refused {
		if network.Contains(address) {
			return false
		}
	}
	return true
}

// checkDial judges the address of a connection just before it is made.
func (g *Getter) checkDial(network, address string) error {
	if network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("fetch: refused network %.20q", network)
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("fetch: refused address %.120q", address)
	}
	if g.AllowPrivate || IsPublic(to.Addr()) {
		return nil
	}

	// Prefixes have no zone, so they contain no address with one.
	for _, network := range g.Allowed {
		if network.Contains(to.Addr().Unmap()) {
			return nil
		}
	}
	return fmt.Errorf("fetch: refused address %s, which is not public", to.Addr())
}
