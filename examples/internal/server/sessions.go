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

const (
	sessionIdle  = 30 * time.Minute // a session that is not used ends after this time
	sessionLife  = 12 * time.Hour   // every session ends after this time
	sessionTouch = time.Minute      // a use is written down at most this often
	sessionWait  = 2 * time.Second  // the store has to answer within this time
)

// loginSession is a kind of record that belongs to this host and not to the library.
const loginSession storage.Kind = "login_session"

// sessions stands for the session store of a service. A cookie has a random ID, and
// the store has the rest, so that every instance finds it. The key in the store is the
// digest of the ID, so that a copy of the store opens no session.
//
// Before a login the cookie has an ID that is not in the store and is worth nothing.
type sessions struct {
	name    string // of the cookie
	secure  bool
	records storage.Records
}

// session is the data of a record.
type session struct {
	User grantwell.Session `json:"user"`
	End  time.Time         `json:"end"`
}

func newSessions(records storage.Records, https bool) *sessions {
	s := &sessions{
		name:    "session",
		secure:  https,
		records: records,
	}
	if https {
		// With this prefix the browser takes the cookie from this host only, over TLS.
		s.name = "__Host-session"
	}

	return s
}

// browser returns the value of the cookie, or "" if there is none.
func (s *sessions) browser(r *http.Request) string {
	c, err := r.Cookie(s.name)
	if err != nil || len(c.Value) != 26 {
		return ""
	}

	return c.Value
}

// set gives the browser a new ID.
func (s *sessions) set(w http.ResponseWriter) string {
	id := rand.Text() // 26 characters, 130 bits
	http.SetCookie(w, &http.Cookie{
		Name:     s.name,
		Value:    id,
		Path:     "/",
		Secure:   s.secure,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	})

	return id
}

// user returns the user who is signed in, if the session is still good. If the store
// does not answer, no user is signed in.
func (s *sessions) user(r *http.Request) (grantwell.Session, bool) {
	ctx, cancel := context.WithTimeout(r.Context(), sessionWait)
	defer cancel()

	none := grantwell.Session{}
	browser := s.browser(r)
	if browser == "" {
		return none, false
	}
	now := time.Now().UTC()
	rec, err := s.records.Get(ctx, loginSession, storage.Key(browser))
	if err != nil || rec.State != storage.Active || rec.Expired(now) {
		return none, false
	}
	var in session
	if json.Unmarshal(rec.Data, &in) != nil {
		return none, false
	}

	if until := idle(now, in.End); until.Sub(rec.ExpiresAt) >= sessionTouch {
		rec.ExpiresAt = until
		// It fails if the session ends at this moment, perhaps on another instance.
		if s.records.Advance(ctx, storage.Active, rec) != nil {
			return none, false
		}
	}

	return in.User, true
}

// idle returns when a session that is used now ends, unless it is used again.
func idle(now, end time.Time) time.Time {
	if until := now.Add(sessionIdle); until.Before(end) {
		return until
	}

	return end
}

// begin signs a user in under a new ID. The ID from before the login, which an
// attacker could have planted, is worth nothing after it. A session that the browser
// had ends.
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

	return s.records.Insert(ctx, storage.Record{
		Kind:      loginSession,
		Key:       storage.Key(s.set(w)),
		State:     storage.Active,
		IssuedAt:  now,
		ExpiresAt: idle(now, in.End),
		Data:      data,
	})
}

// end ends the session with this ID, if there is one.
func (s *sessions) end(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	rec, err := s.records.Get(ctx, loginSession, storage.Key(id))
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil
	case err != nil:
		return err
	case rec.State != storage.Active:
		return nil
	}

	rec.State = storage.Revoked
	err = s.records.Advance(ctx, storage.Active, rec)
	if errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrNotFound) {
		return nil // another request has ended it
	}

	return err
}

// formToken ties a form to the request that it was made for. The handle of the request
// is its key: another site does not know it, and Resume has checked that the request
// belongs to this browser. The session's ID is no key, because a login in another tab
// replaces it while this form waits.
func formToken(interaction string) string {
	mac := hmac.New(sha256.New, []byte(interaction))
	mac.Write([]byte("login form"))

	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// genuine reports whether a posted form is one that this server made.
func genuine(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site") // absent in old browsers
	if site != "" && site != "same-origin" {
		return false
	}
	want := formToken(r.PostForm.Get("interaction"))

	return hmac.Equal([]byte(r.PostForm.Get("csrf")), []byte(want))
}
