// Package moving has no code: its tests move clients and live tokens from a server made with fosite to Grantwell.
// It is a module of its own, so that fosite's handlers and what they need stay out of the root one. It is never released.
package moving
