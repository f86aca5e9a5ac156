package grantwell_test

import (
	"flag"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

var redemptions = flag.Int("redemptions", 300, "how many codes and refresh tokens TestContention redeems, each 4 times at once")

// Single-use codes and refresh tokens, each offered several times at once through the grants: each is redeemed once, and not once is nobody first.
// Holds R116, R165, V3, V5, V6, I1, I3, I11, S189.
func TestContention_EachIsRedeemedOnce(t *testing.T) {
	t.Parallel()
	const attempts = 4
	var doubles, orphans, won int
	total := *redemptions
	for done := 0; done < total; {
		d := servertest.New(t, nil) // a fresh store now and then keeps a long run small
		for range min(total-done, 5000) {
			code := d.Code("conf")
			kinds := []func() servertest.Reply{func() servertest.Reply { return d.Redeem("conf", code) }}
			if done%2 == 1 {
				_, token := d.Family("conf")
				kinds[0] = func() servertest.Reply { return d.Refresh("conf", token) }
			}
			var successes atomic.Int32
			servertest.Parallel(attempts, func(int) {
				if kinds[0]().Status == 200 {
					successes.Add(1)
				}
			})
			switch n := successes.Load(); {
			case n == 0:
				orphans++
			case n == 1:
				won++
			default:
				doubles++
			}
			done++
		}
		require.Zero(t, d.ActiveOf(storage.Refresh), "a second use ended each family")
	}
	t.Logf("%d single-use objects, %d attempts: %d redeemed once, %d more than once, %d by nobody", total, total*attempts, won, doubles, orphans)
	require.Zero(t, doubles)
	require.Zero(t, orphans)
	require.Equal(t, total, won)
}
