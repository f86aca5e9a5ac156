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

const unavailable = "Error: signing in is not possible at the moment. Please try again later."

// loginPage has the values that the template shows.
type loginPage struct {
	Nonce       string
	Application string
	Action      string
	Interaction string
	Token       string
	Username    string
	Problem     string
}

// signedIn returns the user of this browser to the authorization endpoint.
func (a *app) signedIn(r *http.Request) (grantwell.Session, bool) { return a.sessions.user(r) }

// login is the login page of the host. The browser comes with the name of an
// authorization request that waits for a login, and goes back to that request when the
// user has signed in.
func (a *app) login(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	}
	// Resume writes an error page if the request is over or belongs to another browser.
	req, ok := a.srv.Resume(w, r)
	if !ok {
		return
	}
	if r.Method != http.MethodPost {
		a.showLogin(w, r, req, http.StatusOK, "")
		return
	}
	if !a.sessions.genuine(r) {
		a.showLogin(w, r, req, http.StatusForbidden,
			"Error: this form was out of date. Please try again.")
		return
	}

	user, err := a.authenticate(r, req)
	if err != nil {
		a.refuseLogin(w, r, req, err)
		return
	}
	session := grantwell.Session{
		Subject:  user.Subject,
		Name:     r.PostForm.Get("username"),
		AuthTime: time.Now(),
		Claims:   user.Claims,
	}
	if err := a.sessions.begin(w, r, session); err != nil {
		a.showLogin(w, r, req, http.StatusServiceUnavailable, unavailable)
		return
	}
	http.Redirect(w, r, a.srv.ResumeURL(r.PostForm.Get("interaction")), http.StatusSeeOther)
}

// authenticate checks the password of the form. [grants.Guess] counts a wrong one
// together with those that were sent to the password grant.
func (a *app) authenticate(r *http.Request, req *grantwell.AuthorizeRequest) (grants.User, error) {
	login := grants.Login{
		Username: r.PostForm.Get("username"),
		Password: r.PostForm.Get("password"),
		Client:   req.Client,
		Scope:    req.Scope,
		Remote:   a.srv.RemoteAddr(r),
	}
	check := func() (grants.User, error) { return a.users.Authenticate(r.Context(), login) }

	return grants.Guess(r.Context(), a.srv.Limiter(), login.Username, login.Remote, check)
}

// refuseLogin shows the form again with the reason. The text is the same for a wrong
// password and for a user who does not exist.
func (a *app) refuseLogin(w http.ResponseWriter, r *http.Request, req *grantwell.AuthorizeRequest, err error) {
	var refusal *grantwell.Error
	switch {
	case !errors.As(err, &refusal):
		a.showLogin(w, r, req, http.StatusServiceUnavailable, unavailable)
	case refusal.RetryAfter > 0:
		seconds := int(refusal.RetryAfter/time.Second) + 1
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
		a.showLogin(w, r, req, http.StatusTooManyRequests,
			"Error: there were too many attempts. Please wait a minute.")
	case refusal.Code == "invalid_grant":
		a.showLogin(w, r, req, http.StatusBadRequest,
			"Error: the username or the password is wrong.")
	default:
		a.showLogin(w, r, req, http.StatusServiceUnavailable, unavailable)
	}
}

// showLogin writes the form. Resume has set the headers of a page (no framing, no
// caching, no Referer). The content security policy is written anew, so that it allows
// the style sheet and the redirect that may follow the post.
func (a *app) showLogin(
	w http.ResponseWriter,
	r *http.Request,
	req *grantwell.AuthorizeRequest,
	status int,
	problem string,
) {
	browser := a.sessions.browser(r)
	if browser == "" {
		browser = a.sessions.set(w)
	}
	p := loginPage{
		Nonce:       rand.Text(),
		Application: req.Client.Name,
		Action:      r.URL.Path,
		Interaction: r.Form.Get("interaction"),
		Username:    req.LoginHint,
		Problem:     problem,
	}
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
	policy := []string{
		"default-src 'none'",
		"style-src 'nonce-" + p.Nonce + "'",
		"form-action 'self' " + source(req.RedirectURI),
		"frame-ancestors 'none'",
		"base-uri 'none'",
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", strings.Join(policy, "; "))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // it fails if the browser is gone
}

// source returns the place that a redirect URI leads to, as a source of a
// Content-Security-Policy. A policy cannot name an IPv6 address, so the scheme stands
// for it.
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
