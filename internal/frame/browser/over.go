package browser

import (
	"net/http"
	"strings"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/seam"
)

// Over is an error about a request that is over, whose client is known. The page that
// says so has a link that returns to the client with the error.
type Over struct {
	Err error
	To  *seam.Authorization
}

// Error returns the text of the error.
func (e *Over) Error() string { return e.Err.Error() }

// Unwrap returns the error.
func (e *Over) Unwrap() error { return e.Err }

// lead shows the error with a link back to the client, and returns the HTTP status. ID names the request. A
// page of the host has no place for the link, nor has a response mode that is no
// redirect: the browser then goes back at once.
func (f *Frame) lead(w http.ResponseWriter, r *http.Request, to *seam.Authorization, e *grants.Error, id string) int {
	back := *e
	back.Code = "access_denied"
	link := ""
	if f.ErrorPage == nil && (to.ResponseMode == "query" || to.ResponseMode == "fragment") {
		aside := answer{header: make(http.Header)}
		f.Respond(aside, to, f.Refusal(&back))
		link = aside.header.Get("Location")
	}
	scheme, _, _ := strings.Cut(strings.ToLower(link), ":")
	switch scheme {
	case "", "javascript", "data", "vbscript":
		return f.Respond(w, to, f.Refusal(&back))
	}
	f.showError(w, r, e, link, id)

	return e.Status
}

// answer is a response of which only the header is of interest.
type answer struct{ header http.Header }

// Header implements [http.ResponseWriter].
func (a answer) Header() http.Header { return a.header }

// Write implements [http.ResponseWriter].
func (answer) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader implements [http.ResponseWriter].
func (answer) WriteHeader(int) {}
