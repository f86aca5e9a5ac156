package grantwell

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/deadline"
	"github.com/grantwell/grantwell/internal/base/faults"
	"github.com/grantwell/grantwell/internal/room/live"
	"github.com/grantwell/grantwell/introspect"
)

// Server is an OAuth 2.0 authorization server without a listener: a set of
// http.Handlers. It is safe for concurrent use, starts no goroutine and has nothing
// to close.
type Server struct {
	cfg Config
	*house
}

var _ introspect.Introspector = (*Server)(nil)

// New builds a server. The error joins every fault of the configuration, each with
// the name of its field.
func New(cfg Config) (*Server, error) {
	err := cfg.prepare()
	h, wrong := build(&cfg)
	if err := faults.Named("grantwell: Config.", err, wrong); err != nil {
		return nil, err
	}
	cfg.warn()

	return &Server{cfg: cfg, house: h}, nil
}

// Issuer returns the issuer identifier.
func (s *Server) Issuer() string { return s.cfg.Issuer }

// URL returns the URL of an endpoint, which is one of the fields of [Server.Paths].
func (s *Server) URL(endpoint string) string { return s.cfg.url(endpoint) }

// Paths returns the paths of the endpoints. Those that are not served are empty.
func (s *Server) Paths() Paths { return s.cfg.Paths }

// Limiter returns the limiter in force, for a login page that shares it: see
// grants.Guess.
func (s *Server) Limiter() grants.Limiter { return s.cfg.Limiter }

// RemoteAddr returns the address that a request came from: the connection's peer or,
// if that is one of Config.TrustedProxies, the last address of X-Forwarded-For or
// Forwarded that no trusted proxy added. Limits count by it, those of a host's login
// page too: see grants.Guess. It is the zero address if the request names none.
func (s *Server) RemoteAddr(r *http.Request) netip.Addr { return s.cfg.peers.Addr(r) }

// Introspect answers for an access token of this server, so that a resource in the
// same process needs no HTTP: introspect.Guard{Introspector: srv}. A dead token is an
// answer; an error means that the store failed.
func (s *Server) Introspect(ctx context.Context, token string) (*introspect.Token, error) {
	limited := &deadline.Context{Parent: ctx, At: time.Now().Add(s.cfg.Timeout)}
	defer limited.End()
	found, err := s.live.Access(limited, token, nil)

	return found.Token, err
}

// External answers for the access tokens of another authorization server with the
// given issuer identifier, whose tokens from looks up: an introspect.LocalJWT or an
// introspect.Remote. A live token resolves to the client that is registered here under
// the token's client ID (see AliasOf of [storage.Client]). It then has the ID of that
// client, of its scope what the client is registered for, and the other server's
// client ID as the member external_client_id. A token is not active if its client is
// registered nowhere or disabled in either place.
//
// Subject remains a user of the other server, and Issuer says so: never take it for a
// user of yours. SubjectActive and the hooks of [Config] are not asked about it. Tokens
// of this server are looked up by the [Server] itself.
func (s *Server) External(issuer string, from introspect.Introspector) introspect.Introspector {
	return &live.External{Room: s.live, Issuer: issuer, From: from, Timeout: s.cfg.Timeout}
}

// ConsentedScopes returns the scopes that the user granted to the client and that are
// remembered; nil if there are none.
func (s *Server) ConsentedScopes(ctx context.Context, clientID, subject string) ([]string, error) {
	return s.live.Consents.Scopes(ctx, clientID, subject)
}

// RevokeConsent withdraws what the user granted to the client. From then on, on every
// instance, the codes and tokens that rest on it are refused, and the user is asked
// again. No consent is no error.
func (s *Server) RevokeConsent(ctx context.Context, clientID, subject string) error {
	return s.live.Consents.Revoke(ctx, clientID, subject)
}

// RevokeGrant ends a family: its code, its refresh tokens and its access tokens.
func (s *Server) RevokeGrant(ctx context.Context, grantID string) error {
	return s.cfg.Records.Revoke(ctx, grantID)
}

// RevokeSubject ends everything that a user has: codes, access and refresh tokens of
// all clients, and consents. It needs Config.Records to be a [storage.Lister]. A request
// that begins meanwhile is not ended: disable the user first, by Config.SubjectActive.
func (s *Server) RevokeSubject(ctx context.Context, subject string) error {
	return s.live.RevokeSubject(ctx, subject)
}

// Check reports whether the parts that requests need answer now: the records, the
// clients and, if tokens are signed, the keys. A store with a method
// Check(context.Context) error is asked by it too. The error joins every failure, each
// with the name of its field. It is meant for a readiness probe.
func (s *Server) Check(ctx context.Context) error {
	limited := &deadline.Context{Parent: ctx, At: time.Now().Add(s.cfg.Timeout)}
	defer limited.End()

	return s.live.Check(limited, s.cfg.Clients)
}
