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
	Switch      string            // where another user signs in
	Audience    []string          // resources at which the scopes will be used
	Language    pages.Language
}

// RedirectHost returns the name by which the page says where the answer goes. The host
// of a private-use scheme proves nothing: whichever program has the scheme gets the
// answer (RFC 8252 section 8.6).
func (p Page) RedirectHost() string {
	u, err := url.Parse(p.RedirectURI)
	if err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") {
		return u.Host
	}

	return strings.SplitN(p.RedirectURI, ":", 2)[0]
}

// Tag returns the language of the page.
func (p Page) Tag() string {
	if p.Language.Tag == "" {
		return "en"
	}

	return p.Language.Tag
}

// T returns the translation of an English text.
func (p Page) T(english string) string { return p.Language.Text(english) }

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
	pages.BeforeForm(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pages.Policy(nonce, ""))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(b.Bytes()) // it fails if the browser is gone

	return nil
}

func hasPrefix(s string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}

	return false
}
