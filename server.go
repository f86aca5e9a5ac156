package grantwell

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/frontchannel"
	"github.com/grantwell/grantwell/introspect"
	"github.com/grantwell/grantwell/storage"
	"github.com/grantwell/grantwell/storage/memstore"
	"github.com/grantwell/grantwell/tokens"
)

// Server is an OAuth 2.0 authorization server without a listener: a set of http.Handlers. It is safe for
// concurrent use and has nothing to close.
type Server struct {
	cfg           Config
	https         bool
	base          string // the issuer's path, "" or "/tenant"
	grants        map[string]grants.Handler
	opaque        tokens.Opaque
	plain         tokens.Strategy // opaque, as an interface
	jwt           *tokens.JWT
	front         *frontchannel.FrontChannel // nil: no grant begins at the authorization endpoint
	refresh       bool                       // the grant refresh_token is listed
	slow          slowHash
	known         storage.Clients // shows clients that are to be read only
	tokenEndpoint string
	handlers      map[string]http.Handler // by path
}

var _ introspect.Introspector = (*Server)(nil)

// New builds a server. The error joins every fault of the configuration, each naming its field.
func New(cfg Config) (*Server, error) {
	cfg.Grants = append([]grants.Handler(nil), cfg.Grants...)
	if err := cfg.prepare(); err != nil {
		return nil, err
	}
	u, err := url.Parse(cfg.Issuer)
	if err != nil {
		return nil, fmt.Errorf("grantwell: Config.Issuer: %w", err)
	}
	s := &Server{plain: cfg.AccessTokens, tokenEndpoint: cfg.Issuer + cfg.Paths.Token, cfg: cfg, https: u.Scheme == "https", base: u.Path, grants: make(map[string]grants.Handler), opaque: cfg.AccessTokens, known: viewed(cfg.Clients)}
	if cfg.Keys != nil {
		s.jwt = &tokens.JWT{Keys: cfg.Keys, Issuer: cfg.Issuer}
		if err := s.jwt.Validate(); err != nil {
			return nil, fmt.Errorf("grantwell: Config.Keys: %w", err)
		}
	}
	front := frontchannel.Config{Clients: s.known, Issuer: cfg.Issuer, AnyScope: true}
	for _, g := range cfg.Grants {
		s.grants[g.GrantType()] = g
		s.refresh = s.refresh || g.GrantType() == "refresh_token"
		if r, ok := g.(grants.Responder); ok {
			front.ResponseTypes = append(front.ResponseTypes, r.ResponseType())
		}
		if c, ok := g.(grants.AuthorizationCode); ok {
			front.AllowPlainPKCE, front.PublicWithoutPKCE, front.RequirePKCE = c.AllowPlainPKCE, c.PublicWithoutPKCE, c.RequirePKCE
		}
		if _, ok := g.(grants.Implicit); ok && cfg.Logger != nil {
			cfg.Logger.Warn("grantwell: the implicit grant is enabled; RFC 9700 section 2.1.2 advises against it")
		}
	}
	if len(front.ResponseTypes) > 0 {
		if s.front, err = frontchannel.New(front); err != nil {
			return nil, fmt.Errorf("grantwell: %w", err)
		}
	}
	s.mount()
	return s, nil
}

// viewed returns clients that may share memory with the store. Code outside this module gets copies of them.
func viewed(c storage.Clients) storage.Clients {
	if s, ok := c.(*memstore.Store); ok && s != nil {
		return shared{memstore.View(s)}
	}
	return c
}

// shared reads clients of a memory store where they lie.
type shared struct{ view memstore.ClientView }

// Client implements [storage.Clients].
func (s shared) Client(ctx context.Context, id string) (storage.Client, error) {
	c, err := s.view.Client(ctx, id)
	if err != nil {
		return storage.Client{}, err
	}
	return *c, nil
}

// mount fills the table of paths that Handler serves.
func (s *Server) mount() {
	p := s.cfg.Paths
	s.handlers = map[string]http.Handler{"/.well-known/oauth-authorization-server" + s.base: s.MetadataHandler()}
	for path, h := range map[string]http.Handler{p.Token: s.TokenHandler(), p.Revoke: s.RevokeHandler(), p.Introspect: s.IntrospectHandler(),
		p.TokenInfo: s.TokenInfoHandler(), p.ShowCode: s.ShowCodeHandler()} {
		if path != "" {
			s.handlers[s.base+path] = h
		}
	}
	if p.JWKS != "" {
		s.handlers[s.base+p.JWKS] = tokens.JWKSHandler(s.cfg.Keys)
	}
}

// Handler serves token, revocation, introspection, metadata, JWKS and, where their paths are set, token information and
// the page that shows a code. Paths are compared byte for byte: "/token/" and "//token" are 404. The authorization
// endpoint is not part of it: see ParseAuthorize and AuthorizeHandler.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, ok := s.handlers[r.URL.Path]; ok {
			h.ServeHTTP(w, r)
			return
		}
		http.NotFound(w, r)
	})
}

// Issuer returns the issuer identifier.
func (s *Server) Issuer() string { return s.cfg.Issuer }

// Endpoint returns the URL of a path of Config.Paths.
func (s *Server) Endpoint(path string) string { return s.cfg.Issuer + path }

// Limiter returns the limiter in force, for a login page that shares it: see [grants.Guess].
func (s *Server) Limiter() grants.Limiter { return s.cfg.Limiter }

// Paths returns the endpoints' paths in force; those that are not served are empty.
func (s *Server) Paths() Paths { return s.cfg.Paths }

// strategy is the form of the client's access tokens, and whether they are recorded; nil if the server cannot make it.
func (s *Server) strategy(c *storage.Client) (tokens.Strategy, bool) {
	format := c.AccessTokenFormat
	if format == "" {
		format = s.cfg.AccessTokenFormat
	}
	switch {
	case s.cfg.Strategy != nil:
		return s.cfg.Strategy, !s.cfg.Unrecorded
	case format == "jwt" && s.jwt == nil:
		return nil, false // nothing in place of what the client expects
	case format == "jwt":
		return s.jwt, !s.cfg.Unrecorded
	default:
		return s.plain, true
	}
}

// wellFormed tells whether a string can be one of our access tokens, so that garbage never reaches the store.
func (s *Server) wellFormed(ctx context.Context, token string) bool {
	if s.cfg.Strategy != nil {
		return len(token) <= maxToken
	}
	if s.jwt != nil && strings.Count(token, ".") == 2 && len(token) <= maxToken {
		return true // the record found by its digest, or else its signature, tells the rest
	}
	_, err := s.opaque.Verify(ctx, token)
	return err == nil
}

// RemoteAddr is the address that a request came from: the peer's or, if the peer is one of Config.TrustedProxies, the last
// that no trusted proxy added to X-Forwarded-For. It is what limits count by, those of a host's login page
// too ([grants.Guess]). The zero address when the request names none.
func (s *Server) RemoteAddr(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap()
	if !s.trusted(addr) {
		return addr
	}
	// The last address that no trusted proxy added is the client's: what stands before it, anybody may have written.
	chain := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(chain) - 1; i >= 0; i-- {
		a, err := netip.ParseAddr(strings.TrimSpace(chain[i]))
		if err != nil {
			break
		}
		if addr = a.Unmap(); !s.trusted(addr) {
			break
		}
	}
	return addr
}

func (s *Server) trusted(a netip.Addr) bool {
	for _, p := range s.cfg.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// secure tells whether a request came over TLS, to us or to a trusted proxy.
func (s *Server) secure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && s.trusted(peer.Addr().Unmap()) && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}
