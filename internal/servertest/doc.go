// Package servertest builds authorization servers for tests. Every test of the
// module that needs a running server uses this package, so that the clients,
// the users and the requests of a test look the same everywhere.
//
// [New] builds a [Server] with every grant, four registered clients and a
// memory store. Requests are served in the test's own goroutine, without a
// listener, so a server also works in a bubble of testing/synctest and under
// concurrent requests. [Server.Listen] puts the same server behind a test
// listener, for tests that need a real connection. [On] builds a server over
// a store that the test brings, such as a database that other servers share.
//
//	s := servertest.New(t, func(cfg *grantwell.Config) {
//		cfg.CodeLifetime = 10 * time.Minute
//	})
//	code := s.Code("conf")
//	res := s.Redeem("conf", code)
//	require.Equal(t, http.StatusOK, res.Status, res.Body)
//	require.True(t, s.Live(res.String("access_token")))
//	s.Redeem("conf", code).Fails(t, http.StatusBadRequest, "invalid_grant")
//
// [NewSite] adds the consent pages, a small login page and a [Browser] that
// keeps cookies. [NewAdmin] adds the administration and account handlers.
// [NewAssertion] adds the assertion grants with the keys of the parties that
// sign.
//
// Helpers that send a request and return a [Reply] never stop the test, so any
// goroutine may call them. Helpers that return a value read from a reply, such
// as [Server.Code] and [Server.Live], stop the test with FailNow when the reply
// is not a success, so only the test's own goroutine may call them.
//
// Names and values of a request are given in turn, as pairs. In a request that
// has default parameters, a pair replaces the default, and the value [Omit]
// removes it.
package servertest
