package authorize_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The port of a loopback address has at most five digits: a longer number is no port,
// also where its value would be one after an overflow.
//
// Holds: RFC 8252 section 7.3.
func TestRedirectURI_PortOfManyDigits(t *testing.T) {
	t.Parallel()
	const registered = "http://127.0.0.1/cb"
	require.True(t, matches(t, registered, "http://127.0.0.1:65535/cb"))
	for _, port := range []string{
		"100000",
		"18446744073709551617", // 1 in 64 bits
		"18446744073709559626", // 8010 in 64 bits
		"1" + strings.Repeat("0", 64),
	} {
		require.False(t, matches(t, registered, "http://127.0.0.1:"+port+"/cb"), port)
	}
}

// Every digit may be part of the port, and the path may be missing.
//
// Holds: RFC 8252 section 7.3.
func TestRedirectURI_PortOfAnyDigits(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"http://127.0.0.1", "http://[::1]"} {
		require.True(t, matches(t, host+"/cb", host+":9909/cb"))
		require.True(t, matches(t, host+":1234/cb", host+":56789/cb"))
		require.True(t, matches(t, host, host+":8080"))
		require.False(t, matches(t, host, host+":8080/"))
	}
}
