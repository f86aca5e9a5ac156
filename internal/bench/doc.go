// Command bench compares Grantwell with three other servers and with a hand-written floor,
// in one run on one machine. It measures
//
//   - the CPU time of the server's process for one operation, over loopback HTTP with
//     keep-alive;
//   - the time and the allocations of one operation in process;
//   - the heap for one live token, and the CPU time of an operation by the number of live
//     tokens.
//
// It is a module of its own that no package imports, and it is never released.
//
//	go run -C internal/bench .
//
// # The floor
//
// The floor (floor.go) is written by hand on net/http and does only what a workload needs:
// it parses the form, compares the digest of the client's secret, looks values up in maps,
// makes a token, stores its digest and writes JSON. It checks single use, PKCE, expiry and
// scope. It has no hooks, events, limits and formats, and it knows one client.
//
// # The other servers
//
// Each is set up with its memory store, as its documentation shows. Where a hasher for
// client secrets can be chosen, it is one SHA-256.
//
// zitadel/oidc is an OpenID Provider. It sends the browser to a login page and back, and
// signs an ID token with each code and each refresh. That is part of its figures.
//
// go-oauth2 has no introspection and no revocation endpoint. The benchmark adds short
// handlers over its manager.
//
// # The figures
//
// Each server runs in a process of its own, which is new in each round. In a round each
// workload goes to all servers, one after the other. The order changes with the round, so
// that another load on the machine does not always hit the same server. The CPU time is
// that of the operating system and includes garbage collection. The table has the median of
// the rounds. A ratio is the median of the ratios within a round.
package main
