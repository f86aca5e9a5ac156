package main

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"time"
)

// authorize is the authorization endpoint. The user is always the same and approves.
func (f *floor) authorize(w http.ResponseWriter, r *http.Request) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	f.mu.RLock()
	c := f.clients[q.Get("client_id")]
	f.mu.RUnlock()
	if err != nil || c == nil || q.Get("redirect_uri") != c.redirect {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}

	// The redirect URI is the client's own, so that an error may be redirected to it.
	scope := q.Get("scope")
	state := url.QueryEscape(q.Get("state"))
	withPKCE := q.Get("code_challenge_method") == "S256" && len(q.Get("code_challenge")) == 43
	if q.Get("response_type") != "code" || !withPKCE || !c.allows(scope) {
		http.Redirect(w, r, c.redirect+"?error=invalid_request&state="+state, http.StatusFound)
		return
	}

	code := random()
	sum := sha256.Sum256([]byte(code))
	f.mu.Lock()
	f.codes[sum] = &floorCode{
		client:    c,
		subject:   user,
		scope:     scope,
		challenge: q.Get("code_challenge"),
		redirect:  c.redirect,
		expires:   time.Now().Add(time.Minute).Unix(),
	}
	f.mu.Unlock()

	// http.Redirect would write a body too.
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", c.redirect+"?code="+code+"&state="+state)
	w.WriteHeader(http.StatusFound)
}
