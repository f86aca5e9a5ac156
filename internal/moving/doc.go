// Package moving has tests only. They move clients and live tokens from a server that is
// built with fosite to Grantwell.
//
// It is a module of its own, so that the root module does not depend on fosite's storage
// and handlers beyond what grants/fositegrant needs. It is never released.
package moving
