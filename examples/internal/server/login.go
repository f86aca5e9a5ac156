package server

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
)

//go:embed login.html
var loginHTML string

var loginTemplate = template.Must(template.New("login").Parse(loginHTML))

const unavailable = "Error: nobody can sign in at the moment. Please try again later."

// loginPage is what the template shows.
type loginPage struct {
	Nonce, Application, Action, Interaction, Token, Username, Problem string
}

// signedIn tells the authorization endpoint who sits at this browser.
func (a *app) signedIn(r *http.Request) (grantwell.Session, bool) { return a.sessions.user(r) }

// login is the host's login page. It is reached with the handle of an authorization request that waits for it, and
// goes back to that request when somebody has signed in.
func (a *app) login(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	}
	req, ok := a.srv.Resume(w, r) // a request that is over, or of another browser, gets an error page here
	if !ok {
		return
	}
	if r.Method != http.MethodPost {
		a.showLogin(w, r, req, http.StatusOK, "")
		return
	}
	if !a.sessions.genuine(r) {
		a.showLogin(w, r, req, http.StatusForbidden, "Error: this form was out of date. Please try again.")
		return
	}
	name, password := r.PostForm.Get("username"), r.PostForm.Get("password")
	// Guess keeps the count of wrong passwords together with that of the password grant.
	user, err := grants.Guess(r.Context(), a.srv.Limiter(), name, a.srv.RemoteAddr(r), func() (grants.User, error) {
		return a.users.Authenticate(r.Context(), grants.Login{Username: name, Password: password, Client: req.Client, Scope: req.Scope, Remote: a.srv.RemoteAddr(r)})
	})
	var refusal *grants.Error
	switch {
	case errors.As(err, &refusal) && refusal.Code == "invalid_grant" && refusal.RetryAfter == 0:
		a.showLogin(w, r, req, http.StatusBadRequest, "Error: the username or the password is wrong.")
	case errors.As(err, &refusal) && refusal.RetryAfter > 0:
		w.Header().Set("Retry-After", strconv.Itoa(int(refusal.RetryAfter/time.Second)+1))
		a.showLogin(w, r, req, http.StatusTooManyRequests, "Error: there were too many attempts. Please wait a minute.")
	case err != nil:
		a.showLogin(w, r, req, http.StatusServiceUnavailable, unavailable)
	default:
		if err := a.sessions.begin(w, r, grantwell.Session{Subject: user.Subject, Name: name, AuthTime: time.Now(), Claims: user.Claims}); err != nil {
			a.showLogin(w, r, req, http.StatusServiceUnavailable, unavailable)
			return
		}
		http.Redirect(w, r, a.srv.ResumeURL(r.PostForm.Get("interaction")), http.StatusSeeOther)
	}
}

// showLogin writes the form. The headers of a page (no framing, no caching, no Referer) were set by Resume; the policy is
// written anew so that the style sheet and the redirect that may follow the post are allowed.
func (a *app) showLogin(w http.ResponseWriter, r *http.Request, req *grantwell.AuthorizeRequest, status int, problem string) {
	browser := a.sessions.browser(r)
	if browser == "" {
		browser = a.sessions.set(w)
	}
	p := loginPage{Nonce: rand.Text(), Application: req.Client.Name, Action: r.URL.Path, Interaction: r.Form.Get("interaction"), Problem: problem,
		Username: req.LoginHint}
	if p.Application == "" {
		p.Application = req.Client.ID
	}
	if name := r.PostForm.Get("username"); name != "" {
		p.Username = name
	}
	p.Token = formToken(browser, p.Interaction)
	var b bytes.Buffer
	if err := loginTemplate.Execute(&b, p); err != nil {
		http.Error(w, "error: the page could not be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+p.Nonce+"'; form-action 'self' "+source(req.RedirectURI)+
		"; frame-ancestors 'none'; base-uri 'none'")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the browser is gone: nobody is left to tell
}

// source is where a redirect leads, as a source of a Content-Security-Policy, which knows no IPv6 addresses.
func source(redirect string) string {
	u, err := url.Parse(redirect)
	switch {
	case err != nil:
		return ""
	case u.Hostname() == "" || strings.Contains(u.Hostname(), ":"):
		return u.Scheme + ":"
	default:
		return u.Scheme + "://" + u.Host
	}
}
