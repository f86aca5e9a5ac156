package authorize

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/pages"
	"github.com/grantwell/grantwell/internal/frame/browser"
	"github.com/grantwell/grantwell/internal/room/consent"
	"github.com/grantwell/grantwell/internal/seam"
)

// Session is a user who is signed in in a browser. The face has the same type and
// documents its fields.
type Session struct {
	Subject  string
	Name     string
	AuthTime time.Time
	Claims   map[string]any
}

// Pages are the host's sessions and the consent page.
type Pages struct {
	// User returns the user who is signed in in this browser.
	User func(r *http.Request, to *Request) (Session, bool)
	// Ask writes the consent page; nil: the browser is sent to it.
	Ask func(w http.ResponseWriter, r *http.Request, q *Question) error
}

// Question is what the consent page asks.
type Question struct {
	Request *Request
	User    Session
	Asked   []grants.Scope    // to be decided
	Granted []grants.Scope    // granted before
	Switch  string            // URL of the login page, for another user
	Action  string            // URL to post to
	Hidden  map[string]string // fields that the form must carry
}

// Proceed takes a request as far as it goes: to the login page, to the consent page,
// or to its answer.
func (r *Room) Proceed(w http.ResponseWriter, req *http.Request, p Pages, to *Request) {
	e := to.event
	e.Time = browser.Now()
	r.Frame.Page(w, req, &e, func(ctx context.Context) error {
		user, ok := p.User(req, to)
		silent := slices.Contains(to.Prompt, "none")
		if !ok || mustLogIn(to, &user) {
			if silent {
				return r.refuse(ctx, w, &e, to, loginRequired())
			}
			return r.logIn(w, req, to, user)
		}

		asked, granted, err := r.toAsk(ctx, to, user.Subject)
		if err != nil {
			return err
		}
		switch {
		case asked == nil || skipsConsent(to):
			return r.allow(ctx, w, &e, to, Approval{
				Subject:  user.Subject,
				Claims:   user.Claims,
				AuthTime: user.AuthTime,
			})
		case silent:
			return r.refuse(ctx, w, &e, to, consentRequired())
		case p.Ask == nil:
			return r.send(w, req, to, r.Consent, "")
		}

		pages.BeforeForm(w.Header())
		return p.Ask(w, req, r.question(req, to, user, asked, granted))
	})
}

func loginRequired() *grants.Error {
	return &grants.Error{
		Code:        "login_required",
		Description: "The user is not signed in.",
		Reason:      grants.ReasonLoginRequired,
	}
}

func consentRequired() *grants.Error {
	return &grants.Error{
		Code:        "consent_required",
		Description: "The user has not allowed this yet.",
		Reason:      grants.ReasonConsentRequired,
	}
}

// skipsConsent reports whether users are not asked about the client. A store may hold
// clients that were never validated, so the rule for public clients, which any
// program can imitate, is held here as well.
func skipsConsent(to *Request) bool {
	c := to.Client

	return c.SkipConsent && (!c.Public() || c.ForceSkipConsent) && !slices.Contains(to.Prompt, "consent")
}

// clockLeeway is how far the clocks of two instances may differ.
const clockLeeway = time.Second

// mustLogIn reports whether the request asks for an authentication that is newer than
// that of the session, or for a choice of the user: prompt and max_age (OpenID Connect
// Core section 3.1.2.1).
func mustLogIn(to *Request, user *Session) bool {
	age := to.StartedAt.Sub(user.AuthTime)
	old := to.HasMaxAge && (age > to.MaxAge || to.MaxAge == 0)
	if !to.resumed {
		// The user signed in before this request came.
		return old || slices.Contains(to.Prompt, "login") || slices.Contains(to.Prompt, "select_account")
	}

	return (old || slices.Contains(to.Prompt, "login")) && !loggedInSince(to, user)
}

// loggedInSince reports whether the user authenticated after the request came. The
// host may keep the time in whole seconds, and another instance's clock may be behind:
// so the second in which the request came, and one before it, count too. They do not
// count for the session of before, which had the same time when the user was sent to
// the login page, unless both may lie in one whole second.
func loggedInSince(to *Request, user *Session) bool {
	began := to.StartedAt.Truncate(time.Second)
	if user.AuthTime.Nanosecond() != 0 {
		began = to.StartedAt
	}
	if !user.AuthTime.Before(began) {
		return true
	}

	return !user.AuthTime.Before(began.Add(-clockLeeway)) && user.AuthTime.UnixNano() != to.wait.LoggedIn
}

// logIn sends the browser to the login page, and keeps when the user of the session had
// signed in.
func (r *Room) logIn(w http.ResponseWriter, req *http.Request, to *Request, user Session) error {
	if !user.AuthTime.IsZero() {
		to.loggedIn = user.AuthTime.UnixNano()
	}
	prompt := ""
	for _, p := range to.Prompt {
		if p == "login" || p == "select_account" {
			prompt = p
		}
	}

	return r.send(w, req, to, r.Login, prompt)
}

// send suspends the request and sends the browser to a page.
func (r *Room) send(w http.ResponseWriter, req *http.Request, to *Request, path, prompt string) error {
	handle, err := r.Suspend(w, req, to)
	if err != nil {
		var refused *grants.Error
		if !errors.As(err, &refused) {
			refused = grants.ErrorOf(grants.Unavailable(err))
		}
		return &seam.Redirected{Err: refused, To: to.Authorization}
	}
	w.Header().Set("Location", pageURL(path, handle, prompt))
	w.WriteHeader(http.StatusSeeOther)

	return nil
}

// pageURL returns the URL of a page for a request that waits. The login page learns by
// prompt that it is to ask although a user is signed in.
func pageURL(path, handle, prompt string) string {
	to := path + "?interaction=" + url.QueryEscape(handle)
	if prompt != "" {
		to += "&prompt=" + prompt
	}

	return to
}

// toAsk splits the scopes of a request into those to ask for and those that were
// granted before. The first list is nil if there is nothing to ask.
//
// A consent is not reused for a client that any program could imitate: a public one
// whose redirect does not lead to a web site of its own (RFC 8252 section 8.6).
func (r *Room) toAsk(ctx context.Context, to *Request, subject string) (asked, granted []string, err error) {
	rec, _, err := r.Live.Consents.Find(ctx, to.Client, subject)
	if err != nil {
		return nil, nil, &seam.Redirected{Err: grants.Unavailable(err), To: to.Authorization}
	}

	imitable := to.Client.Public() && !strings.HasPrefix(to.RedirectURI, "https://")
	if slices.Contains(to.Prompt, "consent") || imitable ||
		rec.State == 0 || !consent.Knows(&rec, to.Audience) {
		return append([]string{}, to.Scope...), nil, nil
	}
	for _, v := range to.Scope {
		if consent.Covers(&rec, v, to.Audience) {
			granted = append(granted, v)
		} else {
			asked = append(asked, v)
		}
	}

	return asked, granted, nil
}

// question returns what the consent page asks.
func (r *Room) question(req *http.Request, to *Request, user Session, asked, granted []string) *Question {
	return &Question{
		Request: to,
		User:    user,
		Asked:   r.described(asked),
		Granted: r.described(granted),
		Switch:  pageURL(r.Login, to.handle, "select_account"),
		Action:  r.Consent,
		Hidden: map[string]string{
			"interaction": to.handle,
			"csrf":        r.Frame.ForgeryToken(req, to.handle, user.Subject),
		},
	}
}

func (r *Room) described(names []string) []grants.Scope {
	var out []grants.Scope
	for _, name := range names {
		out = append(out, grants.Scope{Name: name, Description: r.Scopes.Description(name)})
	}

	return out
}

// Decide handles the posted decision of the consent page. What it posts can narrow
// the request and never widen it.
func (r *Room) Decide(w http.ResponseWriter, req *http.Request, p Pages, to *Request) {
	e := to.event
	e.Time = browser.Now()
	e.Endpoint = "consent"
	r.Frame.Page(w, req, &e, func(ctx context.Context) error {
		user, ok := p.User(req, to)
		if !ok || mustLogIn(to, &user) {
			return r.logIn(w, req, to, user)
		}
		e.Subject = user.Subject
		if err := r.Frame.CheckForgery(req, req.Form.Get("csrf"), to.handle, user.Subject); err != nil {
			return err
		}
		switch req.Form.Get("decision") {
		case "allow":
		case "ask":
			// The Enter key in the form presses its first button, which decides nothing.
			return r.send(w, req, to, r.Consent, "")
		case "deny":
			return r.refuse(ctx, w, &e, to, Denied())
		default:
			return grants.InvalidRequest("The decision is allow or deny.")
		}

		_, granted, err := r.toAsk(ctx, to, user.Subject)
		if err != nil {
			return err
		}
		allowed := []string{}
		for _, v := range to.Scope {
			if slices.Contains(granted, v) || slices.Contains(req.Form["scope"], v) {
				allowed = append(allowed, v)
			}
		}
		if len(allowed) == 0 && len(to.Scope) > 0 {
			return r.refuse(ctx, w, &e, to, Denied())
		}

		return r.allow(ctx, w, &e, to, Approval{
			Subject:  user.Subject,
			Scope:    allowed,
			Claims:   user.Claims,
			AuthTime: user.AuthTime,
			Remember: true,
		})
	})
}
