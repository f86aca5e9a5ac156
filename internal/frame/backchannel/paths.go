package backchannel

import (
	"net/http"
	"net/url"

	"github.com/grantwell/grantwell/internal/seam"
)

// Paths are the paths that a server answers, in order.
type Paths []Path

// Path is one of them.
type Path struct {
	Path    string // the whole path
	Handler http.Handler
}

// Paths returns the paths of endpoints below a base path. An endpoint without a path is
// not served.
func (f *Frame) Paths(base string, endpoints []seam.Endpoint) Paths {
	var p Paths
	for _, e := range endpoints {
		p.Add(base, e.Path, f.Handler(e))
	}

	return p
}

// Add adds a path below a base path. An empty path adds nothing.
func (p *Paths) Add(base, path string, h http.Handler) {
	if path != "" {
		*p = append(*p, Path{base + path, h})
	}
}

// Handler returns a handler of all paths. It compares paths byte for byte. If a host has
// stripped a prefix from the path, the answer says so.
func (p Paths) Handler() http.Handler {
	handlers := make(map[string]http.Handler, len(p))
	for _, e := range p {
		handlers[e.Path] = e.Handler
	}

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, ok := handlers[r.URL.Path]; ok {
			h.ServeHTTP(w, r)
			return
		}
		if r.ContentLength != 0 {
			w.Header().Set("Connection", "close") // net/http would wait for the body
		}
		if sent, err := url.ParseRequestURI(r.RequestURI); err == nil && handlers[sent.Path] != nil {
			http.Error(w, "404 page not found: the path was changed on its way to the server, whose paths "+
				"begin with that of the issuer; mount the handler without http.StripPrefix", http.StatusNotFound)
			return
		}
		http.NotFound(w, r)
	})
}
