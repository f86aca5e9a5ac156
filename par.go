package grantwell

import "time"

// PARConfig configures pushed authorization requests (RFC 9126): a client sends the
// parameters of its authorization request to the server first, authenticated, and the
// browser carries only a reference to them.
type PARConfig struct {
	// Path is the path of the endpoint, below the issuer's path, for example "/par".
	// Empty: pushed requests are off.
	Path string
	// Required refuses authorization requests that were not pushed, from every client.
	// A client's own setting (RequirePushed of storage.ClientPAR) can only add to it.
	Required bool
	// Lifetime is how long a pushed request may be used: 5 s to 10 minutes; zero: 60 s.
	Lifetime time.Duration
}
