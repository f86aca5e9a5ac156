// Package limit bounds guesses at secrets that people choose: the passwords of
// users and the secrets of clients. It also bounds the work that callers without
// credentials can cause.
//
// Failed guesses are counted by key: by user, by client at one address, and by
// address. Past a limit the server answers with status 429 and Retry-After, and does
// not look whether the guess was right. Guesses at the same moment cannot pass a
// limit together, because each counts until its outcome is known. A client secret
// that the server generated cannot be guessed; it is compared without the limiter
// while it is right.
//
// [Memory] counts in this process. Instances of a server that share a store need a
// [Shared], or each of them allows as many guesses again. A login page of the host
// counts with either by grants.Guess. A limiter that fails is status 503; it never
// lets a guess pass.
//
// # Locking out
//
// The count of a user has no address, because attackers have many. So callers who
// guess at one user's password, 10 times a minute from anywhere, keep that user from
// signing in with it meanwhile. A host that would rather let them guess raises the
// limit of "user"; one that knows the user's devices, for example by a cookie, makes
// the attempt of a known device without the limit, or under a key of its own.
//
// A request that names no address, for example on a unix-domain socket without
// Config.TrustedSocket, is not counted.
package limit

import (
	"maps"
	"slices"
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
//
// Two kinds bound work, not guesses, and [Shared] counts them in each process apart:
// "assertion" is 1000 assertions and other proofs of a key a minute that do not hold,
// from one address, which take about two seconds of CPU time, and "waiting" is 1000
// authorization requests a minute that wait for the user, from one address.
func Default() map[string]Limit {
	return map[string]Limit{
		"user":      {Failures: 10, Window: time.Minute},
		"client":    {Failures: 20, Window: time.Minute},
		"addr":      {Failures: 100, Window: time.Minute},
		"assertion": {Failures: 1000, Window: time.Minute},
		"waiting":   {Failures: 1000, Window: time.Minute},
	}
}

// work are the kinds that bound work. They have their default limits unless the host
// names others.
var work = []string{"assertion", "waiting"}

// complete returns limits with those of work that are missing.
func complete(limits map[string]Limit) map[string]Limit {
	byDefault := Default()
	if limits == nil {
		return byDefault
	}
	limits = maps.Clone(limits)
	for _, kind := range work {
		if _, named := limits[kind]; !named {
			limits[kind] = byDefault[kind]
		}
	}

	return limits
}

// isWork reports whether a key is counted to bound work.
func isWork(key string) bool {
	kind, _, _ := strings.Cut(key, ":")

	return slices.Contains(work, kind)
}

// maxKeys bounds the memory that callers with many names or addresses can take, for
// each kind of key.
const maxKeys = 100_000

// kindOf returns the kind of a key whose limit holds: its own or, for a class that has
// no limit, the kind before the slash.
func kindOf(limits map[string]Limit, key string) string {
	kind, _, _ := strings.Cut(key, ":")
	if _, ok := limits[kind]; !ok {
		kind, _, _ = strings.Cut(kind, "/")
	}

	return kind
}
