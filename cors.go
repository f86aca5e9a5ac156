package grantwell

import (
	"context"
	"net/http"
	"slices"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/storage"
)

// preflight answers OPTIONS. A preflight names no client, so it allows what a form POST needs to any origin that some client
// is registered for; the answer to the POST itself carries the origin only if it is that client's.
func (c *call) preflight(ctx context.Context) error {
	h := c.w.Header()
	origin := c.r.Header.Get("Origin")
	if origin == "" || origin == "null" || c.r.Header.Get("Access-Control-Request-Method") != http.MethodPost {
		h.Set("Allow", "POST")
		return &grants.Error{Code: "invalid_request", Description: "The method is not allowed here.", Status: http.StatusMethodNotAllowed}
	}
	if c.s.allowsOrigin(ctx, origin) {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Methods", "POST")
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP")
		h.Set("Access-Control-Max-Age", "600")
	}
	h.Add("Vary", "Origin")
	c.event.Status = http.StatusNoContent
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// allowsOrigin tells whether any client is registered for the origin, as far as the store can say.
func (s *Server) allowsOrigin(ctx context.Context, origin string) bool {
	if slices.Contains(s.cfg.Origins, origin) {
		return true
	}
	f, ok := s.cfg.Clients.(storage.OriginFinder)
	if !ok || len(origin) > 255 {
		return false
	}
	found, err := f.HasOrigin(ctx, origin)
	return err == nil && found
}

// cors lets the client's own pages read the answer (S22). It runs as soon as the client is known.
func (c *call) cors() {
	if len(c.r.Header["Origin"]) == 0 {
		return
	}
	origin := c.r.Header.Get("Origin")
	c.w.Header().Add("Vary", "Origin")
	if origin != "null" && slices.Contains(c.req.Client.Origins, origin) {
		c.w.Header().Set("Access-Control-Allow-Origin", origin)
	}
}
