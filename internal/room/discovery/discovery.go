// Package discovery publishes the metadata of the server (RFC 8414), made from what
// is enabled and nothing else.
package discovery

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/seam"
)

// Room knows what the metadata say.
type Room struct {
	Issuer     string
	GrantTypes []string
	// Endpoints are those for machines, with their paths.
	Endpoints []seam.Endpoint
	// JWKS is the path of the keys; "" if there are none.
	JWKS string
	// Authorize is the path of the authorization endpoint; "" if no grant begins
	// there.
	Authorize        string
	ResponseTypes    []string
	ResponseModes    []string
	ChallengeMethods []string
	// Methods and SigningAlgorithms are those of client authentication.
	Methods           []string
	SigningAlgorithms []string
	Scopes            []grants.Scope
	Describers        []seam.Describer
}

// Handler returns the handler of the metadata document. It answers the same to every
// request, whatever its Host is.
func (r *Room) Handler() http.Handler {
	body, err := json.Marshal(r.metadata())

	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
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
		h.Set("Access-Control-Allow-Origin", "*") // public, and without credentials
		_, _ = w.Write(body)                      // it fails if the caller is gone
	})
}

// metadata returns the document (RFC 8414 section 2).
func (r *Room) metadata() map[string]any {
	m := map[string]any{
		"issuer":                   r.Issuer,
		"grant_types_supported":    sorted(r.GrantTypes),
		"response_types_supported": []string{}, // required, also if there is none
	}
	if r.Authorize != "" {
		m["authorization_endpoint"] = r.Issuer + r.Authorize
		m["authorization_response_iss_parameter_supported"] = true // RFC 9207
		m["response_types_supported"] = sorted(r.ResponseTypes)
		m["response_modes_supported"] = r.ResponseModes
		if len(r.ChallengeMethods) > 0 {
			m["code_challenge_methods_supported"] = r.ChallengeMethods
		}
	}
	for _, e := range r.Endpoints {
		if e.Path != "" && e.Member != "" {
			m[e.Member] = r.Issuer + e.Path
		}
	}
	r.describeAuthentication(m)
	if r.JWKS != "" {
		m["jwks_uri"] = r.Issuer + r.JWKS
	}
	var scopes []string
	for _, s := range r.Scopes {
		if s.Public {
			scopes = append(scopes, s.Name)
		}
	}
	if len(scopes) > 0 {
		m["scopes_supported"] = scopes
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
		m[endpoint+"_endpoint_auth_methods_supported"] = r.Methods
		if len(r.SigningAlgorithms) > 0 {
			m[endpoint+"_endpoint_auth_signing_alg_values_supported"] = r.SigningAlgorithms
		}
	}
}

func sorted(s []string) []string {
	out := append([]string{}, s...)
	slices.Sort(out)

	return out
}
