package grantwell

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/grantwell/grantwell/internal/room/authorize"
)

// Session is a user who is signed in in a browser.
type Session struct {
	Subject  string         // stable and unique
	Name     string         // shown on the consent page; may be empty
	AuthTime time.Time      // when the user authenticated; needed for prompt=login and max_age, which ask for a later one
	Claims   map[string]any // stored with the code and the tokens
}

// Pages connect the ready-made authorization endpoint and consent page with the host's
// sessions and login page.
type Pages struct {
	// User returns the user who is signed in in this browser. [RequestOf] returns what
	// the client asked for, for a host that has several users or levels of
	// authentication in one browser. Required.
	User func(r *http.Request) (Session, bool)
	// Consent renders a page of the host in place of the built-in one, if it is not
	// nil. The page must post the fields of ConsentPage.Hidden, one scope for each
	// that is allowed, and decision=allow or deny.
	Consent func(w http.ResponseWriter, r *http.Request, p ConsentPage)
}

// ConsentPage is what a consent page shows and posts. Texts come from the client's
// registration: escape them.
type ConsentPage struct {
	Request *AuthorizeRequest
	User    Session
	Asked   []Scope           // to be decided
	Granted []Scope           // granted before
	Action  string            // URL to post to
	Hidden  map[string]string // fields that the form must carry
}

// AuthorizeHandler returns a ready-made authorization endpoint. Mount it at
// Paths.Authorize, the host's login page at Paths.Login, and [Server.ConsentHandler]
// at Paths.Consent. Without a session the browser is sent to Paths.Login with the
// parameter interaction; when the user has signed in, the login page redirects to
// [Server.ResumeURL] with that value.
func (s *Server) AuthorizeHandler(p Pages) http.Handler {
	room := authorize.Pages{User: p.user}

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if req := s.authorize.Parse(w, r); req != nil {
			s.authorize.Proceed(w, r, room, req)
		}
	})
}

// ResumeURL returns where a login page sends the browser when the user has signed in.
func (s *Server) ResumeURL(interaction string) string {
	return s.base + s.cfg.Paths.Consent + "?interaction=" + url.QueryEscape(interaction)
}

// ConsentHandler returns the consent page. It names the application, shows the
// description of each scope, lets the user untick scopes, remembers what was allowed
// and asks only for what is new.
func (s *Server) ConsentHandler(p Pages) http.Handler {
	room := authorize.Pages{User: p.user, Ask: p.ask}

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req := s.authorize.Resume(w, r)
		switch {
		case req == nil:
		case r.Method == http.MethodPost:
			s.authorize.Decide(w, r, room, req)
		default:
			s.authorize.Proceed(w, r, room, req)
		}
	})
}

// requestKey finds an authorization request in a context.
type requestKey struct{}

// RequestOf returns the authorization request that Pages.User is asked about, or nil.
func RequestOf(ctx context.Context) *AuthorizeRequest {
	req, _ := ctx.Value(requestKey{}).(*AuthorizeRequest)

	return req
}

func (p Pages) user(r *http.Request, to *authorize.Request) (authorize.Session, bool) {
	user, ok := p.User(r.WithContext(context.WithValue(r.Context(), requestKey{}, faceOf(to))))

	return authorize.Session(user), ok
}

// ask writes the consent page.
func (p Pages) ask(w http.ResponseWriter, r *http.Request, q *authorize.Question) error {
	if p.Consent == nil {
		return authorize.WriteConsentPage(w, r, q)
	}
	p.Consent(w, r, ConsentPage{
		Request: faceOf(q.Request),
		User:    Session(q.User),
		Asked:   q.Asked,
		Granted: q.Granted,
		Action:  q.Action,
		Hidden:  q.Hidden,
	})

	return nil
}
