// Package pages renders the server's own HTML: consent, error and code. Everything that comes from outside is escaped by
// html/template; there is no script, no framing, no caching and no Referer.
package pages

import (
	"bytes"
	"crypto/rand"
	"embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

//go:embed *.html style.css
var files embed.FS

var templates = template.Must(template.New("").ParseFS(files, "*.html"))

// Style is the style sheet that the pages share, for a host's login page that wants to look like them.
func Style() template.CSS {
	b, err := files.ReadFile("style.css")
	if err != nil {
		return ""
	}
	return template.CSS(b)
}

// Headers sets what every page and every redirect of a browser carries. The policy leaves styles and scripts alone, because
// a page of the host's own may follow; our own pages have a stricter one.
func Headers(h http.Header) {
	for _, f := range headers {
		h[f.name] = f.value
	}
}

// headers are shared by all answers: who wants another value sets another slice, as [http.Header.Set] does.
var headers = [...]struct {
	name  string
	value []string
}{
	{"Cache-Control", []string{"no-store"}},
	{"Referrer-Policy", []string{"no-referrer"}},
	{"X-Content-Type-Options", []string{"nosniff"}},
	{"X-Frame-Options", []string{"DENY"}},
	{"Content-Security-Policy", []string{"frame-ancestors 'none'; base-uri 'none'"}},
}

// Scope is one line of the consent page.
type Scope struct {
	Name, Description string
	Granted           bool // granted before: shown, not asked
}

// Consent is what the consent page shows.
type Consent struct {
	Application, Description, LogoURI, PolicyURI, TOSURI string
	User                                                 string
	Scopes                                               []Scope
	Action                                               string            // where the form goes
	Hidden                                               map[string]string // what it carries
	RedirectURI                                          string            // where the answer goes; shown by its host
}

// RedirectHost names for the user where the answer goes.
func (c Consent) RedirectHost() string {
	u, err := url.Parse(c.RedirectURI)
	if err != nil || u.Host == "" {
		return strings.SplitN(c.RedirectURI, ":", 2)[0]
	}
	return u.Host
}

// WriteConsent writes the consent page.
func WriteConsent(w http.ResponseWriter, c Consent) error {
	if !safeURL(c.LogoURI, "https:", "data:image/png;", "data:image/svg+xml;", "data:image/jpeg;") {
		c.LogoURI = ""
	}
	if !safeURL(c.PolicyURI, "https:") {
		c.PolicyURI = ""
	}
	if !safeURL(c.TOSURI, "https:") {
		c.TOSURI = ""
	}
	return render(w, http.StatusOK, "consent.html", struct {
		Consent
		Logo template.URL
	}{c, template.URL(c.LogoURI)}, "'self' "+target(c.RedirectURI))
}

// target is the form-action source that lets the answer's redirect pass: browsers apply form-action to redirects too.
// A source cannot name an IPv6 address, so there the scheme has to do.
func target(redirect string) string {
	u, err := url.Parse(redirect)
	switch {
	case err != nil:
		return ""
	case (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && strings.Trim(u.Host, hostChars) == "":
		return u.Scheme + "://" + u.Host
	default: // a policy has no form for it, as for IPv6 addresses
		return u.Scheme + ":"
	}
}

const hostChars = "abcdefghijklmnopqrstuvwxyz0123456789.-:"

func safeURL(s string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

// Error writes the error page with this status.
func Error(w http.ResponseWriter, status int, code, description string) {
	if err := render(w, status, "error.html", map[string]string{"Code": code, "Description": description}, "'none'"); err != nil {
		http.Error(w, "error: "+code, status)
	}
}

// Code writes the page that shows a code.
func Code(w http.ResponseWriter, code string) {
	if err := render(w, http.StatusOK, "code.html", map[string]string{"Code": code}, "'none'"); err != nil {
		http.Error(w, "error: server_error", http.StatusInternalServerError)
	}
}

func render(w http.ResponseWriter, status int, name string, data any, formAction string) error {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails (crypto/rand)
	n := base64.RawURLEncoding.EncodeToString(nonce[:])
	var b bytes.Buffer
	err := templates.ExecuteTemplate(&b, name, struct {
		Style template.CSS
		Nonce string
		Data  any
	}{Style(), n, data})
	if err != nil {
		return err
	}
	Headers(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+n+"'; img-src https: data:; form-action "+formAction+"; frame-ancestors 'none'; base-uri 'none'")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the browser is gone: nobody is left to tell
	return nil
}
