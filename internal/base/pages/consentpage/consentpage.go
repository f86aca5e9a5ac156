// Package consentpage writes the built-in consent page. It uses html/template, which
// only a host that mounts the page compiles in: nothing refers to the template
// before the page is written.
package consentpage

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/grantwell/grantwell/internal/base/ids"
	"github.com/grantwell/grantwell/internal/base/pages"
	"github.com/grantwell/grantwell/internal/base/visible"
)

//go:embed consent.html
var text string

// parse returns the template. It is parsed at its first use: a package variable with
// the parsed template would link html/template into every host.
func parse() (*template.Template, error) {
	cache.once.Do(func() { cache.page, cache.err = template.New("consent").Parse(text) })

	return cache.page, cache.err
}

var cache struct {
	once sync.Once
	page *template.Template
	err  error
}

// Scope is one line of the page.
type Scope struct {
	Name        string
	Description string
	Granted     bool // granted before: shown, not asked
}

// Page is what the page shows.
type Page struct {
	Application string
	Description string
	LogoURI     string
	PolicyURI   string
	TOSURI      string
	User        string
	Scopes      []Scope
	Action      string            // where the form goes
	Hidden      map[string]string // what it carries
	RedirectURI string            // where the answer goes; its host is shown
}

// RedirectHost returns the name by which the page says where the answer goes.
func (p Page) RedirectHost() string {
	u, err := url.Parse(p.RedirectURI)
	if err != nil || u.Host == "" {
		return strings.SplitN(p.RedirectURI, ":", 2)[0]
	}

	return u.Host
}

// Write writes the page. A link that is not https, or a logo that is no image, is
// left out.
func Write(w http.ResponseWriter, p Page) error {
	t, err := parse()
	if err != nil {
		return err
	}
	if !hasPrefix(p.LogoURI, "https:", "data:image/png;", "data:image/svg+xml;", "data:image/jpeg;") {
		p.LogoURI = ""
	}
	if !hasPrefix(p.PolicyURI, "https:") {
		p.PolicyURI = ""
	}
	if !hasPrefix(p.TOSURI, "https:") {
		p.TOSURI = ""
	}

	// A store may hold clients that were never validated. Text that may run from right
	// to left is isolated, so that it does not reorder what stands around it.
	isolate := strings.IndexFunc(p.Application+p.Description+p.User, func(r rune) bool { return r > 0x7e }) >= 0
	p.Application = visible.Only(p.Application)
	p.Description = visible.Only(p.Description)
	p.User = visible.Only(p.User)

	nonce := ids.New()
	var b bytes.Buffer
	err = t.Execute(&b, struct {
		Page
		Style template.CSS
		Nonce string
		Logo  template.URL

		Isolate bool
	}{p, template.CSS(pages.Style()), nonce, template.URL(p.LogoURI), isolate})
	if err != nil {
		return err
	}

	h := w.Header()
	pages.Headers(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pages.Policy(nonce, "'self' "+source(p.RedirectURI)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(b.Bytes()) // it fails if the browser is gone

	return nil
}

// source returns the form-action source that lets the redirect of the answer pass:
// browsers apply form-action to redirects too. A source cannot name an IPv6 address,
// so there it is the scheme.
func source(redirect string) string {
	u, err := url.Parse(redirect)
	switch {
	case err != nil:
		return ""
	case (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && strings.Trim(u.Host, hostChars) == "":
		return u.Scheme + "://" + u.Host
	}

	return u.Scheme + ":"
}

const hostChars = "abcdefghijklmnopqrstuvwxyz0123456789.-:"

func hasPrefix(s string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}

	return false
}
