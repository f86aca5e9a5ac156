// Package limit bounds guesses at secrets that people choose: the passwords of
// users and the secrets of clients.
//
// Failed guesses are counted by key: by user, by client at one address, and by
// address. Past a limit the server answers with status 429 and Retry-After, and does
// not look whether the guess was right. Guesses at the same moment cannot pass a
// limit together, because each counts until its outcome is known.
//
// [Memory] counts in this process. Instances of a server that share a store need a
// [Shared], or each of them allows as many guesses again. A login page of the host
// counts with either by grants.Guess. A limiter that fails is status 503; it never
// lets a guess pass.
package limit

import (
	"strings"
	"time"
)

// Limit is how many failures are allowed in a window of time.
type Limit struct {
	Failures int
	Window   time.Duration
}

// Default returns the limits of [NewMemory] and [NewShared] without limits of the
// host: 10 failures a minute for a user, 20 for a client at one address, and 100 for
// an address.
func Default() map[string]Limit {
	return map[string]Limit{
		"user":   {Failures: 10, Window: time.Minute},
		"client": {Failures: 20, Window: time.Minute},
		"addr":   {Failures: 100, Window: time.Minute},
	}
}

// maxKeys bounds the memory that callers with many names or addresses can take.
const maxKeys = 100_000

// of returns the limit of a key: that of its kind or, for a class that has none,
// of the kind before the slash.
func of(limits map[string]Limit, key string) Limit {
	kind, _, _ := strings.Cut(key, ":")
	limit, ok := limits[kind]
	if !ok {
		kind, _, _ = strings.Cut(kind, "/")
		limit = limits[kind]
	}

	return limit
}
