package grantwell

import (
	"net/http"

	"github.com/grantwell/grantwell/internal/frame/backchannel"
	"github.com/grantwell/grantwell/tokens"
)

// Route is one method at one path that the server answers.
type Route struct {
	Method  string // "GET", "POST", "PUT", "PATCH", "DELETE" or "OPTIONS"
	Path    string // the whole path, that of the issuer included
	Handler http.Handler
}

// methods are those for which a path is registered. A mux answers every other method
// by itself.
var methods = [...]string{
	http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
}

// Routes returns what the server answers: each path with each method, because a wrong
// method is the server's to refuse (status 405). The authorization endpoint is not
// among them: see [Server.ParseAuthorize] and [Server.AuthorizeHandler].
func (s *Server) Routes() []Route {
	var routes []Route
	for _, e := range served(s) {
		for _, method := range methods {
			routes = append(routes, Route{Method: method, Path: e.Path, Handler: e.Handler})
		}
	}

	return routes
}

// Mount registers every route with a mux, such as an [http.ServeMux]. Each path is
// registered with its methods ("POST /token"), so that it conflicts with no pattern of
// the host, and hides none.
func (s *Server) Mount(mux interface {
	Handle(pattern string, h http.Handler)
}) {
	for _, r := range s.Routes() {
		mux.Handle(r.Method+" "+r.Path, r.Handler)
	}
}

// Handler returns one handler for all routes, for a host that gives the server a
// listener of its own. Paths are compared byte for byte: "/token/" and "//token" are
// 404.
func (s *Server) Handler() http.Handler { return served(s).Handler() }

// served returns the paths of a server.
func served(s *Server) backchannel.Paths {
	p := s.frame.Paths(s.base, s.endpoints)
	p.Add("", "/.well-known/oauth-authorization-server"+s.base, s.metadata)
	p.Add(s.base, s.cfg.Paths.JWKS, tokens.JWKSHandler(s.cfg.Keys))
	p.Add(s.base, s.cfg.Paths.DisplayCode, s.DisplayCodeHandler())

	return p
}

// TokenHandler returns the token endpoint (RFC 6749 section 3.2): POST, form-encoded.
func (s *Server) TokenHandler() http.Handler {
	return s.frame.Handler(s.tokens.Endpoint(s.cfg.Paths.Token))
}

// RevokeHandler returns the revocation endpoint (RFC 7009). An access token is revoked
// alone, a refresh token with its whole family. The answer 200 means that no instance
// accepts the token any more.
func (s *Server) RevokeHandler() http.Handler {
	return s.frame.Handler(s.inspect.RevocationEndpoint(s.cfg.Paths.Revoke))
}

// IntrospectHandler returns the introspection endpoint (RFC 7662). Callers
// authenticate as clients. A token about which the caller may not know is answered
// {"active":false}, as one that does not exist.
func (s *Server) IntrospectHandler() http.Handler {
	return s.frame.Handler(s.inspect.Introspection(s.cfg.Paths.Introspect))
}

// TokenInfoHandler returns the token information endpoint: parameter access_token;
// status 200 with audience (the client), user_id, scope and expires_in, or 400 for
// every token that is not live. The caller authenticates as a client and learns no
// more than it would by introspection, unless the endpoint is open.
func (s *Server) TokenInfoHandler() http.Handler {
	return s.frame.Handler(s.inspect.TokenInfoEndpoint(s.cfg.Paths.TokenInfo))
}

// MetadataHandler returns the authorization server metadata (RFC 8414), made from what
// is enabled and nothing else. It answers the same to every request, whatever its Host
// is.
func (s *Server) MetadataHandler() http.Handler { return s.metadata }

// DisplayCodeHandler returns a page that shows the code of the redirect that led to it,
// for a client without a web address of its own: register the page's URL as its
// redirect URI. It is served if Paths.DisplayCode is set; a loopback redirect is the
// better way.
func (s *Server) DisplayCodeHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.authorize.DisplayCode(w, r, s.cfg.Codes)
	})
}
