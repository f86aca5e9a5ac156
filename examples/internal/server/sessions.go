package server

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/storage"
)

// How long a session lives, used or not, how often its use is written down, and what the store has to answer within.
const (
	sessionIdle  = 30 * time.Minute
	sessionLife  = 12 * time.Hour
	sessionTouch = time.Minute
	sessionWait  = 2 * time.Second
)

// loginSession is a kind of record of this host's own.
const loginSession storage.Kind = "login_session"

// sessions stands for the session store of a service: a random id in a cookie, the rest where every instance finds it.
// Here that is the server's own store, by the id's digest, so that a dump opens no session. Before a login the cookie
// holds an id that is not in the store: it means nothing but which browser this is.
type sessions struct {
	name    string // of the cookie
	secure  bool
	records storage.Records
}

// session is what a record holds.
type session struct {
	User grantwell.Session `json:"user"`
	End  time.Time         `json:"end"`
}

func newSessions(records storage.Records, https bool) *sessions {
	s := &sessions{name: "session", secure: https, records: records}
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

// user returns who is signed in, if the session is still good. If the store does not answer, nobody is.
func (s *sessions) user(r *http.Request) (grantwell.Session, bool) {
	ctx, cancel := context.WithTimeout(r.Context(), sessionWait)
	defer cancel()
	browser, now := s.browser(r), time.Now().UTC()
	if browser == "" {
		return grantwell.Session{}, false
	}
	rec, err := s.records.Get(ctx, loginSession, storage.Key(browser))
	var in session
	if err != nil || rec.State != storage.Active || rec.Expired(now) || json.Unmarshal(rec.Data, &in) != nil {
		return grantwell.Session{}, false
	}
	if until := idle(now, in.End); until.Sub(rec.ExpiresAt) >= sessionTouch {
		rec.ExpiresAt = until
		if s.records.Advance(ctx, storage.Active, rec) != nil { // it ended at this moment, on another instance perhaps
			return grantwell.Session{}, false
		}
	}
	return in.User, true
}

// idle is when a session that is used at now ends unless it is used again.
func idle(now, end time.Time) time.Time {
	if until := now.Add(sessionIdle); until.Before(end) {
		return until
	}
	return end
}

// begin signs a user in under a new id: one that was known before the login, and could have been planted, is worth
// nothing after it. A session that the browser had ends.
func (s *sessions) begin(w http.ResponseWriter, r *http.Request, user grantwell.Session) error {
	ctx, cancel := context.WithTimeout(r.Context(), sessionWait)
	defer cancel()
	if err := s.end(ctx, s.browser(r)); err != nil {
		return err
	}
	now := time.Now().UTC()
	in := session{User: user, End: now.Add(sessionLife)}
	data, err := json.Marshal(in)
	if err != nil {
		return err
	}
	id := s.set(w)
	return s.records.Insert(ctx, storage.Record{Kind: loginSession, Key: storage.Key(id), State: storage.Active, IssuedAt: now,
		ExpiresAt: idle(now, in.End), Data: data})
}

// end ends the session of this id, if there is one.
func (s *sessions) end(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	rec, err := s.records.Get(ctx, loginSession, storage.Key(id))
	if errors.Is(err, storage.ErrNotFound) || err == nil && rec.State != storage.Active {
		return nil
	} else if err != nil {
		return err
	}
	rec.State = storage.Revoked
	if err := s.records.Advance(ctx, storage.Active, rec); err != nil && !errors.Is(err, storage.ErrConflict) && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	return nil
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
