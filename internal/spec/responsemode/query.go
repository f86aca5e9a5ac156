package responsemode

import (
	"net/http"
	"strings"

	"github.com/grantwell/grantwell/internal/seam"
)

// Query puts the parameters into the query of the redirect URI.
type Query struct{}

var _ seam.Encoder = Query{}

// ResponseMode returns "query".
func (Query) ResponseMode() string { return "query" }

// Accept refuses an answer with a token: servers and browsers log queries.
func (Query) Accept(_ *seam.Authorization, secret bool) error {
	if secret {
		return refuse("The response_mode query cannot carry a token.")
	}

	return nil
}

// Encode redirects. A query that the redirect URI has stays as it is, byte for byte
// (RFC 6749 section 3.1.2).
func (Query) Encode(w http.ResponseWriter, a *seam.Authorization, params seam.Params) int {
	if hasToken(params) { // whatever the mode of the request is
		return Fragment{}.Encode(w, a, params)
	}

	return redirect(w, params.After(a.RedirectURI, separator(a.RedirectURI)))
}

// separator returns what goes between a URI and more parameters of its query.
func separator(uri string) string {
	switch {
	case !strings.Contains(uri, "?"):
		return "?"
	case strings.HasSuffix(uri, "?") || strings.HasSuffix(uri, "&"):
		return ""
	}

	return "&"
}
