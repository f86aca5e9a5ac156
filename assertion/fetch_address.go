package assertion

import (
	"fmt"
	"net/netip"
)

// refusedAddresses are the IPv4 networks that are not the public internet (IANA special-purpose registry,
// RFC 6890), and the parts of 2000::/3 that carry other addresses inside or lead nowhere. Everything in
// IPv6 outside 2000::/3 is refused without being listed: loopback, link-local, site-local, unique-local,
// multicast, IPv4-compatible, NAT64.
var refusedAddresses = func(list ...string) []netip.Prefix {
	prefixes := make([]netip.Prefix, len(list))
	for i, s := range list {
		prefixes[i] = netip.MustParsePrefix(s)
	}
	return prefixes
}(
	"0.0.0.0/8",       // this network
	"10.0.0.0/8",      // private
	"100.64.0.0/10",   // carrier-grade NAT
	"127.0.0.0/8",     // loopback
	"169.254.0.0/16",  // link-local, with the metadata services of clouds
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // protocol assignments
	"192.0.2.0/24",    // documentation
	"192.88.99.0/24",  // 6to4 relays
	"192.168.0.0/16",  // private
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"224.0.0.0/4",     // multicast
	"240.0.0.0/4",     // reserved, and broadcast
	"2001::/23",       // protocol assignments, Teredo among them
	"2001:db8::/32",   // documentation
	"2002::/16",       // 6to4
	"3fff::/20",       // documentation
)

var globalUnicast = netip.MustParsePrefix("2000::/3")

// publicAddress tells whether a connection to ip leads to the public internet. An IPv4 address written as
// IPv6 is judged as the IPv4 address that it is, and a zone means a link of this machine.
func publicAddress(ip netip.Addr) bool {
	ip = ip.Unmap()
	if !ip.IsValid() || ip.Zone() != "" || ip.Is6() && !globalUnicast.Contains(ip) {
		return false
	}
	for _, p := range refusedAddresses {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}

// checkDial judges one address that is about to be connected to: the outcome of the name lookup, so that a
// name that resolves differently the second time gains nothing.
func (f *Fetcher) checkDial(network, address string) error {
	if network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("assertion: refused network %s", network)
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("assertion: refused address %s", shown(address))
	}
	ip := to.Addr().Unmap()
	if f.AllowPrivate || publicAddress(ip) {
		return nil
	}
	for _, p := range f.Allowed {
		if p.Contains(ip) {
			return nil
		}
	}
	return fmt.Errorf("assertion: refused address %s, which is not on the public internet", ip)
}
