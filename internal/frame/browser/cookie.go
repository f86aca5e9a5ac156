package browser

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"iter"
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
	if c.Name == "" {
		c.Name = "grantwell" + suffix(issuer)
		if whole {
			c.Name = hostPrefix + c.Name
		}
	}
	switch {
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

// maxCookies bounds the cookies of one request that are looked at.
const maxCookies = 64

// browsers returns the values of the browser's cookies, of which there is one for each
// request that came before the browser had any.
func (f *Frame) browsers(r *http.Request) []string {
	var values []string
	for _, line := range r.Header["Cookie"] {
		for pair := range pairsOf(line, f.Cookie.Name) {
			name, value, _ := strings.Cut(pair, "=")
			suffix := strings.TrimPrefix(name, f.Cookie.Name)
			// Another program on the host may have set a cookie of the same name. Only a
			// value of this form is one of ours.
			if (suffix == "" || suffix[0] == '-' && len(suffix) == 9) && isSecret(value) {
				values = append(values, value)
			}
			if len(values) == maxCookies {
				return values
			}
		}
	}

	return values
}

// pairsOf yields the cookies of a header line whose names have a prefix, each as
// "name=value". A line may be long, and http.Request.Cookies would make an object for
// each of its cookies.
func pairsOf(line, prefix string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for from := 0; ; {
			i := strings.Index(line[from:], prefix)
			if i < 0 {
				return
			}
			before := strings.TrimRight(line[from:from+i], " \t")
			begins := before == "" && from == 0 || strings.HasSuffix(before, ";")
			at := from + i
			from = at + len(prefix)
			if !begins {
				continue
			}
			pair, _, _ := strings.Cut(line[at:], ";")
			if !yield(strings.TrimRight(pair, " \t")) {
				return
			}
		}
	}
}

// isSecret reports whether a value has the form of those of ids.Secret.
func isSecret(value string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

	return len(value) == 43 && strings.Trim(value, letters) == ""
}

// Browser returns the value of the browser's first cookie, or "".
func (f *Frame) Browser(r *http.Request) string {
	if values := f.browsers(r); len(values) > 0 {
		return values[0]
	}

	return ""
}

// EnsureBrowser returns the value of the browser's cookie, which it sets if there is
// none.
//
// Several tabs may begin at once in a browser that has no cookie. If all had the same
// name, each would replace that of the one before, whose request would then belong to
// no browser. So each has a name of its own.
func (f *Frame) EnsureBrowser(w http.ResponseWriter, r *http.Request) string {
	if browser := f.Browser(r); browser != "" {
		return browser
	}

	browser := ids.Secret()
	name := f.Cookie.Name + "-" + ids.New()[:8]
	http.SetCookie(w, &http.Cookie{
		Name:     name,
		Value:    browser,
		Domain:   f.Cookie.Domain,
		Path:     f.Cookie.Path,
		MaxAge:   int(f.Cookie.MaxAge / time.Second),
		Secure:   f.Cookie.Secure,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	})
	// Later steps of the same request see the cookie too.
	r.AddCookie(&http.Cookie{Name: name, Value: browser})

	return browser
}

// Owner returns the value of the browser's cookie that a stored key names, or "" if the
// request comes from another browser. The key is storage.Key of the value.
func (f *Frame) Owner(r *http.Request, key string) string {
	for _, browser := range f.browsers(r) {
		if subtle.ConstantTimeCompare([]byte(storage.Key(browser)), []byte(key)) == 1 {
			return browser
		}
	}

	return ""
}

// Owns reports whether the request comes from the browser that a stored key names.
func (f *Frame) Owns(r *http.Request, key string) bool { return f.Owner(r, key) != "" }

// ForgeryToken returns the token that ties a form to the browser, the request and
// the user that it was made for.
func (f *Frame) ForgeryToken(r *http.Request, handle, subject string) string {
	return forgeryToken(f.Browser(r), handle, subject)
}

func forgeryToken(browser, handle, subject string) string {
	mac := hmac.New(sha256.New, []byte(browser))
	mac.Write([]byte(storage.JoinKey("grantwell consent", handle, subject)))

	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// CheckForgery refuses a posted form that was not made for this browser, request and
// user. The browser may have got a further cookie since, so each of them is tried.
func (f *Frame) CheckForgery(r *http.Request, token, handle, subject string) error {
	if site := r.Header.Get("Sec-Fetch-Site"); site == "" || site == "same-origin" {
		for _, browser := range f.browsers(r) {
			want := forgeryToken(browser, handle, subject)
			if subtle.ConstantTimeCompare([]byte(token), []byte(want)) == 1 {
				return nil
			}
		}
	}

	return &grants.Error{
		Code:        "access_denied",
		Description: "This form was not made for this browser and user. Go back and try again.",
		Status:      http.StatusForbidden,
		Reason:      grants.ReasonForgery,
		Err:         errors.New("grantwell: the form's anti-forgery token is missing or wrong"),
	}
}
