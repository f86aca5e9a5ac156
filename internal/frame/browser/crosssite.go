package browser

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/grantwell/grantwell/internal/base/pages"
)

// maxQuery bounds the query into which a posted form is turned, in bytes. Browsers and
// proxies take URLs of that length.
const maxQuery = 6 << 10

// Foreign reports whether a form was posted by a page of another site. Browsers send
// no SameSite=Lax cookie with it, so the server sees neither the user's session nor
// its own cookie.
func (f *Frame) Foreign(r *http.Request) bool {
	if r.Method != http.MethodPost {
		return false
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "cross-site"
	}
	origin := r.Header.Get("Origin") // of a browser that does not send Sec-Fetch-Site
	issuer, err := url.Parse(f.Issuer)

	return origin != "" && err == nil && origin != issuer.Scheme+"://"+issuer.Host
}

// Reopen lets the browser send a posted form again as its own, with its cookies: as a
// GET request of the same path or, if the form is too long for a URL, by a form of the
// server's own. Nothing is kept meanwhile, so that another site's page costs nothing.
func (f *Frame) Reopen(w http.ResponseWriter, r *http.Request, form url.Values) {
	path := samePath(r)
	if query := form.Encode(); len(query) <= maxQuery {
		w.Header().Set("Location", path+"?"+query)
		w.WriteHeader(http.StatusSeeOther)
		return
	}

	// With the policy no-referrer the browser would call its own page's origin "null".
	w.Header().Set("Referrer-Policy", "same-origin")
	pages.FormPost(w, f.language(r), path, func(field func(name, value string)) {
		for name, values := range form {
			for _, value := range values {
				field(name, value)
			}
		}
	})
}

// samePath returns the path as the browser sent it. A host may have stripped a prefix
// from r.URL.
func samePath(r *http.Request) string {
	u, err := url.ParseRequestURI(r.RequestURI)
	if err != nil || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") {
		return ""
	}

	return u.EscapedPath()
}
