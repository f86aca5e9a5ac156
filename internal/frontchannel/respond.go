package frontchannel

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/grantwell/grantwell/storage"
)

// Param is one parameter of an authorization response.
type Param struct{ Name, Value string }

// Params are the parameters of an authorization response, in the order in which they are sent.
type Params []Param

// Add appends a parameter.
func (p *Params) Add(name, value string) { *p = append(*p, Param{name, value}) }

func (p Params) has(name string) bool {
	for _, q := range p {
		if q.Name == name {
			return true
		}
	}
	return false
}

// after returns the URI and, if there are any, the separator and the parameters.
func (p Params) after(uri, separator string) string {
	var b strings.Builder
	b.Grow(len(uri) + 256)
	b.WriteString(uri)
	for i, q := range p {
		if i == 0 {
			b.WriteString(separator)
		} else {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(q.Name))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(q.Value))
	}
	return b.String()
}

var policy = []string{"default-src 'none'; frame-ancestors 'none'; base-uri 'none'"}

// Respond sends the browser back to the client with params, then the request's state as it was sent, then
// iss (RFC 9207) when an issuer is configured; neither is added when params holds it already. It serves
// success and error alike. The headers that every page carries (pages.Headers) are there already.
//
// The status is 303, which makes every browser change to GET, so that what the user posted to log in never
// reaches the client (RFC 9700 section 4.12); or 200 with a form that submits itself (OAuth 2.0 Form Post Response Mode).
// It returns that status.
func (f *FrontChannel) Respond(w http.ResponseWriter, r *Request, params Params) (status int) {
	params = f.complete(r, params)
	h := w.Header()
	h["Content-Security-Policy"] = policy
	// A script that could read the response would have the code (RFC 9700 section 2.6).
	delete(h, "Access-Control-Allow-Origin")
	delete(h, "Access-Control-Allow-Credentials")

	// Parse has verified it. A Request that was made some other way gets no further than here.
	if (r.matched == "" || r.RedirectURI != r.matched) && storage.CheckRedirectURI(r.RedirectURI) != nil || r.ResponseMode == modeFormPost && !isWeb(r.RedirectURI) {
		http.Error(w, "the authorization response has no redirect URI", http.StatusInternalServerError)
		return http.StatusInternalServerError
	}
	switch r.ResponseMode {
	case modeFormPost:
		return writeForm(w, r.RedirectURI, params)
	case modeQuery:
		if !params.has("access_token") && !params.has("id_token") {
			h.Set("Location", params.after(r.RedirectURI, querySeparator(r.RedirectURI)))
			break
		}
		fallthrough // tokens are never in a query, whatever the caller made the mode
	default:
		h.Set("Location", params.after(r.RedirectURI, "#"))
	}
	w.WriteHeader(http.StatusSeeOther)
	return http.StatusSeeOther
}

// complete adds state and iss. It never writes to the memory of params.
func (f *FrontChannel) complete(r *Request, params Params) Params {
	params = append(make(Params, 0, len(params)+2), params...)
	if r.StateGiven && !params.has("state") {
		params.Add("state", r.State)
	}
	if f.cfg.Issuer != "" && !params.has("iss") {
		params.Add("iss", f.cfg.Issuer)
	}
	return params
}

// querySeparator is what goes between the URI and more parameters. A registered query is kept as it is, byte for byte (RFC 6749 section 3.1.2).
func querySeparator(uri string) string {
	switch {
	case !strings.Contains(uri, "?"):
		return "?"
	case strings.HasSuffix(uri, "?") || strings.HasSuffix(uri, "&"):
		return ""
	}
	return "&"
}
