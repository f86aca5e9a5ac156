// Package cors lets scripts of any origin read documents that are public and the same
// for every caller.
package cors

import (
	"net/http"
	"strings"
)

// maxHeaders bounds the names that a preflight asks for, in bytes.
const maxHeaders = 1 << 10

// Public allows any origin to read a document, and reports whether the request was a
// preflight, which it has answered then: for any origin and any header.
//
// A wildcard for headers does not cover Authorization, and older browsers do not know
// it, so the names that were asked for are repeated.
func Public(w http.ResponseWriter, r *http.Request) bool {
	h := w.Header()
	if r.ContentLength != 0 {
		// net/http would wait for a body, which no public document reads.
		h.Set("Connection", "close")
	}
	h.Set("Access-Control-Allow-Origin", "*") // no cookie counts, so none is allowed
	method := r.Header.Get("Access-Control-Request-Method")
	if r.Method != http.MethodOptions || r.Header.Get("Origin") == "" || method == "" {
		return false
	}

	h.Set("Access-Control-Allow-Methods", "GET, HEAD")
	h.Set("Access-Control-Max-Age", "600")
	h.Set("Vary", "Access-Control-Request-Headers")
	asked := strings.Join(r.Header.Values("Access-Control-Request-Headers"), ",")
	if asked != "" && len(asked) <= maxHeaders && strings.Trim(asked, nameChars) == "" {
		h.Set("Access-Control-Allow-Headers", asked)
	}
	w.WriteHeader(http.StatusNoContent)

	return true
}

// nameChars are the characters of header names and of the list that they stand in.
const nameChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!#$%&'*+^`|~, "
