package backchannel

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/grantwell/grantwell/internal/frame"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
)

// preflight answers OPTIONS. A preflight names no client, so it allows what a form
// by POST needs to every origin that some client is registered for. The answer to
// the POST itself is readable only for the client's own origins.
func (f *Frame) preflight(ctx context.Context, x *exchange) (seam.Reply, error) {
	r := x.call.Request
	origin := r.Header.Get("Origin")
	if origin == "" || origin == "null" || r.Header.Get("Access-Control-Request-Method") != http.MethodPost {
		return seam.Reply{}, frame.MethodNotAllowed(x.w, "POST")
	}

	h := x.w.Header()
	h.Add("Vary", "Origin")
	if f.allows(ctx, origin) {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Methods", "POST")
		h.Set("Access-Control-Allow-Headers", f.headers())
		h.Set("Access-Control-Max-Age", "600")
	}

	return seam.Reply{Status: http.StatusNoContent}, nil
}

// headers returns the request headers that a preflight allows.
func (f *Frame) headers() string {
	return strings.Join(append([]string{"Authorization", "Content-Type", "DPoP"}, f.Headers...), ", ")
}

// maxOrigin bounds an origin in bytes.
const maxOrigin = 255

// allows reports whether any client is registered for an origin, as far as the store
// can say.
func (f *Frame) allows(ctx context.Context, origin string) bool {
	if slices.Contains(f.Origins, origin) {
		return true
	}
	finder, ok := f.Clients.(storage.OriginFinder)
	if !ok || len(origin) > maxOrigin {
		return false
	}
	found, err := finder.HasOrigin(ctx, origin)

	return err == nil && found
}

// shareWithOrigin lets the client's own pages read the answer. An error that came
// before the client was known is readable wherever a preflight is answered: it says
// nothing that the page could not have found out.
func (f *Frame) shareWithOrigin(ctx context.Context, h http.Header, r *http.Request, c *storage.Client, failed bool) {
	if len(r.Header["Origin"]) == 0 || r.Method == http.MethodOptions || c == nil && !failed {
		return
	}

	origin := r.Header.Get("Origin")
	h.Add("Vary", "Origin")
	if origin == "null" {
		return
	}
	if c == nil && f.allows(ctx, origin) || c != nil && slices.Contains(c.Origins, origin) {
		h.Set("Access-Control-Allow-Origin", origin)
	}
}
