package introspect

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/grantwell/grantwell/internal/base/fetch"

	"github.com/grantwell/grantwell/internal/base/cors"
)

// wellKnown is the part of a metadata URL between the host and the path of the
// resource (RFC 9728 section 3).
const wellKnown = "/.well-known/oauth-protected-resource"

// Metadata describes a protected resource to clients (RFC 9728 section 2). Serve
// [Metadata.Handler] at [Metadata.Path], and set MetadataURL of the [Guard] to
// [Metadata.URL].
type Metadata struct {
	// Resource is the resource identifier: an https URL without fragment. Use
	// it as the Audience of the Guard too. Required.
	Resource string
	// AuthorizationServers are the issuers whose tokens the resource accepts.
	AuthorizationServers []string
	// JWKSURI is where the resource's own public keys are, if it has any.
	JWKSURI string
	// Scopes are the scopes that a client may ask for.
	Scopes []string
	// Methods are "header", "body" and "query", as Guard.Lookup is set. Empty
	// means "header".
	Methods []string
	// Name is a name of the resource for people, and Documentation a URL for
	// developers.
	Name          string
	Documentation string
	// CertificateBound says that access tokens are bound to client
	// certificates (RFC 8705).
	CertificateBound bool
	// DPoPRequired says that only DPoP-bound access tokens are accepted (RFC
	// 9449).
	DPoPRequired bool
	// Extra holds further members. It cannot replace those above.
	Extra map[string]any
}

// Check returns every mistake, joined.
func (m Metadata) Check() error {
	var errs []error
	if !isSecureURL(m.Resource) || strings.Contains(m.Resource, "#") {
		errs = append(errs,
			errors.New("introspect: Metadata.Resource: not an https URL without fragment (RFC 9728 section 1.2)"))
	}
	if u, err := url.Parse(m.Resource); err == nil && !printable(u.Path) {
		errs = append(errs, errors.New("introspect: Metadata.Resource: its path has characters beyond ASCII"))
	}
	for _, method := range m.Methods {
		if !slices.Contains([]string{"header", "body", "query"}, method) {
			errs = append(errs, errors.New(`introspect: Metadata.Methods: not "header", "body" or "query"`))
		}
	}
	if _, err := json.Marshal(m.Extra); err != nil {
		errs = append(errs, errors.New("introspect: Metadata.Extra: has no JSON form"))
	}
	return errors.Join(errs...)
}

// URL returns the URL of the metadata (RFC 9728 section 3.1), or "" if Resource is
// not a URL.
func (m Metadata) URL() string {
	u, err := url.Parse(m.Resource)
	if err != nil || u.Host == "" {
		return ""
	}
	located := url.URL{
		Scheme:   u.Scheme,
		Host:     u.Host,
		Path:     m.Path(),
		RawQuery: u.RawQuery,
	}
	return located.String()
}

// Path returns the path of [Metadata.URL], for a mux.
func (m Metadata) Path() string {
	u, err := url.Parse(m.Resource)
	if err != nil {
		return wellKnown
	}
	return wellKnown + strings.TrimSuffix(u.Path, "/")
}

// wellKnownServer is the part of the metadata URL of an authorization server between
// the host and the path of its issuer identifier (RFC 8414 section 3).
const wellKnownServer = "/.well-known/oauth-authorization-server"

// ServerMetadataURL returns the URL of the metadata of an authorization server (RFC 8414
// section 3.1), which have jwks_uri and introspection_endpoint: for the issuer
// "https://as.example.com/tenant" it is
// "https://as.example.com/.well-known/oauth-authorization-server/tenant". A slash at the
// end of the issuer is not a part of it.
//
// An issuer that is not an https URL in ASCII, or http to this machine, or that has a
// query or a fragment (RFC 8414 section 2), is an error.
func ServerMetadataURL(issuer string) (string, error) {
	u, err := url.Parse(issuer)
	switch {
	case err != nil || !isSecureURL(issuer) || u.User != nil:
		return "", errors.New("introspect: the issuer is not an https URL")
	case strings.ContainsAny(issuer, "?#"):
		return "", errors.New("introspect: the issuer has a query or a fragment (RFC 8414 section 2)")
	}
	return u.Scheme + "://" + u.Host + wellKnownServer + strings.TrimSuffix(u.EscapedPath(), "/"), nil
}

// Handler serves the document to GET and HEAD, and answers other methods by 405. It
// panics if [Metadata.Check] returns an error.
func (m Metadata) Handler() http.Handler {
	if err := m.Check(); err != nil {
		panic(err)
	}
	body, err := json.Marshal(m.members())
	if err != nil {
		panic("introspect: Metadata: " + err.Error())
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if cors.Public(w, r) { // clients in browsers need the document
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		// An error means that the client has closed the connection.
		_, _ = w.Write(body)
	})
}

// members returns the members of the document. A field that is empty has none, and
// takes the member of that name out of Extra.
func (m Metadata) members() map[string]any {
	methods := m.Methods
	if len(methods) == 0 {
		methods = []string{"header"}
	}
	out := map[string]any{}
	for name, value := range m.Extra {
		out[name] = value
	}

	set := func(name string, value any, present bool) {
		delete(out, name)
		if present {
			out[name] = value
		}
	}
	set("resource", m.Resource, m.Resource != "")
	set("authorization_servers", m.AuthorizationServers, len(m.AuthorizationServers) > 0)
	set("jwks_uri", m.JWKSURI, m.JWKSURI != "")
	set("scopes_supported", m.Scopes, len(m.Scopes) > 0)
	set("bearer_methods_supported", methods, true)
	set("resource_name", m.Name, m.Name != "")
	set("resource_documentation", m.Documentation, m.Documentation != "")
	set("tls_client_certificate_bound_access_tokens", true, m.CertificateBound)
	set("dpop_bound_access_tokens_required", true, m.DPoPRequired)
	return out
}

// loopbackHTTP reports whether u is plain http to this machine, which is allowed
// for development.
func loopbackHTTP(u *url.URL) bool {
	return u.Scheme == "http" && fetch.IsLoopback(u.Hostname())
}
