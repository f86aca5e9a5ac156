// Package discovery publishes the metadata of the server (RFC 8414), made from what
// is enabled and nothing else.
package discovery

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/cors"
	"github.com/grantwell/grantwell/internal/room/authorize"
	"github.com/grantwell/grantwell/internal/room/clientauth"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
)

// Room knows what the metadata say.
type Room struct {
	Issuer    string
	Base      string // the issuer without a trailing slash, before which no path has two
	Grants    []grants.Handler
	Authorize *authorize.Room
	Auth      *clientauth.Room
	// Endpoints are those for machines, with their paths.
	Endpoints []seam.Endpoint
	// JWKS is the path of the keys; "" if there are none.
	JWKS string
	// Path is the path of the authorization endpoint; "" if the host has none.
	Path       string
	Scopes     []string // scopes_supported
	Encoders   []seam.Encoder
	Describers []seam.Describer
}

// ascii reports whether a text has printable ASCII characters only.
func ascii(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' })
}

// CheckIssuer returns why a text is no issuer identifier (RFC 8414 section 2).
func CheckIssuer(issuer string, allowHTTP bool) error {
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil,
		strings.ContainsAny(issuer, "?#") || strings.Contains(u.Path, "//"):
		return errors.New("Issuer: needs an absolute URL without query, fragment and user information (RFC 8414 section 2)")
	case !ascii(issuer) || !ascii(u.Path):
		return errors.New("Issuer: has characters beyond ASCII, which clients spell in more than one way")
	case u.Scheme == "http" && !allowHTTP:
		return errors.New("Issuer: is plain http; set AllowHTTP if this is a developer's machine")
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("Issuer: needs the scheme https")
	}

	return nil
}

// Handler returns the handler of the metadata document. It answers the same to every
// request, whatever its Host is.
func (r *Room) Handler() http.Handler {
	body, err := json.Marshal(r.metadata())

	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		if cors.Public(w, req) {
			return
		}
		switch {
		case req.Method != http.MethodGet && req.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		case err != nil:
			http.Error(w, "metadata are not available", http.StatusInternalServerError)
			return
		}
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "public, max-age=300")
		_, _ = w.Write(body) // it fails if the caller is gone
	})
}

// metadata returns the document (RFC 8414 section 2).
func (r *Room) metadata() map[string]any {
	grantTypes := []string{}
	for _, g := range r.Grants {
		grantTypes = append(grantTypes, g.GrantType())
	}
	slices.Sort(grantTypes)
	m := map[string]any{
		"issuer":                   r.Issuer,
		"grant_types_supported":    grantTypes,
		"response_types_supported": []string{}, // required, also if there is none
	}
	if r.Path != "" && len(r.Authorize.Types) > 0 {
		r.describeAuthorize(m)
	}
	for _, e := range r.Endpoints {
		if e.Path != "" && e.Member != "" {
			m[e.Member] = r.Base + e.Path
		}
	}
	r.describeAuthentication(m)
	if r.JWKS != "" {
		m["jwks_uri"] = r.Base + r.JWKS
	}
	if len(r.Scopes) > 0 {
		m["scopes_supported"] = r.Scopes
	}
	for _, d := range r.Describers {
		d.Describe(m)
	}

	return m
}

// describeAuthentication lists the methods of client authentication for each
// endpoint for which RFC 8414 section 2 has a member. The algorithms are required
// beside methods that sign.
func (r *Room) describeAuthentication(m map[string]any) {
	for _, endpoint := range []string{"token", "revocation", "introspection"} {
		if m[endpoint+"_endpoint"] == nil {
			continue
		}
		methods := r.methods(endpoint)
		if len(methods) == 0 {
			continue // RFC 8414 section 3.2: an empty list is left out
		}
		m[endpoint+"_endpoint_auth_methods_supported"] = methods
		if algorithms := r.Auth.SigningAlgorithms(); len(algorithms) > 0 {
			m[endpoint+"_endpoint_auth_signing_alg_values_supported"] = algorithms
		}
	}
}

// methods returns the methods that an endpoint accepts. Introspection needs proof of
// who asks (RFC 7662 section 2.1), and a public client has nothing to send where no
// grant serves one (RFC 6749 section 4.4).
func (r *Room) methods(endpoint string) []string {
	public := false
	for _, g := range r.Grants {
		switch g.GrantType() {
		case "client_credentials":
		case "implicit":
			// Its tokens come from the authorization endpoint.
			public = public || endpoint == "revocation"
		default:
			public = true
		}
	}
	if public && endpoint != "introspection" {
		return r.Auth.Methods
	}

	return slices.DeleteFunc(slices.Clone(r.Auth.Methods), func(m string) bool { return m == storage.AuthNone })
}

// describeAuthorize describes the authorization endpoint.
func (r *Room) describeAuthorize(m map[string]any) {
	var types, modes []string
	for _, t := range r.Authorize.Types {
		types = append(types, t.ResponseType())
	}
	slices.Sort(types)
	for _, e := range r.Encoders {
		modes = append(modes, e.ResponseMode())
	}

	m["authorization_endpoint"] = r.Base + r.Path
	m["authorization_response_iss_parameter_supported"] = true // RFC 9207
	m["response_types_supported"] = types
	m["response_modes_supported"] = modes
	if r.Authorize.PKCE != nil {
		m["code_challenge_methods_supported"] = r.Authorize.PKCE.ChallengeMethods()
	}
}
