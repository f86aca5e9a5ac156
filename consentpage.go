package grantwell

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/pages"
)

// SignedIn is a user with a session in this browser.
type SignedIn struct {
	Subject  string
	Name     string         // shown on the consent page; may be empty
	AuthTime time.Time      // when the user authenticated; needed for prompt=login and max_age, which ask for a later one
	Claims   map[string]any // stored with the code and the tokens
}

// UI connects the ready-made authorization endpoint and consent page with the host's sessions and login page.
type UI struct {
	// User tells who is signed in in this browser. Required.
	User func(r *http.Request) (SignedIn, bool)
	// Consent renders a page of the host's own in place of the built-in one: nil. It must post the
	// fields of ConsentPage.Hidden, one scope for each that is allowed, and decision=allow or deny.
	Consent func(w http.ResponseWriter, r *http.Request, p ConsentPage)
}

// ConsentPage is what a consent page shows and posts. Texts come from the client's registration: escape them.
type ConsentPage struct {
	Request *AuthorizeRequest
	User    SignedIn
	Asked   []Scope           // to be decided
	Granted []Scope           // granted before
	Action  string            // URL to post to
	Hidden  map[string]string // fields that the form must carry
}

// AuthorizeHandler is a ready-made authorization endpoint: mount it at Paths.Authorize, the host's login page at Paths.Login, and
// [Server.ConsentHandler] at Paths.Consent. Without a session the browser is sent to Paths.Login with the parameter
// interaction; when the user has signed in, the login page redirects to [Server.ResumeURL] with that value.
func (s *Server) AuthorizeHandler(ui UI) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if req, ok := s.ParseAuthorize(w, r); ok {
			s.proceed(w, r, ui, req, false)
		}
	})
}

// ResumeURL is where a login page sends the browser when the user has signed in.
func (s *Server) ResumeURL(interaction string) string {
	return s.base + s.cfg.Paths.Consent + "?interaction=" + url.QueryEscape(interaction)
}

// ConsentHandler is the built-in consent page. It names the application, shows each scope's description, lets the user
// untick scopes, remembers what was allowed and asks only for what is new.
func (s *Server) ConsentHandler(ui UI) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, ok := s.Resume(w, r)
		if !ok {
			return
		}
		if r.Method != http.MethodPost {
			s.proceed(w, r, ui, req, true)
			return
		}
		s.decided(w, r, ui, req)
	})
}

// proceed takes a request as far as it goes: to the login page, to the consent page, or to its answer.
func (s *Server) proceed(w http.ResponseWriter, r *http.Request, ui UI, req *AuthorizeRequest, onPage bool) {
	e := req.event
	e.Time = nowUTC()
	s.page(w, r, &e, func(ctx context.Context) error {
		user, ok := ui.User(r)
		silent := slices.Contains(req.Prompt, "none")
		if !ok || s.mustLogIn(req, user) {
			if silent {
				return s.refuse(ctx, req, &grants.Error{Code: "login_required", Description: "The user is not signed in."})
			}
			return s.sendTo(w, r, req, s.cfg.Paths.Login)
		}
		asked, granted, err := s.toAsk(ctx, req, user.Subject)
		if err != nil {
			return err
		}
		if asked == nil || skips(req) {
			return s.allow(ctx, w, &e, req, Approval{Subject: user.Subject, Claims: user.Claims, AuthTime: user.AuthTime})
		}
		switch {
		case silent:
			return s.refuse(ctx, req, &grants.Error{Code: "consent_required", Description: "The user has not allowed this yet."})
		case !onPage:
			return s.sendTo(w, r, req, s.cfg.Paths.Consent)
		}
		return s.askConsent(w, r, ui, req, user, asked, granted)
	})
}

// skips tells whether the client is one that users need not be asked about. A store may hold clients that were never
// validated: the rule for public ones, which anybody can imitate, is held here as well.
func skips(req *AuthorizeRequest) bool {
	c := req.Client
	return c.SkipConsent && (!c.Public() || c.ForceSkipConsent) && !slices.Contains(req.Prompt, "consent")
}

// mustLogIn: prompt=login and max_age want an authentication that is newer than the request (OpenID Connect Core section 3.1.2.1).
func (s *Server) mustLogIn(req *AuthorizeRequest, user SignedIn) bool {
	if !user.AuthTime.Before(req.StartedAt) {
		return false
	}
	return slices.Contains(req.Prompt, "login") || req.HasMaxAge && req.StartedAt.Sub(user.AuthTime) > req.MaxAge
}

func (s *Server) sendTo(w http.ResponseWriter, r *http.Request, req *AuthorizeRequest, path string) error {
	handle, err := s.Suspend(w, r, req)
	if err != nil {
		return &redirected{grants.Unavailable(err), req.front}
	}
	w.Header().Set("Location", s.base+path+"?interaction="+url.QueryEscape(handle))
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// toAsk splits the request's scopes into those to ask for and those granted before. asked is nil when there is
// nothing to ask. A consent is not reused for a client that anybody could imitate: a public one whose redirect
// does not lead to a web site of its own (RFC 8252 section 8.6).
func (s *Server) toAsk(ctx context.Context, req *AuthorizeRequest, subject string) (asked, granted []string, err error) {
	rec, _, err := s.consentOf(ctx, &req.Client, subject)
	if err != nil {
		return nil, nil, &redirected{grants.Unavailable(err), req.front}
	}
	have := rec.Scope
	imitable := req.Client.Public() && !strings.HasPrefix(req.RedirectURI, "https://")
	if slices.Contains(req.Prompt, "consent") || imitable || have == nil {
		return notNil(req.Scope), nil, nil
	}
	for _, v := range req.Scope {
		if slices.Contains(have, v) {
			granted = append(granted, v)
		} else {
			asked = append(asked, v)
		}
	}
	return asked, granted, nil
}

func notNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func (s *Server) askConsent(w http.ResponseWriter, r *http.Request, ui UI, req *AuthorizeRequest, user SignedIn, asked, granted []string) error {
	handle := req.handle
	p := ConsentPage{Request: req, User: user, Action: s.base + s.cfg.Paths.Consent,
		Hidden: map[string]string{"interaction": handle, "csrf": s.forgeryToken(r, handle, user.Subject)}}
	view := pages.Consent{Application: req.Client.Name, Description: req.Client.Description, LogoURI: req.Client.LogoURI, PolicyURI: req.Client.PolicyURI,
		TOSURI: req.Client.TOSURI, User: user.Name, Action: p.Action, Hidden: p.Hidden, RedirectURI: req.RedirectURI}
	if view.Application == "" {
		view.Application = req.Client.ID
	}
	for _, v := range granted {
		p.Granted = append(p.Granted, Scope{Name: v, Description: s.cfg.Scopes.Description(v)})
		view.Scopes = append(view.Scopes, pages.Scope{Name: v, Description: s.cfg.Scopes.Description(v), Granted: true})
	}
	for _, v := range asked {
		p.Asked = append(p.Asked, Scope{Name: v, Description: s.cfg.Scopes.Description(v)})
		view.Scopes = append(view.Scopes, pages.Scope{Name: v, Description: s.cfg.Scopes.Description(v)})
	}
	if ui.Consent != nil {
		ui.Consent(w, r, p)
		return nil
	}
	return pages.WriteConsent(w, view)
}

// decided handles the posted decision. What it posts can narrow the request and never widen it.
func (s *Server) decided(w http.ResponseWriter, r *http.Request, ui UI, req *AuthorizeRequest) {
	e := req.event
	e.Time, e.Endpoint = nowUTC(), "consent"
	s.page(w, r, &e, func(ctx context.Context) error {
		user, ok := ui.User(r)
		if !ok || s.mustLogIn(req, user) {
			return s.sendTo(w, r, req, s.cfg.Paths.Login)
		}
		e.Subject = user.Subject
		if err := s.genuine(r, req.handle, user.Subject); err != nil {
			return err
		}
		switch r.Form.Get("decision") {
		case "deny":
			return s.refuse(ctx, req, denied())
		case "allow":
		default:
			return grants.InvalidRequest("The decision is allow or deny.")
		}
		_, granted, err := s.toAsk(ctx, req, user.Subject)
		if err != nil {
			return err
		}
		allowed := []string{}
		for _, v := range req.Scope {
			if slices.Contains(granted, v) || slices.Contains(r.Form["scope"], v) {
				allowed = append(allowed, v)
			}
		}
		if len(allowed) == 0 && len(req.Scope) > 0 {
			return s.refuse(ctx, req, denied())
		}
		return s.allow(ctx, w, &e, req, Approval{Subject: user.Subject, Scope: allowed, Claims: user.Claims, AuthTime: user.AuthTime, Remember: true})
	})
}
