package grantstest

import (
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
)

// spendsLast holds that a handler spends in Prepare and nowhere else. When Handle
// returns, the server may still refuse: the scope, the user's consent or a hook of the
// host. In Prepare all of its checks have passed.
func spendsLast(p *probe) {
	r := p.good()
	before := p.spent()
	p.granted(r)
	require.Equal(p, before, p.spent(), "Handle spent something, although the server may still refuse")

	again := *r
	g := p.granted(&again)
	require.NotNil(p, g.Prepare, "Config.Spent says that the handler spends something, and the grant has no Prepare")

	// Several requests with the same form at the same moment: one of them may win.
	const n = 8
	all := []*grants.Grant{g}
	for range n - 1 {
		same := *r
		all = append(all, p.granted(&same))
	}
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, g := range all {
		wg.Go(func() { errs[i] = g.Prepare(p.Context(), &grants.Response{AccessToken: "t", TokenType: "Bearer"}) })
	}
	wg.Wait()

	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		p.callersFault(err, "a request that lost to another one")
	}
	require.Equal(p, 1, won, "requests with the same form that were prepared")
	require.Equal(p, before+1, p.spent(), "what one request spends")
}
