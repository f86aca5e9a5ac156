package responsemode

import (
	"net/http"

	"github.com/grantwell/grantwell/internal/seam"
)

// Fragment puts the parameters into the fragment of the redirect URI.
type Fragment struct{}

var _ seam.Encoder = Fragment{}

// ResponseMode returns "fragment".
func (Fragment) ResponseMode() string { return "fragment" }

// Accept accepts every answer.
func (Fragment) Accept(*seam.Authorization, bool) error { return nil }

// Encode redirects.
func (Fragment) Encode(w http.ResponseWriter, a *seam.Authorization, params seam.Params) int {
	return redirect(w, params.After(a.RedirectURI, "#"))
}
