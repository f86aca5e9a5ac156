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

// Admin returns the handlers that administer clients, grants and consents. They are
// not part of Handler or Mount. The host mounts them itself, without the prefix that
// it mounts them under:
//
//	mux.Handle("/admin/", http.StripPrefix("/admin", admin))
//
// The error says what is missing: Authorize, a Config.Clients that is a
// [storage.Registrar], a Config.Records that is a [storage.Lister].
//
// # Clients
//
//	GET    /clients?after=&limit=          {"clients":[…],"next":"…"} by ID; no next on the last page
//	POST   /clients                        creates one, 201; client_id may be left out
//	GET    /clients/{id}
//	PUT    /clients/{id}                   replaces all members that are not read-only; needs If-Match
//	DELETE /clients/{id}                   204
//	POST   /clients/{id}/disable           and /enable: unexpired tokens stop, and are good again
//	POST   /clients/{id}/revoke            ends all that was issued to the client until now, in one write
//	POST   /clients/{id}/secret            {"overlap_seconds":3600}: a new secret; the old one works that much longer
//	DELETE /clients/{id}/secrets/{secret}  ends one of several secrets
//
// A client is the JSON of [storage.Client] with two differences: secrets is a list of
// {"id","expires_at"}, and shared_key is true where there is one. A generated secret is
// in the answer that made it, as client_secret, and is never shown again. Read-only are
// disabled (but for POST), secrets, shared_key, created_at, created_by and
// tokens_not_before: they may be sent back as they are, and another value refuses the
// request.
//
// Every client has an ETag. With If-Match a change is refused (412) if another request
// changed the client since. Within one process no change is lost. Two processes that
// change one client in the same milliseconds can both succeed if the store is no
// [storage.Swapper]; the later change stays.
//
// # Grants and consents
//
//	GET    /grants?subject=&client_id=&kind=&scope=&after=&limit=  {"grants":[…],"next":"…"}
//	DELETE /grants/{grant_id}                                      204: the family ends
//	DELETE /grants?subject=&client_id=&after=&limit=               {"revoked":100,"next":"…"}: one page of them ends
//	GET    /consents?subject=&client_id=&scope=&after=&limit=      {"consents":[…],"next":"…"}
//	DELETE /consents?subject=&client_id=                           204: all that rests on it ends
//
// subject or client_id must be given. kind is refresh (the default: one for each family
// that can be refreshed), access or code. A page may be short or empty: the listing goes
// on until there is no next. By client_id alone a store may have to read all its
// records.
//
// # Export and import
//
//	GET  /export?after=&limit=&shared_keys=include  a document of clients, 1000 a page
//	POST /import?existing=                          {"imported":2,"skipped":0}
//
// An export has every field, hashes of secrets included. Its reader can guess weak
// secrets that were imported, so it is to be kept, and encrypted, like a copy of the
// database. A client with a plain shared_key is exported only with
// shared_keys=include. An import stores every field as it is. All clients are checked
// before the first is stored; clients that exist refuse it (409) unless existing is
// skip or replace. A deleted client that is imported again is the same client: its
// unexpired tokens are good again.
//
// # Every request
//
// POST and PUT need Content-Type: application/json even without a body, and requests
// that a browser sends from another site are refused, so that a host may rely on its
// session cookie. Errors are those of the other endpoints, {"error",
// "error_description"}, with the codes invalid_request, invalid_client_metadata,
// access_denied, not_found, conflict and precondition_failed. limit is 1 to 1000; the
// default is 100.
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
// and end nothing but the user's own:
//
//	GET    /grants?client_id=&kind=&scope=&after=&limit=
//	DELETE /grants/{grant_id}
//	GET    /consents?client_id=&scope=&after=&limit=
//	DELETE /consents?client_id=
func (s *Server) Account(cfg AccountConfig) (http.Handler, error) {
	return s.admin.Account(cfg.Subject)
}
