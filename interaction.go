package grantwell

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/form"
	"github.com/grantwell/grantwell/storage"
)

// waiting is what an interaction's record holds: the request, and the browser that it belongs to.
type waiting struct {
	Form    url.Values `json:"form"`
	Browser string     `json:"browser"` // storage.Key of the cookie
}

// Suspend puts a valid request aside while the user logs in or decides, and returns the handle to [Server.Resume] it by.
// The handle works in this browser only, which gets a cookie, and until Config.InteractionLifetime has passed.
// Put it into the URL of your login page as the parameter interaction.
func (s *Server) Suspend(w http.ResponseWriter, r *http.Request, req *AuthorizeRequest) (handle string, err error) {
	if req.waiting != nil {
		return req.handle, nil
	}
	browser := s.browser(r)
	if browser == "" {
		var b [32]byte
		_, _ = rand.Read(b[:]) // never fails (crypto/rand)
		browser = base64.RawURLEncoding.EncodeToString(b[:])
		c := s.cfg.Cookie
		http.SetCookie(w, &http.Cookie{Name: c.Name, Value: browser, Domain: c.Domain, Path: c.Path, MaxAge: int(c.MaxAge / time.Second),
			Secure: s.https, HttpOnly: true, SameSite: http.SameSiteLaxMode})
		r.AddCookie(&http.Cookie{Name: c.Name, Value: browser})
	}
	data, err := json.Marshal(waiting{Form: req.front.Form, Browser: storage.Key(browser)})
	if err != nil {
		return "", err
	}
	handle = newID() + newID()
	rec := storage.Record{Kind: storage.Interaction, Key: storage.Key(handle), State: storage.Active, ClientID: req.Client.ID,
		IssuedAt: req.StartedAt, ExpiresAt: req.StartedAt.Add(s.cfg.InteractionLifetime), Data: data}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Timeout)
	defer cancel()
	if err := s.cfg.Records.Insert(ctx, rec); err != nil {
		return "", err
	}
	req.waiting, req.handle = &rec, handle
	return handle, nil
}

// Resume finds a suspended request by the parameter interaction, in the query or in the posted form, and validates it
// anew. When it returns false an error page has been written.
func (s *Server) Resume(w http.ResponseWriter, r *http.Request) (*AuthorizeRequest, bool) {
	e := s.newEvent("authorize")
	var req *AuthorizeRequest
	ok := s.page(w, r, &e, func(ctx context.Context) (err error) {
		if err = s.readForm(w, r); err != nil {
			return err
		}
		req, err = s.resume(ctx, w, r, &e, r.Form.Get("interaction"))
		return err
	})
	return req, ok && req != nil
}

// readForm parses a posted form, or the query of a GET, once; later readers find it in r.Form.
func (s *Server) readForm(w http.ResponseWriter, r *http.Request) (err error) {
	if r.Form != nil {
		return nil
	}
	text := r.URL.RawQuery
	if r.Method == http.MethodPost {
		if text, err = s.pageBody(w, r); err != nil {
			return err
		}
	}
	if len(text) > int(s.cfg.MaxBody) {
		return tooLarge()
	}
	if r.Form, err = form.Parse(text, "scope"); err != nil {
		return grants.InvalidRequest("The parameters are malformed, too many, or one is repeated.").Because("%w", err)
	}
	r.PostForm = r.Form
	return nil
}

func (s *Server) resume(ctx context.Context, w http.ResponseWriter, r *http.Request, e *Event, handle string) (*AuthorizeRequest, error) {
	over := "This sign-in is over or belongs to another browser. Go back to the application and begin again."
	if handle == "" || len(handle) > 64 {
		return nil, grants.InvalidRequest(over)
	}
	rec, err := s.cfg.Records.Get(ctx, storage.Interaction, storage.Key(handle))
	if errors.Is(err, storage.ErrNotFound) || err == nil && (rec.State != storage.Active || rec.Expired(e.Time)) {
		return nil, grants.InvalidRequest(over).Because("interaction is unknown, answered or expired")
	} else if err != nil {
		return nil, grants.Unavailable(err)
	}
	var wait waiting
	if err := json.Unmarshal(rec.Data, &wait); err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(storage.Key(s.browser(r))), []byte(wait.Browser)) != 1 {
		refusal := grants.InvalidRequest(over).Because("interaction of another browser")
		refusal.Status = http.StatusForbidden
		return nil, refusal
	}
	req, err := s.parseAuthorize(ctx, w, e, wait.Form)
	if err != nil {
		return nil, err
	}
	req.StartedAt, req.waiting, req.handle = rec.IssuedAt, &rec, handle
	return req, nil
}

// browser returns the browser's cookie, or "".
func (s *Server) browser(r *http.Request) string {
	for _, c := range r.CookiesNamed(s.cfg.Cookie.Name) {
		if len(c.Value) == 43 { // what somebody else left under our name does not hide ours
			return c.Value
		}
	}
	return ""
}

// forgeryToken ties a form to the browser, the request and the user that it was made for.
func (s *Server) forgeryToken(r *http.Request, handle, subject string) string {
	mac := hmac.New(sha256.New, []byte(s.browser(r)))
	mac.Write([]byte(storage.JoinKey("grantwell consent", handle, subject)))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// genuine checks that a form was made by us for this browser, request and user.
func (s *Server) genuine(r *http.Request, handle, subject string) error {
	site := r.Header.Get("Sec-Fetch-Site")
	if s.browser(r) != "" && (site == "" || site == "same-origin") &&
		subtle.ConstantTimeCompare([]byte(r.Form.Get("csrf")), []byte(s.forgeryToken(r, handle, subject))) == 1 {
		return nil
	}
	return &grants.Error{Code: "access_denied", Description: "This form was not made for this browser and user. Go back and try again.",
		Status: http.StatusForbidden, Err: errors.New("grantwell: the form's anti-forgery token is missing or wrong")}
}
