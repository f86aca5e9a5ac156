// Package anonymous has the table of what a caller without credentials can send, what
// each request costs the server, and what bounds the cost. Tests and a benchmark hold it.
//
// No such request takes more than 2 ms of CPU time and 1 MiB of memory, starts a
// goroutine that outlives it or fetches anything, and a flood of them keeps no other
// client from being served. Two kinds of work take longer by their nature, and the limits
// of package grants/limit bound how many there are: the comparison of a secret with a
// slow hash, for any wrong secret at a server that has such clients, and a signature with
// the curve P-521, for a client that is registered with such a key.
//
// The figures in TABLE.md are of one machine. To write them anew:
//
//	go generate ./internal/anonymous
package anonymous
