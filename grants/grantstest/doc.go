// Package grantstest tests grants: the handlers of a token request, which a host may
// write itself.
//
// [Run] holds a handler to the contract of [grants.Handler]. A test gives it the
// handler and a function that fills in a good request:
//
//	func TestVoucher(t *testing.T) {
//		grantstest.Run(t, grantstest.Config{
//			New: func() grants.Handler { return newVouchers() },
//			Good: func(t testing.TB, h grants.Handler, r *grants.Request) {
//				r.Form.Set("voucher", h.(*vouchers).add("alice"))
//			},
//			Spent: func(h grants.Handler) int { return h.(*vouchers).spent() },
//		})
//	}
//
// Run the test with -race: a handler that keeps a request shows there.
//
// [Request] makes a request for a test of one's own, with everything that the server
// fills in. [Code] and [RefreshToken] put a code or a refresh token into its store,
// for handlers that wrap those of package grants.
//
// What the server does around a handler is not tested here: it authenticates the
// client, decides on the scope, and issues, stores and answers.
package grantstest
