package responsemode

import (
	"net/http"
	"strings"

	"github.com/grantwell/grantwell/internal/base/pages"
	"github.com/grantwell/grantwell/internal/seam"
)

// FormPost sends a page whose form posts the parameters to the redirect URI.
type FormPost struct {
	// Texts choose the language of the page; nil: the built-in ones.
	Texts *pages.Texts
}

var _ seam.Encoder = FormPost{}

// ResponseMode returns "form_post".
func (FormPost) ResponseMode() string { return "form_post" }

// Accept refuses what a form cannot carry.
func (FormPost) Accept(a *seam.Authorization, _ bool) error {
	switch {
	case !web(a.RedirectURI):
		return refuse("The response_mode form_post needs an http or https redirect_uri.")
	case strings.ContainsAny(a.State, "\r\n"):
		// HTML forms turn every line break into CRLF, so the client would get another
		// state than it sent.
		return refuse("The response_mode form_post cannot carry a line break in state.")
	}

	return nil
}

// Encode writes the page.
func (f FormPost) Encode(w http.ResponseWriter, a *seam.Authorization, params seam.Params) int {
	if !web(a.RedirectURI) {
		http.Error(w, "the authorization response has no redirect URI", http.StatusInternalServerError)
		return http.StatusInternalServerError
	}
	language := f.Texts.In(a.Params.Get("ui_locales"), a.AcceptLanguage)
	pages.FormPost(w, language, a.RedirectURI, func(field func(name, value string)) {
		for i := range params {
			field(params[i].Name, params[i].Value)
		}
	})

	return http.StatusOK
}

// web reports whether a browser can post to the URI.
func web(uri string) bool {
	return strings.HasPrefix(uri, "https://") || strings.HasPrefix(uri, "http://")
}
