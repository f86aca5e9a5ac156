package grantwell

import (
	"net/http"
	"time"
)

// AdminConfig says who may administer a server. See [Server.Admin].
type AdminConfig struct {
	// Authorize decides about every request before anything of it is carried out: who
	// sends it, by the host's own session, token or certificate, and whether this
	// person may do what method and path say. It returns a name for the events and for
	// created_by, at most 1024 bytes. An error refuses the request, and so does an
	// empty name: a *[Error] as it is, every other error with status 403. Required.
	Authorize func(r *http.Request) (actor string, err error)
	// Overlap is how long a client's old secret works beside a new one if the request
	// does not say. Zero: 24 hours; at most 90 days.
	Overlap time.Duration
}

// Admin returns the handlers that administer clients, grants and consents: an HTTP
// interface with JSON, which examples/ADMIN.md describes. They are not part of Handler
// or Mount. The host mounts them itself, without the prefix that it mounts them under:
//
//	mux.Handle("/admin/", http.StripPrefix("/admin", admin))
//
// The error says what is missing: Authorize, a Config.Clients that is a
// [storage.Registrar], a Config.Records that is a [storage.Lister].
func (s *Server) Admin(cfg AdminConfig) (http.Handler, error) {
	return s.admin.Admin(cfg.Authorize, cfg.Overlap)
}

// AccountConfig says whose account it is. See [Server.Account].
type AccountConfig struct {
	// Subject returns the user who is signed in, by the host's own session: the subject
	// of what they granted. An error refuses as in [AdminConfig]. Required.
	Subject func(r *http.Request) (subject string, err error)
}

// Account returns handlers by which users see what they granted, and withdraw it. They
// are mounted like those of [Server.Admin], have the same shapes and rules, and show
// and end nothing but the user's own grants and consents.
func (s *Server) Account(cfg AccountConfig) (http.Handler, error) {
	return s.admin.Account(cfg.Subject)
}
