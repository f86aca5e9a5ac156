package browser

import (
	"net/http"

	"github.com/grantwell/grantwell/internal/seam"
)

var redirectPolicy = []string{"default-src 'none'; frame-ancestors 'none'; base-uri 'none'"}

// Respond sends the browser back to the client with params, then the request's state
// as it was sent, then iss (RFC 9207); it adds neither to params that have it. It
// serves success and errors alike, and returns the HTTP status. The caller gives up
// params, whose spare memory is used. The headers that every page carries are set
// already.
func (f *Frame) Respond(w http.ResponseWriter, to *seam.Authorization, params seam.Params) (status int) {
	if to.StateGiven && !params.Has("state") {
		params = append(params, seam.Param{Name: "state", Value: to.State})
	}
	if !params.Has("iss") {
		params = append(params, seam.Param{Name: "iss", Value: f.Issuer})
	}

	h := w.Header()
	h["Content-Security-Policy"] = redirectPolicy
	// A script that could read the response would have the code (RFC 9700 section 2.6).
	delete(h, "Access-Control-Allow-Origin")
	delete(h, "Access-Control-Allow-Credentials")

	encoder := f.Encoders[to.ResponseMode]
	if encoder == nil || !to.Verified() {
		http.Error(w, "the authorization response has no redirect URI", http.StatusInternalServerError)
		return http.StatusInternalServerError
	}

	return encoder.Encode(w, to, params)
}
