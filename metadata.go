package grantwell

import (
	"encoding/json"
	"net/http"
	"slices"
	"sort"

	"github.com/grantwell/grantwell/grants"
)

// MetadataHandler returns the authorization server metadata (RFC 8414), made from what is enabled and nothing else.
// It is the same for every request, whatever its Host.
func (s *Server) MetadataHandler() http.Handler {
	body, err := json.Marshal(s.metadata())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		if err != nil {
			http.Error(w, "metadata are not available", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "public, max-age=300")
		w.Header().Set("Access-Control-Allow-Origin", "*") // public and without credentials
		_, _ = w.Write(body)                               // the caller is gone: nobody is left to tell
	})
}

func (s *Server) metadata() map[string]any {
	p, cfg := s.cfg.Paths, s.cfg
	m := map[string]any{"issuer": cfg.Issuer}
	begins := s.front != nil && p.Authorize != ""
	grantTypes, responseTypes := []string{}, []string{}
	for name, g := range s.grants {
		grantTypes = append(grantTypes, name)
		if r, ok := g.(grants.Responder); ok && begins {
			responseTypes = append(responseTypes, r.ResponseType())
		}
		if c, ok := g.(grants.AuthorizationCode); ok && begins {
			m["code_challenge_methods_supported"] = []string{"S256"}
			if c.AllowPlainPKCE {
				m["code_challenge_methods_supported"] = []string{"S256", "plain"}
			}
		}
	}
	sort.Strings(grantTypes)
	sort.Strings(responseTypes)
	m["grant_types_supported"] = grantTypes
	m["response_types_supported"] = responseTypes // required, even when there is none (RFC 8414 section 2)
	if begins {
		m["authorization_endpoint"] = s.Endpoint(p.Authorize)
		m["authorization_response_iss_parameter_supported"] = true
		m["response_modes_supported"] = []string{"query", "fragment", "form_post"}
	}
	if p.Token != "" {
		m["token_endpoint"] = s.Endpoint(p.Token)
		m["token_endpoint_auth_methods_supported"] = cfg.AuthMethods
	}
	methods := slices.Clone(cfg.AuthMethods)
	if p.Revoke != "" {
		m["revocation_endpoint"] = s.Endpoint(p.Revoke)
		m["revocation_endpoint_auth_methods_supported"] = methods
	}
	if p.Introspect != "" {
		m["introspection_endpoint"] = s.Endpoint(p.Introspect)
		m["introspection_endpoint_auth_methods_supported"] = methods
	}
	if algorithms := s.signingAlgorithms(); len(algorithms) > 0 { // required beside these methods (RFC 8414 section 2)
		for _, endpoint := range []string{"token", "revocation", "introspection"} {
			if m[endpoint+"_endpoint"] != nil {
				m[endpoint+"_endpoint_auth_signing_alg_values_supported"] = algorithms
			}
		}
	}
	if p.JWKS != "" {
		m["jwks_uri"] = s.Endpoint(p.JWKS)
	}
	var scopes []string
	for _, k := range cfg.Scopes.Known {
		if k.Public {
			scopes = append(scopes, k.Name)
		}
	}
	if len(scopes) > 0 {
		m["scopes_supported"] = scopes
	}
	return m
}

// signingAlgorithms are those of the authenticators that are in use and that can tell.
func (s *Server) signingAlgorithms() []string {
	var all []string
	for _, a := range s.cfg.ClientAuth {
		used := slices.ContainsFunc(a.Methods(), func(m string) bool { return slices.Contains(s.cfg.AuthMethods, m) })
		if t, ok := a.(interface{ SigningAlgorithms() []string }); ok && used {
			all = append(all, t.SigningAlgorithms()...)
		}
	}
	sort.Strings(all)
	return slices.Compact(all)
}
