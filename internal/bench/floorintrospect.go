package main

import (
	"crypto/sha256"
	"net/http"
	"time"
)

// introspectAnswer is the answer of the introspection endpoint.
type introspectAnswer struct {
	Active    bool   `json:"active"`
	Scope     string `json:"scope,omitempty"`
	ClientID  string `json:"client_id,omitempty"`
	Subject   string `json:"sub,omitempty"`
	Issuer    string `json:"iss,omitempty"`
	TokenType string `json:"token_type,omitempty"`
	ExpiresAt int64  `json:"exp,omitempty"`
	IssuedAt  int64  `json:"iat,omitempty"`
}

// introspect is the introspection endpoint.
func (f *floor) introspect(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.ParseForm() != nil {
		fail(w, http.StatusBadRequest, "invalid_request")
		return
	}
	c := f.client(w, r)
	if c == nil {
		return
	}

	// A client learns about its own tokens alone.
	sum := sha256.Sum256([]byte(r.PostForm.Get("token")))
	f.mu.RLock()
	t := f.tokens[sum]
	live := t != nil && !t.used && t.client == c && time.Now().Unix() < t.expires
	f.mu.RUnlock()
	if !live {
		writeJSON(w, http.StatusOK, introspectAnswer{})
		return
	}
	writeJSON(w, http.StatusOK, introspectAnswer{
		Active:    true,
		Scope:     t.scope,
		ClientID:  t.client.id,
		Subject:   t.subject,
		Issuer:    issuer,
		TokenType: "Bearer",
		ExpiresAt: t.expires,
		IssuedAt:  t.issued,
	})
}

// revoke is the revocation endpoint.
func (f *floor) revoke(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.ParseForm() != nil {
		fail(w, http.StatusBadRequest, "invalid_request")
		return
	}
	c := f.client(w, r)
	if c == nil {
		return
	}

	// An unknown token is answered like a revoked one (RFC 7009 section 2.2).
	sum := sha256.Sum256([]byte(r.PostForm.Get("token")))
	f.mu.Lock()
	if t := f.tokens[sum]; t != nil && t.client == c {
		t.used = true
	}
	f.mu.Unlock()
	w.WriteHeader(http.StatusOK)
}
