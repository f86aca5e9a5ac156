package grantwell

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/form"
	"github.com/grantwell/grantwell/storage"
)

// AdminConfig says who may administer a server. See [Server.Admin].
type AdminConfig struct {
	// Authorize decides about every request before anything of it is carried out: who sends it, by the host's own session,
	// token or certificate, and whether this person may do what method and path say. It returns a name for the events
	// and for created_by, at most 1024 bytes. Any error refuses, and so does an empty name: a *[grants.Error] as it is, others with 403. Required.
	Authorize func(r *http.Request) (actor string, err error)
	// Overlap is how long a client's old secret works beside a new one when the request does not say. Zero: 24 hours;
	// at most 90 days.
	Overlap time.Duration
}

// maxActor bounds the name of who sends a request: a subject may be long.
const maxActor = 1024

// maxOverlap bounds the life of a secret that was replaced.
const maxOverlap = 90 * 24 * time.Hour

// api is a table of paths that the host's own authorization stands before.
type api struct {
	s       *Server
	name    string // the endpoint of events
	who     func(r *http.Request) (string, error)
	own     bool // callers act on what is their own, as subjects
	routes  []route
	clients storage.Registrar
	records storage.Lister
	overlap time.Duration
	turn    chan struct{} // who holds it changes clients: a change is a read and a write
}

// route is one method at one path, whose segment {} is any text.
type route struct {
	method, path, action string
	query                []string // the parameters that it takes; another one refuses the request
	handle               func(ctx context.Context, c *act) error
}

// act is one request to an api.
type act struct {
	*call
	api   *api
	id    string // what stood at {}
	below string // and at a second {}
	actor string
}

// Admin returns the handlers that administer clients, grants and consents. They are not part of Handler: nobody
// reaches them unless the host mounts them, without the prefix that it mounts them under:
//
//	mux.Handle("/admin/", http.StripPrefix("/admin", admin))
//
// The error says what is missing: Authorize, a Config.Clients that is a [storage.Registrar], a Config.Records that is a [storage.Lister].
//
// # Clients
//
//	GET    /clients?after=&limit=          {"clients":[…],"next":"…"} by ID; no next on the last page
//	POST   /clients                        creates one, 201; client_id may be left out
//	GET    /clients/{id}
//	PUT    /clients/{id}                   replaces all members that are not read-only; needs If-Match
//	DELETE /clients/{id}                   204
//	POST   /clients/{id}/disable           and /enable: unexpired tokens stop, and are good again
//	POST   /clients/{id}/revoke            ends all that was issued to the client until now, by this server's clock, in one write
//	POST   /clients/{id}/secret            {"overlap_seconds":3600}: a new secret; the old one works that much longer
//	DELETE /clients/{id}/secrets/{secret}  ends one of several secrets
//
// A client is the JSON of [storage.Client], with two differences: secrets is a list of {"id","expires_at"}, and shared_key is true
// where there is one. A generated secret is in the answer that made it, as client_secret, and nowhere else ever.
// Read-only are disabled (but for POST), secrets, shared_key, created_at, created_by and tokens_not_before: they may be sent
// back as they are, and another value refuses the request.
//
// Every client has an ETag. With If-Match a change is refused (412) when somebody else changed the client since.
// Within one process no change is lost. Two processes that change one client in the same milliseconds can both
// succeed if the store is no [storage.Swapper]; the later one stays.
//
// # Grants and consents
//
//	GET    /grants?subject=&client_id=&kind=&scope=&after=&limit=  {"grants":[…],"next":"…"}
//	DELETE /grants/{grant_id}                                      204: the family ends
//	DELETE /grants?subject=&client_id=&after=&limit=               {"revoked":100,"next":"…"}: one page of them ends
//	GET    /consents?subject=&client_id=&scope=&after=&limit=      {"consents":[…],"next":"…"}
//	DELETE /consents?subject=&client_id=                           204: all that rests on it ends
//
// Subject or client_id must be given. Kind is refresh (the default: one for each family that can be refreshed), access
// or code. A page may be short or empty: the listing goes on until there is no next. By client_id alone a store may have
// to look at all records that it has.
//
// # Export and import
//
//	GET  /export?after=&limit=&shared_keys=include  a document of clients, 1000 a page; see Import below
//	POST /import?existing=                          {"imported":2,"skipped":0}
//
// An export has every field, hashes of secrets included: whoever has it can guess at weak secrets that were imported,
// so it is to be kept, and encrypted, like a copy of the database. A client with a plain shared_key is exported only if shared_keys=include says so.
// An import stores every field as it is. All clients are checked before the first is stored; existing clients refuse it (409) unless
// existing is skip or replace. A deleted client that is imported again is the same client: its unexpired tokens are good again.
//
// # Every request
//
// POST and PUT need Content-Type: application/json even without a body, and requests that a browser sends from
// another site are refused, so that a host may go by its session cookie. Errors are those of the other endpoints: {"error","error_description"}, with the codes
// invalid_request, invalid_client_metadata, access_denied, not_found, conflict and precondition_failed. limit is 1 to 1000, 100 unless told.
func (s *Server) Admin(cfg AdminConfig) (http.Handler, error) {
	var errs []error
	if cfg.Authorize == nil {
		errs = append(errs, errors.New("grantwell: AdminConfig.Authorize: is missing; without it anybody could administer"))
	}
	if cfg.Overlap < 0 || cfg.Overlap > maxOverlap {
		errs = append(errs, errors.New("grantwell: AdminConfig.Overlap: is not between 0 and 90 days"))
	}
	if cfg.Overlap == 0 {
		cfg.Overlap = 24 * time.Hour
	}
	a := &api{s: s, name: "admin", who: cfg.Authorize, overlap: cfg.Overlap, turn: make(chan struct{}, 1)}
	var ok bool
	if a.clients, ok = s.cfg.Clients.(storage.Registrar); !ok {
		errs = append(errs, fmt.Errorf("grantwell: Admin: Config.Clients (%T) is no storage.Registrar: it cannot be administered", s.cfg.Clients))
	}
	errs = append(errs, a.lister("Admin"))
	a.routes = slices.Concat(clientRoutes, recordRoutes, []route{
		{"DELETE", "/grants", "grant.revoke", []string{"subject", "client_id", "after", "limit"}, revokeGrants},
		{"DELETE", "/consents", "consent.revoke", []string{"subject", "client_id"}, revokeConsent},
		{"GET", "/export", "registry.export", []string{"after", "limit", "shared_keys"}, exportClients},
		{"POST", "/import", "registry.import", []string{"existing"}, importClients},
	})
	return a.built(errs)
}

// AccountConfig says whose account it is. See [Server.Account].
type AccountConfig struct {
	// Subject returns the user who is signed in, by the host's own session: the subject of what they granted.
	// An error refuses as in [AdminConfig]. Required.
	Subject func(r *http.Request) (subject string, err error)
}

// Account returns handlers by which users see what they granted, and withdraw it. They are mounted like [Server.Admin]'s, have the same shapes
// and rules, and show and end nothing but the user's own:
//
//	GET    /grants?client_id=&kind=&scope=&after=&limit=
//	DELETE /grants/{grant_id}
//	GET    /consents?client_id=&scope=&after=&limit=
//	DELETE /consents?client_id=
func (s *Server) Account(cfg AccountConfig) (http.Handler, error) {
	var errs []error
	if cfg.Subject == nil {
		errs = append(errs, errors.New("grantwell: AccountConfig.Subject: is missing; without it nobody has an account"))
	}
	a := &api{s: s, name: "account", own: true, who: cfg.Subject}
	errs = append(errs, a.lister("Account"))
	a.routes = slices.Concat(recordRoutes, []route{{"DELETE", "/consents", "consent.revoke", []string{"client_id"}, revokeConsent}})
	return a.built(errs)
}

func (a *api) lister(method string) error {
	var ok bool
	if a.records, ok = a.s.cfg.Records.(storage.Lister); !ok {
		return fmt.Errorf("grantwell: %s: Config.Records (%T) is no storage.Lister: it cannot be looked through", method, a.s.cfg.Records)
	}
	return nil
}

func (a *api) built(errs []error) (http.Handler, error) {
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.s.serve(a.name, w, r, a.serve) }), nil
}

// serve asks the host first, and only then looks at the request.
func (a *api) serve(ctx context.Context, c *call) error {
	c.hosted = true
	if err := c.overTLS(); err != nil {
		return err
	}
	actor, err := a.who(c.r.WithContext(ctx))
	var told *grants.Error
	switch {
	case err != nil && errors.As(err, &told):
		return err
	case err != nil:
		return grants.AccessDenied("This is not allowed.").Because("%w", err)
	case actor == "":
		return grants.AccessDenied("This is not allowed.").Because("grantwell: the authorization named nobody")
	case len(actor) > maxActor:
		return errors.New("grantwell: the authorization named somebody by more than 1024 bytes")
	}
	did := &AdminAct{Actor: actor}
	c.event.Admin = did
	at := &act{call: c, api: a, actor: actor}
	route, err := at.route()
	if err != nil {
		return err
	}
	did.Action = route.action
	if err := fromHere(c.r); err != nil {
		return err
	}
	if c.req.Form, err = form.Parse(c.r.URL.RawQuery); err != nil || len(c.r.URL.RawQuery) > 8<<10 {
		return grants.InvalidRequest("The query is malformed, too long, or a parameter is repeated.")
	}
	for name := range c.req.Form {
		if !slices.Contains(route.query, name) {
			return grants.InvalidRequest("The parameter " + printable(name, 64) + " is not known here.")
		}
	}
	return route.handle(ctx, at)
}

// fromHere refuses what a page of another site can make a browser send with the host's cookies: forms cannot send JSON,
// and scripts cannot without a preflight, which is never granted.
func fromHere(r *http.Request) error {
	var origins http.CrossOriginProtection
	if err := origins.Check(r); err != nil {
		return grants.AccessDenied("The request comes from another site.").Because("%w", err)
	}
	if r.Method != http.MethodPost && r.Method != http.MethodPut {
		return nil
	}
	if media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(media), "application/json") {
		return &grants.Error{Code: "invalid_request", Description: "The body must be application/json.", Status: http.StatusUnsupportedMediaType}
	}
	return nil
}

// route finds what serves the request's method and path, and reads the path's variable parts.
func (c *act) route() (route, error) {
	path := strings.Split(c.r.URL.EscapedPath(), "/")
	var allow []string
	for _, r := range c.api.routes {
		vars, ok := match(strings.Split(r.path, "/"), path)
		if !ok {
			continue
		}
		if r.method == c.r.Method {
			c.id, c.below = vars[0], vars[1]
			return r, nil
		}
		allow = append(allow, r.method)
	}
	if allow == nil {
		return route{}, notFound("There is nothing at this path.")
	}
	c.w.Header().Set("Allow", strings.Join(allow, ", "))
	return route{}, &grants.Error{Code: "invalid_request", Description: "The method is not allowed here.", Status: http.StatusMethodNotAllowed}
}

// match compares paths segment by segment. A segment that is {} matches any one that decodes to text.
func match(pattern, path []string) (vars [2]string, ok bool) {
	if len(pattern) != len(path) {
		return vars, false
	}
	n := 0
	for i, p := range pattern {
		if p != "{}" {
			if p != path[i] {
				return vars, false
			}
			continue
		}
		text, err := url.PathUnescape(path[i])
		if err != nil || text == "" || len(text) > 512 {
			return vars, false
		}
		vars[n] = text
		n++
	}
	return vars, true
}

func notFound(description string) *grants.Error {
	return &grants.Error{Code: "not_found", Description: description, Status: http.StatusNotFound}
}

func conflict(description string) *grants.Error {
	return &grants.Error{Code: "conflict", Description: description, Status: http.StatusConflict}
}
