// Package introspecttest mints access tokens for tests of handlers that an
// [introspect.Guard] protects. No authorization server, store or signing key is
// needed.
//
// A test puts an [Introspector] in the place of the host's own one and sends
// requests with the tokens that it mints:
//
//	tokens := &introspecttest.Introspector{Audience: []string{"https://api.example.com"}}
//	handler := newHandler(tokens) // builds the Guard with it
//
//	r := httptest.NewRequest("GET", "/notes", nil)
//	tokens.Authorize(r, introspect.Token{Subject: "alice", Scope: []string{"notes.read"}})
//	handler.ServeHTTP(w, r)
//
// The guard judges such a token as it judges a real one. It refuses an expired
// token, another audience, or a scope that is missing.
//
// A handler that is tested without its guard needs no token: give it a request
// with the context of [introspect.NewContext].
package introspecttest

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/grantwell/grantwell/introspect"
)

// lifetime is how long a token without ExpiresAt lives.
const lifetime = time.Hour

// Introspector is an [introspect.Introspector] that knows the tokens that it
// minted and no other. The zero value is ready. Use it by pointer. It is safe
// for concurrent use, but its fields must be set before its first use.
type Introspector struct {
	// Audience is that of minted tokens without one. Set it to the Audience of
	// the guard under test.
	Audience []string
	// Err, if not nil, is the error of every call of Introspect, as if the
	// authorization server could not be reached. A guard then answers 503.
	Err error

	mu     sync.Mutex
	minted map[string]introspect.Token
}

var _ introspect.Introspector = (*Introspector)(nil)

// Mint returns a new access token that stands for t.
//
// It completes t: Active is true unless t has a Reason, TokenType is "Bearer"
// unless it is set, ExpiresAt is an hour away unless it is set, and Audience is
// the Introspector's unless it is set. To test how a handler treats a token
// that is not active, set Reason, for example to [introspect.ReasonRevoked].
func (i *Introspector) Mint(t introspect.Token) string {
	t = clone(t)
	t.Active = t.Reason == ""
	if t.TokenType == "" {
		t.TokenType = "Bearer"
	}
	if t.ExpiresAt.IsZero() {
		t.ExpiresAt = time.Now().Add(lifetime)
	}
	if t.Audience == nil {
		t.Audience = slices.Clone(i.Audience)
	}

	i.mu.Lock()
	defer i.mu.Unlock()
	if i.minted == nil {
		i.minted = make(map[string]introspect.Token)
	}
	// The names are the same in each run of a test, so that its output is too.
	token := "introspecttest-" + strconv.Itoa(len(i.minted)+1)
	i.minted[token] = t
	return token
}

// Authorize mints a token and sets the Authorization header of r to it (RFC
// 6750 section 2.1), under the scheme DPoP if t.TokenType is "DPoP" (RFC 9449
// section 7.1). It returns the token, for [Introspector.Revoke].
func (i *Introspector) Authorize(r *http.Request, t introspect.Token) string {
	token := i.Mint(t)
	scheme := "Bearer"
	if strings.EqualFold(t.TokenType, "DPoP") {
		scheme = "DPoP"
	}
	r.Header.Set("Authorization", scheme+" "+token)
	return token
}

// Revoke makes a minted token inactive. Other strings have no effect.
func (i *Introspector) Revoke(token string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if _, ok := i.minted[token]; ok {
		i.minted[token] = introspect.Token{Reason: introspect.ReasonRevoked}
	}
}

// Introspect returns a copy of a minted token. A string that was not minted
// gives a token that is not active, with [introspect.ReasonUnknown].
func (i *Introspector) Introspect(_ context.Context, token string) (*introspect.Token, error) {
	if i.Err != nil {
		return nil, i.Err
	}

	i.mu.Lock()
	defer i.mu.Unlock()
	t, ok := i.minted[token]
	if !ok {
		return &introspect.Token{Reason: introspect.ReasonUnknown}, nil
	}
	t = clone(t)
	return &t, nil
}

// clone copies what a caller could change: the lists and maps, but not the
// values of Extra.
func clone(t introspect.Token) introspect.Token {
	t.Scope = slices.Clone(t.Scope)
	t.Audience = slices.Clone(t.Audience)
	t.Confirmation = maps.Clone(t.Confirmation)
	t.Extra = maps.Clone(t.Extra)
	return t
}
