package introspect

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/grantwell/grantwell/internal/base/fetch"
)

// wellKnown is where metadata is, between the host and the path of the resource (RFC 9728 section 3).
const wellKnown = "/.well-known/oauth-protected-resource"

// Metadata tells clients about a protected resource (RFC 9728 section 2). Serve [Metadata.Handler] at
// [Metadata.Path] and name [Metadata.URL] in [Guard] as MetadataURL.
type Metadata struct {
	// Resource is the resource identifier: an https URL without fragment. Required; use it as the
	// audience of the Guard too.
	Resource string
	// AuthorizationServers are the issuers whose tokens the resource takes.
	AuthorizationServers []string
	// JWKSURI is where the resource's own public keys are, if it has any.
	JWKSURI string
	// Scopes are the scopes that a client may ask for.
	Scopes []string
	// Methods are "header", "body", "query", as Guard.Lookup is set; "header" when none is given.
	Methods []string
	// Name and Documentation are for developers: a name, and a URL.
	Name, Documentation string
	// CertificateBound says that access tokens are bound to client certificates (RFC 8705), and
	// DPoPRequired that only DPoP-bound ones are taken (RFC 9449).
	CertificateBound, DPoPRequired bool
	// Extra holds further members; it cannot replace those above.
	Extra map[string]any
}

// Check returns every mistake, joined.
func (m Metadata) Check() error {
	var errs []error
	u, err := url.Parse(m.Resource)
	if err != nil || u.Host == "" || u.Scheme != "https" && !loopbackHTTP(u) || u.Fragment != "" || strings.Contains(m.Resource, "#") {
		errs = append(errs, errors.New("introspect: Metadata.Resource: not an https URL without fragment (RFC 9728 section 1.2)"))
	}
	for _, method := range m.Methods {
		if !slices.Contains([]string{"header", "body", "query"}, method) {
			errs = append(errs, errors.New(`introspect: Metadata.Methods: takes "header", "body" and "query"`))
		}
	}
	if _, err := json.Marshal(m.Extra); err != nil {
		errs = append(errs, errors.New("introspect: Metadata.Extra: does not marshal"))
	}
	return errors.Join(errs...)
}

// URL is where RFC 9728 section 3.1 places the metadata; empty when Resource is no URL.
func (m Metadata) URL() string {
	u, err := url.Parse(m.Resource)
	if err != nil || u.Host == "" {
		return ""
	}
	located := url.URL{Scheme: u.Scheme, Host: u.Host, Path: m.Path(), RawQuery: u.RawQuery}
	return located.String()
}

// Path is the path of URL, for a mux.
func (m Metadata) Path() string {
	u, err := url.Parse(m.Resource)
	if err != nil {
		return wellKnown
	}
	return wellKnown + strings.TrimSuffix(u.Path, "/")
}

// Handler serves the document to GET and HEAD, and 405 to the rest. It panics when Check fails.
func (m Metadata) Handler() http.Handler {
	if err := m.Check(); err != nil {
		panic(err)
	}
	body, err := json.Marshal(m.members())
	if err != nil {
		panic("introspect: Metadata: " + err.Error())
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Access-Control-Allow-Origin", "*") // public by nature, and browsers' clients need it
		_, _ = w.Write(body)                               // the client is gone: nothing is left to tell it
	})
}

func (m Metadata) members() map[string]any {
	methods := m.Methods
	if len(methods) == 0 {
		methods = []string{"header"}
	}
	out := map[string]any{}
	for name, value := range m.Extra {
		out[name] = value
	}
	for name, value := range map[string]string{
		"resource": m.Resource, "jwks_uri": m.JWKSURI, "resource_name": m.Name, "resource_documentation": m.Documentation,
	} {
		delete(out, name)
		if value != "" {
			out[name] = value
		}
	}
	for name, value := range map[string][]string{
		"authorization_servers": m.AuthorizationServers, "scopes_supported": m.Scopes, "bearer_methods_supported": methods,
	} {
		delete(out, name)
		if len(value) > 0 {
			out[name] = value
		}
	}
	for name, value := range map[string]bool{
		"tls_client_certificate_bound_access_tokens": m.CertificateBound, "dpop_bound_access_tokens_required": m.DPoPRequired,
	} {
		delete(out, name)
		if value {
			out[name] = true
		}
	}
	return out
}

// loopbackHTTP reports whether u is plain http to this machine, which is allowed for development.
func loopbackHTTP(u *url.URL) bool { return u.Scheme == "http" && fetch.IsLoopback(u.Hostname()) }
