package grantwell_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/grantwell/grantwell"
)

// authorizationURL is where an application sends a browser.
const authorizationURL = "https://as.example/authorize?response_type=code&client_id=app&state=xyz&scope=photos.read" +
	"&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&code_challenge_method=S256" +
	"&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

// signedIn stands for the host's own session.
func signedIn(r *http.Request) (user string, ok bool) {
	c, err := r.Cookie("session")
	if err != nil {
		return "", false
	}

	return c.Value, true
}

// The host's authorization endpoint: the server judges the request, the host knows the
// user, and the server answers. The code in the redirect then buys a token.
func ExampleServer_ParseAuthorize() {
	srv := exampleServer(nil)
	authorize := func(w http.ResponseWriter, r *http.Request) {
		req, ok := srv.ParseAuthorize(w, r)
		if !ok {
			return // a bad request is already answered
		}
		user, ok := signedIn(r)
		if !ok {
			srv.DenyError(w, r, req, grantwell.LoginRequired("The user is not signed in."))
			return
		}
		fmt.Println(req.Client.Name, "asks for", req.Scope)
		srv.Approve(w, r, req, grantwell.Approval{Subject: user})
	}

	r := httptest.NewRequest(http.MethodGet, authorizationURL, nil)
	r.AddCookie(&http.Cookie{Name: "session", Value: "alice"})
	w := httptest.NewRecorder()
	authorize(w, r)
	back, _ := url.Parse(w.Header().Get("Location"))
	fmt.Println(back.Host, back.Query().Get("state"), back.Query().Get("iss"))

	res := answer(srv.TokenHandler(), tokenRequest("app", url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {back.Query().Get("code")},
		"redirect_uri":  {"https://app.example/cb"},
		"code_verifier": {"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
	}.Encode()))
	fmt.Println(res["token_type"], res["scope"], res["refresh_token"] != nil)
	// Output:
	// Photo Printer asks for [photos.read]
	// app.example xyz https://as.example
	// Bearer photos.read true
}

// The user may allow a part of what is asked for, and the host may keep the consent so
// that the user is asked once.
func ExampleServer_Approve() {
	srv := exampleServer(nil)
	authorize := func(w http.ResponseWriter, r *http.Request) {
		if req, ok := srv.ParseAuthorize(w, r); ok {
			srv.Approve(w, r, req, grantwell.Approval{
				Subject:  "alice",
				Scope:    []string{"photos.read"},
				Claims:   map[string]any{"dept": "sales"},
				AuthTime: time.Now(),
				Remember: true,
			})
		}
	}

	r := httptest.NewRequest(http.MethodGet, strings.Replace(authorizationURL, "photos.read", "photos.read+photos.write", 1), nil)
	authorize(httptest.NewRecorder(), r)
	scopes, err := srv.ConsentedScopes(r.Context(), "app", "alice")
	fmt.Println(scopes, err)
	// Output: [photos.read] <nil>
}

// A user who says no sends the browser back with access_denied.
func ExampleServer_Deny() {
	srv := exampleServer(nil)
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, authorizationURL, nil)
	if req, ok := srv.ParseAuthorize(w, r); ok {
		srv.Deny(w, r, req)
	}
	back, _ := url.Parse(w.Header().Get("Location"))
	fmt.Println(w.Code, back.Query().Get("error"), back.Query().Get("state"))
	// Output: 303 access_denied xyz
}

// A request waits while the user signs in on the host's login page. The handle in the
// URL works in this browser alone.
func ExampleServer_Suspend() {
	srv := exampleServer(nil)
	authorize := func(w http.ResponseWriter, r *http.Request) {
		req, ok := srv.ParseAuthorize(w, r)
		if !ok {
			return
		}
		handle, err := srv.Suspend(w, r, req)
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		http.Redirect(w, r, "/login?interaction="+url.QueryEscape(handle), http.StatusSeeOther)
	}
	login := func(w http.ResponseWriter, r *http.Request) { // the password was right
		if req, ok := srv.Resume(w, r); ok {
			srv.Approve(w, r, req, grantwell.Approval{Subject: "alice"})
		}
	}

	w := httptest.NewRecorder()
	authorize(w, httptest.NewRequest(http.MethodGet, authorizationURL, nil))
	page := httptest.NewRequest(http.MethodGet, "https://as.example"+w.Header().Get("Location"), nil)
	stolen := page.Clone(page.Context()) // in another browser, without the cookie
	for _, cookie := range w.Result().Cookies() {
		page.AddCookie(cookie)
	}

	w = httptest.NewRecorder()
	login(w, stolen)
	fmt.Println(w.Code)
	w = httptest.NewRecorder()
	login(w, page)
	fmt.Println(strings.HasPrefix(w.Header().Get("Location"), "https://app.example/cb?code="))
	// Output:
	// 403
	// true
}

// The ready-made pages need the host's session and a login page. They ask for consent,
// remember it, and answer.
func ExampleServer_AuthorizeHandler() {
	srv := exampleServer(func(cfg *grantwell.Config) {
		cfg.Scopes.Known = []grantwell.Scope{{Name: "photos.read", Description: "See your photos"}}
	})
	pages := grantwell.Pages{User: func(r *http.Request) (grantwell.Session, bool) {
		user, ok := signedIn(r)
		return grantwell.Session{Subject: user, Name: user, AuthTime: time.Now()}, ok
	}}
	mux := http.NewServeMux()
	srv.Mount(mux)
	mux.Handle("/authorize", srv.AuthorizeHandler(pages))
	mux.Handle("/consent", srv.ConsentHandler(pages))

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, authorizationURL, nil))
	login, _ := url.Parse(w.Header().Get("Location"))
	fmt.Println(login.Path)

	// The login page sends the browser on when the user has signed in.
	r := httptest.NewRequest(http.MethodGet, "https://as.example"+srv.ResumeURL(login.Query().Get("interaction")), nil)
	r.AddCookie(&http.Cookie{Name: "session", Value: "alice"})
	for _, cookie := range w.Result().Cookies() {
		r.AddCookie(cookie)
	}
	w = httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Println(strings.Contains(w.Body.String(), "See your photos"))
	// Output:
	// /login
	// true
}
