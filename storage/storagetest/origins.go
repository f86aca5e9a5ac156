package storagetest

import (
	"context"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// findsOrigins reports whether the store finds origins and stores the clients that
// have them.
func findsOrigins(s storage.Records, o Options) bool {
	return has[storage.Registrar](s, o) && has[storage.OriginFinder](s, o)
}

// origins requires that an origin is found as long as a client which is not
// disabled is registered for it, compared byte for byte.
func origins(p *probe) {
	finder := p.store.(storage.OriginFinder)
	const a, b, c = "https://a.example", "https://b.example:8443", "http://127.0.0.1:3000"

	// put registers a client with these origins.
	put := func(id string, disabled bool, list ...string) {
		client := machineClient(id)
		client.Disabled, client.Origins = disabled, list
		require.NoError(p, p.registrar().PutClient(p.ctx, client))
	}
	// only requires that these origins are found and no others.
	only := func(when string, want ...string) {
		p.Helper()
		var got []string
		for _, origin := range []string{a, b, c} {
			found, err := finder.HasOrigin(p.ctx, origin)
			require.NoError(p, err, "HasOrigin %q", origin)
			if found {
				got = append(got, origin)
			}
		}
		require.Equal(p, want, got, "origins found %s", when)
	}

	only("in an empty store")
	put("one", false, a, a, b)
	put("two", false, b, c)
	only("of two clients", a, b, c)

	// Similar texts are other origins.
	for _, origin := range []string{"", "null", "*", "%", "https://", "https://A.example", a + "/", a + " ", a + ":443", a[:len(a)-1], "http" + a[5:], a + "," + b} {
		found, err := finder.HasOrigin(p.ctx, origin)
		require.NoError(p, err, "HasOrigin %q", origin)
		require.False(p, found, "HasOrigin %q", origin)
	}

	put("one", false, a)
	only("after one of two clients lost an origin", a, b, c)
	put("two", true, b, c)
	only("after a client was disabled", a)
	put("two", false, c)
	only("after it was enabled with fewer", a, c)
	require.NoError(p, p.registrar().DeleteClient(p.ctx, "one"))
	only("after a client was deleted", c)
	put("two", false)
	only("after the last origin was removed")

	ctx, cancel := context.WithCancel(p.ctx)
	cancel()
	_, err := finder.HasOrigin(ctx, c)
	require.Error(p, err, "HasOrigin with a cancelled context")
}
