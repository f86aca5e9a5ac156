package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"sync"
	"time"

	"github.com/grantwell/grantwell"
)

// How long a session lives, used or not, and how many there may be.
const (
	sessionIdle = 30 * time.Minute
	sessionLife = 12 * time.Hour
	maxSessions = 100_000
)

// sessions stands for the session store of a service: a random id in a cookie, the rest in memory. Before a login
// the cookie holds an id that is not in the table: it means nothing but which browser this is.
type sessions struct {
	name   string // of the cookie
	secure bool
	mu     sync.Mutex
	table  map[[sha256.Size]byte]*session // by digest, so that a dump of the memory opens no session
}

type session struct {
	user      grantwell.SignedIn
	used, end time.Time
}

func newSessions(https bool) *sessions {
	s := &sessions{name: "session", secure: https, table: make(map[[sha256.Size]byte]*session)}
	if https {
		s.name = "__Host-session" // the browser then takes it from this host alone, over TLS
	}
	return s
}

// browser returns the cookie's value, or "" for none.
func (s *sessions) browser(r *http.Request) string {
	c, err := r.Cookie(s.name)
	if err != nil || len(c.Value) != 26 {
		return ""
	}
	return c.Value
}

// set gives the browser a new id.
func (s *sessions) set(w http.ResponseWriter) string {
	id := rand.Text() // 26 characters, 130 bits
	http.SetCookie(w, &http.Cookie{Name: s.name, Value: id, Path: "/", Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return id
}

// user returns who is signed in, if the session is still good.
func (s *sessions) user(r *http.Request) (grantwell.SignedIn, bool) {
	key, now := sha256.Sum256([]byte(s.browser(r))), time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	in, ok := s.table[key]
	if !ok || in.over(now) {
		return grantwell.SignedIn{}, false
	}
	in.used = now
	return in.user, true
}

func (in *session) over(now time.Time) bool {
	return !now.Before(in.end) || now.Sub(in.used) >= sessionIdle
}

// begin signs a user in under a new id: one that was known before the login, and could have been planted, is worth
// nothing after it. A session that the browser had ends.
func (s *sessions) begin(w http.ResponseWriter, r *http.Request, user grantwell.SignedIn) {
	before, now := sha256.Sum256([]byte(s.browser(r))), time.Now()
	key := sha256.Sum256([]byte(s.set(w)))
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.table, before)
	for other := range s.table {
		if len(s.table) < maxSessions {
			break
		}
		delete(s.table, other) // full, by successful logins alone: somebody has to log in again
	}
	s.table[key] = &session{user: user, used: now, end: now.Add(sessionLife)}
}

// sweep forgets the sessions that are over.
func (s *sessions) sweep(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, in := range s.table {
		if in.over(now) {
			delete(s.table, key)
		}
	}
}

// formToken ties a form to the browser and the request that it was made for, so that no other site can post it.
func formToken(browser, interaction string) string {
	mac := hmac.New(sha256.New, []byte(browser))
	mac.Write([]byte("login form " + interaction))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// genuine tells whether a posted form is one that this server made for this browser.
func (s *sessions) genuine(r *http.Request) bool {
	browser, site := s.browser(r), r.Header.Get("Sec-Fetch-Site")
	return browser != "" && (site == "" || site == "same-origin") &&
		hmac.Equal([]byte(r.PostForm.Get("csrf")), []byte(formToken(browser, r.PostForm.Get("interaction"))))
}
