package authorize

import (
	"net/http"

	"github.com/grantwell/grantwell/internal/base/pages"
	"github.com/grantwell/grantwell/internal/base/pages/consentpage"
)

// WriteConsentPage writes the built-in consent page. Only a host that mounts it
// compiles its template.
func WriteConsentPage(w http.ResponseWriter, req *http.Request, texts *pages.Texts, q *Question) error {
	client := q.Request.Client
	page := consentpage.Page{
		Application: client.Name,
		Description: client.Description,
		LogoURI:     client.LogoURI,
		PolicyURI:   client.PolicyURI,
		TOSURI:      client.TOSURI,
		User:        q.User.Name,
		Action:      q.Action,
		Hidden:      q.Hidden,
		RedirectURI: q.Request.RedirectURI,
		Switch:      q.Switch,
		Audience:    q.Request.Audience,
		Language:    texts.In(q.Request.Params.Get("ui_locales"), req.Header.Get("Accept-Language")),
	}
	if page.Application == "" {
		page.Application = client.ID
	}
	for _, s := range q.Granted {
		page.Scopes = append(page.Scopes, consentpage.Scope{Name: s.Name, Description: s.Description, Granted: true})
	}
	for _, s := range q.Asked {
		page.Scopes = append(page.Scopes, consentpage.Scope{Name: s.Name, Description: s.Description})
	}

	return consentpage.Write(w, page)
}
