// Command bench compares Grantwell with a hand-written floor and with other servers, in one run on one machine: the server
// process's CPU time for each operation over loopback HTTP with keep-alive, time and allocations in process, and heap
// and cost by the number of live tokens. It is never released and nothing imports it.
//
//	go run -C internal/bench .
//
// # The floor
//
// The floor is what a workload cannot do without, written by hand on net/http (floor.go): parse the form, compare the digest
// of the client's secret, look up in maps, draw a token or sign one, keep its digest, write JSON; single use, PKCE,
// expiry and scope included. It has no hooks, events, limits, bounds or formats, and knows one client.
//
// # The others
//
// Each is set up as its documentation shows for a server in memory, with a hasher that costs one SHA-256 where
// there is a choice. zitadel/oidc is an OpenID Provider: it sends the browser to a login page and back, and signs
// an ID token with every code and refresh, which is part of what its users wait for, and of its figures.
// go-oauth2 has no introspection and no revocation endpoint: the obvious handler over its manager stands in.
//
// # The figures
//
// Every server runs in a process of its own, started anew for each round. In a round each workload goes to all servers,
// one after the other, in an order that turns, so that a noisy neighbour hits all of them; a process's CPU time is
// what the operating system counted for it, garbage collection included. The table has the median of the rounds,
// and ratios are medians of ratios within a round.
package main
