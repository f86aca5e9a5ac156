// Package responsemode has the values of response_mode that the server answers, one
// file each: how the parameters of an authorization response travel to the client
// (OAuth 2.0 Multiple Response Type Encoding Practices section 2.1, OAuth 2.0 Form
// Post Response Mode).
package responsemode

import (
	"net/http"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/seam"
)

func refuse(description string) error {
	return grants.InvalidRequest(description).For(grants.ReasonResponseMode)
}

// redirect sends the browser to a URL. With status 303 every browser changes to GET,
// so that what the user posted to sign in never reaches the client (RFC 9700 section
// 4.12).
func redirect(w http.ResponseWriter, location string) int {
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)

	return http.StatusSeeOther
}

// hasToken reports whether an answer has a token, which must not be in a query.
func hasToken(params seam.Params) bool {
	return params.Has("access_token") || params.Has("id_token")
}
