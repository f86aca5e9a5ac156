package browser

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/ids"
	"github.com/grantwell/grantwell/storage"
)

// Cookie describes the one cookie, which ties a request that waits for the user to
// the browser that began it.
type Cookie struct {
	Name   string
	Domain string
	Path   string
	MaxAge time.Duration
	Secure bool
}

// hostPrefix begins the name of a cookie that browsers accept from this host alone
// (RFC 6265bis section 4.1.3.2).
const hostPrefix = "__Host-"

// Prepare fills in the defaults, and returns why browsers would refuse the cookie.
func (c *Cookie) Prepare(issuer string) error {
	c.Secure = strings.HasPrefix(issuer, "https:")
	whole := c.Secure && c.Domain == "" && (c.Path == "" || c.Path == "/")
	if c.Path == "" {
		c.Path = "/"
	}
	switch {
	case c.Name == "" && whole:
		c.Name = hostPrefix + "grantwell" + suffix(issuer)
	case c.Name == "":
		c.Name = "grantwell" + suffix(issuer)
	case strings.ContainsFunc(c.Name, notToken):
		return errors.New("Cookie.Name: has a character that a cookie's name cannot have (RFC 6265 section 4.1.1)")
	case strings.ContainsFunc(c.Path, notInPath) || c.Path[0] != '/':
		return errors.New("Cookie.Path: is no path")
	case strings.HasPrefix(c.Name, hostPrefix) && !whole:
		return errors.New("Cookie: a __Host- name needs https, no Domain and the Path /")
	}

	return nil
}

// suffix keeps the cookies of two issuers on one host apart, which differ in their
// paths. It is "" for an issuer without a path.
func suffix(issuer string) string {
	_, rest, _ := strings.Cut(issuer, "://")
	if _, path, _ := strings.Cut(rest, "/"); path == "" {
		return ""
	}

	return "-" + storage.Key(issuer)[:11]
}

// notToken reports whether a character must not be in a token (RFC 9110 section
// 5.6.2).
func notToken(c rune) bool {
	return c <= ' ' || c > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
}

func notInPath(c rune) bool { return c < ' ' || c > '~' || c == ';' }

// Browser returns the value of the browser's cookie, or "".
func (f *Frame) Browser(r *http.Request) string {
	for _, c := range r.CookiesNamed(f.Cookie.Name) {
		// Another program on the host may have set a cookie of the same name. Only a
		// value of this form is one of ours.
		if len(c.Value) == 43 {
			return c.Value
		}
	}

	return ""
}

// EnsureBrowser returns the value of the browser's cookie, which it sets if there is
// none.
func (f *Frame) EnsureBrowser(w http.ResponseWriter, r *http.Request) string {
	if browser := f.Browser(r); browser != "" {
		return browser
	}

	browser := ids.Secret()
	http.SetCookie(w, &http.Cookie{
		Name:     f.Cookie.Name,
		Value:    browser,
		Domain:   f.Cookie.Domain,
		Path:     f.Cookie.Path,
		MaxAge:   int(f.Cookie.MaxAge / time.Second),
		Secure:   f.Cookie.Secure,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	})
	// Later steps of the same request see the cookie too.
	r.AddCookie(&http.Cookie{Name: f.Cookie.Name, Value: browser})

	return browser
}

// Owns reports whether the request comes from the browser that a stored key names.
// The key is storage.Key of the cookie's value.
func (f *Frame) Owns(r *http.Request, key string) bool {
	return subtle.ConstantTimeCompare([]byte(storage.Key(f.Browser(r))), []byte(key)) == 1
}

// ForgeryToken returns the token that ties a form to the browser, the request and
// the user that it was made for.
func (f *Frame) ForgeryToken(r *http.Request, handle, subject string) string {
	mac := hmac.New(sha256.New, []byte(f.Browser(r)))
	mac.Write([]byte(storage.JoinKey("grantwell consent", handle, subject)))

	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// CheckForgery refuses a posted form that was not made for this browser, request and
// user.
func (f *Frame) CheckForgery(r *http.Request, token, handle, subject string) error {
	site := r.Header.Get("Sec-Fetch-Site")
	want := f.ForgeryToken(r, handle, subject)
	if f.Browser(r) != "" && (site == "" || site == "same-origin") &&
		subtle.ConstantTimeCompare([]byte(token), []byte(want)) == 1 {
		return nil
	}

	return &grants.Error{
		Code:        "access_denied",
		Description: "This form was not made for this browser and user. Go back and try again.",
		Status:      http.StatusForbidden,
		Reason:      grants.ReasonForgery,
		Err:         errors.New("grantwell: the form's anti-forgery token is missing or wrong"),
	}
}
