package fositegrant_test

import (
	"net/http"

	"github.com/ory/fosite"
)

// fositeHost is a small host of fosite, after fosite's own examples. Each user is alice and
// approves everything.
type fositeHost struct {
	provider fosite.OAuth2Provider
	session  func(subject string) fosite.Session
}

// handler returns the host's endpoints.
func (h *fositeHost) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/authorize", h.authorize)
	mux.HandleFunc("/token", h.token)
	mux.HandleFunc("/introspect", h.introspect)
	mux.HandleFunc("/revoke", h.revoke)
	mux.HandleFunc("/par", h.push)
	return mux
}

func (h *fositeHost) authorize(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	ar, err := h.provider.NewAuthorizeRequest(ctx, r)
	if err != nil {
		h.provider.WriteAuthorizeError(ctx, w, ar, err)
		return
	}
	for _, scope := range ar.GetRequestedScopes() {
		ar.GrantScope(scope)
	}
	for _, audience := range ar.GetRequestedAudience() {
		ar.GrantAudience(audience)
	}
	res, err := h.provider.NewAuthorizeResponse(ctx, ar, h.session("alice"))
	if err != nil {
		h.provider.WriteAuthorizeError(ctx, w, ar, err)
		return
	}
	h.provider.WriteAuthorizeResponse(ctx, w, ar, res)
}

func (h *fositeHost) token(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	ar, err := h.provider.NewAccessRequest(ctx, r, h.session(""))
	if err != nil {
		h.provider.WriteAccessError(ctx, w, ar, err)
		return
	}

	// fosite leaves the granting of scopes to the host.
	if ar.GetGrantTypes().ExactOne("client_credentials") {
		for _, scope := range ar.GetRequestedScopes() {
			ar.GrantScope(scope)
		}
	}
	res, err := h.provider.NewAccessResponse(ctx, ar)
	if err != nil {
		h.provider.WriteAccessError(ctx, w, ar, err)
		return
	}
	h.provider.WriteAccessResponse(ctx, w, ar, res)
}

func (h *fositeHost) introspect(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	res, err := h.provider.NewIntrospectionRequest(ctx, r, h.session(""))
	if err != nil {
		h.provider.WriteIntrospectionError(ctx, w, err)
		return
	}
	h.provider.WriteIntrospectionResponse(ctx, w, res)
}

func (h *fositeHost) revoke(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	h.provider.WriteRevocationResponse(ctx, w, h.provider.NewRevocationRequest(ctx, r))
}

func (h *fositeHost) push(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	ar, err := h.provider.NewPushedAuthorizeRequest(ctx, r)
	if err != nil {
		h.provider.WritePushedAuthorizeError(ctx, w, ar, err)
		return
	}
	res, err := h.provider.NewPushedAuthorizeResponse(ctx, ar, h.session("alice"))
	if err != nil {
		h.provider.WritePushedAuthorizeError(ctx, w, ar, err)
		return
	}
	h.provider.WritePushedAuthorizeResponse(ctx, w, ar, res)
}
