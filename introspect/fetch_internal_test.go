package introspect

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// Only addresses of the public Internet are public; IPv4 inside IPv6 is judged as what it reaches.
//
// Holds R106.
func TestFetch_PublicAddresses(t *testing.T) {
	t.Parallel()
	for text, public := range map[string]bool{
		"93.184.216.34": true, "1.1.1.1": true, "2606:4700::1111": true, "::ffff:1.1.1.1": true, "64:ff9b::101:101": true,
		"127.0.0.1": false, "127.255.255.254": false, "0.0.0.0": false, "10.1.2.3": false, "172.31.0.1": false, "192.168.1.1": false,
		"169.254.169.254": false, "100.64.0.1": false, "192.0.0.1": false, "198.18.0.1": false, "224.0.0.1": false, "255.255.255.255": false,
		"192.0.2.1": false, "198.51.100.1": false, "203.0.113.1": false, "240.0.0.1": false,
		"::": false, "::1": false, "::127.0.0.1": false, "::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "fe80::1": false, "fe80::1%eth0": false,
		"fc00::1": false, "fd12::1": false, "fec0::1": false, "ff02::1": false, "64:ff9b::7f00:1": false, "64:ff9b::a00:1": false,
		"64:ff9b:1::1": false, "2002:7f00:1::": false, "2002:101:101::": false, "2001::1": false, "2001:db8::1": false, "100::1": false, "3fff::1": false,
	} {
		require.Equal(t, public, isPublic(netip.MustParseAddr(text)), text)
	}
	require.False(t, isPublic(netip.Addr{}))
	require.Error(t, refusePrivate("udp4", "1.1.1.1:443", nil))
	require.Error(t, refusePrivate("tcp4", "nonsense", nil))
	require.NoError(t, refusePrivate("tcp4", "1.1.1.1:443", nil))
}
